//! What a state says, and what it means. Pure.

pub(crate) mod cursor;
pub(crate) mod digests;
mod division;
pub(crate) mod groups;
pub(crate) mod inventory;
pub(crate) mod lagging;
pub(crate) mod listing;
pub(crate) mod missing;
pub(crate) mod parts;
pub(crate) mod readings;
pub(crate) mod reread;
pub(crate) mod saved_window;
pub(crate) mod stream_state;
pub(crate) mod undated;
pub(crate) mod unsettled;
pub(crate) mod window;
