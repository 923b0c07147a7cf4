//! The stream `checkout_events`: what AiFi pushed to the checkout inbox, read from there.
//!
//! The inbox keeps a log in which each event has a number; docs/inbox.md (*Reading*) says what its reading side promises. One
//! request brings the events after a number, together with the proof that the log still holds the event that was seen there. An
//! event that is delivered again moves to a higher number, so the log is also the log of changes.
//!
//! | file | what it is |
//! | --- | --- |
//! | `query` | a request |
//! | `page` | a body becomes the response to it |
//! | `record` | an event becomes a record |
//! | `position` | where the reading is, and what it may believe |
//! | `state` | the form of the state |
//! | `log` | lines of the log |
//! | `reading` | all of this as a machine for the driver |
//! | `check` | whether the inbox can be read |

pub(crate) mod check;
pub(crate) mod log;
pub(crate) mod page;
pub(crate) mod position;
pub(crate) mod query;
pub(crate) mod reading;
pub(crate) mod record;
pub(crate) mod state;

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use crate::failure::{Failure, FailureKind};
use crate::protocol::catalog::Entry;
use crate::record::personal::Personal;
use crate::record::schema::Schema;

/// The stream's name.
pub const NAME: &str = "checkout_events";
/// The cursor field.
pub const CURSOR_FIELD: &str = "seq";
/// The path below the inbox's address.
pub const PATH: &str = "/v1/events";

/// For how long a sync waits for an inbox that does not answer. It is less than for the API: the orders are not to wait for it,
/// and the next sync brings what this one leaves.
pub const PATIENCE: Duration = Duration::from_secs(2 * 60);

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::embedded(include_str!("../spec/checkout_events.json")));

/// The stream, as `discover` describes it. `personal` says what is done to personal values.
pub fn catalog_entry(personal: &Personal) -> Value {
    Entry {
        name: NAME,
        json_schema: &personal.declared(&SCHEMA),
        cursor_field: Some(CURSOR_FIELD),
        primary_key: &["eventId"],
    }
    .to_json()
}

/// What is said where the stream is selected, and no inbox is configured.
pub fn no_inbox() -> Failure {
    let text = "The configured catalog selects the stream \"checkout_events\", but the source names no checkout inbox. Fill in Inbox address (inbox_url) and Inbox read token (inbox_read_token), or deselect the stream.";
    Failure::new(FailureKind::Catalog, text)
}
