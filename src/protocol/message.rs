//! Outgoing messages, one type per definition of the protocol (`airbyte_protocol.yaml`), in its own spelling.
//!
//! RECORD is missing here: [`super::output::Output::record`] assembles it from bytes.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// The name of a stream. The connector uses no namespaces.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StreamDescriptor<'a> {
    /// Name of the stream.
    pub name: &'a str,
}

/// One line of output.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Message<'a> {
    /// Answer of `spec`: the embedded file, unchanged.
    Spec {
        /// The connector specification.
        spec: &'a Value,
    },
    /// Answer of `check`.
    #[serde(rename_all = "camelCase")]
    ConnectionStatus {
        /// Whether the connection works.
        connection_status: ConnectionStatus<'a>,
    },
    /// Answer of `discover`.
    Catalog {
        /// The streams.
        catalog: &'a Value,
    },
    /// A checkpoint of one stream.
    State {
        /// The state.
        state: State<'a>,
    },
    /// A line for the log.
    Log {
        /// The line.
        log: Log<'a>,
    },
    /// What the platform is to know about the run.
    Trace {
        /// The trace.
        trace: Trace<'a>,
    },
}

/// Whether the connection works.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionStatus<'a> {
    /// The verdict.
    pub status: CheckStatus,
    /// For the user: why it failed, or what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
}

/// The verdict of `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckStatus {
    /// The streams can be read.
    Succeeded,
    /// They cannot; the message says why.
    Failed,
}

/// A checkpoint of one stream.
#[derive(Debug, Serialize)]
pub(crate) struct State<'a> {
    /// Always `STREAM`: the platform cannot mix them, and clients do not know the others.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// The stream and its state.
    pub stream: StreamState<'a>,
    /// How much was written since the previous state.
    #[serde(rename = "sourceStats")]
    pub source_stats: SourceStats,
}

/// A stream's name and its state.
#[derive(Debug, Serialize)]
pub(crate) struct StreamState<'a> {
    /// The stream.
    pub stream_descriptor: StreamDescriptor<'a>,
    /// Its state, in the stream's own form.
    pub stream_state: &'a Value,
}

/// How many records were written since the stream's previous state.
#[derive(Debug, Serialize)]
pub(crate) struct SourceStats {
    /// A whole number, written with a decimal point: the protocol declares it a double.
    #[serde(rename = "recordCount", serialize_with = "with_decimal_point")]
    pub record_count: u64,
}

#[expect(clippy::cast_precision_loss, reason = "no state covers 2^53 records")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn with_decimal_point<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(*count as f64)
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// What the reader decides, and why.
    Trace,
    /// Each request, and how it went.
    Debug,
    /// Worth knowing.
    Info,
    /// Worth acting on.
    Warn,
}

/// A line for the log.
#[derive(Debug, Serialize)]
pub(crate) struct Log<'a> {
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub message: &'a str,
}

/// What the platform is to know about the run.
#[derive(Debug, Serialize)]
pub(crate) struct Trace<'a> {
    /// When it was written, in milliseconds since 1970.
    pub emitted_at: i64,
    /// What it says.
    #[serde(flatten)]
    pub body: TraceBody<'a>,
}

/// The kinds of trace.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TraceBody<'a> {
    /// A failure that ends the stream or the run.
    Error {
        /// The failure.
        error: TraceError<'a>,
    },
    /// How far a stream is.
    StreamStatus {
        /// The status.
        stream_status: StreamStatus<'a>,
    },
    /// How much there is to read.
    Estimate {
        /// The estimate.
        estimate: Estimate<'a>,
    },
}

/// How much of a stream there is to read, all in all.
#[derive(Debug, Serialize)]
pub(crate) struct Estimate<'a> {
    /// The stream.
    pub name: &'a str,
    /// Always `STREAM`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// About how many records.
    pub row_estimate: u64,
}

/// A failure that ends the stream or the run.
#[derive(Debug, Serialize)]
pub(crate) struct TraceError<'a> {
    /// For the user.
    pub message: &'a str,
    /// For us.
    pub internal_message: &'a str,
    /// See [`crate::failure::FailureType`].
    pub failure_type: &'a str,
    /// The stream that failed, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_descriptor: Option<StreamDescriptor<'a>>,
}

/// How far a stream is.
#[derive(Debug, Serialize)]
pub(crate) struct StreamStatus<'a> {
    /// The stream.
    pub stream_descriptor: StreamDescriptor<'a>,
    /// Its status.
    pub status: Status,
    /// Why it waits; at most one, else the platform ignores them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<[Reason; 1]>,
}

/// The statuses of a stream, in the order in which a stream takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The stream's turn has come.
    Started,
    /// It is being read.
    Running,
    /// All of it was written.
    Complete,
    /// It failed.
    Incomplete,
}

/// Why a stream waits.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Reason {
    /// The API refuses further requests for now.
    RateLimited {
        /// Until when.
        rate_limited: Quota,
    },
}

/// When the API is asked again.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Quota {
    /// Milliseconds since 1970.
    pub quota_reset: i64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(message: &Message<'_>) -> String {
        serde_json::to_string(message).unwrap()
    }

    #[test]
    fn a_state_is_spelt_as_the_protocol_does() {
        let state = json!({"draftCreatedAt": "2025-11-01T00:00:00.000Z"});
        let message = Message::State {
            state: State {
                kind: "STREAM",
                stream: StreamState {
                    stream_descriptor: StreamDescriptor { name: "orders" },
                    stream_state: &state,
                },
                source_stats: SourceStats { record_count: 8 },
            },
        };
        assert_eq!(
            line(&message),
            r#"{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders"},"stream_state":{"draftCreatedAt":"2025-11-01T00:00:00.000Z"}},"sourceStats":{"recordCount":8.0}}}"#
        );
    }

    #[test]
    fn a_rate_limited_stream_is_still_running() {
        let trace = Trace {
            emitted_at: 5,
            body: TraceBody::StreamStatus {
                stream_status: StreamStatus {
                    stream_descriptor: StreamDescriptor { name: "orders" },
                    status: Status::Running,
                    reasons: Some([Reason::RateLimited { rate_limited: Quota { quota_reset: 7 } }]),
                },
            },
        };
        assert_eq!(
            line(&Message::Trace { trace }),
            r#"{"type":"TRACE","trace":{"emitted_at":5,"type":"STREAM_STATUS","stream_status":{"stream_descriptor":{"name":"orders"},"status":"RUNNING","reasons":[{"type":"RATE_LIMITED","rate_limited":{"quota_reset":7}}]}}}"#
        );
    }

    #[test]
    fn a_connection_status_has_the_protocols_camel_case() {
        let connection_status = ConnectionStatus { status: CheckStatus::Failed, message: Some("no") };
        assert_eq!(
            line(&Message::ConnectionStatus { connection_status }),
            r#"{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED","message":"no"}}"#
        );
    }
}
