//! The state of the stream. Pure.
//!
//! `{"seq": N, "eventId": E}` says: every event that the log had up to number N, where E stood, is written. Without `eventId` it
//! is the beginning, or a number up to which both sides agreed after the log was rewound. A full refresh marks its states:
//! `fullRefresh` while it is under way, and the mark of Airbyte's own sources when it is complete.

use serde_json::{Value, json};

use super::query::Place;
use super::{CURSOR_FIELD, NAME};
use crate::failure::{Failure, FailureKind};
use crate::protocol::catalog::SyncMode;
use crate::protocol::generation::Writer;

/// Where the state names the event.
const EVENT: &str = "eventId";

/// A saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    /// The last event that was written.
    pub place: Place,
    /// A full refresh wrote it, and is complete.
    pub complete: bool,
}

impl Saved {
    /// Reads a stream state. Keys that are not ours are left alone.
    ///
    /// # Errors
    /// Where it has no number: to begin anew without a word would be worse.
    pub(crate) fn parse(state: &Value) -> Result<Self, Failure> {
        let complete = Writer::of(state) == Writer::FullRefreshComplete;
        let Some(seq) = state[CURSOR_FIELD].as_u64() else {
            return Err(Failure::new(
                FailureKind::State,
                format!(
                    "The saved state of the stream {NAME} has no \"{CURSOR_FIELD}\" that is a number, like {{\"{CURSOR_FIELD}\": 120, \"{EVENT}\": \"…\"}}. Correct it, or clear the stream's data to start from the beginning."
                ),
            ));
        };
        let event = state[EVENT].as_str().filter(|_| seq > 0).map(str::to_owned);
        Ok(Self { place: Place { seq, event }, complete })
    }
}

/// The state that everything up to this place is written.
pub(crate) fn state(mode: SyncMode, place: &Place, complete: bool) -> Value {
    let mut state = json!({CURSOR_FIELD: place.seq});
    if let Some(event) = &place.event {
        state[EVENT] = event.as_str().into();
    }
    if let Some(mark) = Writer::new(mode, complete).mark() {
        state[mark] = true.into();
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (seq, event) in [(0, None), (4, None), (7, Some("e7"))] {
            let place = Place { seq, event: event.map(str::to_owned) };
            for mode in [SyncMode::Incremental, SyncMode::FullRefresh] {
                for complete in [false, true] {
                    let saved = Saved::parse(&state(mode, &place, complete)).unwrap();
                    let marked = complete && mode == SyncMode::FullRefresh;
                    assert_eq!(saved, Saved { place: place.clone(), complete: marked });
                }
            }
        }
        let place = Place { seq: 7, event: Some("e7".to_owned()) };
        assert_eq!(state(SyncMode::Incremental, &place, true), json!({"seq": 7, "eventId": "e7"}));
    }

    #[test]
    fn a_state_without_a_number_is_refused() {
        for other in [json!({"eventId": "e"}), json!({"seq": -1}), json!({"seq": "7"}), json!([7])] {
            assert_eq!(Saved::parse(&other).unwrap_err().kind, FailureKind::State, "{other}");
        }
    }
}
