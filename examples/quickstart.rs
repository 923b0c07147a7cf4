//! From nothing to synced orders, without an account and without a network: `cargo run --release --example quickstart`.
//!
//! Starts an AiFi API on loopback, then runs the connector's own commands against it: `check`, `discover`, a first
//! `read`, and after new orders have arrived a second one that resumes from the first one's state. All files stay in
//! `target/quickstart` to be looked at.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example talks to a person and takes the time"
)]

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aifi_sandbox::{Limit, Options, Sandbox};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use source_aifi::cli::Command;
use source_aifi::protocol::output::Output;
use source_aifi::{run, signals};

/// What a run of `read` wrote.
struct Sync {
    name: &'static str,
    file: PathBuf,
    records: usize,
    requests: u64,
    took: Duration,
    state: Value,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/quickstart");
    fs::create_dir_all(&folder)?;
    println!(
        "Starting an AiFi API on loopback: 20,000 orders of the last 30 days, 20 requests a second allowed."
    );
    let limit = Limit::SlidingSecond(20);
    let latency = Duration::from_millis(30);
    let now = Utc::now();
    let first = now - TimeDelta::days(30);
    let sandbox =
        Sandbox::start(Options { orders: 20_000, first, now, limit, latency, ..Options::default() })?;
    let config = folder.join("config.json");
    let catalog = folder.join("configured_catalog.json");
    let credentials = json!({"auth_type": "access_token", "access_token": "sandbox-token-0123456789"});
    let configuration = json!({"credentials": credentials, "start_date": "2020-01-01T00:00:00Z", "base_url": sandbox.base_url()});
    fs::write(&config, serde_json::to_string_pretty(&configuration)?)?;

    let checked = folder.join("check.jsonl");
    execute(&Command::Check { config: config.clone() }, &checked)?;
    let verdict = &messages(&checked)?[0]["connectionStatus"];
    println!("check:    {} {}", text(&verdict["status"]), text(&verdict["message"]));

    let discovered = folder.join("discover.jsonl");
    execute(&Command::Discover { config: config.clone() }, &discovered)?;
    let mut streams = messages(&discovered)?.remove(0)["catalog"]["streams"].take();
    let count = streams.as_array().map_or(0, Vec::len);
    let stream = streams[0].take();
    let fields = stream["json_schema"]["properties"].as_object().map_or(0, serde_json::Map::len);
    println!(
        "discover: {count} streams, among them {} with {fields} fields, key id, cursor draftCreatedAt",
        text(&stream["name"])
    );
    let selected =
        json!({"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"});
    fs::write(&catalog, json!({"streams": [selected]}).to_string())?;

    let read = |state| Command::Read { config: config.clone(), catalog: catalog.clone(), state };
    println!("read:     the first sync, at 15 requests a second …");
    let first = sync(&sandbox, "first", &read(None), folder.join("first.jsonl"))?;

    sandbox.advance(TimeDelta::hours(3));
    sandbox.add_orders(500);
    println!("          Three hours later, 500 new orders have arrived.");
    let saved = folder.join("state.json");
    fs::write(&saved, json!([first.state]).to_string())?;
    println!("read:     the second sync, from the first one's state …");
    let second = sync(&sandbox, "second", &read(Some(saved)), folder.join("second.jsonl"))?;

    println!("\nsync     orders   requests   requests/s   seconds   cursor");
    for Sync { name, records, requests, took, state, .. } in [&first, &second] {
        let seconds = took.as_secs_f64();
        let cursor = text(&state["stream"]["stream_state"]["draftCreatedAt"]);
        #[expect(clippy::cast_precision_loss, reason = "a few hundred requests")]
        let rate = (*requests - 1) as f64 / seconds;
        println!("{name:<6} {records:>8} {requests:>10} {rate:>12.1} {seconds:>9.1}   {cursor}");
    }
    let expected = sandbox.expected(&aifi_sandbox::Filter::default()).len();
    println!("\nThe API holds {expected} orders; {} were written.", first.records + second.records);
    println!("Messages: {} and {}", first.file.display(), second.file.display());
    if first.records + second.records == expected {
        Ok(())
    } else {
        Err("not every order arrived exactly once".into())
    }
}

fn execute(command: &Command, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut output = Output::to(fs::File::create(file)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(run::run(command, &mut output, signals::watch()))?)
}

fn sync(
    sandbox: &Sandbox,
    name: &'static str,
    command: &Command,
    file: PathBuf,
) -> Result<Sync, Box<dyn Error>> {
    sandbox.reset_stats();
    let started = Instant::now();
    execute(command, &file)?;
    let took = started.elapsed();
    let messages = messages(&file)?;
    let of = |kind: &str| messages.iter().filter(|message| message["type"] == *kind).collect::<Vec<_>>();
    let state = of("STATE").last().ok_or("a sync without a state")?["state"].clone();
    Ok(Sync { name, file, records: of("RECORD").len(), requests: sandbox.stats().requests, took, state })
}

fn messages(file: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    BufReader::new(fs::File::open(file)?).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
