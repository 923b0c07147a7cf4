//! What is asked of the API, and what comes. Pure.

pub mod detail;
pub(crate) mod lines;
pub mod page;
pub mod query;
pub mod totals;

#[cfg(test)]
pub(crate) mod testing;
