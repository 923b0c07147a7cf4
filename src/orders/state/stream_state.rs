//! What a state of a stream of orders says: one type, for reading and writing. Pure.
//!
//! `{"draftCreatedAt": T, "updatedAt": U}` says: every order drafted before T has been written, as it was at U or
//! later. Both are low-water marks, so resuming there, inclusive, repeats little and skips nothing.
//!
//! Of other partitions, or of drafts from before the start date that it speaks from, a state says something in its
//! [parts](super::parts).

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Value, json};

use crate::failure::{Failure, FailureKind};
use crate::orders::CURSOR_FIELD;
use crate::orders::api::query::Selection;
use crate::orders::state::digests::Digests;
use crate::orders::state::lagging::LaggingDetails;
use crate::orders::state::saved_window::SavedWindow;
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::SyncMode;
use crate::protocol::generation::Writer;
use crate::protocol::start_date::START_DATE;
use crate::timestamp;

/// The field of an order, and of the state, that says when it was changed last.
pub(crate) const UPDATED_FIELD: &str = "updatedAt";
/// Where the state keeps digests of records that have just changed.
const RECENT: &str = "recent";
/// Where the state says how far a sweep is that was cut off.
const SWEEP: &str = "sweep";
/// Where the state says what the last sweep showed of the filter by update time.
const FILTERED: &str = "filtered";
/// Where the state keeps digests of records without a draft date.
const UNDATED: &str = "undated";
/// Where the state names the partitions that showed no order.
const UNSEEN: &str = "unseen";
/// Where the state names the partitions that it speaks of.
const PARTITIONS: &str = "partitions";
/// Where the state keeps its digests.
const WINDOW: &str = "window";
/// Where the state says what it knows besides.
const PARTS: &str = "parts";

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Orders drafted before it
    pub(crate) before: DateTime<Utc>,
    /// are written as they were then or later.
    pub(crate) updated: DateTime<Utc>,
}

impl Swept {
    fn parse(value: &Value) -> Option<Self> {
        Some(Self { before: time(&value[CURSOR_FIELD])?, updated: time(&value[UPDATED_FIELD])? })
    }

    fn write(self) -> Value {
        json!({CURSOR_FIELD: timestamp::write(self.before), UPDATED_FIELD: timestamp::write(self.updated)})
    }
}

/// What the last sweep showed of the filter by update time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FilterProof {
    /// Nothing: it is not known whether the API filters.
    #[default]
    None,
    /// It left out an order of its slice that had not changed: the API filters.
    Proven,
    /// It was made because the one before it had proved the filter, and the API did not filter: what changed after
    /// [`StreamState::updated`] was not looked for.
    Contradicted,
}

impl FilterProof {
    fn parse(value: &Value) -> Self {
        match value.as_bool() {
            None => Self::None,
            Some(true) => Self::Proven,
            Some(false) => Self::Contradicted,
        }
    }

    fn write(self) -> Option<Value> {
        (self != Self::None).then(|| (self == Self::Proven).into())
    }

    /// What two states say together. Each speaks of the same API, so what one has shown holds for both.
    pub(crate) fn in_common(self, other: Self) -> Self {
        match (self, other) {
            (Self::Contradicted, _) | (_, Self::Contradicted) => Self::Contradicted,
            (Self::Proven, _) | (_, Self::Proven) => Self::Proven,
            (Self::None, Self::None) => Self::None,
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamState {
    /// Every order drafted before it is written.
    pub position: DateTime<Utc>,
    /// As it was then or later. None in a state from before changes were followed, and in those of a full refresh.
    pub updated: Option<DateTime<Utc>>,
    /// How far the sweep is that was cut off: see [`Swept`].
    pub swept: Option<Swept>,
    /// See [`FilterProof`].
    pub filtered: FilterProof,
    /// Digests of records that have just changed.
    pub recent: Digests,
    /// Digests of the last days.
    pub window: Option<SavedWindow>,
    /// Digests of records without a draft date.
    pub undated: Digests,
    /// The partitions of which it says this; empty for all orders.
    pub partitions: Vec<String>,
    /// Those of them of which it says nothing yet: they are being read as a whole, or showed no order, which proves nothing.
    pub unseen: Vec<String>,
    /// What it says besides.
    pub parts: Vec<Part>,
    /// It speaks of what was drafted at or after it. None in states of version 0.3.0 and before.
    pub start_date: Option<DateTime<Utc>>,
    /// Which kind of sync wrote it.
    pub writer: Writer,
}

/// What a state says of other orders than those that its position speaks of: see [`parts`](super::parts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// What it says. It has no parts itself.
    pub(crate) state: StreamState,
    /// It speaks of what was drafted before it. None for a partition that was removed.
    pub(crate) until: Option<DateTime<Utc>>,
    /// Some of its partitions showed no order when they were read, first at this time.
    pub(crate) empty_since: Option<DateTime<Utc>>,
}

impl StreamState {
    /// Reads a saved state of `stream`. Keys that are not ours are left alone.
    ///
    /// # Errors
    ///
    /// [`FailureKind::State`], where it has no position, or a time of changes that is none.
    pub(crate) fn parse(state: &Value, stream: OrderStream) -> Result<Self, Failure> {
        let (name, field) = (stream.name(), stream.cursor_field());
        let position = time(&state[field]).ok_or_else(|| {
            Failure::new(
                FailureKind::State,
                format!("The saved state of the stream {name} has no \"{field}\" that is a date and time, like {{\"{field}\": \"2025-11-01T00:00:00.000Z\"}}. Correct it, or clear the stream's data to start from the beginning."),
            )
        })?;
        let updated = match &state[UPDATED_FIELD] {
            Value::Null => None,
            value => Some(time(value).ok_or_else(|| {
                Failure::new(
                    FailureKind::State,
                    format!("The saved state of the stream {name} has an \"{UPDATED_FIELD}\" that is not a date and time. Correct it, or take it out: then changes are followed from \"{field}\" on."),
                )
            })?),
        };
        Ok(Self {
            position,
            updated,
            swept: Swept::parse(&state[SWEEP]),
            filtered: FilterProof::parse(&state[FILTERED]),
            recent: Digests::parse(&state[RECENT]),
            window: SavedWindow::parse(&state[WINDOW]),
            undated: Digests::parse(&state[UNDATED]),
            partitions: names(&state[PARTITIONS]),
            unseen: names(&state[UNSEEN]),
            parts: Part::parse_all(&state[PARTS], stream),
            start_date: time(&state[START_DATE]),
            writer: Writer::of(state),
        })
    }

    /// As `stream` says it: the position has the name of its cursor.
    pub(crate) fn write(&self, stream: OrderStream) -> Value {
        let mut state = json!({stream.cursor_field(): timestamp::write(self.position)});
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                state[key] = value;
            }
        };
        let at = |time: Option<DateTime<Utc>>| time.map(|time| timestamp::write(time).into());
        let named = |names: &[String]| (!names.is_empty()).then(|| names.into());
        set(UPDATED_FIELD, at(self.updated));
        set(SWEEP, self.swept.map(Swept::write));
        set(FILTERED, self.filtered.write());
        set(RECENT, self.recent.write());
        set(WINDOW, self.window.as_ref().map(SavedWindow::write));
        set(UNDATED, self.undated.write());
        if let Some(mark) = self.writer.mark() {
            set(mark, Some(true.into()));
        }
        set(PARTITIONS, named(&self.partitions));
        set(UNSEEN, named(&self.unseen));
        let parts = || self.parts.iter().map(|part| part.write(stream)).collect();
        set(PARTS, (!self.parts.is_empty()).then(parts));
        set(START_DATE, at(self.start_date));
        state
    }

    /// As it was at which time every order is written, at least: from before changes were followed, at the position.
    pub(super) fn updated_or_position(&self) -> DateTime<Utc> {
        self.updated.unwrap_or(self.position)
    }

    /// What two states of the same partitions say; none where they end at different places.
    pub(super) fn in_common(&self, other: &Self) -> Option<Self> {
        let place = |state: &Self| (state.position, state.writer, state.start_date);
        if place(self) != place(other) || self.unseen != other.unseen || self.partitions != other.partitions {
            return None;
        }
        let windows = self.window.as_ref().zip(other.window.as_ref());
        let parts = self
            .parts
            .iter()
            .filter_map(|part| other.parts.iter().find_map(|other| Part::in_common(part, other)));
        Some(Self {
            // Of the one whose changes were followed less far, nothing may be passed over.
            updated: self
                .updated
                .or(other.updated)
                .map(|_| self.updated_or_position().min(other.updated_or_position())),
            window: windows.and_then(|(one, other)| SavedWindow::in_common(one, other)),
            recent: self.recent.in_common(&other.recent),
            undated: self.undated.in_common(&other.undated),
            swept: self.swept.filter(|swept| other.swept == Some(*swept)),
            filtered: self.filtered.in_common(other.filtered),
            parts: parts.collect(),
            ..self.clone()
        })
    }

    /// Whether a sync in this mode resumes from it.
    pub(crate) fn counts(&self, mode: SyncMode, start_date: DateTime<Utc>) -> bool {
        match mode {
            // A state that a first sync repeated before it had read anything says nothing.
            SyncMode::Incremental => self.updated.is_some() || self.position > start_date,
            SyncMode::FullRefresh => self.writer != Writer::Incremental,
        }
    }

    /// Whether a partition is one of those that it speaks of, or a part of one.
    pub(crate) fn covers(&self, partition: &Selection) -> bool {
        self.partitions.is_empty() || is_part_of_one(partition, &self.partitions)
    }

    /// Whether it says nothing of a partition yet.
    pub(crate) fn is_unseen(&self, partition: &Selection) -> bool {
        is_part_of_one(partition, &self.unseen)
    }

    /// What it says of these partitions, of which it speaks.
    pub(super) fn of_partitions(&self, partitions: Vec<String>) -> Self {
        if self.partitions == partitions {
            return self.clone();
        }
        // Of a part of one of its partitions it has no digests.
        let window = self.window_of(&partitions).filter(|window| window.digests.len() == partitions.len());
        let is_unseen = |name: &&String| Selection::named(name).is_some_and(|one| self.is_unseen(&one));
        let unseen = partitions.iter().filter(is_unseen).cloned().collect();
        Self { window, partitions, unseen, ..self.clone() }
    }

    /// Its window, in the order of these partitions: others may have been configured when it was written.
    pub(crate) fn window_of(&self, partitions: &[String]) -> Option<SavedWindow> {
        Some(self.window.as_ref()?.of_partitions(&self.partitions, partitions))
    }

    /// The state without the digests of what had just changed, and of the spans that hold these orders: where they are read
    /// again, they are written again.
    pub(crate) fn without_digests(mut self, late: &LaggingDetails) -> Self {
        self.recent = Digests::default();
        self.undated = Digests::default();
        if let Some(window) = &mut self.window {
            window.doubt(late);
        }
        self
    }

    /// What it will say, of the orders drafted before `at` only, after `last_state` was said. None, where that is not more than
    /// `last_state` says. What had just changed is what `last_state` knows of it: a change that was written since is written
    /// again.
    pub(crate) fn partly(&self, last_state: &Self, at: DateTime<Utc>) -> Option<Self> {
        if at >= self.position || at <= last_state.position {
            return None;
        }
        let mut state = Self {
            position: at.trunc_subsecs(3),
            recent: last_state.recent.clone(),
            writer: match self.writer {
                Writer::Incremental => Writer::Incremental,
                Writer::FullRefresh | Writer::FullRefreshComplete => Writer::FullRefresh,
            },
            ..self.clone()
        };
        if let Some(window) = &mut state.window {
            window.cut(at);
        }
        Some(state)
    }
}

pub(super) fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str().and_then(timestamp::parse)
}

fn is_part_of_one(partition: &Selection, names: &[String]) -> bool {
    names.iter().filter_map(|name| Selection::named(name)).any(|one| one.covers(partition))
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    const START: &str = "2025-11-01T00:00:00Z";
    const END: &str = "2025-12-01T00:00:00Z";

    #[test]
    fn what_is_known_of_the_filter_is_read_back_and_holds_for_both() {
        use FilterProof::{Contradicted, None as Unknown, Proven};
        for filtered in [Unknown, Proven, Contradicted] {
            let state = StreamState { position: at(END), filtered, ..StreamState::default() };
            assert_eq!(
                StreamState::parse(&state.write(OrderStream::Orders), OrderStream::Orders).unwrap(),
                state
            );
            assert_eq!(filtered.in_common(filtered), filtered);
            assert_eq!(filtered.in_common(Contradicted), Contradicted);
        }
        assert_eq!((Proven.in_common(Unknown), Unknown.in_common(Proven)), (Proven, Proven));
    }

    #[test]
    fn a_part_of_a_state_has_its_own_position() {
        let (old, new) = (Digests([1].into()), Digests([2].into()));
        let next = StreamState {
            position: at(END),
            updated: Some(at(END)),
            recent: new,
            writer: Writer::FullRefreshComplete,
            ..StreamState::default()
        };
        let last_state = StreamState { position: at(START), recent: old.clone(), ..StreamState::default() };
        let middle = at("2025-11-05T00:00:00.1239Z");
        let said = StreamState {
            position: at("2025-11-05T00:00:00.123Z"),
            recent: old,
            writer: Writer::FullRefresh,
            ..next.clone()
        };
        assert_eq!(next.partly(&last_state, middle), Some(said));
        assert_eq!(next.partly(&last_state, at(START)), None, "the position does not go back");
        assert_eq!(next.partly(&last_state, at(END)), None);
    }

    #[test]
    fn a_state_of_another_shape_is_refused_with_an_example() {
        let parse = |state: &Value| StreamState::parse(state, OrderStream::Orders);
        for state in [
            json!({"updatedAt": "2025-11-05T00:00:00Z"}),
            json!({CURSOR_FIELD: 3}),
            json!([]),
            json!({CURSOR_FIELD: "x"}),
        ] {
            let failure = parse(&state).unwrap_err();
            assert_eq!(failure.kind, FailureKind::State);
            assert!(failure.message.contains("2025-11-01T00:00:00.000Z"));
        }
        let state = json!({CURSOR_FIELD: "2025-11-05T00:00:00Z", UPDATED_FIELD: "soon"});
        assert!(parse(&state).unwrap_err().message.contains("take it out"));
    }

    #[test]
    fn a_state_is_read_in_the_words_that_it_is_written_in() {
        let part = json!({"draftCreatedAt": "2025-11-03T00:00:00.000Z", "partitions": ["storeId=7"]});
        let window = json!({"readAt": "2025-11-05T00:00:00.000Z", "from": "2025-11-04T23:00:00.000Z", "hours": 1,
            "digests": ["00000000000000010000000000000002"], "form": 2, "inventory": {"from": "x"}, "looksAgain": true});
        let text = json!({"draftCreatedAt": "2025-11-05T00:00:00.000Z", "updatedAt": "2025-11-06T00:00:00.000Z",
            "sweep": {"draftCreatedAt": "2025-11-04T00:00:00.000Z", "updatedAt": "2025-11-06T00:00:00.000Z"},
            "recent": "0000000000000003", "window": window, "undated": "0000000000000004",
            "partitions": ["storeId=1", "storeId=2"], "unseen": ["storeId=2"], "parts": [part],
            "startDate": "2025-11-01T00:00:00.000Z"});
        let state = StreamState::parse(&text, OrderStream::Orders).unwrap();
        assert_eq!(state.write(OrderStream::Orders).to_string(), text.to_string());
        for stream in OrderStream::ALL {
            assert_eq!(StreamState::parse(&state.write(stream), stream).unwrap(), state);
        }
        let lines = state.write(OrderStream::LineItems);
        assert_eq!(lines["parts"][0]["orderDraftCreatedAt"], "2025-11-03T00:00:00.000Z");
        assert!(StreamState::parse(&lines, OrderStream::Orders).is_err());
    }
}
