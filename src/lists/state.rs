//! The state of a list that can be asked for its changes. Pure.
//!
//! `{"updatedAt": P}` says: every row that was changed before P is written, as it was then or later. `walk`, while a list
//! is read by key, says how far: behind the row `after` comes the last one that is written, of those changed before
//! `until`; `newest` is the latest change among them. A full refresh marks its states: `fullRefresh` while it is under
//! way, and the mark of Airbyte's own sources when it is complete. `stores`, where only some are configured, says of which
//! all of this is said, and `removed` up to when rows of stores are written that are not configured any more.
//! `recent` names the newest rows before P one by one: of those, only the named ones are written (see [`super::recent`]). `walk`
//! has one of its own, for the state at its end.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::declared::{List, Paging, UPDATED_FIELD};
use super::recent::Recent;
use crate::failure::{Failure, FailureKind};
use crate::protocol::generation::Writer;
use crate::protocol::start_date::{self, START_DATE};
use crate::timestamp;

/// Marks a state of a stream that has no cursor.
const NO_CURSOR: &str = "__ab_no_cursor_state_message";
/// Where the state names the stores that it speaks of.
const STORES: &str = "stores";
/// Where the state says what is written of stores that are not configured any more.
const REMOVED: &str = "removed";
/// All stores, where stores are named.
const ALL: &str = "all";
/// Where the state says how far a pass is.
const WALK: &str = "walk";
/// Where the state names the newest rows.
const RECENT: &str = "recent";

/// How far a pass is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResumePoint {
    /// The id of the row before the last one that is written.
    pub after: String,
    /// The horizon when the pass began.
    pub until: DateTime<Utc>,
    /// The latest change among the rows that were read.
    pub newest: Option<DateTime<Utc>>,
    /// The newest rows, up to there. None in states of version 0.3.0 and before.
    pub recent: Option<Recent>,
}

/// What a state of such a list says: one type, for reading and writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListState {
    /// Every row that was changed before it is written. None in a state of a full refresh that is complete.
    pub updated: Option<DateTime<Utc>>,
    /// The newest rows of those. None, where none is known, and in states of version 0.3.0 and before.
    pub recent: Option<Recent>,
    /// How far a pass is that was cut off.
    pub place: Option<ResumePoint>,
    /// The stores that it speaks of; empty for all.
    pub stores: Vec<u64>,
    /// Stores that are not configured any more: rows of them that were changed before it are written. None stands for all stores.
    pub removed: BTreeMap<Option<u64>, DateTime<Utc>>,
    /// It speaks of what was changed at or after it. None in states of version 0.3.0 and before.
    pub start_date: Option<DateTime<Utc>>,
    /// Which kind of sync wrote it.
    pub writer: Writer,
}

impl ListState {
    /// Reads a stream state. Keys that are not ours are left alone, and a place that cannot be read is begun anew.
    ///
    /// # Errors
    ///
    /// [`FailureKind::State`], where an incremental state has no position.
    pub(crate) fn parse(list: &List, state: &Value) -> Result<Self, Failure> {
        let time = |value: &Value| value.as_str().and_then(timestamp::parse);
        let updated = time(&state[UPDATED_FIELD]);
        let writer = match Writer::of(state) {
            Writer::Incremental if state[NO_CURSOR] == true => Writer::FullRefresh,
            writer => writer,
        };
        if updated.is_none() && writer == Writer::Incremental {
            return Err(Failure::new(
                FailureKind::State,
                format!(
                    "The saved state of the stream {} has no \"{UPDATED_FIELD}\" that is a date and time, like {{\"{UPDATED_FIELD}\": \"2025-11-01T00:00:00.000Z\"}}. Correct it, or clear the stream's data to start from the beginning.",
                    list.name
                ),
            ));
        }
        // No other list has places that hold.
        let walk = if list.paging == Paging::After { &state[WALK] } else { &Value::Null };
        let place = walk["after"].as_str().zip(time(&walk["until"])).map(|(after, until)| ResumePoint {
            after: after.to_owned(),
            until,
            newest: time(&walk["newest"]),
            recent: Recent::parse(&walk[RECENT]),
        });
        let stores = state[STORES].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        let removed = |(store, updated): (&String, &Value)| {
            let store = if store == ALL { None } else { Some(store.parse().ok()?) };
            Some((store, time(updated)?))
        };
        let removed = state[REMOVED].as_object().into_iter().flatten().filter_map(removed).collect();
        let recent = Recent::parse(&state[RECENT]);
        Ok(Self { updated, recent, place, stores, removed, start_date: start_date::of(state), writer })
    }

    /// As it is written.
    pub(crate) fn write(&self) -> Value {
        let mut state = json!({});
        if let Some(updated) = self.updated {
            state[UPDATED_FIELD] = timestamp::write(updated).into();
        }
        if let Some(mark) = self.writer.mark().filter(|_| self.updated.is_none()) {
            state[mark] = true.into();
        }
        if !self.stores.is_empty() {
            state[STORES] = self.stores.clone().into();
        }
        if let Some(recent) = &self.recent {
            state[RECENT] = recent.write();
        }
        if let Some(ResumePoint { after, until, newest, recent }) = &self.place {
            state[WALK] = json!({"after": after, "until": timestamp::write(*until)});
            if let Some(newest) = newest {
                state[WALK]["newest"] = timestamp::write(*newest).into();
            }
            if let Some(recent) = recent {
                state[WALK][RECENT] = recent.write();
            }
        }
        if let Some(mark) = self.writer.mark() {
            state[mark] = true.into();
        }
        for (store, updated) in &self.removed {
            let store = store.map_or_else(|| ALL.to_owned(), |store| store.to_string());
            state[REMOVED][store] = timestamp::write(*updated).into();
        }
        if let Some(from) = self.start_date {
            state[START_DATE] = timestamp::write(from).into();
        }
        state
    }

    /// Whether it speaks of all rows of these stores; of all rows, if there are none.
    pub(crate) fn covers(&self, stores: &[u64]) -> bool {
        let all = |stores: &[u64]| stores.iter().all(|store| self.stores.contains(store));
        self.stores.is_empty() || (!stores.is_empty() && all(stores))
    }
}

/// There is nothing to resume from.
pub(crate) fn without_cursor() -> Value {
    json!({NO_CURSOR: true})
}

#[cfg(test)]
mod tests {
    use super::super::declared::{CONTESTS, SESSIONS};
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let updated = at("2025-11-05T00:00:00.120Z");
        let mut recent = Recent::since(at("2025-11-04T00:00:00Z"));
        recent.note("0x7", updated, true);
        let place = ResumePoint {
            after: "0x7".into(),
            until: at("2025-12-01T00:00:00Z"),
            newest: Some(updated),
            recent: Some(recent.clone()),
        };
        let removed = BTreeMap::from([(None, at("2025-11-02T00:00:00Z")), (Some(9), updated)]);
        for place in [None, Some(place.clone()), Some(ResumePoint { newest: None, recent: None, ..place })] {
            let state = ListState {
                updated: Some(updated),
                recent: place.as_ref().and(Some(recent.clone())),
                place: place.clone(),
                stores: vec![3, 7],
                removed: removed.clone(),
                start_date: Some(at("2025-11-01T00:00:00Z")),
                writer: Writer::Incremental,
            };
            assert!(state.covers(&[7]) && !state.covers(&[7, 8]) && !state.covers(&[]));
            for writer in [Writer::Incremental, Writer::FullRefresh] {
                let state = ListState { writer, ..state.clone() };
                assert_eq!(ListState::parse(&SESSIONS, &state.write()).unwrap(), state);
            }
            let complete = ListState {
                updated: None,
                recent: None,
                place: None,
                writer: Writer::FullRefreshComplete,
                ..state
            };
            assert_eq!(ListState::parse(&SESSIONS, &complete.write()).unwrap(), complete);
        }
        let writer = ListState::parse(&SESSIONS, &without_cursor()).unwrap().writer;
        assert_eq!(writer, Writer::FullRefresh);
    }

    #[test]
    fn a_walk_that_cannot_be_read_is_begun_anew() {
        for walk in [json!(3), json!({"after": 7, "until": "2025-12-01T00:00:00Z"}), json!({"after": "7"})] {
            let state = json!({"updatedAt": "2025-11-05T00:00:00Z", "walk": walk});
            assert_eq!(ListState::parse(&SESSIONS, &state).unwrap().place, None);
        }
        let walk = json!({"after": "7", "until": "2025-12-01T00:00:00Z"});
        let state = json!({"updatedAt": "2025-11-05T00:00:00Z", "walk": walk});
        assert!(ListState::parse(&SESSIONS, &state).unwrap().place.is_some());
        assert_eq!(ListState::parse(&CONTESTS, &state).unwrap().place, None, "pages are not places");
    }

    #[test]
    fn a_state_of_another_shape_is_refused_with_an_example() {
        for state in [json!({"draftCreatedAt": "2025-11-05T00:00:00Z"}), json!({"updatedAt": 3}), json!([])] {
            let failure = ListState::parse(&SESSIONS, &state).unwrap_err();
            assert_eq!(failure.kind, FailureKind::State);
            assert!(
                failure.message.contains("2025-11-01T00:00:00.000Z") && failure.message.contains("sessions")
            );
        }
    }
}
