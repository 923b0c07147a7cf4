//! What a state says, and what it means. Pure.

pub mod cursor;
pub mod digests;
mod division;
pub mod groups;
pub(crate) mod inventory;
pub(crate) mod lagging;
pub(crate) mod listing;
pub(crate) mod missing;
pub mod parts;
pub mod readings;
pub mod reread;
pub mod saved_window;
pub mod stream_state;
pub(crate) mod undated;
pub(crate) mod unsettled;
pub mod window;
