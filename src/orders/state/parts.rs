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

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::config::Config;
use crate::orders::api::query::Selection;
use crate::orders::state::digests::Digests;
use crate::orders::state::saved_window::SavedWindow;
use crate::orders::state::stream_state::{self, StreamState};
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::SyncMode;
use crate::protocol::start_date;
use crate::timestamp;

/// Where a part says where it ends.
const UNTIL: &str = "until";
/// Where a part says when it first showed no order.
const EMPTY_SINCE: &str = "emptySince";

/// Most parts of a state. What goes beyond is forgotten, the one with the earliest position first: such a partition is read from
/// the start date, if it is ever added again.
const MOST: usize = 20;
/// Most digests of all parts of a state: 16 kB of text.
const MOST_DIGESTS: usize = 1_000;
/// A part that showed no order is read once more, this long after or later: an empty list proves nothing.
const EMPTY_AFTER: TimeDelta = TimeDelta::hours(1);

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it says. It has no parts itself.
    pub(crate) state: StreamState,
    /// It speaks of what was drafted before it. None for a partition that was removed.
    pub(crate) until: Option<DateTime<Utc>>,
    /// Some of its partitions showed no order when they were read, first at this time.
    pub(crate) empty_since: Option<DateTime<Utc>>,
}

impl Part {
    /// A part of everything that these partitions have from `start_date` until `until`, of which nothing is read.
    fn before(until: DateTime<Utc>, start_date: DateTime<Utc>, partitions: Vec<String>) -> Self {
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
    fn removed(state: &StreamState) -> Option<Self> {
        let is_seen = |name: &&String| !state.unseen.contains(name);
        let seen: Vec<String> = state.partitions.iter().filter(is_seen).cloned().collect();
        // States of version 0.3.0 and before named no partitions, whatever was configured. They have no start date either.
        let all = state.partitions.is_empty() && state.unseen.is_empty() && state.start_date.is_some();
        let undated = Digests::default();
        (all || !seen.is_empty()).then(|| Self {
            state: StreamState { undated, unseen: Vec::new(), ..restricted(state, seen) },
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
pub struct Scope {
    /// The partitions; one for all orders, if none are configured.
    pub(crate) partitions: Vec<Selection>,
    /// Orders drafted at or after it,
    pub(crate) start_date: DateTime<Utc>,
    /// and before it.
    pub(crate) end_date: Option<DateTime<Utc>>,
}

impl Scope {
    /// What a configuration asks for.
    pub fn of(config: &Config) -> Self {
        let partitions = Selection::all_of(&config.store_ids, &config.customer_roles);
        Self { partitions, start_date: config.start_date, end_date: config.end_date }
    }

    /// The names of the partitions, as a state has them: none for all orders.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.partitions)
    }

    /// That of a part of it.
    fn of_part(&self, part: &Part) -> Self {
        let named: Vec<Selection> =
            part.state.partitions.iter().filter_map(|name| Selection::named(name)).collect();
        Self {
            partitions: if named.is_empty() { vec![Selection::default()] } else { named },
            start_date: part.state.start_date.unwrap_or(self.start_date).max(self.start_date),
            end_date: part.until.into_iter().chain(self.end_date).min(),
        }
    }
}

/// The readings that a saved state needs, one after the other, and what is said meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings {
    /// What the state itself is about.
    scope: Scope,
    /// The part that is being read, and what the state says besides. None: the state itself is being read.
    present: Option<(Part, StreamState)>,
    /// The parts that are read after it.
    due: VecDeque<Part>,
    /// Those that are not read in this sync.
    kept: Vec<Part>,
}

/// What comes after a reading.
#[derive(Debug)]
pub(crate) struct Next {
    /// What can be said now.
    pub(crate) state: StreamState,
    /// What is read next, and the state that it resumes from.
    pub(crate) readings: Option<(Readings, StreamState)>,
}

impl Readings {
    /// The readings for what is in `scope`, and the state that the first of them resumes from.
    pub fn new(mut scope: Scope, mode: SyncMode, saved: Option<StreamState>) -> (Self, Option<StreamState>) {
        let (mut due, mut kept) = (Vec::new(), Vec::new());
        let saved = saved.map(|mut state| {
            let parts = std::mem::take(&mut state.parts);
            // A full refresh has one scope from its beginning to its end.
            if mode == SyncMode::Incremental {
                (state, due, kept) = divide(&scope, state, parts);
            }
            StreamState { start_date: Some(start_date::next(state.start_date, scope.start_date)), ..state }
        });
        let again =
            |one: &Selection| due.iter().any(|part: &Part| part.until.is_none() && part.state.covers(one));
        scope.partitions.retain(|one| !again(one));
        (Self { scope, present: None, due: due.into(), kept }, saved)
    }

    /// What the present reading is about.
    pub(crate) fn scope(&self) -> Scope {
        self.present.as_ref().map_or_else(|| self.scope.clone(), |(part, _)| self.scope.of_part(part))
    }

    /// The part that is being read; none where it is the state itself.
    pub(crate) fn part(&self) -> Option<&Part> {
        self.present.as_ref().map(|(part, _)| part)
    }

    /// What a state says, where the present reading says `state` of what it is about.
    pub(crate) fn compose(&self, state: StreamState) -> StreamState {
        debug_assert!(state.parts.is_empty(), "a reading says nothing of others");
        let others = self.due.iter().chain(&self.kept).cloned();
        match &self.present {
            Some((part, main)) => {
                // They are of no range of drafts, so the state itself has them.
                let undated = main.undated.joined(&state.undated);
                let state = StreamState { undated: Digests::default(), ..state };
                let present = Part { state, ..part.clone() };
                StreamState {
                    undated,
                    parts: std::iter::once(present).chain(others).collect(),
                    ..main.clone()
                }
            }
            None => StreamState { parts: others.collect(), ..state },
        }
    }

    /// The present reading is complete at `now`, and said `last`. `empty` says that some of its partitions showed no order.
    pub(crate) fn next(mut self, last: StreamState, empty: bool, now: DateTime<Utc>) -> Next {
        let main = match self.present.take() {
            None => last,
            Some((part, mut main)) => {
                main.undated = main.undated.joined(&last.undated);
                let empty_since = empty.then(|| part.empty_since.unwrap_or(now));
                let state = StreamState { undated: Digests::default(), ..last };
                let part = Part { state, empty_since, ..part };
                let joined = if self.kept.iter().any(|other| other.until.is_some()) {
                    // What lies before the start date was read of other partitions.
                    None
                } else {
                    joined(&main, &part, now)
                };
                joined.unwrap_or_else(|| {
                    self.kept.push(part);
                    main
                })
            }
        };
        match self.due.pop_front() {
            None => Next { state: self.compose(main), readings: None },
            Some(part) => {
                let saved = StreamState { undated: main.undated.clone(), ..part.state.clone() };
                self.present = Some((part, main));
                Next { state: self.compose(saved.clone()), readings: Some((self, saved)) }
            }
        }
    }
}

/// What of a saved state and its parts is read again, which parts are due, and which are kept.
fn divide(scope: &Scope, mut main: StreamState, parts: Vec<Part>) -> (StreamState, Vec<Part>, Vec<Part>) {
    let (mut fronts, mut removed): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| part.until.is_some());
    let covers_some = |state: &StreamState| scope.partitions.iter().any(|one| state.covers(one));
    let reaches_back = |state: &StreamState| state.start_date.is_none_or(|from| from <= scope.start_date);
    // It says nothing of what is configured, but a part does: that is what the state is about from now on.
    if !covers_some(&main)
        && let Some(place) = (0..removed.len())
            .filter(|place| covers_some(&removed[*place].state))
            .max_by_key(|place| removed[*place].state.position)
    {
        let before = std::mem::replace(&mut main, removed.remove(place).state);
        keep(&mut removed, Part::removed(&before));
        fronts.clear();
    }
    let configured = scope.names();
    if main.partitions != configured {
        let is_gone = |name: &&String| !configured.contains(name);
        let gone: Vec<String> = main.partitions.iter().filter(is_gone).cloned().collect();
        if main.partitions.is_empty() || !gone.is_empty() {
            keep(&mut removed, Part::removed(&restricted(&main, gone)));
        }
        let covered = scope.partitions.iter().filter(|one| main.covers(one));
        let covered: Vec<String> = covered.map(Selection::to_string).collect();
        main = if covered.is_empty() {
            // Of what is configured now, nothing is said yet.
            StreamState {
                unseen: scope.partitions.iter().map(Selection::to_string).collect(),
                partitions: configured,
                swept: None,
                window: None,
                recent: Digests::default(),
                ..main
            }
        } else {
            restricted(&main, covered)
        };
    }
    if scope.partitions.iter().all(|one| !main.covers(one) || main.is_unseen(one)) {
        // What says nothing may say it from any start date on, and has nothing before it to be read apart.
        fronts.clear();
        main.start_date = Some(scope.start_date);
    }
    let mut due = fronts_of(scope, &main, fronts);
    let mut again: Vec<(usize, Vec<String>)> = Vec::new();
    for one in scope.partitions.iter().filter(|one| !main.covers(one)) {
        let covering = (0..removed.len())
            .filter(|place| removed[*place].state.covers(one) && reaches_back(&removed[*place].state));
        let Some(place) = covering.max_by_key(|place| removed[*place].state.position) else { continue };
        match again.iter_mut().find(|(other, _)| *other == place) {
            Some((_, names)) => names.push(one.to_string()),
            None => again.push((place, vec![one.to_string()])),
        }
    }
    let readings = again.iter().map(|(place, names)| {
        let state = restricted(&removed[*place].state, names.clone());
        // What is drafted before a later start date is not read, so nothing may be said of it.
        let from = start_date::next(state.start_date, scope.start_date);
        Part { state: StreamState { start_date: Some(from), ..state }, ..removed[*place].clone() }
    });
    due.extend(readings.collect::<Vec<_>>());
    let names: Vec<String> = again.into_iter().flat_map(|(_, names)| names).collect();
    forget(&mut removed, &names);
    (main, due, bounded(removed))
}

/// Keeps a part. What others say of the same partitions is older.
fn keep(parts: &mut Vec<Part>, part: Option<Part>) {
    let Some(part) = part else { return };
    forget(parts, &part.state.partitions);
    parts.retain(|other| !part.state.partitions.is_empty() || !other.state.partitions.is_empty());
    parts.push(part);
}

/// Takes partitions out of the parts that name them.
fn forget(parts: &mut Vec<Part>, names: &[String]) {
    parts.retain_mut(|part| {
        let all = part.state.partitions.is_empty();
        if part.state.partitions.iter().any(|name| names.contains(name)) {
            let rest = part.state.partitions.iter().filter(|name| !names.contains(name)).cloned().collect();
            part.state = restricted(&part.state, rest);
        }
        all || !part.state.partitions.is_empty()
    });
}

/// The parts of what lies between the start date and the one that the state speaks from, the latest first.
fn fronts_of(scope: &Scope, main: &StreamState, mut saved: Vec<Part>) -> Vec<Part> {
    let seen = |name: &&String| !main.unseen.contains(name);
    let partitions: Vec<String> = main.partitions.iter().filter(seen).cloned().collect();
    let is_moved_back = main.start_date.is_some_and(|from| from > scope.start_date);
    let says_something = !partitions.is_empty() || (main.partitions.is_empty() && main.unseen.is_empty());
    let Some(mut lowest) = main.start_date.filter(|_| is_moved_back && says_something) else {
        return Vec::new();
    };
    let mut fronts = Vec::new();
    saved.sort_by_key(|front| std::cmp::Reverse(front.until));
    for front in saved {
        let all = front.state.partitions.is_empty();
        let covers = all
            || (!partitions.is_empty()
                && partitions.iter().all(|name| front.state.partitions.contains(name)));
        let Some(from) = front.state.start_date.filter(|_| covers && front.until == Some(lowest)) else {
            continue;
        };
        lowest = from.max(scope.start_date);
        let mut state = restricted(&front.state, partitions.clone());
        (state.start_date, state.position) = (Some(lowest), state.position.max(lowest));
        fronts.push(Part { state, ..front });
        if lowest == scope.start_date {
            return fronts;
        }
    }
    fronts.push(Part::before(lowest, scope.start_date, partitions));
    fronts
}

/// What a state says of these partitions, of which it speaks.
fn restricted(state: &StreamState, partitions: Vec<String>) -> StreamState {
    if state.partitions == partitions {
        return state.clone();
    }
    // Of a part of one of its partitions it has no digests.
    let window = state.window_of(&partitions).filter(|window| window.digests.len() == partitions.len());
    let is_unseen = |name: &&String| Selection::named(name).is_some_and(|one| state.is_unseen(&one));
    let unseen = partitions.iter().filter(is_unseen).cloned().collect();
    StreamState { window, partitions, unseen, ..state.clone() }
}

/// As many parts as a state has room for.
fn bounded(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by_key(|part| std::cmp::Reverse(part.state.position));
    parts.truncate(MOST);
    let mut digests = 0;
    for part in &mut parts {
        digests += part.state.recent.0.len();
        if digests > MOST_DIGESTS {
            part.state.recent = Digests::default();
        }
        digests += part.state.window.as_ref().map_or(0, SavedWindow::digests);
        if digests > MOST_DIGESTS {
            part.state.window = None;
        }
        if let Some(window) = &mut part.state.window {
            window.listing = None;
        }
    }
    parts
}

/// What the state says, once a part of it was read at `now`. None, where it cannot say that yet.
fn joined(main: &StreamState, part: &Part, now: DateTime<Utc>) -> Option<StreamState> {
    let other = &part.state;
    debug_assert!(
        !main.partitions.iter().any(|name| part.until.is_none() && other.partitions.contains(name)),
        "no partition is in two places"
    );
    let state = StreamState {
        updated: Some(main.updated_or_position().min(other.updated_or_position())),
        swept: None,
        filtered: main.filtered.in_common(other.filtered),
        recent: main.recent.joined(&other.recent),
        ..main.clone()
    };
    if let Some(until) = part.until {
        let is_empty = part.empty_since.is_some_and(|since| now < since + EMPTY_AFTER);
        // Where some orders were read, an empty list is not believed.
        let is_untouched = Some(other.position) <= other.start_date;
        let is_read = other.position >= until || (part.empty_since.is_some() && is_untouched);
        let is_next = main.start_date.is_some_and(|from| from <= until);
        return (is_read && is_next && !is_empty)
            .then(|| StreamState { start_date: other.start_date, ..state });
    }
    if part.empty_since.is_some() || main.position != other.position || main.partitions.is_empty() {
        return None;
    }
    let window =
        main.window.as_ref().map(|window| window.with(other.window.as_ref(), other.partitions.len()));
    let partitions = [main.partitions.clone(), other.partitions.clone()].concat();
    Some(StreamState { window, partitions, ..state })
}

/// The names of partitions, as a state has them: none for all orders.
fn names(partitions: &[Selection]) -> Vec<String> {
    if partitions == [Selection::default()] {
        return Vec::new();
    }
    partitions.iter().map(Selection::to_string).collect()
}

#[cfg(test)]
mod tests;
