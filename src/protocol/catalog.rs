//! The catalog that `discover` tells, and the configured one that `read` is given.
//!
//! Clients write it in many ways (null for every optional field, keys we do not know, destination modes we have
//! never heard of), so only what we act on is looked at. What we do not have is refused by name.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::{Failure, FailureKind, why_not_json};

/// A stream, as `discover` tells it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its schema.
    pub json_schema: &'a Value,
    /// Its cursor, which the source defines; none for a stream that can only be read as a whole.
    pub cursor_field: Option<&'a str>,
    /// The fields of its primary key.
    pub primary_key: &'a [&'a str],
}

impl Entry<'_> {
    /// The entry of the catalog. What has a cursor is resumable, also in a full refresh.
    pub fn to_json(self) -> Value {
        let primary_key: Vec<[&str; 1]> = self.primary_key.iter().map(|field| [*field]).collect();
        let mut entry = json!({
            "name": self.name,
            "json_schema": self.json_schema,
            "supported_sync_modes": ["full_refresh"],
            "source_defined_primary_key": primary_key,
            "is_resumable": self.cursor_field.is_some(),
        });
        if let Some(cursor_field) = self.cursor_field {
            entry["supported_sync_modes"] = json!(["full_refresh", "incremental"]);
            entry["source_defined_cursor"] = true.into();
            entry["default_cursor_field"] = json!([cursor_field]);
        }
        entry
    }
}

/// How a stream is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// Everything, from the start date.
    FullRefresh,
    /// What is new since the state.
    Incremental,
}

/// A stream the user selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredStream {
    /// Its name; one of the names given to [`parse`].
    pub name: String,
    /// How it is to be read.
    pub sync_mode: SyncMode,
    /// The number of what its table holds, see `super::generation`.
    pub generation: Option<i64>,
    /// The columns that its table has; none where the catalog does not say.
    pub columns: Vec<String>,
}

#[derive(Deserialize)]
struct RawCatalog {
    streams: Vec<RawConfiguredStream>,
}

#[derive(Deserialize)]
struct RawConfiguredStream {
    stream: RawStream,
    sync_mode: Option<String>,
    generation_id: Option<Value>,
}

#[derive(Deserialize)]
struct RawStream {
    name: String,
    #[serde(default)]
    json_schema: Value,
}

/// A whole number, also where a client wrote it as `6.0` or `"6"`.
fn whole_number(value: &Value) -> Option<i64> {
    let spelt = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (whole, fraction) = spelt.split_once('.').unwrap_or((&spelt, "0"));
    if fraction.bytes().all(|digit| digit == b'0') { whole.parse().ok() } else { None }
}

/// What a text has instead of the streams of a configured catalog, to the end of the sentence.
fn why_not(text: &str, error: &serde_json::Error) -> String {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return if text.trim().is_empty() {
            " (the file is empty).".to_owned()
        } else {
            format!(" ({}).", why_not_json(error))
        };
    };
    // `discover` answers with a message; its catalog may have been taken out.
    let catalog = value.get("catalog").unwrap_or(&value);
    match catalog.get("streams").and_then(Value::as_array) {
        Some(streams) if streams.iter().any(|stream| stream.get("json_schema").is_some()) => {
            ". This is the answer of discover: a configured catalog has \"stream\", \"sync_mode\" and \"destination_sync_mode\" for each stream.".to_owned()
        }
        Some(_) => format!(" ({}).", why_not_json(error)),
        None => " (it has no \"streams\").".to_owned(),
    }
}

/// Reads a configured catalog. Fails on a stream that is not among `known` and on a sync mode we do not have.
pub fn parse(text: &str, known: &[&str]) -> Result<Vec<ConfiguredStream>, Failure> {
    let raw: RawCatalog = serde_json::from_str(text).map_err(|error| {
        Failure::new(
            FailureKind::Catalog,
            format!("The configured catalog is not a list of streams{} Pass the file that Airbyte made, or start from integration_tests/configured_catalog.json.", why_not(text, &error)),
        )
    })?;
    let mut streams: Vec<ConfiguredStream> = Vec::new();
    for RawConfiguredStream { stream: RawStream { name, json_schema }, sync_mode, generation_id } in
        raw.streams
    {
        if !known.contains(&name.as_str()) {
            return Err(Failure::new(
                FailureKind::Catalog,
                format!(
                    "The configured catalog selects the stream \"{name}\", which this connector does not have. It has: {}. Refresh the source schema of the connection.",
                    known.join(", ")
                ),
            ));
        }
        let sync_mode = match sync_mode.as_deref() {
            Some("full_refresh") => SyncMode::FullRefresh,
            Some("incremental") => SyncMode::Incremental,
            other => {
                return Err(Failure::new(
                    FailureKind::Catalog,
                    format!(
                        "The configured catalog reads the stream \"{name}\" in the sync mode \"{}\". This connector has full_refresh and incremental.",
                        other.unwrap_or("")
                    ),
                ));
            }
        };
        if streams.iter().any(|stream| stream.name == name) {
            return Err(Failure::new(
                FailureKind::Catalog,
                format!("The configured catalog selects the stream \"{name}\" twice. Keep one of the two."),
            ));
        }
        let generation = generation_id.as_ref().and_then(whole_number);
        let columns = json_schema["properties"].as_object();
        let columns = columns.into_iter().flatten().map(|(column, _)| column.clone()).collect();
        streams.push(ConfiguredStream { name, sync_mode, generation, columns });
    }
    Ok(streams)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_unknown_keys_and_strange_destination_modes_are_read() {
        let text = r#"{"streams":[{"stream":{"name":"orders","json_schema":{"properties":{"id":{}}},"namespace":null,
            "supported_sync_modes":null,"x":1},"sync_mode":"incremental","destination_sync_mode":"soft_delete",
            "cursor_field":null,"primary_key":null,"generation_id":6.0,"sync_id":4,"y":{}}],"z":null}"#;
        let streams = parse(text, &["orders"]).unwrap();
        assert_eq!(
            streams,
            [ConfiguredStream {
                name: "orders".into(),
                sync_mode: SyncMode::Incremental,
                generation: Some(6),
                columns: vec!["id".into()],
            }]
        );
    }

    #[test]
    fn no_stream_is_a_legal_selection() {
        assert_eq!(parse(r#"{"streams":[]}"#, &["orders"]).unwrap(), []);
    }

    #[test]
    fn what_we_do_not_have_is_refused_by_name() {
        let one = |name: &str, mode: &str| {
            format!(r#"{{"streams":[{{"stream":{{"name":"{name}"}},"sync_mode":"{mode}"}}]}}"#)
        };
        for (text, word) in [
            (one("refunds", "incremental"), "\"refunds\""),
            (one("orders", "INVALID"), "\"INVALID\""),
            (r#"{"streams":[{"stream":{"name":"orders"}}]}"#.to_owned(), "sync mode \"\""),
            ("[]".to_owned(), "list of streams"),
            (String::new(), "list of streams"),
        ] {
            let failure = parse(&text, &["orders"]).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Catalog);
            assert!(failure.message.contains(word), "{}", failure.message);
        }
    }
}
