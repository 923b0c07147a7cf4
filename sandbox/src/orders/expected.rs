//! What a faithful copy of the orders holds, for comparison.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Which orders are expected. The default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Drafted at or after.
    pub from: Option<DateTime<Utc>>,
    /// Drafted before.
    pub until: Option<DateTime<Utc>>,
    /// Any of these stores; none means all.
    pub store_ids: Vec<u32>,
    /// Any of these statuses; none means all.
    pub statuses: Vec<String>,
    /// Any of these roles of the customer; none means all.
    pub customer_roles: Vec<String>,
}

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
/// detail. Odd values are not told.
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

/// A contest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedContest {
    /// `id`, as digits.
    pub id: String,
    /// `orderId`: the id of the order's first version.
    pub order_id: String,
    /// `orderVersion`.
    pub order_version: u32,
    /// `sessionId`.
    pub session_id: String,
    /// The order's `storeId`, which is in `order`.
    pub store_id: u32,
    /// `contested` or `reviewed`.
    pub status: &'static str,
    /// `originalTotalPrice`.
    pub original_total_price: String,
    /// `contestedTotalPrice`.
    pub contested_total_price: String,
    /// `reviewedTotalPrice`; null before the review.
    pub reviewed_total_price: Option<String>,
    /// `createdAt`.
    pub created_at: String,
    /// `updatedAt`.
    pub updated_at: String,
}

/// A store. No moments are known of stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedStore {
    /// `id`, as digits.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `status`.
    pub status: &'static str,
    /// `deploymentStatus`.
    pub deployment_status: &'static str,
    /// `thirdPartyId`.
    pub third_party_id: String,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedSession {
    /// `id`, as digits; the `customerShoppingSessionId` of the order that came of it.
    pub id: String,
    /// `sessionId`.
    pub session_id: String,
    /// `storeId`.
    pub store_id: u32,
    /// `customerId`, as digits.
    pub customer_id: String,
    /// `status`.
    pub status: &'static str,
    /// `visitors`.
    pub visitors: u32,
    /// `createdAt`.
    pub created_at: String,
    /// `updatedAt`.
    pub updated_at: String,
    /// Whether an order came of it.
    pub bought: bool,
}

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedProduct {
    /// `id`, as digits; the `productId` of lines.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `price`.
    pub price: String,
    /// `quantity`.
    pub quantity: u32,
    /// `createdAt`.
    pub created_at: String,
    /// `updatedAt`.
    pub updated_at: String,
}
