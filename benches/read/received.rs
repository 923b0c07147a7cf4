//! What comes out of a program: orders, by their ids; how many records other streams have; and states.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Starts a line that holds an order as the API wrote it.
const ORDER: &[u8] = br#"{"createdAt""#;
/// Starts a line that holds a record; the stream's name follows.
const RECORD: &[u8] = br#"{"type":"RECORD","record":{"stream":""#;
/// Starts a line that holds a state.
const STATE: &[u8] = br#"{"type":"STATE""#;
/// The first one of a line is the order's own: those of its products come later.
const ID: &[u8] = br#""id":"#;

/// What came out.
#[derive(Default)]
pub(crate) struct Received {
    /// Of orders.
    ids: Vec<u64>,
    /// How many records each stream has.
    records: BTreeMap<String, usize>,
    /// The last state of each stream.
    states: BTreeMap<String, Value>,
    /// Of the messages; a failed program says here why.
    pub(crate) last_line: String,
}

impl Received {
    /// Takes an output to its end.
    pub(crate) fn read(stdout: impl Read) -> Result<Self> {
        let mut stdout = BufReader::with_capacity(256 * 1024, stdout);
        let (mut received, mut line) = (Self::default(), Vec::new());
        while stdout.read_until(b'\n', &mut line)? > 0 {
            if let Some(record) = line.strip_prefix(RECORD) {
                received.record(record)?;
            } else if line.starts_with(ORDER) {
                received.ids.push(id(&line).context("an order without an id")?);
            } else if line.starts_with(STATE) {
                received.state(&line)?;
            } else {
                String::from_utf8_lossy(&line).trim_end().clone_into(&mut received.last_line);
            }
            line.clear();
        }
        Ok(received)
    }

    /// A record, from the name of its stream on.
    fn record(&mut self, record: &[u8]) -> Result<()> {
        let length = record.iter().position(|byte| *byte == b'"').context("a stream's name has an end")?;
        let name = std::str::from_utf8(&record[..length])?;
        if name == "orders" {
            self.ids.push(id(record).context("an order without an id")?);
        }
        match self.records.get_mut(name) {
            Some(count) => *count += 1,
            None => _ = self.records.insert(name.to_owned(), 1),
        }
        Ok(())
    }

    fn state(&mut self, line: &[u8]) -> Result<()> {
        let mut message: Value = serde_json::from_slice(line)?;
        let state = message["state"].take();
        let name = state["stream"]["stream_descriptor"]["name"].as_str().context("a state of a stream")?;
        self.states.insert(name.to_owned(), state);
        Ok(())
    }

    /// How many records a stream has.
    pub(crate) fn records_of(&self, stream: &str) -> usize {
        self.records.get(stream).copied().unwrap_or(0)
    }

    /// The last states, as the next sync takes them. Streams without one keep that of `earlier`.
    pub(crate) fn states(self, earlier: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        earlier.into_iter().chain(self.states).collect()
    }

    /// How many orders came.
    pub(crate) fn orders(&self) -> usize {
        self.ids.len()
    }

    /// Whether so many orders came, and none of them twice.
    pub(crate) fn verify(&mut self, orders: usize) -> Result<()> {
        let received = self.ids.len();
        self.ids.sort_unstable();
        self.ids.dedup();
        let different = self.ids.len();
        ensure!(
            (received, different) == (orders, orders),
            "{orders} orders exist; {received} were written, {different} of them different"
        );
        Ok(())
    }
}

fn id(line: &[u8]) -> Option<u64> {
    let start = line.windows(ID.len()).position(|window| window == ID)? + ID.len();
    let digits = line[start..].iter().take_while(|byte| byte.is_ascii_digit());
    let mut id = None;
    for digit in digits {
        id = Some(id.unwrap_or(0) * 10 + u64::from(digit - b'0'));
    }
    id
}
