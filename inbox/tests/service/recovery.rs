//! Backups, upgrades, rotations, and replicas that start at the same time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::StatusCode;
use tokio::sync::RwLock;

use crate::harness::{Service, Store, event, on_both, program};

on_both!(a_backup_is_the_log_of_a_moment, newer_tables_are_left_alone);

/// A copy of the store as the page describes it, taken while the service writes.
async fn back_up(store: &Store, name: &str) -> Store {
    if store.url.starts_with("postgres") {
        return Store::at(crate::postgres::copy(&store.url, name));
    }
    let copy = Store::sqlite(name).unwrap();
    let pool = store.pool().await;
    sqlx::query("VACUUM INTO $1")
        .bind(copy.url.strip_prefix("sqlite://").unwrap())
        .execute(&pool)
        .await
        .unwrap();
    copy
}

/// What names each event and its place.
async fn log(service: &Service) -> BTreeSet<(i64, String)> {
    let events = service.events().await;
    let entry = |event: &serde_json::Value| {
        (event["seq"].as_i64().unwrap(), event["event"].as_str().unwrap().to_owned())
    };
    events.iter().map(entry).collect()
}

async fn a_backup_is_the_log_of_a_moment(store: Store) {
    let service = store.start(&[]);
    let (done, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let sender = {
        let (client, url) = (service.client.clone(), service.url("/checkout"));
        let (done, sent) = (done.clone(), sent.clone());
        tokio::spawn(async move {
            while !done.load(Ordering::SeqCst) {
                let order = sent.fetch_add(1, Ordering::SeqCst);
                let request = client.post(&url).bearer_auth("new").body(event(order, "a"));
                assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
            }
        })
    };
    let until = async |count: u64| {
        for _ in 0..3000 {
            if sent.load(Ordering::SeqCst) >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {} were sent", sent.load(Ordering::SeqCst));
    };
    until(30).await;
    let copy = back_up(&store, if store.url.starts_with("postgres") { "backup_copy" } else { "copy" }).await;
    until(sent.load(Ordering::SeqCst) + 30).await;
    done.store(true, Ordering::SeqCst);
    sender.await.unwrap();
    let whole = log(&service).await;
    let (after, seen) = whole.last().unwrap().clone();
    drop(service);
    let restored = copy.start(&[]);
    let part = log(&restored).await;
    println!("{} events, {} of them in the backup", whole.len(), part.len());
    assert!(part.len() >= 29 && part.len() < whole.len());
    assert!(
        whole.iter().zip(&part).all(|(one, other)| one == other),
        "the backup is the beginning of the log"
    );
    let answer = restored.get(&format!("/v1/events?after={after}&seen={seen}")).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT, "a reader that has seen more gets a conflict");
    assert_eq!(restored.send(event(1_000_000, "a")).await.status(), StatusCode::OK);
}

async fn newer_tables_are_left_alone(store: Store) {
    let service = store.start(&[]);
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 99, 'newer', success, checksum, 0 FROM _sqlx_migrations LIMIT 1",
    )
    .execute(&store.pool().await)
    .await
    .unwrap();
    let output = program().args(["status", "--store", &store.url]).output().unwrap();
    assert!(!output.status.success(), "an older program does not start on them");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("cannot be brought up to date") && told.contains("99"), "{told}");
    assert_eq!(service.send(event(1, "a")).await.status(), StatusCode::OK, "one that runs continues");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_may_start_together() {
    let Some(store) = Store::postgres("replicas_may_start_together") else { return };
    let services: Vec<Service> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| store.start(&[]))).collect();
        starting.into_iter().map(|service| service.join().unwrap()).collect()
    });
    for (order, service) in services.iter().enumerate() {
        assert_eq!(service.send(event(order, "a")).await.status(), StatusCode::OK);
    }
    assert_eq!(services[0].events().await.len(), services.len());
}

/// Two replicas behind a load balancer, which sends nothing to the one that is being restarted.
struct Balanced {
    replicas: [RwLock<Service>; 2],
    token: Mutex<&'static str>,
    done: AtomicBool,
}

impl Balanced {
    /// Sends events until told to end; how many.
    async fn send(self: Arc<Self>, sender: u64) -> u64 {
        for number in 0.. {
            if self.done.load(Ordering::SeqCst) {
                return number;
            }
            let turn = usize::from(number % 2 == 1);
            let replica = match self.replicas[turn].try_read() {
                Ok(replica) => replica,
                Err(_) => self.replicas[1 - turn].read().await,
            };
            let token = *self.token.lock().unwrap();
            let request = replica.client.post(replica.url("/checkout")).bearer_auth(token);
            let answer = request.body(event(sender * 1_000_000 + number, "a")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "a call was lost");
        }
        unreachable!("there are numbers enough")
    }

    /// Restarts one replica after the other.
    async fn restart(&self, store: &Store, tokens: &str) {
        for replica in &self.replicas {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let mut replica = replica.write().await;
            replica.stop();
            *replica = store.start_for(tokens);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_rotated_without_a_lost_call() {
    let Some(store) = Store::postgres("a_token_is_rotated") else { return };
    let replicas = [(); 2].map(|()| RwLock::new(store.start_for("old")));
    let balanced = Arc::new(Balanced { replicas, token: Mutex::new("old"), done: AtomicBool::new(false) });
    let senders: Vec<_> = (1..=4).map(|sender| tokio::spawn(balanced.clone().send(sender))).collect();
    balanced.restart(&store, "old,new").await;
    *balanced.token.lock().unwrap() = "new";
    tokio::time::sleep(Duration::from_millis(100)).await;
    balanced.restart(&store, "new").await;
    balanced.done.store(true, Ordering::SeqCst);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.unwrap();
    }
    let replica = balanced.replicas[0].read().await;
    println!("{sent} calls");
    assert_eq!(replica.events().await.len() as u64, sent);
    let old = replica.client.post(replica.url("/checkout")).bearer_auth("old").body("{}");
    assert_eq!(old.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
