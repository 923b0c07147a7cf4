//! The walk, response by response.

use super::*;
use crate::orders::api::testing::row;

fn goal(second: i64, ids: &[u64]) -> Target {
    Target { at: row(second, 0).at, ids: ids.to_vec(), rows: Vec::new(), or_attempts: None }
}

fn walk(start: i64, end: i64, newest: i64) -> KeysetWalk {
    let slice = Slice { start: row(start, 0).at, end: row(end, 0).at };
    KeysetWalk::new(slice, Selection::default(), Some(goal(newest, &[])))
}

#[test]
fn every_order_of_the_goal_has_to_arrive() {
    let slice = Slice { start: row(0, 0).at, end: row(100, 0).at };
    let mut walk = KeysetWalk::new(slice, Selection::default(), Some(goal(7, &[4, 5])));
    walk.accept(vec![row(1, 1), row(7, 4)]).unwrap();
    assert_eq!(walk.accept(vec![row(7, 4)]).unwrap_err().kind, FailureKind::MissingOrder);
    assert!(walk.request().is_some());
}

fn ids(rows: &[Row]) -> Vec<u64> {
    rows.iter().map(|row| row.id).collect()
}

#[test]
fn the_last_instant_is_held_back_until_the_next_answer_has_it_whole() {
    let mut walk = walk(0, 100, 7);
    assert_eq!(ids(&walk.accept(vec![row(1, 1), row(5, 2)]).unwrap()), [1]);
    assert_eq!(walk.position(), row(5, 0).at);
    assert_eq!(walk.request().unwrap().min, Some(lower_bound(row(5, 0).at)));
    assert_eq!(ids(&walk.accept(vec![row(5, 2), row(5, 3), row(7, 4)]).unwrap()), [2, 3]);
    assert_eq!(ids(&walk.accept(vec![row(7, 4)]).unwrap()), [4]);
    assert_eq!((walk.request(), walk.position()), (None, row(100, 0).at));
}

#[test]
fn membership_is_decided_by_the_records_own_timestamp() {
    let mut walk = walk(5, 10, 9);
    let rows = vec![row(4, 1), row(5, 2), row(9, 3), row(10, 4), row(11, 5)];
    assert_eq!(ids(&walk.accept(rows).unwrap()), [2, 3]);
    assert!(walk.request().is_none(), "an order at or after the end proves that the slice is complete");
}

#[test]
fn an_answer_without_the_order_it_continues_from_is_doubted_and_changes_nothing() {
    let mut walk = walk(0, 100, 9);
    walk.accept(vec![row(1, 1), row(5, 2)]).unwrap();
    let request = walk.request();
    for rows in [vec![], vec![row(6, 3)], vec![row(5, 7), row(6, 3)], vec![row(5, 2)]] {
        let doubt = walk.accept(rows).unwrap_err();
        assert_eq!(doubt.kind, FailureKind::MissingOrder);
        assert_eq!(walk.request(), request);
    }
}

#[test]
fn an_empty_first_answer_is_doubted_while_an_order_is_known() {
    assert_eq!(walk(0, 100, 9).accept(vec![]).unwrap_err().kind, FailureKind::MissingOrder);
}

#[test]
fn without_an_order_in_the_slice_nothing_is_asked() {
    assert!(walk(10, 100, 9).request().is_none());
    let slice = Slice { start: row(0, 0).at, end: row(9, 0).at };
    assert!(KeysetWalk::new(slice, Selection::default(), None).request().is_none());
}

#[test]
fn an_instant_that_one_answer_cannot_get_past_is_read_by_page_numbers() {
    let mut walk = walk(0, 100, 50);
    walk.accept(vec![row(1, 1), row(5, 2)]).unwrap();
    assert!(walk.accept(vec![row(5, 2), row(5, 3)]).unwrap().is_empty());
    assert_eq!(walk.request().unwrap().sort, Sort::LowestId);
    for rows in [vec![row(5, 2), row(5, 3), row(5, 4)], vec![], vec![row(5, 4), row(5, 3), row(5, 2)]] {
        assert!(walk.accept(rows).unwrap().is_empty());
    }
    assert_eq!(ids(&walk.accept(vec![]).unwrap()), [2, 3, 4]);
    assert_eq!(walk.position(), row(6, 0).at);
    assert_eq!(walk.request().unwrap().sort, Sort::OldestFirst);
}

#[test]
fn unsorted_and_foreign_orders_are_doubted() {
    assert_eq!(walk(0, 100, 9).accept(vec![row(6, 1), row(5, 2)]).unwrap_err().kind, FailureKind::Unsorted);
    assert_eq!(walk(10, 100, 50).accept(vec![row(1, 1)]).unwrap_err().kind, FailureKind::OutOfRange);
}

#[test]
fn a_page_asked_for_ahead_joins_only_if_it_begins_before_the_position_and_holds_the_anchor() {
    let start = || {
        let mut walk = walk(0, 100, 50);
        walk.accept(vec![row(1, 1), row(5, 2), row(7, 3)]).unwrap();
        walk
    };
    let rows = vec![row(5, 2), row(7, 3), row(9, 4), row(11, 5)];
    let mut joined = start();
    let Fit::Joins(out) = joined.take_ahead(rows) else { panic!("it overlaps") };
    assert_eq!((ids(&out), joined.position()), (vec![3, 4], row(11, 0).at));
    let touching = vec![row(7, 3), row(9, 4)];
    assert_eq!(start().take_ahead(touching.clone()), Fit::Beyond(touching), "others may share the instant");
    let behind = vec![row(8, 9), row(9, 4)];
    assert_eq!(start().take_ahead(behind.clone()), Fit::Beyond(behind));
    for useless in [vec![], vec![row(1, 1), row(5, 2)], vec![row(5, 2), row(9, 4)]] {
        assert_eq!(start().take_ahead(useless), Fit::Useless);
    }
}

#[test]
fn the_newest_rows_end_the_walk_once_it_has_arrived_among_them() {
    let slice = Slice { start: row(0, 0).at, end: row(100, 0).at };
    let newest = vec![row(5, 2), row(7, 3), row(9, 4)];
    let goal = Target { rows: newest.clone(), ..goal(9, &[4]) };
    let mut walk = KeysetWalk::new(slice, Selection::default(), Some(goal.clone()));
    assert_eq!(walk.finish(), []);
    assert_eq!(ids(&walk.accept(vec![row(1, 1), row(5, 2)]).unwrap()), [1]);
    assert_eq!(walk.finish(), [], "others may share the first one's instant");
    assert_eq!(ids(&walk.accept(vec![row(5, 2), row(5, 8), row(7, 3)]).unwrap()), [2, 8]);
    assert_eq!((ids(&walk.finish()), walk.is_done()), (vec![3, 4], true));
    let mut other = KeysetWalk::new(slice, Selection::default(), Some(goal.clone()));
    other.accept(vec![row(1, 1), row(5, 2), row(7, 9)]).unwrap();
    assert_eq!(other.finish(), [], "an order that the newest rows do not hold came meanwhile");
    let whole = Slice { start: row(6, 0).at, ..slice };
    let mut walk = KeysetWalk::new(whole, Selection::default(), Some(goal));
    assert_eq!((ids(&walk.finish()), walk.is_done()), (vec![3, 4], true), "nothing had to be asked");
}

#[test]
fn a_goal_behind_the_slice_has_to_be_seen() {
    let mut walk = walk(0, 10, 20);
    assert_eq!(walk.accept(vec![]).unwrap_err().kind, FailureKind::MissingOrder);
    assert!(walk.accept(vec![row(1, 1)]).unwrap().is_empty());
    assert_eq!(walk.accept(vec![row(1, 1)]).unwrap_err().kind, FailureKind::MissingOrder);
    assert_eq!(ids(&walk.accept(vec![row(1, 1), row(20, 2)]).unwrap()), [1]);
    assert!(walk.is_done());
}

#[test]
fn where_no_order_is_known_several_looks_are_the_end() {
    let slice = Slice { start: row(0, 0).at, end: row(10, 0).at };
    let goal = || Some(Target { or_attempts: Some(3), ..goal(10, &[]) });
    let mut walk = KeysetWalk::new(slice, Selection::default(), goal());
    assert_eq!(ids(&walk.accept(vec![row(1, 1), row(5, 2)]).unwrap()), [1]);
    for answer in [vec![row(5, 2)], vec![], vec![row(5, 2)]] {
        assert_eq!(walk.accept(answer).unwrap_err().kind, FailureKind::MissingOrder);
    }
    assert_eq!((ids(&walk.accept(vec![row(5, 2)]).unwrap()), walk.is_done()), (vec![2], true));
    let mut empty = KeysetWalk::new(slice, Selection::default(), goal());
    assert!(empty.accept(vec![]).is_err() && empty.accept(vec![]).is_err());
    assert!(empty.accept(vec![]).unwrap().is_empty() && empty.is_done());
}

#[test]
fn every_version_that_was_seen_has_to_come_back() {
    let slice = Slice { start: row(0, 0).at, end: row(100, 0).at };
    let mut walk = KeysetWalk::new(slice, Selection::default(), Some(goal(7, &[4, 4])));
    let version = |version| Row { version, ..row(7, 4) };
    walk.accept(vec![version(1), version(2)]).unwrap();
    assert_eq!(walk.accept(vec![version(1)]).unwrap_err().kind, FailureKind::MissingOrder);
    assert!(walk.request().is_some());
}

#[test]
fn every_version_of_the_goal_has_to_arrive() {
    let slice = Slice { start: row(0, 0).at, end: row(100, 0).at };
    let mut walk = KeysetWalk::new(slice, Selection::default(), Some(goal(7, &[4, 4])));
    walk.accept(vec![row(1, 1), row(7, 4)]).unwrap();
    assert_eq!(walk.accept(vec![row(7, 4)]).unwrap_err().kind, FailureKind::MissingOrder);
    assert!(walk.request().is_some());
}

/// A server that takes the lower bound for the time of another zone begins hours too late.
#[test]
fn an_answer_that_passes_over_a_known_order_is_doubted() {
    let slice = Slice { start: row(0, 0).at, end: row(100, 0).at };
    let known: Vec<Row> = (1..=9).map(|n| row(n * 10, n.unsigned_abs())).collect();
    let goal = || Some(Target { rows: known.clone(), ..goal(90, &[9]) });
    let mut walk = KeysetWalk::new(slice, Selection::default(), goal());
    let doubt = walk.accept(known[4..].to_vec()).unwrap_err();
    assert_eq!(doubt.kind, FailureKind::MissingOrder);
    assert!(doubt.what.contains("order 1, drafted at 2025-11-01T00:00:10.000Z"), "{}", doubt.what);
    // Another version of it, under an id of its own, has taken its place.
    let mut replaced = known.clone();
    replaced[0].id = 50;
    assert_eq!(ids(&walk.accept(replaced).unwrap()), [50, 2, 3, 4, 5, 6, 7, 8]);

    let mut walk = KeysetWalk::new(slice, Selection::default(), goal());
    walk.accept(known[..2].to_vec()).unwrap();
    let gap: Vec<Row> = known[..2].iter().chain(&known[5..]).cloned().collect();
    assert_eq!(walk.take_ahead(gap), Fit::Useless);
}
