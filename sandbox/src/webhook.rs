//! The checkout webhook, from AiFi's side: its events, and what waits to be sent.

mod event;
mod queue;

pub(crate) use event::Event;
pub(crate) use queue::Queue;
pub use queue::{Call, Pushed};
