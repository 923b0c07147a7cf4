//! What a state says of other orders than those that its position speaks of. Pure.
//!
//! The configuration of a stream may change between two syncs. What earlier ones have read is not forgotten then:
//!
//! - *A partition that was removed* is kept as a part, with the position that it had. If it is added again, it is read from
//!   there.
//! - *A start date that was moved to an earlier day* makes a part of what lies between the two: it has an end (`until`).
//!
//! A part says the same as a state, of its own partitions and from its own start date. One that is due has a reading of its own,
//! after that of the state. When it has come as far as the state, the state takes it in, and the part is gone.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::config::Config;
use crate::orders::api::query::Selection;
use crate::orders::state::digests::Digests;
use crate::orders::state::stream_state::{self, Part, StreamState};
use crate::orders::streams::OrderStream;
use crate::timestamp;

/// Where a part says where it ends.
const UNTIL: &str = "until";
/// Where a part says when it first showed no order.
const EMPTY_SINCE: &str = "emptySince";

impl Part {
    /// A part of everything that these partitions have from `start_date` until `until`, of which nothing is read.
    pub(super) fn before(until: DateTime<Utc>, start_date: DateTime<Utc>, partitions: Vec<String>) -> Self {
        let state = StreamState {
            position: start_date,
            partitions,
            start_date: Some(start_date),
            ..StreamState::default()
        };
        Self { state, until: Some(until), empty_since: None }
    }

    /// Reads the parts of a saved state; those that cannot be read are passed over.
    pub(super) fn parse_all(value: &Value, stream: OrderStream) -> Vec<Self> {
        let part = |value: &Value| {
            let mut state = StreamState::parse(value, stream).ok()?;
            state.parts = Vec::new();
            let time = |field: &str| stream_state::time(&value[field]);
            Some(Self { state, until: time(UNTIL), empty_since: time(EMPTY_SINCE) })
        };
        value.as_array().into_iter().flatten().filter_map(part).collect()
    }

    pub(super) fn write(&self, stream: OrderStream) -> Value {
        let mut value = self.state.write(stream);
        for (field, time) in [(UNTIL, self.until), (EMPTY_SINCE, self.empty_since)] {
            if let Some(time) = time {
                value[field] = timestamp::write(time).into();
            }
        }
        value
    }

    /// What a state says of its partitions, which are not configured any more. None where it says nothing of them.
    pub(super) fn removed(state: &StreamState) -> Option<Self> {
        let is_seen = |name: &&String| !state.unseen.contains(name);
        let seen: Vec<String> = state.partitions.iter().filter(is_seen).cloned().collect();
        // States of version 0.3.0 and before named no partitions, whatever was configured. They have no start date either.
        let all = state.partitions.is_empty() && state.unseen.is_empty() && state.start_date.is_some();
        let undated = Digests::default();
        (all || !seen.is_empty()).then(|| Self {
            state: StreamState { undated, unseen: Vec::new(), ..state.of_partitions(seen) },
            until: None,
            empty_since: None,
        })
    }

    /// What two parts of the same say; none where they are of something else.
    pub(super) fn in_common(one: &Self, other: &Self) -> Option<Self> {
        let about = |part: &Self| (part.until, part.state.start_date, part.state.partitions.clone());
        if about(one) != about(other) {
            return None;
        }
        let is_unseen = |name: &&String| one.state.unseen.contains(name) || other.state.unseen.contains(name);
        let first = if one.state.position <= other.state.position { one } else { other };
        let state = one.state.in_common(&other.state).unwrap_or_else(|| StreamState {
            updated: one.state.updated_or_position().min(other.state.updated_or_position()).into(),
            swept: None,
            filtered: one.state.filtered.in_common(other.state.filtered),
            window: None,
            recent: Digests::default(),
            undated: Digests::default(),
            unseen: one.state.partitions.iter().filter(is_unseen).cloned().collect(),
            ..first.state.clone()
        });
        Some(Self { state, until: one.until, empty_since: one.empty_since.min(other.empty_since) })
    }
}

/// The partitions and the drafts that one reading is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The partitions; one for all orders, if none are configured.
    pub(crate) partitions: Vec<Selection>,
    /// Orders drafted at or after it,
    pub(crate) start_date: DateTime<Utc>,
    /// and before it.
    pub(crate) end_date: Option<DateTime<Utc>>,
}

impl Scope {
    /// What a configuration asks for.
    pub(crate) fn of(config: &Config) -> Self {
        let partitions = Selection::all_of(&config.store_ids, &config.customer_roles);
        Self { partitions, start_date: config.start_date, end_date: config.end_date }
    }

    /// The names of the partitions, as a state has them: none for all orders.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.partitions)
    }

    /// That of a part of it.
    pub(super) fn of_part(&self, part: &Part) -> Self {
        let named: Vec<Selection> =
            part.state.partitions.iter().filter_map(|name| Selection::named(name)).collect();
        Self {
            partitions: if named.is_empty() { vec![Selection::default()] } else { named },
            start_date: part.state.start_date.unwrap_or(self.start_date).max(self.start_date),
            end_date: part.until.into_iter().chain(self.end_date).min(),
        }
    }
}

/// The names of partitions, as a state has them: none for all orders.
fn names(partitions: &[Selection]) -> Vec<String> {
    if partitions == [Selection::default()] {
        return Vec::new();
    }
    partitions.iter().map(Selection::to_string).collect()
}
