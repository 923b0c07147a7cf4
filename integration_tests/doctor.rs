//! `doctor`: a report for people.

use aifi_sandbox::{Behaviour, Bounds, FirstPage, Options, UpdatedFilter};
use serde_json::{Value, json};

use crate::harness::{Run, TOKEN, TlsFront, config, sandbox};

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
