//! The rules of the passes, one by one.

use bytes::Bytes;
use serde_json::json;

use super::super::declared::{CONTESTS, PRODUCTS, SESSIONS};
use super::*;
use crate::config::Config;
use crate::protocol::catalog::SyncMode;
use crate::timestamp;

fn passes(list: &'static List, mode: SyncMode, saved: Option<Value>) -> Passes {
    let config = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"},
        "start_date": "2025-11-01T00:00:00Z"});
    let config = Config::parse(&config.to_string()).unwrap();
    let mut passes = Passes::new(list, Sync::new(list, &config, mode, saved.as_ref()).unwrap());
    if saved.is_none() {
        passes.begin(timestamp::parse("2025-12-01T00:00:00Z").unwrap());
    }
    passes
}

fn rows(ids: impl IntoIterator<Item = u64>) -> Vec<Row> {
    let row = |id: u64| Row {
        id: id.to_string().into(),
        updated: timestamp::parse("2025-11-05T00:00:00Z"),
        store: None,
        data: Bytes::new(),
        changes: Vec::new(),
    };
    ids.into_iter().map(row).collect()
}

/// Reads a list of so many rows, with the first `known` of which nothing is wrong: how many are handed out, and
/// whether the pass asked for changes.
fn pass(passes: &mut Passes, list: &[u64]) -> (usize, bool) {
    let filtered = passes.request().1.is_some();
    let mut written = 0;
    while !passes.pass.is_done() {
        let (part, _) = passes.request();
        let begin = match part {
            PageRequest::Page { page, size } => page.unwrap_or(0) * size,
            _ => unreachable!(),
        };
        let answer = list.iter().copied().skip(begin).take(part.count());
        written += passes.accept(rows(answer)).unwrap().len();
    }
    (written, filtered)
}

#[test]
fn a_full_refresh_of_pages_asks_for_what_changed_meanwhile_with_the_filter_or_without() {
    for refused in [false, true] {
        let mut passes = passes(&CONTESTS, SyncMode::FullRefresh, None);
        passes.manner.filtered = !refused;
        let list: Vec<u64> = (0..450).collect();
        assert_eq!(pass(&mut passes, &list), (450, !refused));
        assert_eq!(passes.go_on(), Ok(true), "a row that moved may be missing");
        let again = if refused { list } else { vec![449] };
        assert_eq!(pass(&mut passes, &again), (0, !refused));
        assert_eq!(passes.go_on(), Ok(false));
    }
}

#[test]
fn an_incremental_sync_and_a_list_of_one_page_take_one_walk() {
    let mut incremental = passes(&CONTESTS, SyncMode::Incremental, None);
    pass(&mut incremental, &(0..450).collect::<Vec<_>>());
    assert_eq!(incremental.go_on(), Ok(false));
    let mut small = passes(&CONTESTS, SyncMode::FullRefresh, None);
    pass(&mut small, &(0..150).collect::<Vec<_>>());
    assert_eq!(small.go_on(), Ok(false));
}

#[test]
fn a_list_that_shows_a_row_twice_instead_of_another_is_walked_through_again() {
    let mut passes = passes(&CONTESTS, SyncMode::Incremental, None);
    // Row 7 has taken the place of row 300.
    let mut list: Vec<u64> = (0..450).collect();
    list[300] = 7;
    assert_eq!(pass(&mut passes, &list).0, 449);
    assert_eq!(passes.go_on(), Ok(true));
    assert_eq!(pass(&mut passes, &[449]), (0, true), "it was not changed meanwhile");
    assert_eq!(passes.go_on(), Ok(true));
    assert_eq!(pass(&mut passes, &(0..450).collect::<Vec<_>>()), (1, true));
    assert_eq!(passes.go_on(), Ok(false));
}

#[test]
fn a_list_that_never_shows_all_its_rows_is_given_up() {
    let mut passes = passes(&CONTESTS, SyncMode::Incremental, None);
    let mut list: Vec<u64> = (0..450).collect();
    list[300] = 7;
    let given_up = (0..20).find_map(|_| {
        let result = passes.go_on();
        pass(&mut passes, &list);
        result.err()
    });
    assert_eq!(given_up.unwrap().kind, FailureKind::Restless);
}

#[test]
fn a_place_whose_row_is_no_more_is_left_for_the_lists_start_once() {
    let pass = json!({"after": "7", "until": "2025-11-20T00:00:00.000Z"});
    let state = json!({"updatedAt": "2025-11-05T00:00:00.000Z", "walk": pass});
    let mut passes = passes(&SESSIONS, SyncMode::Incremental, Some(state));
    assert_eq!(passes.request().0, PageRequest::After { after: Some("7".into()), count: 200 });
    assert!(passes.asks_otherwise(FailureKind::NotFound));
    assert_eq!(passes.request().0, PageRequest::After { after: None, count: 200 });
    assert!(!passes.asks_otherwise(FailureKind::NotFound), "the list itself is not there");
}

#[test]
fn only_the_first_request_may_be_asked_otherwise() {
    let mut passes = passes(&PRODUCTS, SyncMode::FullRefresh, None);
    assert!(!passes.asks_otherwise(FailureKind::Rejected));
}
