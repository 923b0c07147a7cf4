//! The states of a release: the next binary resumes from what one writes.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use aifi_sandbox::{Filter, Options, Sandbox};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{CURRENT, json_file, released, said};
use crate::complete::settled;
use crate::harness::{Outcome, Run, assert_holds, config, configured_catalog, ids, sandbox};

/// Where a sync was when its state was kept. The names of the files.
const SITUATIONS: [&str; 8] = [
    "first_sync",
    "mid_sync",
    "sweep",
    "window",
    "recent",
    "unseen",
    "full_refresh",
    "full_refresh_complete",
];

/// The sandbox in a situation, before the state was written.
fn world(situation: &str) -> Sandbox {
    let sandbox = sandbox(Options { orders: 3_000, contested_percent: 0, ..Options::default() });
    if situation == "recent" {
        contest(&sandbox, 100, &Filter::default());
        sandbox.advance(TimeDelta::seconds(30));
    }
    sandbox
}

/// Every so many orders are contested.
fn contest(sandbox: &Sandbox, every: usize, filter: &Filter) {
    for order in sandbox.expected(filter).iter().step_by(every) {
        sandbox.contest(order.id.parse().unwrap()).expect("an order to contest");
    }
}

/// What happens to the API after a first sync that a second one has to find.
fn pass(situation: &str, sandbox: &Sandbox) {
    sandbox.advance(TimeDelta::minutes(10));
    match situation {
        "sweep" => contest(sandbox, 4, &Filter::default()),
        "first_sync" | "window" | "unseen" => {
            // What is older than the days that are read again is not followed in that mode.
            let days = TimeDelta::days(if situation == "window" { 13 } else { 31 });
            contest(sandbox, 97, &Filter { from: Some(sandbox.now() - days), ..Filter::default() });
            sandbox.add_orders(20);
        }
        _ => (),
    }
    sandbox.advance(TimeDelta::minutes(10));
}

fn mode(situation: &str) -> &'static str {
    if situation.starts_with("full_refresh") { "full_refresh" } else { "incremental" }
}

fn configured(situation: &str, sandbox: &Sandbox) -> Value {
    let mut config = config(sandbox);
    match situation {
        "window" => config["changes"] = json!("window"),
        "unseen" => config["store_ids"] = json!([1, 2, 99]),
        _ => (),
    }
    config
}

fn blob(message: &Value) -> &Value {
    &message["state"]["stream"]["stream_state"]
}

/// The state that a binary writes in a situation, with what the situation is about in it.
fn written(situation: &str) -> Value {
    let sandbox = world(situation);
    let config = configured(situation, &sandbox);
    let mut outcome = Run::read(&config, mode(situation)).finish().succeeded();
    if situation == "sweep" {
        let first = outcome.last_state().clone();
        pass(situation, &sandbox);
        outcome = Run::read(&config, "incremental").resuming(&first).finish().succeeded();
    }
    let states = outcome.states();
    let last = states.len() - 1;
    let place = match situation {
        "mid_sync" | "full_refresh" => 0,
        "sweep" => states.iter().position(|state| blob(state)["sweep"].is_object()).expect("a sweep"),
        _ => last,
    };
    let about = match situation {
        "recent" | "sweep" | "unseen" | "window" => situation,
        "full_refresh" => "fullRefresh",
        "full_refresh_complete" => "__ab_full_refresh_sync_complete",
        _ => "updatedAt",
    };
    assert!(!blob(states[place])[about].is_null(), "{situation}: {}", states[place]);
    assert!(place == last || situation != "first_sync");
    states[place].clone()
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// A sync resumes from a state of a release: what it does not cover comes, right, and little else.
fn gone_on_from(situation: &str, message: &Value) {
    let sandbox = world(situation);
    let config = configured(situation, &sandbox);
    let before: HashSet<(String, String)> =
        sandbox.expected(&Filter::default()).into_iter().map(|order| (order.id, order.updated_at)).collect();
    pass(situation, &sandbox);
    let stores = if situation == "unseen" { vec![1, 2] } else { Vec::new() };
    let filter = Filter { store_ids: stores, ..settled(&sandbox) };
    let state = blob(message);
    let covered = |draft: DateTime<Utc>, as_before: bool| {
        let swept = !state["sweep"].is_null() && draft < moment(&state["sweep"]["draftCreatedAt"]);
        // A complete full refresh counts within its generation only, and these states name none.
        let complete = state["__ab_full_refresh_sync_complete"] == true;
        draft < moment(&state["draftCreatedAt"]) && (as_before || swept) && !complete
    };
    let expected = sandbox.expected(&filter);
    let (_, to_come): (Vec<_>, Vec<_>) = expected.into_iter().partition(|order| {
        let as_before = before.contains(&(order.id.clone(), order.updated_at.clone()));
        covered(order.draft_created_at.parse().unwrap(), as_before)
    });

    let mut catalog = configured_catalog(mode(situation));
    if let Some(stream) = catalog["streams"][0].as_object_mut() {
        stream.remove("generation_id");
    }
    let outcome: Outcome = Run::of("read")
        .file("config", &config.to_string())
        .file("catalog", &catalog.to_string())
        .resuming(message)
        .finish()
        .succeeded();
    let wanted: HashSet<&str> = to_come.iter().map(|order| order.id.as_str()).collect();
    let (came, again): (Vec<&Value>, Vec<&Value>) =
        outcome.records().into_iter().partition(|record| wanted.contains(record["id"].to_string().as_str()));
    assert_holds(&came, &to_come, false);
    // A state is a low-water mark, so what follows it may have been written before it.
    assert!(again.len() <= 200, "{situation}: {:?} come again", ids(&again).len());
    let next = blob(outcome.last_state());
    assert!(moment(&next["draftCreatedAt"]) >= moment(&state["draftCreatedAt"]), "{situation}: {next}");
    if situation == "unseen" {
        assert_eq!(next["unseen"], state["unseen"]);
    }
}

#[test]
fn every_state_of_a_release_is_gone_on_from() {
    for folder in released() {
        for situation in SITUATIONS {
            let file = json_file(&folder.join(format!("states/{situation}.json")));
            gone_on_from(situation, &json!({"state": file[0]}));
        }
    }
}

#[test]
fn a_state_of_a_release_serves_beside_streams_that_it_does_not_know() {
    for folder in released() {
        let sandbox = world("first_sync");
        let states = fs::read_to_string(folder.join("states/first_sync.json")).unwrap();
        let stream = |name: &str| {
            json!({"stream": {"name": name, "json_schema": {"type": "object", "properties": {}}, "supported_sync_modes": ["incremental"]},
                "sync_mode": "incremental", "destination_sync_mode": "append_dedup"})
        };
        let catalog =
            json!({"streams": [stream("orders"), stream("order_line_items"), stream("order_versions")]});
        let outcome = Run::of("read")
            .file("config", &config(&sandbox).to_string())
            .file("catalog", &catalog.to_string())
            .file("state", &states)
            .finish()
            .succeeded();
        assert_eq!(outcome.records().len(), 0, "orders are known");
        assert_eq!(
            outcome.records_of("order_line_items").len(),
            sandbox.expected_lines(&Filter::default()).len()
        );
        assert_eq!(outcome.records_of("order_versions").len(), 3_000);
    }
}

#[test]
#[ignore = "writes the folder of a release"]
fn keep_this_release() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration_tests/released").join(CURRENT);
    fs::create_dir_all(folder.join("states")).unwrap();
    let write = |path: &str, value: &Value| {
        fs::write(folder.join(path), format!("{}\n", serde_json::to_string_pretty(value).unwrap())).unwrap();
    };
    write("spec.json", &said("spec"));
    write("catalog.json", &said("discover"));
    for situation in SITUATIONS {
        write(&format!("states/{situation}.json"), &json!([written(situation)["state"]]));
    }
}
