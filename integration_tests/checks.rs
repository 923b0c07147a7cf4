//! `check`: proves that the stream can be read, or says which field to change.

use std::time::Duration;

use aifi_sandbox::{
    Auth, Behaviour, Bounds, Fault, Faults, FirstPage, Ids, Options, Ties, UnknownParameters,
};
use serde_json::json;

use crate::harness::{Run, TOKEN, TlsFront, config, sandbox};

#[test]
fn a_connection_that_works_says_what_was_found() {
    let sandbox = sandbox(Options::default());
    let outcome = Run::check(&config(&sandbox)).finish();
    let (status, message) = outcome.verdict();
    assert_eq!(status, "SUCCEEDED", "{message}");
    assert!(message.contains("2025-11-01T00:00:00.000Z"), "{message}");
}

#[test]
fn every_reading_of_the_api_passes() {
    for behaviour in [
        Behaviour { bounds: Bounds::TruncatedToSeconds, first_page: FirstPage::One, ..Behaviour::default() },
        Behaviour {
            ids: Ids::String,
            ties: Ties::Unstable,
            unknown_parameters: UnknownParameters::Refused,
            ..Behaviour::default()
        },
        Behaviour { odd_values: true, extra_fields: true, pretty: true, ..Behaviour::default() },
    ] {
        let sandbox = sandbox(Options { behaviour, ..Options::default() });
        assert_eq!(Run::check(&config(&sandbox)).finish().verdict().0, "SUCCEEDED");
    }
}

#[test]
fn a_shop_without_orders_passes() {
    let sandbox = sandbox(Options { orders: 0, ties: vec![], ..Options::default() });
    let outcome = Run::check(&config(&sandbox)).finish();
    assert_eq!(outcome.verdict().0, "SUCCEEDED");
}

#[test]
fn a_mistyped_setting_is_named_and_not_fatal() {
    let sandbox = sandbox(Options::default());
    let mut config = config(&sandbox);
    config["changes_day"] = json!(30);
    let outcome = Run::check(&config).finish();
    let (status, message) = outcome.verdict();
    assert_eq!(status, "SUCCEEDED", "{message}");
    assert!(message.contains("no effect: changes_day."), "{message}");
    let outcome = Run::incremental(&config).finish().succeeded();
    assert!(outcome.logs()[0].contains("changes_day"), "{:?}", outcome.logs());
}

#[test]
fn streams_that_the_token_may_not_read_are_named_and_not_fatal() {
    let forbidden = ["order", "contests", "sessions"].map(str::to_owned).into();
    let outcome = Run::check(&config(&sandbox(Options { forbidden, ..Options::default() }))).finish();
    let (status, message) = outcome.verdict();
    assert_eq!(status, "SUCCEEDED", "{message}");
    assert!(
        message
            .contains("is not authorized to read order_details, contests, sessions (403). This is not fatal"),
        "{message}"
    );
}

#[test]
fn a_passing_trouble_is_no_verdict() {
    let faults = Faults {
        script: vec![(1..=2, Fault::Unavailable503), (4..=4, Fault::Cut), (6..=6, Fault::Html200)],
        ..Faults::default()
    };
    let sandbox = sandbox(Options { faults, ..Options::default() });
    assert_eq!(Run::check(&config(&sandbox)).finish().verdict().0, "SUCCEEDED");
}

#[test]
fn a_failure_names_the_field_to_change_with_status_zero() {
    let good = sandbox(Options::default());
    let forbidden = sandbox(Options { auth: Auth::Forbidden(TOKEN.to_owned()), ..Options::default() });
    let redirecting =
        sandbox(Options { faults: Faults::at(1..=99, Fault::Redirect302), ..Options::default() });
    let with = |field: &str, value| {
        let mut config = config(&good);
        *config.pointer_mut(field).unwrap() = value;
        config
    };
    for (config, field) in [
        (with("/credentials/access_token", json!("wrong-0123456789")), "credentials.access_token"),
        (with("/base_url", json!(good.base_url().replace("/admin", "/nowhere"))), "base_url"),
        (with("/start_date", json!("yesterday")), "start_date"),
        (config(&forbidden), "credentials"),
        (config(&redirecting), "base_url"),
    ] {
        let outcome = Run::check(&config).finish();
        let (status, message) = outcome.verdict();
        assert_eq!(status, "FAILED");
        assert!(message.contains(field), "{message}");
    }
}

#[test]
fn an_api_that_the_reader_cannot_rely_on_fails() {
    for (fault, word) in
        [(Fault::Unsorted, "not sorted"), (Fault::OutOfRange, "bound"), (Fault::NoEnvelope, "`data`")]
    {
        let sandbox = sandbox(Options { faults: Faults::at(1..=99, fault), ..Options::default() });
        let outcome = Run::check(&config(&sandbox)).finish();
        let (status, message) = outcome.verdict();
        assert_eq!(status, "FAILED", "{fault:?}");
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn an_api_that_does_not_answer_is_given_up_with_its_true_cause() {
    let hanging = sandbox(Options {
        faults: Faults::at(1..=999, Fault::Hang(Duration::from_secs(120))),
        ..Options::default()
    });
    let refusing =
        sandbox(Options { faults: Faults::at(1..=999, Fault::Unavailable503), ..Options::default() });
    let web_page = sandbox(Options { faults: Faults::at(1..=999, Fault::Html200), ..Options::default() });
    let mut nobody = config(&web_page);
    nobody["base_url"] = json!("http://127.0.0.1:1/api/admin/v2");
    let mut plain = config(&web_page);
    plain["base_url"] = json!(TlsFront::before(&web_page).base_url.replace("https://", "http://"));
    let mut proxied = config(&web_page);
    proxied["base_url"] = json!("https://api.aifi.invalid/api/admin/v2");
    let cases = [
        (config(&hanging), "no answer in time"),
        (config(&refusing), "503"),
        (config(&web_page), "a web page"),
        (nobody, "no connection to 127.0.0.1"),
        (plain, "perhaps it speaks https only"),
        (
            proxied,
            "no connection through the proxy 127.0.0.1:1 (Connection refused (os error 111)). Check HTTPS_PROXY",
        ),
    ];
    std::thread::scope(|scope| {
        let check = |config| {
            Run::check(&config).variable("HTTPS_PROXY", "http://me:hidden-word@127.0.0.1:1").finish()
        };
        let runs = cases.map(|(config, word)| (scope.spawn(move || check(config)), word));
        for (run, word) in runs {
            let outcome = run.join().unwrap();
            let (status, message) = outcome.verdict();
            assert_eq!(status, "FAILED");
            assert!(message.contains(word), "{message}");
            assert!(!message.contains("hidden-word"), "{message}");
        }
    });
}

#[test]
fn the_authority_of_a_company_is_trusted_when_it_is_given() {
    let sandbox = sandbox(Options::default());
    let front = TlsFront::before(&sandbox);
    let mut config = config(&sandbox);
    config["base_url"] = json!(front.base_url);
    config["ca_certificate"] = json!(front.authority);
    let outcome = Run::check(&config).finish();
    assert_eq!(outcome.verdict().0, "SUCCEEDED", "{}", outcome.verdict().1);
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_at_once_with_the_field_to_fill() {
    let sandbox = sandbox(Options::default());
    let front = TlsFront::before(&sandbox);
    let mut config = config(&sandbox);
    config["base_url"] = json!(front.base_url);
    let outcome = Run::check(&config).finish();
    let (status, message) = outcome.verdict();
    assert_eq!(status, "FAILED");
    assert!(message.contains("ca_certificate") && message.contains("localhost"), "{message}");
    assert_eq!(
        front.connections.load(std::sync::atomic::Ordering::Relaxed),
        1,
        "asking again would not help"
    );
    config["ca_certificate"] = json!(TlsFront::before(&sandbox).authority);
    assert_eq!(Run::check(&config).finish().verdict().0, "FAILED", "another authority does not help");
}
