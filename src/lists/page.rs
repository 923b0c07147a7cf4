//! From the body of an answer to rows.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::declared::{List, UPDATED_FIELD};
use crate::doubt::Doubt;
use crate::failure::FailureKind;
use crate::protocol::output::Change;
use crate::record::list;
use crate::record::shape::Shape;
use crate::record::transcode::{Transcoder, Written};
use crate::timestamp;

/// A listed row: the record, and what the reader needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The primary key, as text.
    pub id: Box<str>,
    /// When it was changed last, where the list tells it.
    pub updated: Option<DateTime<Utc>>,
    /// Its store, where the record tells it.
    pub store: Option<u64>,
    /// The record, as one line of JSON.
    pub data: Bytes,
    /// What could not be what the schema says.
    pub changes: Vec<Change>,
}

/// Reads pages of a list.
pub struct PageReader {
    list: &'static List,
    transcoder: Transcoder<'static>,
    /// Where the declarations of the fields we look at stand in the schema.
    id: usize,
    updated: Option<usize>,
    store: Option<usize>,
}

impl PageReader {
    /// For a list.
    pub fn new(list: &'static List) -> Self {
        let shape = &list.schema.shape;
        let Shape::Object(properties) = shape else { unreachable!("every stream's schema is an object") };
        let position = |name: &str| properties.iter().position(|property| property.name == name);
        Self {
            list,
            transcoder: Transcoder::new(shape),
            id: position(list.key).expect("the schema declares the primary key, which a test proves"),
            updated: position(UPDATED_FIELD),
            store: list.store.first().and_then(|name| position(name)),
        }
    }

    /// Names of fields that the schema does not know, so far.
    pub fn unknown_fields(&self) -> &BTreeSet<String> {
        &self.transcoder.unknown
    }

    /// How many answers were not strict JSON, and were repaired, so far.
    pub fn repaired(&self) -> u64 {
        self.transcoder.repaired
    }

    /// Reads a body. It is unreadable when it is not whole JSON, and doubtful when it is JSON but not this list.
    pub fn read(&mut self, body: &[u8]) -> Result<Result<Vec<Row>, Doubt>, anyhow::Error> {
        let (out, written) = match list::read(body, self.list.rows, &mut self.transcoder)? {
            Ok(records) => records,
            Err(why) => {
                let List { name, rows, .. } = self.list;
                let text = format!("an answer has no list of {name} in `{rows}` ({why})");
                return Ok(Err(Doubt::new(FailureKind::NotAPage, text)));
            }
        };
        Ok(written.into_iter().map(|written| self.row(&out, written)).collect())
    }

    fn row(&self, out: &Bytes, mut written: Written) -> Result<Row, Doubt> {
        // The values are as the schema declares them by now; a null counts as absent.
        let value = |position: usize| -> Option<&str> {
            let text = std::str::from_utf8(&out[written.fields[position].clone()]).ok()?;
            (!text.is_empty() && text != "null").then_some(text)
        };
        let text = |position| value(position).map(|text| text.trim_matches('"'));
        let List { name, key, .. } = self.list;
        let id = text(self.id).filter(|id| !id.is_empty()).ok_or_else(|| {
            Doubt::new(FailureKind::NoId, format!("a record of {name} has no `{key}` that can be read"))
        })?;
        let updated = self.updated.and_then(text).and_then(timestamp::parse);
        if self.list.incremental && updated.is_none() {
            let text = format!("the record {id} of {name} has no `{UPDATED_FIELD}` that is a date");
            return Err(Doubt::new(FailureKind::NoCursor, text));
        }
        let store = self.store.and_then(value).and_then(|json| number_below(json, &self.list.store[1..]));
        Ok(Row {
            id: id.into(),
            updated,
            store,
            data: out.slice(written.data),
            changes: std::mem::take(&mut written.changes),
        })
    }
}

/// The whole number, or the text of one, that stands under these names in a JSON value.
fn number_below(json: &str, names: &[&str]) -> Option<u64> {
    let value: Value = serde_json::from_str(json).ok()?;
    match names.iter().fold(&value, |value, name| &value[name]) {
        Value::String(digits) => digits.parse().ok(),
        value => value.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::declared::{CONTESTS, PRODUCTS, SESSIONS, STORES};
    use super::*;

    fn read(list: &'static List, body: &str) -> Result<Vec<Row>, Doubt> {
        PageReader::new(list).read(body.as_bytes()).unwrap()
    }

    #[test]
    fn key_change_and_store_are_found_where_each_list_has_them() {
        let at = r#""updatedAt":"2025-11-01T08:00:00.120Z""#;
        let contests =
            format!(r#"{{"contestedOrders":[{{"id":"5",{at},"order":{{"storeId":"7","id":1}}}}]}}"#);
        let sessions = format!(r#"{{"data":[{{"storeId":"7",{at},"id":5}}],"pagination":null}}"#);
        let updated = timestamp::parse("2025-11-01T08:00:00.120Z");
        for (list, body, updated, store) in [
            (&CONTESTS, contests.as_str(), updated, Some(7)),
            (&SESSIONS, &sessions, updated, Some(7)),
            (&STORES, r#"{"stores":[{"id":5}]}"#, None, Some(5)),
            (&PRODUCTS, r#"{"products":[{"id":"5"}]}"#, None, None),
        ] {
            let rows = read(list, body).unwrap();
            assert_eq!(
                (&*rows[0].id, rows[0].updated, rows[0].store),
                ("5", updated, store),
                "{}",
                list.name
            );
        }
    }

    #[test]
    fn json_that_is_no_page_is_never_taken_for_an_empty_one() {
        for body in ["{}", "[]", "null", r#"{"data":[]}"#, r#"{"stores":null}"#, r#"{"stores":[3]}"#] {
            assert_eq!(read(&STORES, body).unwrap_err().kind, FailureKind::NotAPage, "{body}");
        }
        for body in ["", "<html></html>", r#"{"stores":[]"#] {
            assert!(PageReader::new(&STORES).read(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(read(&STORES, r#"{"stores":[]}"#).unwrap(), []);
    }

    #[test]
    fn a_row_without_key_or_change_is_a_doubt_of_its_own() {
        let one = |row: &str| read(&SESSIONS, &format!(r#"{{"data":[{row}]}}"#)).unwrap_err().kind;
        let at = r#""updatedAt":"2025-11-01T08:00:00Z""#;
        for id in ["", r#""id":null,"#, r#""id":"","#, r#""id":"x","#, r#""id":{},"#] {
            assert_eq!(one(&format!("{{{id}{at}}}")), FailureKind::NoId, "{id}");
        }
        for updated in ["", r#","updatedAt":null"#, r#","updatedAt":"soon""#] {
            assert_eq!(one(&format!(r#"{{"id":1{updated}}}"#)), FailureKind::NoCursor, "{updated}");
        }
        assert!(read(&STORES, r#"{"stores":[{"id":""}]}"#).is_err());
    }
}
