//! The streams that are fed by the walk through the orders: each table holds what the sandbox knows, at the price of one walk.

use std::collections::BTreeSet;

use aifi_sandbox::{
    Behaviour, Filter, Ids, Options, Sandbox, Stamps, Superseded, UpdatedAt, UpdatedFilter, VersionIds,
    Versions,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::complete::settled;
use crate::harness::{FAMILY, Outcome, Run, Truth, Warehouse, config, key, sandbox};

/// So few that their pages are asked for in seconds.
pub(crate) fn few(behaviour: Behaviour) -> Options {
    Options { orders: 60, contested_percent: 15, behaviour, ..Options::default() }
}

/// A sync of these streams that resumes from what the warehouse holds.
pub(crate) fn sync(config: &Value, warehouse: &mut Warehouse, streams: &[&str]) -> Outcome {
    let run = Run::of_streams(config, "incremental", streams).resuming_all(&warehouse.states());
    let outcome = run.finish().succeeded();
    warehouse.take_all(&outcome);
    outcome
}

/// What happens in a quarter of an hour: orders are contested, reviewed and paid, and new ones come.
pub(crate) fn a_quarter_of_an_hour(sandbox: &Sandbox) {
    sandbox.advance(TimeDelta::minutes(10));
    let orders = sandbox.expected(&Filter::default());
    let ids = orders.iter().rev().step_by(3).map(|order| order.id.parse().unwrap());
    for (number, id) in ids.take(9).enumerate() {
        match number % 3 {
            0 => _ = sandbox.contest(id),
            1 => _ = sandbox.contest(id).and_then(|id| sandbox.review(id)),
            _ => _ = sandbox.pay(id),
        }
    }
    sandbox.advance(TimeDelta::minutes(5));
    sandbox.add_orders(6);
}

fn holds_in_both_modes_and_after_changes(behaviour: Behaviour) {
    let in_a_day = behaviour.updated_at == UpdatedAt::StandsStill;
    let of_versions = behaviour.versions;
    let sandbox = sandbox(few(behaviour));
    let config = config(&sandbox);
    let truth = Truth::of(&sandbox, &settled(&sandbox));
    let whole = Run::of_streams(&config, "full_refresh", &FAMILY).finish().succeeded();
    let mut refreshed = Warehouse::default();
    refreshed.take_all(&whole);
    truth.assert_holds(&refreshed, &FAMILY);
    let mut warehouse = Warehouse::default();
    sync(&config, &mut warehouse, &FAMILY);
    truth.assert_holds(&warehouse, &FAMILY);
    let listed_before = truth.versions();
    a_quarter_of_an_hour(&sandbox);
    if in_a_day {
        sandbox.advance(TimeDelta::hours(24));
    }
    sync(&config, &mut warehouse, &FAMILY);
    let mut truth = Truth::of(&sandbox, &settled(&sandbox));
    if of_versions == Versions::LatestOnly {
        truth.listed_before = listed_before;
    }
    truth.assert_holds(&warehouse, &FAMILY);
}

/// One test for each reading.
macro_rules! readings {
    ($($name:ident: $behaviour:expr;)*) => {$(
        #[test]
        fn $name() {
            holds_in_both_modes_and_after_changes($behaviour);
        }
    )*};
}

readings! {
    all_tables_hold_as_documented: Behaviour::default();
    all_tables_hold_where_the_latest_version_only_is_listed: Behaviour { versions: Versions::LatestOnly, ..Behaviour::default() };
    all_tables_hold_where_each_version_has_a_new_id: Behaviour { version_ids: VersionIds::New, ..Behaviour::default() };
    all_tables_hold_where_superseded_rows_stay_stale: Behaviour { superseded: Superseded::Stale, ..Behaviour::default() };
    all_tables_hold_where_the_filter_of_changes_is_ignored: Behaviour { updated_filter: UpdatedFilter::Ignored, ..Behaviour::default() };
    all_tables_hold_where_update_times_stand_still: Behaviour { updated_at: UpdatedAt::StandsStill, ..Behaviour::default() };
    all_tables_hold_where_ids_are_texts: Behaviour { ids: Ids::String, ..Behaviour::default() };
    all_tables_hold_where_values_are_odd: Behaviour { odd_values: true, ..Behaviour::default() };
    all_tables_hold_where_pages_are_short: Behaviour { page_cap: Some(12), ..Behaviour::default() };
    all_tables_hold_where_stamps_have_microseconds: Behaviour { stamps: Stamps::Micros, ..Behaviour::default() };
}

#[test]
fn fields_that_the_schema_does_not_know_are_kept_in_every_table() {
    let behaviour = Behaviour { extra_fields: true, ..Behaviour::default() };
    let sandbox = sandbox(few(behaviour));
    let mut warehouse = Warehouse::default();
    sync(&config(&sandbox), &mut warehouse, &FAMILY);
    Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY);
    for stream in FAMILY {
        let rows = warehouse.table(stream);
        let (field, value) = match stream {
            "order_line_items" => ("shelf", json!({"gondola": 4, "bin": "B-12"})),
            _ => ("device", json!({"kind": "gate", "lanes": [1, 2]})),
        };
        assert!(
            rows.len() >= 60 && rows.values().all(|row| row["additionalFields"][field] == value),
            "{stream}"
        );
    }
}

#[test]
fn line_items_and_versions_cost_no_request_of_their_own() {
    let sandbox = sandbox(Options { orders: 3_000, contested_percent: 4, ..Options::default() });
    let config = config(&sandbox);
    let truth = Truth::of(&sandbox, &settled(&sandbox));
    for streams in [&FAMILY[..1], &FAMILY[..3], &FAMILY[1..2], &FAMILY[2..3]] {
        sandbox.reset_stats();
        let mut warehouse = Warehouse::default();
        sync(&config, &mut warehouse, streams);
        let stats = sandbox.stats();
        let counts = (stats.orders, stats.requests, stats.answered("order"));
        assert_eq!(counts, (16, 16, 0), "{streams:?}");
        if streams.contains(&"orders") {
            truth.assert_holds(&warehouse, streams);
        }
    }
}

#[test]
fn details_cost_one_request_for_each_order_and_no_page_of_the_list() {
    let sandbox = sandbox(few(Behaviour::default()));
    let config = config(&sandbox);
    let pages = |streams: &[&str]| {
        sandbox.reset_stats();
        sync(&config, &mut Warehouse::default(), streams);
        (sandbox.stats().orders, sandbox.stats().answered("order"))
    };
    let orders = sandbox.expected(&settled(&sandbox)).len() as u64;
    assert_eq!(pages(&FAMILY[..1]), (2, 0));
    assert_eq!(pages(&FAMILY), (2, orders));
    assert_eq!(pages(&FAMILY[3..]), (2, orders));
}

/// `child` is selected when the orders have been read already, and an order has changed since.
fn selected_later(child: &str, options: Options) {
    let sandbox = sandbox(options);
    let config = config(&sandbox);
    let mut warehouse = Warehouse::default();
    sync(&config, &mut warehouse, &["orders"]);
    a_quarter_of_an_hour(&sandbox);
    let both = ["orders", child];
    let second = sync(&config, &mut warehouse, &both);
    let (orders, of_child) = (second.records_of("orders"), second.records_of(child));
    assert!((6..=15).contains(&orders.len()), "{} orders: those that are new or have changed", orders.len());
    let distinct = |stream: &str, records: &[&Value]| -> usize {
        records.iter().map(|record| key(stream, record)).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(distinct("orders", &orders), orders.len(), "none came twice");
    assert_eq!(distinct(child, &of_child), of_child.len(), "none came twice");
    Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &both);

    a_quarter_of_an_hour(&sandbox);
    let pages = |warehouse: &mut Warehouse, streams: &[&str]| {
        sandbox.reset_stats();
        let outcome = sync(&config, warehouse, streams);
        let walks = outcome
            .logs()
            .iter()
            .filter(|line| {
                line.contains("together, from the same requests") || line.contains("from the list of orders")
            })
            .count();
        (sandbox.stats().orders, walks)
    };
    let (alone, _) = pages(&mut warehouse.clone(), &["orders"]);
    assert_eq!(pages(&mut warehouse, &both), (alone, 1), "one walk for both");
    Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &both);
}

#[test]
fn line_items_selected_later_come_whole_and_then_share_the_walk() {
    selected_later("order_line_items", Options { orders: 900, contested_percent: 5, ..Options::default() });
}

#[test]
fn versions_selected_later_come_whole_and_then_share_the_walk() {
    selected_later("order_versions", Options { orders: 900, contested_percent: 5, ..Options::default() });
}

#[test]
fn details_selected_later_come_whole_and_then_share_the_walk() {
    selected_later("order_details", few(Behaviour::default()));
}

#[test]
fn filters_hold_for_every_table() {
    let sandbox = sandbox(Options { orders: 120, contested_percent: 20, ..Options::default() });
    let until = settled(&sandbox).until;
    for (change, filter) in [
        (
            json!({"statuses": ["paid"], "store_ids": [1, 2]}),
            Filter { statuses: vec!["paid".into()], store_ids: vec![1, 2], ..Filter::default() },
        ),
        (
            json!({"statuses": ["contested", "reviewed"]}),
            Filter { statuses: vec!["contested".into(), "reviewed".into()], ..Filter::default() },
        ),
        (json!({"store_ids": [3]}), Filter { store_ids: vec![3], ..Filter::default() }),
    ] {
        let mut config = config(&sandbox);
        config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut warehouse = Warehouse::default();
        sync(&config, &mut warehouse, &FAMILY);
        let truth = Truth::of(&sandbox, &Filter { until, ..filter });
        assert!(truth.orders() > 5);
        truth.assert_holds(&warehouse, &FAMILY);
    }
}
