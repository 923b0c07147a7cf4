//! A sync that ends early, anywhere: the next one brings the rest.

use std::io::{BufRead, BufReader};
use std::process::Command;

use aifi_sandbox::{Behaviour, Fault, Faults, Filter, Options};
use chrono::DateTime;
use serde_json::{Value, json};

use crate::complete::{many, settled};
use crate::harness::{Outcome, Run, assert_holds, config, sandbox, side_by_side};

#[test]
fn every_single_state_is_a_place_to_go_on_from() {
    for sync_mode in ["incremental", "full_refresh"] {
        let sandbox = sandbox(Options { orders: 6_000, ties: vec![3, 450], ..Options::default() });
        let config = config(&sandbox);
        let expected = sandbox.expected(&settled(&sandbox));
        let whole = Run::read(&config, sync_mode).finish().succeeded();
        let mut before: Vec<&Value> = Vec::new();
        let mut states = 0;
        for message in &whole.messages {
            match message["type"].as_str() {
                Some("RECORD") => before.push(&message["record"]["data"]),
                Some("STATE") => {
                    states += 1;
                    let rest = Run::read(&config, sync_mode).resuming(message).finish().succeeded();
                    let mut all = before.clone();
                    all.extend(rest.records());
                    assert_holds(&all, &expected, false);
                    assert!(
                        rest.records().len() <= whole.records().len() - before.len() + 200,
                        "little is repeated"
                    );
                }
                _ => (),
            }
        }
        assert!(states >= 6, "{states} states");
    }
}

/// Runs and kills until a sync ends by itself; each resumes from the last state that its reader has seen.
fn killed_again_and_again(config: &Value, after: &[usize]) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for bytes in after.iter().map(Some).chain([None]) {
        let mut run = Run::incremental(config);
        if let Some(state) = outcomes.iter().rev().find_map(|outcome| outcome.states().last().copied()) {
            run = run.resuming(state);
        }
        outcomes.push(match bytes {
            Some(bytes) => run.killed_after(*bytes),
            None => run.finish().succeeded(),
        });
    }
    outcomes
}

/// The same cases each time, so that a failure comes again.
#[test]
fn killed_at_any_byte_and_restarted_every_order_arrives() {
    let cases: Vec<u64> = (0..24).collect();
    side_by_side(&cases, |seed| {
        let mut rng = fastrand::Rng::with_seed(*seed);
        let after: Vec<usize> = (0..rng.usize(1..5)).map(|_| rng.usize(1..3_000_000)).collect();
        let faults = if rng.bool() { Faults::rate(Fault::Cut, 0.1, *seed) } else { Faults::default() };
        let options =
            Options { orders: 3_000, seed: *seed, faults, ties: vec![3, 250], ..Options::default() };
        let sandbox = sandbox(options);
        let outcomes = killed_again_and_again(&config(&sandbox), &after);
        let records: Vec<&Value> = outcomes.iter().flat_map(Outcome::records).collect();
        assert_holds(&records, &sandbox.expected(&settled(&sandbox)), false);
    });
}

#[test]
fn twenty_thousand_orders_survive_five_kills() {
    let sandbox = sandbox(many(Behaviour::default()));
    let outcomes =
        killed_again_and_again(&config(&sandbox), &[1_000_000, 3_000_000, 100_000, 5_000_000, 70_000]);
    let records: Vec<&Value> = outcomes.iter().flat_map(Outcome::records).collect();
    assert_holds(&records, &sandbox.expected(&settled(&sandbox)), false);
}

#[test]
fn with_several_stores_the_state_is_that_of_the_one_furthest_behind() {
    let sandbox = sandbox(Options { orders: 6_000, ..Options::default() });
    let mut config = config(&sandbox);
    config["store_ids"] = serde_json::json!([1, 2, 3]);
    let filter = Filter { store_ids: vec![1, 2, 3], ..settled(&sandbox) };
    for bytes in [4_000_000, 6_000_000, 8_000_000] {
        let outcomes = killed_again_and_again(&config, &[bytes]);
        assert!(!outcomes[0].states().is_empty(), "killed behind a state");
        let records: Vec<&Value> = outcomes.iter().flat_map(Outcome::records).collect();
        assert_holds(&records, &sandbox.expected(&filter), false);
    }
}

#[test]
fn a_stop_writes_the_last_state_and_dies_of_the_signal() {
    stops_by("-TERM", 15);
}

/// A terminal that is closed, or a connection that is lost, stops a sync in the same way.
#[test]
fn a_hang_up_writes_the_last_state_and_dies_of_the_signal() {
    stops_by("-HUP", 1);
}

fn stops_by(option: &str, signal: i32) {
    use std::os::unix::process::ExitStatusExt;

    let sandbox = sandbox(Options { orders: 6_000, ..Options::default() });
    let run = Run::incremental(&config(&sandbox));
    let mut child = run.spawn();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for _ in 0..1_500 {
        stdout.read_line(&mut text).unwrap();
    }
    let asked = Command::new("kill").args([option, &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    std::io::Read::read_to_string(&mut stdout, &mut text).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.signal(), status.code()), (Some(signal), None));
    let stopped = Outcome::new(status, text.as_bytes(), b"");
    assert_eq!(stopped.statuses().last().map(String::as_str), Some("INCOMPLETE"));
    assert!(stopped.errors().is_empty(), "who stopped us knows it");
    let told = text.find("The sync was asked to stop. The next one resumes from the last state.");
    assert!(told.is_some() && told < text.find("INCOMPLETE"), "{:?}", stopped.logs());
    let rest = Run::incremental(&config(&sandbox)).resuming(stopped.last_state()).finish().succeeded();
    let mut all = stopped.records();
    all.extend(rest.records());
    assert_holds(&all, &sandbox.expected(&settled(&sandbox)), true);
}

#[test]
fn a_stop_is_heard_while_nobody_reads_the_output() {
    use std::os::unix::process::ExitStatusExt;

    let sandbox = sandbox(Options { orders: 6_000, ..Options::default() });
    let run = Run::incremental(&config(&sandbox));
    let mut child = run.spawn();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(15));
}

#[test]
fn a_reader_that_goes_away_ends_the_sync_quietly() {
    let sandbox = sandbox(Options { orders: 6_000, ..Options::default() });
    let run = Run::incremental(&config(&sandbox));
    let mut child = run.spawn();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_ne!(output.status.code(), Some(0), "a partial read is not a success");
}

#[test]
fn a_full_refresh_that_was_cut_off_goes_on_and_a_complete_one_has_nothing_left() {
    let sandbox = sandbox(Options { orders: 3_000, ..Options::default() });
    let config = config(&sandbox);
    let cut = Run::read(&config, "full_refresh").killed_after(5_000_000);
    let rest = Run::read(&config, "full_refresh").resuming(cut.last_state()).finish().succeeded();
    assert!(rest.records().len() < 3_000);
    let mut all = cut.records();
    all.extend(rest.records());
    assert_holds(&all, &sandbox.expected(&settled(&sandbox)), false);
    let again = Run::read(&config, "full_refresh").resuming(rest.last_state()).finish().succeeded();
    assert_eq!(again.records().len(), 0);
    let incremental = Run::incremental(&config).finish().succeeded();
    let anew = Run::read(&config, "full_refresh").resuming(incremental.last_state()).finish().succeeded();
    assert_eq!(
        anew.records().len(),
        incremental.records().len(),
        "an incremental state is not part of a full refresh"
    );
}

/// With overwrite the table is emptied for each generation: a complete state of the one before would leave it empty.
#[test]
fn a_complete_full_refresh_counts_within_its_generation_only() {
    let streams = ["orders", "order_line_items", "contests", "sessions"];
    let sandbox = sandbox(Options { orders: 300, ..Options::default() });
    let config = config(&sandbox);
    let read = |generation: Option<u32>, states: &[&Value]| {
        let entry = |name: &&str| {
            json!({"stream": {"name": name, "json_schema": {}}, "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite", "generation_id": generation, "minimum_generation_id": generation})
        };
        let catalog = json!({"streams": streams.iter().map(entry).collect::<Vec<_>>()}).to_string();
        let run = Run::of("read").file("config", &config.to_string()).file("catalog", &catalog);
        if states.is_empty() { run } else { run.resuming_all(states) }.finish().succeeded()
    };
    let counts = |outcome: &Outcome| streams.map(|stream| outcome.records_of(stream).len());
    let states = |outcome: &Outcome| {
        streams.map(|stream| {
            let of_it = |state: &&Value| state["state"]["stream"]["stream_descriptor"]["name"] == stream;
            outcome.of_type("STATE").filter(of_it).last().expect("a state of each stream").clone()
        })
    };
    let first = read(Some(6), &[]);
    let all = counts(&first);
    assert!(all.iter().all(|count| *count > 0), "{all:?}");
    let saved = states(&first);
    let saved: Vec<&Value> = saved.iter().collect();
    assert_eq!(counts(&read(Some(6), &saved)), [0; 4], "a second attempt has nothing left");
    assert_eq!(counts(&read(Some(7), &saved)), all, "a new generation is read whole");
    assert_eq!(counts(&read(None, &saved)), all, "nobody says which generation it is");
    let unnumbered = states(&read(None, &[]));
    let unnumbered: Vec<&Value> = unnumbered.iter().collect();
    assert_eq!(counts(&read(None, &unnumbered)), all, "a runner that always passes the last state");
    assert_eq!(counts(&read(Some(1), &unnumbered)), all);
}

#[test]
fn what_lies_before_a_start_date_that_was_moved_back_is_read_once() {
    let sandbox = sandbox(Options { orders: 3_000, ..Options::default() });
    let mut config = config(&sandbox);
    config["start_date"] = json!("2025-11-20T00:00:00Z");
    let first = Run::incremental(&config).finish().succeeded();
    config["start_date"] = json!("2025-11-10T00:00:00Z");
    // Each attempt but the last is killed after some output.
    let mut outcomes = vec![first];
    for bytes in [Some(400_000), Some(700_000), None] {
        let run = Run::incremental(&config).resuming(outcomes.last().unwrap().last_state());
        outcomes.push(match bytes {
            Some(bytes) => run.killed_after(bytes),
            None => run.finish().succeeded(),
        });
    }
    let all: Vec<&Value> = outcomes.iter().flat_map(Outcome::records).collect();
    let from = DateTime::parse_from_rfc3339("2025-11-10T00:00:00Z").unwrap().to_utc();
    let filter = Filter { from: Some(from), ..settled(&sandbox) };
    assert_holds(&all, &sandbox.expected(&filter), false);
    let last = outcomes.last().unwrap();
    assert!(last.logs().iter().any(|line| line.contains("the start date was moved to an earlier day")));
    let state = &last.last_state()["state"]["stream"]["stream_state"];
    assert_eq!((&state["startDate"], &state["parts"]), (&json!("2025-11-10T00:00:00.000Z"), &Value::Null));
    let again = Run::incremental(&config).resuming(last.last_state()).finish().succeeded();
    assert_eq!(again.records().len(), 0, "what is written is not written again");
    let full = Run::read(&config, "full_refresh").resuming(outcomes[0].last_state()).finish().succeeded();
    assert!(full.records().len() > outcomes[0].records().len());
}
