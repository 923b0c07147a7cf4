//! What a platform and its destination make of the messages of several streams: a table and a state for each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::Outcome;

/// The streams that a walk through the orders feeds.
pub const FAMILY: [&str; 4] = ["orders", "order_line_items", "order_versions", "order_details"];

/// All streams of the API, those of the orders first.
pub const OF_THE_API: [&str; 8] = [
    "orders",
    "order_line_items",
    "order_versions",
    "order_details",
    "contests",
    "stores",
    "sessions",
    "products",
];

/// The primary key of a row of one of these streams; its second part is 0 where there is one only.
pub type Key = (u64, i64);

/// The primary key of a record.
pub fn key(stream: &str, record: &Value) -> Key {
    let first = record[if stream == "order_line_items" { "orderId" } else { "id" }].as_u64();
    let second = match stream {
        "order_line_items" => record["id"].as_i64(),
        "order_versions" => record["version"].as_i64(),
        _ => Some(0),
    };
    (first.expect("a key"), second.expect("a key"))
}

/// A table and a state for each stream.
#[derive(Clone, Debug, Default)]
pub struct Warehouse {
    /// Each row with the number of the record that it was written by.
    tables: HashMap<String, BTreeMap<Key, (usize, Arc<Value>)>>,
    states: BTreeMap<String, Value>,
    /// How many records came.
    pub records: usize,
}

impl Warehouse {
    /// Takes a message: a record replaces the row with its key, a state the one of its stream.
    pub fn take(&mut self, message: &Value) {
        match message["type"].as_str() {
            Some("RECORD") => {
                let stream = message["record"]["stream"].as_str().expect("a name");
                self.upsert(stream, Arc::new(message["record"]["data"].clone()));
            }
            Some("STATE") => {
                let stream = message["state"]["stream"]["stream_descriptor"]["name"].as_str();
                self.states.insert(stream.expect("a name").to_owned(), message.clone());
            }
            _ => (),
        }
    }

    /// Takes a record: it replaces the row with its key.
    pub fn upsert(&mut self, stream: &str, row: Arc<Value>) {
        self.records += 1;
        let key = key(stream, &row);
        self.tables.entry(stream.to_owned()).or_default().insert(key, (self.records, row));
    }

    /// Takes all messages of a run.
    pub fn take_all(&mut self, outcome: &Outcome) {
        outcome.messages.iter().for_each(|message| self.take(message));
    }

    /// The last state message of each stream.
    pub fn states(&self) -> Vec<&Value> {
        self.states.values().collect()
    }

    /// What the last state of a stream says.
    pub fn state(&self, stream: &str) -> &Value {
        &self.states[stream]["state"]["stream"]["stream_state"]
    }

    /// The rows of a stream, by key.
    pub fn table(&self, stream: &str) -> BTreeMap<Key, &Value> {
        let rows = self.tables.get(stream).into_iter().flatten();
        rows.map(|(key, (_, row))| (*key, &**row)).collect()
    }

    /// Whether a stream has a row with this key.
    pub fn has(&self, stream: &str, key: &Key) -> bool {
        self.tables.get(stream).is_some_and(|table| table.contains_key(key))
    }

    /// The view `orders_current`: one row for each session, by id.
    pub fn current_orders(&self) -> BTreeMap<Key, &Value> {
        let mut newest: HashMap<String, (u64, &str, usize, Key, &Value)> = HashMap::new();
        for (key, (number, row)) in self.tables.get("orders").into_iter().flatten() {
            let session = row["sessionId"].as_str().filter(|session| !session.is_empty());
            let order = session.map_or_else(|| key.0.to_string(), str::to_owned);
            let version = row["version"].as_u64().unwrap_or_default();
            let updated = row["updatedAt"].as_str().unwrap_or_default();
            let candidate = (version, updated, *number, *key, &**row);
            let older = |known: &(u64, &str, usize, Key, &Value)| {
                (known.0, known.1, known.2) < (candidate.0, candidate.1, candidate.2)
            };
            if newest.get(&order).is_none_or(older) {
                newest.insert(order, candidate);
            }
        }
        newest.into_values().map(|(.., key, row)| (key, row)).collect()
    }

    /// The view `order_line_items_current`: the lines that were read with their order as it is now.
    pub fn current_lines(&self) -> BTreeMap<Key, &Value> {
        let orders = self.current_orders();
        let read_with = |line: &Value, key: &Key| {
            orders.get(&(key.0, 0)).is_some_and(|order| {
                line["orderVersion"] == order["version"] && line["orderUpdatedAt"] == order["updatedAt"]
            })
        };
        self.table("order_line_items").into_iter().filter(|(key, line)| read_with(line, key)).collect()
    }
}
