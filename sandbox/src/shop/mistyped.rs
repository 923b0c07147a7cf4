//! Values of the wrong type, on half of the orders when [`Behaviour::odd_values`](crate::Behaviour) is set.

use crate::shop::order::{Draw, Row};

/// What is odd about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
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

const ALL: [Odd; 12] = [
    Odd::Weight,
    Odd::IsLatest,
    Odd::TotalTax,
    Odd::Status,
    Odd::ExternalId,
    Odd::PaidAt,
    Odd::Products,
    Odd::BigPrice,
    Odd::RoundPrice,
    Odd::Session,
    Odd::Quantity,
    Odd::TaxRates,
];

/// The price of [`Odd::BigPrice`].
pub(crate) const BIG_PRICE: &str = "12345678901234567890.10";
/// The price of [`Odd::RoundPrice`].
pub(crate) const ROUND_PRICE: &str = "12.10";

/// What is odd about this order.
pub(crate) fn odd(row: &Row) -> Option<Odd> {
    ALL.get((row.draw(Draw::Odd) % (2 * ALL.len() as u64)) as usize).copied()
}
