//! Stores that fail: what was answered 2xx stays, and the service comes back by itself.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use tokio::task::JoinHandle;

use crate::harness::{Service, Store, event, on_both, run};
use crate::overload::metric;
use crate::postgres::Server;

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
    let service = store.start_limited("-f 1000");
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

/// Senders that go on whatever happens.
struct Load {
    done: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    senders: Vec<JoinHandle<BTreeSet<u64>>>,
}

impl Load {
    fn start(service: &Service) -> Self {
        let (done, acknowledged, refused): (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>) =
            Default::default();
        let senders = (0..8)
            .map(|sender| {
                let (client, url) = (service.client.clone(), service.url("/checkout"));
                let (done, taken, refused) = (done.clone(), acknowledged.clone(), refused.clone());
                tokio::spawn(async move {
                    let mut acknowledged = BTreeSet::new();
                    for number in 0.. {
                        if done.load(Ordering::SeqCst) {
                            break;
                        }
                        let order: u64 = sender * 1_000_000 + number;
                        let request = client.post(&url).bearer_auth("new").body(event(order, "a"));
                        let response = request.send().await.unwrap();
                        match response.status() {
                            StatusCode::OK => {
                                acknowledged.insert(order);
                                taken.fetch_add(1, Ordering::SeqCst);
                            }
                            StatusCode::SERVICE_UNAVAILABLE => {
                                assert_eq!(response.headers()["retry-after"], "5");
                                refused.fetch_add(1, Ordering::SeqCst);
                            }
                            status => panic!("{status}"),
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        Self { done, acknowledged, refused, senders }
    }

    /// Waits until one of the counts has grown by this much.
    async fn until(&self, count: &AtomicU64, more: u64) {
        let before = count.load(Ordering::SeqCst);
        for _ in 0..6000 {
            if count.load(Ordering::SeqCst) >= before + more {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not go on");
    }

    /// Ends the senders; what the service said is kept must be there, once.
    async fn end(self, service: &Service) {
        self.done.store(true, Ordering::SeqCst);
        let mut acknowledged = BTreeSet::new();
        for sender in self.senders {
            acknowledged.extend(sender.await.unwrap());
        }
        println!("{} acknowledged, {} refused", acknowledged.len(), self.refused.load(Ordering::SeqCst));
        assert!(!acknowledged.is_empty());
        let there = orders(service).await;
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
}

/// PostgreSQL hangs up again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_up_loses_nothing_acknowledged() {
    let Some(store) = Store::postgres("a_database_that_hangs_up") else { return };
    let service = store.start(&[]);
    let load = Load::start(&service);
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
    load.until(&load.acknowledged, 20).await;
    load.end(&service).await;
}

/// PostgreSQL crashes under load, stays away for a while, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_loses_nothing_acknowledged() {
    let Some(mut server) = Server::start(false) else { return };
    let store = Store::at(server.database("crashes"));
    let service = store.start(&[]);
    let load = Load::start(&service);
    for _ in 0..3 {
        load.until(&load.acknowledged, 50).await;
        server.crash();
        load.until(&load.refused, 8).await;
        assert_eq!(service.get("/health/ready").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(service.get("/health/live").await.status(), StatusCode::OK);
        assert_eq!(metric(&service, "aifi_inbox_store_up").await, 0.0);
        server.run();
        load.until(&load.acknowledged, 50).await;
        assert_eq!(service.get("/health/ready").await.status(), StatusCode::OK);
    }
    load.end(&service).await;
}

/// No file takes a byte any more, then they do again.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_writes_loses_nothing_acknowledged() {
    let store = Store::sqlite("refuses").unwrap();
    let service = store.start_limited("-f unlimited");
    let load = Load::start(&service);
    for _ in 0..3 {
        load.until(&load.acknowledged, 50).await;
        run("prlimit", &["--pid", &service.id(), "--fsize=0:"]);
        load.until(&load.refused, 8).await;
        assert_eq!(service.get("/health/ready").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        run("prlimit", &["--pid", &service.id(), "--fsize=unlimited:"]);
        load.until(&load.acknowledged, 50).await;
    }
    load.end(&service).await;
}

/// The files of the store become read-only, also for a program that has them open.
struct ReadOnly(Vec<String>);

impl ReadOnly {
    /// `None` where that takes a right or a file system that is not here.
    fn make(store: &Store) -> Option<Self> {
        let files = ["inbox.db", "inbox.db-wal"].map(|name| store.folder.path().join(name));
        let files = Self(files.map(|file| file.to_str().unwrap().to_owned()).to_vec());
        let made = Command::new("chattr").arg("+i").args(&files.0).status();
        made.is_ok_and(|status| status.success()).then_some(files)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-i").args(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_store_loses_nothing_acknowledged() {
    let store = Store::sqlite("read_only").unwrap();
    let service = store.start(&[]);
    let load = Load::start(&service);
    for _ in 0..3 {
        load.until(&load.acknowledged, 50).await;
        let Some(read_only) = ReadOnly::make(&store) else {
            eprintln!("SKIPPED: files cannot be made immutable here (chattr +i, as root).");
            break;
        };
        load.until(&load.refused, 8).await;
        assert_eq!(service.get("/health/ready").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(read_only);
        load.until(&load.acknowledged, 50).await;
    }
    load.end(&service).await;
}
