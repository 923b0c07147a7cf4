//! What a state says, and what it means. Pure.

pub mod cursor;
pub mod groups;
pub(crate) mod lagging;
pub(crate) mod undated;
pub(crate) mod unsettled;
pub mod window;
