//! The whole way: the sandbox pushes to the inbox, and the connector reads the inbox and the API into one warehouse.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aifi_sandbox::{Sandbox, Trouble};
use serde_json::{Value, json};
use source_aifi::cli::Command;
use source_aifi::protocol::output::Output;
use source_aifi::run;

use crate::harness::{Service, Store, event, on_both};
use crate::shop::{calls, live, sandbox};
use crate::target::{Answer, Target};

on_both!(
    what_was_acknowledged_reaches_the_table_whatever_is_killed,
    every_order_has_its_events_and_every_event_its_order,
    a_fail_over_is_noticed_and_nothing_is_missing,
    an_answer_of_the_relay_reaches_the_table,
    nothing_is_deleted_that_a_sync_has_not_brought_home,
    a_day_of_pushes_and_syncs_every_quarter_of_an_hour,
);

const EVENTS: &str = "checkout_events";

/// Takes what the connector writes, until so many bytes have come: then whoever reads has gone.
#[derive(Clone)]
struct Pipe {
    written: Arc<Mutex<Vec<u8>>>,
    most: usize,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.written.lock().unwrap();
        let room = self.most.saturating_sub(written.len());
        written.extend_from_slice(&bytes[..room.min(bytes.len())]);
        if room < bytes.len() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a platform keeps: rows by key, a state for each stream.
#[derive(Default)]
struct Warehouse {
    tables: BTreeMap<String, BTreeMap<String, Value>>,
    states: BTreeMap<String, Value>,
    logs: Vec<String>,
    syncs: usize,
    failures: usize,
}

impl Warehouse {
    /// A sync of these streams, of whose output `most` bytes arrive.
    async fn sync(&mut self, config: &Value, streams: &[&str], most: usize) {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: Value| -> PathBuf {
            let path = folder.path().join(name);
            std::fs::write(&path, content.to_string()).unwrap();
            path
        };
        let stream = |name: &&str| json!({"stream": {"name": name, "json_schema": {}}, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"});
        let command = Command::Read {
            config: file("config", config.clone()),
            catalog: file("catalog", json!({"streams": streams.iter().map(stream).collect::<Vec<_>>()})),
            state: Some(file("state", self.states.values().cloned().collect())),
        };
        let pipe = Pipe { written: Arc::default(), most };
        let mut output = Output::to(pipe.clone());
        let ended = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (_stop, stop) = tokio::sync::watch::channel(false);
            runtime.block_on(run::run(&command, &mut output, stop))
        });
        self.failures += usize::from(ended.await.unwrap().is_err());
        self.syncs += 1;
        let written = pipe.written.lock().unwrap();
        let lines = written.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        lines.for_each(|line| self.take(&serde_json::from_slice(line).unwrap()));
    }

    fn take(&mut self, message: &Value) {
        match message["type"].as_str() {
            Some("RECORD") => {
                let (name, row) = (&message["record"]["stream"], &message["record"]["data"]);
                let key = if name == EVENTS { &row["eventId"] } else { &row["id"] };
                let table = self.tables.entry(name.as_str().unwrap().to_owned()).or_default();
                table.insert(key.to_string(), row.clone());
            }
            Some("STATE") => {
                let name = &message["state"]["stream"]["stream_descriptor"]["name"];
                self.states.insert(name.as_str().unwrap().to_owned(), message["state"].clone());
            }
            Some("LOG") => self.logs.push(message["log"]["message"].as_str().unwrap().to_owned()),
            _ => (),
        }
    }

    /// The rows of a stream.
    fn rows(&self, stream: &str) -> Vec<&Value> {
        self.tables.get(stream).into_iter().flat_map(BTreeMap::values).collect()
    }

    /// Order, status and time of origin of each event.
    fn names(&self) -> BTreeSet<(u64, String, String)> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let name =
            |row: &Value| (row["orderId"].as_u64().unwrap(), text(row, "status"), text(row, "timeOfOrigin"));
        self.rows(EVENTS).into_iter().map(name).collect()
    }
}

fn config(base_url: &str, service: &Service) -> Value {
    json!({
        "credentials": {"auth_type": "access_token", "access_token": "sandbox-token-0123456789"},
        "start_date": "2025-01-01T00:00:00Z",
        "base_url": base_url,
        "requests_per_second": 20,
        "inbox_url": service.url(""),
        "inbox_read_token": "reader",
    })
}

/// A configuration where nothing of the API is read.
fn config_of(service: &Service) -> Value {
    config("http://127.0.0.1:1/api/admin/v2", service)
}

/// The events that were answered 200, once none is to come any more.
async fn acknowledged(sandbox: &Sandbox) -> BTreeSet<(u64, String, String)> {
    let told = calls(sandbox, 2400).await.into_iter().filter(|call| call.answer == Some(200));
    told.map(|call| (call.order_id, call.status.to_owned(), call.time_of_origin)).collect()
}

async fn what_was_acknowledged_reaches_the_table_whatever_is_killed(store: Store) {
    let mut service = store.start(&[]);
    let late = Duration::from_millis(200);
    let troubles = vec![
        (Trouble::Repeat, 0.1),
        (Trouble::Reissue, 0.1),
        (Trouble::Late(late), 0.2),
        (Trouble::Cut, 0.1),
        (Trouble::Gone, 0.2),
    ];
    let sandbox = sandbox(&service, troubles, 100, true);
    let mut warehouse = Warehouse::default();
    for round in 1..=6 {
        live(&sandbox, 39);
        // The reader dies at another place each time, before the first record and behind the last one.
        let config = config_of(&service);
        warehouse.sync(&config, &[EVENTS], 40_000 * round).await;
        if round % 2 == 0 {
            let address = service.address.clone();
            service.kill();
            service = store.start_at(&address);
        }
    }
    let acknowledged = acknowledged(&sandbox).await;
    warehouse.sync(&config_of(&service), &[EVENTS], usize::MAX).await;
    println!(
        "{} events, {} syncs, {} of which were cut",
        acknowledged.len(),
        warehouse.syncs,
        warehouse.failures
    );
    assert!(acknowledged.len() >= 6 * (39 * 2 + 13));
    assert_eq!(warehouse.names(), acknowledged);
    assert_eq!(warehouse.rows(EVENTS).len(), service.events().await.len(), "an event is there twice");
    assert!(warehouse.failures > 1, "no sync was cut");
    let before = warehouse.logs.len();
    warehouse.sync(&config_of(&service), &[EVENTS], usize::MAX).await;
    let quiet = &warehouse.logs[before..];
    assert!(quiet.iter().any(|line| line.contains("0 records; 1 request in")), "{quiet:?}");
}

async fn every_order_has_its_events_and_every_event_its_order(store: Store) {
    let service = store.start(&[]);
    let sandbox = sandbox(&service, vec![(Trouble::Reissue, 0.2), (Trouble::Repeat, 0.2)], 0, true);
    live(&sandbox, 30);
    acknowledged(&sandbox).await;
    // So much later that the API's answers are settled.
    sandbox.advance(chrono::TimeDelta::minutes(10));
    let mut warehouse = Warehouse::default();
    warehouse.sync(&config(&sandbox.base_url(), &service), &["orders", EVENTS], usize::MAX).await;
    assert_eq!(warehouse.failures, 0);
    let orders: BTreeMap<u64, &Value> =
        warehouse.rows("orders").into_iter().map(|row| (row["id"].as_u64().unwrap(), row)).collect();
    let mut with_events = BTreeSet::new();
    for event in warehouse.rows(EVENTS) {
        let order = orders[&event["orderId"].as_u64().unwrap()];
        with_events.insert(order["id"].as_u64().unwrap());
        for column in ["storeId", "sessionId", "customerId"] {
            assert_eq!(event[column], order[column], "{column}");
        }
        // The event of an earlier status has the total of then.
        if event["status"] == "reviewed" || order["status"] == "paid" {
            assert_eq!(event["totalPrice"], order["totalPrice"]);
        }
        let snapshots = event["cart"].as_array().unwrap().iter().map(|line| &line["productSnapshot"]["name"]);
        assert!(snapshots.clone().count() > 0 && snapshots.into_iter().all(Value::is_string));
        assert!(event.get("additionalFields").is_none(), "a field is not declared: {event}");
    }
    // The ten that were there before the webhook have none.
    assert_eq!(with_events.len(), 30);
    assert_eq!(orders.len(), 40);
}

async fn a_fail_over_is_noticed_and_nothing_is_missing(store: Store) {
    let service = store.start(&[]);
    let fill = async |orders: std::ops::Range<i64>| {
        for order in orders {
            service.send(event(order, "a")).await;
        }
    };
    let mut warehouse = Warehouse::default();
    let config = config_of(&service);
    fill(1..21).await;
    warehouse.sync(&config, &[EVENTS], usize::MAX).await;
    fill(21..31).await;
    warehouse.sync(&config, &[EVENTS], usize::MAX).await;
    // A standby takes over that lagged: it has neither the last five events nor the last place of the reader.
    let pool = store.pool().await;
    for statement in
        ["DELETE FROM events WHERE seq > 25", "UPDATE log SET head = 25", "UPDATE readers SET passed = 0"]
    {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    fill(41..61).await;
    warehouse.sync(&config, &[EVENTS], usize::MAX).await;
    let orders: BTreeSet<u64> = warehouse.names().into_iter().map(|(order, ..)| order).collect();
    assert_eq!(orders, (1..31).chain(41..61).collect(), "those that only the lost part held stay");
    assert_eq!(warehouse.failures, 0);
    assert_eq!(warehouse.logs.iter().filter(|line| line.contains("was rewound")).count(), 1);
}

async fn an_answer_of_the_relay_reaches_the_table(store: Store) {
    let answer = Answer::new("200 OK", "", br#"{"paymentStatus":"success","paymentTransactionIds":["t1"]}"#);
    let target = Target::start(answer).await;
    let service = store.start(&["--relay", &target.url]);
    service.send(event(1, "a")).await;
    let mut warehouse = Warehouse::default();
    for _ in 0..100 {
        warehouse.sync(&config_of(&service), &[EVENTS], usize::MAX).await;
        if warehouse.rows(EVENTS).iter().any(|row| row["relay"] == "answered") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rows = warehouse.rows(EVENTS);
    let answer = &rows[0]["relayAnswer"];
    assert_eq!(
        (rows.len(), &answer["statusCode"], &answer["paymentStatus"]),
        (1, &json!(200), &json!("success"))
    );
    assert!(answer["milliseconds"].is_u64(), "{answer}");
}

async fn nothing_is_deleted_that_a_sync_has_not_brought_home(store: Store) {
    let service = store.start(&[]);
    for order in 1..4 {
        service.send(event(order, "a")).await;
    }
    let prune = || store.run(&["prune", "--larger-than", "0"]);
    let mut warehouse = Warehouse::default();
    warehouse.sync(&config_of(&service), &[EVENTS], usize::MAX).await;
    assert!(prune().starts_with("Deleted 0 events"), "the destination may still lose them");
    warehouse.sync(&config_of(&service), &[EVENTS], usize::MAX).await;
    assert!(prune().starts_with("Deleted 3 events"), "the state came back, so they are in the table");
    service.send(event(4, "a")).await;
    warehouse.sync(&config_of(&service), &[EVENTS], usize::MAX).await;
    assert_eq!((warehouse.rows(EVENTS).len(), warehouse.failures), (4, 0));
    // Another connection begins when they have gone, and its log says so.
    let mut late = Warehouse::default();
    late.sync(&config_of(&service), &[EVENTS], usize::MAX).await;
    assert_eq!(late.rows(EVENTS).len(), 1);
    assert!(
        late.logs.iter().any(|line| line.contains("has deleted events up to number 3")),
        "{:?}",
        late.logs
    );
}

/// How long rows took until they were in the warehouse: in minutes, sorted.
#[derive(Default)]
struct Latencies(Vec<f64>);

impl Latencies {
    fn told(&mut self, what: &str) -> String {
        self.0.sort_by(f64::total_cmp);
        let (median, worst) = (self.0[self.0.len() / 2], self.0[self.0.len() - 1]);
        format!("{} {what}, median {median:.1} minutes, worst {worst:.1}", self.0.len())
    }
}

/// `AIFI_INBOX_DAYS=7` makes it a week. Some syncs are cut, the inbox is killed now and then, and AiFi repeats itself.
async fn a_day_of_pushes_and_syncs_every_quarter_of_an_hour(store: Store) {
    let days = std::env::var("AIFI_INBOX_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(1);
    let mut service = store.start(&[]);
    let sandbox = sandbox(&service, vec![(Trouble::Repeat, 0.1), (Trouble::Reissue, 0.1)], 100, true);
    let mut random = fastrand::Rng::with_seed(7);
    let mut warehouse = Warehouse::default();
    let (mut seen, mut open) = (BTreeSet::new(), Vec::new());
    let (mut events, mut orders) = (Latencies::default(), Latencies::default());
    for quarter in 1..=days * 96 {
        // Shops are closed at night. By day an order comes at any second.
        let orders_now = if (quarter % 96) < 24 { 0 } else { 5 };
        let mut seconds: Vec<i64> = (0..orders_now).map(|_| random.i64(0..900)).collect();
        seconds.sort_unstable();
        let mut passed = 0;
        for second in seconds {
            sandbox.advance(chrono::TimeDelta::seconds(second - passed));
            passed = second;
            let id = sandbox.add_order_at(sandbox.now());
            sandbox.pay(id).unwrap();
            if random.u8(0..20) == 0 {
                sandbox.contest(id).unwrap();
                open.push(id);
            }
            if random.u8(0..30) == 0
                && let Some(id) = open.pop()
            {
                sandbox.review(id).unwrap();
            }
        }
        acknowledged(&sandbox).await;
        sandbox.advance(chrono::TimeDelta::seconds(900 - passed));
        if quarter % 50 == 0 {
            let address = service.address.clone();
            service.kill();
            service = store.start_at(&address);
        }
        let most = if quarter % 17 == 0 { 9_000 } else { usize::MAX };
        warehouse.sync(&config(&sandbox.base_url(), &service), &["orders", EVENTS], most).await;
        let now = sandbox.now();
        let minutes = |text: &Value| {
            let at = chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
            (now - at.to_utc()).num_seconds() as f64 / 60.0
        };
        for (stream, time, latencies) in
            [(EVENTS, "timeOfOrigin", &mut events), ("orders", "draftCreatedAt", &mut orders)]
        {
            for (key, row) in warehouse.tables.get(stream).into_iter().flatten() {
                // Orders from before the first sync are history.
                if seen.insert((stream, key.clone())) && quarter > 1 {
                    latencies.0.push(minutes(&row[time]));
                }
            }
        }
    }
    println!("{days} days, {} syncs, {} of which were cut", warehouse.syncs, warehouse.failures);
    println!("{}; {}", events.told("events"), orders.told("orders"));
    let acknowledged = acknowledged(&sandbox).await;
    warehouse.sync(&config(&sandbox.base_url(), &service), &["orders", EVENTS], usize::MAX).await;
    assert_eq!(warehouse.names(), acknowledged);
    let with_events: BTreeSet<u64> = acknowledged.into_iter().map(|(order, ..)| order).collect();
    sandbox.advance(chrono::TimeDelta::minutes(10));
    warehouse.sync(&config(&sandbox.base_url(), &service), &["orders", EVENTS], usize::MAX).await;
    let read: BTreeSet<u64> =
        warehouse.rows("orders").into_iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert!(with_events.is_subset(&read), "an event has no order");
    assert_eq!(read.len(), with_events.len() + 10, "an order has no event, but for those of before");
}
