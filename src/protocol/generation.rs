//! Generations of a table: which states of a full refresh still count. Pure.
//!
//! The platform numbers what a table holds (`generation_id` of the configured catalog) and raises the number when the
//! table is to be filled anew. A state of a full refresh speaks of one generation, so it carries its number. Under
//! another one it does not count, and everything is read: a complete state would leave the new table empty for ever.
//!
//! Runners that know no generations always pass the last state. For them a complete state does not count either: each
//! full refresh reads everything. One that was cut off is still resumed.

use std::collections::HashMap;

use serde_json::Value;

use super::catalog::SyncMode;

/// Where a state says of which generation it speaks.
const GENERATION: &str = "generationId";
/// Marks a state of a full refresh that is under way.
pub(crate) const FULL_REFRESH: &str = "fullRefresh";
/// Marks a state of a full refresh that is complete (a convention of Airbyte's own sources).
pub(crate) const FULL_REFRESH_COMPLETE: &str = "__ab_full_refresh_sync_complete";

/// Which kind of sync wrote a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Writer {
    /// An incremental sync.
    #[default]
    Incremental,
    /// A full refresh that is under way.
    FullRefresh,
    /// A full refresh that is complete.
    FullRefreshComplete,
}

impl Writer {
    /// A sync in this mode; `complete`, where everything is written.
    pub(crate) fn new(mode: SyncMode, complete: bool) -> Self {
        match (mode, complete) {
            (SyncMode::Incremental, _) => Self::Incremental,
            (SyncMode::FullRefresh, false) => Self::FullRefresh,
            (SyncMode::FullRefresh, true) => Self::FullRefreshComplete,
        }
    }

    /// That of a state, by its mark.
    pub(crate) fn of(state: &Value) -> Self {
        match (state[FULL_REFRESH_COMPLETE] == true, state[FULL_REFRESH] == true) {
            (true, _) => Self::FullRefreshComplete,
            (false, true) => Self::FullRefresh,
            (false, false) => Self::Incremental,
        }
    }

    /// Its mark; none for an incremental sync.
    pub(crate) fn mark(self) -> Option<&'static str> {
        match self {
            Self::Incremental => None,
            Self::FullRefresh => Some(FULL_REFRESH),
            Self::FullRefreshComplete => Some(FULL_REFRESH_COMPLETE),
        }
    }
}

/// Whether a full refresh wrote a state, under way or complete.
pub(super) fn is_of_full_refresh(state: &Value) -> bool {
    Writer::of(state) != Writer::Incremental
}

/// The generation of each stream that has one.
#[derive(Debug, Default)]
pub struct Generations(HashMap<String, i64>);

impl Generations {
    /// Of these streams.
    pub fn new<'s>(streams: impl IntoIterator<Item = (&'s str, Option<i64>)>) -> Self {
        let known = streams.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?)));
        Self(known.collect())
    }

    /// Whether a saved state of the stream may be resumed from. States of incremental syncs always may.
    pub fn counts(&self, stream: &str, state: &Value) -> bool {
        let (ours, theirs) = (self.0.get(stream).copied(), state[GENERATION].as_i64());
        match Writer::of(state) {
            Writer::Incremental => true,
            Writer::FullRefresh => ours == theirs,
            Writer::FullRefreshComplete => ours.is_some() && ours == theirs,
        }
    }

    /// Puts the generation that it speaks of on a state, if a full refresh wrote it.
    pub fn stamp(&self, stream: &str, state: &mut Value) {
        let marked = is_of_full_refresh(state);
        if let Some(generation) = self.0.get(stream).filter(|_| marked) {
            state[GENERATION] = (*generation).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_of_a_full_refresh_counts_within_its_generation_only() {
        let generations = Generations::new([("orders", Some(7)), ("contests", None)]);
        let complete = |id: Value| json!({FULL_REFRESH_COMPLETE: true, GENERATION: id});
        let under_way = |id: Value| json!({FULL_REFRESH: true, GENERATION: id});
        for (stream, state, counts) in [
            ("orders", complete(json!(7)), true),
            ("orders", complete(json!(6)), false),
            ("orders", complete(Value::Null), false),
            ("orders", under_way(json!(7)), true),
            ("orders", under_way(json!(6)), false),
            ("orders", under_way(Value::Null), false),
            ("orders", json!({"draftCreatedAt": "x", GENERATION: 6}), true),
            ("contests", complete(Value::Null), false),
            ("contests", complete(json!(7)), false),
            ("contests", under_way(Value::Null), true),
            ("contests", under_way(json!(7)), false),
        ] {
            assert_eq!(generations.counts(stream, &state), counts, "{stream} {state}");
        }
    }

    #[test]
    fn only_states_of_a_full_refresh_are_stamped_and_a_stamped_one_counts() {
        let generations = Generations::new([("orders", Some(7))]);
        let stamped = |stream: &str, mut state: Value| {
            generations.stamp(stream, &mut state);
            state
        };
        for mark in [FULL_REFRESH, FULL_REFRESH_COMPLETE] {
            let stamped = stamped("orders", json!({mark: true}));
            assert!(generations.counts("orders", &stamped), "{stamped}");
            assert!(!Generations::new([("orders", Some(8))]).counts("orders", &stamped));
        }
        for (stream, state) in
            [("orders", json!({"draftCreatedAt": "x"})), ("stores", json!({FULL_REFRESH: true}))]
        {
            assert_eq!(stamped(stream, state.clone()), state);
        }
    }
}
