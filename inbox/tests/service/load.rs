//! Load figures, by hand: `cargo test --release -p aifi-inbox --test service load -- --ignored --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Store, event};
use crate::target::{Answer, Target};

/// How long each number of connections is tried.
const TIME: Duration = Duration::from_secs(5);

/// Sorted times, as a line of a table.
fn line(what: &str, mut times: Vec<Duration>, whole: Duration) -> String {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    let rate = times.len() as f64 / whole.as_secs_f64();
    format!("{what:<28} {rate:>8.0}/s   p50 {:>7.2} ms   p99 {:>7.2} ms", at(0.5), at(0.99))
}

/// The floor: one durable commit after the other, on the same store.
async fn floor(store: &Store) -> String {
    let pool = store.pool().await;
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("CREATE TABLE floor (id BIGINT)").execute(&mut *connection).await.unwrap();
    if store.url.starts_with("sqlite") {
        sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await.unwrap();
    }
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < TIME {
        let one = Instant::now();
        sqlx::query("INSERT INTO floor VALUES (1)").execute(&mut *connection).await.unwrap();
        times.push(one.elapsed());
    }
    line("single commits", times, begun.elapsed())
}

async fn load(store: Store) {
    let service = store.start(&[]);
    println!("{}", floor(&store).await);
    let numbers = Arc::new(AtomicU64::new(0));
    for connections in [1, 16, 256] {
        let begun = Instant::now();
        let senders: Vec<_> = (0..connections)
            .map(|_| {
                let (client, url) = (service.client.clone(), service.url("/checkout"));
                let numbers = numbers.clone();
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while begun.elapsed() < TIME {
                        let order = numbers.fetch_add(1, Ordering::Relaxed);
                        let one = Instant::now();
                        let request = client.post(&url).bearer_auth("new").body(event(order, "a"));
                        assert!(request.send().await.unwrap().status().is_success());
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
        println!("{}", line(&format!("{connections} connections"), times, begun.elapsed()));
    }
    drop(service);
    relayed(&store).await;
}

/// What the relay adds to a direct call.
async fn relayed(store: &Store) {
    let target = Target::start(Answer::new("200 OK", "", b"paid")).await;
    let service = store.start(&["--relay", &target.url]);
    let direct: (&str, &str) = ("direct calls", &target.url);
    let through = service.url("/checkout");
    for (what, url) in [direct, ("calls through the relay", &through)] {
        let (begun, mut times) = (Instant::now(), Vec::new());
        while begun.elapsed() < TIME {
            let body = event(format!("9{}", times.len()), "a");
            let one = Instant::now();
            let answer = service.client.post(url).bearer_auth("new").body(body).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "paid");
            times.push(one.elapsed());
        }
        println!("{}", line(what, times, begun.elapsed()));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "figures, by hand"]
async fn load_on_sqlite() {
    load(Store::sqlite("load").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "figures, by hand"]
async fn load_on_postgres() {
    if let Some(store) = Store::postgres("load") {
        load(store).await;
    }
}
