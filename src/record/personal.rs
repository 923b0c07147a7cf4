//! What leaves of personal data: the setting `personal_data`, applied to each value before a record is written. Pure.
//!
//! A column is personal where its schema file has the marker [`super::shape::PERSONAL`]. A field that no schema declares may
//! be personal, and so may a value that does not fit its column and an item that no record can be made of: all three are
//! treated as personal. Names of unknown fields are kept, unless they look like data.

use std::borrow::Cow;
use std::fmt;

use ring::hmac;
use serde_json::Value;

use super::digest;
use super::schema::Schema;
use super::shape::{ADDITIONAL_FIELDS, Property, Shape};

/// Prefix of what is signed for [`Personal::mark`], so that no value of a column has the same hash.
const MARK: &str = "source-aifi personal_data salt\n";
/// Bytes of the hash that a state shows: enough to notice another salt, too few to help find it.
const MARK_BYTES: usize = 4;

/// The longest name of an unknown field that is taken for a name, in characters.
const LONGEST_NAME: usize = 64;
/// A name with so many digits is an id that serves as a name.
const DIGITS_OF_DATA: usize = 4;

/// What is done to personal values.
#[derive(Clone, Default)]
pub enum Personal {
    /// They are written as AiFi sends them.
    #[default]
    Keep,
    /// HMAC-SHA-256 under the salt is written instead, as 64 hexadecimal digits.
    Hash(hmac::Key),
    /// Null is written instead; an unknown field is left out with its name.
    LeaveOut,
}

impl Personal {
    /// Hashes under this salt.
    pub fn hash(salt: &str) -> Self {
        Self::Hash(hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes()))
    }

    /// Whether personal values are written as they come.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// What states say of the setting, so that another one is noticed; none where values are kept. A hash of the salt is in it.
    pub fn mark(&self) -> Option<String> {
        match self {
            Self::Keep => None,
            Self::Hash(key) => Some(format!("hash:{}", hex(&tag(key, MARK)[..MARK_BYTES]))),
            Self::LeaveOut => Some("leave_out".to_owned()),
        }
    }

    /// What is written instead of a personal value, as JSON; none where nothing is. `raw` is one valid JSON value.
    ///
    /// A text and a number with the same characters have the same hash, so that ids can be joined however they are spelt. An
    /// object or a list is hashed as a whole, whatever the order of its fields.
    pub(super) fn json<'r>(&self, raw: &'r str) -> Option<Cow<'r, str>> {
        match self {
            Self::Keep => Some(raw.into()),
            Self::LeaveOut => None,
            Self::Hash(_) if raw == "null" => Some(raw.into()),
            Self::Hash(key) => {
                let value: Cow<'_, str> = match raw.as_bytes().first() {
                    // An escape may stand for no character; then the token itself is the value.
                    Some(b'"') => serde_json::from_str::<String>(raw).map_or_else(|_| raw.into(), Cow::Owned),
                    Some(b'{' | b'[') => format!("{:016x}", digest::of_value(raw.as_bytes())).into(),
                    _ => raw.into(),
                };
                Some(format!("\"{}\"", hex(&tag(key, &value))).into())
            }
        }
    }

    /// What is written instead of a text: an item that no record can be made of.
    pub fn text(&self, text: String) -> Option<String> {
        match self {
            Self::Keep => Some(text),
            Self::Hash(key) => Some(hex(&tag(key, &text))),
            Self::LeaveOut => None,
        }
    }

    /// The name of an unknown field, or what is written and logged instead where it may be data, such as an address.
    pub(super) fn name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match self {
            _ if self.is_kept() || is_name(name) => name.into(),
            Self::Hash(key) => hex(&tag(key, name)).into(),
            _ => "(hidden)".into(),
        }
    }

    /// The schema of a stream, as `discover` describes it: a hash is a text, whatever its column was.
    pub fn declared<'s>(&self, schema: &'s Schema) -> Cow<'s, Value> {
        let mut json = Cow::Borrowed(&schema.json);
        if matches!(self, Self::Hash(_)) {
            declare_text(&schema.shape, json.to_mut());
        }
        json
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Hash(_) => "Hash",
            Self::LeaveOut => "LeaveOut",
        })
    }
}

fn tag(key: &hmac::Key, value: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hmac::sign(key, value.as_bytes()).as_ref());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is the name of a field, as programmers give them, and not an id or an address.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= LONGEST_NAME
        && name.bytes().filter(u8::is_ascii_digit).count() < DIGITS_OF_DATA
}

fn declare_text(shape: &Shape, schema: &mut Value) {
    match shape {
        Shape::Object(properties) => {
            for Property { name, shape, personal, .. } in properties {
                let field = &mut schema["properties"][name];
                // Unknown fields are hashed one by one, so what holds them stays an object.
                if *personal && name != ADDITIONAL_FIELDS {
                    let description = field["description"].take();
                    *field = serde_json::json!({"type": ["null", "string"], "description": description});
                } else {
                    declare_text(shape, field);
                }
            }
        }
        Shape::Array(items) => declare_text(items, &mut schema["items"]),
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hashed(raw: &str) -> String {
        Personal::hash("a salt of our own").json(raw).unwrap().into_owned()
    }

    #[test]
    fn a_hash_is_hmac_sha_256_of_the_text_in_hex() {
        // RFC 4231, test case 2.
        let personal = Personal::hash("Jefe");
        assert_eq!(
            personal.json("\"what do ya want for nothing?\"").unwrap(),
            "\"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\""
        );
    }

    #[test]
    fn the_same_value_has_the_same_hash_however_it_is_spelt() {
        assert_eq!(hashed("11"), hashed("\"11\""));
        assert_eq!(hashed("\"caf\\u00e9\""), hashed("\"café\""));
        assert_eq!(hashed(r#"{"a":1,"b":[true]}"#), hashed(r#"{ "b": [true], "a": 1 }"#));
        assert_ne!(hashed(r#"{"a":1}"#), hashed(r#"{"a":2}"#));
        assert_ne!(hashed("\"11\""), hashed("\"12\""));
        assert_ne!(hashed("11"), Personal::hash("another salt").json("11").unwrap());
        assert_eq!(hashed("null"), "null");
        assert_eq!(hashed("\"\\ud800\"").len(), 66, "half a character has a hash, too");
    }

    #[test]
    fn a_state_shows_another_salt_and_nothing_else() {
        let mark = |salt| Personal::hash(salt).mark().unwrap();
        assert_eq!(mark("one").len(), "hash:".len() + 2 * MARK_BYTES);
        assert_eq!(mark("one"), mark("one"));
        assert_ne!(mark("one"), mark("two"));
        assert_eq!(Personal::Keep.mark(), None);
        assert!(!format!("{:?}", Personal::hash("one")).contains("one"));
    }

    #[test]
    fn names_that_are_data_do_not_leave() {
        let hash = Personal::hash("salt");
        for name in ["loyaltyLevel", "x", "_id2", "tier_100"] {
            assert_eq!(hash.name(name), name);
        }
        for name in ["ann@example.com", "+4917012345", "user90210", "", "café", "a b", "a-b"] {
            assert_eq!(hash.name(name).len(), 64, "{name}");
            assert_eq!(Personal::LeaveOut.name(name), "(hidden)");
            assert_eq!(Personal::Keep.name(name), name);
        }
    }

    #[test]
    fn a_hashed_column_is_declared_as_a_text() {
        let personal = json!({"type": ["null", "integer"], "description": "d", "personal": true});
        let rest = json!({"type": "object", "personal": true});
        let text = json!({"type": "object", "properties": {
            "id": {"type": "integer"}, "who": personal, "additionalFields": rest,
            "events": {"type": "array", "items": {"type": "object", "properties": {"who": personal}}}}});
        let schema = Schema::embedded(&text.to_string());
        let declared = Personal::hash("salt").declared(&schema);
        let hashed = json!({"type": ["null", "string"], "description": "d"});
        assert_eq!(declared["properties"]["who"], hashed);
        assert_eq!(declared["properties"]["events"]["items"]["properties"]["who"], hashed);
        assert_eq!(declared["properties"]["additionalFields"], json!({"type": "object"}));
        assert_eq!(declared["properties"]["id"], json!({"type": "integer"}));
        assert_eq!(*Personal::LeaveOut.declared(&schema), schema.json);
    }
}
