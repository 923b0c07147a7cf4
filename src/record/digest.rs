//! A digest of what a record says, which does not move when the API only spells it in another way.
//!
//! It is the same for the fields of an object in any order, for the items of a list in any order where each has an `id`, and
//! for an address that is signed anew: its query is left out. Anything else that differs makes another digest.

use memchr::memchr2;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Deeper values count as their bytes. Records are not nested as deep.
const DEEPEST: usize = 128;

/// Parameters of a query that is a signature, and moves with each response; in lower case.
const SIGNATURES: [&[u8]; 6] = [b"signature", b"sig", b"token", b"policy", b"hdnts", b"hdnea"];
/// What such parameters begin with.
const SIGNED: [&[u8]; 2] = [b"x-amz-", b"x-goog-"];

/// The digest of a record. What is not an object has the digest of its bytes.
pub(crate) fn digest(record: &[u8]) -> u64 {
    let mut scanner = Scanner { bytes: record, at: 0 };
    if scanner.take(b'{') { scanner.object(0).0 } else { xxh3_64(record) }
}

/// The digest of any JSON value.
pub(super) fn of_value(json: &[u8]) -> u64 {
    Scanner { bytes: json, at: 0 }.value(0).0
}

/// Reads valid JSON; of anything else, some digest.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_it = self.peek() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    /// The digest of a value, and whether it is an object with an `id`.
    fn value(&mut self, depth: usize) -> (u64, bool) {
        match self.peek() {
            Some(b'"') => {
                let text = self.string();
                (xxh3_64_with_seed(without_signature(text), 1), false)
            }
            Some(b'{') if depth < DEEPEST => {
                self.at += 1;
                let (sum, has_id) = self.object(depth + 1);
                (mixed(2, sum), has_id)
            }
            Some(b'[') if depth < DEEPEST => {
                self.at += 1;
                (self.list(depth + 1), false)
            }
            _ => (xxh3_64_with_seed(self.token(), 3), false),
        }
    }

    /// The rest of an object: the sum of the digests of its fields, and whether it has an `id`.
    fn object(&mut self, depth: usize) -> (u64, bool) {
        let (mut sum, mut has_id) = (0_u64, false);
        while self.peek() == Some(b'"') {
            let name = self.string();
            if !self.take(b':') {
                break;
            }
            let is_null = self.peek() == Some(b'n');
            let (value, _) = self.value(depth);
            has_id |= name == b"id" && !is_null;
            sum = sum.wrapping_add(xxh3_64_with_seed(name, value));
            if !self.take(b',') {
                break;
            }
        }
        self.take(b'}');
        (sum, has_id)
    }

    /// The rest of a list.
    fn list(&mut self, depth: usize) -> u64 {
        let (mut sum, mut sequence, mut count) = (0_u64, 0_u64, 0_u64);
        let mut all_have_ids = true;
        while self.peek().is_some_and(|byte| byte != b']') {
            let before = self.at;
            let (item, has_id) = self.value(depth);
            all_have_ids &= has_id;
            sum = sum.wrapping_add(mixed(4, item));
            sequence = mixed(sequence, item);
            count += 1;
            if !self.take(b',') || self.at == before {
                break;
            }
        }
        self.take(b']');
        mixed(count, if all_have_ids { sum } else { sequence })
    }

    /// A text, without its quotes and as it is escaped.
    fn string(&mut self) -> &'a [u8] {
        self.at += 1;
        let start = self.at;
        let end = loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            match memchr2(b'"', b'\\', rest) {
                Some(place) if rest[place] == b'\\' => self.at += place + 2,
                Some(place) => break self.at + place,
                None => break self.bytes.len(),
            }
        };
        self.at = end + 1;
        &self.bytes[start.min(end)..end]
    }

    /// A number or a word.
    fn token(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let end = rest.iter().position(|byte| matches!(byte, b',' | b']' | b'}')).unwrap_or(rest.len());
        // Whatever it is, the scanner moves on.
        let end = end.max(usize::from(!rest.is_empty()));
        self.at += end;
        rest[..end].trim_ascii_end()
    }
}

fn mixed(one: u64, other: u64) -> u64 {
    xxh3_64_with_seed(&other.to_le_bytes(), one)
}

/// The text of an address up to its query, where that holds a signature.
fn without_signature(text: &[u8]) -> &[u8] {
    let is_address = [&b"https:"[..], b"http:"].iter().any(|scheme| text.starts_with(scheme));
    let Some(query) = text.iter().position(|byte| *byte == b'?').filter(|_| is_address) else { return text };
    let signed = text[query + 1..].split(|byte| *byte == b'&').any(|parameter| {
        let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default().to_ascii_lowercase();
        SIGNATURES.contains(&name.as_slice()) || SIGNED.iter().any(|start| name.starts_with(start))
    });
    if signed { &text[..query] } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn of(value: &Value) -> u64 {
        digest(value.to_string().as_bytes())
    }

    #[test]
    fn the_order_of_fields_and_of_items_with_ids_does_not_matter() {
        let one = br#"{"id":1,"lines":[{"id":1,"n":"a"},{"n":"b","id":2}],"x":{"a":1,"b":[1,2]}}"#;
        let other = br#"{ "x": {"b":[1,2],"a":1}, "lines":[{"id":2,"n":"b"},{"id":1,"n":"a"}], "id":1 }"#;
        assert_eq!(digest(one), digest(other));
        let turned = br#"{"id":1,"lines":[{"id":1,"n":"a"},{"n":"b","id":2}],"x":{"a":1,"b":[2,1]}}"#;
        assert_ne!(digest(one), digest(turned), "items without ids have an order");
    }

    #[test]
    fn a_new_signature_does_not_matter_and_a_new_address_does() {
        let picture = |address: &str| of(&json!({"id": 1, "picture": address}));
        let signed = picture("https://cdn.example/7.png?X-Amz-Expires=3600&X-Amz-Signature=aa");
        assert_eq!(signed, picture("https://cdn.example/7.png?X-Amz-Expires=60&X-Amz-Signature=bb"));
        assert_ne!(signed, picture("https://cdn.example/8.png?X-Amz-Expires=3600&X-Amz-Signature=aa"));
        assert_ne!(picture("https://cdn.example/7.png?v=1"), picture("https://cdn.example/7.png?v=2"));
        assert_eq!(picture("http://a/b?sv=1&sig=x"), picture("http://a/b?sv=2&sig=y"));
        assert_ne!(picture("note?sig=1"), picture("note?sig=2"), "it is not an address");
    }

    #[test]
    fn values_that_look_alike_are_told_apart() {
        let values = [
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": null}),
            json!({}),
            json!({"a": [1]}),
            json!({"a": []}),
            json!({"a": {}}),
            json!({"a": [[]]}),
            json!({"b": 1}),
            json!({"a": ""}),
            json!({"a": {"id": 1}}),
            json!({"a": [{"id": 1}]}),
            json!({"a": [{"id": 1}, {"id": 1}]}),
        ];
        for (number, one) in values.iter().enumerate() {
            for other in &values[number + 1..] {
                assert_ne!(of(one), of(other), "{one} {other}");
            }
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
            "https://a/[a-z]{1,3}\\?(x|sig)=[a-z]{1,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("(id|[a-c\"\\\\]{1,2})", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The same value with the fields of each object the other way round, and the items of each list where all have ids.
    fn turned(value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                let fields =
                    fields.iter().rev().map(|(name, value)| format!("{} :{}", json!(name), turned(value)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(" , "))
            }
            Value::Array(items) => {
                let mut texts: Vec<String> = items.iter().map(turned).collect();
                if items.iter().all(|item| !item["id"].is_null()) {
                    texts.reverse();
                }
                format!("[{}]", texts.join(", "))
            }
            value => value.to_string(),
        }
    }

    proptest! {
        #[test]
        fn a_digest_is_stable(value in any_value()) {
            let record = json!({"id": 1, "value": value});
            prop_assert_eq!(of(&record), digest(turned(&record).as_bytes()));
        }

        #[test]
        fn any_other_value_has_another_digest(one in any_value(), other in any_value()) {
            let plain = |value: &Value| !value.to_string().contains("sig=");
            prop_assume!(plain(&one) && plain(&other));
            let digests = (of(&json!({"v": one})), of(&json!({"v": other})));
            prop_assert_eq!(digests.0 == digests.1, sorted(&one) == sorted(&other));
        }

        #[test]
        fn bytes_of_any_kind_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            _ = digest(&bytes);
            _ = digest(&[b"{\"a\":", bytes.as_slice()].concat());
        }
    }

    /// With the items of each list sorted where all have ids.
    fn sorted(value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| format!("{name:?}:{};", sorted(value))).collect()
            }
            Value::Array(items) => {
                let mut texts: Vec<String> = items.iter().map(sorted).collect();
                if items.iter().all(|item| !item["id"].is_null()) {
                    texts.sort();
                }
                format!("{texts:?}")
            }
            value => value.to_string(),
        }
    }
}
