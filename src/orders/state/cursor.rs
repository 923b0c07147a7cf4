//! Where a sync of the stream begins, and what its states say. Pure.
//!
//! A full refresh that was cut off is resumed too, but only from a state that a full refresh wrote: it is marked. An
//! incremental state under a full refresh is not a place to resume from; the whole is read.

use chrono::{DateTime, Utc};

use crate::orders::state::stream_state::StreamState;
use crate::protocol::catalog::SyncMode;
use crate::protocol::generation::Writer;

/// Where a sync of the stream stands: what is left to read, and how its states are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    mode: SyncMode,
    start_date: DateTime<Utc>,
    /// Everything before it is written.
    start: DateTime<Utc>,
    /// What it resumes from.
    resumed: Option<StreamState>,
}

impl Cursor {
    /// Where to begin: at the start date, or where the saved state ends.
    pub(crate) fn new(mode: SyncMode, start_date: DateTime<Utc>, saved: Option<StreamState>) -> Self {
        let resumed = saved.filter(|saved| saved.counts(mode, start_date));
        let start = resumed.as_ref().map_or(start_date, |saved| saved.position.max(start_date));
        Self { mode, start_date, start, resumed }
    }

    /// Where the sync begins.
    pub(crate) fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// Nothing that was drafted before it is read.
    pub(crate) fn start_date(&self) -> DateTime<Utc> {
        self.start_date
    }

    /// What it resumes from; none, where it begins anew.
    pub(crate) fn resumed(&self) -> Option<&StreamState> {
        self.resumed.as_ref()
    }

    /// How the stream is read.
    pub(crate) fn mode(&self) -> SyncMode {
        self.mode
    }

    /// Whether a full refresh is complete already, so that nothing is left.
    pub(crate) fn is_complete(&self) -> bool {
        let is_complete = |saved: &StreamState| saved.writer == Writer::FullRefreshComplete;
        self.mode == SyncMode::FullRefresh && self.resumed.as_ref().is_some_and(is_complete)
    }

    /// The state that says it, as this sync may: `complete`, where everything is written. Its position is never before the start,
    /// so a state from the future is kept as it is.
    pub(crate) fn state(&self, said: StreamState, complete: bool) -> StreamState {
        let position = said.position.max(self.start);
        let from = self.resumed.as_ref().map_or(Some(self.start_date), |saved| saved.start_date);
        let start_date = from.or(Some(self.start_date));
        let writer = Writer::new(self.mode, complete);
        if self.mode == SyncMode::Incremental {
            return StreamState { position, start_date, writer, ..said };
        }
        StreamState {
            position,
            start_date,
            partitions: said.partitions,
            unseen: said.unseen,
            writer,
            ..StreamState::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::orders::CURSOR_FIELD;
    use crate::orders::state::stream_state::{Swept, UPDATED_FIELD};
    use crate::orders::streams::OrderStream;
    use crate::timestamp;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    fn saved(state: &Value) -> Option<StreamState> {
        Some(StreamState::parse(state, OrderStream::Orders).unwrap())
    }

    fn written(state: &StreamState) -> Value {
        state.write(OrderStream::Orders)
    }

    const START: &str = "2025-11-01T00:00:00Z";
    const END: &str = "2025-12-01T00:00:00Z";

    #[test]
    fn an_incremental_sync_goes_on_where_the_state_ends() {
        let state = json!({CURSOR_FIELD: "2025-11-05T00:00:00.000Z", UPDATED_FIELD: "2025-11-04T00:00:00.000Z", "other": 1});
        let cursor = Cursor::new(SyncMode::Incremental, at(START), saved(&state));
        assert_eq!(cursor.start(), at("2025-11-05T00:00:00Z"));
        assert_eq!(cursor.resumed().unwrap().updated, Some(at("2025-11-04T00:00:00Z")));
        let said = StreamState { position: at(END), updated: Some(at(END)), ..StreamState::default() };
        assert_eq!(
            written(&cursor.state(said, true)),
            json!({CURSOR_FIELD: "2025-12-01T00:00:00.000Z", UPDATED_FIELD: "2025-12-01T00:00:00.000Z", "startDate": "2025-11-01T00:00:00.000Z"})
        );
    }

    #[test]
    fn how_far_a_sweep_is_stands_in_the_state_and_is_read_back() {
        let swept = Swept { before: at(START), updated: at(END) };
        let cursor = Cursor::new(SyncMode::Incremental, at(START), None);
        let said = StreamState {
            position: at(END),
            updated: Some(at(START)),
            swept: Some(swept),
            unseen: vec!["storeId=2".to_owned()],
            ..StreamState::default()
        };
        let state = cursor.state(said, false);
        assert_eq!((state.swept, state.unseen.len()), (Some(swept), 1));
        assert_eq!(saved(&written(&state)), Some(state));
    }

    #[test]
    fn a_start_date_after_the_state_wins() {
        let state = json!({CURSOR_FIELD: "2020-01-01T00:00:00.000Z"});
        assert_eq!(Cursor::new(SyncMode::Incremental, at(START), saved(&state)).start(), at(START));
    }

    #[test]
    fn a_state_from_the_future_is_kept() {
        let state = json!({CURSOR_FIELD: "2999-12-31T23:59:59.999Z"});
        let cursor = Cursor::new(SyncMode::Incremental, at(START), saved(&state));
        let said = StreamState { position: at(END), ..StreamState::default() };
        assert_eq!(cursor.state(said, true).position, at("2999-12-31T23:59:59.999Z"));
    }

    #[test]
    fn a_full_refresh_goes_on_only_from_a_state_of_its_own() {
        let begin = |state: StreamState| Cursor::new(SyncMode::FullRefresh, at(START), Some(state));
        let incremental = StreamState { position: at("2025-11-05T00:00:00Z"), ..StreamState::default() };
        assert_eq!(begin(incremental).start(), at(START));
        let cursor = Cursor::new(SyncMode::FullRefresh, at(START), None);
        let middle = at("2025-11-05T00:00:00Z");
        let said = || StreamState { position: middle, updated: Some(middle), ..StreamState::default() };
        let cut = begin(cursor.state(said(), false));
        assert_eq!((cut.start(), cut.is_complete()), (middle, false));
        let complete = cursor.state(said(), true);
        assert_eq!(complete.updated, None, "changes are not followed");
        assert!(begin(complete).is_complete());
    }
}
