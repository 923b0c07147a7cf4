use super::*;
use crate::orders::state::division::MOST;
use crate::orders::state::saved_window::SavedWindow;
use crate::orders::streams::OrderStream;
use crate::timestamp;

fn day(day: u32) -> DateTime<Utc> {
    timestamp::parse(&format!("2025-11-{day:02}T00:00:00Z")).unwrap()
}

fn scope(stores: &[u64], start: u32) -> Scope {
    Scope { partitions: Selection::all_of(stores, &[]), start_date: day(start), end_date: None }
}

fn named(stores: &[u64]) -> Vec<String> {
    stores.iter().map(|store| format!("storeId={store}")).collect()
}

fn state(stores: &[u64], start: u32, position: u32) -> StreamState {
    StreamState {
        position: day(position),
        updated: Some(day(position)),
        partitions: named(stores),
        start_date: Some(day(start)),
        ..StreamState::default()
    }
}

/// What is read, one after the other, from where and up to where; and the state in the end, at `now`.
fn sync(
    scope: &Scope,
    saved: Option<StreamState>,
    now: u32,
    empty: bool,
) -> (Vec<(Vec<String>, u32, u32)>, StreamState) {
    use chrono::Datelike;
    let (mut readings, mut saved) = Readings::new(scope.clone(), SyncMode::Incremental, saved);
    let mut read = Vec::new();
    loop {
        let scope = readings.scope();
        let end = scope.end_date.unwrap_or(day(now)).min(day(now));
        let position = saved.as_ref().map_or(scope.start_date, |saved| saved.position);
        read.push((scope.names(), position.day(), end.day()));
        let is_part = readings.part().is_some();
        let from = saved.as_ref().map_or(Some(scope.start_date), |saved| saved.start_date);
        let last = StreamState {
            position: end.max(position),
            updated: Some(day(now)),
            partitions: scope.names(),
            start_date: from,
            ..StreamState::default()
        };
        let Next { state, readings: next } = readings.next(last, empty && is_part, day(now));
        let Some((next, from)) = next else { return (read, state) };
        (readings, saved) = (next, Some(from));
    }
}

#[test]
fn a_store_that_was_removed_and_is_added_again_is_read_from_where_it_was_left() {
    let (read, removed) = sync(&scope(&[1], 1), Some(state(&[1, 2, 3], 1, 5)), 6, false);
    assert_eq!(read, [(named(&[1]), 5, 6)]);
    assert_eq!((removed.partitions.clone(), removed.parts.len()), (named(&[1]), 1));
    let (_, later) = sync(&scope(&[1], 1), Some(removed), 8, false);
    let (read, again) = sync(&scope(&[1, 3], 1), Some(later), 9, false);
    assert_eq!(read, [(named(&[1]), 8, 9), (named(&[3]), 5, 9)]);
    assert_eq!((again.partitions.clone(), again.updated), (named(&[1, 3]), Some(day(9))));
    assert_eq!(again.parts[0].state.partitions, named(&[2]));
    let (read, _) = sync(&scope(&[1, 3], 1), Some(again), 10, false);
    assert_eq!(read, [(named(&[1, 3]), 9, 10)]);
}

#[test]
fn stores_that_take_turns_are_each_read_from_where_they_were_left() {
    let (mut saved, mut positions) = (state(&[1], 1, 5), vec![]);
    for (store, now) in [(2, 6), (1, 7), (2, 8), (1, 9)] {
        let (read, state) = sync(&scope(&[store], 1), Some(saved), now, false);
        positions.push(read[0].1);
        saved = state;
    }
    // Of store 2 nothing is known at first: the reading itself reads it as a whole.
    assert_eq!(positions, [5, 5, 6, 7]);
}

#[test]
fn a_store_of_all_that_were_read_is_read_from_where_all_were_left() {
    let (_, narrow) = sync(&scope(&[1], 1), Some(state(&[], 1, 5)), 6, false);
    let (read, _) = sync(&scope(&[1, 2], 1), Some(narrow.clone()), 7, false);
    assert_eq!(read, [(named(&[1]), 6, 7), (named(&[2]), 5, 7)]);
    let (read, all) = sync(&scope(&[], 1), Some(narrow), 7, false);
    assert_eq!(read, [(vec![], 5, 7)]);
    assert_eq!(all.partitions, named(&[]));
}

#[test]
fn a_start_date_that_was_moved_back_is_read_up_to_where_it_was() {
    for stores in [&[][..], &[1, 2]] {
        let (read, moved) = sync(&scope(stores, 2), Some(state(stores, 10, 20)), 21, false);
        assert_eq!(read, [(named(stores), 20, 21), (named(stores), 2, 10)]);
        assert_eq!((moved.start_date, moved.parts.len()), (Some(day(2)), 0));
        let (read, _) = sync(&scope(stores, 2), Some(moved), 22, false);
        assert_eq!(read, [(named(stores), 21, 22)]);
    }
}

#[test]
fn a_start_date_that_is_moved_while_an_earlier_part_is_read_goes_on_there() {
    let mut saved = state(&[1], 10, 20);
    saved.parts = vec![Part { state: state(&[1], 4, 7), until: Some(day(10)), empty_since: None }];
    let (read, further) = sync(&scope(&[1], 2), Some(saved.clone()), 21, false);
    assert_eq!(read, [(named(&[1]), 20, 21), (named(&[1]), 7, 10), (named(&[1]), 2, 4)]);
    assert_eq!(further.start_date, Some(day(2)));
    let (read, less) = sync(&scope(&[1], 8), Some(saved.clone()), 21, false);
    assert_eq!(read, [(named(&[1]), 20, 21), (named(&[1]), 8, 10)]);
    assert_eq!(less.start_date, Some(day(8)));
    let (read, later) = sync(&scope(&[1], 12), Some(saved.clone()), 21, false);
    assert_eq!((read.len(), later.start_date, later.parts.len()), (1, Some(day(12)), 0));
    let (read, other) = sync(&scope(&[1, 2], 4), Some(saved), 21, false);
    assert_eq!(read[1], (named(&[1]), 7, 10), "a store that is added is read from the start date");
    assert_eq!(other.start_date, Some(day(4)));
}

#[test]
fn an_empty_list_of_earlier_orders_is_looked_at_twice() {
    let (_, once) = sync(&scope(&[], 2), Some(state(&[], 10, 20)), 21, true);
    assert_eq!((once.start_date, once.parts[0].empty_since), (Some(day(10)), Some(day(21))));
    let (read, twice) = sync(&scope(&[], 2), Some(once), 22, true);
    assert_eq!((read.len(), twice.start_date, twice.parts.len()), (2, Some(day(2)), 0));
}

#[test]
fn of_what_was_not_seen_nothing_is_kept() {
    let unseen = |saved: StreamState, names: &[&str]| StreamState {
        unseen: names.iter().map(|name| (*name).to_owned()).collect(),
        ..saved
    };
    for (saved, stores) in [
        (unseen(state(&[], 1, 5), &["all"]), vec![1]),
        (unseen(state(&[1, 2], 1, 5), &["storeId=2"]), vec![1]),
    ] {
        let (readings, main) = Readings::new(scope(&stores, 1), SyncMode::Incremental, Some(saved.clone()));
        assert_eq!(readings.kept, [], "{saved:?}");
        assert_eq!(main.unwrap().is_unseen(&Selection::all_of(&[1], &[])[0]), saved.partitions.is_empty());
    }
    let wide = unseen(state(&[2], 1, 5), &["storeId=2"]);
    let narrow = Scope { partitions: Selection::all_of(&[2], &["customer".to_owned()]), ..scope(&[2], 1) };
    let (_, main) = Readings::new(narrow.clone(), SyncMode::Incremental, Some(wide));
    assert!(main.unwrap().is_unseen(&narrow.partitions[0]));
}

#[test]
fn of_a_state_that_names_no_stores_since_it_is_old_nothing_is_kept() {
    let old = StreamState { start_date: None, ..state(&[], 1, 5) };
    let (readings, main) = Readings::new(scope(&[1], 1), SyncMode::Incremental, Some(old));
    assert_eq!((readings.kept.len(), main.unwrap().partitions), (0, named(&[1])));
}

/// A sync that was interrupted after its first state: it says so much of what the first of its readings is about.
fn interrupted(scope: &Scope, saved: StreamState, position: u32, unseen: &[u64]) -> StreamState {
    let (readings, from) = Readings::new(scope.clone(), SyncMode::Incremental, Some(saved));
    let state = state_of(&readings, from.and_then(|from| from.start_date), position);
    readings.compose(StreamState { unseen: named(unseen), ..state })
}

fn state_of(readings: &Readings, start_date: Option<DateTime<Utc>>, position: u32) -> StreamState {
    StreamState { start_date, partitions: readings.scope().names(), ..state(&[], 1, position) }
}

#[test]
fn a_store_that_was_not_read_to_its_end_is_not_taken_for_read_after_others_were_configured() {
    let other = interrupted(&scope(&[2], 1), state(&[1], 1, 20), 20, &[2]);
    let (_, back) = sync(&scope(&[1], 1), Some(other), 21, false);
    assert_eq!(back.parts, [], "nothing is known of store 2");
    let (readings, main) = Readings::new(scope(&[1, 2], 1), SyncMode::Incremental, Some(back));
    assert_eq!((readings.due.len(), main.unwrap().partitions), (0, named(&[1])), "it is read as a whole");
}

#[test]
fn a_store_that_is_added_again_says_nothing_of_what_a_later_start_date_left_out() {
    let mut saved = state(&[1], 10, 20);
    saved.parts = vec![Part { state: state(&[3], 10, 12), until: None, empty_since: None }];
    let (readings, _) = Readings::new(scope(&[1, 3], 15), SyncMode::Incremental, Some(saved));
    let Next { readings: next, .. } = readings.next(state(&[1], 15, 21), false, day(21));
    let (_, from) = next.unwrap();
    assert_eq!(from.start_date, Some(day(15)));
}

#[test]
fn what_was_unseen_for_one_stream_is_unseen_for_both() {
    let front = |position: u32, unseen: &[u64]| Part {
        state: StreamState { unseen: named(unseen), ..state(&[1, 2], 2, position) },
        until: Some(day(10)),
        empty_since: None,
    };
    for (one, other) in [(front(9, &[2]), front(5, &[])), (front(5, &[]), front(9, &[2]))] {
        let both = Part::in_common(&one, &other).unwrap();
        assert_eq!((both.state.position, both.state.unseen), (day(5), named(&[2])));
    }
}

#[test]
fn nothing_is_read_of_stores_that_are_not_configured_any_more() {
    let (readings, main) = Readings::new(scope(&[9], 2), SyncMode::Incremental, Some(state(&[1], 10, 20)));
    let main = main.unwrap();
    assert_eq!(readings.due.len(), 0);
    assert_eq!((main.partitions, main.unseen, main.start_date), (named(&[9]), named(&[9]), Some(day(2))));
    assert_eq!(readings.kept[0].state, state(&[1], 10, 20));
    // Whatever it says before it has read anything, store 1 is resumed where it was.
    let early = interrupted(&scope(&[9], 2), state(&[1], 10, 20), 20, &[9]);
    let (read, _) = sync(&scope(&[1], 2), Some(early), 21, false);
    assert_eq!(read, [(named(&[1]), 20, 21), (named(&[1]), 2, 10)]);
}

#[test]
fn where_some_orders_were_read_an_empty_list_is_not_believed() {
    let mut saved = state(&[], 10, 20);
    saved.parts = vec![Part { state: state(&[], 2, 7), until: Some(day(10)), empty_since: Some(day(8)) }];
    let (readings, _) = Readings::new(scope(&[], 2), SyncMode::Incremental, Some(saved));
    let Next { readings: next, .. } = readings.next(state(&[], 10, 21), false, day(21));
    let (readings, from) = next.unwrap();
    let Next { state, .. } = readings.next(from, true, day(21));
    assert_eq!((state.start_date, state.parts.len()), (Some(day(10)), 1));
}

#[test]
fn a_full_refresh_knows_no_parts() {
    let mut saved = state(&[1], 10, 20);
    saved.parts = vec![Part { state: state(&[1], 4, 7), until: Some(day(10)), empty_since: None }];
    let (readings, saved) = Readings::new(scope(&[1], 2), SyncMode::FullRefresh, Some(saved));
    assert_eq!((readings.due.len(), readings.kept.len(), saved.unwrap().parts.len()), (0, 0, 0));
}

#[test]
fn a_state_of_five_hundred_stores_that_come_and_go_stays_small() {
    let stores: Vec<u64> = (10_000..10_500).collect();
    let window = |partitions: usize| SavedWindow {
        read_at: day(5),
        from: day(1),
        hours: 1,
        form: crate::orders::state::saved_window::Form::Content,
        digests: vec![vec![u64::MAX; 2]; partitions],
        listing: None,
    };
    let mut saved = StreamState { window: Some(window(500)), ..state(&stores, 1, 5) };
    let mut largest = 0;
    for now in 6..28 {
        let few: Vec<u64> =
            stores.iter().copied().filter(|store| store % 23 != u64::from(now) % 23).collect();
        (_, saved) = sync(&scope(&few, 1), Some(saved), now, false);
        let window = window(saved.partitions.len());
        saved.window = Some(window);
        largest = largest.max(saved.write(OrderStream::Orders).to_string().len());
    }
    assert!(saved.parts.len() <= MOST && largest < 64_000, "{} parts, {largest} bytes", saved.parts.len());
}
