//! Senders that mean harm, or are broken: the others are served meanwhile.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Store, event, on_both};

on_both!(slow_senders_are_let_go, a_body_that_is_cut_off_is_nothing);

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
