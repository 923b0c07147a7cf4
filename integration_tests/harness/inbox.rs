//! A checkout inbox whose log a test changes at will, and a connection to it and to an API.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use aifi_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use super::{JSON, Run, Said, Server, config, sandbox};

/// The stream.
pub const NAME: &str = "checkout_events";

/// What the inbox knows, as docs/inbox.md has it.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The events by number.
    pub events: BTreeMap<u64, Value>,
    pub head: u64,
    pub pruned: u64,
    /// By reader: the number that it came back with last.
    pub readers: BTreeMap<String, u64>,
    /// The most events of an answer, whatever is asked for.
    pub most: usize,
    /// What every answer is instead.
    pub instead: Option<Said>,
    /// A change of each page before it is sent.
    pub bent: Option<fn(&mut Value)>,
}

impl Log {
    /// Events of these orders, in order.
    pub fn of(orders: RangeInclusive<u64>) -> Self {
        let mut log = Self { most: 1_000, ..Self::default() };
        orders.for_each(|order| log.push(order));
        log
    }

    pub fn push(&mut self, order: u64) {
        let payload = json!({"orderId": order, "status": "draft", "timeOfOrigin": "2025-11-30T11:00:00Z",
            "timeOfIssue": "2025-11-30T11:00:01Z", "storeId": 12, "totalPrice": "3.10", "amount": 3.1,
            "session": {"sessionId": format!("s{order}")}, "customer": {"id": "7", "role": "customer"},
            "cart": [{"id": 1, "productSnapshot": {"name": "Tea"}, "quantity": 2}],
            "payment": {"status": "processing", "paymentProvider": "external"}});
        self.put(json!({"event": format!("e{order}"), "recognised": true, "orderId": order.to_string(), "status": "draft",
            "timeOfOrigin": "2025-11-30T11:00:00Z", "deliveryCount": 1, "relay": "none", "payload": payload.to_string()}));
    }

    pub fn put(&mut self, mut event: Value) {
        self.head += 1;
        for name in ["firstReceivedAt", "lastReceivedAt"] {
            event[name] = json!("2025-11-30T11:00:02.000001Z");
        }
        event["seq"] = self.head.into();
        self.events.insert(self.head, event);
    }

    /// An event is delivered again: it moves to a new number.
    pub fn deliver_again(&mut self, seq: u64) {
        let mut event = self.events.remove(&seq).unwrap();
        event["deliveryCount"] = (event["deliveryCount"].as_u64().unwrap() + 1).into();
        self.put(event);
    }

    pub fn answer(&mut self, query: &str) -> Said {
        if let Some(said) = &self.instead {
            return said.clone();
        }
        let asked: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let after: u64 = asked["after"].parse().unwrap();
        let limit: usize = asked["limit"].parse().unwrap();
        let seen = asked.get("seen").copied();
        let is_seen = seen.is_none_or(|seen| {
            let stands = |(seq, event): (&u64, &Value)| *seq >= after && event["event"] == seen;
            after <= self.pruned || self.events.iter().any(stands)
        });
        if after > self.head || !is_seen {
            let known = asked.get("consumer").and_then(|name| self.readers.get(*name)).copied().unwrap_or(0);
            let agreed = if known < after { known.min(self.head) } else { 0 };
            let body = json!({"rewound": true, "agreed": agreed, "head": self.head});
            return ("409 Conflict", JSON, body.to_string());
        }
        if let Some(name) = asked.get("consumer") {
            self.readers.insert((*name).to_owned(), after);
        }
        let most = limit.min(self.most);
        let mut events: Vec<&Value> =
            self.events.range(after + 1..).map(|(_, event)| event).take(most + 1).collect();
        let more = events.len() > most;
        events.truncate(most);
        let last = events.last().map_or(after, |event| event["seq"].as_u64().unwrap());
        let through = if more { last } else { self.head };
        let mut page = json!({"after": after, "seen": seen, "events": events, "more": more, "through": through,
            "head": self.head, "pruned": self.pruned});
        if let Some(bend) = self.bent {
            bend(&mut page);
        }
        ("200 OK", JSON, page.to_string())
    }
}

/// An inbox, an API with a few orders, and a connection to both.
pub struct Shop {
    pub log: Arc<Mutex<Log>>,
    pub inbox: Server,
    pub config: Value,
    pub api: Sandbox,
}

impl Shop {
    pub fn new(log: Log) -> Self {
        let log = Arc::new(Mutex::new(log));
        let told = log.clone();
        let inbox = Server::start(move |_, what| {
            let query = what.strip_prefix("GET /v1/events?").unwrap_or_else(|| panic!("{what}"));
            told.lock().unwrap().answer(query)
        });
        let api = sandbox(Options { orders: 30, ..Options::default() });
        let mut config = config(&api);
        config["inbox_url"] = format!("http://{}", inbox.address).into();
        config["inbox_read_token"] = "reader-0123456789".into();
        Self { log, inbox, config, api }
    }

    pub fn change(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.log.lock().unwrap());
    }

    pub fn read(&self, streams: &[&str]) -> Run {
        Run::of_streams(&self.config, "incremental", streams)
    }

    /// The questions that came so far.
    pub fn asked(&self) -> Vec<String> {
        self.inbox.came.lock().unwrap().iter().map(|(_, what)| what.replace("GET /v1/events?", "")).collect()
    }
}
