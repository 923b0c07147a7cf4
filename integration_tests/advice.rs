//! Failing situations in which a message has to say what is really wrong, and what really helps.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use aifi_sandbox::{Fault, Faults, Options};
use serde_json::{Value, json};

use crate::harness::{Run, TlsFront, application, config, configured_catalog, sandbox};

/// A `read` of these files, each as a text.
fn read(config: &str, catalog: &str) -> Run {
    Run::of("read").file("config", config).file("catalog", catalog)
}

/// The message of a run that fails, for the user's part.
#[track_caller]
fn message(run: Run) -> String {
    run.finish().failed("config_error").message().to_owned()
}

/// The message of a `check` that fails.
#[track_caller]
fn refusal(run: Run) -> String {
    let outcome = run.finish();
    let (status, message) = outcome.verdict();
    assert_eq!(status, "FAILED", "{message}");
    message.to_owned()
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no \"{word}\" in: {text}");
    }
}

#[test]
fn a_token_url_that_is_none_is_named_and_the_token_endpoint_is_quoted_as_such() {
    let (sandbox, good) = application();
    let mut wrong = good.clone();
    wrong["credentials"]["token_url"] = json!(sandbox.base_url().replace("/api/", "/nowhere/"));
    let text = refusal(Run::check(&wrong));
    assert_says(
        &text,
        &["No tokens are issued at this address (40", "Check Token URL (credentials.token_url)."],
    );
    assert!(!text.contains("client_id"), "{text}");
    let mut wrong = good;
    wrong["credentials"]["client_secret"] = json!("wrong-0123456789");
    assert_says(&refusal(Run::check(&wrong)), &["client_secret", "The token endpoint said: invalid_client"]);
}

#[test]
fn an_output_that_cannot_be_written_is_told_on_stderr() {
    let sandbox = sandbox(Options { orders: 10, ties: vec![], ..Options::default() });
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("full-disk");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("config.json").display().to_string();
    std::fs::write(&path, config(&sandbox).to_string()).unwrap();
    for arguments in [&["spec"][..], &["check", "--config", &path], &["discover", "--config", "/nowhere"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_source-aifi"))
            .args(arguments)
            .env_clear()
            .stdout(File::options().write(true).open("/dev/full").unwrap())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "source-aifi: The output cannot be written. If it goes to a file, see whether the disk is full.\n",
            "{arguments:?}"
        );
    }
}

#[test]
fn https_to_a_port_without_it_is_told_at_once() {
    let sandbox = sandbox(Options::default());
    let mut config = config(&sandbox);
    config["base_url"] = json!(sandbox.base_url().replace("http://", "https://"));
    let text = refusal(Run::check(&config));
    assert_says(
        &text,
        &["does not speak https. Check port and scheme of API base URL (base_url).", "127.0.0.1:"],
    );
    Run::incremental(&config).finish().failed("config_error");
}

#[test]
fn an_authority_that_is_used_as_a_server_is_told_in_words() {
    let sandbox = sandbox(Options::default());
    let front = TlsFront::as_authority(&sandbox);
    let mut config = config(&sandbox);
    config["base_url"] = json!(front.base_url);
    for authority in ["", front.authority.as_str()] {
        config["ca_certificate"] = json!(authority);
        let text = refusal(Run::check(&config));
        assert_says(
            &text,
            &["is that of an authority, used for a server. Give the server", "(ca_certificate)"],
        );
        assert!(!text.contains("OtherError"), "{text}");
    }
}

#[test]
fn a_proxy_that_asks_for_a_user_is_told_at_once_and_its_address_never_shows_a_password() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in proxy.incoming().flatten().take(100) {
            _ = stream.read(&mut [0; 4096]);
            _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let config = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"},
        "start_date": "2025-11-01T00:00:00Z", "base_url": "https://api.aifi.invalid/api/admin/v2"});
    let run = Run::check(&config).variable("HTTPS_PROXY", &format!("http://me:hidden-word@{address}"));
    let text = refusal(run);
    assert_says(&text, &["The proxy asks for a user name and password (407). Put them into HTTPS_PROXY"]);
    assert!(!text.contains("hidden-word"), "{text}");
}

#[test]
fn a_base_url_with_the_path_of_the_orders_is_refused_before_anything_is_asked() {
    let sandbox = sandbox(Options::default());
    for end in ["/orders", "/orders/"] {
        let mut config = config(&sandbox);
        config["base_url"] = json!(sandbox.base_url() + end);
        assert_says(
            &refusal(Run::check(&config)),
            &["API base URL (base_url): must end at the version, such as …/api/admin/v2, without /orders."],
        );
    }
    assert_eq!(sandbox.stats().requests, 0);
}

#[test]
fn a_state_that_was_copied_wrongly_is_told_how_to_copy_it() {
    let sandbox = sandbox(Options { orders: 10, ties: vec![], ..Options::default() });
    let config = config(&sandbox);
    let read = Run::incremental(&config).finish().succeeded();
    let state = read.last_state();
    let with = |state: &Value| message(Run::incremental(&config).file("state", &state.to_string()));
    for whole in [json!([state]), state.clone()] {
        let text = with(&whole);
        assert_says(&text, &["Pass only what is under \"state\" in that message"]);
        assert!(!text.contains("Clear"), "{text}");
    }
    assert_says(&with(&state["state"]), &["(it is one object: put it into square brackets)"]);
    let text = with(&json!({"orders": 1}));
    assert!(!text.contains("invalid type"), "{text}");
    Run::incremental(&config).resuming(state).finish().succeeded();
}

#[test]
fn a_catalog_of_another_kind_is_told_what_it_lacks() {
    let sandbox = sandbox(Options { orders: 10, ties: vec![], ..Options::default() });
    let config = config(&sandbox).to_string();
    for text in ["[]", "{}", "3", r#"{"streams": null}"#] {
        assert_says(&message(read(&config, text)), &["(it has no \"streams\")"]);
    }
    assert_says(&message(read(&config, " ")), &["(the file is empty)"]);
    let discovered = Run::of("discover").file("config", &config).finish().succeeded();
    let answer = &discovered.messages[0];
    for text in [answer, &answer["catalog"]] {
        assert_says(
            &message(read(&config, &text.to_string())),
            &[
                "This is the answer of discover: a configured catalog has \"stream\", \"sync_mode\" and \"destination_sync_mode\" for each stream.",
            ],
        );
    }
}

#[test]
fn a_configuration_that_is_no_file_of_ours_is_told_plainly() {
    let catalog = configured_catalog("incremental").to_string();
    for empty in ["", " \n"] {
        assert_eq!(message(read(empty, &catalog)), "The configuration file is empty.");
    }
    assert_says(&message(read("{\"a\": ", &catalog)), &["Correct the file given with --config."]);
    let missing = Run::of("discover").argument("--config").argument("/nowhere/config.json");
    assert_says(&message(missing), &["there is no such file"]);
    let folder = Run::of("discover").argument("--config").argument("/tmp");
    assert_says(&message(folder), &["it is a folder"]);
}

#[test]
fn a_field_is_blamed_once() {
    let sandbox = sandbox(Options { orders: 10, ties: vec![], ..Options::default() });
    let mut config = config(&sandbox);
    config["customer_roles"] = json!([1]);
    config["credentials"] = json!("sandbox-token");
    let text = message(Run::incremental(&config));
    assert_says(&text, &["2 things are wrong"]);
    assert_eq!(text.matches("customer_roles").count(), 1, "{text}");
    assert_eq!(text.matches("(credentials)").count(), 1, "{text}");
}

#[test]
fn an_answer_that_is_doubted_is_told_with_the_reason() {
    let faults = Faults::at(1..=4, Fault::NoEnvelope);
    let sandbox = sandbox(Options { faults, ..Options::default() });
    let read = Run::of_streams(&config(&sandbox), "full_refresh", &["stores"]).finish().succeeded();
    let told = read
        .logs()
        .iter()
        .any(|line| line.contains("stores: a response has no list") && line.contains("attempt 3"));
    assert!(told, "{:?}", read.logs());
}

#[test]
fn a_proxy_variable_that_cannot_be_used_is_named_and_its_password_is_not() {
    let config = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"},
        "start_date": "2025-11-01T00:00:00Z", "base_url": "https://api.aifi.invalid/api/admin/v2"});
    for (value, words) in [
        ("\"http://me:hidden-word@127.0.0.1:1\"", ["HTTPS_PROXY", "quotation marks"]),
        ("http://me:hidden@word@127.0.0.1:1", ["HTTPS_PROXY", "%40"]),
        (" http://127.0.0.1:1", ["HTTPS_PROXY", "spaces"]),
    ] {
        let text = refusal(Run::check(&config).variable("HTTPS_PROXY", value));
        assert_says(&text, &words);
        let report = Run::of("doctor").file("config", &config.to_string()).variable("HTTPS_PROXY", value);
        let (_, report) = report.text();
        assert_says(&report, &["FAIL  proxy", words[1]]);
        assert!(!(text + &report).contains("hidden"), "{report}");
    }
}

#[test]
fn link_local_addresses_are_never_asked() {
    let sandbox = sandbox(Options::default());
    for address in ["https://169.254.169.254/api", "http://[fe80::1]/api", "https://[::ffff:a9fe:a9fe]/api"] {
        let mut config = config(&sandbox);
        config["base_url"] = json!(address);
        assert_says(&refusal(Run::check(&config)), &["API base URL (base_url)", "link-local"]);
    }
}

#[test]
fn files_with_a_byte_order_mark_are_read() {
    let sandbox = sandbox(Options { orders: 3, ties: vec![], ..Options::default() });
    let marked = |text: String| format!("\u{feff}{text}");
    let catalog = configured_catalog("incremental").to_string();
    let run =
        read(&marked(config(&sandbox).to_string()), &marked(catalog)).file("state", &marked("[]".into()));
    assert_eq!(run.text().0, Some(0));
}
