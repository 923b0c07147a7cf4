//! Which event a body is.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Values nested deeper than this count as written, so that a hostile body costs no more than a few scans.
const DEPTH: usize = 32;

/// What an event is known by: the SHA-256 of its body without `timeOfIssue`, keys sorted, in hexadecimal digits.
///
/// A body that is not JSON counts byte by byte. Numbers keep their digits, and of a key that is given twice
/// both values count, since a float or a map would make one event of two.
pub(crate) fn identity(body: &[u8]) -> String {
    let mut canonical = Vec::with_capacity(body.len());
    let digest = match serde_json::from_slice::<&RawValue>(body) {
        Ok(value) => {
            write(value.get(), 0, &mut canonical);
            Sha256::digest(&canonical)
        }
        Err(_) => Sha256::digest(body),
    };
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a checkout event must have to be recognised.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recognised {
    /// `orderId`, also when AiFi sends it as a number.
    pub(crate) order_id: Option<String>,
    /// `status`.
    pub(crate) status: Option<String>,
    /// `timeOfOrigin`.
    pub(crate) time_of_origin: Option<String>,
}

impl Recognised {
    /// Reads the three fields; all are `None` unless all are there.
    pub(crate) fn of(body: &[u8]) -> Self {
        Self::read(body).unwrap_or_default()
    }

    fn read(body: &[u8]) -> Option<Self> {
        let Pairs(pairs) = serde_json::from_slice(body).ok()?;
        let text = |name: &str| {
            let raw = pairs.iter().rev().find(|(key, _)| key == name)?.1.get();
            let text = match raw.as_bytes().first()? {
                b'"' => serde_json::from_str::<String>(raw).ok()?,
                b'-' | b'0'..=b'9' => raw.to_owned(),
                _ => return None,
            };
            // PostgreSQL holds no text with a NUL; a field with one is nothing to recognise.
            (!text.is_empty() && !text.contains('\0')).then_some(text)
        };
        Some(Self {
            order_id: Some(text("orderId")?),
            status: Some(text("status")?),
            time_of_origin: Some(text("timeOfOrigin")?),
        })
    }

    /// Whether the event was recognised.
    pub(crate) fn is_recognised(&self) -> bool {
        self.order_id.is_some()
    }
}

/// The members of an object, in order, with those that come twice.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn write(raw: &str, depth: usize, out: &mut Vec<u8>) {
    match raw.as_bytes().first() {
        Some(b'{') if depth < DEPTH => {
            if let Ok(Pairs(mut pairs)) = serde_json::from_str(raw) {
                if depth == 0 {
                    pairs.retain(|(key, _)| key != "timeOfIssue");
                }
                pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
                out.push(b'{');
                for (key, value) in pairs {
                    text(&key, out);
                    out.push(b':');
                    write(value.get(), depth + 1, out);
                    out.push(b',');
                }
                out.push(b'}');
                return;
            }
        }
        Some(b'[') if depth < DEPTH => {
            if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw) {
                out.push(b'[');
                for item in items {
                    write(item.get(), depth + 1, out);
                    out.push(b',');
                }
                out.push(b']');
                return;
            }
        }
        Some(b'"') => {
            if let Ok(value) = serde_json::from_str::<String>(raw) {
                text(&value, out);
                return;
            }
        }
        _ => {}
    }
    out.extend_from_slice(raw.as_bytes());
}

/// A text with one spelling, whatever escapes it came with.
fn text(value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        identity(one.as_bytes()) == identity(other.as_bytes())
    }

    #[test]
    fn a_resend_is_the_same_event() {
        assert!(same(
            r#"{"orderId":7,"cart":[{"a":"\u00e9","b":2}],"timeOfIssue":"1"}"#,
            r#"{ "timeOfIssue": "2", "cart": [ {"b": 2, "a": "é"} ], "orderId": 7 }"#
        ));
        assert!(same(r#"{"orderId":7}"#, r#"{"orderId":7,"timeOfIssue":"2"}"#));
    }

    #[test]
    fn what_differs_is_another_event() {
        assert!(!same(r#"{"orderId":7}"#, r#"{"orderId":"7"}"#));
        assert!(!same(r#"{"orderId":10000000000000000001}"#, r#"{"orderId":10000000000000000002}"#));
        assert!(!same(r#"{"a":1,"a":2}"#, r#"{"a":3,"a":2}"#));
        assert!(!same(r#"{"order":{"timeOfIssue":1}}"#, r#"{"order":{"timeOfIssue":2}}"#));
        assert!(!same(r#"["ab","c"]"#, r#"["a","bc"]"#));
        assert!(!same("not json 1", "not json 2"));
    }

    #[test]
    fn a_deep_body_is_no_burden() {
        let deep = "[".repeat(500_000) + &"]".repeat(500_000);
        assert_eq!(identity(deep.as_bytes()).len(), 64);
    }

    #[test]
    fn three_fields_make_an_event_recognised() {
        let whole =
            Recognised::of(br#"{"orderId":7,"status":"draft","timeOfOrigin":"2024-05-01T00:00:00Z"}"#);
        assert_eq!(whole.order_id.as_deref(), Some("7"));
        for body in [
            "",
            "[]",
            "{}",
            r#"{"orderId":7,"status":"draft"}"#,
            "{\"orderId\":null,\"status\":\"a\",\"timeOfOrigin\":\"b\"}",
        ] {
            assert!(!Recognised::of(body.as_bytes()).is_recognised(), "{body}");
        }
    }
}
