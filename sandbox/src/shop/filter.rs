//! Which orders a comparison is about.

use chrono::{DateTime, Utc};

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
