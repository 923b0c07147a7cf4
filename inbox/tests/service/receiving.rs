//! What comes in.

use reqwest::StatusCode;

use crate::harness::{Store, event, on_both, program};

on_both!(each_event_is_kept_once, only_who_may, too_large, what_is_no_event_comes_out_too);

async fn each_event_is_kept_once(store: Store) {
    let service = store.start(&[]);
    let first = event(1, "a");
    for body in [first.clone(), event(2, "a"), event(1, "b")] {
        let answer = service.send(body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.text().await.unwrap(), "{}");
    }
    let events = service.events().await;
    let orders: Vec<_> = events.iter().map(|event| event["orderId"].as_str().unwrap()).collect();
    assert_eq!(orders, ["2", "1"], "a repeat moves an event to the end");
    assert_eq!(events[1]["deliveryCount"], 2);
    assert_eq!(events[1]["payload"], first, "the body that came first stays, as sent");
    assert_eq!(events[1]["seq"], 3);
    let metrics = service.get("/metrics").await.text().await.unwrap();
    for line in ["aifi_inbox_received_total 3", "aifi_inbox_stored_total 2", "aifi_inbox_repeats_total 1"] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

async fn only_who_may(store: Store) {
    let service = store.start(&["--path-secrets", "hidden", "--header", "x-key", "--header-values", "k"]);
    let post = |path| service.client.post(service.url(path)).body(event(1, "a"));
    for request in [
        post("/checkout").bearer_auth("old"),
        post("/checkout").bearer_auth("new"),
        post("/checkout").header("x-key", "k"),
        post("/checkout/hidden"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    for request in [
        post("/checkout"),
        post("/checkout").bearer_auth("reader"),
        post("/checkout").header("x-key", "new"),
        post("/checkout/other"),
        service.client.get(service.url("/v1/events")).bearer_auth("new"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(service.events().await[0]["deliveryCount"], 4);
}

#[test]
fn it_does_not_start_open_unless_told() {
    let output = program().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("AIFI_INBOX_TOKENS"));
}

async fn too_large(store: Store) {
    let service = store.start(&[]);
    let status = service.send(vec![b'x'; (1 << 20) + 1]).await.status();
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(service.send(vec![b'x'; 1 << 20]).await.status(), StatusCode::OK);
    assert_eq!(service.events().await.len(), 1);
}

async fn what_is_no_event_comes_out_too(store: Store) {
    let service = store.start(&[]);
    for body in [b"".as_slice(), b"\xff\x00", br#"{"orderId":"a\u0000b","status":"s","timeOfOrigin":"t"}"#] {
        assert_eq!(service.send(body).await.status(), StatusCode::OK);
    }
    let events = service.events().await;
    assert!(events.iter().all(|event| event["recognised"] == false));
    assert_eq!(events[0]["payload"], "");
    assert_eq!(events[1]["payloadBase64"], "/wA=");
    assert_eq!(events.len(), 3);
}
