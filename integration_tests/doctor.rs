//! `doctor`: a report for people.

use aifi_sandbox::{Behaviour, Bounds, Fault, Faults, FirstPage, Limit, Options, UpdatedFilter};
use serde_json::{Value, json};

use crate::harness::{Run, TOKEN, TlsFront, application, config, sandbox};

fn doctor(config: &Value) -> (Option<i32>, String) {
    Run::of("doctor").file("config", &config.to_string()).text()
}

/// The line of a step.
fn line<'r>(report: &'r str, step: &str) -> &'r str {
    let is_it = |line: &&str| line.split_whitespace().nth(1) == Some(step);
    report.lines().find(is_it).unwrap_or_else(|| panic!("no {step} in\n{report}"))
}

#[test]
fn a_healthy_connection_has_a_report_without_a_failure() {
    let sandbox = sandbox(Options::default());
    let (status, report) = doctor(&config(&sandbox));
    assert_eq!(status, Some(0), "{report}");
    assert!(!report.contains("FAIL") && !report.contains(TOKEN), "{report}");
    for step in ["configuration", "proxy", "name", "connection", "token", "orders", "changes", "latency"] {
        assert!(line(&report, step).starts_with("ok"), "{report}");
    }
    assert!(
        line(&report, "clock").contains("behind") || line(&report, "clock").contains("ahead"),
        "{report}"
    );
}

#[test]
fn what_the_api_makes_of_a_question_is_told() {
    let behaviour = Behaviour {
        bounds: Bounds::Exclusive,
        first_page: FirstPage::One,
        updated_filter: UpdatedFilter::Ignored,
        page_cap: Some(100),
        ..Behaviour::default()
    };
    let (status, report) = doctor(&config(&sandbox(Options { behaviour, ..Options::default() })));
    let readings = line(&report, "readings");
    for words in
        ["count from 1", "minDraftCreatedAt is not in", "maxDraftCreatedAt not in", "100 orders came"]
    {
        assert!(readings.contains(words), "{readings}");
    }
    assert!(line(&report, "changes").starts_with("note"), "{report}");
    assert_eq!(status, Some(0));
}

#[test]
fn what_fails_is_told_at_its_step_with_what_to_change() {
    let sandbox = sandbox(Options::default());
    let good = config(&sandbox);
    let mut wrong_token = good.clone();
    wrong_token["credentials"]["access_token"] = json!("wrong-token-987654");
    let mut wrong_path = good.clone();
    wrong_path["base_url"] = json!(sandbox.base_url().replace("/admin", "/nowhere"));
    let mut no_name = good.clone();
    no_name["base_url"] = json!("https://aifi.invalid/api/admin/v2");
    let mut no_trust = good.clone();
    no_trust["base_url"] = json!(TlsFront::before(&sandbox).base_url);
    for (config, step, field) in [
        (json!({"start_date": "yesterday"}), "configuration", "start_date"),
        (wrong_token, "token", "access_token"),
        (wrong_path, "orders", "base_url"),
        (no_name, "name", "base_url"),
        (no_trust, "connection", "ca_certificate"),
    ] {
        let (status, report) = doctor(&config);
        let line = line(&report, step);
        assert!(line.starts_with("FAIL") && report.contains(field), "{report}");
        assert_eq!(status, Some(1));
        assert!(!report.contains("987654"), "{report}");
    }
}

#[test]
fn a_shop_without_orders_is_no_failure() {
    let (status, report) =
        doctor(&config(&sandbox(Options { orders: 0, ties: vec![], ..Options::default() })));
    assert_eq!((status, line(&report, "readings").split(' ').next()), (Some(0), Some("note")), "{report}");
}

#[test]
fn a_stream_that_the_token_may_not_read_is_named() {
    let forbidden = vec!["order".to_owned()];
    let (status, report) = doctor(&config(&sandbox(Options { forbidden, ..Options::default() })));
    assert!(line(&report, "order_details").starts_with("note") && report.contains("403"), "{report}");
    assert_eq!(status, Some(0));
}

#[test]
fn a_limit_that_refuses_all_the_time_is_told_with_what_helps() {
    let limit = Limit::SlidingSecond(4);
    let (status, report) = doctor(&config(&sandbox(Options { limit, frozen: false, ..Options::default() })));
    let told = line(&report, "limit");
    assert!(told.starts_with("note") && told.contains("Requests per second (requests_per_second)"), "{told}");
    assert!(told.contains(" requests were refused"), "{told}");
    assert_eq!(status, Some(0));
}

#[test]
fn a_backfill_is_reckoned_with_the_pages_that_came() {
    let behaviour = Behaviour { page_cap: Some(50), ..Behaviour::default() };
    let sandbox = sandbox(Options { behaviour, ..Options::default() });
    let (_, report) = doctor(&config(&sandbox));
    let latency = line(&report, "latency");
    assert!(
        latency.contains("a page of 50 orders takes") && latency.contains("up to 1000 orders a second"),
        "{latency}"
    );
    let mut late = config(&sandbox);
    late["start_date"] = json!("2025-12-01T00:00:00Z");
    let (status, report) = doctor(&late);
    assert!(!report.contains("a page of 200") && !report.contains(" 0 ms"), "{report}");
    assert_eq!(status, Some(0));
}

#[test]
fn what_an_order_would_show_is_told_to_be_missing() {
    let (_, report) = doctor(&config(&sandbox(Options { orders: 0, ties: vec![], ..Options::default() })));
    let details = line(&report, "order_details");
    assert!(details.starts_with("note") && details.contains("there is no order to try it with"), "{report}");
}

#[test]
fn changes_and_the_clock_are_told_once() {
    for orders in [0, 1_000] {
        let options = Options { orders, ties: vec![], ..Options::default() };
        let (_, report) = doctor(&config(&sandbox(options)));
        assert!(!line(&report, "orders").contains("hanges are"), "{report}");
        let told = |words: &str| report.to_lowercase().matches(words).count();
        assert_eq!(told("this machine's clock"), 1, "{report}");
        assert_eq!(told("changes are found") + told("changes of any age are found"), 1, "{report}");
    }
}

#[test]
fn how_changes_are_followed_is_told_as_it_is_configured() {
    let sandbox = sandbox(Options::default());
    for (changes, words) in [("off", "not followed"), ("window", "the last 14 days")] {
        let mut config = config(&sandbox);
        config["changes"] = json!(changes);
        let (_, report) = doctor(&config);
        let told = line(&report, "changes");
        assert!(told.starts_with("note") && told.contains(words), "{told}");
    }
}

#[test]
fn the_token_of_an_application_is_not_said_to_end() {
    let (_sandbox, config) = application();
    let (_, report) = doctor(&config);
    let token = line(&report, "token");
    assert!(token.contains("by itself") && !token.contains("90 days"), "{token}");
}

#[test]
fn what_could_not_be_found_out_in_time_is_no_failure_of_a_sync() {
    let faults = Faults::at(13..=u64::MAX, Fault::Unavailable503);
    let (status, report) = doctor(&config(&sandbox(Options { faults, ..Options::default() })));
    assert!(
        line(&report, "orders").starts_with("ok") && line(&report, "products").starts_with("ok"),
        "{report}"
    );
    let readings = line(&report, "readings");
    assert!(readings.starts_with("note") && readings.contains("could not be found out"), "{report}");
    assert!(line(&report, "changes").contains("Changes are found by their update time"), "{report}");
    assert_eq!(status, Some(0));
}
