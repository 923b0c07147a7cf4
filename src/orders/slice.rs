//! One slice of one selection, read completely. Pure.

pub(crate) mod dense_second;
pub(crate) mod keyset;
pub(crate) mod newest;
mod page_size;
mod read_ahead;
pub(crate) mod reader;
