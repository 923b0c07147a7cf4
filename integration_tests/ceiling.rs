//! How many requests a sync takes and when they start, in virtual time: nothing here depends on the machine.

use std::time::Duration;

use aifi_sandbox::{Fault, Faults, Filter, Options, Stats};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::simulation::{Destination, End, World};

fn world(options: Options, config: &Value) -> World {
    World::new(Options { products: false, ..options }, config)
}

/// Runs a sync that has to bring everything, and says what it took.
fn sync(world: &mut World, destination: &mut Destination, latency: u64) -> (Stats, Duration) {
    world.api().model.reset_stats();
    world.api().latency = (Duration::from_millis(latency), Duration::ZERO);
    let begun = world.elapsed();
    world.sync(destination, End::Own).unwrap();
    let expected = world.settled();
    destination.assert_orders(&expected, "after the sync");
    let stats = world.api().model.stats();
    (stats, world.elapsed() - begun)
}

fn backfill(options: Options, latency: u64) -> (Stats, Duration) {
    sync(&mut world(options, &json!({})), &mut Destination::default(), latency)
}

#[test]
fn twenty_thousand_orders_take_hardly_longer_than_the_limit_allows() {
    // A hundred requests at twenty a second.
    let ideal = Duration::from_secs(5);
    for (latency, most) in [(20, 1.05), (300, 1.10), (1_000, 1.25)] {
        let (stats, took) =
            backfill(Options { orders: 20_000, contested_percent: 0, ..Options::default() }, latency);
        assert!(took <= ideal.mul_f64(most), "{latency} ms: {took:?}, {stats:?}");
        assert!(stats.filled_pages * 10 >= stats.requests * 9, "{latency} ms: {stats:?}");
        assert!(stats.requests <= 110, "{latency} ms: {stats:?}");
    }
}

#[test]
fn nine_of_ten_requests_of_a_dense_backfill_bring_a_full_page() {
    for latency in [20, 300, 1_000] {
        let (stats, _) = backfill(Options { orders: 60_000, ..Options::default() }, latency);
        assert!(stats.full_pages * 10 >= stats.requests * 9, "{latency} ms: {stats:?}");
    }
}

#[test]
fn growing_shops_are_read_at_the_ceiling_too() {
    // Two years with a few orders a day, then a month with many: as if stores had opened.
    let mut world = world(
        Options { orders: 2_000, first: "2023-11-01T00:00:00Z".parse().unwrap(), ..Options::default() },
        &json!({}),
    );
    let month = world.clock() - TimeDelta::days(30);
    for n in 0..10_000 {
        world.api().model.add_order_at(month + TimeDelta::minutes(4) * n);
    }
    let (stats, took) = sync(&mut world, &mut Destination::default(), 300);
    assert!(stats.requests <= 75, "{stats:?} for 60 pages");
    assert!(took <= Duration::from_millis(4_200), "{took:?}");
}

#[test]
fn empty_years_cost_no_request() {
    let options = Options { orders: 50, ties: vec![], contested_percent: 0, ..Options::default() };
    for (latency, most) in [(20, 3), (300, 9)] {
        let mut world = world(options.clone(), &json!({"start_date": "2010-01-01T00:00:00Z"}));
        let (stats, _) = sync(&mut world, &mut Destination::default(), latency);
        assert!(stats.requests <= most, "{latency} ms: {stats:?}");
    }
}

#[test]
fn a_sync_with_nothing_or_little_new_takes_two_requests_whatever_the_latency() {
    for latency in [20, 300, 1_000] {
        let mut world = world(Options::default(), &json!({}));
        let mut destination = Destination::default();
        sync(&mut world, &mut destination, latency);
        world.pass(Duration::from_secs(15 * 60));
        let (nothing, _) = sync(&mut world, &mut destination, latency);
        assert_eq!(nothing.requests, 3, "clock and newest orders, probe, sweep: {nothing:?}");
        for orders in [0, 120, 0] {
            world.pass(Duration::from_secs(15 * 60));
            world.api().model.add_orders(orders);
            let (stats, _) = sync(&mut world, &mut destination, latency);
            assert_eq!(stats.requests, 2, "the last sweep has proved the filter: {stats:?}");
        }
    }
}

#[test]
fn many_changes_are_swept_page_by_page() {
    let mut world = world(Options { orders: 5_000, contested_percent: 0, ..Options::default() }, &json!({}));
    let mut destination = Destination::default();
    sync(&mut world, &mut destination, 300);
    let orders = world.api().model.expected(&Filter::default());
    for order in orders.iter().step_by(2) {
        world.api().model.contest(order.id.parse().unwrap());
    }
    world.pass(Duration::from_secs(15 * 60));
    let (stats, took) = sync(&mut world, &mut destination, 300);
    // 2,500 orders, each with a superseded version and a new one: 25 pages.
    assert!(stats.requests <= 40, "{stats:?}");
    assert!(took <= Duration::from_millis(3_000), "{took:?}");
}

#[test]
fn ten_minutes_of_storms_take_the_requests_needed_and_the_faults_own() {
    let options = Options { orders: 80_000, contested_percent: 0, ..Options::default() };
    let (calm, _) = backfill(options.clone(), 300);
    let rates =
        vec![(Fault::Unavailable503, 0.2), (Fault::Reset, 0.15), (Fault::Hang(Duration::from_secs(30)), 0.1)];
    let faults = Faults { rates, script: Vec::new(), seed: 17 };
    let (stats, took) = backfill(Options { faults, ..options }, 300);
    assert!(took >= Duration::from_secs(600), "{took:?}");
    let met: u64 = stats.faults.values().sum();
    assert!(met >= 100, "{stats:?}");
    // Pages are a little smaller while the first answers hang, so the same orders are in a few pages more.
    let needed = calm.requests + calm.requests / 40;
    assert!(stats.requests <= needed + met, "{stats:?}, calm: {calm:?}");
}
