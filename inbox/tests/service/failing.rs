//! Stores that fail: what was answered 2xx stays, and the service comes back by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::StatusCode;

use crate::harness::{Service, Store, event, on_both};

on_both!(a_store_that_is_held_acknowledges_nothing);

async fn a_store_that_is_held_acknowledges_nothing(store: Store) {
    let service = store.start(&[]);
    assert_eq!(service.send(event(1, "a")).await.status(), StatusCode::OK);
    let blocked = store.block().await;
    let response = service.send(event(2, "a")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(service.get("/health/ready").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(blocked);
    service.insist(event(2, "a")).await;
    assert_eq!(orders(&service).await, BTreeSet::from([1, 2]));
    assert_eq!(service.get("/health/ready").await.status(), StatusCode::OK);
}

/// The orders of all events; each event is there once.
async fn orders(service: &Service) -> BTreeSet<u64> {
    let events = service.events().await;
    let orders: BTreeSet<u64> =
        events.iter().map(|event| event["orderId"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(orders.len(), events.len());
    orders
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_acknowledged() {
    let store = Store::sqlite("full").unwrap();
    let service = store.start_on_full_disk(1000);
    let mut acknowledged = BTreeSet::new();
    let large = "x".repeat(10_000);
    let mut refused = 0;
    for order in 0..400 {
        let status = service.send(event(order, &large)).await.status();
        match status {
            StatusCode::OK => drop(acknowledged.insert(order)),
            StatusCode::SERVICE_UNAVAILABLE => refused += 1,
            _ => panic!("{status}"),
        }
    }
    assert!(!acknowledged.is_empty() && refused > 0, "the disk was never full");
    assert!(orders(&service).await.is_superset(&acknowledged), "it can still be read");
    service.kill();
    let service = store.start(&[]);
    assert!(orders(&service).await.is_superset(&acknowledged));
    assert_eq!(service.send(event(1000, "a")).await.status(), StatusCode::OK);
    println!("{} acknowledged, {refused} refused", acknowledged.len());
}

/// PostgreSQL goes away again and again, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_up_loses_nothing_acknowledged() {
    let Some(store) = Store::postgres("a_database_that_hangs_up") else { return };
    let service = store.start(&[]);
    let done = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let (client, url) = (service.client.clone(), service.url("/checkout"));
            let done = done.clone();
            tokio::spawn(async move {
                let (mut acknowledged, mut refused) = (Vec::new(), 0);
                for number in 0.. {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    let order: u64 = sender * 1_000_000 + number;
                    let request = client.post(&url).bearer_auth("new").body(event(order, "a"));
                    match request.send().await.unwrap().status() {
                        StatusCode::OK => acknowledged.push(order),
                        StatusCode::SERVICE_UNAVAILABLE => refused += 1,
                        status => panic!("{status}"),
                    }
                }
                (acknowledged, refused)
            })
        })
        .collect();
    let pool = store.pool().await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(50..200))).await;
        sqlx::query(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let (mut acknowledged, mut refused) = (BTreeSet::new(), 0);
    for sender in senders {
        let (orders, times) = sender.await.unwrap();
        acknowledged.extend(orders);
        refused += times;
    }
    println!("{} acknowledged, {refused} refused, the database hung up 20 times", acknowledged.len());
    service.insist(event(1, "a")).await;
    assert!(!acknowledged.is_empty());
    assert!(orders(&service).await.is_superset(&acknowledged));
}
