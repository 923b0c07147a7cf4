//! From nothing to synced orders, without an account: `cargo run -p quickstart`.
//!
//! It starts an AiFi API and a checkout inbox on loopback and runs the connector's own commands against them: `check`,
//! `discover`, a first `read` of all streams, a `read` of one pushed checkout, and after new orders and a contested one a
//! second `read` of all streams. Each resumes from the states of those before. At the end it holds the tables against the
//! API. All files stay in `target/quickstart`.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this program talks to a person and takes the time"
)]

mod connection;
mod inbox;
mod progress;
mod table;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use aifi_sandbox::{Limit, Options, Sandbox};
use chrono::{TimeDelta, Utc};
use serde_json::Value;

use crate::connection::Connection;
use crate::inbox::Inbox;
use crate::table::{EVENTS, Tables};

/// `order_details` takes one request for each order, so this is what the first sync takes at 15 requests a second.
const ORDERS: usize = 240;
const NEW_ORDERS: usize = 30;

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/quickstart");
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let now = Utc::now();
    let inbox = Inbox::start(&folder)?;
    let sandbox = Sandbox::start(Options {
        orders: ORDERS,
        first: now - TimeDelta::days(30),
        now,
        limit: Limit::SlidingSecond(20),
        latency: Duration::from_millis(30),
        push: Some(inbox.push()?),
        ..Options::default()
    })?;
    println!(
        "An AiFi API listens on this machine: {ORDERS} orders of the last 30 days. So does a checkout inbox.\n"
    );
    let connection = Connection::new(&folder, &sandbox, &inbox)?;

    println!("check     {}", connection.check()?);
    let mut tables = Tables::new(&connection.discover()?);
    println!("discover  {} streams", tables.streams().count());
    println!("read      first sync, of all streams, at most 15 requests a second");
    connection.read(&sandbox, "first", &mut tables)?;
    let contested = first_paid(&tables).ok_or("no order of the first sync is paid")?;
    let before = tables.row("orders", &contested).cloned().unwrap_or_default();

    let left = Instant::now();
    let pushed = sandbox.add_order_at(sandbox.now());
    sandbox.pay(pushed).ok_or("the order cannot be paid")?;
    println!("\n          A shopper leaves with order {pushed}. AiFi pushes the checkout to the inbox.");
    inbox::wait_for_pushes(&sandbox)?;
    connection.read_events(&mut tables)?;
    let seconds = left.elapsed().as_secs_f64();
    let pushed = pushed.to_string();
    let mut events: Vec<Value> =
        tables.all(EVENTS).filter(|row| table::text(&row["orderId"]) == pushed).cloned().collect();
    events.sort_by_key(|event| event["seq"].as_u64());
    if events.is_empty() {
        return Err("the pushed event is not in the table".into());
    }
    println!(
        "read      {EVENTS} alone: {} records, in the table {seconds:.1} s after the shopper left",
        events.len()
    );

    sandbox.advance(TimeDelta::hours(3));
    sandbox.add_orders(NEW_ORDERS);
    sandbox.contest(contested.parse()?).ok_or("the order cannot be contested")?;
    inbox::wait_for_pushes(&sandbox)?;
    // A sync leaves the newest two minutes to the next one.
    sandbox.advance(TimeDelta::minutes(3));
    println!(
        "\n          Three hours later there are {NEW_ORDERS} new orders, and a customer has contested an old one."
    );
    println!("read      second sync of all streams, from the states of those before");
    connection.read(&sandbox, "second", &mut tables)?;

    println!("\nThe pushed order\n");
    println!("  {:<16} {:<17} {:<10} {:>10}  in the table", "stream", "order", "status", "totalPrice");
    for event in &events {
        let [order, status, total] =
            ["orderId", "status", "totalPrice"].map(|name| table::text(&event[name]));
        println!(
            "  {EVENTS:<16} {order:<17} {status:<10} {total:>10}  {seconds:.1} s after the shopper left"
        );
    }
    let row = tables.row("orders", &pushed).ok_or("the pushed order is not in the table")?;
    let [order, status, total] = ["id", "status", "totalPrice"].map(|name| table::text(&row[name]));
    println!("  {:<16} {order:<17} {status:<10} {total:>10}  with a sync two minutes later", "orders");

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
        "stream", "first sync", "later syncs", "in table", "in API"
    );
    let mut differences = Vec::new();
    for stream in tables.streams() {
        let (first, later) = tables.written(stream);
        let rows = tables.rows(stream);
        let Some(expected) = table::expected(&sandbox, stream) else {
            println!("  {stream:<18} {first:>11} {later:>12} {rows:>10} {:>8}", "-");
            continue;
        };
        let compared = tables.compare(stream, &expected);
        let verdict = match &compared.difference {
            None => format!("yes, {} values", compared.values),
            Some(difference) => format!("NO: {difference}"),
        };
        println!(
            "  {stream:<18} {first:>11} {later:>12} {:>10} {:>8}  {verdict}",
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
Of order_line_items, the lines of older versions are not counted. sync_audit has receipts of what was written. Of
checkout_events, the side of the API is what AiFi pushed and the inbox acknowledged.

Where to look next
  the messages            {}
  every column            docs/data-dictionary.md
  add it to your Airbyte  docs/add-to-airbyte.md
  why nothing is missing  docs/completeness.md",
        folder.display()
    );
    Ok(())
}

/// The id of the first order that a customer could still contest.
fn first_paid(tables: &Tables) -> Option<String> {
    let is_paid = |row: &&Value| row["status"] == "paid" && row["version"] == 1;
    tables.all("orders").find(is_paid).map(|row| table::text(&row["id"]))
}
