//! What the log of a sync says.

use aifi_sandbox::{Behaviour, Options, Sandbox};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{Outcome, Run, config, sandbox};

const STREAMS: [&str; 6] =
    ["stores", "products", "orders", "order_line_items", "order_versions", "order_details"];

fn few(behaviour: Behaviour) -> Sandbox {
    sandbox(Options { orders: 40, contested_percent: 30, behaviour, ..Options::default() })
}

/// The line of the log that begins like this.
#[track_caller]
fn line<'o>(outcome: &'o Outcome, start: &str) -> &'o str {
    let logs = outcome.logs();
    logs.iter().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {logs:#?}"))
}

#[test]
fn each_stream_counts_its_own_records_and_requests() {
    let sandbox = few(Behaviour::default());
    let outcome = Run::of_streams(&config(&sandbox), "incremental", &STREAMS).finish().succeeded();
    let asked = |end: &str| sandbox.requests().iter().filter(|request| request.path.ends_with(end)).count();
    assert!(line(&outcome, "orders: complete").contains(&format!("; {} requests", asked("/orders"))));
    assert!(line(&outcome, "stores: complete").contains(&format!("; {} requests", asked("/stores"))));
    for stream in &STREAMS[2..] {
        let records = format!(": {} records", outcome.records_of(stream).len());
        assert!(line(&outcome, &format!("{stream}: complete")).contains(&records), "{stream}");
    }
    assert!(line(&outcome, "order_details: complete").contains("40 requests"));
}

#[test]
fn without_the_orders_themselves_it_is_said_how_many_were_read() {
    let sandbox = few(Behaviour::default());
    let outcome =
        Run::of_streams(&config(&sandbox), "incremental", &["order_line_items"]).finish().succeeded();
    assert!(line(&outcome, "orders: complete").contains(": 40 orders read"));
}

#[test]
fn fields_that_no_schema_knows_are_named_of_the_pages_of_orders_too() {
    let sandbox = few(Behaviour { extra_fields: true, ..Behaviour::default() });
    let outcome = Run::of_streams(&config(&sandbox), "incremental", &STREAMS).finish().succeeded();
    assert!(line(&outcome, "orders: the API sends fields").contains("additionalFields"));
    assert!(line(&outcome, "order_details: the API sends fields").contains("session."));
}

/// A state of a stream, as a platform keeps it.
fn state(stream: &str, cursor: &str, at: DateTime<Utc>) -> Value {
    json!({"state": {"type": "STREAM", "stream": {"stream_descriptor": {"name": stream},
        "stream_state": {cursor: at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)}}}})
}

#[test]
fn a_state_that_ends_in_the_future_is_warned_of() {
    let sandbox = few(Behaviour::default());
    for (stream, cursor) in
        [("orders", "draftCreatedAt"), ("contests", "updatedAt"), ("sessions", "updatedAt")]
    {
        for (ahead, warned) in [(TimeDelta::hours(1), false), (TimeDelta::days(400), true)] {
            let state = state(stream, cursor, sandbox.now() + ahead);
            let run = Run::of_streams(&config(&sandbox), "incremental", &[stream]).resuming(&state);
            let outcome = run.finish().succeeded();
            let told = outcome.logs().iter().any(|line| line.contains("ends in the future"));
            assert_eq!(told, warned, "{stream} {ahead}: {:?}", outcome.logs());
            assert_eq!(outcome.records_of(stream).len(), 0);
        }
    }
}

#[test]
fn clocks_that_differ_are_told_of() {
    for stream in ["orders", "contests"] {
        for (ahead, told) in [(TimeDelta::zero(), false), (TimeDelta::days(3), true)] {
            let now = Utc::now() + ahead;
            let first = now - TimeDelta::days(30);
            let sandbox =
                sandbox(Options { orders: 40, first, now, contested_percent: 30, ..Options::default() });
            let outcome = Run::of_streams(&config(&sandbox), "incremental", &[stream]).finish().succeeded();
            let logs = outcome.logs();
            let line = logs.iter().find(|line| line.contains("This machine's clock is"));
            assert_eq!(line.is_some(), told, "{stream} {ahead}: {logs:?}");
            assert!(line.is_none_or(|line| line.contains("behind the server's")), "{line:?}");
        }
    }
}

#[test]
fn a_start_date_in_the_future_is_refused() {
    let sandbox = few(Behaviour::default());
    let mut config = config(&sandbox);
    config["start_date"] = json!("2125-01-01T00:00:00Z");
    let check = Run::check(&config).finish();
    let (status, message) = check.verdict();
    assert!(status == "FAILED" && message.contains("start_date"), "{message}");
    let read = Run::incremental(&config).finish().failed("config_error");
    assert!(read.message().contains("start_date"), "{}", read.message());
    assert!(read.states().is_empty());
}
