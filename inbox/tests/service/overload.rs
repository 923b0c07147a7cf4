//! More than the service can hold: it says so at once, and stays small.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{Service, Store, event, on_both};

on_both!(bodies_that_wait_are_bounded_in_bytes);

/// A number of the metrics; 0 when it is not there.
pub(crate) async fn metric(service: &Service, name: &str) -> f64 {
    let metrics = service.get("/metrics").await.text().await.unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

async fn bodies_that_wait_are_bounded_in_bytes(store: Store) {
    let service = store.start(&[]);
    assert_eq!(service.send(event(0, "a")).await.status(), StatusCode::OK);
    let blocked = store.block().await;
    let senders: Vec<_> = (1..=200)
        .map(|order| {
            let filling = "x".repeat((1 << 20) - 200);
            let body = json!({"orderId": order, "status": "draft", "timeOfOrigin": "t", "filling": filling});
            let request = service.client.post(service.url("/checkout")).bearer_auth("new");
            let request = request.body(body.to_string());
            tokio::spawn(async move {
                let response = request.send().await.unwrap();
                let retry =
                    response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
                (response.status(), retry)
            })
        })
        .collect();
    // The store is held until this many were refused: nobody but the service can have done that.
    let overloaded = r#"aifi_inbox_refused_total{reason="overload"}"#;
    for _ in 0..600 {
        if metric(&service, overloaded).await >= 50.0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(metric(&service, overloaded).await >= 50.0);
    assert!(metric(&service, "aifi_inbox_held_bytes").await <= f64::from(64 << 20));
    drop(blocked);
    let mut answers: BTreeMap<u16, u64> = BTreeMap::new();
    for sender in senders {
        let (status, retry) = sender.await.unwrap();
        *answers.entry(status.as_u16()).or_default() += 1;
        assert_eq!(retry.is_some(), status == StatusCode::SERVICE_UNAVAILABLE, "{status}");
    }
    let peak = service.peak_memory();
    println!("{answers:?}, {peak} MiB at most");
    assert!(peak < 320, "{peak} MiB");
    service.insist(event(0, "b")).await;
    assert_eq!(service.events().await.len() as u64, 1 + answers.get(&200).copied().unwrap_or(0));
    assert_eq!(metric(&service, "aifi_inbox_held_bytes").await, 0.0);
}
