//! From nothing to synced orders, without an account: `cargo run -p quickstart`.
//!
//! It starts an AiFi API on loopback and runs the connector's own commands against it: `check`, `discover`, a first `read`
//! of all streams, and after new orders and a contested one a second `read` from the state of the first. At the end it
//! holds the tables against the API. All files stay in `target/quickstart`.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this program talks to a person and takes the time"
)]

mod progress;
mod table;

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aifi_sandbox::{Limit, Options, Sandbox};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use source_aifi::cli::Command;
use source_aifi::protocol::output::Output;
use source_aifi::{run, signals};

use crate::table::Tables;

/// `order_details` takes one request for each order, so this is what the first sync takes at 15 requests a second.
const ORDERS: usize = 240;
const NEW_ORDERS: usize = 30;

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/quickstart");
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let now = Utc::now();
    let sandbox = Sandbox::start(Options {
        orders: ORDERS,
        first: now - TimeDelta::days(30),
        now,
        limit: Limit::SlidingSecond(20),
        latency: Duration::from_millis(30),
        ..Options::default()
    })?;
    println!("An AiFi API listens on this machine: {ORDERS} orders of the last 30 days.\n");
    let connection = Connection::new(&folder, &sandbox)?;

    println!("check     {}", connection.check()?);
    let catalog = connection.discover()?;
    let mut tables = Tables::new(&catalog);
    println!("discover  {} streams", tables.streams().count());
    println!("read      first sync, of all streams, at most 15 requests a second");
    let state = connection.read(&sandbox, "first", None, &mut tables)?;
    let contested = first_paid(&tables).ok_or("no order of the first sync is paid")?;
    let before = tables.row("orders", &contested).cloned().unwrap_or_default();

    sandbox.advance(TimeDelta::hours(3));
    sandbox.add_orders(NEW_ORDERS);
    sandbox.contest(contested.parse()?).ok_or("the order cannot be contested")?;
    // A sync leaves the newest two minutes to the next one.
    sandbox.advance(TimeDelta::minutes(3));
    println!(
        "\n          Three hours later there are {NEW_ORDERS} new orders, and a customer has contested an old one."
    );
    println!("read      second sync, from the state of the first");
    connection.read(&sandbox, "second", Some(&state), &mut tables)?;

    println!("\nThe contested order\n");
    let after = tables.row("orders", &contested).cloned().unwrap_or_default();
    println!(
        "  {:<12} {:<9} {:>7}  {:<10} {:>10}  updatedAt",
        "after sync", "id", "version", "status", "totalPrice"
    );
    for (sync, row) in [("first", &before), ("second", &after)] {
        let [id, version, status, total, updated] =
            ["id", "version", "status", "totalPrice", "updatedAt"].map(|name| table::text(&row[name]));
        println!("  {sync:<12} {id:<9} {version:>7}  {status:<10} {total:>10}  {updated}");
    }

    println!("\nThe tables, and what the API holds\n");
    println!(
        "  {:<18} {:>11} {:>12} {:>10} {:>8}  equal",
        "stream", "first sync", "second sync", "in table", "in API"
    );
    let mut differences = Vec::new();
    for stream in tables.streams() {
        let [first, second] = [0, 1].map(|sync| tables.written(stream, sync));
        let rows = tables.rows(stream);
        let Some(expected) = table::expected(&sandbox, stream) else {
            println!("  {stream:<18} {first:>11} {second:>12} {rows:>10} {:>8}", "-");
            continue;
        };
        let compared = tables.compare(stream, &expected);
        let verdict = match &compared.difference {
            None => format!("yes, {} values", compared.values),
            Some(difference) => format!("NO: {difference}"),
        };
        println!(
            "  {stream:<18} {first:>11} {second:>12} {:>10} {:>8}  {verdict}",
            compared.rows,
            expected.len()
        );
        differences.extend(compared.difference.map(|difference| format!("{stream}: {difference}")));
    }
    if !differences.is_empty() {
        return Err(format!("the tables differ from the API: {}", differences.join("; ")).into());
    }
    println!(
        "
Every row in the API is in the tables, with the values shown above as equal, and no row is in the tables alone.
Of order_line_items, the lines of older versions are not counted. sync_audit has receipts of what was written.

Where to look next
  the messages            {}
  every column            docs/data-dictionary.md
  add it to your Airbyte  docs/add-to-airbyte.md
  why nothing is missing  docs/completeness.md",
        folder.display()
    );
    Ok(())
}

/// What a user of Airbyte calls a connection: its configuration, its configured catalog and its states, in a folder.
struct Connection {
    folder: PathBuf,
    config: PathBuf,
}

impl Connection {
    fn new(folder: &Path, sandbox: &Sandbox) -> Result<Self, Failed> {
        let config = folder.join("config.json");
        let content = json!({
            "credentials": {"auth_type": "access_token", "access_token": "sandbox-token-0123456789"},
            "start_date": "2020-01-01T00:00:00Z",
            "base_url": sandbox.base_url(),
        });
        fs::write(&config, serde_json::to_string_pretty(&content)?)?;
        Ok(Self { folder: folder.to_owned(), config })
    }

    /// The verdict of `check`.
    fn check(&self) -> Result<String, Failed> {
        let file = self.folder.join("check.jsonl");
        execute(&Command::Check { config: self.config.clone() }, File::create(&file)?)?;
        let messages = messages(&file)?;
        let verdict = messages.iter().find(|message| message["type"] == "CONNECTION_STATUS");
        let verdict = &verdict.ok_or("check gave no verdict")?["connectionStatus"];
        Ok(format!("{} {}", table::text(&verdict["status"]), table::text(&verdict["message"])))
    }

    /// The streams of `discover`, all of them selected: incremental where they can be.
    fn discover(&self) -> Result<Value, Failed> {
        let file = self.folder.join("discover.jsonl");
        execute(&Command::Discover { config: self.config.clone() }, File::create(&file)?)?;
        let messages = messages(&file)?;
        let catalog = messages.iter().find(|message| message["type"] == "CATALOG");
        let streams = catalog.and_then(|message| message["catalog"]["streams"].as_array());
        let selected = streams.ok_or("discover gave no catalog")?.iter().map(|stream| {
            let modes = stream["supported_sync_modes"].as_array();
            let incremental = modes.is_some_and(|modes| modes.contains(&json!("incremental")));
            let (sync_mode, destination) = if incremental {
                ("incremental", "append_dedup")
            } else {
                ("full_refresh", "overwrite_dedup")
            };
            json!({"stream": stream, "sync_mode": sync_mode, "destination_sync_mode": destination})
        });
        let catalog = json!({"streams": selected.collect::<Vec<Value>>()});
        fs::write(self.folder.join("configured_catalog.json"), serde_json::to_string_pretty(&catalog)?)?;
        Ok(catalog)
    }

    /// One sync into the tables. Its state is the last one of each stream.
    fn read(
        &self,
        sandbox: &Sandbox,
        name: &str,
        state: Option<&Value>,
        tables: &mut Tables,
    ) -> Result<Value, Failed> {
        let path = match state {
            Some(state) => {
                let path = self.folder.join("state.json");
                fs::write(&path, serde_json::to_string_pretty(state)?)?;
                Some(path)
            }
            None => None,
        };
        let catalog = self.folder.join("configured_catalog.json");
        let command = Command::Read { config: self.config.clone(), catalog, state: path };
        let file = self.folder.join(format!("{name}.jsonl"));
        progress::shown(sandbox, File::create(&file)?, |sink| execute(&command, sink))?;
        tables.take(&messages(&file)?)
    }
}

fn execute(command: &Command, sink: impl std::io::Write + Send + 'static) -> Result<(), Failed> {
    let mut output = Output::to(sink);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(run::run(command, &mut output, signals::watch()))?)
}

fn messages(file: &Path) -> Result<Vec<Value>, Failed> {
    fs::read_to_string(file)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The id of the first order that a customer could still contest.
fn first_paid(tables: &Tables) -> Option<String> {
    let is_paid = |row: &&Value| row["status"] == "paid" && row["version"] == 1;
    tables.all("orders").find(is_paid).map(|row| table::text(&row["id"]))
}
