//! Responses that the sandbox does not give: from gateways, token endpoints in trouble, and nobody at all.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{JSON, Outcome, Run, Said, Server};

/// An API without orders.
fn nothing() -> Said {
    ("200 OK", JSON, r#"{"data":[]}"#.to_owned())
}

fn read(config: &Value) -> Outcome {
    Run::incremental(config).finish()
}

/// What a command shows, all of it.
fn shown(command: &str, config: &Value) -> String {
    match command {
        "read" => read(config).stdout,
        command => Run::of(command).file("config", &config.to_string()).text().1,
    }
}

#[test]
fn one_passing_refusal_of_a_gateway_in_mid_sync_is_asked_again() {
    for status in
        ["302 Found", "401 No", "404 Not Found", "406 Not Acceptable", "410 Gone", "421 No", "430 No"]
    {
        let failed = Arc::new(Mutex::new(0));
        let server = Server::start(move |number, _| {
            let mut failed = failed.lock().unwrap();
            if number > 1 && *failed < 2 {
                *failed += 1;
                return (status, "Content-Type: text/html\r\n", "<html>gateway</html>".to_owned());
            }
            nothing()
        });
        read(&server.config()).succeeded();
    }
}

#[test]
fn a_refusal_that_stays_in_mid_sync_ends_as_transient_and_quotes_no_page() {
    let page = "Content-Type: text/html; charset=utf-8\r\n";
    let server = Server::start(move |number, _| match number {
        1 => nothing(),
        _ => ("404 Not Found", page, "<html>jane.doe</html>".to_owned()),
    });
    let outcome = read(&server.config()).failed("transient_error");
    let message = outcome.message();
    assert!(message.contains("Check API base URL (base_url)"), "{message}");
    assert!(message.contains("The answer was of the type text/html."), "{message}");
    assert!(!outcome.stdout.contains("jane"), "{message}");
}

#[test]
fn a_wait_of_an_hour_that_is_asked_for_is_told() {
    for headers in ["Retry-After: 3600\r\n", "Retry-After: Sun, 30 Nov 2025 13:00:00 GMT\r\n"] {
        let server = Server::start(move |_, _| ("429 Too Many Requests", headers, String::new()));
        let outcome = read(&server.config()).failed("transient_error");
        assert!(outcome.message().starts_with("The API asks to wait 1 hour "), "{}", outcome.message());
    }
}

/// A configuration with an application.
fn application(server: &Server, rate: u32) -> Value {
    let mut config = server.config();
    config["credentials"] = json!({"auth_type": "client_credentials", "client_id": "cid", "client_secret": "not-a-real-secret", "token_url": format!("http://{}/token", server.address)});
    config["requests_per_second"] = json!(rate);
    config
}

#[test]
fn a_token_endpoint_in_trouble_is_not_flooded() {
    let server = Server::start(|_, what| match what {
        "POST /token" => ("200 OK", JSON, "{}".to_owned()),
        _ => nothing(),
    });
    let run = Run::incremental(&application(&server, 5));
    let mut child = run.spawn();
    std::thread::sleep(Duration::from_secs(6));
    child.kill().unwrap();
    child.wait().unwrap();
    let came: Vec<Instant> = server.came.lock().unwrap().iter().map(|(at, _)| *at).collect();
    assert!((3..=12).contains(&came.len()), "{}", came.len());
    for pair in came.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap >= Duration::from_millis(120), "{gap:?}");
    }
}

#[test]
fn a_token_with_its_lifetime_as_text_is_used_and_an_error_with_200_is_quoted() {
    let answers = |body: &'static str| {
        Server::start(move |_, what| match what {
            "POST /token" => ("200 OK", JSON, body.to_owned()),
            _ => nothing(),
        })
    };
    let good = answers(r#"{"access_token":"tok-9876543210","expires_in":"300"}"#);
    read(&application(&good, 20)).succeeded();
    assert_eq!(good.count("POST"), 1);
    let error = answers(r#"{"error":"invalid_client","error_description":"not-a-real-secret is wrong"}"#);
    let outcome = read(&application(&error, 20)).failed("config_error");
    let told = "The token endpoint said: invalid_client; [redacted] is wrong.";
    assert!(outcome.message().ends_with(told), "{}", outcome.message());
    assert_eq!(error.count("POST"), 1, "one failure is the failure of all who waited for it");
}

#[test]
fn a_secret_at_the_edge_of_a_shortened_message_is_not_shown() {
    let token: String = (0..1_338_u32).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
    let body = json!({"message": format!("Invalid token: {token}")}).to_string();
    let server = Server::start(move |_, _| ("401 Unauthorized", JSON, body.clone()));
    let mut config = server.config();
    config["credentials"]["access_token"] = json!(token);
    for command in ["read", "check", "doctor"] {
        let shown = shown(command, &config);
        assert!(shown.contains("Invalid token: [redacted]"), "{command}: {shown}");
        assert!(!shown.contains(&token[..8]), "{command}: {shown}");
    }
}

#[test]
fn a_message_holds_nothing_of_a_body() {
    for body in
        [r#"{"data":"[{\"id\":1,\"text\":\"jane.doe\"}]"}"#, r#""jane.doe""#, r#"{"data":["jane.doe"]}"#]
    {
        let server = Server::start(move |_, _| ("200 OK", JSON, body.to_owned()));
        for command in ["check", "doctor"] {
            let shown = shown(command, &server.config());
            assert!(!shown.contains("jane"), "{command}: {shown}");
        }
    }
}

#[test]
fn where_nobody_listens_a_check_asks_three_times() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = json!({
        "credentials": {"auth_type": "access_token", "access_token": "tok-0123456789"},
        "start_date": "2025-01-01T00:00:00Z",
        "base_url": format!("http://{free}/api/admin/v2"),
    });
    let started = Instant::now();
    let check = shown("check", &config);
    assert!(check.contains("FAILED") && check.contains("no connection to 127.0.0.1"), "{check}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let doctor = shown("doctor", &config);
    assert!(doctor.contains("attempt 3"), "{doctor}");
}
