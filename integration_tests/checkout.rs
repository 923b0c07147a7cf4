//! The stream `checkout_events`, with the real binary and a checkout inbox whose log a test changes at will. The inbox itself
//! is tried with the connector in inbox/tests/service/connector.rs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::inbox::{Log, NAME, Shop};
use crate::harness::{JSON, Rules, Run, Server, config};

fn numbers(records: &[&Value]) -> Vec<u64> {
    records.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
}

fn state(message: &Value) -> &Value {
    &message["state"]["stream"]["stream_state"]
}

#[test]
fn events_and_orders_come_through_one_connection() {
    let shop = Shop::new(Log::of(1..=3));
    let outcome = shop.read(&["orders", NAME]).finish().succeeded();
    assert_eq!(outcome.records().len(), 30);
    let events = outcome.records_of(NAME);
    assert_eq!(numbers(&events), [1, 2, 3]);
    let mut event = events[1].clone();
    let payload = event.as_object_mut().unwrap().remove("payload").unwrap();
    assert_eq!(payload.as_str(), shop.log.lock().unwrap().events[&2]["payload"].as_str());
    assert_eq!(
        event,
        json!({
            "eventId": "e2", "seq": 2, "recognised": true, "orderId": 2, "status": "draft",
            "timeOfOrigin": "2025-11-30T11:00:00Z", "timeOfIssue": "2025-11-30T11:00:01Z", "sessionId": "s2",
            "session": {"sessionId": "s2"}, "storeId": 12, "customerId": "7", "customerRole": "customer",
            "customer": {"id": "7", "role": "customer"}, "totalPrice": "3.10", "amount": "3.1",
            "cart": [{"id": 1, "productSnapshot": {"name": "Tea"}, "quantity": 2}],
            "payment": {"status": "processing", "paymentProvider": "external"},
            "firstReceivedAt": "2025-11-30T11:00:02.000001Z", "lastReceivedAt": "2025-11-30T11:00:02.000001Z",
            "deliveryCount": 1, "relay": "none", "relayAnswer": null
        })
    );
    assert_eq!(state(outcome.last_state_of(NAME)), &json!({"seq": 3, "eventId": "e3"}));
}

#[test]
fn a_sync_with_nothing_new_asks_once() {
    let shop = Shop::new(Log::of(1..=3));
    let first = shop.read(&[NAME]).finish().succeeded();
    let before = shop.asked().len();
    let second = shop.read(&[NAME]).resuming(first.last_state_of(NAME)).finish().succeeded();
    assert_eq!(second.records_of(NAME).len(), 0);
    assert_eq!(shop.asked()[before..], ["after=3&seen=e3&limit=500&consumer=source-aifi"]);
    assert_eq!(state(second.last_state_of(NAME)), &json!({"seq": 3, "eventId": "e3"}));
}

#[test]
fn the_stream_is_there_with_an_inbox_only() {
    let shop = Shop::new(Log::of(1..=1));
    let names = |config: &Value| {
        let outcome = Run::of("discover").file("config", &config.to_string()).finish().succeeded();
        let streams = outcome.messages[0]["catalog"]["streams"].clone();
        streams
            .as_array()
            .unwrap()
            .iter()
            .map(|stream| stream["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(names(&shop.config).contains(&NAME.to_owned()));
    let without = config(&shop.api);
    assert!(!names(&without).contains(&NAME.to_owned()));
    let refused = Run::of_streams(&without, "incremental", &["orders", NAME]).finish().failed("config_error");
    assert!(refused.message().contains("(inbox_url)"), "{}", refused.message());
    assert_eq!(shop.api.stats().requests, 0);
}

#[test]
fn pages_follow_each_other_and_only_a_saved_place_is_named() {
    let shop = Shop::new(Log { most: 4, ..Log::of(1..=10) });
    let outcome = shop.read(&[NAME]).finish().succeeded();
    assert_eq!(numbers(&outcome.records_of(NAME)), (1..=10).collect::<Vec<_>>());
    assert_eq!(
        shop.asked(),
        ["after=0&limit=500&consumer=source-aifi", "after=4&seen=e4&limit=500", "after=8&seen=e8&limit=500"]
    );
    let states: Vec<&Value> = outcome.of_type("STATE").map(state).map(|state| &state["seq"]).collect();
    assert_eq!(states, [4, 8, 10, 10], "one for each page, and one at the end");
}

#[test]
fn wherever_it_is_killed_the_next_sync_resumes_and_the_table_is_whole() {
    let shop = Shop::new(Log { most: 40, ..Log::of(1..=400) });
    let whole = shop.read(&[NAME]).finish().succeeded().stdout.len();
    let mut resumed = 0;
    for part in 1..8 {
        let mut table: BTreeMap<String, u64> = BTreeMap::new();
        let killed = shop.read(&[NAME]).killed_after(whole * part / 8);
        let states: Vec<&Value> = killed.of_type("STATE").collect();
        let next = match states.last() {
            Some(state) => shop.read(&[NAME]).resuming(state),
            None => shop.read(&[NAME]),
        };
        let next = next.finish().succeeded();
        resumed += usize::from(next.records_of(NAME).len() < 400);
        for record in killed.records_of(NAME).into_iter().chain(next.records_of(NAME)) {
            table.insert(record["eventId"].as_str().unwrap().to_owned(), record["seq"].as_u64().unwrap());
        }
        assert_eq!(table.len(), 400, "killed after {part} of 8 parts");
    }
    assert!(resumed >= 5, "{resumed} of 7");
}

#[test]
fn a_full_refresh_reads_everything_in_each_sync() {
    let shop = Shop::new(Log { most: 4, ..Log::of(1..=10) });
    let read = || Run::of_streams(&shop.config, "full_refresh", &[NAME]);
    let first = read().finish().succeeded();
    assert_eq!(first.records_of(NAME).len(), 10);
    let complete = state(first.last_state_of(NAME)).clone();
    assert_eq!(complete["__ab_full_refresh_sync_complete"], true);
    assert_eq!(read().finish().succeeded().records_of(NAME).len(), 10);
    // The platform passes the state to a further attempt at the same table.
    let again = read().resuming(first.last_state_of(NAME)).finish().succeeded();
    assert_eq!(again.records_of(NAME).len(), 0);
    let cut = first.of_type("STATE").nth(1).unwrap();
    assert_eq!(numbers(&read().resuming(cut).finish().succeeded().records_of(NAME)), [9, 10]);
}

#[test]
fn an_inbox_that_is_down_does_not_stop_the_orders() {
    let mut shop = Shop::new(Log::default());
    // Nobody listens there. The read token is refused elsewhere, so that this test does not wait for the patience to end.
    shop.change(|log| log.instead = Some(("401 Unauthorized", "", String::new())));
    let outcome = shop.read(&["orders", "stores", NAME]).finish();
    assert_eq!(outcome.code(), Some(1));
    assert_eq!(outcome.errors().len(), 1);
    assert_eq!(outcome.errors()[0]["failure_type"], "config_error");
    assert_eq!(outcome.errors()[0]["stream_descriptor"]["name"], NAME);
    assert!(outcome.message().contains("(inbox_read_token)"), "{}", outcome.message());
    assert_eq!(outcome.statuses_of("orders").last().unwrap(), "COMPLETE");
    assert_eq!(outcome.statuses_of("stores").last().unwrap(), "COMPLETE");
    assert_eq!(outcome.statuses_of(NAME).last().unwrap(), "INCOMPLETE");
    assert_eq!(outcome.records().len(), 30);
    // The other way round.
    shop.change(|log| *log = Log::of(1..=3));
    shop.config["credentials"]["access_token"] = json!("wrong-0123456789");
    let outcome = shop.read(&["orders", "stores", NAME]).finish();
    assert_eq!(outcome.code(), Some(1));
    assert_eq!(outcome.statuses_of(NAME).last().unwrap(), "COMPLETE");
    assert_eq!(outcome.statuses_of("stores").last().unwrap(), "INCOMPLETE");
    assert_eq!(outcome.records_of(NAME).len(), 3);
}

#[test]
fn a_trouble_that_passes_is_waited_out_while_orders_are_read() {
    let shop = Shop::new(Log::of(1..=3));
    let log = shop.log.clone();
    let inbox = Server::start(move |number, what| match number {
        1 => ("503 Service Unavailable", "", String::new()),
        2 => ("200 OK", JSON, "{\"events\": [".to_owned()),
        _ => log.lock().unwrap().answer(what.strip_prefix("GET /v1/events?").unwrap()),
    });
    let mut config = shop.config.clone();
    config["inbox_url"] = format!("http://{}", inbox.address).into();
    let outcome = Run::of_streams(&config, "incremental", &["orders", NAME]).finish().succeeded();
    assert_eq!((outcome.records().len(), outcome.records_of(NAME).len()), (30, 3));
}

#[test]
fn a_rewound_log_is_read_again_from_where_both_agree() {
    let shop = Shop::new(Log::of(1..=6));
    let first = shop.read(&[NAME]).finish().succeeded();
    let second = shop.read(&[NAME]).resuming(first.last_state_of(NAME)).finish().succeeded();
    // A backup is restored that knows four events, and the reader at the third; then others come.
    shop.change(|log| {
        *log = Log { readers: BTreeMap::from([("source-aifi".to_owned(), 3)]), ..Log::of(1..=4) };
        (11..=14).for_each(|order| log.push(order));
    });
    let third = shop.read(&[NAME]).resuming(second.last_state_of(NAME)).finish().succeeded();
    assert_eq!(numbers(&third.records_of(NAME)), [4, 5, 6, 7, 8]);
    let told = third.logs().iter().filter(|line| line.contains("was rewound")).count();
    assert_eq!(told, 1, "{:?}", third.logs());
    assert_eq!(state(third.last_state_of(NAME)), &json!({"seq": 8, "eventId": "e14"}));
    // One that knows nothing of us.
    shop.change(|log| *log = Log::of(21..=22));
    let fourth = shop.read(&[NAME]).resuming(third.last_state_of(NAME)).finish().succeeded();
    assert_eq!(numbers(&fourth.records_of(NAME)), [1, 2]);
}

#[test]
fn an_event_that_is_delivered_again_comes_again_and_leaves_no_gap() {
    let shop = Shop::new(Log::of(1..=4));
    let first = shop.read(&[NAME]).finish().succeeded();
    shop.change(|log| {
        log.deliver_again(2);
        log.deliver_again(4);
    });
    let second = shop.read(&[NAME]).resuming(first.last_state_of(NAME)).finish().succeeded();
    let events = second.records_of(NAME);
    assert_eq!(numbers(&events), [5, 6]);
    assert!(events.iter().all(|event| event["deliveryCount"] == 2), "{events:?}");
    assert!(!second.logs().iter().any(|line| line.contains("gap")), "{:?}", second.logs());
}

#[test]
fn a_gap_in_the_numbers_is_logged_and_what_was_deleted_is_told_apart() {
    let shop = Shop::new(Log::of(1..=9));
    shop.change(|log| {
        log.events.retain(|seq, _| !(4..=6).contains(seq));
    });
    let outcome = shop.read(&[NAME]).finish().succeeded();
    assert_eq!(numbers(&outcome.records_of(NAME)), [1, 2, 3, 7, 8, 9]);
    let gap = |line: &&&str| line.contains("There is a gap in the numbers: 3 of the numbers from 4 to 6");
    assert_eq!(outcome.logs().iter().filter(gap).count(), 1, "{:?}", outcome.logs());
    shop.change(|log| log.pruned = 6);
    shop.change(|log| log.events.retain(|seq, _| *seq > 6));
    let outcome = shop.read(&[NAME]).finish().succeeded();
    assert!(outcome.logs().iter().any(|line| line.contains("has deleted events up to number 6")));
    assert!(!outcome.logs().iter().any(|line| line.contains("gap")), "{:?}", outcome.logs());
}

#[test]
fn answers_that_contradict_themselves_end_the_stream_and_not_the_table() {
    for (bend, words) in [
        (
            (|page| (page["events"], page["through"]) = (json!([]), page["after"].clone())) as fn(&mut Value),
            "ends at number 3, before the end of the log at 6",
        ),
        (|page| page["seen"] = json!("e1"), "does not bring back number 3"),
        (|page| page["after"] = json!(1), "does not bring back number 3"),
    ] {
        let shop = Shop::new(Log::of(1..=3));
        let first = shop.read(&[NAME]).finish().succeeded();
        shop.change(|log| (4..=6).for_each(|order| log.push(order)));
        shop.change(|log| log.bent = Some(bend));
        let outcome = shop.read(&["stores", NAME]).resuming(first.last_state_of(NAME)).finish();
        assert_eq!(outcome.code(), Some(1));
        assert_eq!(outcome.errors()[0]["failure_type"], "transient_error");
        assert!(outcome.message().contains(words), "{}", outcome.message());
        assert!(
            outcome.of_type("STATE").all(|message| state(message).get("seq").is_none_or(|seq| *seq == 3))
        );
        assert_eq!(outcome.statuses_of("stores").last().unwrap(), "COMPLETE");
        shop.change(|log| log.bent = None);
        let next = shop.read(&[NAME]).resuming(first.last_state_of(NAME)).finish().succeeded();
        assert_eq!(numbers(&next.records_of(NAME)), [4, 5, 6]);
    }
}

#[test]
fn what_is_not_recognised_comes_with_its_body_alone() {
    let shop = Shop::new(Log::of(1..=1));
    shop.change(|log| {
        for (event, field, body) in [("x1", "payload", "not json"), ("x2", "payloadBase64", "AAE=")] {
            log.put(json!({"event": event, "recognised": false, "deliveryCount": 1, "relay": "none", field: body}));
        }
    });
    let outcome = shop.read(&[NAME]).finish().succeeded();
    let events = outcome.records_of(NAME);
    assert_eq!((&events[1]["payload"], &events[2]["payloadBase64"]), (&json!("not json"), &json!("AAE=")));
    for event in &events[1..] {
        assert_eq!(
            (&event["recognised"], &event["orderId"], &event["cart"]),
            (&json!(false), &Value::Null, &Value::Null)
        );
    }
    assert!(
        outcome.logs().iter().any(|line| line.contains("2 events not recognised: only the payload is there")),
        "{:?}",
        outcome.logs()
    );
}

#[test]
fn an_odd_body_costs_no_more_than_its_column() {
    let shop = Shop::new(Log::default());
    shop.change(|log| {
        log.most = 10;
        let payload = r#"{"orderId":"a-7","status":"draft","timeOfOrigin":"yesterday","cart":"none","new":{"b":1.50},"totalPrice":12.30}"#;
        log.put(json!({"event": "x1", "recognised": true, "orderId": "a-7", "status": "draft", "timeOfOrigin": "yesterday",
            "deliveryCount": 1, "relay": "answered", "answerStatus": 200, "answerMillis": 31,
            "answerBody": r#"{"paymentStatus":"success","paymentTransactionIds":["t1"],"externalId":9}"#, "payload": payload}));
    });
    let outcome = shop.read(&[NAME]).finish().succeeded();
    let event = outcome.records_of(NAME)[0];
    assert_eq!(
        (&event["orderId"], &event["timeOfOrigin"], &event["cart"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(event["totalPrice"], "12.30");
    assert_eq!(
        event["additionalFields"],
        json!({"orderId": "a-7", "timeOfOrigin": "yesterday", "cart": "none", "new": {"b": 1.50}})
    );
    assert_eq!(
        event["relayAnswer"],
        json!({"statusCode": 200, "milliseconds": 31, "paymentStatus": "success", "paymentTransactionIds": ["t1"], "externalId": "9"})
    );
}

#[test]
fn events_that_are_too_large_together_are_asked_for_in_parts() {
    let shop = Shop::new(Log::of(1..=2));
    shop.change(|log| {
        for number in 1..=13 {
            let body = "x".repeat(1 << 20);
            log.put(json!({"event": format!("x{number}"), "recognised": false, "deliveryCount": 1, "relay": "none",
                "payload": body}));
        }
    });
    let outcome = shop.read(&[NAME]).finish().succeeded();
    assert_eq!(numbers(&outcome.records_of(NAME)), (1..=15).collect::<Vec<_>>());
    let limits: Vec<String> = shop
        .asked()
        .iter()
        .map(|query| query.split('&').find(|part| part.starts_with("limit")).unwrap().to_owned())
        .collect();
    assert_eq!(limits, ["limit=500", "limit=62", "limit=7", "limit=7", "limit=7"]);
}

#[test]
fn personal_data_follow_the_setting() {
    let mut shop = Shop::new(Log::of(1..=1));
    shop.config["personal_data"] = json!({"mode": "leave_out"});
    let outcome = shop.read(&[NAME]).finish().succeeded();
    let event = outcome.records_of(NAME)[0];
    for name in ["customerId", "customer", "payload"] {
        assert_eq!(event[name], Value::Null, "{name}");
    }
    assert_eq!((&event["orderId"], &event["customerRole"]), (&json!(1), &json!("customer")));
    assert!(!outcome.stdout.contains("\"7\""), "the customer's id is nowhere");
    shop.config["personal_data"] = json!({"mode": "hash", "salt": "0123456789abcdef"});
    let outcome = shop.read(&[NAME]).finish_under(Rules::Hashed).succeeded();
    let event = outcome.records_of(NAME)[0];
    for name in ["customerId", "customer", "payload"] {
        assert_eq!(event[name].as_str().map(str::len), Some(64), "{name}");
    }
}

#[test]
fn a_state_that_is_not_ours_is_refused_for_this_stream_alone() {
    let shop = Shop::new(Log::of(1..=1));
    let saved = json!([{"type": "STREAM", "stream": {"stream_descriptor": {"name": NAME}, "stream_state": {"seq": "x"}}}]);
    let outcome = shop.read(&["stores", NAME]).file("state", &saved.to_string()).finish();
    assert_eq!(outcome.code(), Some(1));
    assert!(outcome.message().contains("has no \"seq\" that is a number"), "{}", outcome.message());
    assert_eq!(outcome.statuses_of("stores").last().unwrap(), "COMPLETE");
}

#[test]
fn the_check_says_what_is_wrong_with_the_inbox_and_passes() {
    let shop = Shop::new(Log::of(1..=3));
    let verdict = |config: &Value| {
        let outcome = Run::check(config).finish();
        let (status, message) = outcome.verdict();
        assert_eq!(status, "SUCCEEDED", "{message}");
        message.to_owned()
    };
    let message = verdict(&shop.config);
    assert!(message.contains("The checkout inbox can be read: its newest number is 3."), "{message}");
    assert_eq!(shop.asked(), ["after=0&limit=1"], "without a name, so that nothing may be deleted for it");
    let old = json!({"events": [], "head": 0, "more": false}).to_string();
    for (said, words) in [
        (("401 Unauthorized", "", String::new()), "(inbox_read_token)"),
        (("404 Not Found", "", String::new()), "No checkout inbox answers at this address (404)"),
        (("302 Found", "Location: https://login.example\r\n", String::new()), "redirects (302)"),
        (("200 OK", JSON, old), "older than this connector"),
        (("200 OK", JSON, "[]".to_owned()), "(inbox_url)"),
    ] {
        shop.change(|log| log.instead = Some(said));
        let message = verdict(&shop.config);
        assert!(message.contains("checkout_events cannot be read now, which is not fatal"), "{message}");
        assert!(message.contains(words), "{message}");
    }
    let mut nowhere = shop.config.clone();
    nowhere["inbox_url"] = json!("http://127.0.0.1:1");
    let message = verdict(&nowhere);
    assert!(message.contains("no connection to 127.0.0.1:1") && message.contains("(inbox_url)"), "{message}");
}

#[test]
fn the_doctor_has_a_step_for_the_inbox() {
    let shop = Shop::new(Log::of(1..=3));
    let report = || Run::of("doctor").file("config", &shop.config.to_string()).text().1;
    let text = report();
    assert!(text.contains("ok    checkout_events   The checkout inbox can be read"), "{text}");
    shop.change(|log| log.instead = Some(("401 Unauthorized", "", String::new())));
    let text = report();
    assert!(
        text.contains("note  checkout_events   The checkout inbox did not accept the read token"),
        "{text}"
    );
    assert!(!text.contains("reader-0123456789"));
}
