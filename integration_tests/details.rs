//! The stream `order_details`, which takes a request for each order: in a long backfill, and cut off.

use std::io::{BufRead, BufReader};

use aifi_sandbox::Options;
use serde_json::Value;

use crate::complete::settled;
use crate::harness::{Run, Truth, Warehouse, config, sandbox, side_by_side};

#[test]
fn nothing_waits_for_the_details_of_a_long_backfill() {
    let sandbox = sandbox(Options { orders: 10_600, products: false, ..Options::default() });
    let run = Run::of_streams(&config(&sandbox), "incremental", &["orders", "order_details", "contests"]);
    let mut child = run.spawn();
    let (mut orders, mut details, mut complete) = (0, 0, Vec::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match message["record"]["stream"].as_str() {
            Some("orders") => orders += 1,
            Some("order_details") => details += 1,
            _ => (),
        }
        let status = &message["trace"]["stream_status"];
        if status["status"] == "COMPLETE" {
            complete.push(status["stream_descriptor"]["name"].as_str().unwrap().to_owned());
        }
        assert!(status["status"] != "INCOMPLETE", "{message}");
        if details >= 60 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    complete.sort();
    assert_eq!(complete, ["contests", "orders"], "{orders} orders, {details} details");
    assert!(orders >= 10_600);
}

/// Reads these streams until so many details are there, and is killed then. What came until then.
fn killed_after(run: &Run, details: usize) -> Vec<Value> {
    let mut child = run.spawn();
    let (mut messages, mut written) = (Vec::<Value>::new(), 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        written += usize::from(message["record"]["stream"] == "order_details");
        messages.push(message);
        if written == details {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    messages
}

#[test]
fn details_that_were_cut_off_go_on_where_they_were() {
    let cases = ["incremental", "full_refresh"].map(|sync_mode| {
        [&["order_details"][..], &["orders", "order_details"]].map(|streams| (sync_mode, streams))
    });
    side_by_side(cases.as_flattened(), |(sync_mode, streams)| {
        let sandbox = sandbox(Options { orders: 300, products: false, ..Options::default() });
        let config = config(&sandbox);
        let (mut warehouse, truth) = (Warehouse::default(), Truth::of(&sandbox, &settled(&sandbox)));
        for message in killed_after(&Run::of_streams(&config, sync_mode, streams), 180) {
            warehouse.take(&message);
            if message["type"] == "STATE" {
                truth.assert_proven(&message, &warehouse);
            }
        }
        sandbox.reset_stats();
        let rest = Run::of_streams(&config, sync_mode, streams).resuming_all(&warehouse.states());
        warehouse.take_all(&rest.finish().succeeded());
        truth.assert_holds(&warehouse, streams);
        let requests = sandbox.requests();
        let pages = requests.iter().filter(|request| request.path.contains("/orders/")).count();
        assert!(pages <= 300 - 180 + 110, "{sync_mode} {streams:?}: {pages} pages were asked for again");
    });
}
