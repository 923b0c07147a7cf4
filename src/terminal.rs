//! What a person at a terminal sees: a line of progress on stderr, and the reason of a failure.
//!
//! Only when stderr is a terminal and stdout is not: the platform logs each line of stderr as an error, and records
//! on a screen need no progress beside them. That the output itself cannot be written is always reported here.

#![expect(clippy::disallowed_methods, reason = "this is the door of stderr, and asks what stdout is")]

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::clock;
use crate::timestamp;

/// A display that changes more often than this is only flicker.
const REFRESH: Duration = Duration::from_millis(100);

/// Whether somebody watches.
pub fn somebody_watches() -> bool {
    io::stderr().is_terminal() && !io::stdout().is_terminal()
}

/// Tells a person something. An error here is nobody's business.
pub fn say(text: &str) {
    _ = writeln!(io::stderr(), "{text}");
}

/// The line of progress of one stream.
pub struct Progress {
    stream: &'static str,
    watched: bool,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Nothing is shown yet.
    pub fn new(stream: &'static str) -> Self {
        Self { stream, watched: somebody_watches(), started: clock::instant(), shown: None }
    }

    /// Shows how far the stream is.
    pub fn show(&mut self, records: u64, requests: u64, position: Option<DateTime<Utc>>) {
        let now = clock::instant();
        if !self.watched || self.shown.is_some_and(|shown| now - shown < REFRESH) {
            return;
        }
        self.shown = Some(now);
        let line = line(self.stream, records, requests, now - self.started, position);
        _ = write!(io::stderr(), "\r\x1b[2K{line}");
        _ = io::stderr().flush();
    }

    /// Clears the line.
    pub fn finish(&mut self) {
        if self.shown.take().is_some() {
            _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}

fn line(
    stream: &str,
    records: u64,
    requests: u64,
    elapsed: Duration,
    position: Option<DateTime<Utc>>,
) -> String {
    let position = position.map(timestamp::write).unwrap_or_default();
    let seconds = elapsed.as_secs();
    format!(
        "{stream}: {records} records, {requests} requests, {}:{:02}, read up to {position}",
        seconds / 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_much_how_long_and_how_far() {
        let at = timestamp::parse("2025-11-05T08:00:00Z");
        let text = line("orders", 12_400, 63, Duration::from_secs(65), at);
        assert_eq!(text, "orders: 12400 records, 63 requests, 1:05, read up to 2025-11-05T08:00:00.000Z");
    }
}
