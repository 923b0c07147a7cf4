//! `LOG_LEVEL`, the platform's switch: a line for each request, and what the reader decides; no content, no secret.

use aifi_sandbox::{Fault, Faults, Options};
use serde_json::{Value, json};

use crate::harness::{JSON, Outcome, Run, Server, application, config, sandbox};

/// The lines of one level.
fn lines<'o>(outcome: &'o Outcome, level: &str) -> Vec<&'o str> {
    let logs = outcome.of_type("LOG").map(|message| &message["log"]).filter(|log| log["level"] == level);
    logs.map(|log| log["message"].as_str().unwrap()).collect()
}

/// What a line says: the request, the status or none, the rows or none, the attempt.
fn parts(line: &str) -> (String, Option<u16>, Option<usize>, u32) {
    let (request, rest) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
    let (went, rest) = rest.split_once(" in ").unwrap_or_else(|| panic!("{line}"));
    let (seconds, rest) = rest.split_once(" s; attempt ").unwrap_or_else(|| panic!("{line}"));
    assert!(seconds.parse::<f64>().is_ok(), "{line}");
    let (attempt, pace) = rest.split_once("; at up to ").unwrap_or_else(|| panic!("{line}"));
    let pace: f64 = pace.strip_suffix(" requests a second").unwrap().parse().unwrap();
    assert!(pace > 0.0 && pace <= 20.0, "{line}");
    let (status, rows) = went.split_once(", ").map_or((went, None), |(status, rows)| (status, Some(rows)));
    let rows = rows.map(|rows| rows.split(' ').next().unwrap().parse().unwrap());
    (request.to_owned(), status.parse().ok(), rows, attempt.parse().unwrap())
}

#[test]
fn debug_logs_each_request_once_with_its_status_rows_and_attempt() {
    let faults = Faults::at(4..=5, Fault::Unavailable503);
    let sandbox = sandbox(Options { orders: 450, faults, ..Options::default() });
    let run = Run::of_streams(&config(&sandbox), "incremental", &["orders", "stores", "order_details"]);
    let outcome = run.variable("LOG_LEVEL", "debug").finish().succeeded();
    let told: Vec<_> = lines(&outcome, "DEBUG").into_iter().map(parts).collect();
    let mut statuses: Vec<u16> = told.iter().map(|(_, status, ..)| status.unwrap_or(0)).collect();
    let mut sent: Vec<u16> = sandbox.requests().iter().map(|request| request.status).collect();
    statuses.sort_unstable();
    sent.sort_unstable();
    assert_eq!(statuses, sent, "each request has its line");
    let rows = |path: &str| {
        let of_path = told.iter().filter(|(request, ..)| request.starts_with(path));
        of_path.filter_map(|(_, _, rows, _)| *rows).sum::<usize>()
    };
    assert!(rows("GET /orders?") >= 450);
    assert_eq!(rows("GET /orders/"), outcome.records_of("order_details").len());
    assert!(rows("GET /stores?") >= outcome.records_of("stores").len());
    assert!(told.iter().any(|(.., attempt)| *attempt > 1), "what failed was sent again: {told:?}");
    assert!(lines(&outcome, "TRACE").is_empty());
}

#[test]
fn without_the_switch_there_is_no_such_line_and_it_hides_nothing() {
    let sandbox = sandbox(Options { orders: 50, ..Options::default() });
    for (level, seen) in [("", false), ("INFO", false), ("error", false), ("Trace", true)] {
        let outcome = Run::incremental(&config(&sandbox)).variable("LOG_LEVEL", level).finish().succeeded();
        assert!(!lines(&outcome, "INFO").is_empty(), "{level}");
        assert_eq!(!lines(&outcome, "DEBUG").is_empty(), seen, "{level}");
        assert_eq!(!lines(&outcome, "TRACE").is_empty(), seen, "{level}");
    }
}

#[test]
fn trace_says_what_was_made_of_each_page() {
    let sandbox = sandbox(Options { orders: 450, contested_percent: 30, ..Options::default() });
    let first = Run::incremental(&config(&sandbox)).finish().succeeded();
    let streams = ["orders", "contests"];
    let run = Run::of_streams(&config(&sandbox), "incremental", &streams).resuming(first.last_state());
    let outcome = run.variable("LOG_LEVEL", "trace").finish().succeeded();
    let told = lines(&outcome, "TRACE").join("\n");
    for words in
        ["filter probe (minUpdatedAt: Some(Honoured))", "orders taken", "contests: ", "were due; next: "]
    {
        assert!(told.contains(words), "no {words} in:\n{told}");
    }
}

/// A server whose errors and rows repeat every secret and a customer's name.
#[test]
fn no_level_shows_a_secret_or_what_a_body_holds() {
    let (planted, name) = ("tok-0123456789", "Erika Mustermann");
    let server = Server::start(move |number, what| {
        let secret = format!(r#"{{"message":"Bearer {planted} of {name}","token":"{planted}"}}"#);
        let header = "Content-Type: application/json\r\nX-Token: tok-0123456789\r\n";
        let row = json!({"id": 1, "draftCreatedAt": "2025-11-01T08:00:00Z", "version": 1, "customerName": name, "note": planted});
        match number {
            1 | 3 => ("503 Service Unavailable", header, secret),
            2 => ("200 OK", header, secret),
            _ if what.contains("orders?") => ("200 OK", JSON, json!({"data": [row]}).to_string()),
            _ => ("404 Not Found", header, secret),
        }
    });
    let outcome = Run::of_streams(&server.config(), "incremental", &["orders", "contests"])
        .variable("LOG_LEVEL", "trace")
        .finish();
    let logs: Vec<&Value> = outcome.of_type("LOG").chain(outcome.of_type("TRACE")).collect();
    assert!(!lines(&outcome, "DEBUG").is_empty() && !lines(&outcome, "TRACE").is_empty());
    for message in logs {
        assert!(!message.to_string().contains(planted), "{message}");
        let level = message["log"]["level"].as_str().unwrap_or_default();
        if ["DEBUG", "TRACE"].contains(&level) {
            assert!(!message.to_string().contains("Mustermann"), "{message}");
        }
    }
}

#[test]
fn requests_for_tokens_are_logged_without_client_and_address() {
    let (sandbox, config) = application();
    let outcome = Run::incremental(&config).variable("LOG_LEVEL", "debug").finish().succeeded();
    let debug = lines(&outcome, "DEBUG");
    let tokens: Vec<&&str> =
        debug.iter().filter(|line| line.starts_with("POST to the token endpoint: 200 in ")).collect();
    assert_eq!(tokens.len() as u64, sandbox.stats().tokens);
    for secret in ["secret-0123456789", "app-1", "token_url", "Bearer"] {
        assert!(!debug.join("\n").contains(secret), "{secret}");
    }
    let (code, text) = Run::check(&config).variable("LOG_LEVEL", "debug").text();
    assert_eq!(code, Some(0));
    assert!(text.contains("POST to the token endpoint: 200") && text.contains("GET /orders?"), "{text}");
    assert!(!text.contains("secret-0123456789"), "{text}");
}
