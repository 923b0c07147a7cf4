//! The stream `order_details` in a long backfill.

use std::io::{BufRead, BufReader};

use aifi_sandbox::Options;
use serde_json::{Value, json};

use crate::harness::{Run, config, configured_catalog, sandbox};

/// A catalog that selects these streams.
fn catalog(streams: &[&str]) -> Value {
    let mut catalog = configured_catalog("incremental");
    let selected = streams.iter().map(|name| {
        let mut stream = catalog["streams"][0].clone();
        stream["stream"]["name"] = json!(name);
        stream
    });
    catalog["streams"] = selected.collect();
    catalog
}

#[test]
fn orders_do_not_wait_for_the_details_of_a_long_backfill() {
    let sandbox = sandbox(Options { orders: 10_600, products: false, ..Options::default() });
    let run = Run::of("read")
        .file("config", &config(&sandbox).to_string())
        .file("catalog", &catalog(&["orders", "order_details"]).to_string());
    let mut child = run.spawn();
    let (mut orders, mut details, mut complete) = (0, 0, false);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match message["record"]["stream"].as_str() {
            Some("orders") => orders += 1,
            Some("order_details") => details += 1,
            _ => (),
        }
        let status = &message["trace"]["stream_status"];
        complete |= status["status"] == "COMPLETE" && status["stream_descriptor"]["name"] == "orders";
        assert!(status["status"] != "INCOMPLETE", "{message}");
        if details >= 60 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(complete, "{orders} orders, {details} details");
    assert!(orders >= 10_600);
}
