//! From which start date on a state speaks. Pure.
//!
//! A state says that everything before its cursor is written; it means everything from the start date on. If that is moved to
//! an earlier day afterwards, what lies between is not read, since an incremental sync resumes at the cursor. So a state
//! carries the start date, and a sync whose start date is earlier says so. A full refresh that was cut off begins anew then.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::generation::is_of_full_refresh;
use crate::timestamp;

/// Where a state says from which start date on it speaks.
const START_DATE: &str = "startDate";

/// The start dates of the states of one sync.
#[derive(Debug, Default)]
pub struct StartDates {
    configured: DateTime<Utc>,
    /// Of the streams that have a cursor: what their saved states say.
    saved: HashMap<String, Option<DateTime<Utc>>>,
}

impl StartDates {
    /// Of these streams that have a cursor, with their saved states.
    pub fn new<'s>(
        configured: DateTime<Utc>,
        streams: impl IntoIterator<Item = (&'s str, Option<&'s Value>)>,
    ) -> Self {
        let saved = streams.into_iter().map(|(name, state)| (name.to_owned(), state.and_then(start_date)));
        Self { configured, saved: saved.collect() }
    }

    /// The streams of which an earlier part is not read, sorted, and the latest start date that their states speak from.
    pub fn moved_back(&self) -> Option<(Vec<&str>, DateTime<Utc>)> {
        let later = self.saved.iter().filter_map(|(name, saved)| Some((name.as_str(), (*saved)?)));
        let later: Vec<(&str, DateTime<Utc>)> = later.filter(|(_, saved)| self.configured < *saved).collect();
        let latest = later.iter().map(|(_, saved)| *saved).max()?;
        let mut names: Vec<&str> = later.into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        Some((names, latest))
    }

    /// Whether a saved state may be resumed from. That of a full refresh cannot be, if it speaks from a later start date.
    pub fn counts(&self, state: &Value) -> bool {
        !is_of_full_refresh(state) || start_date(state).is_none_or(|saved| saved <= self.configured)
    }

    /// Puts the start date that it speaks from on a state, if the stream has a cursor.
    pub fn stamp(&self, stream: &str, state: &mut Value) {
        let (Some(saved), Some(fields)) = (self.saved.get(stream), state.as_object_mut()) else { return };
        // What was resumed still speaks from its own start date. A later one says less, which is true as well.
        let from = saved.map_or(self.configured, |saved| saved.max(self.configured));
        fields.insert(START_DATE.to_owned(), timestamp::write(from).into());
    }
}

fn start_date(state: &Value) -> Option<DateTime<Utc>> {
    state[START_DATE].as_str().and_then(timestamp::parse)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::generation::{FULL_REFRESH, FULL_REFRESH_COMPLETE};

    const MAY: &str = "2025-05-01T00:00:00.000Z";
    const JUNE: &str = "2025-06-01T00:00:00.000Z";

    fn dates(configured: &str, saved: &Value) -> Option<String> {
        let dates = StartDates::new(timestamp::parse(configured).unwrap(), [("orders", Some(saved))]);
        let stamped = |stream| {
            let mut state = json!({"draftCreatedAt": "x"});
            dates.stamp(stream, &mut state);
            state
        };
        assert_eq!(stamped("stores"), json!({"draftCreatedAt": "x"}));
        let stamped = stamped("orders");
        let moved = dates.moved_back().map(|(names, from)| format!("{names:?} {}", timestamp::write(from)));
        Some(format!("{} {moved:?}", stamped[START_DATE].as_str()?))
    }

    #[test]
    fn a_start_date_that_was_moved_back_is_noticed_until_the_stream_is_cleared() {
        let said = |from: &str, moved: Option<&str>| Some(format!("{from} {moved:?}"));
        assert_eq!(dates(JUNE, &Value::Null), said(JUNE, None));
        assert_eq!(dates(JUNE, &json!({START_DATE: JUNE})), said(JUNE, None));
        assert_eq!(dates(JUNE, &json!({START_DATE: MAY})), said(JUNE, None), "later says less");
        let moved = format!("[\"orders\"] {JUNE}");
        assert_eq!(dates(MAY, &json!({START_DATE: JUNE})), said(JUNE, Some(&moved)));
        assert_eq!(dates(MAY, &json!({START_DATE: "soon"})), said(MAY, None));
    }

    #[test]
    fn a_full_refresh_from_a_later_start_date_begins_anew() {
        let dates = StartDates::new(timestamp::parse(MAY).unwrap(), []);
        for (state, counts) in [
            (json!({FULL_REFRESH: true, START_DATE: JUNE}), false),
            (json!({FULL_REFRESH_COMPLETE: true, START_DATE: JUNE}), false),
            (json!({FULL_REFRESH: true, START_DATE: MAY}), true),
            (json!({FULL_REFRESH: true}), true),
            (json!({"draftCreatedAt": JUNE, START_DATE: JUNE}), true),
        ] {
            assert_eq!(dates.counts(&state), counts, "{state}");
        }
    }
}
