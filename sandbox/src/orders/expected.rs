//! What a faithful copy of the orders holds, for comparison.

use serde::Serialize;

use crate::endpoint::Spelling;
use crate::settings::Versions;
use crate::shop::{Filter, Row, Shop};

/// The current version of an order. Texts are as the API spells them, odd values included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// `id`, as digits.
    pub id: String,
    /// `version`.
    pub version: u32,
    /// `draftCreatedAt`.
    pub draft_created_at: String,
    /// `status`.
    pub status: String,
    /// `storeId`.
    pub store_id: u32,
    /// `totalPrice`.
    pub total_price: String,
    /// `updatedAt`.
    pub updated_at: String,
    /// How many `products` there are.
    pub products: usize,
}

/// The detail of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedDetail {
    /// The order itself.
    #[serde(flatten)]
    pub order: Expected,
    /// `lineItems`, with those that are `REMOVED`, which `products` of the list has not.
    pub line_items: Vec<ExpectedLine>,
}

/// A line of the current version of an order. It has the same id in `products` of the list and in `lineItems` of the
/// detail. Mistyped values are not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedLine {
    /// `id`, as digits.
    pub id: String,
    /// `id` of the order, as digits.
    pub order_id: String,
    /// `version` of the order.
    pub order_version: u32,
    /// `productId`, as digits.
    pub product_id: String,
    /// `quantity`.
    pub quantity: u32,
    /// `ORIGINAL`, `ADDED` or `REMOVED`; the list does not tell it, and has no line that is `REMOVED`.
    pub status: &'static str,
    /// `price` of one piece.
    pub price: String,
    /// `subtotalPrice` of the line.
    pub subtotal_price: String,
    /// `totalTax` of the line.
    pub total_tax: String,
    /// `totalPrice` of the line.
    pub total_price: String,
    /// `updatedAt` of the order.
    pub updated_at: String,
}

/// The current version of each order that a filter names, by (`draftCreatedAt`, id).
pub(crate) fn expected(shop: &Shop, filter: &Filter) -> Vec<Expected> {
    let spelling = Spelling::new(&shop.options.behaviour);
    shop.book.named(filter).map(|row| spelling.expected(row)).collect()
}

/// The lines of these orders as the list shows them, in the same order of orders.
pub(crate) fn expected_lines(shop: &Shop, filter: &Filter) -> Vec<ExpectedLine> {
    let spelling = Spelling::new(&shop.options.behaviour);
    shop.book.named(filter).flat_map(|row| spelling.expected_lines(row, shop.book.first(row))).collect()
}

/// All versions that the list shows and a filter names, by (`draftCreatedAt`, id, version).
pub(crate) fn expected_versions(shop: &Shop, filter: &Filter) -> Vec<Expected> {
    let behaviour = &shop.options.behaviour;
    let spelling = Spelling::new(behaviour);
    let listed = |row: &&Row| behaviour.versions == Versions::All || row.is_latest();
    shop.book.versions(filter).filter(listed).map(|row| spelling.expected(row)).collect()
}

/// The details of the orders that a filter names, by (`draftCreatedAt`, id).
pub(crate) fn expected_details(shop: &Shop, filter: &Filter) -> Vec<ExpectedDetail> {
    let spelling = Spelling::new(&shop.options.behaviour);
    let detail = |row| ExpectedDetail {
        order: spelling.expected(row),
        line_items: spelling.expected_items(row, shop.book.first(row)).collect(),
    };
    shop.book.named(filter).map(detail).collect()
}
