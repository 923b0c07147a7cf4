//! The only writer of stdout.
//!
//! Lines are gathered and written in pieces that end at a line's end. So whatever happens, a panic included,
//! stdout holds whole lines, and a last line of our own can still be put behind them.

#![expect(clippy::disallowed_methods, clippy::exit, reason = "this is the door of stdout, also on panic")]

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::generation::Generations;
use super::message::{
    CheckStatus, ConnectionStatus, Estimate, Level, Log, Message, Quota, Reason, SourceStats, State, Status,
    StreamDescriptor, StreamState, StreamStatus, Trace, TraceBody, TraceError,
};
use super::personal_mark::PersonalMark;
use super::scrub::Scrubber;
use crate::clock;
use crate::failure::{Failure, FailureKind};

/// How much is gathered before it is written: large enough that a system call per record is out of the way.
const BUFFER: usize = 256 * 1024;

/// What is said where nothing can be written.
const UNWRITABLE: &str = "The output cannot be written. If it goes to a file, see whether the disk is full.";

/// A value that could not be what the schema says (`meta.changes` of a record).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The field, with its path below the record.
    pub field: String,
    /// What was done: always `NULLED`.
    pub change: &'static str,
    /// Why, as the protocol names it.
    pub reason: &'static str,
}

impl Change {
    /// The value of `field` is of another type than the schema's, so it was nulled.
    pub fn nulled(field: String) -> Self {
        Self { field, change: "NULLED", reason: "SOURCE_SERIALIZATION_ERROR" }
    }
}

/// Where messages go. Counts the records of each stream since its last state.
pub struct Output {
    sink: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    scrubber: Scrubber,
    since_state: HashMap<String, u64>,
    generations: Generations,
    personal_mark: PersonalMark,
    last_emitted_at: i64,
    /// Lines of a lower level are not written.
    lowest: Level,
    /// A write has failed: what was in it is lost, so nothing that comes behind it may be believed.
    broken: bool,
}

impl Output {
    /// The output of the program.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// The same into any writer, for programs that run the connector in their own process.
    pub fn to(sink: impl Write + Send + 'static) -> Self {
        Self {
            sink: Box::new(sink),
            buffer: Vec::with_capacity(BUFFER + BUFFER / 4),
            scrubber: Scrubber::default(),
            since_state: HashMap::new(),
            generations: Generations::default(),
            personal_mark: PersonalMark::default(),
            last_emitted_at: 0,
            lowest: Level::Info,
            broken: false,
        }
    }

    /// No text for people will hold this secret from now on.
    pub fn keep_secret(&mut self, secret: &str) {
        self.scrubber.learn(secret);
    }

    /// A text without the secrets, for a person at the terminal.
    pub fn scrub(&self, text: &str) -> String {
        self.scrubber.scrub(text)
    }

    /// Writes a record. `data` is one JSON object without line breaks.
    pub fn record(&mut self, stream: &str, data: &[u8], changes: &[Change]) -> Result<(), Failure> {
        let emitted_at = self.emitted_at();
        self.buffer.extend_from_slice(br#"{"type":"RECORD","record":{"stream":""#);
        self.buffer.extend_from_slice(stream.as_bytes());
        self.buffer.extend_from_slice(br#"","data":"#);
        self.buffer.extend_from_slice(data);
        self.buffer.extend_from_slice(br#","emitted_at":"#);
        self.buffer.extend_from_slice(emitted_at.to_string().as_bytes());
        if !changes.is_empty() {
            self.buffer.extend_from_slice(br#","meta":{"changes":"#);
            self.buffer.extend_from_slice(&to_json(&changes)?);
            self.buffer.push(b'}');
        }
        self.buffer.extend_from_slice(b"}}\n");
        match self.since_state.get_mut(stream) {
            Some(count) => *count += 1,
            None => _ = self.since_state.insert(stream.to_owned(), 1),
        }
        if self.buffer.len() >= BUFFER { self.write_out() } else { Ok(()) }
    }

    /// How many records of a stream were written since its last state.
    pub fn records_since_state(&self, stream: &str) -> u64 {
        self.since_state.get(stream).copied().unwrap_or(0)
    }

    /// From now on states of a full refresh carry the generation of their stream.
    pub fn state_generations(&mut self, generations: Generations) {
        self.generations = generations;
    }

    /// From now on states carry the mark of the setting that their rows were written under.
    pub fn state_personal_mark(&mut self, mark: PersonalMark) {
        self.personal_mark = mark;
    }

    /// Writes a state with its exact record count, and flushes it with everything before it.
    pub fn state(&mut self, stream: &str, stream_state: &Value) -> Result<(), Failure> {
        let mut stamped = stream_state.clone();
        self.generations.stamp(stream, &mut stamped);
        self.personal_mark.stamp(&mut stamped);
        let record_count = self.since_state.remove(stream).unwrap_or(0);
        let state = State {
            kind: "STREAM",
            stream: StreamState {
                stream_descriptor: StreamDescriptor { name: stream },
                stream_state: &stamped,
            },
            source_stats: SourceStats { record_count },
        };
        self.line(&Message::State { state })
    }

    /// Says how far a stream is.
    pub fn status(&mut self, stream: &str, status: Status) -> Result<(), Failure> {
        self.stream_status(stream, status, None)
    }

    /// Says that a stream waits until `quota_reset` (milliseconds since 1970), since the API refuses requests.
    pub fn rate_limited(&mut self, stream: &str, quota_reset: i64) -> Result<(), Failure> {
        let reason = Reason::RateLimited { rate_limited: Quota { quota_reset } };
        self.stream_status(stream, Status::Running, Some([reason]))
    }

    /// Says about how many records a stream will have in this sync.
    pub fn estimate(&mut self, stream: &str, rows: u64) -> Result<(), Failure> {
        self.trace(TraceBody::Estimate {
            estimate: Estimate { name: stream, kind: "STREAM", row_estimate: rows },
        })
    }

    fn stream_status(
        &mut self,
        stream: &str,
        status: Status,
        reasons: Option<[Reason; 1]>,
    ) -> Result<(), Failure> {
        let stream_status =
            StreamStatus { stream_descriptor: StreamDescriptor { name: stream }, status, reasons };
        self.trace(TraceBody::StreamStatus { stream_status })
    }

    /// Writes a failure: the one ERROR trace of what failed.
    pub fn failure(&mut self, failure: &Failure, stream: Option<&str>) -> Result<(), Failure> {
        let message = self.scrubber.scrub(&failure.message);
        let internal_message = self.scrubber.scrub(&failure.internal());
        self.trace(TraceBody::Error {
            error: TraceError {
                message: &message,
                internal_message: &internal_message,
                failure_type: failure.failure_type().as_str(),
                stream_descriptor: stream.map(|name| StreamDescriptor { name }),
            },
        })
    }

    /// From now on log lines of this level and above are written.
    pub fn log_from(&mut self, lowest: Level) {
        self.lowest = lowest;
    }

    /// Writes a line for the log that is only put together where its level is written.
    pub fn log_lazily(&mut self, level: Level, message: impl FnOnce() -> String) -> Result<(), Failure> {
        if level < self.lowest { Ok(()) } else { self.log(level, &message()) }
    }

    /// Writes a line for the log.
    pub fn log(&mut self, level: Level, message: &str) -> Result<(), Failure> {
        if level < self.lowest {
            return Ok(());
        }
        let message = self.scrubber.scrub(message);
        self.line(&Message::Log { log: Log { level, message: &message } })
    }

    /// Writes a line of text: for `doctor`, which no platform calls.
    pub fn text(&mut self, line: &str) -> Result<(), Failure> {
        let line = self.scrubber.scrub(line);
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
        self.write_out()
    }

    /// Answers `spec`.
    pub fn spec(&mut self, spec: &Value) -> Result<(), Failure> {
        self.line(&Message::Spec { spec })
    }

    /// Answers `discover`.
    pub fn catalog(&mut self, catalog: &Value) -> Result<(), Failure> {
        self.line(&Message::Catalog { catalog })
    }

    /// Answers `check`.
    pub fn connection_status(&mut self, status: CheckStatus, message: &str) -> Result<(), Failure> {
        let message = self.scrubber.scrub(message);
        self.line(&Message::ConnectionStatus {
            connection_status: ConnectionStatus { status, message: Some(&message) },
        })
    }

    fn trace(&mut self, body: TraceBody<'_>) -> Result<(), Failure> {
        let trace = Trace { emitted_at: self.emitted_at(), body };
        self.line(&Message::Trace { trace })
    }

    /// Every message but a record is flushed at once, and the records before it with it.
    fn line(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let line = to_json(message)?;
        self.buffer.extend_from_slice(&line);
        self.buffer.push(b'\n');
        self.write_out()
    }

    fn write_out(&mut self) -> Result<(), Failure> {
        if self.broken {
            return Err(Failure::new(FailureKind::Output, UNWRITABLE).at("an earlier write failed"));
        }
        let written = self.sink.write_all(&self.buffer).and_then(|()| self.sink.flush());
        self.buffer.clear();
        self.broken = written.is_err();
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => {
                Failure::new(FailureKind::OutputClosed, "The reader of the output has gone.").because(error)
            }
            _ => Failure::new(FailureKind::Output, UNWRITABLE).because(error),
        })
    }

    fn emitted_at(&mut self) -> i64 {
        // Destinations tell two rows of one key apart by this, so it must not follow a clock that is set back.
        self.last_emitted_at = self.last_emitted_at.max(clock::now().timestamp_millis());
        self.last_emitted_at
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| {
        Failure::new(FailureKind::Internal, "A message could not be written.").because(error)
    })
}

/// From now on a panic leaves one ERROR trace on stdout and nothing else, and the process ends with status 1.
///
/// [`Output`] writes whole lines only, so this line cannot end up inside another.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        // Nothing is left to be done about an error here.
        _ = io::stdout().write_all(panic_line(&panic.to_string()).as_bytes());
        std::process::exit(1);
    }));
}

fn panic_line(panic: &str) -> String {
    let error = TraceError {
        message: "The connector made a mistake and stopped. The sync can be started again; it resumes from the last \
                  state. Please report this with the internal message.",
        internal_message: panic,
        failure_type: FailureKind::Internal.failure_type().as_str(),
        stream_descriptor: None,
    };
    let emitted_at = clock::now().timestamp_millis();
    let message = Message::Trace { trace: Trace { emitted_at, body: TraceBody::Error { error } } };
    to_json(&message).map(|line| String::from_utf8_lossy(&line).into_owned() + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_state_takes_its_records_with_it_and_counts_them() {
        let written = Shared::default();
        let mut output = Output::to(written.clone());
        output.record("orders", br#"{"id":1}"#, &[]).unwrap();
        output.record("orders", br#"{"id":2}"#, &[Change::nulled("weight".into())]).unwrap();
        assert_eq!(written.text(), "", "records wait for a full buffer");
        output.state("orders", &json!({})).unwrap();
        output.state("orders", &json!({})).unwrap();
        let text = written.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0]
                .starts_with(r#"{"type":"RECORD","record":{"stream":"orders","data":{"id":1},"emitted_at":"#)
        );
        assert!(lines[1].ends_with(
            r#","meta":{"changes":[{"field":"weight","change":"NULLED","reason":"SOURCE_SERIALIZATION_ERROR"}]}}}"#
        ));
        assert!(lines[2].ends_with(r#""sourceStats":{"recordCount":2.0}}}"#));
        assert!(lines[3].ends_with(r#""sourceStats":{"recordCount":0.0}}}"#));
    }

    #[test]
    fn what_is_written_always_ends_with_a_whole_line() {
        let written = Shared::default();
        let mut output = Output::to(written.clone());
        let data = format!(r#"{{"id":1,"text":"{}"}}"#, "x".repeat(10_000));
        for _ in 0..100 {
            output.record("orders", data.as_bytes(), &[]).unwrap();
            assert!(written.text().is_empty() || written.text().ends_with("}\n"));
        }
        assert!(!written.text().is_empty());
    }

    #[test]
    fn a_secret_is_scrubbed_from_logs_failures_and_verdicts() {
        let written = Shared::default();
        let mut output = Output::to(written.clone());
        output.keep_secret("tok-12345678");
        output.log(Level::Info, "bad tok-12345678").unwrap();
        output.connection_status(CheckStatus::Failed, "bad tok-12345678").unwrap();
        let failure = Failure::new(FailureKind::Unauthorized, "bad tok-12345678")
            .because(anyhow::anyhow!("API said: tok-12345678"));
        output.failure(&failure, None).unwrap();
        assert!(!written.text().contains("12345678"), "{}", written.text());
    }

    #[test]
    fn a_reader_that_went_away_is_a_failure_of_its_own() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let failure = Output::to(Closed).log(Level::Info, "x").unwrap_err();
        assert_eq!(failure.kind, FailureKind::OutputClosed);
    }

    #[test]
    fn a_panic_is_one_whole_trace_line() {
        let line = panic_line("panicked at \"src\"\nline two");
        assert_eq!(line.matches('\n').count(), 1);
        let trace: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(trace["trace"]["error"]["failure_type"], "system_error");
        assert_eq!(trace["trace"]["error"]["internal_message"], "panicked at \"src\"\nline two");
    }
}
