use serde_json::json;

use super::super::declared::{CONTESTS, SESSIONS, STORES};
use super::*;
use crate::timestamp;

fn at(text: &str) -> DateTime<Utc> {
    timestamp::parse(text).unwrap()
}

fn sync(list: &'static List, mode: SyncMode, saved: Option<Value>) -> Sync {
    let config = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"}, "start_date": "2025-11-01T00:00:00Z", "store_ids": [7]});
    let mut sync =
        Sync::new(list, &Config::parse(&config.to_string()).unwrap(), mode, saved.as_ref()).unwrap();
    sync.begin(at("2025-12-01T00:00:00Z"));
    sync
}

fn row(id: &str, updated: &str, store: Option<u64>) -> Row {
    let data = bytes::Bytes::new();
    Row { id: id.into(), updated: timestamp::parse(updated), store, data, changes: Vec::new() }
}

/// The state at the end, but for the rows that it names.
fn end(sync: &Sync) -> Value {
    let mut state = sync.end();
    state.as_object_mut().unwrap().remove("recent");
    state
}

fn written(sync: &mut Sync, rows: Vec<Row>) -> Vec<String> {
    sync.due(rows).into_iter().map(|row| row.id.into()).collect()
}

#[test]
fn a_rows_own_time_decides_and_a_row_of_no_store_is_kept() {
    let state = json!({"updatedAt": "2025-11-05T00:00:00.000Z"});
    let mut sync = sync(&CONTESTS, SyncMode::Incremental, Some(state));
    assert_eq!(sync.bound(), Some(at("2025-11-04T23:59:59.998Z")));
    let rows = vec![
        row("known", "2025-11-04T23:59:59.999Z", Some(7)),
        row("new", "2025-11-05T00:00:00Z", Some(7)),
        row("of no store", "2025-11-06T00:00:00Z", None),
        row("of another", "2025-11-07T00:00:00.123456Z", Some(8)),
        row("not settled", "2025-12-01T00:00:00Z", Some(7)),
    ];
    assert_eq!(written(&mut sync, rows), ["new", "of no store"]);
    assert_eq!(
        (sync.left_out(), end(&sync)),
        (
            1,
            json!({"updatedAt": "2025-11-07T00:00:00.124Z", "stores": [7], "startDate": "2025-11-01T00:00:00.000Z"})
        )
    );
}

#[test]
fn the_cursor_never_goes_back_and_never_beyond_the_horizon() {
    let end = |saved: &str, newest: &str| {
        let mut sync = sync(&SESSIONS, SyncMode::Incremental, Some(json!({"updatedAt": saved})));
        sync.due(vec![row("1", newest, None)]);
        sync.end()["updatedAt"].as_str().unwrap().to_owned()
    };
    let (early, late) = ("2025-11-05T00:00:00.000Z", "2025-11-30T23:59:59.9999Z");
    assert_eq!(end(early, "2025-11-04T23:59:59.999Z"), early, "nothing was new");
    assert_eq!(end(early, late), "2025-12-01T00:00:00.000Z");
    assert_eq!(end("2999-01-01T00:00:00.000Z", late), "2999-01-01T00:00:00.000Z");
    assert_eq!(sync(&SESSIONS, SyncMode::Incremental, None).end()["updatedAt"], "2025-11-01T00:00:00.000Z");
}

#[test]
fn a_walk_that_was_cut_off_goes_on_with_its_own_horizon() {
    let mut first = sync(&SESSIONS, SyncMode::Incremental, None);
    first.due(vec![row("1", "2025-11-20T00:00:00Z", None)]);
    let mut second = sync(&SESSIONS, SyncMode::Incremental, Some(first.under_way(Some("1"))));
    second.begin(at("2025-12-09T00:00:00Z"));
    assert_eq!(second.pass(200).request(), Pass::behind("1", 200).request());
    assert!(written(&mut second, vec![row("2", "2025-12-02T00:00:00Z", None)]).is_empty());
    assert_eq!(
        end(&second),
        json!({"updatedAt": "2025-11-20T00:00:00.001Z", "stores": [7], "startDate": "2025-11-01T00:00:00.000Z"})
    );
    assert_eq!(second.under_way(None), first.under_way(Some("1")), "what it resumes from still holds");
}

#[test]
fn where_every_request_behind_a_row_is_refused_the_list_is_begun_anew_once() {
    let mut first = sync(&SESSIONS, SyncMode::Incremental, None);
    first.due(vec![row("1", "2025-11-20T00:00:00Z", None)]);
    let mut second = sync(&SESSIONS, SyncMode::Incremental, Some(first.under_way(Some("1"))));
    let begun_anew = |sync: &mut Sync| {
        let mut manner = RequestShape::wished(true);
        (0..30).any(|_| {
            manner = sync.after_refusal(manner).unwrap_or(manner);
            manner == RequestShape::wished(true)
        })
    };
    assert!(begun_anew(&mut second) && !begun_anew(&mut second));
    assert_eq!(second.pass(200).request(), first.pass(200).request());
    assert_eq!(second.end(), first.end(), "what was written is still so");
}

#[test]
fn a_state_of_the_other_mode_is_no_place_to_go_on_from() {
    let incremental = json!({"updatedAt": "2025-11-05T00:00:00.000Z"});
    let full = sync(&SESSIONS, SyncMode::FullRefresh, Some(incremental));
    assert_eq!((full.from(), full.is_complete()), (Some(at("2025-11-01T00:00:00Z")), false));
    let again = sync(&SESSIONS, SyncMode::FullRefresh, Some(full.end()));
    assert!(again.is_complete() && again.under_way(None) == full.end());
    let after = sync(&SESSIONS, SyncMode::Incremental, Some(full.end()));
    assert_eq!((after.from(), after.is_complete()), (Some(at("2025-11-01T00:00:00Z")), false));
}

#[test]
fn a_full_refresh_writes_what_changed_meanwhile_too() {
    let mut sync = sync(&CONTESTS, SyncMode::FullRefresh, None);
    let rows = vec![row("old", "2025-10-01T00:00:00Z", None), row("late", "2025-12-01T00:00:00Z", None)];
    assert_eq!(written(&mut sync, rows), ["late"]);
    assert_eq!(sync.closing_bound(), Some(at("2025-11-30T23:59:59.998Z")));
}

#[test]
fn a_list_without_cursor_is_read_as_a_whole_whatever_the_mode_and_the_state() {
    let sync = sync(&STORES, SyncMode::Incremental, Some(json!({"cursor": 3})));
    assert_eq!((sync.bound(), sync.closing_bound()), (None, None));
    assert_eq!(sync.end(), json!({"__ab_no_cursor_state_message": true}));
}

#[test]
fn two_milliseconds_back_the_last_row_comes_again_under_each_reading_of_the_bound() {
    let newest = at("2025-11-05T00:00:00.123456Z");
    let bound = newest.trunc_subsecs(3) - MILLISECOND;
    assert!(bound < newest && timestamp::floor_second(bound) < newest);
}

#[test]
fn of_a_store_that_was_added_everything_is_written_and_of_the_others_what_has_changed() {
    let state = json!({"updatedAt": "2025-11-20T00:00:00.000Z", "stores": [8], "startDate": "2025-11-01T00:00:00.000Z"});
    let mut sync = sync(&CONTESTS, SyncMode::Incremental, Some(state.clone()));
    assert_eq!(sync.bound(), Some(at("2025-10-31T23:59:59.998Z")), "from the start date");
    let rows = vec![
        row("too old", "2025-10-05T00:00:00Z", Some(7)),
        row("added", "2025-11-05T00:00:00Z", Some(7)),
        row("of no store", "2025-11-05T00:00:00Z", None),
        row("new", "2025-11-25T00:00:00Z", Some(7)),
        row("of another", "2025-11-25T00:00:00Z", Some(8)),
    ];
    assert_eq!(written(&mut sync, rows), ["added", "new"]);
    assert_eq!(sync.under_way(None), state, "of the added one nothing is said before the end");
    assert_eq!(
        end(&sync),
        json!({"updatedAt": "2025-11-25T00:00:00.001Z", "stores": [7], "removed": {"8": "2025-11-20T00:00:00.000Z"}, "startDate": "2025-11-01T00:00:00.000Z"})
    );
}

#[test]
fn a_store_that_is_added_again_is_read_from_where_it_was_left() {
    let state = json!({"updatedAt": "2025-11-20T00:00:00.000Z", "stores": [8], "removed": {"7": "2025-11-10T00:00:00.000Z"}, "startDate": "2025-11-01T00:00:00.000Z"});
    let mut sync = sync(&CONTESTS, SyncMode::Incremental, Some(state.clone()));
    assert_eq!(sync.bound(), Some(at("2025-11-09T23:59:59.998Z")));
    let rows = vec![
        row("written", "2025-11-09T23:59:59Z", Some(7)),
        row("since", "2025-11-10T00:00:00Z", Some(7)),
        row("of no store", "2025-11-15T00:00:00Z", None),
        row("of another", "2025-11-25T00:00:00Z", Some(8)),
    ];
    assert_eq!(written(&mut sync, rows), ["since"]);
    assert_eq!(sync.under_way(None), state);
    assert_eq!(sync.end()["removed"], json!({"8": "2025-11-20T00:00:00.000Z"}));
}

#[test]
fn what_lies_before_a_start_date_that_was_moved_back_is_written() {
    let state =
        |start: &str| json!({"updatedAt": "2025-11-20T00:00:00.000Z", "stores": [7], "startDate": start});
    let saved = state("2025-11-10T00:00:00.000Z");
    let mut sync = sync(&CONTESTS, SyncMode::Incremental, Some(saved.clone()));
    assert_eq!(sync.bound(), Some(at("2025-10-31T23:59:59.998Z")));
    let rows = vec![
        row("too old", "2025-10-31T23:59:59Z", Some(7)),
        row("left out", "2025-11-01T00:00:00Z", Some(7)),
        row("of no store", "2025-11-09T23:59:59Z", None),
        row("written", "2025-11-10T00:00:00Z", Some(7)),
        row("new", "2025-11-20T00:00:00Z", Some(7)),
    ];
    assert_eq!(written(&mut sync, rows), ["left out", "of no store", "new"]);
    assert_eq!(sync.under_way(Some("x")), saved, "nothing is said of it before the end");
    assert_eq!(sync.end()["startDate"], "2025-11-01T00:00:00.000Z");
}

#[test]
fn a_full_refresh_is_begun_anew_where_stores_were_added() {
    for (stores, complete) in [(json!([7, 9]), true), (json!([9]), false)] {
        let state = json!({"__ab_full_refresh_sync_complete": true, "stores": stores});
        assert_eq!(sync(&SESSIONS, SyncMode::FullRefresh, Some(state)).is_complete(), complete);
    }
}

/// Reads a list by key that the server gives as these responses, to its end.
fn read(sync: &mut Sync, responses: &[&[Row]]) -> Vec<String> {
    let mut pass = sync.pass(200);
    let mut all = Vec::new();
    for answer in responses {
        assert!(!pass.is_done());
        all.extend(written(sync, pass.accept(answer.to_vec()).unwrap()));
    }
    assert!(pass.is_done());
    all
}

#[test]
fn what_two_answers_alike_have_hidden_comes_with_the_next_sync_once() {
    let list = [
        row("1", "2025-11-20T00:00:00Z", None),
        row("2", "2025-11-25T00:00:00Z", None),
        row("3", "2025-11-10T00:00:00Z", None),
    ];
    let cut = &list[..2];
    let mut first = sync(&SESSIONS, SyncMode::Incremental, None);
    assert_eq!(read(&mut first, &[cut, cut]), ["1", "2"]);
    let mut second = sync(&SESSIONS, SyncMode::Incremental, Some(first.end()));
    assert!(second.bound().unwrap() < list[2].updated.unwrap());
    assert_eq!(read(&mut second, &[&list, &list[1..]]), ["3"]);
    let mut third = sync(&SESSIONS, SyncMode::Incremental, Some(second.end()));
    assert_eq!(read(&mut third, &[&list, &list[1..]]), [""; 0]);
    assert_eq!(third.end(), second.end());
}

/// A sync of sessions of these stores, all for none, from the start date or from a state.
fn of_stores(stores: &[u64], saved: Option<Value>) -> Sync {
    let config = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"}, "start_date": "2025-11-01T00:00:00Z", "store_ids": stores});
    let config = Config::parse(&config.to_string()).unwrap();
    let mut sync = Sync::new(&SESSIONS, &config, SyncMode::Incremental, saved.as_ref()).unwrap();
    sync.begin(at("2025-12-01T00:00:00Z"));
    sync
}

#[test]
fn what_was_overlooked_is_found_whatever_stores_came_and_went() {
    let row_of = |store: u64| row(&format!("of {store}"), "2025-11-20T00:00:00Z", Some(store));
    let hidden_of = |store: u64| row(&format!("hidden of {store}"), "2025-11-15T00:00:00Z", Some(store));
    let all = || vec![hidden_of(7), hidden_of(8), hidden_of(9), row_of(7), row_of(8), row_of(9)];
    let mut both = of_stores(&[7, 8], None);
    assert_eq!(written(&mut both, vec![row_of(7), row_of(8), row_of(9)]), ["of 7", "of 8"]);
    // Of a store that is not wanted any more nothing is written, and nothing of it counts as written.
    let mut one = of_stores(&[7], Some(both.end()));
    assert_eq!((written(&mut one, all()), one.left_out()), (vec!["hidden of 7".to_owned()], 0));
    let mut again = of_stores(&[7, 8], Some(one.end()));
    assert_eq!(written(&mut again, all()), ["hidden of 8"]);
    let mut added = of_stores(&[7, 8, 9], Some(again.end()));
    assert_eq!(written(&mut added, all()), ["hidden of 9", "of 9"]);
    let mut quiet = of_stores(&[7, 8, 9], Some(added.end()));
    assert_eq!((written(&mut quiet, all()), quiet.end()), (vec![], added.end()));
}

#[test]
fn a_resumed_walk_names_the_rows_from_its_beginning_on() {
    let list = [row("1", "2025-11-20T00:00:00Z", None), row("2", "2025-11-21T00:00:00Z", None)];
    let hidden = row("3", "2025-11-10T00:00:00Z", None);
    let mut first = sync(&SESSIONS, SyncMode::Incremental, None);
    first.due(list[..1].to_vec());
    let cut_off = first.under_way(Some("1"));
    let mut second = sync(&SESSIONS, SyncMode::Incremental, Some(cut_off.clone()));
    second.due(list[1..].to_vec());
    let all: Vec<Row> = list.iter().chain([&hidden]).cloned().collect();
    let mut third = sync(&SESSIONS, SyncMode::Incremental, Some(second.end()));
    assert_eq!(written(&mut third, all.clone()), ["3"]);
    // Version 0.3.0 named none, so the ones behind the place are not all.
    let mut unnamed = cut_off;
    unnamed["walk"].as_object_mut().unwrap().remove("recent").unwrap();
    let mut second = sync(&SESSIONS, SyncMode::Incremental, Some(unnamed));
    second.due(list[1..].to_vec());
    assert_eq!(second.end()["recent"], Value::Null);
    let mut third = sync(&SESSIONS, SyncMode::Incremental, Some(second.end()));
    assert_eq!(third.bound(), Some(at("2025-11-20T23:59:59.999Z")));
    assert!(written(&mut third, all).is_empty());
}

#[test]
fn a_state_that_names_no_rows_begins_to_name_them_where_it_ends() {
    let state = json!({"updatedAt": "2025-11-20T00:00:00.000Z"});
    let known = row("known", "2025-11-19T23:59:59.999Z", None);
    let mut first = sync(&SESSIONS, SyncMode::Incremental, Some(state));
    assert_eq!(first.bound(), Some(at("2025-11-19T23:59:59.998Z")));
    let new = row("new", "2025-11-22T00:00:00Z", None);
    assert_eq!(written(&mut first, vec![known.clone(), new.clone()]), ["new"]);
    let mut second = sync(&SESSIONS, SyncMode::Incremental, Some(first.end()));
    let late = row("late", "2025-11-20T00:00:00Z", None);
    assert_eq!(written(&mut second, vec![known, late, new]), ["late"]);
}

#[test]
fn a_sync_that_is_cut_off_leaves_the_names_of_the_last_one() {
    let list = vec![row("1", "2025-11-20T00:00:00Z", None), row("2", "2025-11-22T00:00:00Z", None)];
    let mut first = sync(&CONTESTS, SyncMode::Incremental, None);
    first.due(list.clone());
    let saved = first.end();
    let mut second = sync(&CONTESTS, SyncMode::Incremental, Some(saved.clone()));
    let late = row("late", "2025-11-21T00:00:00Z", None);
    let more = [list, vec![late, row("3", "2025-11-23T00:00:00Z", None)]].concat();
    assert_eq!(written(&mut second, more.clone()), ["late", "3"]);
    assert_eq!(second.under_way(None), saved);
    // What it wrote comes once more, as no state said so.
    let mut third = sync(&CONTESTS, SyncMode::Incremental, Some(saved));
    assert_eq!(written(&mut third, more), ["late", "3"]);
    assert_eq!(third.end(), second.end());
}
