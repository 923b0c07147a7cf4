//! Which streams of the orders' family are read together. Pure.
//!
//! Streams that are read in the same mode and whose states end at the same place are read together. A stream that was
//! selected later has no state: it has a read of its own, from the beginning, which writes nothing of its siblings. Both
//! end at the same horizon, so the next sync reads all together.

use chrono::{DateTime, Utc};

use crate::orders::state::cursor::Saved;
use crate::orders::state::unsettled::Unsettled;
use crate::orders::state::window::Window;
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::SyncMode;

/// A stream that was selected, with the state that it resumes from.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The stream.
    pub stream: OrderStream,
    /// How it is to be read.
    pub mode: SyncMode,
    /// Its state.
    pub saved: Option<Saved>,
}

/// Streams that are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The streams, as in [`OrderStream::ALL`].
    pub streams: Vec<OrderStream>,
    /// How they are read.
    pub mode: SyncMode,
    /// What their states have in common.
    pub saved: Option<Saved>,
}

/// Puts the streams into groups; the one that is furthest on comes first, as it brings what is new soonest.
pub fn groups(mut selected: Vec<Selected>, start_date: DateTime<Utc>) -> Vec<Group> {
    selected.sort_by_key(|one| OrderStream::ALL.iter().position(|stream| *stream == one.stream));
    let mut groups: Vec<Group> = Vec::new();
    for Selected { stream, mode, saved } in selected {
        let saved = saved.filter(|saved| saved.counts(mode, start_date));
        let joined = groups.iter_mut().find_map(|group| {
            let saved = (group.mode == mode).then(|| both(group.saved.as_ref(), saved.as_ref())).flatten()?;
            Some((group, saved))
        });
        match joined {
            Some((group, saved)) => {
                group.streams.push(stream);
                group.saved = saved;
            }
            None => groups.push(Group { streams: vec![stream], mode, saved }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.saved.as_ref().map(|saved| saved.at)));
    groups
}

/// The state that two streams resume from together. None where they end at different places; the inner none is the
/// beginning.
fn both(one: Option<&Saved>, other: Option<&Saved>) -> Option<Option<Saved>> {
    match (one, other) {
        (None, None) => Some(None),
        (Some(one), Some(other)) => in_common(one, other).map(Some),
        _ => None,
    }
}

fn in_common(one: &Saved, other: &Saved) -> Option<Saved> {
    let place = |saved: &Saved| (saved.at, saved.full_refresh, saved.complete);
    if place(one) != place(other) || one.unseen != other.unseen || one.partitions != other.partitions {
        return None;
    }
    let updated = |saved: &Saved| saved.updated.unwrap_or(saved.at);
    Some(Saved {
        // Of the one whose changes were followed less far, nothing may be passed over.
        updated: one.updated.or(other.updated).map(|_| updated(one).min(updated(other))),
        window: Window::in_common(&one.window, &other.window),
        recent: Unsettled::in_common(&one.recent, &other.recent),
        undated: Unsettled::in_common(&one.undated, &other.undated),
        swept: one.swept.filter(|swept| other.swept == Some(*swept)),
        ..one.clone()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::timestamp;
    use OrderStream::{Details, LineItems, Orders, Versions};

    const INCREMENTAL: SyncMode = SyncMode::Incremental;

    fn start() -> DateTime<Utc> {
        timestamp::parse("2025-11-01T00:00:00Z").unwrap()
    }

    fn state(day: u32, more: &Value) -> Value {
        let mut state = json!({"draftCreatedAt": format!("2025-11-{day:02}T00:00:00.000Z"), "updatedAt": "2025-11-20T00:00:00.000Z"});
        state.as_object_mut().unwrap().extend(more.as_object().cloned().into_iter().flatten());
        state
    }

    fn with(stream: OrderStream, mode: SyncMode, state: Option<Value>) -> Selected {
        Selected { stream, mode, saved: state.map(|state| Orders.saved(&state).unwrap()) }
    }

    fn streams(selected: Vec<Selected>) -> Vec<Vec<OrderStream>> {
        groups(selected, start()).into_iter().map(|group| group.streams).collect()
    }

    #[test]
    fn streams_without_a_state_share_a_walk_whatever_their_order() {
        let selected = [Details, Versions, Orders, LineItems].map(|stream| with(stream, INCREMENTAL, None));
        assert_eq!(streams(selected.into()), [OrderStream::ALL]);
    }

    #[test]
    fn a_stream_selected_later_has_a_walk_of_its_own_behind_the_others() {
        let at = |day| Some(state(day, &json!({})));
        let selected = vec![
            with(Versions, INCREMENTAL, None),
            with(LineItems, INCREMENTAL, at(5)),
            with(Orders, INCREMENTAL, at(5)),
            with(Details, INCREMENTAL, at(3)),
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
        let group = groups(selected, start()).swap_remove(0);
        assert_eq!(group.streams, [Orders, LineItems]);
        let saved = group.saved.unwrap();
        assert_eq!(saved.updated, timestamp::parse("2025-11-19T00:00:00Z"));
        assert_eq!((&saved.recent, saved.swept), (&json!("0000000000000002"), None));
        assert_eq!(saved.window["readAt"], "2025-11-04T00:00:00.000Z");
        let digests = saved.window["digests"][0].as_str().unwrap();
        let (first, second) = digests.split_at(16);
        assert!(first != a && first != c && first.len() == 16 && second == "b".repeat(16), "{digests}");
    }

    #[test]
    fn windows_of_other_spans_have_nothing_in_common() {
        let window = json!({"readAt": "2025-11-04T00:00:00.000Z", "from": "2025-11-05T00:00:00.000Z", "hours": 1, "digests": ["00"]});
        for (field, value) in [
            ("hours", json!(2)),
            ("from", json!("x")),
            ("digests", json!(["00", "00"])),
            ("digests", json!(3)),
        ] {
            let mut other = window.clone();
            other[field] = value;
            assert_eq!(Window::in_common(&window, &other), Value::Null, "{field}");
        }
    }
}
