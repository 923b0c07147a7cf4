//! A quiet API, under every reading of what its documentation leaves open: the table equals the API's orders.

use aifi_sandbox::{
    Behaviour, Bounds, Envelope, Filter, FirstPage, Ids, IsLatest, Options, Sandbox, Stamps, Superseded,
    Ties, UnknownParameters, UpdatedFilter, VersionIds, Versions,
};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{Outcome, Run, assert_holds, config, ids, sandbox};
use crate::simulation::World;

/// Twenty thousand orders, with instants that hold less than a page, just a page, and several.
pub(crate) fn many(behaviour: Behaviour) -> Options {
    Options {
        orders: 20_000,
        ties: vec![3, 199, 200, 201, 450],
        contested_percent: 4,
        behaviour,
        ..Options::default()
    }
}

/// Fewer, for one reading of the API, or one fault, of many: still fifty pages, some of them of one instant.
pub(crate) fn fewer(behaviour: Behaviour) -> Options {
    Options { orders: 8_000, ..many(behaviour) }
}

/// What a sync may have read by now: the orders drafted before the horizon.
pub(crate) fn settled(sandbox: &Sandbox) -> Filter {
    Filter { until: Some(sandbox.now() - TimeDelta::minutes(2)), ..Filter::default() }
}

fn read_all(options: Options, sync_mode: &str) -> (Sandbox, Outcome) {
    let sandbox = sandbox(options);
    let outcome = Run::read(&config(&sandbox), sync_mode).finish().succeeded();
    assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
    assert_eq!(
        outcome.cursors().last(),
        Some(&"2025-11-30T23:58:00.000Z"),
        "the horizon, not the last order"
    );
    (sandbox, outcome)
}

#[test]
fn full_refresh_reads_every_order_once() {
    let (sandbox, outcome) = read_all(many(Behaviour::default()), "full_refresh");
    let stats = sandbox.stats();
    assert!(stats.requests < 140, "{} requests for 20,000 orders", stats.requests);
    assert!(outcome.states().len() >= 15, "states on the way, to resume from");
}

#[test]
fn incremental_reads_every_order_once_and_then_only_what_is_new() {
    let (sandbox, first) = read_all(many(Behaviour::default()), "incremental");
    let before = ids(&first.records());
    sandbox.advance(TimeDelta::hours(2));
    sandbox.add_orders(350);
    let second = Run::incremental(&config(&sandbox)).resuming(first.last_state()).finish().succeeded();
    assert_eq!(second.records().len(), 350);
    assert!(ids(&second.records()).iter().all(|id| !before.contains(id)));
    let mut all = first.records();
    all.extend(second.records());
    assert_holds(&all, &sandbox.expected(&settled(&sandbox)), true);
    let third = Run::incremental(&config(&sandbox)).resuming(second.last_state()).finish().succeeded();
    assert_eq!((third.records().len(), third.cursors()), (0, vec![*second.cursors().last().unwrap()]));
}

/// One test for each reading, in virtual time.
macro_rules! readings {
    ($($name:ident: $behaviour:expr;)*) => {$(
        #[test]
        fn $name() {
            let mut world = World::new(fewer($behaviour), &json!({"start_date": "2025-01-01T00:00:00Z"}));
            let outcome = world.outcome(&[]).succeeded();
            let expected = world.settled();
            assert_holds(&outcome.records(), &expected, true);
            assert_eq!(outcome.cursors().last(), Some(&"2025-11-30T23:58:00.000Z"));
        }
    )*};
}

readings! {
    bounds_exclusive: Behaviour { bounds: Bounds::Exclusive, ..Behaviour::default() };
    bounds_truncated_to_seconds: Behaviour { bounds: Bounds::TruncatedToSeconds, ..Behaviour::default() };
    first_page_is_one: Behaviour { first_page: FirstPage::One, ..Behaviour::default() };
    ties_in_unstable_order: Behaviour { ties: Ties::Unstable, ..Behaviour::default() };
    updated_filter_ignored: Behaviour { updated_filter: UpdatedFilter::Ignored, ..Behaviour::default() };
    updated_filter_refused: Behaviour { updated_filter: UpdatedFilter::Refused, ..Behaviour::default() };
    latest_version_only: Behaviour { versions: Versions::LatestOnly, ..Behaviour::default() };
    new_id_for_each_version: Behaviour { version_ids: VersionIds::New, ..Behaviour::default() };
    new_id_and_latest_only: Behaviour { version_ids: VersionIds::New, versions: Versions::LatestOnly, ..Behaviour::default() };
    superseded_rows_stay_stale: Behaviour { superseded: Superseded::Stale, ..Behaviour::default() };
    superseded_rows_stay_stale_under_new_ids: Behaviour { superseded: Superseded::Stale, version_ids: VersionIds::New, ..Behaviour::default() };
    is_latest_as_boolean: Behaviour { is_latest: IsLatest::Boolean, ..Behaviour::default() };
    ids_as_strings: Behaviour { ids: Ids::String, ..Behaviour::default() };
    envelope_with_more_keys: Behaviour { envelope: Envelope::WithPagination, ..Behaviour::default() };
    unknown_parameters_refused: Behaviour { unknown_parameters: UnknownParameters::Refused, ..Behaviour::default() };
    pages_capped_below_what_is_asked: Behaviour { page_cap: Some(120), ..Behaviour::default() };
    stamps_with_microseconds: Behaviour { stamps: Stamps::Micros, ..Behaviour::default() };
    pretty_printed_bodies: Behaviour { pretty: true, ..Behaviour::default() };
    everything_at_its_most_awkward: Behaviour {
        bounds: Bounds::TruncatedToSeconds, first_page: FirstPage::One, ties: Ties::Unstable, ids: Ids::String,
        superseded: Superseded::Stale, unknown_parameters: UnknownParameters::Refused, stamps: Stamps::Micros,
        envelope: Envelope::WithPagination, pretty: true, extra_fields: true, ..Behaviour::default()
    };
}

#[test]
fn fields_that_the_schema_does_not_know_are_kept_and_named_once() {
    let behaviour = Behaviour { extra_fields: true, ..Behaviour::default() };
    let (_, outcome) = read_all(fewer(behaviour), "incremental");
    let kept = outcome.records().iter().filter(|record| record["additionalFields"].is_object()).count();
    assert_eq!(kept, outcome.records().len());
    let lines: Vec<_> =
        outcome.logs().into_iter().filter(|line| line.contains("does not know")).map(str::to_owned).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("products[]."), "{}", lines[0]);
}

#[test]
fn values_of_another_type_are_nulled_and_told_and_lose_no_order() {
    let sandbox = sandbox(fewer(Behaviour { odd_values: true, ..Behaviour::default() }));
    let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
    let mut read = ids(&outcome.records());
    let mut expected: Vec<String> =
        sandbox.expected(&settled(&sandbox)).into_iter().map(|order| order.id).collect();
    read.sort_unstable();
    expected.sort_unstable();
    assert!(read == expected, "{} read, {} expected", read.len(), expected.len());
    let changes: Vec<&str> = outcome
        .of_type("RECORD")
        .filter_map(|message| message["record"]["meta"]["changes"].as_array())
        .flatten()
        .filter_map(|change| change["field"].as_str())
        .collect();
    assert!(
        changes.iter().any(|field| field.ends_with(".weight")) && changes.contains(&"paidAt"),
        "{:?}",
        &changes[..5.min(changes.len())]
    );
}

#[test]
fn amounts_keep_every_digit_on_their_way() {
    let sandbox = sandbox(Options::default());
    let answer = sandbox
        .answer("/api/admin/v2/orders?includeProducts=true&pageSize=200", Some("sandbox-token-0123456789"));
    let page: Value = serde_json::from_slice(&answer.body).unwrap();
    let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
    let records = outcome.records();
    let mut compared = 0;
    for order in page["data"].as_array().unwrap() {
        let Some(record) = records
            .iter()
            .find(|record| record["id"] == order["id"] && record["version"] == order["version"])
        else {
            continue;
        };
        for amount in ["subtotalPrice", "totalPrice", "totalTax"] {
            assert!(order[amount].is_string());
            assert_eq!(record[amount], order[amount]);
        }
        for (line, original) in
            record["products"].as_array().unwrap().iter().zip(order["products"].as_array().unwrap())
        {
            assert_eq!((&line["price"], &line["totalPrice"]), (&original["price"], &original["totalPrice"]));
        }
        compared += 1;
    }
    assert!(compared > 150, "{compared} compared");
}

#[test]
fn filters_pick_exactly_the_orders_they_name() {
    let sandbox = sandbox(Options { orders: 3_000, ..Options::default() });
    let until = settled(&sandbox).until;
    for (change, filter) in [
        (json!({"store_ids": [2]}), Filter { store_ids: vec![2], ..Filter::default() }),
        (json!({"store_ids": [1, 3]}), Filter { store_ids: vec![1, 3], ..Filter::default() }),
        (
            json!({"statuses": ["paid", "contested"]}),
            Filter { statuses: vec!["paid".into(), "contested".into()], ..Filter::default() },
        ),
        (
            json!({"customer_roles": ["customer", "tester"]}),
            Filter { customer_roles: vec!["customer".into(), "tester".into()], ..Filter::default() },
        ),
        (
            json!({"store_ids": [4], "customer_roles": ["employee"], "statuses": ["paid"]}),
            Filter {
                store_ids: vec![4],
                customer_roles: vec!["employee".into()],
                statuses: vec!["paid".into()],
                ..Filter::default()
            },
        ),
        (json!({"store_ids": [99]}), Filter { store_ids: vec![99], ..Filter::default() }),
    ] {
        let mut config = config(&sandbox);
        config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let outcome = Run::incremental(&config).finish().succeeded();
        assert_holds(&outcome.records(), &sandbox.expected(&Filter { until, ..filter }), true);
    }
}

#[test]
fn a_status_that_changes_while_it_is_read_loses_no_other_order() {
    let sandbox = sandbox(Options { orders: 4_000, contested_percent: 0, ..Options::default() });
    let mut config = config(&sandbox);
    config["statuses"] = json!(["paid"]);
    config["requests_per_second"] = json!(10);
    let paid_throughout: Vec<_> = {
        let filter = Filter { statuses: vec!["paid".into()], ..settled(&sandbox) };
        let orders = sandbox.expected(&filter);
        std::thread::scope(|scope| {
            let run = scope.spawn(|| Run::incremental(&config).finish().succeeded());
            // Orders leave the set all along, while it is read.
            for order in orders.iter().step_by(40) {
                sandbox.contest(order.id.parse().unwrap());
                std::thread::sleep(std::time::Duration::from_millis(15));
            }
            let outcome = run.join().unwrap();
            let read = ids(&outcome.records());
            orders
                .iter()
                .enumerate()
                .filter(|(n, _)| n % 40 != 0)
                .filter(|(_, order)| !read.contains(&order.id))
                .map(|(_, order)| order.id.clone())
                .collect()
        })
    };
    assert!(paid_throughout.is_empty(), "lost: {paid_throughout:?}");
}

#[test]
fn dates_bound_what_is_read() {
    let sandbox = sandbox(Options::default());
    let at = |text: &str| text.parse::<chrono::DateTime<Utc>>().unwrap();
    let mut config = config(&sandbox);
    config["start_date"] = json!("2025-11-10T12:00:00Z");
    config["end_date"] = json!("2025-11-20T00:00:00Z");
    let outcome = Run::incremental(&config).finish().succeeded();
    let filter = Filter {
        from: Some(at("2025-11-10T12:00:00Z")),
        until: Some(at("2025-11-20T00:00:00Z")),
        ..Filter::default()
    };
    assert_holds(&outcome.records(), &sandbox.expected(&filter), true);
    assert_eq!(outcome.cursors().last(), Some(&"2025-11-20T00:00:00.000Z"));
    let again = Run::incremental(&config).resuming(outcome.last_state()).finish().succeeded();
    assert_eq!((again.records().len(), again.cursors()), (0, vec!["2025-11-20T00:00:00.000Z"]));
}

#[test]
fn orders_that_surface_within_the_settle_delay_are_not_passed_over() {
    let sandbox = sandbox(Options::default());
    let first = Run::incremental(&config(&sandbox)).finish().succeeded();
    // Drafted a minute and a half before the first sync, listed only after it.
    let late = sandbox.add_order_at(sandbox.now() - TimeDelta::seconds(90)).to_string();
    sandbox.advance(TimeDelta::minutes(15));
    let second = Run::incremental(&config(&sandbox)).resuming(first.last_state()).finish().succeeded();
    assert_eq!(ids(&second.records()), [late]);
}

#[test]
fn orders_that_arrive_while_it_is_read_change_nothing_before_the_horizon() {
    let sandbox = sandbox(Options { orders: 4_000, ..Options::default() });
    let config = config(&sandbox);
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| Run::incremental(&config).finish().succeeded());
        for n in 0..60 {
            sandbox.add_order_at(sandbox.now() - TimeDelta::seconds(n));
            std::thread::sleep(std::time::Duration::from_millis(15));
        }
        run.join().unwrap()
    });
    assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
    sandbox.advance(TimeDelta::minutes(5));
    let second = Run::incremental(&config).resuming(outcome.last_state()).finish().succeeded();
    assert_eq!(second.records().len(), 60);
}

#[test]
fn a_busy_second_at_the_end_hides_nothing_before_it() {
    let sandbox = sandbox(Options { orders: 100, ..Options::default() });
    let end = sandbox.now() - TimeDelta::minutes(2);
    for _ in 0..250 {
        sandbox.add_order_at(end);
    }
    let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
    assert_holds(&outcome.records(), &sandbox.expected(&settled(&sandbox)), true);
}

#[test]
fn an_end_date_inside_a_dense_second_is_kept_to() {
    for bounds in [Bounds::Inclusive, Bounds::TruncatedToSeconds] {
        let sandbox = sandbox(Options {
            orders: 100,
            behaviour: Behaviour { bounds, ..Behaviour::default() },
            ..Options::default()
        });
        let second = sandbox.now() - TimeDelta::days(3);
        for millis in 0..450 {
            sandbox.add_order_at(second + TimeDelta::milliseconds(millis * 2));
        }
        let mut config = config(&sandbox);
        config["end_date"] = json!("2025-11-28T00:00:00.500Z");
        let outcome = Run::incremental(&config).finish().succeeded();
        let filter = Filter { until: Some(second + TimeDelta::milliseconds(500)), ..Filter::default() };
        assert_holds(&outcome.records(), &sandbox.expected(&filter), true);
    }
}

#[test]
fn long_empty_stretches_cost_no_requests() {
    let sandbox = sandbox(Options { orders: 50, ties: vec![], ..Options::default() });
    let mut config = config(&sandbox);
    config["start_date"] = json!("2015-01-01T00:00:00Z");
    let outcome = Run::incremental(&config).finish().succeeded();
    assert_eq!(outcome.records().len(), sandbox.expected(&settled(&sandbox)).len());
    assert!(sandbox.stats().requests <= 4, "{:?}", sandbox.stats());
}

#[test]
fn a_shop_without_orders_is_complete_and_its_cursor_stays() {
    let sandbox = sandbox(Options { orders: 0, ties: vec![], ..Options::default() });
    let outcome = Run::incremental(&config(&sandbox)).finish().succeeded();
    assert!(outcome.records().is_empty());
    assert!(
        outcome.cursors().iter().all(|cursor| *cursor == "2025-01-01T00:00:00.000Z"),
        "{:?}",
        outcome.cursors()
    );
}

#[test]
fn a_sync_with_nothing_new_asks_little() {
    let sandbox = sandbox(Options::default());
    let first = Run::incremental(&config(&sandbox)).finish().succeeded();
    sandbox.reset_stats();
    Run::incremental(&config(&sandbox)).resuming(first.last_state()).finish().succeeded();
    assert!(sandbox.stats().requests <= 2, "{:?}", sandbox.stats());
}

#[test]
fn a_person_is_told_what_is_read_and_a_platform_how_much_there_will_be() {
    let sandbox = sandbox(Options { orders: 20_000, contested_percent: 0, ..Options::default() });
    let streams = ["orders", "order_line_items", "order_versions"];
    let outcome = Run::of_streams(&config(&sandbox), "incremental", &streams).finish().succeeded();
    let logs = outcome.logs();
    let range = logs.iter().find(|line| line.contains("from the start date")).unwrap();
    assert!(range.contains("2025-11-30T23:58:00.000Z"), "{range}");
    let last = logs.iter().find(|line| line.starts_with("orders: complete")).unwrap();
    for word in [
        "complete up to 2025-11-30T23:58:00.000Z",
        "20000 records",
        "requests",
        "a second",
        "sum of totalPrice",
    ] {
        assert!(last.contains(word), "{last}");
    }
    for stream in streams {
        let estimates = estimates(&outcome, stream);
        let written = outcome.records_of(stream).len() as u64;
        assert!(!estimates.is_empty(), "{stream}");
        assert!((written * 7 / 10..written * 7 / 5).contains(&estimates[0]), "{stream}: {estimates:?}");
    }
}

/// How many rows a stream will have, as a platform sees it, in the order of the messages.
fn estimates(outcome: &Outcome, stream: &str) -> Vec<u64> {
    let traces = outcome.of_type("TRACE").map(|message| &message["trace"]["estimate"]);
    let of_stream = traces.filter(|estimate| estimate["name"] == stream && estimate["type"] == "STREAM");
    of_stream.map(|estimate| estimate["row_estimate"].as_u64().unwrap()).collect()
}

#[test]
fn details_are_estimated_by_the_orders_they_belong_to() {
    let sandbox = sandbox(Options { orders: 300, contested_percent: 0, ..Options::default() });
    let outcome = Run::of_streams(&config(&sandbox), "incremental", &["order_details"]).finish().succeeded();
    let estimates = estimates(&outcome, "order_details");
    assert_eq!(estimates.last(), Some(&(outcome.records_of("order_details").len() as u64)), "{estimates:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_whatever_is_under_way() {
    use std::io::{BufRead, BufReader};
    use std::time::Duration;

    let sandbox =
        sandbox(Options { orders: 20_000, latency: Duration::from_millis(1_500), ..Options::default() });
    let run = Run::incremental(&config(&sandbox));
    let mut child = run.spawn();
    let status = format!("/proc/{}/status", child.id());
    let (mut records, mut peak) = (0, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        records += usize::from(line.unwrap().contains("\"RECORD\""));
        if records % 100 == 0
            && let Ok(text) = std::fs::read_to_string(&status)
            && let Some(kib) = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))
        {
            peak = peak.max(kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap());
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(records > 19_000 && peak > 1_000, "{records} records, {peak} KiB");
    assert!(peak < 64 * 1024, "{peak} KiB");
}
