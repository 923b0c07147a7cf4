//! Values of the wrong type, on half of the orders when [`Behaviour::odd_values`](crate::Behaviour) is set.

use crate::shop::order::{Draw, Row};

/// Which value of an order has the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistyped {
    /// The weight of a line is the text `heavy`.
    Weight,
    /// `isLatest` is null.
    IsLatest,
    /// `totalTax` is a JSON number.
    TotalTax,
    /// `status` is a number.
    Status,
    /// `externalId` is an object.
    ExternalId,
    /// `paidAt` is an empty text.
    PaidAt,
    /// `products` is null.
    Products,
    /// `totalPrice` has more digits than any machine number.
    BigPrice,
    /// `totalPrice` ends in a zero.
    RoundPrice,
    /// `sessionId` is a number.
    Session,
    /// `quantity` of a line is a text.
    Quantity,
    /// `taxRates` of a line is an array.
    TaxRates,
}

const ALL: [Mistyped; 12] = [
    Mistyped::Weight,
    Mistyped::IsLatest,
    Mistyped::TotalTax,
    Mistyped::Status,
    Mistyped::ExternalId,
    Mistyped::PaidAt,
    Mistyped::Products,
    Mistyped::BigPrice,
    Mistyped::RoundPrice,
    Mistyped::Session,
    Mistyped::Quantity,
    Mistyped::TaxRates,
];

/// The price of [`Mistyped::BigPrice`].
pub(crate) const BIG_PRICE: &str = "12345678901234567890.10";
/// The price of [`Mistyped::RoundPrice`].
pub(crate) const ROUND_PRICE: &str = "12.10";

/// Which value of this order has the wrong type.
pub(crate) fn mistyped(row: &Row) -> Option<Mistyped> {
    ALL.get((row.draw(Draw::Mistyped) % (2 * ALL.len() as u64)) as usize).copied()
}
