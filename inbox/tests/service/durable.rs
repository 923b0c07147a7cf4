//! What was answered 2xx is there, once, in one order for every reader.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::StatusCode;

use crate::harness::{Service, Store, event, on_both};

on_both!(what_was_acknowledged_survives_a_kill, readers_miss_nothing);

/// A count that can be raised by hand.
pub(crate) fn count(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |value| value.parse().unwrap())
}

async fn what_was_acknowledged_survives_a_kill(store: Store) {
    let numbers = Arc::new(AtomicU64::new(1));
    let mut acknowledged = BTreeSet::new();
    let kills = count("AIFI_INBOX_KILLS", 4);
    for _ in 0..kills {
        let service = store.start(&[]);
        let (url, client) = (service.url("/checkout"), service.client.clone());
        let senders: Vec<_> = (0..8)
            .map(|_| {
                let (url, client, numbers) = (url.clone(), client.clone(), numbers.clone());
                tokio::spawn(async move {
                    let mut answered = Vec::new();
                    loop {
                        let order = numbers.fetch_add(1, Ordering::Relaxed);
                        let request = client.post(&url).bearer_auth("old").body(event(order, "a"));
                        match request.send().await {
                            Ok(response) if response.status().is_success() => answered.push(order),
                            _ => return answered,
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(50..400))).await;
        service.kill();
        for sender in senders {
            acknowledged.extend(sender.await.unwrap());
        }
    }
    let service = store.start(&[]);
    let mut there = BTreeSet::new();
    for event in service.events().await {
        assert_eq!(event["deliveryCount"], 1);
        let order: u64 = event["orderId"].as_str().unwrap().parse().unwrap();
        assert!(there.insert(order), "order {order} is there twice");
    }
    println!("{kills} kills, {} tried, {} acknowledged", numbers.load(Ordering::Relaxed), acknowledged.len());
    assert!(!acknowledged.is_empty());
    let lost: Vec<_> = acknowledged.iter().filter(|order| !there.contains(order)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

/// Follows the log until told that nothing more comes.
async fn tail(service: Arc<Service>, done: Arc<AtomicBool>) -> Vec<(i64, String)> {
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let last = done.load(Ordering::SeqCst);
        let page = service.read(&format!("?after={after}&limit=100")).await;
        for event in page["events"].as_array().unwrap() {
            after = event["seq"].as_i64().unwrap();
            seen.push((after, event["orderId"].as_str().unwrap().to_owned()));
        }
        if last && page["more"] == false {
            return seen;
        }
    }
}

async fn readers_miss_nothing(store: Store) {
    let first = Arc::new(store.start(&[]));
    // A second replica writes and dies half-way; SQLite has one process.
    let postgres = store.url.starts_with("postgres");
    let second = postgres.then(|| store.start(&[]));
    let events = count("AIFI_INBOX_EVENTS", 1500);
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2).map(|_| tokio::spawn(tail(first.clone(), done.clone()))).collect();
    let numbers = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let own = second.as_ref().filter(|_| writer % 2 == 1).map(|service| service.url("/checkout"));
            let (mut url, other) = (own.unwrap_or(first.url("/checkout")), first.url("/checkout"));
            let (client, numbers) = (first.client.clone(), numbers.clone());
            tokio::spawn(async move {
                loop {
                    let order = numbers.fetch_add(1, Ordering::Relaxed);
                    if order >= events {
                        return;
                    }
                    loop {
                        let request = client.post(&url).bearer_auth("new").body(event(order, "a"));
                        match request.send().await {
                            Ok(response) if response.status() == StatusCode::OK => break,
                            // The replica is gone: the sender repeats its call at the other one.
                            _ => url = other.clone(),
                        }
                    }
                }
            })
        })
        .collect();
    if let Some(second) = second {
        while numbers.load(Ordering::Relaxed) < events / 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        second.kill();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let log: Vec<(i64, String)> = first
        .events()
        .await
        .iter()
        .map(|event| (event["seq"].as_i64().unwrap(), event["orderId"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(log.len() as u64, events);
    for reader in readers {
        let seen = reader.await.unwrap();
        assert!(seen.is_sorted_by(|one, other| one.0 < other.0));
        let seen: BTreeSet<_> = seen.into_iter().collect();
        let skipped: Vec<_> = log.iter().filter(|event| !seen.contains(event)).collect();
        assert!(skipped.is_empty(), "skipped: {skipped:?}");
    }
}

/// The negative control of `readers_miss_nothing`: with a plain sequence, a reader does miss events.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_sequence_would_lose_events() {
    let Some(store) = Store::postgres("a_plain_sequence_would_lose_events") else { return };
    let service = Arc::new(store.start(&[]));
    let pool = store.pool().await;
    sqlx::query("CREATE SEQUENCE plain").execute(&pool).await.unwrap();
    // This writer does not keep the head; the reader must not take that for a log that was rewound.
    sqlx::query("UPDATE log SET head = 1000000").execute(&pool).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(tail(service.clone(), done.clone()));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let pool = pool.clone();
            tokio::spawn(async move {
                for order in 0..50 {
                    let mut transaction = pool.begin().await.unwrap();
                    sqlx::query(
                        "INSERT INTO events (identity, seq, order_id, body, first_received, last_received, \
                         delivery_count, last_delivery, relay) \
                         VALUES ($1, nextval('plain'), $1, '', 0, 0, 1, '', 'none')",
                    )
                    .bind(format!("{writer}-{order}"))
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..20))).await;
                    transaction.commit().await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    assert_eq!(service.events().await.len(), 200);
    assert!(seen.len() < 200, "a plain sequence was expected to lose events");
}
