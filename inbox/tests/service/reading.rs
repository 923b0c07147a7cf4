//! What comes out.

use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::{Service, Store, event, on_both};

on_both!(
    pages_follow_each_other,
    a_page_says_up_to_where_it_is_whole,
    a_body_that_is_no_text_comes_in_base64,
    a_rewound_log_is_noticed,
    old_events_go,
    an_order_is_erased,
    health_tells,
);

async fn fill(service: &Service, orders: std::ops::Range<i64>) {
    for order in orders {
        assert_eq!(service.send(event(order, "a")).await.status(), StatusCode::OK);
    }
}

fn orders(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().map(|event| event["orderId"].as_str().unwrap()).collect()
}

async fn pages_follow_each_other(store: Store) {
    let mut service = store.start(&[]);
    fill(&service, 1..6).await;
    let page = service.read("?limit=3").await;
    assert_eq!(orders(&page), ["1", "2", "3"]);
    assert_eq!((&page["head"], &page["more"]), (&Value::from(5), &Value::from(true)));
    let seen = page["events"][2]["event"].as_str().unwrap();
    let page = service.read(&format!("?after=3&seen={seen}&limit=3")).await;
    assert_eq!(orders(&page), ["4", "5"]);
    assert_eq!(page["more"], false);
    assert_eq!((page["after"].as_i64(), page["seen"].as_str()), (Some(3), Some(seen)), "the question");
    assert_eq!(service.get("/v1/events?limit=0").await.status(), StatusCode::BAD_REQUEST);
    service.stop();
    let lines = store.run(&["export", "--after", "3"]);
    let exported: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::from(exported), page["events"]);
}

async fn a_rewound_log_is_noticed(store: Store) {
    let service = store.start(&[]);
    fill(&service, 1..4).await;
    let seen = service.events().await[2]["event"].as_str().unwrap().to_owned();
    let ask = |after: i64| format!("/v1/events?after={after}&seen={seen}&consumer=warehouse");
    service.read("?after=1&consumer=warehouse").await;
    assert_eq!(service.get(&ask(3)).await.status(), StatusCode::OK);
    // A further delivery moves the event: the place is empty, yet nothing was rewound.
    service.send(event(3, "b")).await;
    assert_eq!(service.get(&ask(3)).await.status(), StatusCode::OK);

    // A standby takes over that has only the first two events, and the reader's place of that time.
    let pool = store.pool().await;
    for statement in [
        "DELETE FROM events WHERE order_id = '3'",
        "UPDATE log SET head = 2",
        "UPDATE readers SET passed = 1",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    for again in [0, 2] {
        // First the number is beyond the log, then it is another event's.
        fill(&service, 10..10 + again).await;
        let response = service.get(&ask(3)).await;
        assert_eq!(response.status(), StatusCode::CONFLICT);
        let told: Value = response.json().await.unwrap();
        assert_eq!((&told["rewound"], &told["agreed"]), (&Value::from(true), &Value::from(1)));
    }
}

/// Numbers whose events have moved or gone are vouched for, so that no reader waits for them.
async fn a_page_says_up_to_where_it_is_whole(store: Store) {
    let service = store.start(&[]);
    fill(&service, 1..5).await;
    let bounds = |page: &Value| ["through", "head", "pruned"].map(|name| page[name].as_i64().unwrap());
    assert_eq!(bounds(&service.read("?limit=2").await), [2, 4, 0]);
    assert_eq!(bounds(&service.read("?after=2").await), [4, 4, 0]);
    store.run(&["prune", "--order", "4"]);
    let page = service.read("?after=3").await;
    assert_eq!((orders(&page).len(), bounds(&page)), (0, [4, 4, 0]));
    service.send(event(2, "b")).await;
    let page = service.read("?after=1&limit=1").await;
    assert_eq!((orders(&page), bounds(&page)), (vec!["3"], [3, 5, 0]));
}

async fn a_body_that_is_no_text_comes_in_base64(store: Store) {
    let service = store.start(&[]);
    for (body, field) in [("a \" b\n", "payload"), ("a\u{1}", "payloadBase64")] {
        service.send(body).await;
        let events = service.events().await;
        let event = events.last().unwrap();
        assert!(event[field].is_string() && event["recognised"] == false, "{event}");
    }
}

async fn old_events_go(store: Store) {
    let service = store.start(&[]);
    fill(&service, 1..5).await;
    let pool = store.pool().await;
    sqlx::query("UPDATE events SET last_received = 0 WHERE seq <= 3").execute(&pool).await.unwrap();
    let prune = |options: &[&str]| store.run(&[&["prune", "--older-than", "30"], options].concat());
    assert!(prune(&[]).starts_with("Deleted 0 events"), "no reader has passed them");
    service.read("?after=2&consumer=one").await;
    service.read("?after=1&consumer=other").await;
    assert!(prune(&[]).starts_with("Deleted 1 event."), "the slowest reader counts");
    assert!(prune(&["--unread"]).starts_with("Deleted 2 events"));
    assert_eq!(orders(&service.read("").await), ["4"]);
    fill(&service, 5..8).await;
    let most = (2 * event(5, "a").len()).to_string();
    let by_size = ["prune", "--larger-than", &most];
    assert!(store.run(&by_size).starts_with("Deleted 0 events"), "no reader has passed them");
    assert!(store.run(&[by_size.as_slice(), &["--unread"]].concat()).starts_with("Deleted 2 events"));
    assert_eq!(orders(&service.read("").await), ["6", "7"]);
}

async fn an_order_is_erased(store: Store) {
    let service = store.start(&[]);
    fill(&service, 1..4).await;
    let seen = service.events().await[1]["event"].as_str().unwrap().to_owned();
    assert_eq!(store.run(&["prune", "--order", "2"]), "Erased 1 event of order 2.\n");
    assert_eq!(orders(&service.read("").await), ["1", "3"]);
    let page = service.read(&format!("?after=2&seen={seen}")).await;
    assert_eq!(orders(&page), ["3"], "a reader that was there continues");
}

async fn health_tells(store: Store) {
    let service = store.start(&[]);
    assert_eq!(service.get("/health/live").await.status(), StatusCode::OK);
    assert_eq!(service.get("/health/ready").await.status(), StatusCode::OK);
    fill(&service, 1..3).await;
    service.read("?after=1&consumer=warehouse").await;
    let metrics = service.get("/metrics").await.text().await.unwrap();
    for line in
        ["aifi_inbox_head 2", "aifi_inbox_reader_lag{reader=\"warehouse\"} 1", "aifi_inbox_store_up 1"]
    {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let status: Value = serde_json::from_str(&store.run(&["status"])).unwrap();
    assert_eq!((&status["events"], &status["head"]), (&Value::from(2), &Value::from(2)));
}
