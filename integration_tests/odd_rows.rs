//! Rows that a reader cannot place, key or hold: one of them stops none of the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{Nulls, Outcome, Run, api, without};

fn order(id: u64) -> Value {
    let at = format!("2025-11-{:02}T08:{:02}:{:02}.000Z", id % 20 + 1, id / 60 % 60, id % 60);
    json!({"id": id, "draftCreatedAt": at, "updatedAt": at, "version": 1, "isLatest": true, "sessionId": format!("s{id}"),
        "status": "paid", "totalPrice": "2.15", "products": [{"id": id, "name": "Kaffee"}]})
}

fn ids(outcome: &Outcome, stream: &str) -> Vec<u64> {
    let mut ids: Vec<u64> = outcome
        .records_of(stream)
        .iter()
        .map(|record| record["id"].as_u64().or_else(|| record["id"].as_str()?.parse().ok()).unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

/// The last state of each stream.
fn last_states(outcome: &Outcome) -> Vec<&Value> {
    let name = |state: &Value| state["state"]["stream"]["stream_descriptor"]["name"].to_string();
    let states: BTreeMap<String, &Value> =
        outcome.of_type("STATE").map(|state| (name(state), state)).collect();
    states.into_values().collect()
}

const ORDERS: [&str; 4] = ["orders", "order_line_items", "order_versions", "unreadable_rows"];

#[test]
fn orders_without_a_date_are_written_once_wherever_the_api_sorts_them() {
    for nulls in [Nulls::First, Nulls::Within] {
        let mut orders: Vec<Value> = (1..=60).map(order).collect();
        orders[6]["draftCreatedAt"] = Value::Null;
        orders[7] = without(order(8), "draftCreatedAt");
        orders[8]["draftCreatedAt"] = json!("0000-00-00");
        let server = api(orders, nulls, json!({}));
        let first =
            Run::of_streams(&server.config(), "incremental", &ORDERS).finish_with_undated().succeeded();
        assert_eq!(ids(&first, "orders"), (1..=60).collect::<Vec<_>>(), "{nulls:?}");
        assert_eq!(first.records_of("order_line_items").len(), 60);
        let named =
            first.logs().iter().filter(|line| line.contains("no draftCreatedAt that is a date")).count();
        assert_eq!(named, 3, "{:?}", first.logs());
        let second = Run::of_streams(&server.config(), "incremental", &ORDERS)
            .resuming_all(&last_states(&first))
            .finish_with_undated();
        assert_eq!(ids(&second.succeeded(), "orders"), [0_u64; 0], "nothing has changed");
    }
}

#[test]
fn a_date_in_the_column_is_null_and_the_text_is_kept() {
    let mut odd = order(2);
    odd["draftCreatedAt"] = json!("soon");
    let server = api(vec![order(1), odd], Nulls::First, json!({}));
    let outcome = Run::incremental(&server.config()).finish_with_undated().succeeded();
    let records = outcome.records_of("orders");
    let record = records.iter().find(|record| record["id"] == 2).unwrap();
    assert_eq!(record["draftCreatedAt"], Value::Null);
    assert_eq!(record["additionalFields"]["draftCreatedAt"], "soon");
    assert!(outcome.stdout.contains(r#""changes":[{"field":"draftCreatedAt","change":"NULLED""#));
}

#[test]
fn more_orders_without_a_date_than_a_page_holds_hide_no_other() {
    for nulls in [Nulls::First, Nulls::Within, Nulls::Last] {
        let undated = (1_000..1_450).map(|id| without(order(id), "draftCreatedAt"));
        let server = api((1..=300).map(order).chain(undated).collect(), nulls, json!({}));
        let outcome = Run::incremental(&server.config()).finish_with_undated().succeeded();
        let dated: Vec<u64> = ids(&outcome, "orders").into_iter().filter(|id| *id < 1_000).collect();
        assert_eq!(dated, (1..=300).collect::<Vec<_>>(), "{nulls:?}");
    }
}

#[test]
fn items_that_are_no_order_are_kept_raw_and_the_others_arrive() {
    let mut orders: Vec<Value> = (1..=60).map(order).collect();
    orders[20] = json!({"id": "x-21", "draftCreatedAt": order(21)["draftCreatedAt"], "totalPrice": "9.99"});
    let server = api(orders, Nulls::First, json!({}));
    let outcome = Run::of_streams(&server.config(), "incremental", &ORDERS).finish_with_undated().succeeded();
    let expected: Vec<u64> = (1..=60).filter(|id| *id != 21).collect();
    assert_eq!(ids(&outcome, "orders"), expected);
    let unreadable = outcome.records_of("unreadable_rows");
    let row = &unreadable[0];
    assert_eq!((unreadable.len(), &row["stream"], &row["reason"]), (1, &json!("orders"), &json!("no_id")));
    let raw: Value = serde_json::from_str(row["rawItem"].as_str().unwrap()).unwrap();
    assert_eq!(raw["totalPrice"], "9.99");
    assert!(row["request"].as_str().unwrap().starts_with("GET /orders?"), "{row}");
    assert_eq!(outcome.statuses_of("unreadable_rows"), ["STARTED", "RUNNING", "COMPLETE"]);
    // It is committed before the state that moves on from it.
    let kinds = outcome.messages.iter().filter_map(|message| match message["type"].as_str()? {
        "RECORD" if message["record"]["stream"] == "unreadable_rows" => Some("row"),
        "STATE" => Some(match message["state"]["stream"]["stream_descriptor"]["name"].as_str()? {
            "unreadable_rows" => "its state",
            _ => "another state",
        }),
        _ => None,
    });
    assert_eq!(kinds.take(2).collect::<Vec<_>>(), ["row", "its state"]);

    let without_the_stream = Run::incremental(&server.config()).finish_with_undated().succeeded();
    let logged =
        |line: &&&str| line.contains("has no id that can be read") && line.contains("between the ids");
    assert_eq!(without_the_stream.logs().iter().filter(logged).count(), 1, "{:?}", without_the_stream.logs());
    let holds = |line: &&&str| line.contains("9.99");
    assert_eq!(without_the_stream.logs().iter().find(holds), None, "what it holds is not logged");
}

#[test]
fn rows_of_lists_without_key_or_change_do_not_stop_the_others() {
    let at = |id: u64| format!("2025-11-01T08:00:{:02}.000Z", id % 60);
    let row = |id: u64| json!({"id": id, "updatedAt": at(id), "createdAt": at(id), "name": format!("n{id}")});
    let mut rows: Vec<Value> = (1..=450).map(row).collect();
    rows[9] = json!({"id": 10, "updatedAt": null, "createdAt": at(10)});
    rows[10] = json!({"id": 11, "updatedAt": "soon"});
    for place in [20, 199, 200, 449] {
        rows[place] = json!({"name": format!("nobody {place}"), "updatedAt": at(1)});
    }
    let server =
        api(vec![order(1)], Nulls::First, json!({"sessions": rows, "contests": rows, "products": rows}));
    let streams = ["sessions", "contests", "products", "unreadable_rows"];
    let outcome =
        Run::of_streams(&server.config(), "full_refresh", &streams).finish_with_undated().succeeded();
    let expected: BTreeSet<u64> = (1..=450).filter(|id| ![21, 200, 201, 450].contains(id)).collect();
    for stream in ["sessions", "contests", "products"] {
        assert_eq!(ids(&outcome, stream).into_iter().collect::<BTreeSet<_>>(), expected, "{stream}");
        assert_eq!(ids(&outcome, stream).len(), expected.len(), "{stream}: each once");
        let kept = outcome.records_of("unreadable_rows");
        assert_eq!(kept.iter().filter(|record| record["stream"] == stream).count(), 4, "{stream}");
    }
    let first =
        Run::of_streams(&server.config(), "incremental", &["sessions"]).finish_with_undated().succeeded();
    let second = Run::of_streams(&server.config(), "incremental", &["sessions"])
        .resuming_all(&last_states(&first))
        .finish_with_undated()
        .succeeded();
    assert_eq!(ids(&second, "sessions"), [11], "of that one nothing says when it was made or changed");
}

#[test]
fn pages_that_are_too_large_are_asked_for_in_halves() {
    let picture = "iVBORw0KGgo".repeat(8_000);
    let heavy = |id: u64| {
        let mut order = order(id);
        order["extraText"] = json!(picture);
        order
    };
    let server = api((1..=520).map(heavy).collect(), Nulls::First, json!({}));
    let outcome = Run::incremental(&server.config()).finish_with_undated().succeeded();
    assert_eq!(ids(&outcome, "orders"), (1..=520).collect::<Vec<_>>());
    assert!(server.count("GET ") < 40, "{}", server.count("GET "));
}

#[test]
fn an_order_that_is_too_large_alone_is_named_and_what_is_before_it_is_written() {
    let mut orders: Vec<Value> = (1..=12).map(order).collect();
    orders[8]["extraText"] = json!("x".repeat(13 << 20));
    let order = orders[7]["draftCreatedAt"].as_str().unwrap()[..16].to_owned();
    let server = api(orders, Nulls::First, json!({}));
    let outcome = Run::incremental(&server.config()).finish_with_undated().failed("config_error");
    assert!(outcome.message().contains(&order), "{}", outcome.message());
    assert_eq!(
        ids(&outcome, "orders"),
        (1..=7).collect::<Vec<_>>(),
        "those before it, and before its neighbour"
    );
}

#[test]
fn a_value_that_does_not_fit_its_column_is_kept_named_and_counted() {
    let mut orders: Vec<Value> = (1..=30).map(order).collect();
    for order in &mut orders[10..] {
        order["totalPrice"] = json!({"amount": "2.15", "currencyCode": "EUR"});
        order["products"][0]["quantity"] = json!("many");
    }
    let server = api(orders, Nulls::First, json!({}));
    let outcome =
        Run::of_streams(&server.config(), "incremental", &["orders"]).finish_with_undated().succeeded();
    let records = outcome.records_of("orders");
    let kept = records.iter().filter(|record| record["additionalFields"]["totalPrice"]["amount"] == "2.15");
    assert_eq!(kept.count(), 20);
    let line = "orders: Values that did not fit their columns, by column: products[].quantity (20), totalPrice (20).";
    assert!(outcome.logs().iter().any(|log| log.starts_with(line)), "{:?}", outcome.logs());
    let check = Run::check(&server.config()).finish();
    let (status, message) = check.verdict();
    assert_eq!(status, "SUCCEEDED");
    assert!(message.contains("totalPrice ("), "{message}");
}
