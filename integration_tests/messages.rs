//! Every failure that a user may read, as a snapshot: read it aloud before you accept a change.

use std::fmt::Write;

use aifi_sandbox::{Auth, Fault, Faults, Options, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Run, TOKEN, application, config, sandbox};

/// The message of a failed `read`, with what differs from run to run taken out.
fn message(sandbox: &Sandbox, config: &Value, state: Option<&str>) -> String {
    let run = Run::incremental(config);
    let outcome = match state {
        Some(state) => run.file("state", state),
        None => run,
    };
    let outcome = outcome.finish();
    let error = outcome.errors()[0].clone();
    let text =
        format!("[{}] {}", error["failure_type"].as_str().unwrap(), error["message"].as_str().unwrap());
    text.replace(&sandbox.base_url(), "http://SANDBOX")
}

#[test]
fn failures_of_the_configuration_and_the_state() {
    let sandbox = sandbox(Options { orders: 10, ties: vec![], ..Options::default() });
    let good = config(&sandbox);
    let with = |field: &str, value: Value| {
        let mut config = good.clone();
        config[field] = value;
        config
    };
    let state = |state: &str| {
        format!(r#"[{{"stream":{{"stream_descriptor":{{"name":"orders"}},"stream_state":{state}}}}}]"#)
    };
    let mut text = String::new();
    for (name, config, state) in [
        (
            "everything wrong",
            json!({"credentials": {"auth_type": "client_credentials"}, "store_ids": [0], "requests_per_second": 50, "ca_certificate": "x"}),
            None,
        ),
        ("nothing given", json!({}), None),
        ("unknown sign-in", with("credentials", json!({"auth_type": "password"})), None),
        ("plain http", with("base_url", json!("http://api.aifi.com/api/admin/v2")), None),
        ("no date", with("start_date", json!("2025-02-30T00:00:00Z")), None),
        ("end before start", with("end_date", json!("2020-01-01T00:00:00Z")), None),
        ("no certificate", with("ca_certificate", json!("x")), None),
        (
            "token with a line break",
            with("credentials", json!({"auth_type": "access_token", "access_token": "abc def\n"})),
            None,
        ),
        ("state without cursor", good.clone(), Some(state(r#"{"id": 3}"#))),
        ("state of another kind", good.clone(), Some(r#"{"orders": 1}"#.to_owned())),
    ] {
        writeln!(text, "{name}\n  {}\n", message(&sandbox, &config, state.as_deref()).replace('\n', "\n  "))
            .unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn failures_of_the_api() {
    let mut text = String::new();
    let faulty = |fault| {
        sandbox(Options { orders: 1_000, faults: Faults::at(3..=u64::MAX, fault), ..Options::default() })
    };
    for fault in [
        Fault::Empty,
        Fault::NoEnvelope,
        Fault::NullData,
        Fault::Unsorted,
        Fault::Expired401,
        Fault::Redirect302,
        Fault::Huge,
    ] {
        let sandbox = faulty(fault);
        writeln!(text, "{}\n  {}\n", fault.name(), message(&sandbox, &config(&sandbox), None)).unwrap();
    }
    let forbidden = sandbox(Options { auth: Auth::Forbidden(TOKEN.to_owned()), ..Options::default() });
    writeln!(text, "forbidden\n  {}\n", message(&forbidden, &config(&forbidden), None)).unwrap();
    let mut nowhere = config(&forbidden);
    nowhere["base_url"] = json!(forbidden.base_url().replace("/admin", "/nowhere"));
    writeln!(text, "not found\n  {}\n", message(&forbidden, &nowhere, None)).unwrap();
    let (client, mut wrong) = application();
    wrong["credentials"]["client_secret"] = json!("wrong-0123456789");
    writeln!(text, "wrong application\n  {}", message(&client, &wrong, None)).unwrap();
    insta::assert_snapshot!(text);
}
