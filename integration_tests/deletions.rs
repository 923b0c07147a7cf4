//! What vanishes at AiFi: noticed, counted, and with `deletions` taken out of the destination. Months in virtual time under each
//! reading of the API, with faults, kills and a replica that lags; and the real binary against the sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aifi_sandbox::{
    Behaviour, Bounds, Fault, Faults, Filter, FirstPage, Ids, Options, Stamps, Superseded, Ties, UpdatedAt,
    UpdatedFilter, VersionIds, Versions,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{Outcome, Rules, Run, config, sandbox};
use crate::simulation::{Destination, End, World};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The tables hold the newest version of each order and its lines, nothing else, each as the API has it.
fn assert_true(destination: &Destination, world: &World, name: &str) {
    let expected = world.settled();
    let orders: BTreeMap<u64, &Value> =
        destination.rows("orders").map(|(_, row)| (row["id"].as_u64().unwrap(), row)).collect();
    let ids: BTreeSet<u64> = expected.iter().map(|order| order.id.parse().unwrap()).collect();
    assert_eq!(orders.keys().copied().collect::<BTreeSet<_>>(), ids, "{name}: orders");
    for order in &expected {
        let row = orders[&order.id.parse().unwrap()];
        let found = (row["version"].as_u64(), row["status"].as_str(), row["totalPrice"].as_str());
        let truth = (Some(u64::from(order.version)), Some(&*order.status), Some(&*order.total_price));
        assert_eq!(found, truth, "{name}");
    }
    let line = |row: &Value| (row["orderId"].as_u64().unwrap(), row["id"].as_i64().unwrap());
    let lines: BTreeSet<_> = destination.rows("order_line_items").map(|(_, row)| line(row)).collect();
    assert_eq!(lines, living_lines(world), "{name}: lines");
}

/// What a sync takes out of the tables for good is not listed.
fn assert_gone(destination: &Destination, before: usize, world: &World) {
    if destination.deleted.len() == before {
        return;
    }
    let (orders, lines) = (living(world), living_lines(world));
    for (stream, key, _) in &destination.deleted[before..] {
        match (stream.as_str(), key[0].as_u64(), key[1].as_i64()) {
            ("order_line_items", Some(order), Some(line)) => {
                assert!(!lines.contains(&(order, line)), "line {line} of order {order} is listed");
            }
            (_, Some(order), _) => assert!(!orders.contains(&order), "order {order} is listed"),
            key => panic!("{key:?}"),
        }
    }
}

/// The orders that the API has as current ones.
fn living(world: &World) -> BTreeSet<u64> {
    world.api().model.expected(&Filter::default()).iter().map(|order| order.id.parse().unwrap()).collect()
}

fn living_lines(world: &World) -> BTreeSet<(u64, i64)> {
    let lines = world.api().model.expected_lines(&Filter::default());
    lines.iter().map(|line| (line.order_id.parse().unwrap(), line.id.parse().unwrap())).collect()
}

/// Runs a month in which orders are removed, and lines with reviews. After two last days the tables are the API's truth.
fn month(name: &str, behaviour: Behaviour, changes: &Value, lag: Option<Duration>) {
    let kinds =
        [(Fault::Unavailable503, 0.02), (Fault::Cut, 0.01), (Fault::Empty, 0.02), (Fault::Short, 0.02)];
    let faults = Faults { rates: kinds.to_vec(), script: Vec::new(), seed: 5 };
    let options = Options {
        orders: 300,
        products: true,
        contested_percent: 5,
        behaviour,
        faults,
        ..Options::default()
    };
    let mut with_deletions = json!({"deletions": "tombstones"});
    with_deletions.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut world = World::new(options, &with_deletions);
    world.select(&["orders", "order_line_items"], "incremental");
    world.api().lag = lag;
    world.api().life.removed_percent = 4;
    world.api().life.plan(500, 30 * DAY - 14 * DAY);
    let mut destination = Destination::default();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut syncs = 0;
    while world.elapsed() < 30 * DAY {
        let due = HOUR.saturating_sub(Duration::from_secs(world.elapsed().as_secs() % HOUR.as_secs()));
        world.pass(due);
        let kill = rng.u32(..100) < 3;
        let end = if kill { End::Killed { answer: rng.usize(1..12) } } else { End::Own };
        let before = destination.deleted.len();
        _ = world.sync(&mut destination, end);
        assert_gone(&destination, before, &world);
        syncs += 1;
    }
    world.api().lag = None;
    world.api().model.set_faults(Faults::default());
    // What vanished is found within a day, and looked for again an hour later.
    for pause in [DAY + HOUR, HOUR * 2, DAY + HOUR, HOUR * 2] {
        world.pass(pause);
        world.sync(&mut destination, End::Own).expect("nothing goes wrong any more");
    }
    assert_true(&destination, &world, name);

    let removed = world.api().life.removed.clone();
    let orders_deleted = destination.deleted.iter().filter(|(stream, ..)| stream == "orders");
    let mut delays: Vec<TimeDelta> =
        orders_deleted.filter_map(|(_, key, at)| Some(*at - *removed.get(&key[0].as_u64()?)?)).collect();
    delays.sort_unstable();
    let hours = |delay: Option<&TimeDelta>| delay.map_or(0, TimeDelta::num_hours);
    println!(
        "| {name} | {syncs} | {} | {} | {} | {} | {} | {:.1} |",
        removed.len(),
        destination.deleted.len(),
        destination.state("orders").map_or(0, |state| state.to_string().len()),
        hours(delays.get(delays.len() / 2)),
        hours(delays.last()),
        world.api().requests as f64 / f64::from(syncs),
    );
    assert!(delays.len() > 10, "{} removals arrived", delays.len());
}

macro_rules! months {
    ($($name:ident: $behaviour:expr, $config:tt, $lag:expr;)*) => {$(
        #[test]
        fn $name() {
            month(stringify!($name), $behaviour, &json!($config), $lag);
        }
    )*};
}

fn usual() -> Behaviour {
    Behaviour::default()
}

const LAG: Option<Duration> = Some(Duration::from_secs(40 * 60));

months! {
    month_as_documented: usual(), {}, None;
    month_with_a_replica_that_lags: usual(), {}, LAG;
    month_of_latest_versions_only: Behaviour { versions: Versions::LatestOnly, ..usual() }, {}, None;
    month_of_stale_superseded_rows: Behaviour { superseded: Superseded::Stale, ..usual() }, {}, None;
    month_of_new_ids: Behaviour { version_ids: VersionIds::New, ..usual() }, {}, None;
    month_of_new_ids_latest_only: Behaviour { version_ids: VersionIds::New, versions: Versions::LatestOnly, ..usual() }, {}, LAG;
    month_of_new_ids_stale: Behaviour { version_ids: VersionIds::New, superseded: Superseded::Stale, ..usual() }, {}, None;
    month_without_the_filter: Behaviour { updated_filter: UpdatedFilter::Ignored, ..usual() }, {}, LAG;
    month_of_windows: usual(), {"changes": "window"}, LAG;
    month_of_update_times_that_stand_still: Behaviour { updated_at: UpdatedAt::StandsStill, ..usual() }, {}, None;
    month_at_its_most_awkward: Behaviour {
        bounds: Bounds::TruncatedToSeconds, first_page: FirstPage::One, ties: Ties::Unstable, ids: Ids::String,
        superseded: Superseded::Stale, stamps: Stamps::Micros, page_cap: Some(90), ..usual()
    }, {}, LAG;
}

const STREAMS: [&str; 4] = ["orders", "order_line_items", "order_versions", "sync_audit"];

/// A catalog as Airbyte makes it of what `discover` says.
fn catalog(config: &Value) -> String {
    let discovered = Run::of("discover").file("config", &config.to_string()).finish();
    let streams = discovered.messages[0]["catalog"]["streams"].as_array().unwrap().iter();
    let selected = streams.filter(|stream| STREAMS.contains(&stream["name"].as_str().unwrap()));
    let configured = |stream: &Value| json!({"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"});
    json!({"streams": selected.map(configured).collect::<Vec<_>>()}).to_string()
}

fn read(config: &Value, catalog: &str, before: Option<&Outcome>) -> Outcome {
    let run = Run::of("read").file("config", &config.to_string()).file("catalog", catalog);
    let states: Vec<&Value> =
        before.map(|before| STREAMS.map(|stream| before.last_state_of(stream)).to_vec()).unwrap_or_default();
    run.resuming_all(&states).finish_under(Rules::WithTombstones).succeeded()
}

fn tombstones<'o>(outcome: &'o Outcome, stream: &str) -> Vec<&'o Value> {
    let records = outcome.records_of(stream).into_iter();
    records.filter(|record| !record["_ab_cdc_deleted_at"].is_null()).collect()
}

/// Three syncs: of everything; a day after an order vanished; and two hours later.
fn around_a_removal(deletions: &str, change_catalog: impl Fn(String) -> String) -> (Value, [Outcome; 3]) {
    let sandbox = sandbox(Options { orders: 400, contested_percent: 0, ..Options::default() });
    let mut config = config(&sandbox);
    config["deletions"] = json!(deletions);
    let catalog = change_catalog(catalog(&config));
    let first = read(&config, &catalog, None);
    let removed = first.records_of("orders").last().map(|record| (*record).clone()).unwrap();
    assert!(sandbox.remove_order(removed["id"].as_u64().unwrap()));
    sandbox.advance(TimeDelta::hours(25));
    sandbox.add_orders(1);
    let second = read(&config, &catalog, Some(&first));
    sandbox.advance(TimeDelta::hours(2));
    let third = read(&config, &catalog, Some(&second));
    (removed, [first, second, third])
}

#[test]
fn a_vanished_order_has_a_tombstone_and_so_have_its_lines() {
    let (removed, [first, second, third]) = around_a_removal("tombstones", |catalog| catalog);
    for outcome in [&first, &second] {
        assert_eq!(tombstones(outcome, "orders"), [&Value::Null; 0]);
    }
    let looks_again = |outcome: &Outcome| {
        outcome.logs().iter().any(|line| line.contains("1 order that earlier syncs wrote is not listed now"))
    };
    assert!(!looks_again(&first) && looks_again(&second) && !looks_again(&third));
    let orders = tombstones(&third, "orders");
    assert_eq!(orders.len(), 1);
    assert_eq!(
        (&orders[0]["id"], &orders[0]["draftCreatedAt"]),
        (&removed["id"], &removed["draftCreatedAt"])
    );
    let lines = removed["products"].as_array().unwrap();
    let gone: BTreeSet<i64> =
        tombstones(&third, "order_line_items").iter().map(|line| line["id"].as_i64().unwrap()).collect();
    assert_eq!(gone, lines.iter().map(|line| line["id"].as_i64().unwrap()).collect());
    assert!(!gone.is_empty());
    for line in tombstones(&third, "order_line_items") {
        assert_eq!(
            (&line["orderId"], &line["orderDraftCreatedAt"]),
            (&removed["id"], &removed["draftCreatedAt"])
        );
    }
    assert_eq!(tombstones(&third, "order_versions"), [&Value::Null; 0], "versions are history");
    let vanished = |outcome: &Outcome| {
        outcome
            .records_of("sync_audit")
            .iter()
            .filter_map(|receipt| receipt["ordersVanished"].as_u64())
            .sum::<u64>()
    };
    assert_eq!((vanished(&first), vanished(&second), vanished(&third)), (0, 0, 1));
}

#[test]
fn without_the_setting_a_vanished_order_is_named_and_counted() {
    let (removed, [_, second, third]) = around_a_removal("off", |catalog| catalog);
    let warned = format!(
        "orders: AiFi no longer lists 1 order ({}). They are still in the destination.",
        removed["id"]
    );
    assert!(!second.logs().iter().any(|line| line.starts_with(&warned)));
    assert!(third.logs().iter().any(|line| line.starts_with(&warned)), "{:?}", third.logs());
    assert!(!third.stdout.contains("_ab_cdc_deleted_at"));
    let receipts = third.records_of("sync_audit");
    assert_eq!(receipts.iter().filter_map(|receipt| receipt["ordersVanished"].as_u64()).sum::<u64>(), 1);
}

#[test]
fn a_table_without_the_column_gets_no_tombstone() {
    let renamed = |catalog: String| catalog.replace("_ab_cdc_deleted_at", "another");
    let (_, [first, _, third]) = around_a_removal("tombstones", renamed);
    let warned = |outcome: &Outcome| {
        outcome
            .logs()
            .iter()
            .any(|line| line.contains("no column _ab_cdc_deleted_at for orders, order_line_items"))
    };
    assert!(warned(&first) && warned(&third));
    assert!(STREAMS.iter().all(|stream| tombstones(&third, stream).is_empty()));
}
