//! What a state says, and what is read because of it. Pure.
//!
//! `{"draftCreatedAt": T}` says: every order drafted before T has been written. It is a low-water mark, so resuming
//! at T, inclusive, repeats little and skips nothing.
//!
//! A full refresh that was cut off is resumed too, but only from a state that a full refresh wrote: it is marked. An
//! incremental state under a full refresh is not a place to go on from; the whole is read.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::CURSOR_FIELD;
use super::walk::Slice;
use crate::failure::{Failure, FailureKind};
use crate::protocol::catalog::SyncMode;
use crate::timestamp;

/// How long an order may take to surface in the list after the instant it was drafted at. Orders are read up to this
/// long before the server's now. Two minutes are what sources of other order APIs wait; AiFi says nothing.
pub const SETTLE_DELAY: TimeDelta = TimeDelta::minutes(2);

/// Marks a state of a full refresh that is under way.
const FULL_REFRESH: &str = "fullRefresh";
/// Marks a state of a full refresh that is complete (a convention of Airbyte's own sources).
const FULL_REFRESH_COMPLETE: &str = "__ab_full_refresh_sync_complete";

/// The end of what a sync reads: fixed once, by the server's clock, to whole seconds.
pub fn horizon(server_now: DateTime<Utc>, end_date: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let settled = timestamp::floor_second(server_now - SETTLE_DELAY);
    end_date.map_or(settled, |end| end.min(settled))
}

/// A saved state of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    at: DateTime<Utc>,
    full_refresh: bool,
    complete: bool,
}

impl Saved {
    /// Reads a stream state. Keys that are not ours are left alone.
    pub fn parse(state: &Value) -> Result<Self, Failure> {
        let at = state[CURSOR_FIELD].as_str().and_then(timestamp::parse).ok_or_else(|| {
            Failure::new(
                FailureKind::State,
                format!("The saved state of the stream {} has no \"{CURSOR_FIELD}\" that is a date and time, like {{\"{CURSOR_FIELD}\": \"2025-11-01T00:00:00.000Z\"}}. Correct it, or reset the stream to start from the beginning.", super::NAME),
            )
        })?;
        let marked = |name: &str| state[name] == true;
        Ok(Self { at, full_refresh: marked(FULL_REFRESH), complete: marked(FULL_REFRESH_COMPLETE) })
    }
}

/// Where a sync of the stream stands: what is left to read, and how its states are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    mode: SyncMode,
    /// Everything before it is written.
    start: DateTime<Utc>,
}

impl Cursor {
    /// Where to begin: at the start date, or where the saved state ends.
    pub fn new(mode: SyncMode, start_date: DateTime<Utc>, saved: Option<Saved>) -> Self {
        let resumed = match mode {
            SyncMode::Incremental => saved,
            SyncMode::FullRefresh => saved.filter(|saved| saved.full_refresh || saved.complete),
        };
        Self { mode, start: resumed.map_or(start_date, |saved| saved.at.max(start_date)) }
    }

    /// Where the sync begins.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// What is left to read up to `end`; none, if the state says that it was read, or lies in the future. A complete
    /// full refresh has nothing left either.
    pub fn slice(&self, end: DateTime<Utc>, saved: Option<Saved>) -> Option<Slice> {
        let complete = self.mode == SyncMode::FullRefresh && saved.is_some_and(|saved| saved.complete);
        (self.start < end && !complete).then_some(Slice { start: self.start, end })
    }

    /// The state that says: everything before `position` is written. It is never before the start, so a state from
    /// the future is kept as it is.
    pub fn state(&self, position: DateTime<Utc>, complete: bool) -> Value {
        let at = timestamp::write(position.max(self.start));
        match (self.mode, complete) {
            (SyncMode::Incremental, _) => json!({CURSOR_FIELD: at}),
            (SyncMode::FullRefresh, false) => json!({CURSOR_FIELD: at, FULL_REFRESH: true}),
            (SyncMode::FullRefresh, true) => json!({CURSOR_FIELD: at, FULL_REFRESH_COMPLETE: true}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    fn saved(state: &Value) -> Option<Saved> {
        Some(Saved::parse(state).unwrap())
    }

    const START: &str = "2025-11-01T00:00:00Z";
    const END: &str = "2025-12-01T00:00:00Z";

    #[test]
    fn the_horizon_lies_the_settle_delay_before_the_servers_now_or_at_the_end_date() {
        let now = at("2025-12-01T00:02:00.900Z");
        assert_eq!(horizon(now, None), at(END));
        assert_eq!(horizon(now, Some(at(START))), at(START));
        assert_eq!(horizon(now, Some(at("2030-01-01T00:00:00Z"))), at(END));
    }

    #[test]
    fn an_incremental_sync_goes_on_where_the_state_ends() {
        let state = json!({CURSOR_FIELD: "2025-11-05T00:00:00.000Z", "other": 1});
        let cursor = Cursor::new(SyncMode::Incremental, at(START), saved(&state));
        let slice = cursor.slice(at(END), saved(&state)).unwrap();
        assert_eq!(slice, Slice { start: at("2025-11-05T00:00:00Z"), end: at(END) });
        assert_eq!(cursor.state(at(END), true), json!({CURSOR_FIELD: "2025-12-01T00:00:00.000Z"}));
    }

    #[test]
    fn a_start_date_after_the_state_wins() {
        let state = json!({CURSOR_FIELD: "2020-01-01T00:00:00.000Z"});
        assert_eq!(Cursor::new(SyncMode::Incremental, at(START), saved(&state)).start(), at(START));
    }

    #[test]
    fn a_state_from_the_future_reads_nothing_and_is_kept() {
        let state = json!({CURSOR_FIELD: "2999-12-31T23:59:59.999Z"});
        let cursor = Cursor::new(SyncMode::Incremental, at(START), saved(&state));
        assert_eq!(cursor.slice(at(END), saved(&state)), None);
        assert_eq!(cursor.state(at(END), true), state);
    }

    #[test]
    fn a_full_refresh_goes_on_only_from_a_state_of_its_own() {
        let begin = |state: &Value| {
            let cursor = Cursor::new(SyncMode::FullRefresh, at(START), saved(state));
            cursor.slice(at(END), saved(state)).map(|slice| slice.start)
        };
        let incremental = json!({CURSOR_FIELD: "2025-11-05T00:00:00.000Z"});
        assert_eq!(begin(&incremental), Some(at(START)));
        let cursor = Cursor::new(SyncMode::FullRefresh, at(START), None);
        assert_eq!(begin(&cursor.state(at("2025-11-05T00:00:00Z"), false)), Some(at("2025-11-05T00:00:00Z")));
        assert_eq!(begin(&cursor.state(at("2025-11-05T00:00:00Z"), true)), None);
    }

    #[test]
    fn a_state_of_another_shape_is_refused_with_an_example() {
        for state in [
            json!({"updatedAt": "2025-11-05T00:00:00Z"}),
            json!({CURSOR_FIELD: 3}),
            json!([]),
            json!({CURSOR_FIELD: "x"}),
        ] {
            let failure = Saved::parse(&state).unwrap_err();
            assert_eq!(failure.kind, FailureKind::State);
            assert!(failure.message.contains("2025-11-01T00:00:00.000Z"));
        }
    }
}
