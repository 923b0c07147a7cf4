//! What a state says, and what it means. Pure.

pub mod cursor;
pub mod groups;
pub(crate) mod inventory;
pub(crate) mod lagging;
pub(crate) mod listing;
pub(crate) mod missing;
pub mod reread;
pub(crate) mod undated;
pub(crate) mod unsettled;
pub mod window;
