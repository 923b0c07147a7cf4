//! What comes out of a program: orders, by their ids.

use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, Result, ensure};

/// Starts a line that holds an order: a record of the connector, or an order as the API wrote it.
const ORDERS: [&[u8]; 2] = [br#"{"type":"RECORD""#, br#"{"createdAt""#];
/// The first one of a line is the order's own: those of its products come later.
const ID: &[u8] = br#""id":"#;

/// The orders of an output.
#[derive(Default)]
pub(crate) struct Received {
    ids: Vec<u64>,
    /// Of the messages; a failed program says here why.
    pub(crate) last_line: String,
}

impl Received {
    /// Takes an output to its end.
    pub(crate) fn read(stdout: impl Read) -> Result<Self> {
        let mut stdout = BufReader::with_capacity(256 * 1024, stdout);
        let (mut received, mut line) = (Self::default(), Vec::new());
        while stdout.read_until(b'\n', &mut line)? > 0 {
            if ORDERS.iter().any(|start| line.starts_with(start)) {
                received.ids.push(id(&line).context("an order without an id")?);
            } else {
                String::from_utf8_lossy(&line).trim_end().clone_into(&mut received.last_line);
            }
            line.clear();
        }
        Ok(received)
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
