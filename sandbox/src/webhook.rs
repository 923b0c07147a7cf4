//! The checkout webhook: its events, and what waits.

pub(crate) mod event;
pub(crate) mod queue;
