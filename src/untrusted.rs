//! What comes from outside, in every state of disrepair: nothing of it panics, hangs, or is silent.
//!
//! `PROPTEST_CASES=100000 cargo test --lib -- untrusted --nocapture` runs more cases.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::config::Config;
use crate::doubt::Unusable;
use crate::failure::{Failure, FailureKind};
use crate::lists::declared::ALL;
use crate::lists::page::PageReader as ListReader;
use crate::lists::passes::Passes;
use crate::lists::sync::Sync as ListSync;
use crate::orders::api::detail::DetailReader;
use crate::orders::api::detail::Due;
use crate::orders::api::page::{Page, PageReader, Row};
use crate::orders::state::parts::Scope;
use crate::orders::state::stream_state::StreamState;
use crate::orders::streams::OrderStream;
use crate::orders::sync::{Response, Sync};
use crate::protocol::catalog::{self, SyncMode};
use crate::protocol::state::SavedStates;
use crate::record::personal::Personal;
use crate::timestamp;

/// What tools, gateways and people put into a text, or leave of it.
const ODD: [&str; 28] = [
    "",
    "\0",
    "\u{feff}",
    "\\ud83d",
    "\\u0000",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "99999999999999999999999999999999999999999",
    "0000-00-00",
    "2016-12-31T23:59:60Z",
    "+99999-01-01T00:00:00Z",
    "[[[[[[",
    "\r\n",
    "\t",
    "é",
    "-----BEGIN CERTIFICATE-----",
    "<html>",
];

/// A change of a text.
#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, &'static str),
    Replace(usize, usize, &'static str),
    Byte(usize, u8),
    Double(usize, usize),
    Cut(usize),
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let place = || any::<usize>();
    let odd = || prop::sample::select(&ODD[..]);
    prop_oneof![
        3 => (place(), odd()).prop_map(|(place, text)| Edit::Insert(place, text)),
        3 => (place(), 0_usize..24, odd()).prop_map(|(place, length, text)| Edit::Replace(place, length, text)),
        2 => (place(), any::<u8>()).prop_map(|(place, byte)| Edit::Byte(place, byte)),
        1 => (place(), 0_usize..80).prop_map(|(place, length)| Edit::Double(place, length)),
        1 => place().prop_map(Edit::Cut),
    ]
}

fn edited(text: &str, edits: &[Edit]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for edit in edits {
        let at = |place: &usize| place % (bytes.len() + 1);
        match edit {
            Edit::Insert(place, text) => {
                let at = at(place);
                bytes.splice(at..at, text.bytes());
            }
            Edit::Replace(place, length, text) => {
                let at = at(place);
                let end = (at + length).min(bytes.len());
                bytes.splice(at..end, text.bytes());
            }
            Edit::Byte(place, byte) => {
                let at = at(place);
                if let Some(known) = bytes.get_mut(at) {
                    *known = *byte;
                }
            }
            Edit::Double(place, length) => {
                let at = at(place);
                let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            Edit::Cut(place) => bytes.truncate(at(place)),
        }
    }
    bytes
}

/// A text with a few edits, as bytes.
pub(crate) fn mangled(text: String) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any_edit(), 0..6).prop_map(move |edits| edited(&text, &edits))
}

fn mangled_text(text: String) -> impl Strategy<Value = String> {
    mangled(text).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn orders() -> String {
    json!({"total": 3, "data": [
        {"id": 1, "draftCreatedAt": "2025-11-01T08:00:00.120Z", "updatedAt": "2025-11-01T08:00:00.120Z", "version": 1, "isLatest": 1,
         "status": "paid", "totalPrice": "2.15", "subtotalPrice": "1.80", "totalTax": "0.35", "storeId": "7", "note": {"x": [1, 2]},
         "products": [{"id": 5, "name": "Kaffee", "quantity": 1, "weight": 0.25}, {"id": 6, "name": "Tee \"grün\""}]},
        {"id": "2", "draftCreatedAt": "2025-11-01T08:00:01.000Z", "sessionId": "s2", "products": []},
        {"id": 3, "draftCreatedAt": "2025-11-01T08:00:02.000Z", "payment": {"status": "ok"}}]})
    .to_string()
}

fn rows(list: &str) -> String {
    let at = "2025-11-01T08:00:00.120Z";
    let row = |id: u64| json!({"id": id, "updatedAt": at, "createdAt": at, "storeId": 7, "name": "n", "order": {"storeId": "7"}});
    json!({list: [row(1), row(2), row(3)]}).to_string()
}

fn config() -> String {
    json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"}, "start_date": "2025-01-01T00:00:00Z",
        "end_date": "2026-01-01T00:00:00Z", "store_ids": [1, 2], "statuses": ["paid"], "changes": "updated", "changes_days": 14,
        "requests_per_second": 15, "base_url": "https://api.example/api/admin/v2", "ca_certificate": "x"})
    .to_string()
}

fn sound_config() -> Config {
    Config::parse(&config().replace(",\"ca_certificate\":\"x\"", "")).unwrap()
}

fn states() -> String {
    let stream = |name: &str, state: Value| json!({"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": state}});
    let at = "2025-11-05T00:00:00.000Z";
    let orders = json!({"draftCreatedAt": at, "updatedAt": at, "sweep": {"draftCreatedAt": at, "updatedAt": at},
        "recent": "f3fbd4f58ad7668c", "undated": "f3fbd4f58ad7668c", "unseen": ["storeId=2"],
        "window": {"readAt": at, "from": "2025-11-04T20:00:00.000Z", "hours": 1, "form": 2, "digests": ["15da59caabd7561b0000000000000000"]}});
    let mut lines = orders.clone();
    lines["orderDraftCreatedAt"] = at.into();
    let sessions = json!({"updatedAt": at, "walk": {"after": "7", "until": at, "newest": at}});
    json!([stream("orders", orders), stream("order_line_items", lines), stream("sessions", sessions)])
        .to_string()
}

/// A failure that somebody can act on.
fn is_told(failure: &Failure, kinds: &[FailureKind]) -> bool {
    kinds.contains(&failure.kind) && failure.message.len() > 20 && failure.message.len() < 20_000
}

/// The items of the list under `name`, where that is beyond doubt.
fn items(body: &[u8], name: &str) -> Option<usize> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let once = String::from_utf8_lossy(body).matches(&format!("\"{name}\"")).count() == 1;
    value.get(name)?.as_array().filter(|_| once).map(Vec::len)
}

proptest! {
    #[test]
    fn untrusted_pages_of_orders_lose_no_item(body in mangled(orders())) {
        let mut reader = PageReader::of_orders(&Personal::Keep);
        match reader.read(&body) {
            Err(Unusable::Unreadable(error)) => prop_assert!(error.to_string().len() < 200),
            Err(Unusable::Doubtful(doubt)) => prop_assert!(!doubt.what.is_empty() && doubt.what.len() < 300),
            Ok(page) => {
                let Page { rows, undated, unreadable } = &page;
                if let Some(items) = items(&body, "data") {
                    prop_assert_eq!(rows.len() + undated.len() + unreadable.len(), items);
                }
                for row in rows.iter().chain(undated) {
                    let record: Value = serde_json::from_slice(&row.data).unwrap();
                    prop_assert_eq!(record["id"].as_u64(), Some(row.id));
                    _ = crate::record::digest::digest(&row.data);
                }
                // The machine takes it, whatever it asked for.
                let config = sound_config();
                let mut sync = Sync::new(&config, Scope::of(&config), SyncMode::Incremental, None, timestamp::parse("2025-12-01T00:00:00Z").unwrap());
                for _ in 0..4 {
                    let Some((ticket, _)) = sync.request() else { break };
                    let again = reader.read(&body).unwrap();
                    if sync.answer(ticket, Response::read(Ok(again), None).0).is_err() {
                        break;
                    }
                }
                sync.checkpoint();
                _ = sync.steps();
            }
        }
    }

    #[test]
    fn untrusted_pages_of_lists_lose_no_item(
        (list, body) in prop::sample::select(ALL).prop_flat_map(|list| (Just(list), mangled(rows(list.rows)))),
    ) {
        match ListReader::new(list, &Personal::Keep).read(&body) {
            Err(Unusable::Unreadable(error)) => prop_assert!(error.to_string().len() < 200),
            Err(Unusable::Doubtful(doubt)) => prop_assert!(!doubt.what.is_empty() && doubt.what.len() < 300),
            Ok(page) => {
                let rows = page.rows.iter().filter(|row| !row.is_stand_in()).count();
                if let Some(items) = items(&body, list.rows) {
                    prop_assert_eq!(rows + page.unreadable.len(), items);
                }
            }
        }
    }

    #[test]
    fn untrusted_pages_of_single_orders_end(body in mangled(r#"{"id":1,"draftCreatedAt":"2025-11-01T08:00:00Z","lineItems":[{"quantity":1}],"x":1}"#.to_owned())) {
        let order = serde_json::to_vec(&json!({"data": [{"id": 1, "draftCreatedAt": "2025-11-01T08:00:00Z"}]})).unwrap();
        let listed: Row = PageReader::of_orders(&Personal::Keep).read(&order).unwrap().rows.remove(0);
        if let Ok(detail) = DetailReader::of_details(&Personal::Keep).read(&body, &Due::new(0, &listed)) {
            let record: Value = serde_json::from_slice(&detail.data).unwrap();
            prop_assert_eq!(&record["id"], 1);
        }
    }

    #[test]
    fn untrusted_configurations_are_used_or_refused_in_words(text in mangled_text(config())) {
        if let Err(failure) = Config::parse(&text) {
            prop_assert!(is_told(&failure, &[FailureKind::Config]), "{failure:?}");
        }
    }

    #[test]
    fn untrusted_catalogs_are_used_or_refused_in_words(text in mangled_text(include_str!("../integration_tests/configured_catalog.json").to_owned())) {
        let names: Vec<Value> = crate::run::streams(&Personal::Keep, false);
        let names: Vec<&str> = names.iter().filter_map(|entry| entry["name"].as_str()).collect();
        if let Err(failure) = catalog::parse(&text, &names) {
            prop_assert!(is_told(&failure, &[FailureKind::Catalog]), "{failure:?}");
        }
    }

    #[test]
    fn untrusted_states_are_used_or_refused_in_words(text in mangled_text(states()), full: bool) {
        let states = match SavedStates::parse(&text) {
            Ok(states) => states,
            Err(failure) => {
                prop_assert!(is_told(&failure, &[FailureKind::State]), "{failure:?}");
                return Ok(());
            }
        };
        let config = sound_config();
        let now = timestamp::parse("2025-12-01T00:00:00Z").unwrap();
        let mode = if full { SyncMode::FullRefresh } else { SyncMode::Incremental };
        for stream in OrderStream::ALL {
            match states.of(stream.name()).map(|state| StreamState::parse(state, stream)).transpose() {
                Err(failure) => prop_assert!(is_told(&failure, &[FailureKind::State]), "{failure:?}"),
                Ok(saved) => {
                    let mut sync = Sync::new(&config, Scope::of(&config), mode, saved, now);
                    while let Some((ticket, _)) = sync.request() {
                        if sync.answer(ticket, Response::of(Ok(Vec::new()), Some(now))).is_err() {
                            break;
                        }
                    }
                    sync.checkpoint();
                    _ = (sync.steps(), sync.last_state());
                }
            }
        }
        for list in ALL {
            match ListSync::new(list, &config, mode, states.of(list.name)) {
                Err(failure) => prop_assert!(is_told(&failure, &[FailureKind::State]), "{failure:?}"),
                Ok(sync) => {
                    let mut passes = Passes::new(list, sync);
                    passes.begin(now);
                    _ = (passes.request(), passes.accept(Vec::new()), passes.state());
                }
            }
        }
    }
}
