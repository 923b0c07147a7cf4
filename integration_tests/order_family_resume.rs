//! Syncs of all streams of the orders' family that end early: a platform keeps the last state of each stream, and the next
//! sync brings the rest. No state ever says more than has been written.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;

use aifi_sandbox::{Behaviour, Fault, Faults, Filter, Options, Sandbox};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::complete::settled;
use crate::harness::{FAMILY, Outcome, Run, Truth, Warehouse, config, sandbox, side_by_side};
use crate::order_family::{a_quarter_of_an_hour, few, sync};

/// Many orders, of which few are wanted: so there are many states, and few pages of orders to ask for.
fn few_of(orders: usize, seed: u64) -> (Sandbox, Value, Truth) {
    let sandbox = sandbox(Options { seed, orders, ties: vec![3, 230], ..Options::default() });
    let mut config = config(&sandbox);
    config["statuses"] = json!(["reviewed"]);
    let truth = Truth::of(&sandbox, &Filter { statuses: vec!["reviewed".into()], ..settled(&sandbox) });
    (sandbox, config, truth)
}

fn take(truth: &Truth, outcome: &Outcome, warehouse: &mut Warehouse) {
    for message in &outcome.messages {
        warehouse.take(message);
        if message["type"] == "STATE" {
            truth.assert_proven(message, warehouse);
        }
    }
}

fn from(config: &Value, warehouse: &Warehouse) -> Run {
    Run::of_streams(config, "incremental", &FAMILY).resuming_all(&warehouse.states())
}

/// Runs and kills until a sync ends by itself; each resumes from the last state of each stream that its reader has seen.
fn killed_again_and_again(config: &Value, truth: &Truth, after: &[usize]) {
    let mut warehouse = Warehouse::default();
    for bytes in after {
        take(truth, &from(config, &warehouse).killed_after(*bytes), &mut warehouse);
    }
    take(truth, &from(config, &warehouse).finish().succeeded(), &mut warehouse);
    truth.assert_holds(&warehouse, &FAMILY);
}

fn draws(seed: u64, most: u64, count: usize) -> Vec<usize> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(1 + state % most).unwrap()
    };
    (0..count).map(|_| draw()).collect()
}

#[test]
fn killed_at_any_byte_and_restarted_every_row_arrives_in_every_table() {
    side_by_side(&[1, 2, 3, 4, 5, 6], |seed| {
        let (_sandbox, config, truth) = few_of(5_000, *seed);
        killed_again_and_again(&config, &truth, &draws(*seed, 1_200_000, 3));
    });
}

#[test]
fn with_few_orders_too() {
    side_by_side(&[11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22], |seed| {
        let sandbox = sandbox(Options { seed: *seed, orders: 25, ..few(Behaviour::default()) });
        let truth = Truth::of(&sandbox, &settled(&sandbox));
        killed_again_and_again(&config(&sandbox), &truth, &draws(*seed, 500_000, 2));
    });
}

#[test]
fn what_changes_between_two_kills_is_in_every_table_in_the_end() {
    side_by_side(&[31, 32, 33, 34, 35, 36], |seed| {
        let sandbox = sandbox(Options { seed: *seed, orders: 40, ..few(Behaviour::default()) });
        let config = config(&sandbox);
        let mut warehouse = Warehouse::default();
        for bytes in draws(*seed, 700_000, 3) {
            warehouse.take_all(&from(&config, &warehouse).killed_after(bytes));
            a_quarter_of_an_hour(&sandbox);
        }
        for _ in 0..2 {
            sync(&config, &mut warehouse, &FAMILY);
            Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY);
            a_quarter_of_an_hour(&sandbox);
        }
    });
}

#[test]
fn what_changes_while_it_is_read_is_in_every_table_in_the_end() {
    side_by_side(&[41, 42, 43, 44, 45, 46], |seed| {
        let options = few(Behaviour::default());
        let sandbox = sandbox(Options { seed: *seed, orders: 40, frozen: false, ..options });
        let config = config(&sandbox);
        let mut warehouse = Warehouse::default();
        for bytes in draws(*seed, 900_000, 3) {
            let outcome = std::thread::scope(|scope| {
                let sync = scope.spawn(|| from(&config, &warehouse).killed_after(bytes));
                let orders = sandbox.expected(&Filter::default());
                for (number, order) in orders.iter().rev().step_by(2).take(12).enumerate() {
                    std::thread::sleep(std::time::Duration::from_millis(120));
                    let id = order.id.parse().unwrap();
                    _ = if number % 2 == 0 { sandbox.contest(id) } else { sandbox.pay(id) };
                }
                sync.join().unwrap()
            });
            warehouse.take_all(&outcome);
            sandbox.advance(TimeDelta::minutes(5));
            sandbox.add_orders(2);
        }
        sandbox.advance(TimeDelta::minutes(10));
        for _ in 0..2 {
            sync(&config, &mut warehouse, &FAMILY);
            Truth::of(&sandbox, &settled(&sandbox)).assert_holds(&warehouse, &FAMILY);
        }
    });
}

/// The warehouses that a platform may be left with: one behind each state.
fn behind_each_state(before: &Warehouse, outcome: &Outcome) -> Vec<Warehouse> {
    let mut warehouse = before.clone();
    let mut all = Vec::new();
    for message in &outcome.messages {
        warehouse.take(message);
        if message["type"] == "STATE" {
            all.push(warehouse.clone());
        }
    }
    all
}

#[test]
fn every_combination_of_states_is_a_place_to_go_on_from() {
    let (_sandbox, config, truth) = few_of(3_000, 9);
    let whole = Run::of_streams(&config, "incremental", &FAMILY).finish().succeeded();
    take(&truth, &whole, &mut Warehouse::default());
    let all = behind_each_state(&Warehouse::default(), &whole);
    assert!(all.len() >= 12, "{} states", all.len());
    side_by_side(&all, |warehouse| {
        let mut warehouse = warehouse.clone();
        take(&truth, &from(&config, &warehouse).finish().succeeded(), &mut warehouse);
        truth.assert_holds(&warehouse, &FAMILY);
    });
}

#[test]
fn every_combination_of_states_of_a_sync_that_sweeps_is_a_place_to_go_on_from() {
    let sandbox = sandbox(Options { orders: 40, ..few(Behaviour::default()) });
    let config = config(&sandbox);
    let mut first = Warehouse::default();
    sync(&config, &mut first, &FAMILY);
    a_quarter_of_an_hour(&sandbox);
    let truth = Truth::of(&sandbox, &settled(&sandbox));
    let second = from(&config, &first).finish().succeeded();
    let all = behind_each_state(&first, &second);
    assert!(all.len() >= 8, "{} states", all.len());
    side_by_side(&all, |warehouse| {
        let mut warehouse = warehouse.clone();
        sync(&config, &mut warehouse, &FAMILY);
        truth.assert_holds(&warehouse, &FAMILY);
    });
    // Also when something happens before the next sync.
    sandbox.advance(TimeDelta::minutes(1));
    a_quarter_of_an_hour(&sandbox);
    let truth = Truth::of(&sandbox, &settled(&sandbox));
    side_by_side(&all, |warehouse| {
        let mut warehouse = warehouse.clone();
        sync(&config, &mut warehouse, &FAMILY);
        truth.assert_holds(&warehouse, &FAMILY);
    });
}

#[test]
fn a_full_refresh_of_all_streams_that_was_cut_off_goes_on() {
    let (_sandbox, config, truth) = few_of(5_000, 7);
    let mut warehouse = Warehouse::default();
    for bytes in [Some(400_000), Some(700_000), None] {
        let run = Run::of_streams(&config, "full_refresh", &FAMILY).resuming_all(&warehouse.states());
        let outcome = match bytes {
            Some(bytes) => run.killed_after(bytes),
            None => run.finish().succeeded(),
        };
        take(&truth, &outcome, &mut warehouse);
    }
    truth.assert_holds(&warehouse, &FAMILY);
}

#[test]
fn a_state_that_is_repeated_in_a_storm_says_no_more_than_is_written() {
    side_by_side(&[&FAMILY[3..], &FAMILY[..]], |streams| {
        let (sandbox, config, truth) = few_of(2_500, 3);
        sandbox.set_faults(Faults::at(28..=30, Fault::Unavailable503));
        let outcome = Run::of_streams(&config, "incremental", streams).finish().succeeded();
        assert!(outcome.stdout.contains("RATE_LIMITED"));
        let mut warehouse = Warehouse::default();
        take(&truth, &outcome, &mut warehouse);
        assert_eq!(truth.keys("order_details", None), warehouse.table("order_details").into_keys().collect());
    });
}

#[test]
fn a_stop_ends_every_stream_with_a_state_that_holds() {
    use std::os::unix::process::ExitStatusExt;

    let (_sandbox, config, truth) = few_of(5_000, 4);
    let run = from(&config, &Warehouse::default());
    let mut child = run.spawn();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    let (mut states, mut line) = (0, String::new());
    while states < 6 && stdout.read_line(&mut line).unwrap() > 0 {
        states += usize::from(line.contains("\"STATE\""));
        text.push_str(&std::mem::take(&mut line));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    stdout.read_to_string(&mut text).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(15));
    let stopped = Outcome::new(status, text.as_bytes(), b"");
    for stream in FAMILY {
        assert_eq!(stopped.statuses_of(stream).last().map(String::as_str), Some("INCOMPLETE"), "{stream}");
    }
    let mut warehouse = Warehouse::default();
    take(&truth, &stopped, &mut warehouse);
    sync(&config, &mut warehouse, &FAMILY);
    truth.assert_holds(&warehouse, &FAMILY);
}
