//! Orders and their life, and what they are made of.

pub(crate) mod catalogue;
pub(crate) mod generate;
pub(crate) mod mistyped;
pub(crate) mod order;
pub(crate) mod order_book;
pub(crate) mod texts;
