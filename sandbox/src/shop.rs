//! What a retailer has, drawn from a seed: stores, products, orders and their life, and who visited.

mod catalogue;
mod filter;
mod generate;
pub(crate) mod mistyped;
mod order;
mod order_book;
mod session;
mod store;
pub(crate) mod texts;

pub(crate) use catalogue::{Line, PRODUCTS, Product};
pub use filter::Filter;
pub(crate) use order::{Draw, EXTERNAL_STATUSES, ROLES, Row, STATUSES, Status};
pub(crate) use order_book::Book;
pub(crate) use session::Session;
pub(crate) use store::{DEPLOYMENTS, STATUSES as STORE_STATUSES, Store};

use crate::settings::Options;

/// All that rows are made of.
#[derive(Clone, Copy)]
pub(crate) struct Shop<'m> {
    pub(crate) options: &'m Options,
    pub(crate) book: &'m Book,
}
