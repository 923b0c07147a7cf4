//! Stores and roles that are added, removed and added again: no order of theirs is missing.

use std::collections::BTreeSet;

use aifi_sandbox::{Behaviour, Filter, Options, Sandbox};
use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::complete::settled;
use crate::harness::{FAMILY, Outcome, Run, Truth, Warehouse, assert_holds, config, sandbox};
use crate::order_family::{a_quarter_of_an_hour, few, sync};

fn of_stores(sandbox: &Sandbox, stores: &[u32]) -> (Value, Filter) {
    let mut config = config(sandbox);
    if !stores.is_empty() {
        config["store_ids"] = json!(stores);
    }
    (config, Filter { store_ids: stores.to_vec(), ..settled(sandbox) })
}

#[test]
fn a_store_that_is_added_later_is_read_from_the_start_date_in_every_table() {
    let sandbox = sandbox(few(Behaviour::default()));
    let mut warehouse = Warehouse::default();
    for (stores, new) in [(&[1_u32][..], true), (&[1, 3], true), (&[3], false), (&[], true)] {
        let (config, filter) = of_stores(&sandbox, stores);
        let outcome = sync(&config, &mut warehouse, &FAMILY);
        let read = outcome.records_of("orders").len();
        assert_eq!(read > 0, new, "{stores:?}: {read} records");
        let truth = Truth::of(&sandbox, &filter);
        if new {
            truth.assert_holds(&warehouse, &FAMILY);
        }
        let again = sync(&config, &mut warehouse, &FAMILY);
        assert_eq!(again.records().len(), 0, "{stores:?}: what is written is not written again");
        sandbox.advance(TimeDelta::minutes(5));
    }
}

#[test]
fn a_store_that_is_added_again_resumes_where_it_was_left_in_every_table() {
    let sandbox = sandbox(few(Behaviour::default()));
    let mut warehouse = Warehouse::default();
    let read = |warehouse: &mut Warehouse, stores: &[u32]| {
        let (config, filter) = of_stores(&sandbox, stores);
        (sync(&config, warehouse, &FAMILY), Truth::of(&sandbox, &filter))
    };
    _ = read(&mut warehouse, &[1, 2, 3]);
    for stores in [&[1, 2][..], &[1]] {
        a_quarter_of_an_hour(&sandbox);
        _ = read(&mut warehouse, stores);
    }
    a_quarter_of_an_hour(&sandbox);
    let before: Vec<Value> = warehouse.table("orders").into_values().cloned().collect();
    let (again, truth) = read(&mut warehouse, &[1, 2, 3]);
    truth.assert_holds(&warehouse, &FAMILY);
    assert!(again.logs().iter().filter(|line| line.contains("added again since the last sync")).count() >= 2);
    let twice = again.records_of("orders").into_iter().filter(|order| before.contains(order)).count();
    assert_eq!(twice, 0, "what is written is not written again");
    let (quiet, _) = read(&mut warehouse, &[1, 2, 3]);
    assert_eq!(quiet.records().len(), 0, "what is written is not written again");
    for stream in FAMILY {
        assert_eq!(warehouse.state(stream)["parts"], Value::Null, "{stream}");
    }
}

#[test]
fn only_what_was_added_is_read_again_and_the_log_names_it() {
    let sandbox = sandbox(Options { orders: 900, contested_percent: 0, ..Options::default() });
    let (config, _) = of_stores(&sandbox, &[1, 2]);
    let first = Run::incremental(&config).finish().succeeded();
    let (config, _) = of_stores(&sandbox, &[1, 2, 4]);
    let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    let added = Filter { store_ids: vec![4], ..settled(&sandbox) };
    assert_holds(&second.records(), &sandbox.expected(&added), true);
    assert!(
        second
            .logs()
            .iter()
            .any(|line| line.contains("added since the last sync") && line.contains("storeId=4"))
    );
    let state = &second.last_state()["state"]["stream"]["stream_state"];
    assert_eq!(state["partitions"], json!(["storeId=1", "storeId=2", "storeId=4"]));
}

#[test]
fn what_is_read_of_a_store_that_was_added_has_a_receipt_of_its_own() {
    let sandbox = sandbox(Options { orders: 900, contested_percent: 0, ..Options::default() });
    let read = |stores: &[u32], states: &[&Value]| {
        let (config, _) = of_stores(&sandbox, stores);
        let run = Run::of_streams(&config, "incremental", &["orders", "sync_audit"]);
        run.resuming_all(states).finish().succeeded()
    };
    let first = read(&[1, 2], &[]);
    sandbox.advance(TimeDelta::minutes(5));
    sandbox.add_orders(40);
    let second = read(&[1, 2, 4], &[first.last_state_of("orders")]);
    let (mut parts, mut written) = (BTreeSet::new(), 0);
    for receipt in second.records_of("sync_audit") {
        let of = |field: &str| receipt[field].as_str().unwrap().to_owned();
        let (from, until) = (of("fromDraftCreatedAt"), of("untilDraftCreatedAt"));
        let within = second
            .records_of("orders")
            .iter()
            .filter(|order| {
                let at = order["draftCreatedAt"].as_str().unwrap();
                *from <= *at && *at < *until
            })
            .count() as u64;
        let of_receipt = receipt["ordersWritten"].as_u64().unwrap();
        // Of the others, those that have changed are a part.
        assert!(of_receipt == within || (of("part") == "changes" && of_receipt < within), "{receipt}");
        if of_receipt > 0 {
            parts.insert(of("part"));
        }
        written += of_receipt;
    }
    assert_eq!(written, second.records_of("orders").len() as u64);
    assert_eq!(parts, BTreeSet::from(["changes".to_owned(), "range".to_owned()]));
}

#[test]
fn roles_are_partitions_too() {
    let sandbox = sandbox(Options { orders: 900, contested_percent: 0, ..Options::default() });
    let mut config = config(&sandbox);
    config["customer_roles"] = json!(["customer"]);
    let first = Run::incremental(&config).finish().succeeded();
    config["customer_roles"] = json!(["customer", "employee"]);
    let second = Run::incremental(&config).resuming(first.last_state()).finish().succeeded();
    let of = |role: &str| Filter { customer_roles: vec![role.to_owned()], ..settled(&sandbox) };
    assert_holds(&second.records(), &sandbox.expected(&of("employee")), true);
}

/// All orders were being read when the sync was cut off, so nothing is known of a store among them.
#[test]
fn a_store_of_a_partition_that_was_not_read_to_its_end_is_read_as_a_whole() {
    let sandbox = sandbox(Options { orders: 900, contested_percent: 0, ..Options::default() });
    let (config, filter) = of_stores(&sandbox, &[1]);
    let first = Run::incremental(&config).finish().succeeded();
    let mut state = first.last_state().clone();
    let fields = state["state"]["stream"]["stream_state"].as_object_mut().unwrap();
    fields.remove("partitions");
    fields.insert("unseen".to_owned(), json!(["all"]));
    let second = Run::incremental(&config).resuming(&state).finish().succeeded();
    assert_holds(&second.records(), &sandbox.expected(&filter), true);
}

#[test]
fn lists_bring_the_rows_of_a_store_that_is_added_later() {
    let sandbox = sandbox(Options { orders: 700, stores: 9, contested_percent: 40, ..Options::default() });
    let streams = ["sessions", "contests"];
    let read = |stores: &[u32], states: &[&Value]| {
        let (config, _) = of_stores(&sandbox, stores);
        Run::of_streams(&config, "incremental", &streams).resuming_all(states).finish().succeeded()
    };
    let ids = |outcome: &Outcome, stream: &str| -> BTreeSet<String> {
        outcome.records_of(stream).iter().map(|record| record["id"].to_string()).collect()
    };
    let whole = read(&[], &[]);
    let mut held = [BTreeSet::new(), BTreeSet::new()];
    let mut states: Vec<Value> = Vec::new();
    for stores in [&[2_u32][..], &[2, 5], &[5], &[]] {
        let outcome = read(stores, &states.iter().collect::<Vec<_>>());
        for (held, stream) in held.iter_mut().zip(streams) {
            let new = ids(&outcome, stream);
            assert_eq!(new.is_empty(), stores == [5], "{stream} {stores:?}");
            if stores == [2, 5] {
                assert!(new.is_disjoint(held), "{stream}: the rows of the first store come once");
            }
            held.extend(new);
        }
        states = streams.map(|stream| outcome.last_state_of(stream).clone()).into();
        let again = read(stores, &states.iter().collect::<Vec<_>>());
        assert_eq!(again.records().len(), 0, "{stores:?}");
    }
    for (held, stream) in held.iter().zip(streams) {
        assert_eq!(*held, ids(&whole, stream), "{stream}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is configured from sync to sync, and wherever one is killed: in the end the table holds what is configured.
    #[test]
    fn any_history_of_stores_ends_complete(
        history in prop::collection::vec((prop::collection::btree_set(1_u32..5, 0..4), 5_000_usize..900_000, any::<bool>()), 1..5),
        seed in 0_u64..1_000,
    ) {
        let sandbox = sandbox(Options { orders: 700, stores: 4, contested_percent: 0, seed, ..Options::default() });
        let mut state: Option<Value> = None;
        let mut outcomes = Vec::new();
        let mut stores: Vec<u32> = Vec::new();
        for (configured, bytes, killed) in history {
            stores = configured.into_iter().collect();
            let (config, _) = of_stores(&sandbox, &stores);
            let run = Run::incremental(&config);
            let run = match &state { Some(state) => run.resuming(state), None => run };
            let outcome = if killed { run.killed_after(bytes) } else { run.finish().succeeded() };
            state = outcome.states().last().map(|state| (*state).clone()).or(state);
            outcomes.push(outcome);
        }
        let (config, filter) = of_stores(&sandbox, &stores);
        let run = Run::incremental(&config);
        outcomes.push(match &state { Some(state) => run.resuming(state), None => run }.finish().succeeded());
        let wanted: BTreeSet<String> = sandbox.expected(&filter).into_iter().map(|order| order.id).collect();
        let held: BTreeSet<String> =
            outcomes.iter().flat_map(|outcome| outcome.records()).map(|record| record["id"].to_string()).collect();
        let missing: Vec<_> = wanted.difference(&held).collect();
        prop_assert!(missing.is_empty(), "{} of {} are missing", missing.len(), wanted.len());
    }
}
