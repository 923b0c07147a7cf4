//! What a platform and its destination make of the lines that arrive.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use aifi_sandbox::Expected;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use source_aifi::protocol::state::SavedStates;
use source_aifi::record::personal::Personal;

use crate::harness::{FAMILY, Warehouse};

/// The fields of a primary key, and the cursor.
type Keys = (Vec<String>, Option<String>);

/// Those of each stream.
static STREAMS: LazyLock<HashMap<String, Keys>> = LazyLock::new(|| {
    let stream = |entry: Value| {
        let key = entry["source_defined_primary_key"].as_array().into_iter().flatten();
        let key = key.map(|path| path[0].as_str().unwrap().to_owned()).collect();
        let cursor = entry["default_cursor_field"][0].as_str().map(str::to_owned);
        (entry["name"].as_str().unwrap().to_owned(), (key, cursor))
    };
    source_aifi::run::streams(&Personal::Keep, true).into_iter().map(stream).collect()
});

/// When a row is gone.
const DELETED_AT: &str = "_ab_cdc_deleted_at";

/// A change that has not arrived yet: when it happened, and what the row has then.
#[derive(Clone, Debug)]
struct Pending {
    at: DateTime<Utc>,
    status: &'static str,
}

/// The last state of each stream.
type States = BTreeMap<String, Arc<Value>>;

/// Tables as Airbyte's destinations keep them: of one key the record with the newest cursor stays, of two with the same cursor
/// the later one, and one with `_ab_cdc_deleted_at` takes the row out. And the states that the platform keeps.
#[derive(Default)]
pub struct Destination {
    tables: HashMap<String, BTreeMap<String, Arc<Value>>>,
    states: States,
    /// Those that the platform kept before, one sync behind the other.
    earlier: Vec<States>,
    /// The tables of the orders' family, as the harness compares them.
    pub family: Warehouse,
    /// How many records came.
    pub written: u64,
    /// Rows that were taken out: the stream, its key, when.
    pub deleted: Vec<(String, Value, DateTime<Utc>)>,
    /// Orders that a sync must have written, and their pages, before its states say so: when each was drafted, and its id.
    pub proof: Option<Vec<(DateTime<Utc>, u64)>>,
    pending: HashMap<u64, Vec<Pending>>,
    /// How late changes of orders arrived.
    pub delays: Vec<TimeDelta>,
}

impl Destination {
    /// Takes what a sync has written, at its end.
    pub fn take(&mut self, messages: Vec<Value>, now: DateTime<Utc>) {
        self.earlier.push(self.states.clone());
        for mut message in messages {
            match message["type"].as_str() {
                Some("RECORD") => {
                    let row = Arc::new(message["record"]["data"].take());
                    self.upsert(message["record"]["stream"].as_str().unwrap(), row, now);
                }
                Some("STATE") => self.commit(&message),
                _ => (),
            }
        }
    }

    /// Takes a state message.
    fn commit(&mut self, message: &Value) {
        let stream = message["state"]["stream"]["stream_descriptor"]["name"].as_str().unwrap();
        self.states.insert(stream.to_owned(), Arc::new(message["state"].clone()));
        let state = &message["state"]["stream"]["stream_state"];
        // Of a store of which nothing was seen, and of what is still to be read, a state says nothing.
        let says_all = ["unseen", "parts"].iter().all(|field| state[field].is_null());
        if let Some(drafted) = &self.proof
            && ["orders", "order_details"].contains(&stream)
            && says_all
            && let Some(until) = self.cursor(stream)
        {
            for (at, id) in drafted.iter().filter(|(at, _)| *at < until) {
                assert!(
                    self.family.has(stream, &(*id, 0)),
                    "{stream} is said to be written before {until}, but lacks order {id} of {at}"
                );
            }
        }
    }

    fn upsert(&mut self, stream: &str, row: Arc<Value>, now: DateTime<Utc>) {
        self.written += 1;
        if stream == "orders" {
            self.arrived(&row, now);
        }
        if FAMILY.contains(&stream) {
            self.family.upsert(stream, row.clone());
        }
        let (key, cursor) = &STREAMS[stream];
        let key: Vec<&Value> = key.iter().map(|field| &row[field]).collect();
        let key = json!(key);
        let table = self.tables.entry(stream.to_owned()).or_default();
        let newest = table.get(&key.to_string());
        if let (Some(newest), Some(cursor)) = (newest, cursor)
            && compare(&newest[cursor], &row[cursor]) == Ordering::Greater
        {
            return;
        }
        if row[DELETED_AT].is_null() {
            table.insert(key.to_string(), row);
        } else {
            table.remove(&key.to_string());
            self.deleted.push((stream.to_owned(), key, now));
        }
    }

    fn arrived(&mut self, row: &Value, now: DateTime<Utc>) {
        let Some(pending) = row["id"].as_u64().and_then(|id| self.pending.get_mut(&id)) else { return };
        // A change that another one has overtaken arrives with it.
        if let Some(arrived) = pending.iter().rposition(|change| row["status"] == change.status) {
            self.delays.extend(pending.drain(..=arrived).map(|change| now - change.at));
        }
    }

    /// An order has changed to this status. Only what was written before can become stale.
    pub fn changed(&mut self, id: u64, status: &'static str, at: DateTime<Utc>) {
        self.pending.entry(id).or_default().push(Pending { at, status });
    }

    /// What the next sync is started with.
    pub fn saved(&self) -> SavedStates {
        let states: Vec<&Value> = self.states.values().map(|state| &**state).collect();
        SavedStates::parse(&json!(states).to_string()).unwrap()
    }

    /// The last state of a stream.
    pub fn state(&self, stream: &str) -> Option<&Value> {
        self.states.get(stream).map(|state| &state["stream"]["stream_state"])
    }

    /// Up to when the last state of a stream of orders says that all are written.
    pub fn cursor(&self, stream: &str) -> Option<DateTime<Utc>> {
        self.state(stream)?["draftCreatedAt"].as_str()?.parse().ok()
    }

    /// The platform forgets the states of the last syncs, but not their rows.
    pub fn fall_back(&mut self, syncs: usize) {
        let kept = self.earlier.len().saturating_sub(syncs);
        if let Some(states) = self.earlier.get(kept) {
            self.states.clone_from(states);
            self.earlier.truncate(kept);
        }
    }

    /// The rows of a stream, by key.
    pub fn rows(&self, stream: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.tables.get(stream).into_iter().flatten().map(|(key, row)| (key, &**row))
    }

    /// The current row of each order: of one session the one with the highest version. It is the view that the user page
    /// recommends.
    pub fn current_orders(&self) -> BTreeMap<String, &Value> {
        let mut of_session: HashMap<&str, &Value> = HashMap::new();
        for (_, row) in self.rows("orders") {
            let session = row["sessionId"].as_str().expect("each order of the sandbox has a session");
            let newest = of_session.entry(session).or_insert(row);
            if row["version"].as_u64() > newest["version"].as_u64() {
                *newest = row;
            }
        }
        of_session.into_values().map(|row| (row["id"].to_string(), row)).collect()
    }

    /// The current rows are what the API holds: none missing, none more, none stale, the sum equal to the cent.
    #[track_caller]
    pub fn assert_orders(&self, expected: &[Expected], name: &str) {
        let current = self.current_orders();
        let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
        for order in expected {
            let Some(row) = current.get(&order.id) else {
                panic!("{name}: order {} of {} is missing", order.id, order.draft_created_at);
            };
            let found = (
                row["version"].as_u64(),
                text(row, "status"),
                text(row, "totalPrice"),
                text(row, "updatedAt"),
            );
            let truth = (
                Some(u64::from(order.version)),
                order.status.clone(),
                order.total_price.clone(),
                order.updated_at.clone(),
            );
            assert_eq!(found, truth, "{name}: order {} of {} is stale", order.id, order.draft_created_at);
        }
        assert_eq!(current.len(), expected.len(), "{name}: more current rows than orders");
    }
}

/// Compares two values of a cursor. Dates differ in their digits.
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => {
            let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a date-time");
            at(one).cmp(&at(other))
        }
        _ => one.as_u64().cmp(&other.as_u64()),
    }
}
