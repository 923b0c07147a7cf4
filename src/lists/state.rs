//! The state of a list that can be asked for its changes. Pure.
//!
//! `{"updatedAt": P}` says: every row that was changed before P is written, as it was then or later. `walk`, while a list
//! is read by key, says how far: behind the row `after` comes the last one that is written, of those changed before
//! `until`; `newest` is the latest change among them. A full refresh marks its states: `fullRefresh` while it is under
//! way, and the mark of Airbyte's own sources when it is complete. `stores`, where only some are configured, says of which
//! all of this is said.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::declared::{List, Paging, UPDATED_FIELD};
use crate::failure::{Failure, FailureKind};
use crate::protocol::generation::{FULL_REFRESH, FULL_REFRESH_COMPLETE};
use crate::timestamp;

/// Marks a state of a stream that has no cursor.
const NO_CURSOR: &str = "__ab_no_cursor_state_message";
/// Where the state names the stores that it speaks of.
const STORES: &str = "stores";
/// Where the state says how far a pass is.
const WALK: &str = "walk";

/// How far a pass is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    /// The id of the row before the last one that is written.
    pub after: String,
    /// The horizon when the pass began.
    pub until: DateTime<Utc>,
    /// The latest change among the rows that were read.
    pub newest: Option<DateTime<Utc>>,
}

/// A saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// P; none in some states of a full refresh.
    pub updated: Option<DateTime<Utc>>,
    /// How far a pass was that was cut off.
    pub place: Option<ResumePoint>,
    /// The stores that it speaks of; empty for all.
    pub stores: Vec<u64>,
    /// A full refresh wrote it.
    pub full_refresh: bool,
    /// It is complete.
    pub complete: bool,
}

impl Saved {
    /// Reads a stream state. Keys that are not ours are left alone, and a place that cannot be read is begun anew.
    pub fn parse(list: &List, state: &Value) -> Result<Self, Failure> {
        let time = |value: &Value| value.as_str().and_then(timestamp::parse);
        let marked = |name: &str| state[name] == true;
        let (updated, complete) = (time(&state[UPDATED_FIELD]), marked(FULL_REFRESH_COMPLETE));
        let full_refresh = complete || marked(FULL_REFRESH) || marked(NO_CURSOR);
        if updated.is_none() && !full_refresh {
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
        });
        let stores = state[STORES].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        Ok(Self { updated, place, stores, full_refresh, complete })
    }

    /// Whether it speaks of all rows of these stores; of all rows, if there are none.
    pub fn covers(&self, stores: &[u64]) -> bool {
        let all = |stores: &[u64]| stores.iter().all(|store| self.stores.contains(store));
        self.stores.is_empty() || (!stores.is_empty() && all(stores))
    }
}

/// The state that everything of these stores that was changed before `updated` is written; `place`, while a pass is under way.
pub fn incremental(updated: DateTime<Utc>, stores: &[u64], place: Option<&ResumePoint>) -> Value {
    let mut state = json!({UPDATED_FIELD: timestamp::write(updated)});
    if !stores.is_empty() {
        state[STORES] = stores.into();
    }
    if let Some(ResumePoint { after, until, newest }) = place {
        state[WALK] = json!({"after": after, "until": timestamp::write(*until)});
        if let Some(newest) = newest {
            state[WALK]["newest"] = timestamp::write(*newest).into();
        }
    }
    state
}

/// The state of a full refresh that is under way.
pub fn full_refresh(updated: DateTime<Utc>, stores: &[u64], place: Option<&ResumePoint>) -> Value {
    let mut state = incremental(updated, stores, place);
    state[FULL_REFRESH] = true.into();
    state
}

/// A full refresh of these stores is complete.
pub fn complete(stores: &[u64]) -> Value {
    let mut state = json!({FULL_REFRESH_COMPLETE: true});
    if !stores.is_empty() {
        state[STORES] = stores.into();
    }
    state
}

/// There is nothing to resume from.
pub fn without_cursor() -> Value {
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
        let place =
            ResumePoint { after: "0x7".into(), until: at("2025-12-01T00:00:00Z"), newest: Some(updated) };
        for place in [None, Some(place.clone()), Some(ResumePoint { newest: None, ..place })] {
            let state = incremental(updated, &[3, 7], place.as_ref());
            let expected = Saved {
                updated: Some(updated),
                place: place.clone(),
                stores: vec![3, 7],
                full_refresh: false,
                complete: false,
            };
            assert!(expected.covers(&[7]) && !expected.covers(&[7, 8]) && !expected.covers(&[]));
            assert_eq!(Saved::parse(&SESSIONS, &state).unwrap(), expected);
            let full = Saved::parse(&SESSIONS, &full_refresh(updated, &[3, 7], place.as_ref())).unwrap();
            assert_eq!(full, Saved { full_refresh: true, ..expected });
        }
        assert!(Saved::parse(&SESSIONS, &complete(&[])).unwrap().complete);
        assert!(Saved::parse(&SESSIONS, &without_cursor()).unwrap().full_refresh);
    }

    #[test]
    fn a_walk_that_cannot_be_read_is_begun_anew() {
        for walk in [json!(3), json!({"after": 7, "until": "2025-12-01T00:00:00Z"}), json!({"after": "7"})] {
            let state = json!({"updatedAt": "2025-11-05T00:00:00Z", "walk": walk});
            assert_eq!(Saved::parse(&SESSIONS, &state).unwrap().place, None);
        }
        let walk = json!({"after": "7", "until": "2025-12-01T00:00:00Z"});
        let state = json!({"updatedAt": "2025-11-05T00:00:00Z", "walk": walk});
        assert!(Saved::parse(&SESSIONS, &state).unwrap().place.is_some());
        assert_eq!(Saved::parse(&CONTESTS, &state).unwrap().place, None, "pages are not places");
    }

    #[test]
    fn a_state_of_another_shape_is_refused_with_an_example() {
        for state in [json!({"draftCreatedAt": "2025-11-05T00:00:00Z"}), json!({"updatedAt": 3}), json!([])] {
            let failure = Saved::parse(&SESSIONS, &state).unwrap_err();
            assert_eq!(failure.kind, FailureKind::State);
            assert!(
                failure.message.contains("2025-11-01T00:00:00.000Z") && failure.message.contains("sessions")
            );
        }
    }
}
