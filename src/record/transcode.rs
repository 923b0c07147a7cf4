//! One walk through an object of the API, writing the record on the way.

use std::fmt;
use std::ops::Range;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::compact::{compact, depth};
use super::findings::Findings;
use super::key::{Key, KeySeed};
use super::personal::Personal;
use super::scalar::{self, Fit};
use super::shape::{ADDITIONAL_FIELDS, Property, Shape};
use crate::protocol::output::Change;

/// The deepest value of an unknown field that is passed on as it is. Readers of our lines give up at 128 levels, those of
/// the message and the record included; what is deeper is kept as a text of JSON.
const DEEPEST: usize = 100;

/// Writes objects of one stream as records.
pub(crate) struct Transcoder<'s> {
    properties: &'s [Property],
    personal: Personal,
    /// What the schema does not expect, so far.
    pub findings: Findings,
}

/// A record, in the buffer it was written to.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Where the record is in the buffer.
    pub data: Range<usize>,
    /// Where each declared top-level field's value stands, by the position of its declaration; empty if absent.
    pub fields: Vec<Range<usize>>,
    /// What could not be what the schema says.
    pub changes: Vec<Change>,
}

impl<'s> Transcoder<'s> {
    /// For the stream with this schema. `personal` says what is done to personal values.
    pub(crate) fn new(shape: &'s Shape, personal: Personal) -> Self {
        Self { properties: shape.fields(), personal, findings: Findings::default() }
    }

    /// The seed that reads one object and appends its record to `out`. The result is `None` for anything that is
    /// not an object.
    pub(crate) fn seed<'a>(&'a mut self, out: &'a mut Vec<u8>) -> RecordSeed<'a, 's> {
        RecordSeed { transcoder: self, out }
    }
}

/// See [`Transcoder::seed`].
pub(crate) struct RecordSeed<'a, 's> {
    transcoder: &'a mut Transcoder<'s>,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, '_> {
    type Value = Option<Written>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let properties = self.transcoder.properties;
        let mut walk = Walk {
            out: self.out,
            written: Written { fields: vec![0..0; properties.len()], ..Written::default() },
            findings: &mut self.transcoder.findings,
            personal: &self.transcoder.personal,
            additional: Vec::new(),
            path: Vec::new(),
        };
        let start = walk.out.len();
        let instead = deserializer.deserialize_any(Container { walk: &mut walk, properties, items: None })?;
        walk.written.data = start..walk.out.len();
        Ok(instead.is_none().then_some(walk.written))
    }
}

enum Step<'s> {
    Field(&'s str),
    Item(usize),
}

struct Walk<'a, 's> {
    out: &'a mut Vec<u8>,
    written: Written,
    findings: &'a mut Findings,
    personal: &'a Personal,
    /// What is kept beside the columns, as it will be in [`ADDITIONAL_FIELDS`].
    additional: Vec<u8>,
    /// The containers around the current value, outermost first; the record itself is not counted.
    path: Vec<Step<'s>>,
}

impl Walk<'_, '_> {
    fn path_to(&self, name: Option<&str>, with_positions: bool) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) => {
                    path.push_str(&format!("{}{name}", if path.is_empty() { "" } else { "." }));
                }
                Step::Item(position) if with_positions => path.push_str(&format!("[{position}]")),
                Step::Item(_) => path.push_str("[]"),
            }
        }
        if let Some(name) = name {
            path.push_str(&format!("{}{name}", if path.is_empty() { "" } else { "." }));
        }
        path
    }

    /// A value does not fit its column: null is written there, and the value is kept raw under its path.
    fn misfit(&mut self, name: Option<&str>, raw: &str) {
        let field = self.path_to(name, true);
        self.findings.note_misfit(&self.path_to(name, false));
        if let Some(raw) = self.personal.json(raw) {
            keep(&mut self.additional, &field, &raw);
        }
        self.written.changes.push(Change::nulled(field));
    }

    fn unknown_field(&mut self, name: &str, raw: &str) {
        let name = &*self.personal.name(name);
        self.findings.note_unknown(&self.path_to(Some(name), false));
        let Some(raw) = self.personal.json(raw) else { return };
        let target = if self.path.is_empty() { &mut self.additional } else { &mut *self.out };
        if !keep(target, name, &raw) {
            self.written.changes.push(Change::nulled(self.path_to(Some(name), true)));
        }
    }

    /// Writes what is left of a personal value. What does not fit its column is hashed like any other.
    fn hide(&mut self, shape: &Shape, raw: &str) {
        let mut value = Vec::new();
        if scalar::write(shape, raw, &mut value) == Fit::Misfit {
            value = raw.into();
        }
        let left = self.personal.json(std::str::from_utf8(&value).unwrap_or(raw));
        self.out.extend_from_slice(left.as_deref().unwrap_or("null").as_bytes());
    }
}

/// Appends a field with a raw value to an object. False where the value could not be kept, so that null was written.
fn keep(target: &mut Vec<u8>, name: &str, raw: &str) -> bool {
    if !matches!(target.last(), None | Some(b'{')) {
        target.push(b',');
    }
    target.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
    target.push(b':');
    // An escape may stand for half a character, and a number be beyond all range: no reader of the record would take it.
    let has_escapes = raw.contains("\\u");
    let may_be_beyond = raw.len() > scalar::LONG
        || raw.contains(['e', 'E']) && raw.contains(|digit: char| digit.is_ascii_digit());
    let is_taken = !(has_escapes || may_be_beyond) || serde_json::from_str::<serde_json::Value>(raw).is_ok();
    if !is_taken && has_escapes {
        target.extend_from_slice(b"null");
        return false;
    }
    if !is_taken || depth(raw) > DEEPEST {
        let mut json = Vec::new();
        compact(raw, &mut json);
        let text = serde_json::Value::from(String::from_utf8_lossy(&json));
        // Brackets are escaped, for readers that count them without heed of texts.
        let text = text.to_string().replace('[', "\\u005b").replace('{', "\\u007b");
        target.extend_from_slice(text.as_bytes());
    } else {
        compact(raw, target);
    }
    true
}

/// Reads one value under a shape: a scalar by its token, a container by walking into it.
struct ValueSeed<'w, 'a, 's> {
    walk: &'w mut Walk<'a, 's>,
    shape: &'s Shape,
    /// The field's name; none for an item of a list.
    name: Option<&'s str>,
    /// The value belongs to a person, and is not to be written as it comes.
    hidden: bool,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.hidden {
            let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
            self.walk.hide(self.shape, raw.get());
            return Ok(());
        }
        let (properties, items) = match self.shape {
            Shape::Object(properties) => (properties.as_slice(), None),
            Shape::Array(items) => (&[][..], Some(&**items)),
            scalar => {
                let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
                match scalar::write(scalar, raw.get(), self.walk.out) {
                    Fit::Fits => (),
                    Fit::Wide => self.walk.findings.note_wide(&self.walk.path_to(self.name, false)),
                    Fit::Misfit => self.walk.misfit(self.name, raw.get()),
                }
                return Ok(());
            }
        };
        self.walk.path.extend(self.name.map(Step::Field));
        let instead = deserializer.deserialize_any(Container { walk: &mut *self.walk, properties, items })?;
        if let Some(raw) = instead {
            self.walk.out.extend_from_slice(b"null");
            self.walk.misfit(None, &raw);
        }
        if self.name.is_some() {
            self.walk.path.pop();
        }
        Ok(())
    }
}

/// Walks into an object (or a list, when `items` is given). A value of another kind comes back as JSON.
struct Container<'w, 'a, 's> {
    walk: &'w mut Walk<'a, 's>,
    properties: &'s [Property],
    items: Option<&'s Shape>,
}

impl<'de> Visitor<'de> for Container<'_, '_, '_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { walk, properties, items } = self;
        if items.is_some() {
            let mut raw = Vec::from(b"{");
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                separate(&mut raw);
                raw.extend_from_slice(format!("{}:{value}", serde_json::Value::from(name)).as_bytes());
            }
            raw.push(b'}');
            return Ok(Some(String::from_utf8_lossy(&raw).into_owned()));
        }
        let top_level = walk.path.is_empty();
        walk.out.push(b'{');
        let mut seen = 0_u64;
        let mut hint = 0;
        while let Some(key) = map.next_key_seed(KeySeed::new(properties, hint))? {
            match key {
                // The API's own `additionalFields`, should there be one, is not ours.
                Key::Known(position) if !(top_level && properties[position].name == ADDITIONAL_FIELDS) => {
                    // JSON gives a repeated name no meaning; the first one is kept.
                    if seen & (1 << position) != 0 {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    seen |= 1 << position;
                    hint = position + 1;
                    let property = &properties[position];
                    separate(walk.out);
                    walk.out.extend_from_slice(&property.encoded);
                    let start = walk.out.len();
                    let hidden = property.personal && !walk.personal.is_kept();
                    let (shape, name) = (&property.shape, Some(property.name.as_str()));
                    map.next_value_seed(ValueSeed { walk, shape, name, hidden })?;
                    if top_level {
                        walk.written.fields[position] = start..walk.out.len();
                    }
                }
                Key::Known(_) => walk.unknown_field(ADDITIONAL_FIELDS, map.next_value::<&RawValue>()?.get()),
                Key::Unknown(name) => walk.unknown_field(&name, map.next_value::<&RawValue>()?.get()),
            }
        }
        if top_level && !walk.additional.is_empty() {
            separate(walk.out);
            walk.out.extend_from_slice(format!("\"{ADDITIONAL_FIELDS}\":{{").as_bytes());
            walk.out.append(&mut walk.additional);
            walk.out.push(b'}');
        }
        walk.out.push(b'}');
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Some(shape) = self.items else {
            let mut raw = String::from("[");
            while let Some(item) = items.next_element::<&RawValue>()? {
                let comma = if raw.len() > 1 { "," } else { "" };
                raw.push_str(&format!("{comma}{item}"));
            }
            raw.push(']');
            return Ok(Some(raw));
        };
        let walk = self.walk;
        walk.out.push(b'[');
        for position in 0.. {
            let before = walk.out.len();
            if position > 0 {
                walk.out.push(b',');
            }
            walk.path.push(Step::Item(position));
            let item = items.next_element_seed(ValueSeed { walk, shape, name: None, hidden: false })?;
            walk.path.pop();
            if item.is_none() {
                walk.out.truncate(before);
                break;
            }
        }
        walk.out.push(b']');
        Ok(None)
    }

    /// Null is a legal value of every field.
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        if self.walk.path.is_empty() {
            return Ok(Some("null".to_owned()));
        }
        self.walk.out.extend_from_slice(b"null");
        Ok(None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(serde_json::Value::from(value).to_string()))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(serde_json::Value::from(value).to_string()))
    }
}

fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn shape() -> Shape {
        Shape::compile(&json!({"type": "object", "properties": {
            "id": {"type": "integer"}, "name": {"type": "string"}, "latest": {"type": "boolean"},
            "payment": {"type": "object", "properties": {"refunded": {"type": "boolean"}}},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}, "weight": {"type": "number"}}}},
            "additionalFields": {"type": "object"}}}))
    }

    fn transcode(json: &str) -> (String, Vec<String>, Vec<String>) {
        let shape = shape();
        let mut transcoder = Transcoder::new(&shape, Personal::Keep);
        let mut out = b"before".to_vec();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let written = transcoder.seed(&mut out).deserialize(&mut deserializer).unwrap().unwrap();
        let record = String::from_utf8(out[written.data].to_vec()).unwrap();
        (
            record,
            written.changes.into_iter().map(|change| change.field).collect(),
            transcoder.findings.unknown.into_iter().collect(),
        )
    }

    #[test]
    fn a_record_keeps_order_digits_and_texts() {
        let json = r#"{ "name": "é\n \"x\"", "id": "12", "latest": 1, "payment": {"refunded": 0, "note": [1, 2.50]},
            "lines": [ {"weight": 1.10, "id": 3}, null ] }"#;
        let (record, changes, unknown) = transcode(json);
        assert_eq!(
            record,
            r#"{"name":"é\n \"x\"","id":12,"latest":true,"payment":{"refunded":false,"note":[1,2.50]},"lines":[{"weight":1.10,"id":3},null]}"#
        );
        assert!(changes.is_empty());
        assert_eq!(unknown, ["payment.note"]);
    }

    #[test]
    fn a_column_may_have_another_name_than_the_field() {
        let shape = Shape::compile(&json!({"type": "object", "properties": {
            "renamed": {"type": "integer", "aifiName": "order"}, "additionalFields": {"type": "object"}}}));
        for (json, record) in [
            (r#"{"order":1}"#, r#"{"renamed":1}"#),
            (r#"{"order":"x"}"#, r#"{"renamed":null,"additionalFields":{"renamed":"x"}}"#),
            // A field that the API sends under our name is one that the schema does not know.
            (r#"{"order":1,"renamed":2}"#, r#"{"renamed":1,"additionalFields":{"renamed":2}}"#),
        ] {
            let mut out = Vec::new();
            let mut deserializer = serde_json::Deserializer::from_str(json);
            Transcoder::new(&shape, Personal::Keep).seed(&mut out).deserialize(&mut deserializer).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), record);
        }
    }

    #[test]
    fn unknown_fields_are_kept_in_one_object() {
        let (record, _, unknown) =
            transcode(r#"{"new":{"a": 1},"id":1,"additionalFields":3,"x\"y":null,"lines":[{"z":1}]}"#);
        assert_eq!(
            record,
            r#"{"id":1,"lines":[{"z":1}],"additionalFields":{"new":{"a":1},"additionalFields":3,"x\"y":null}}"#
        );
        assert_eq!(unknown, ["additionalFields", "lines[].z", "new", "x\"y"]);
    }

    #[test]
    fn what_does_not_fit_is_nulled_kept_raw_and_reported_with_its_path() {
        let (record, changes, _) = transcode(
            r#"{"id":1,"name":{"a":[{}]},"payment":"paid","lines":[{"weight":"heavy","id":1.5},[],"x",{"id":4}]}"#,
        );
        assert_eq!(
            record,
            r#"{"id":1,"name":null,"payment":null,"lines":[{"weight":null,"id":null},null,null,{"id":4}],"additionalFields":{"name":{"a":[{}]},"payment":"paid","lines[0].weight":"heavy","lines[0].id":1.5,"lines[1]":[],"lines[2]":"x"}}"#
        );
        assert_eq!(changes, ["name", "payment", "lines[0].weight", "lines[0].id", "lines[1]", "lines[2]"]);
        let (record, changes, _) = transcode(r#"{"lines":{"a":1},"payment":[1]}"#);
        let kept = r#"{"lines":null,"payment":null,"additionalFields":{"lines":{"a":1},"payment":[1]}}"#;
        assert_eq!((record.as_str(), changes.len()), (kept, 2));
    }

    #[test]
    fn an_escape_that_stands_for_no_character_is_not_passed_on() {
        let (record, changes, _) =
            transcode(r#"{"id":1,"nick":"\ud83d","payment":{"x":["\ud83d"],"y":"\ud83d\ude00"}}"#);
        assert_eq!(
            record,
            r#"{"id":1,"payment":{"x":null,"y":"\ud83d\ude00"},"additionalFields":{"nick":null}}"#
        );
        assert_eq!(changes, ["nick", "payment.x"]);
    }

    #[test]
    fn what_is_nested_too_deep_is_kept_as_a_text() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let record = |levels| {
            transcode(&format!(r#"{{"id":1,"x":{},"payment":{{"y":{}}}}}"#, deep(levels), deep(levels))).0
        };
        let kept = |value: &str| {
            format!(r#"{{"id":1,"payment":{{"y":{value}}},"additionalFields":{{"x":{value}}}}}"#)
        };
        assert_eq!(record(DEEPEST), kept(&deep(DEEPEST)));
        let text = format!("\"{}\"", deep(DEEPEST + 1).replace('[', "\\u005b"));
        assert_eq!(record(DEEPEST + 1), kept(&text));
        assert!(record(10_000).len() > 20_000);
    }

    #[test]
    fn a_number_beyond_all_range_is_kept_as_a_text() {
        let digits = "9".repeat(400);
        let (record, changes, _) = transcode(&format!(
            r#"{{"id":1e9991,"x":[1e9991],"y":{digits},"lines":[{{"weight":1e400,"z":1e300}}]}}"#
        ));
        let kept = format!(
            r#"{{"id":null,"lines":[{{"weight":null,"z":1e300}}],"additionalFields":{{"id":"1e9991","x":"\u005b1e9991]","y":"{digits}","lines[0].weight":"1e400"}}}}"#
        );
        assert_eq!(record, kept);
        assert_eq!(changes, ["id", "lines[0].weight"]);
    }

    #[test]
    fn of_a_repeated_name_the_first_is_kept() {
        assert_eq!(transcode(r#"{"id":1,"id":2}"#).0, r#"{"id":1}"#);
    }

    #[test]
    fn an_item_that_is_no_object_is_no_record() {
        let shape = shape();
        for json in ["null", "3", "\"x\"", "[]", "true"] {
            let mut out = Vec::new();
            let mut deserializer = serde_json::Deserializer::from_str(json);
            assert!(
                Transcoder::new(&shape, Personal::Keep)
                    .seed(&mut out)
                    .deserialize(&mut deserializer)
                    .unwrap()
                    .is_none(),
                "{json}"
            );
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            "id",
            "name",
            "latest",
            "payment",
            "lines",
            "weight",
            "refunded",
            "additionalFields",
            ".{0,4}"
        ];
        leaf.prop_recursive(3, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(key.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_becomes_one_line_that_fits_the_schema(value in any_json()) {
            prop_assume!(value.is_object());
            let (record, ..) = transcode(&serde_json::to_string_pretty(&value).unwrap());
            prop_assert!(!record.contains('\n'));
            let parsed: Value = serde_json::from_str(&record).unwrap();
            let of = |name: &str| &parsed[name];
            prop_assert!(of("id").is_null() || of("id").is_i64() || of("id").is_u64() || record.contains("id\":"));
            prop_assert!(of("name").is_null() || of("name").is_string());
            prop_assert!(of("latest").is_null() || of("latest").is_boolean());
            prop_assert!(of("payment").is_null() || of("payment").is_object());
            prop_assert!(of("lines").is_null() || of("lines").is_array());
            for name in parsed.as_object().unwrap().keys() {
                prop_assert!(["id", "name", "latest", "payment", "lines", "additionalFields"].contains(&name.as_str()));
            }
        }
    }
}
