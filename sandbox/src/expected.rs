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
