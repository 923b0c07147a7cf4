//! The endpoints of orders.

pub(crate) mod detail;
pub(crate) mod expected;
pub(crate) mod lines;
pub(crate) mod list;
pub(crate) mod query;
pub(crate) mod render;
pub(crate) mod session;
