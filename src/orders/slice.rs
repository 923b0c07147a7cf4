//! One slice of one selection, read completely. Pure.

pub mod dense_second;
pub mod keyset;
pub mod newest;
mod page_size;
mod read_ahead;
pub mod reader;
