//! The readings that a saved state needs: of the state itself, and of each part of it that is due. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use crate::orders::api::query::Selection;
use crate::orders::state::digests::Digests;
use crate::orders::state::division::divide;
use crate::orders::state::parts::Scope;
use crate::orders::state::stream_state::{Part, StreamState};
use crate::protocol::catalog::SyncMode;
use crate::protocol::start_date;

/// A part that showed no order is read once more, this long after or later: an empty list proves nothing.
const EMPTY_AFTER: TimeDelta = TimeDelta::hours(1);

/// See the module. They come one after the other; meanwhile, a state says what is known of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readings {
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
    pub(crate) fn new(
        mut scope: Scope,
        mode: SyncMode,
        saved: Option<StreamState>,
    ) -> (Self, Option<StreamState>) {
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

#[cfg(test)]
mod tests;
