//! The state that a sync is started with: from the file to the state of one stream.
//!
//! The platform writes an array of state messages; clients add nulls, keys of their own (some of them twice)
//! and entries for other streams. A missing or empty state means from the beginning; a state of another shape
//! is refused, since starting over silently would be worse.

use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Failure, FailureKind, why_not_json};

#[derive(Deserialize)]
struct RawMessage {
    #[serde(rename = "type")]
    kind: Option<String>,
    stream: Option<RawStream>,
}

#[derive(Deserialize)]
struct RawStream {
    stream_descriptor: RawDescriptor,
    stream_state: Option<Value>,
}

#[derive(Deserialize)]
struct RawDescriptor {
    name: String,
}

/// The saved states of all streams, as the platform handed them to us.
#[derive(Debug, Default)]
pub struct SavedStates {
    states: Vec<(String, Value)>,
}

impl SavedStates {
    /// Reads a state file.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        // An absent state is spelt in several ways: an empty file, `null`, `{}` and `[]`.
        if matches!(text.trim(), "" | "null" | "{}") {
            return Ok(Self::default());
        }
        let messages: Vec<Option<RawMessage>> =
            serde_json::from_str(text).map_err(|error| no_list(text, &error))?;
        let mut states = Vec::new();
        for message in messages.into_iter().flatten() {
            match (message.kind.as_deref(), message.stream) {
                (Some("STREAM") | None, Some(stream)) => {
                    states.push((stream.stream_descriptor.name, stream.stream_state.unwrap_or(Value::Null)));
                }
                (Some("STATE"), _) => return Err(whole_message()),
                (kind, _) => {
                    return Err(Failure::new(
                        FailureKind::State,
                        format!(
                            "The state holds a message of the type {}, which this connector does not write. Clear the connection's data to start from the beginning.",
                            kind.unwrap_or("LEGACY")
                        ),
                    ));
                }
            }
        }
        Ok(Self { states })
    }

    /// Those of the states that `count`, by the stream's name and its state.
    #[must_use]
    pub fn that(&self, count: impl Fn(&str, &Value) -> bool) -> Self {
        let states = self.states.iter().filter(|(name, state)| count(name, state));
        Self { states: states.cloned().collect() }
    }

    /// The state of a stream: the last one, where several were saved. Null, missing and `{}` mean none.
    pub fn of(&self, stream: &str) -> Option<&Value> {
        let (_, state) = self.states.iter().rev().find(|(name, _)| name == stream)?;
        let empty = state.is_null() || state.as_object().is_some_and(serde_json::Map::is_empty);
        (!empty).then_some(state)
    }
}

/// A text that is not a list of state messages. The ways to copy one wrongly are few.
fn no_list(text: &str, error: &serde_json::Error) -> Failure {
    let one: Option<RawMessage> =
        text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
    let why = match one {
        Some(one) if one.kind.as_deref() == Some("STATE") => return whole_message(),
        Some(one) if one.stream.is_some() => "it is one object: put it into square brackets".to_owned(),
        Some(_) => "it is an object".to_owned(),
        None => why_not_json(error),
    };
    Failure::new(
        FailureKind::State,
        format!(
            "The state (--state) is not a list of state messages ({why}). Pass what is in \"state\" of an earlier sync's last STATE message, in square brackets, or no state to start from the beginning."
        ),
    )
}

fn whole_message() -> Failure {
    Failure::new(
        FailureKind::State,
        "The state (--state) holds a whole message. Pass only what is under \"state\" in that message, in square brackets.",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_state_a_python_client_keeps_is_read() {
        // `global_` stands twice, as one client really writes it.
        let text = r#"[{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders","namespace":null},
            "stream_state":{"draftCreatedAt":"2025-11-01T00:00:00.000Z"}},"global_":null,"data":null,
            "sourceStats":{"recordCount":2.0,"rejectedRecordCount":null},"destinationStats":null,"global_":null}]"#;
        let states = SavedStates::parse(text).unwrap();
        assert_eq!(states.of("orders"), Some(&json!({"draftCreatedAt": "2025-11-01T00:00:00.000Z"})));
        assert_eq!(states.of("contests"), None);
    }

    #[test]
    fn every_spelling_of_no_state_means_from_the_beginning() {
        let with =
            |state: &str| format!(r#"[{{"stream":{{"stream_descriptor":{{"name":"orders"}}{state}}}}}]"#);
        for text in [
            "",
            " \n",
            "null",
            "{}",
            "[]",
            "[null]",
            &with(""),
            &with(r#","stream_state":null"#),
            &with(r#","stream_state":{}"#),
        ] {
            assert_eq!(SavedStates::parse(text).unwrap().of("orders"), None, "{text}");
        }
    }

    #[test]
    fn a_state_of_another_shape_is_refused() {
        for text in [
            r#"{"orders":{"draftCreatedAt":"x"}}"#,
            r#"[{"type":"GLOBAL","global":{}}]"#,
            r#"[{"data":{}}]"#,
            "[3]",
            "{",
        ] {
            assert_eq!(SavedStates::parse(text).unwrap_err().kind, FailureKind::State, "{text}");
        }
    }
}
