//! One object in the body of a response, and a field set in a record.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::repair::repaired;
use super::transcode::{Transcoder, Written};

/// Reads the object that the body is. A body that is not whole JSON is an error, JSON that is not an object gives none.
pub(crate) fn read(
    body: &[u8],
    transcoder: &mut Transcoder<'static>,
) -> Result<Option<(Bytes, Written)>, anyhow::Error> {
    match strict(body, transcoder) {
        Err(error) => match repaired(body).map(|text| strict(text.as_bytes(), transcoder)) {
            Some(Ok(record)) => {
                transcoder.findings.repaired += 1;
                Ok(record)
            }
            _ => Err(error),
        },
        record => record,
    }
}

fn strict(
    body: &[u8],
    transcoder: &mut Transcoder<'static>,
) -> Result<Option<(Bytes, Written)>, anyhow::Error> {
    let mut out = Vec::with_capacity(body.len() + body.len() / 8);
    let mut deserializer = serde_json::Deserializer::from_str(std::str::from_utf8(body)?);
    let written = transcoder.seed(&mut out).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(written.map(|written| (Bytes::from(out), written)))
}

/// The record with a top-level field set to a JSON value, which comes first. Everything else stays as it is, to the digit.
/// The record as it was, should it be no object.
pub(crate) fn with_field(record: &[u8], name: &str, json: &str) -> Vec<u8> {
    let Ok(Fields(fields)) = serde_json::from_slice(record) else { return record.to_vec() };
    let mut out = Vec::with_capacity(record.len() + name.len() + json.len() + 4);
    out.extend_from_slice(format!("{{{}:{json}", serde_json::Value::from(name)).as_bytes());
    for (key, value) in fields.iter().filter(|(key, _)| key != name) {
        out.extend_from_slice(format!(",{}:", serde_json::Value::from(key.as_str())).as_bytes());
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    out
}

/// The fields of an object, in their order.
pub(crate) struct Fields<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(record: &str, json: &str) -> String {
        String::from_utf8(with_field(record.as_bytes(), "version", json)).unwrap()
    }

    #[test]
    fn a_field_is_set_and_the_others_stay_to_the_digit() {
        assert_eq!(set(r#"{"a":1.10,"b":"é\"x"}"#, "0"), r#"{"version":0,"a":1.10,"b":"é\"x"}"#);
        assert_eq!(set(r#"{"a":1e400,"version":null}"#, "0"), r#"{"version":0,"a":1e400}"#);
        assert_eq!(set("{}", "0"), r#"{"version":0}"#);
        assert_eq!(set("[]", "0"), "[]");
    }
}
