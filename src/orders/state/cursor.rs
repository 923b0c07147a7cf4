//! What a state says, and what is read because of it. Pure.
//!
//! `{"draftCreatedAt": T, "updatedAt": U}` says: every order drafted before T has been written, as it was at U or
//! later. Both are low-water marks, so resuming there, inclusive, repeats little and skips nothing. `window` holds
//! digests of what was written of the last days, see [`super::window`], and `recent` of what had just changed, see
//! `super::recent`. `sweep`, while one is under way, says of the
//! orders drafted before its own T that they are as they were at its own U.
//!
//! `partitions` names the partitions (stores, roles) of which this is said; a state without it speaks of all that are
//! configured. One that is added later is not among them, and is read as a whole. `unseen` names those of which it is not
//! said yet: they are being read as a whole, or they showed no order, which proves nothing.
//!
//! A full refresh that was cut off is resumed too, but only from a state that a full refresh wrote: it is marked. An
//! incremental state under a full refresh is not a place to resume from; the whole is read.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::failure::{Failure, FailureKind};
use crate::orders::CURSOR_FIELD;
use crate::orders::api::query::Selection;
use crate::orders::state::lagging::LaggingDetails;
use crate::orders::state::listing::Listing;
use crate::orders::state::window::Window;
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::SyncMode;
use crate::protocol::generation::{FULL_REFRESH, FULL_REFRESH_COMPLETE};
use crate::timestamp;

/// The field of an order, and of the state, that says when it was changed last.
pub const UPDATED_FIELD: &str = "updatedAt";
/// Where the state keeps digests of records that have just changed.
const RECENT: &str = "recent";
/// Where the state says how far a sweep is that was cut off.
const SWEEP: &str = "sweep";
/// Where the state keeps digests of records without a draft date.
const UNDATED: &str = "undated";
/// Where the state names the selections that showed no order.
const UNSEEN: &str = "unseen";
/// Where the state names the partitions that it speaks of.
const PARTITIONS: &str = "partitions";
/// Where the state keeps its digests.
const WINDOW: &str = "window";

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Orders drafted before it
    pub(crate) before: DateTime<Utc>,
    /// are written as they were then or later.
    pub(crate) updated: DateTime<Utc>,
}

impl Swept {
    fn parse(value: &Value) -> Option<Self> {
        let time = |field: &str| value[field].as_str().and_then(timestamp::parse);
        Some(Self { before: time(CURSOR_FIELD)?, updated: time(UPDATED_FIELD)? })
    }

    fn write(self) -> Value {
        json!({CURSOR_FIELD: timestamp::write(self.before), UPDATED_FIELD: timestamp::write(self.updated)})
    }
}

/// What a state says.
#[derive(Clone, Debug, Default)]
pub struct Said<'a> {
    /// Everything drafted before it is written.
    pub position: DateTime<Utc>,
    /// As it was then or later.
    pub updated: Option<DateTime<Utc>>,
    /// See [`Swept`].
    pub swept: Option<Swept>,
    /// Digests of records that have just changed.
    pub recent: Option<Value>,
    /// Digests of the last days.
    pub window: Option<Value>,
    /// Digests of records without a draft date.
    pub undated: Option<Value>,
    /// Partitions of which something is said; empty for all orders.
    pub partitions: &'a [String],
    /// Those of them of which nothing is said yet.
    pub unseen: &'a [String],
    /// Everything is written.
    pub complete: bool,
}

/// The state without the digests of what had just changed, and of the spans that hold these orders: where they are read again,
/// they are written again.
pub(crate) fn without_digests(mut state: Value, late: &LaggingDetails) -> Value {
    if let Some(fields) = state.as_object_mut() {
        // The other fields stay in their order.
        fields.shift_remove(RECENT);
        fields.shift_remove(UNDATED);
        if let Some(window) = fields.get_mut(WINDOW) {
            Window::doubt(window, late);
        }
    }
    state
}

/// What `next` will say, of the orders drafted before `at` only, after `last_state` was said. None, where that is not more than
/// `last_state` says. What had just changed is what `last_state` knows of it: a change that was written since is written again.
pub fn partly(next: &Value, last_state: &Value, at: DateTime<Utc>) -> Option<Value> {
    let position = |state: &Value| state[CURSOR_FIELD].as_str().and_then(timestamp::parse);
    if at >= position(next)? || position(last_state).is_some_and(|last_state| at <= last_state) {
        return None;
    }
    let mut state = next.clone();
    let fields = state.as_object_mut()?;
    fields.insert(CURSOR_FIELD.to_owned(), timestamp::write(at).into());
    match last_state.get(RECENT) {
        Some(recent) => fields.insert(RECENT.to_owned(), recent.clone()),
        None => fields.shift_remove(RECENT),
    };
    if let Some(window) = fields.get_mut(WINDOW) {
        Window::cut(window, at);
    }
    if fields.shift_remove(FULL_REFRESH_COMPLETE).is_some() {
        fields.insert(FULL_REFRESH.to_owned(), true.into());
    }
    Some(state)
}

/// A saved state of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Everything drafted before it is written.
    pub(crate) at: DateTime<Utc>,
    /// None in a state that was written before changes were followed.
    pub(crate) updated: Option<DateTime<Utc>>,
    pub(crate) window: Value,
    pub(crate) recent: Value,
    pub(crate) undated: Value,
    /// How far a sweep was that was cut off.
    pub(crate) swept: Option<Swept>,
    /// The partitions that it speaks of; empty for all.
    pub(crate) partitions: Vec<String>,
    /// Those of them of which it says nothing yet.
    pub(crate) unseen: Vec<String>,
    /// It was written by a full refresh,
    pub(crate) full_refresh: bool,
    /// which is complete.
    pub(crate) complete: bool,
}

impl Saved {
    /// Reads the state of `stream`, whose cursor has the name `field`. Keys that are not ours are left alone.
    pub fn parse(state: &Value, stream: &str, field: &str) -> Result<Self, Failure> {
        let at = state[field].as_str().and_then(timestamp::parse).ok_or_else(|| {
            Failure::new(
                FailureKind::State,
                format!("The saved state of the stream {stream} has no \"{field}\" that is a date and time, like {{\"{field}\": \"2025-11-01T00:00:00.000Z\"}}. Correct it, or clear the stream's data to start from the beginning."),
            )
        })?;
        let updated = match &state[UPDATED_FIELD] {
            Value::Null => None,
            value => Some(value.as_str().and_then(timestamp::parse).ok_or_else(|| {
                Failure::new(
                    FailureKind::State,
                    format!("The saved state of the stream {stream} has an \"{UPDATED_FIELD}\" that is not a date and time. Correct it, or take it out: then changes are followed from \"{field}\" on."),
                )
            })?),
        };
        let marked = |name: &str| state[name] == true;
        Ok(Self {
            at,
            updated,
            window: state[WINDOW].clone(),
            recent: state[RECENT].clone(),
            undated: state[UNDATED].clone(),
            swept: Swept::parse(&state[SWEEP]),
            partitions: names(&state[PARTITIONS]),
            unseen: names(&state[UNSEEN]),
            full_refresh: marked(FULL_REFRESH),
            complete: marked(FULL_REFRESH_COMPLETE),
        })
    }

    /// Whether a partition is one of those that it speaks of, or a part of one.
    pub fn covers(&self, partition: &Selection) -> bool {
        self.partitions.is_empty() || is_part_of_one(partition, &self.partitions)
    }

    /// Whether it says nothing of a partition yet.
    pub fn is_unseen(&self, partition: &Selection) -> bool {
        is_part_of_one(partition, &self.unseen)
    }

    /// Its window, in the order of these partitions: others may have been configured when it was written.
    pub(crate) fn window_of(&self, partitions: &[String]) -> Value {
        let mut window = self.window.clone();
        if self.partitions == partitions {
            return window;
        }
        // What is listed of other partitions says nothing of these.
        Listing::forget(&mut window);
        if let Some(digests) = window["digests"].as_array_mut().filter(|_| !self.partitions.is_empty()) {
            let place = |name: &String| self.partitions.iter().position(|partition| partition == name);
            let of =
                |name| place(name).and_then(|place| digests.get(place).cloned()).unwrap_or_else(|| "".into());
            *digests = partitions.iter().map(of).collect();
        }
        window
    }

    /// Whether a sync in this mode resumes from it.
    pub fn counts(&self, mode: SyncMode, start_date: DateTime<Utc>) -> bool {
        match mode {
            // A state that a first sync repeated before it had read anything says nothing.
            SyncMode::Incremental => self.updated.is_some() || self.at > start_date,
            SyncMode::FullRefresh => self.full_refresh || self.complete,
        }
    }
}

fn is_part_of_one(partition: &Selection, names: &[String]) -> bool {
    names.iter().filter_map(|name| Selection::named(name)).any(|one| one.covers(partition))
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Where a sync of the stream stands: what is left to read, and how its states are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    mode: SyncMode,
    /// Everything before it is written.
    start: DateTime<Utc>,
    /// What it resumes from.
    resumed: Option<Saved>,
}

impl Cursor {
    /// Where to begin: at the start date, or where the saved state ends.
    pub fn new(mode: SyncMode, start_date: DateTime<Utc>, saved: Option<Saved>) -> Self {
        let resumed = saved.filter(|saved| saved.counts(mode, start_date));
        let start = resumed.as_ref().map_or(start_date, |saved| saved.at.max(start_date));
        Self { mode, start, resumed }
    }

    /// Where the sync begins.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// What it resumes from; none, where it begins anew.
    pub fn resumed(&self) -> Option<&Saved> {
        self.resumed.as_ref()
    }

    /// How the stream is read.
    pub fn mode(&self) -> SyncMode {
        self.mode
    }

    /// Whether a full refresh is complete already, so that nothing is left.
    pub fn is_complete(&self) -> bool {
        self.mode == SyncMode::FullRefresh && self.resumed.as_ref().is_some_and(|saved| saved.complete)
    }

    /// The state that says it. Its position is never before the start, so a state from the future is kept as it is.
    pub fn state(&self, said: Said<'_>) -> Value {
        let mut state = json!({CURSOR_FIELD: timestamp::write(said.position.max(self.start))});
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                state[key] = value;
            }
        };
        if self.mode == SyncMode::Incremental {
            set(UPDATED_FIELD, said.updated.map(|updated| timestamp::write(updated).into()));
            set(SWEEP, said.swept.map(Swept::write));
            set(RECENT, said.recent);
            set(WINDOW, said.window);
            set(UNDATED, said.undated);
        } else {
            set(if said.complete { FULL_REFRESH_COMPLETE } else { FULL_REFRESH }, Some(true.into()));
        }
        set(PARTITIONS, (!said.partitions.is_empty()).then(|| said.partitions.into()));
        set(UNSEEN, (!said.unseen.is_empty()).then(|| said.unseen.into()));
        state
    }
}

impl OrderStream {
    /// Reads a saved state of it.
    pub fn saved(self, state: &Value) -> Result<Saved, Failure> {
        Saved::parse(state, self.name(), self.cursor_field())
    }

    /// A state of the sync in its words: the cursor has the name of its own cursor field.
    pub fn spell(self, state: &Value) -> Value {
        let fields = state.as_object().into_iter().flatten();
        let name =
            |name: &String| if name == CURSOR_FIELD { self.cursor_field().to_owned() } else { name.clone() };
        Value::Object(fields.map(|(field, value)| (name(field), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::streams::OrderStream;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    fn saved(state: &Value) -> Option<Saved> {
        Some(OrderStream::Orders.saved(state).unwrap())
    }

    const START: &str = "2025-11-01T00:00:00Z";
    const END: &str = "2025-12-01T00:00:00Z";

    #[test]
    fn an_incremental_sync_goes_on_where_the_state_ends() {
        let state = json!({CURSOR_FIELD: "2025-11-05T00:00:00.000Z", UPDATED_FIELD: "2025-11-04T00:00:00.000Z", "other": 1});
        let cursor = Cursor::new(SyncMode::Incremental, at(START), saved(&state));
        assert_eq!(cursor.start(), at("2025-11-05T00:00:00Z"));
        assert_eq!(cursor.resumed().unwrap().updated, Some(at("2025-11-04T00:00:00Z")));
        assert_eq!(
            cursor.state(Said { position: at(END), updated: Some(at(END)), ..Said::default() }),
            json!({CURSOR_FIELD: "2025-12-01T00:00:00.000Z", UPDATED_FIELD: "2025-12-01T00:00:00.000Z"})
        );
    }

    #[test]
    fn how_far_a_sweep_is_stands_in_the_state_and_is_read_back() {
        let swept = Swept { before: at(START), updated: at(END) };
        let cursor = Cursor::new(SyncMode::Incremental, at(START), None);
        let names = ["storeId=2".to_owned()];
        let said = Said {
            position: at(END),
            updated: Some(at(START)),
            swept: Some(swept),
            unseen: &names,
            ..Said::default()
        };
        let read = OrderStream::Orders.saved(&cursor.state(said)).unwrap();
        assert_eq!((read.swept, read.unseen.as_slice()), (Some(swept), &names[..]));
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
        assert_eq!(cursor.state(Said { position: at(END), ..Said::default() }), state);
    }

    #[test]
    fn a_full_refresh_goes_on_only_from_a_state_of_its_own() {
        let begin = |state: &Value| Cursor::new(SyncMode::FullRefresh, at(START), saved(state));
        let incremental = json!({CURSOR_FIELD: "2025-11-05T00:00:00.000Z"});
        assert_eq!(begin(&incremental).start(), at(START));
        let cursor = Cursor::new(SyncMode::FullRefresh, at(START), None);
        let middle = at("2025-11-05T00:00:00Z");
        let said = |complete| Said { position: middle, complete, ..Said::default() };
        let cut = begin(&cursor.state(said(false)));
        assert_eq!((cut.start(), cut.is_complete()), (middle, false));
        assert!(begin(&cursor.state(said(true))).is_complete());
    }

    #[test]
    fn a_part_of_a_state_has_its_own_position() {
        let next = json!({CURSOR_FIELD: END, UPDATED_FIELD: END, RECENT: "new"});
        let last_state = json!({CURSOR_FIELD: START, RECENT: "old"});
        let (middle, written) = (at("2025-11-05T00:00:00.1239Z"), "2025-11-05T00:00:00.123Z");
        let said = json!({CURSOR_FIELD: written, UPDATED_FIELD: END, RECENT: "old"});
        assert_eq!(partly(&next, &last_state, middle), Some(said));
        assert_eq!(partly(&next, &last_state, at(START)), None, "the position does not go back");
        assert_eq!(partly(&next, &last_state, at(END)), None);
        let next = json!({CURSOR_FIELD: END, FULL_REFRESH_COMPLETE: true});
        let said = json!({CURSOR_FIELD: written, FULL_REFRESH: true});
        assert_eq!(partly(&next, &Value::Null, middle), Some(said));
    }

    #[test]
    fn a_state_of_another_shape_is_refused_with_an_example() {
        for state in [
            json!({"updatedAt": "2025-11-05T00:00:00Z"}),
            json!({CURSOR_FIELD: 3}),
            json!([]),
            json!({CURSOR_FIELD: "x"}),
        ] {
            let failure = OrderStream::Orders.saved(&state).unwrap_err();
            assert_eq!(failure.kind, FailureKind::State);
            assert!(failure.message.contains("2025-11-01T00:00:00.000Z"));
        }
        let state = json!({CURSOR_FIELD: "2025-11-05T00:00:00Z", UPDATED_FIELD: "soon"});
        assert!(OrderStream::Orders.saved(&state).unwrap_err().message.contains("take it out"));
    }

    #[test]
    fn a_state_is_read_in_the_words_it_is_spelt_in() {
        let state = json!({"draftCreatedAt": "2025-11-05T00:00:00.000Z", "updatedAt": "2025-11-06T00:00:00.000Z",
            "sweep": {"draftCreatedAt": "2025-11-04T00:00:00.000Z", "updatedAt": "2025-11-06T00:00:00.000Z"}});
        let saved = OrderStream::ALL.map(|stream| stream.saved(&stream.spell(&state)).unwrap());
        assert!(saved.iter().all(|one| *one == saved[0]));
        let spelt = OrderStream::LineItems.spell(&state);
        assert_eq!(spelt["orderDraftCreatedAt"], "2025-11-05T00:00:00.000Z");
        assert!(OrderStream::Orders.saved(&spelt).unwrap_err().message.contains("draftCreatedAt"));
    }
}
