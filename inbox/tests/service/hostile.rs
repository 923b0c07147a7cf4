//! Senders that mean harm, or are broken: the others are served meanwhile.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Service, Store, event, on_both};
use crate::overload::metric;

on_both!(
    slow_senders_are_let_go,
    a_body_that_is_cut_off_is_nothing,
    many_connections_leave_room_for_others,
    connections_beyond_the_limit_are_told,
);

const HEAD: &str =
    "POST /checkout HTTP/1.1\r\nhost: h\r\nauthorization: Bearer new\r\ncontent-length: 100\r\n\r\n";

/// Sends one byte a second for ever, and returns what it was answered once it was let go.
async fn trickle(address: String, beginning: &'static str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Longer than any time-out of the service, so that a service without one fails here.
    for _ in 0..60 {
        match tokio::time::timeout(Duration::from_secs(1), stream.read_buf(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return String::from_utf8(answer).unwrap(),
            Ok(Ok(_)) => {}
            Err(_) => drop(stream.write_all(b"x").await),
        }
    }
    panic!("a slow sender was never let go");
}

async fn slow_senders_are_let_go(store: Store) {
    let service = store.start(&[]);
    let senders: Vec<_> = (0..200)
        .map(|number| {
            let beginning = if number % 2 == 0 { "POST /checkout HTTP/1.1\r\nx-slow: " } else { HEAD };
            tokio::spawn(trickle(service.address.clone(), beginning))
        })
        .collect();
    let begun = Instant::now();
    let mut served = 0;
    while senders.iter().any(|sender| !sender.is_finished()) {
        served += 1;
        assert_eq!(service.send(event(served, "a")).await.status(), StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("{served} events served within {:?}, while 200 connections hung", begun.elapsed());
    for (number, sender) in senders.into_iter().enumerate() {
        let answer = sender.await.unwrap();
        assert!(number % 2 == 0 || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert_eq!(service.events().await.len(), served);
}

async fn a_body_that_is_cut_off_is_nothing(store: Store) {
    let service = store.start(&[]);
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&service.address).await.unwrap();
        stream.write_all(HEAD.as_bytes()).await.unwrap();
        stream.write_all(br#"{"orderId":"#).await.unwrap();
    }
    assert_eq!(service.send(event(1, "a")).await.status(), StatusCode::OK);
    assert_eq!(service.events().await.len(), 1);
}

/// How many files this process may open, the tests that run beside this one included.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    limit.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX)
}

/// Opens connections that never finish the head of their request.
async fn hang(service: &Service, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(&service.address).await.unwrap();
        stream.write_all(b"POST /checkout HTTP/1.1\r\nhost: h\r\n").await.unwrap();
        streams.push(stream);
    }
    streams
}

async fn hold_many(store: &Store, wanted: usize) {
    let count = wanted.min(descriptors().saturating_sub(500));
    let service = store.start(&[]);
    let streams = hang(&service, count).await;
    let mut most = 0.0_f64;
    for order in 0..100 {
        assert_eq!(service.send(event(order, "a")).await.status(), StatusCode::OK);
        most = most.max(metric(&service, "aifi_inbox_connections").await);
    }
    println!("{count} opened, {most} at once, {} MiB at most", service.peak_memory());
    assert!(most > count as f64 / 2.0, "{most} of {count}");
    assert!(service.peak_memory() < 100 + count as u64 / 32, "{} MiB", service.peak_memory());
    drop(streams);
    assert_eq!(service.events().await.len(), 100);
}

async fn many_connections_leave_room_for_others(store: Store) {
    hold_many(&store, 2000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `ulimit -n 20000`"]
async fn ten_thousand_connections_leave_room_for_others() {
    hold_many(&Store::sqlite("ten_thousand").unwrap(), 10_000).await;
}

async fn connections_beyond_the_limit_are_told(store: Store) {
    let service = store.start_limited("-n 300");
    assert_eq!(service.send(event(0, "a")).await.status(), StatusCode::OK);
    let mut refused = 0;
    for mut stream in hang(&service, 400).await.into_iter().rev() {
        let mut answer = Vec::new();
        // Those within the limit are closed without an answer once their head took too long.
        let _ = stream.read_to_end(&mut answer).await;
        if !answer.is_empty() {
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 5"), "{answer}");
            refused += 1;
        } else if refused > 0 {
            break;
        }
        // The one that was there before is served all the while.
        if refused % 50 == 1 {
            assert_eq!(service.send(event(refused, "a")).await.status(), StatusCode::OK);
        }
    }
    println!("{refused} refused");
    assert!(refused > 0);
    service.insist(event(1000, "a")).await;
}
