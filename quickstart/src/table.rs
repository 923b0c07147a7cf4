//! The tables that a destination would hold, against what the sandbox says they should.

use std::collections::{BTreeMap, HashMap};

use aifi_sandbox::{Filter, Sandbox};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Failed;

/// The values of a primary key, as texts.
type Key = Vec<String>;

/// The stream of what AiFi pushed.
pub(crate) const EVENTS: &str = "checkout_events";

/// A table of each stream, with rows upserted by primary key in the order in which they came, and its state.
pub(crate) struct Tables {
    streams: Vec<Stream>,
    /// The last state of each stream, by its name.
    states: BTreeMap<String, Value>,
}

struct Stream {
    name: String,
    key: Vec<String>,
    rows: BTreeMap<Key, Value>,
    /// How many records each sync wrote.
    written: Vec<usize>,
}

/// A table held against what is expected of it.
pub(crate) struct Compared {
    /// Rows that count: of lines those of the current version of their order.
    pub(crate) rows: usize,
    /// Values that were found equal.
    pub(crate) values: usize,
    /// The first difference.
    pub(crate) difference: Option<String>,
}

impl Tables {
    /// Empty tables of a configured catalog's streams.
    pub(crate) fn new(catalog: &Value) -> Self {
        let streams = catalog["streams"].as_array().into_iter().flatten().map(|configured| {
            let stream = &configured["stream"];
            let key = stream["source_defined_primary_key"].as_array().into_iter().flatten();
            let key = key.map(|path| text(&path[0])).collect();
            Stream { name: text(&stream["name"]), key, rows: BTreeMap::new(), written: Vec::new() }
        });
        Self { streams: streams.collect(), states: BTreeMap::new() }
    }

    /// Takes the messages of one sync.
    pub(crate) fn take(&mut self, messages: &[Value]) -> Result<(), Failed> {
        let mut written: HashMap<&str, usize> = HashMap::new();
        for message in messages {
            if message["type"] == "STATE" {
                let state = &message["state"];
                self.states.insert(text(&state["stream"]["stream_descriptor"]["name"]), state.clone());
            }
            if message["type"] == "RECORD" {
                let record = &message["record"];
                let name = record["stream"].as_str().unwrap_or_default();
                let stream = self.streams.iter_mut().find(|stream| stream.name == name);
                let stream = stream.ok_or_else(|| format!("a record of {name}, which was not selected"))?;
                stream.rows.insert(key(&stream.key, &record["data"]), record["data"].clone());
                *written.entry(name).or_default() += 1;
            }
        }
        for stream in &mut self.streams {
            stream.written.push(written.get(stream.name.as_str()).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// What the next sync resumes from.
    pub(crate) fn states(&self) -> Value {
        self.states.values().cloned().collect()
    }

    /// The names of the streams.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &str> {
        self.streams.iter().map(|stream| stream.name.as_str())
    }

    /// How many records the first sync wrote to a stream, and all later ones.
    pub(crate) fn written(&self, stream: &str) -> (usize, usize) {
        let written = self.named(stream).and_then(|stream| stream.written.split_first());
        written.map_or((0, 0), |(first, later)| (*first, later.iter().sum()))
    }

    /// How many rows a table has.
    pub(crate) fn rows(&self, stream: &str) -> usize {
        self.all(stream).count()
    }

    /// The rows of a table, by key.
    pub(crate) fn all(&self, stream: &str) -> impl Iterator<Item = &Value> {
        self.named(stream).into_iter().flat_map(|stream| stream.rows.values())
    }

    /// The row with this id.
    pub(crate) fn row(&self, stream: &str, id: &str) -> Option<&Value> {
        self.named(stream)?.rows.get(&vec![id.to_owned()])
    }

    fn named(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// Holds a table against the rows that are expected in it.
    pub(crate) fn compare(&self, name: &str, expected: &[Value]) -> Compared {
        let mut compared = Compared { rows: 0, values: 0, difference: None };
        let Some(stream) = self.named(name) else { return compared };
        let is_current = |row: &&Value| match name {
            "order_line_items" => {
                let order = self.row("orders", &text(&row["orderId"]));
                order.is_some_and(|order| order["version"] == row["orderVersion"])
            }
            _ => true,
        };
        compared.rows = stream.rows.values().filter(is_current).count();
        if compared.rows != expected.len() {
            compared.difference = Some(format!("{} rows, {} expected", compared.rows, expected.len()));
        }
        // AiFi gives events no id.
        let names = match name {
            EVENTS => ["orderId", "status", "timeOfOrigin"].map(str::to_owned).to_vec(),
            _ => stream.key.clone(),
        };
        let rows: BTreeMap<Key, &Value> = stream.rows.values().map(|row| (key(&names, row), row)).collect();
        for expected in expected {
            let key = key(&names, expected);
            let Some(row) = rows.get(&key) else {
                compared.difference = Some(format!("{} is missing", key.join(", ")));
                continue;
            };
            for (column, value) in expected.as_object().into_iter().flatten() {
                let Some(written) = row.get(column) else { continue };
                if text(written) == text(value) {
                    compared.values += 1;
                } else {
                    compared.difference =
                        Some(format!("{column} of {} is {written}, not {value}", key.join(", ")));
                }
            }
        }
        compared
    }
}

/// What the sandbox expects in a table, with its columns spelled as the stream has them; nothing for what the
/// connector writes about itself.
pub(crate) fn expected(sandbox: &Sandbox, stream: &str) -> Option<Vec<Value>> {
    let all = Filter::default();
    Some(match stream {
        "orders" => rows(&sandbox.expected(&all)),
        "order_line_items" => rows(&sandbox.expected_lines(&all)).into_iter().map(of_order).collect(),
        "order_versions" => rows(&sandbox.expected_versions(&all)),
        "order_details" => rows(&sandbox.expected_details(&all)),
        "contests" => rows(&sandbox.expected_contests()),
        "stores" => rows(&sandbox.expected_stores()),
        "sessions" => rows(&sandbox.expected_sessions()),
        "products" => rows(&sandbox.expected_products()),
        EVENTS => acknowledged(sandbox),
        _ => return None,
    })
}

/// The events that the inbox answered 200: what AiFi takes as delivered.
fn acknowledged(sandbox: &Sandbox) -> Vec<Value> {
    let calls = sandbox.pushed().calls.into_iter().filter(|call| call.answer == Some(200));
    calls.map(|call| json!(call)).collect()
}

fn rows(expected: &[impl Serialize]) -> Vec<Value> {
    expected.iter().map(|row| camel_case(&json!(row))).collect()
}

/// Of a line the sandbox knows the update time of its order, which has a column of its own.
fn of_order(mut line: Value) -> Value {
    if let Some(updated) = line.as_object_mut().and_then(|columns| columns.remove("updatedAt")) {
        line["orderUpdatedAt"] = updated;
    }
    line
}

/// `draft_created_at` becomes `draftCreatedAt`.
fn camel_case(row: &Value) -> Value {
    let columns = row.as_object().into_iter().flatten().map(|(name, value)| {
        let mut words = name.split('_');
        let mut column = words.next().unwrap_or_default().to_owned();
        for word in words {
            let (first, rest) = word.split_at(1);
            column.push_str(&first.to_uppercase());
            column.push_str(rest);
        }
        (column, value.clone())
    });
    Value::Object(columns.collect())
}

fn key(names: &[String], row: &Value) -> Key {
    names.iter().map(|name| text(&row[name])).collect()
}

/// A value as a text, so that a number and its digits are the same; a list as how many items it has, which is what the
/// sandbox knows of one; a whole number without its fraction.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.len().to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
