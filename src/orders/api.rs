//! What is asked of the API, and what comes. Pure.

pub(crate) mod detail;
pub(crate) mod lines;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod totals;

#[cfg(test)]
pub(crate) mod testing;
