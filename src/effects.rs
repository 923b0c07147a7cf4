//! What a driver reads from and writes to.

use tokio::sync::mpsc::UnboundedReceiver;

use crate::aifi::http::{Event, Http};
use crate::protocol::output::Output;
use crate::unreadable::UnreadableRows;

/// The doors that one driver holds while it reads its streams.
pub struct Effects<'a> {
    /// The API.
    pub http: &'a Http,
    /// What happens while it is asked.
    pub events: &'a mut UnboundedReceiver<Event>,
    /// Where messages go.
    pub output: &'a mut Output,
    /// Where items go that no record can be made of.
    pub unreadable: &'a mut UnreadableRows,
}
