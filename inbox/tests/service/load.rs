//! Figures, by hand, of the program as it is released, on a machine that does nothing else:
//!
//! ```sh
//! cargo build --profile dist -p aifi-inbox
//! AIFI_INBOX_PROGRAM=target/dist/aifi-inbox cargo test -p aifi-inbox --test service load -- \
//!   --ignored --nocapture --test-threads 1
//! ```

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::durable::count;
use crate::harness::{Service, Store, event};
use crate::postgres::{Server, tool};
use crate::target::{Answer, Target};

/// How long each figure is taken.
const TIME: Duration = Duration::from_secs(5);

/// A connection that costs little, since what is measured is the other end.
struct Line {
    stream: TcpStream,
    head: String,
    answer: Vec<u8>,
}

impl Line {
    async fn to(url: &str) -> Self {
        let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
        let stream = TcpStream::connect(host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("POST /{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer new\r\n");
        Self { stream, head, answer: Vec::new() }
    }

    /// One call; the status of its answer.
    async fn call(&mut self, body: &str) -> u16 {
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.answer.clear();
        loop {
            assert!(self.stream.read_buf(&mut self.answer).await.unwrap() > 0, "the connection was closed");
            let Some(end) = self.answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.answer[..end]).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
            });
            if self.answer.len() >= end + 4 + length.unwrap_or(0) {
                return head[9..12].parse().unwrap();
            }
        }
    }
}

/// Times of calls, sorted.
struct Times(Vec<Duration>, Duration);

impl Times {
    fn new(mut times: Vec<Duration>, whole: Duration) -> Self {
        times.sort();
        Self(times, whole)
    }

    fn rate(&self) -> f64 {
        self.0.len() as f64 / self.1.as_secs_f64()
    }

    /// Milliseconds within which this part of the calls ended.
    fn within(&self, part: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0
    }

    fn print(&self, what: &str) {
        println!(
            "{what:<36} {:>8.0}/s   p50 {:>7.2} ms   p99 {:>7.2} ms",
            self.rate(),
            self.within(0.5),
            self.within(0.99)
        );
    }
}

/// The floor: one durable commit after the other, on the same store.
async fn floor(store: &Store) -> Times {
    let pool = store.pool().await;
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("CREATE TABLE IF NOT EXISTS floor (id BIGINT)").execute(&mut *connection).await.unwrap();
    if store.url.starts_with("sqlite") {
        sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await.unwrap();
    }
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < TIME {
        let one = Instant::now();
        sqlx::query("INSERT INTO floor VALUES (1)").execute(&mut *connection).await.unwrap();
        times.push(one.elapsed());
    }
    Times::new(times, begun.elapsed())
}

/// The same by PostgreSQL's own tool, with as many clients.
fn pgbench(url: &str, clients: u32) {
    let script = tempfile::Builder::new().suffix(".sql").tempfile().unwrap();
    std::fs::write(script.path(), "INSERT INTO floor VALUES (1);\n").unwrap();
    let output = tool("pgbench")
        .args([
            "-n",
            "-M",
            "prepared",
            "-j",
            "2",
            "-T",
            &TIME.as_secs().to_string(),
            "-c",
            &clients.to_string(),
        ])
        .arg("-f")
        .arg(script.path())
        .arg(url)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in told.lines().filter(|line| line.starts_with("tps") || line.starts_with("latency average")) {
        println!("pgbench, {clients} clients: {line}");
    }
}

/// Calls on so many connections, as fast as they are answered.
async fn calls(url: &str, connections: usize, numbers: &Arc<AtomicU64>) -> Times {
    let begun = Instant::now();
    let senders: Vec<_> = (0..connections)
        .map(|_| {
            let (url, numbers) = (url.to_owned(), numbers.clone());
            tokio::spawn(async move {
                let (mut line, mut times) = (Line::to(&url).await, Vec::new());
                while begun.elapsed() < TIME {
                    let body = event(numbers.fetch_add(1, Ordering::Relaxed), "a");
                    let one = Instant::now();
                    assert_eq!(line.call(&body).await, 200);
                    times.push(one.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for sender in senders {
        times.extend(sender.await.unwrap());
    }
    Times::new(times, begun.elapsed())
}

async fn load(store: Store) {
    let service = store.start(&[]);
    let floor = floor(&store).await;
    floor.print("single commits");
    if store.url.starts_with("postgres") {
        pgbench(&store.url, 1);
        pgbench(&store.url, 16);
    }
    let numbers = Arc::new(AtomicU64::new(0));
    for connections in [1, 16, 256] {
        let before = Totals::of(&service).await;
        let times = calls(&service.url("/checkout"), connections, &numbers).await;
        let totals = Totals::of(&service).await;
        times.print(&format!("{connections} connections"));
        println!(
            "{:>36} {:.1} × the rate of single commits, p99 {:.1} × the p50 of one",
            "",
            times.rate() / floor.rate(),
            times.within(0.99) / floor.within(0.5)
        );
        totals.print_since(&before);
    }
    drop(service);
    relayed(&store, &floor).await;
}

/// What the service has done so far.
struct Totals {
    groups: f64,
    events: f64,
    storing: f64,
    computing: f64,
}

impl Totals {
    async fn of(service: &Service) -> Self {
        let metrics = service.get("/metrics").await.text().await.unwrap();
        let value = |name: &str| -> f64 {
            let found = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            found.unwrap_or(0.0)
        };
        Self {
            groups: value("aifi_inbox_store_seconds_count "),
            events: value("aifi_inbox_stored_total "),
            storing: value("aifi_inbox_store_seconds_sum "),
            computing: service.processor_seconds(),
        }
    }

    fn print_since(&self, before: &Self) {
        let (groups, events) = (self.groups - before.groups, self.events - before.events);
        println!(
            "{:>36} {:.1} events a group, {:.2} ms a group, {:.0} µs of its processor time an event",
            "",
            events / groups,
            (self.storing - before.storing) / groups * 1e3,
            (self.computing - before.computing) / events * 1e6
        );
    }
}

/// What the relay adds to a direct call.
async fn relayed(store: &Store, floor: &Times) {
    let target = Target::start(Answer { keep: true, ..Answer::new("200 OK", "", b"paid") }).await;
    let service = store.start(&["--relay", &target.url]);
    let numbers = Arc::new(AtomicU64::new(1 << 40));
    for connections in [1, 16] {
        let direct = calls(&target.url, connections, &numbers).await;
        direct.print(&format!("direct calls, {connections} connections"));
        let through = calls(&service.url("/checkout"), connections, &numbers).await;
        through.print(&format!("through the relay, {connections} connections"));
        println!(
            "{:>36} p99 + {:.2} ms; twice the p50 of a commit is {:.2} ms",
            "",
            through.within(0.99) - direct.within(0.99),
            2.0 * floor.within(0.5)
        );
    }
}

/// A server that keeps what it commits, unlike that of the other tests.
fn durable(name: &str) -> Option<(Server, Store)> {
    let server = Server::start(true)?;
    let store = Store::at(server.database(name));
    Some((server, store))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "figures, by hand"]
async fn load_on_sqlite() {
    load(Store::sqlite("load").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "figures, by hand"]
async fn load_on_postgres() {
    if let Some((_server, store)) = durable("load") {
        load(store).await;
    }
}

/// Memory over a million events, or as many as ten minutes take.
async fn memory(store: &Store) {
    let service = store.start(&[]);
    let (events, begun) = (count("AIFI_INBOX_EVENTS", 1_000_000), Instant::now());
    let numbers = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..64)
        .map(|_| {
            let (url, numbers) = (service.url("/checkout"), numbers.clone());
            tokio::spawn(async move {
                let mut line = Line::to(&url).await;
                while begun.elapsed() < Duration::from_secs(600) {
                    let order = numbers.fetch_add(1, Ordering::Relaxed);
                    if order >= events {
                        return;
                    }
                    let body = format!("{:<1000}", event(order, "a"));
                    assert_eq!(line.call(&body).await, 200);
                }
            })
        })
        .collect();
    let mut told = 0;
    while senders.iter().any(|sender| !sender.is_finished()) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let sent = numbers.load(Ordering::Relaxed).min(events);
        if sent >= told {
            println!("{sent:>9} events   {:>4} MiB   {:>4} s", service.memory(), begun.elapsed().as_secs());
            told += events / 10;
        }
    }
    println!("{} MiB at the end, {} MiB at most", service.memory(), service.peak_memory());
    let size = Command::new("du").args(["-sh", store.folder.path().to_str().unwrap()]).output().unwrap();
    println!("{}", String::from_utf8_lossy(&size.stdout).trim());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "ten minutes, by hand"]
async fn memory_on_sqlite() {
    memory(&Store::sqlite("memory").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "ten minutes, by hand"]
async fn memory_on_postgres() {
    if let Some((_server, store)) = durable("memory") {
        memory(&store).await;
    }
}
