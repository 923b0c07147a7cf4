//! What every Airbyte source must do, whatever it reads.

use aifi_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Outcome, Run, config, configured_catalog, sandbox};

fn small() -> Sandbox {
    sandbox(Options { orders: 300, ..Options::default() })
}

fn read_with_catalog(sandbox: &Sandbox, catalog: &Value) -> Outcome {
    Run::of("read")
        .file("config", &config(sandbox).to_string())
        .file("catalog", &catalog.to_string())
        .finish()
}

#[test]
fn spec_needs_neither_configuration_nor_network_and_is_the_file() {
    let outcome = Run::of("spec").finish().succeeded();
    let file: Value = serde_json::from_str(include_str!("../spec/spec.json")).unwrap();
    assert_eq!(outcome.messages, [json!({"type": "SPEC", "spec": file})]);
}

#[test]
fn discover_needs_no_network() {
    let mut config = config(&small());
    config["base_url"] = json!("http://127.0.0.1:1/api/admin/v2");
    let outcome = Run::of("discover").file("config", &config.to_string()).finish().succeeded();
    let streams = outcome.messages[0]["catalog"]["streams"].as_array().unwrap().clone();
    let told: Vec<String> = streams
        .iter()
        .map(|stream| {
            let fields = |value: &Value| value.to_string().replace(['"', '[', ']'], "");
            format!(
                "{} by {}, key {}",
                stream["name"].as_str().unwrap(),
                fields(&stream["default_cursor_field"]),
                fields(&stream["source_defined_primary_key"])
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "orders by draftCreatedAt, key id",
            "order_line_items by orderDraftCreatedAt, key orderId,id",
            "order_versions by draftCreatedAt, key id,version",
            "order_details by draftCreatedAt, key id",
            "contests by updatedAt, key id",
            "stores by null, key id",
            "sessions by updatedAt, key id",
            "products by null, key id",
            "sync_audit by startedAt, key startedAt,slice",
            "unreadable_rows by seenAt, key id",
        ]
    );
}

#[test]
fn a_record_is_followed_by_a_state_and_a_stream_by_its_statuses() {
    let outcome = Run::incremental(&config(&small())).finish().succeeded();
    let kinds: Vec<String> = outcome
        .messages
        .iter()
        .filter(|message| message["type"] != "LOG")
        .map(|message| match message["trace"]["stream_status"]["status"].as_str() {
            Some(status) => status.to_owned(),
            None => message["type"].as_str().unwrap().to_owned(),
        })
        .collect();
    assert_eq!(kinds[..2], ["STARTED", "RUNNING"]);
    assert_eq!(kinds[kinds.len() - 2..], ["STATE", "COMPLETE"]);
    assert!(kinds[2..kinds.len() - 2].iter().all(|kind| kind == "RECORD"));
}

#[test]
fn an_empty_read_still_has_its_statuses_and_a_state() {
    let sandbox = small();
    let future = json!({"state": {"type": "STREAM", "stream": {"stream_descriptor": {"name": "orders"}, "stream_state": {"draftCreatedAt": "2999-12-31T23:59:59.999Z"}}}});
    let outcome = Run::incremental(&config(&sandbox)).resuming(&future).finish().succeeded();
    assert_eq!((outcome.records().len(), outcome.cursors()), (0, vec!["2999-12-31T23:59:59.999Z"]));
    assert_eq!(outcome.statuses(), ["STARTED", "RUNNING", "COMPLETE"]);
}

#[test]
fn states_far_in_the_future_bring_no_record_and_are_kept_by_every_stream() {
    let sandbox = small();
    let future: Value = serde_json::from_str(include_str!("future_state.json")).unwrap();
    let states = future.as_array().unwrap().iter().map(|state| &state["stream"]);
    let names: Vec<&str> =
        states.clone().map(|state| state["stream_descriptor"]["name"].as_str().unwrap()).collect();
    let run = Run::of_streams(&config(&sandbox), "incremental", &names).file("state", &future.to_string());
    let outcome = run.finish().succeeded();
    for (name, state) in names.iter().zip(states) {
        let (cursor, at) = state["stream_state"].as_object().unwrap().iter().next().unwrap();
        assert_eq!(outcome.records_of(name).len(), 0, "{name}");
        // That of the rows that are not records only says when a sync has looked.
        if *name != "unreadable_rows" {
            let kept = &outcome.last_state_of(name)["state"]["stream"]["stream_state"];
            assert_eq!(kept[cursor], *at, "{name}");
        }
    }
}

#[test]
fn the_cursor_in_the_state_is_spelt_like_the_records() {
    let outcome = Run::incremental(&config(&small())).finish().succeeded();
    let shape =
        |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let record = outcome.records()[0]["draftCreatedAt"].as_str().unwrap().to_owned();
    assert_eq!(shape(outcome.cursors()[0]), shape(&record));
}

#[test]
fn a_later_read_is_emitted_later() {
    let sandbox = small();
    let emitted = |outcome: &Outcome| {
        outcome
            .of_type("RECORD")
            .map(|message| message["record"]["emitted_at"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    let first = emitted(&Run::incremental(&config(&sandbox)).finish().succeeded());
    let second = emitted(&Run::incremental(&config(&sandbox)).finish().succeeded());
    assert!(first.iter().max() < second.iter().min());
}

#[test]
fn strange_but_legal_catalogs_are_read() {
    let sandbox = small();
    let mut nulls = configured_catalog("incremental");
    let stream = &mut nulls["streams"][0];
    for field in
        ["cursor_field", "primary_key", "generation_id", "minimum_generation_id", "sync_id", "include_files"]
    {
        stream[field] = Value::Null;
    }
    stream["stream"]["namespace"] = Value::Null;
    stream["destination_sync_mode"] = json!("soft_delete");
    stream["something"] = json!({"new": [1]});
    let mut deselected = configured_catalog("full_refresh");
    deselected["streams"][0]["stream"]["json_schema"]["properties"] = json!({"id": {"type": "integer"}});
    for catalog in [nulls, deselected] {
        assert!(!read_with_catalog(&sandbox, &catalog).succeeded().records().is_empty());
    }
    let none = read_with_catalog(&sandbox, &json!({"streams": []})).succeeded();
    assert_eq!(none.logs(), ["No stream is selected, so nothing is read."]);
    assert_eq!(none.messages.len(), 1);
}

#[test]
fn a_stream_or_sync_mode_we_do_not_have_is_a_config_error() {
    let sandbox = small();
    let mut unknown = configured_catalog("incremental");
    unknown["streams"][0]["stream"]["name"] = json!("__AIRBYTE__stream_that_does_not_exist");
    for catalog in [unknown, configured_catalog("INVALID"), json!([]), json!({"streams": null})] {
        let outcome = read_with_catalog(&sandbox, &catalog).failed("config_error");
        assert!(outcome.records().is_empty());
    }
    assert_eq!(sandbox.stats().requests, 0);
}

#[test]
fn strange_but_legal_states_are_read() {
    let sandbox = small();
    let all = Run::incremental(&config(&sandbox)).finish().succeeded();
    let entry = |state: &str| {
        format!(
            r#"[{{"type":"STREAM","stream":{{"stream_descriptor":{{"name":"orders","namespace":null}},"stream_state":{state}}},"global_":null,"data":null,
        "sourceStats":{{"recordCount":2.0,"rejectedRecordCount":null}},"destinationStats":null,"global_":null}},
        {{"type":"STREAM","stream":{{"stream_descriptor":{{"name":"another"}},"stream_state":{{"x":1}}}}}}]"#
        )
    };
    for (state, count) in [
        ("[]".to_owned(), all.records().len()),
        (String::new(), all.records().len()),
        (entry("null"), all.records().len()),
        (entry("{}"), all.records().len()),
        (entry(r#"{"draftCreatedAt":"2025-11-30T23:58:00.000Z"}"#), 0),
        (entry(r#"{"draftCreatedAt":"2025-12-01T00:58:00+01:00","other":[1]}"#), 0),
    ] {
        let outcome = Run::incremental(&config(&sandbox)).file("state", &state).finish().succeeded();
        assert_eq!(outcome.records().len(), count, "{state}");
    }
}

#[test]
fn a_state_of_another_shape_is_a_config_error_and_not_a_fresh_start() {
    let sandbox = small();
    let of = |state: &str| {
        format!(
            r#"[{{"type":"STREAM","stream":{{"stream_descriptor":{{"name":"orders"}},"stream_state":{state}}}}}]"#
        )
    };
    for state in [
        of(r#"{"updatedAt":"2025-11-01T00:00:00Z"}"#),
        of(r#"{"draftCreatedAt":"soon"}"#),
        of("[1]"),
        "{".to_owned(),
        r#"{"orders":{}}"#.to_owned(),
        r#"[{"type":"GLOBAL","global":{"stream_states":[]}}]"#.to_owned(),
    ] {
        let outcome =
            Run::incremental(&config(&sandbox)).file("state", &state).finish().failed("config_error");
        assert!(outcome.records().is_empty(), "{state}");
    }
}

#[test]
fn another_data_channel_is_refused_plainly() {
    let sandbox = small();
    let outcome = Run::incremental(&config(&sandbox))
        .variable("DATA_CHANNEL_MEDIUM", "SOCKET")
        .finish()
        .failed("config_error");
    assert!(outcome.message().contains("DATA_CHANNEL_MEDIUM=STDIO"), "{}", outcome.message());
    Run::incremental(&config(&sandbox)).variable("DATA_CHANNEL_MEDIUM", "STDIO").finish().succeeded();
}

#[test]
fn a_wrong_command_line_is_told_to_people_and_to_the_platform() {
    for run in [Run::of("sync"), Run::of("read"), Run::of("spec").argument("--verbose")] {
        let outcome = run.finish();
        assert_eq!(outcome.code(), Some(2));
        assert_eq!(outcome.errors()[0]["failure_type"], "config_error");
        assert!(outcome.stderr.contains("Usage:") || outcome.stderr.contains("--help"), "{}", outcome.stderr);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let outcome = Run::of("discover")
        .argument("--config")
        .argument("/nowhere/config.json")
        .finish()
        .failed("config_error");
    assert!(outcome.message().contains("/nowhere/config.json (--config)"), "{}", outcome.message());
}

#[test]
fn nothing_is_written_to_stderr_unless_somebody_watches() {
    let sandbox = small();
    let outcome = Run::incremental(&config(&sandbox)).finish();
    assert_eq!(outcome.stderr, "");
    sandbox.remove_order(0);
    let mut config = config(&sandbox);
    config["credentials"]["access_token"] = json!("wrong-0123456789");
    assert_eq!(Run::incremental(&config).finish().stderr, "");
}
