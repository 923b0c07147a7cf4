//! What the payment endpoint and the shopper's side see of the inbox: nothing.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Service, Store, event, on_both};
use crate::target::{Answer, Target};

on_both!(
    bytes_pass_both_ways,
    headers_pass,
    each_delivery_is_forwarded_once,
    a_target_that_fails,
    payment_goes_on_without_the_store,
    a_stop_finishes_what_is_under_way,
    a_crash_leaves_a_trace,
);

/// Waits until the only event tells this of its relay.
async fn told(service: &Service, relay: &str) -> Value {
    for _ in 0..200 {
        if let [event] = service.events().await.as_slice()
            && event["relay"] == relay
        {
            return event.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no event with relay {relay}: {:?}", service.events().await);
}

fn random(length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect()
}

/// A request as raw bytes, in chunks of any size; the body of the answer.
async fn chunked(service: &Service, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(&service.address).await.unwrap();
    let head = "POST /checkout HTTP/1.1\r\nhost: h\r\nauthorization: Bearer new\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(fastrand::usize(1..=rest.len()));
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
        stream.write_all(chunk).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
        rest = later;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    answer.split_off(end)
}

async fn bytes_pass_both_ways(store: Store) {
    let target = Target::start(Answer::new("200 OK", "", b"")).await;
    let service = store.start(&["--relay", &target.url]);
    for length in [0, 1, 1000, 65_537, 1 << 20] {
        for status in ["200 OK", "202 Accepted", "302 Found", "404 Not Found", "500 Internal Server Error"] {
            let (body, answer) = (random(length), random(fastrand::usize(0..=length.max(10))));
            target.answer(Answer::new(status, "content-encoding: gzip\r\nlocation: /else\r\n", &answer));
            crate::harness::install_crypto();
            let client = reqwest::Client::builder().no_gzip().redirect(reqwest::redirect::Policy::none());
            let request = client.build().unwrap().post(service.url("/checkout")).bearer_auth("new");
            let response = request.body(body.clone()).send().await.unwrap();
            assert_eq!(response.status().as_str(), &status[..3]);
            assert_eq!(response.headers()["content-encoding"], "gzip");
            assert_eq!(response.bytes().await.unwrap(), answer);
            assert_eq!(target.got().last().unwrap().body, body);
        }
        let (body, answer) = (random(length), random(20));
        target.answer(Answer::new("200 OK", "", &answer));
        assert_eq!(chunked(&service, &body).await, answer);
        assert_eq!(target.got().last().unwrap().body, body);
    }
}

async fn headers_pass(store: Store) {
    let target = Target::start(Answer::new("200 OK", "x-answer: a\r\nkeep-alive: timeout=5\r\n", b"")).await;
    let service = store.start(&["--relay", &target.url]);
    let request = service.client.put(service.url("/checkout?a=1")).bearer_auth("new").body("b");
    let request = request.header("x-own", "1").header("te", "trailers").header("x-own", "2");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-answer"], "a");
    assert!(!response.headers().contains_key("keep-alive"));
    let head = target.got()[0].head.clone();
    let host = target.url.trim_start_matches("http://").trim_end_matches("/pay");
    assert!(head.starts_with("put /pay?a=1 http/1.1\r\n"), "{head}");
    for line in ["authorization: bearer new", "x-own: 1", "x-own: 2", &format!("host: {host}")] {
        assert_eq!(head.lines().filter(|got| *got == line).count(), 1, "{line} in {head}");
    }
    assert!(!head.contains("te: trailers"));

    drop(service);
    let service = store.start(&["--relay", &target.url, "--relay-authorization", "Basic other"]);
    service.send("c").await;
    assert!(target.got()[1].head.contains("authorization: basic other\r\n"));
    assert!(!target.got()[1].head.contains("bearer"));
}

async fn each_delivery_is_forwarded_once(store: Store) {
    let target = Target::start(Answer::new("200 OK", "", br#"{"paymentStatus":"success"}"#)).await;
    let service = store.start(&["--relay", &target.url]);
    for issue in ["a", "b", "c"] {
        service.send(event(1, issue)).await;
        told(&service, "answered").await;
    }
    assert_eq!(target.got().len(), 3);
    let event = told(&service, "answered").await;
    assert_eq!((&event["deliveryCount"], &event["answerStatus"]), (&Value::from(3), &Value::from(200)));
    assert_eq!(event["answerBody"], r#"{"paymentStatus":"success"}"#);
    assert!(event["answerMillis"].is_u64(), "{event}");
}

async fn a_target_that_fails(store: Store) {
    let mut late = Answer::new("200 OK", "", b"late");
    late.delay = Duration::from_secs(5);
    let mut cut = Answer::new("200 OK", "", b"whole");
    cut.bytes.truncate(cut.bytes.len() - 1);
    let target = Target::start(late).await;
    let service = store.start(&["--relay", &target.url, "--relay-timeout", "1"]);
    assert_eq!(service.send(event(1, "a")).await.status(), StatusCode::GATEWAY_TIMEOUT);
    told(&service, "late").await;
    target.answer(cut);
    assert_eq!(service.send(event(1, "b")).await.status(), StatusCode::BAD_GATEWAY);
    told(&service, "failed").await;
    assert_eq!(target.got().len(), 2, "nothing was repeated");

    drop(service);
    let service = store.start(&["--relay", "http://127.0.0.1:1/pay"]);
    assert_eq!(service.send(event(1, "c")).await.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(told(&service, "failed").await["deliveryCount"], 3);
}

async fn payment_goes_on_without_the_store(store: Store) {
    let target = Target::start(Answer::new("200 OK", "", b"paid")).await;
    let service = store.start(&["--relay", &target.url]);
    let blocked = store.block().await;
    let answer = service.send(event(1, "a")).await;
    assert_eq!(answer.text().await.unwrap(), "paid", "the store is held until after this");
    let ready: Value = service.get("/health/ready").await.json().await.unwrap();
    assert_eq!(ready["ready"], true, "{ready}");
    assert!(ready["spooled"].as_u64() > Some(0), "{ready}");
    drop(blocked);
    let event = told(&service, "answered").await;
    assert_eq!((&event["deliveryCount"], &event["answerBody"]), (&Value::from(1), &Value::from("paid")));
    for _ in 0..100 {
        let ready: Value = service.get("/health/ready").await.json().await.unwrap();
        if ready["spooled"] == 0 && ready["store"] == true {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the spool was not drained");
}

async fn a_stop_finishes_what_is_under_way(store: Store) {
    let mut slow = Answer::new("200 OK", "", b"paid");
    slow.delay = Duration::from_millis(500);
    let target = Target::start(slow).await;
    let mut service = store.start(&["--relay", &target.url]);
    let request = service.client.request(Method::POST, service.url("/checkout")).bearer_auth("new");
    let call = tokio::spawn(request.body(event(1, "a")).send());
    while target.got().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    service.terminate();
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "paid");
    service.stop();
    let line: Value = serde_json::from_str(&store.run(&["export"])).unwrap();
    assert_eq!((&line["relay"], &line["answerBody"]), (&Value::from("answered"), &Value::from("paid")));
}

async fn a_crash_leaves_a_trace(store: Store) {
    let mut slow = Answer::new("200 OK", "", b"paid");
    slow.delay = Duration::from_secs(60);
    let target = Target::start(slow).await;
    let service = store.start(&["--relay", &target.url, "--relay-budget", "5000"]);
    let request = service.client.post(service.url("/checkout")).bearer_auth("new");
    let call = tokio::spawn(request.body(event(1, "a")).send());
    while target.got().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    service.kill();
    assert!(call.await.unwrap().is_err());
    let service = store.start(&[]);
    told(&service, "unknown").await;
}
