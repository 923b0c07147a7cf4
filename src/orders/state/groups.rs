//! Which streams of the orders' family are read together. Pure.
//!
//! Streams that are read in the same mode and whose states end at the same place are read together. A stream that was
//! selected later has no state: it has a read of its own, from the beginning, which writes nothing of its siblings. Both
//! end at the same horizon, so the next sync reads all together.

use crate::orders::state::parts::Scope;
use crate::orders::state::readings::Readings;
use crate::orders::state::stream_state::StreamState;
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::SyncMode;

/// A stream that was selected, with the state that it resumes from.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    /// The stream.
    pub stream: OrderStream,
    /// How it is to be read.
    pub mode: SyncMode,
    /// Its state.
    pub saved: Option<StreamState>,
}

/// Streams that are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The streams, as in [`OrderStream::ALL`].
    pub streams: Vec<OrderStream>,
    /// How they are read.
    pub mode: SyncMode,
    /// What the first of the readings resumes from: what their states have in common.
    pub saved: Option<StreamState>,
    /// What is read.
    pub readings: Readings,
}

/// Puts the streams into groups; the one that is furthest on comes first, as it brings what is new soonest.
pub(crate) fn groups(mut selected: Vec<Selected>, scope: &Scope) -> Vec<Group> {
    selected.sort_by_key(|one| OrderStream::ALL.iter().position(|stream| *stream == one.stream));
    let mut groups: Vec<(Vec<OrderStream>, SyncMode, Option<StreamState>)> = Vec::new();
    for Selected { stream, mode, saved } in selected {
        let saved = saved.filter(|saved| saved.counts(mode, scope.start_date)).map(|saved| {
            // What a later start date leaves out does not keep streams apart.
            let start_date = saved.start_date.map(|from| from.max(scope.start_date));
            StreamState { start_date, ..saved }
        });
        let joined = groups.iter_mut().find_map(|(streams, other, present)| {
            let saved = match (&*present, &saved) {
                _ if *other != mode => return None,
                (None, None) => None,
                (Some(one), Some(other)) => Some(one.in_common(other)?),
                // One is at the beginning, the other is not.
                _ => return None,
            };
            Some((streams, present, saved))
        });
        match joined {
            Some((streams, present, saved)) => {
                streams.push(stream);
                *present = saved;
            }
            None => groups.push((vec![stream], mode, saved)),
        }
    }
    groups.sort_by_key(|(_, _, saved)| std::cmp::Reverse(saved.as_ref().map(|saved| saved.position)));
    let group = |(streams, mode, saved)| {
        let (readings, saved) = Readings::new(scope.clone(), mode, saved);
        Group { streams, mode, saved, readings }
    };
    groups.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::{Value, json};

    use super::*;
    use crate::orders::api::query::Selection;
    use crate::orders::state::digests::Digests;
    use crate::timestamp;
    use OrderStream::{Details, LineItems, Orders, Versions};

    const INCREMENTAL: SyncMode = SyncMode::Incremental;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    fn scope() -> Scope {
        let partitions = vec![Selection::default()];
        Scope { partitions, start_date: at("2025-11-01T00:00:00Z"), end_date: None }
    }

    fn state(day: u32, more: &Value) -> Value {
        let mut state = json!({"draftCreatedAt": format!("2025-11-{day:02}T00:00:00.000Z"), "updatedAt": "2025-11-20T00:00:00.000Z"});
        state.as_object_mut().unwrap().extend(more.as_object().cloned().into_iter().flatten());
        state
    }

    fn with(stream: OrderStream, mode: SyncMode, state: Option<Value>) -> Selected {
        Selected { stream, mode, saved: state.map(|state| StreamState::parse(&state, Orders).unwrap()) }
    }

    fn streams(selected: Vec<Selected>) -> Vec<Vec<OrderStream>> {
        groups(selected, &scope()).into_iter().map(|group| group.streams).collect()
    }

    #[test]
    fn streams_without_a_state_share_a_walk_whatever_their_order() {
        let selected = [Details, Versions, Orders, LineItems].map(|stream| with(stream, INCREMENTAL, None));
        assert_eq!(streams(selected.into()), [OrderStream::ALL]);
    }

    #[test]
    fn a_stream_selected_later_has_a_walk_of_its_own_behind_the_others() {
        let on = |day| Some(state(day, &json!({})));
        let selected = vec![
            with(Versions, INCREMENTAL, None),
            with(LineItems, INCREMENTAL, on(5)),
            with(Orders, INCREMENTAL, on(5)),
            with(Details, INCREMENTAL, on(3)),
        ];
        assert_eq!(streams(selected), [vec![Orders, LineItems], vec![Details], vec![Versions]]);
    }

    #[test]
    fn another_mode_has_another_walk() {
        let selected = vec![with(Orders, SyncMode::FullRefresh, None), with(LineItems, INCREMENTAL, None)];
        assert_eq!(streams(selected), [[Orders], [LineItems]]);
    }

    #[test]
    fn an_incremental_state_under_a_full_refresh_does_not_keep_streams_apart() {
        let selected = vec![
            with(Orders, SyncMode::FullRefresh, Some(state(5, &json!({})))),
            with(LineItems, SyncMode::FullRefresh, None),
        ];
        assert_eq!(streams(selected), [[Orders, LineItems]]);
    }

    #[test]
    fn a_common_state_says_only_what_both_say() {
        let window = |first: &str, read: u32| {
            let digests = [format!("{first}{}", "b".repeat(16))];
            json!({"readAt": format!("2025-11-{read:02}T00:00:00.000Z"), "from": "2025-11-05T00:00:00.000Z", "hours": 1, "digests": digests})
        };
        let (a, c) = ("a".repeat(16), "c".repeat(16));
        let mine = json!({"window": window(&a, 4), "recent": "00000000000000010000000000000002"});
        let theirs = json!({"window": window(&c, 5), "recent": "00000000000000020000000000000003", "updatedAt": "2025-11-19T00:00:00.000Z",
            "sweep": {"draftCreatedAt": "2025-11-04T00:00:00.000Z", "updatedAt": "2025-11-21T00:00:00.000Z"}});
        let selected = vec![
            with(Orders, INCREMENTAL, Some(state(5, &mine))),
            with(LineItems, INCREMENTAL, Some(state(5, &theirs))),
        ];
        let group = groups(selected, &scope()).swap_remove(0);
        assert_eq!(group.streams, [Orders, LineItems]);
        let saved = group.saved.unwrap();
        assert_eq!(saved.updated, timestamp::parse("2025-11-19T00:00:00Z"));
        assert_eq!((saved.recent, saved.swept), (Digests([2].into()), None));
        let window = saved.window.unwrap();
        assert_eq!(window.read_at, at("2025-11-04T00:00:00Z"));
        let [first, second] = window.digests[0][..] else { panic!("{window:?}") };
        assert!(![0xaaaa_aaaa_aaaa_aaaa, 0xcccc_cccc_cccc_cccc].contains(&first), "{first}");
        assert_eq!(second, 0xbbbb_bbbb_bbbb_bbbb);
    }
}
