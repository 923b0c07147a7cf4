//! From the body of a response to rows.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::declared::{CREATED_FIELD, List, Paging, UPDATED_FIELD};
use crate::aifi::attempt::Rows;
use crate::doubt::{Doubt, Unusable};
use crate::failure::FailureKind;
use crate::protocol::output::Change;
use crate::record::findings::Findings;
use crate::record::list;
use crate::record::personal::Personal;
use crate::record::transcode::{Transcoder, Written};
use crate::timestamp;
use crate::unreadable::{self, Item, Reason};

/// What the body of a response held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The rows, in the order of the response.
    pub rows: Vec<Row>,
    /// Items without a primary key.
    pub unreadable: Vec<Item>,
}

impl Rows for Page {
    fn rows(&self) -> Option<usize> {
        // Where rows have numbers, something is in the place of an item that cannot be read.
        Some(self.rows.iter().filter(|row| !row.is_stand_in()).count() + self.unreadable.len())
    }
}

/// A listed row: the record, and what the reader needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The primary key, as text.
    pub id: Box<str>,
    /// When it was changed last, where the list tells it: its creation, where it says nothing of a change.
    pub updated: Option<DateTime<Utc>>,
    /// Its store, where the record tells it.
    pub store: Option<u64>,
    /// The record, as one line of JSON.
    pub data: Bytes,
    /// What could not be what the schema says.
    pub changes: Vec<Change>,
}

/// Reads pages of a list.
pub(crate) struct PageReader {
    list: &'static List,
    transcoder: Transcoder<'static>,
    /// Where the declarations of the fields we look at are in the schema.
    id: usize,
    updated: Option<usize>,
    created: Option<usize>,
    store: Option<usize>,
}

impl PageReader {
    /// For a list. `personal` says what is done to personal values.
    pub(crate) fn new(list: &'static List, personal: &Personal) -> Self {
        let shape = &list.schema.shape;
        Self {
            list,
            transcoder: Transcoder::new(shape, personal.clone()),
            id: shape.position_of(list.key),
            updated: shape.position(UPDATED_FIELD),
            created: shape.position(CREATED_FIELD).filter(|_| list.incremental),
            store: list.store.first().and_then(|name| shape.position(name)),
        }
    }

    /// What the schema does not expect, so far.
    pub(crate) fn findings(&self) -> &Findings {
        &self.transcoder.findings
    }

    /// Reads a body. It is unreadable when it is not whole JSON, and doubtful when it is JSON but not this list.
    pub(crate) fn read(&mut self, body: &[u8]) -> Result<Page, Unusable> {
        let List { name, rows: list, key, .. } = *self.list;
        let (out, written) =
            list::read(body, list, &mut self.transcoder).map_err(|why| why.of(name, list))?;
        let rows: Vec<Result<Row, Reason>> = written
            .into_iter()
            .map(|written| written.ok_or(Reason::NotAnObject).and_then(|written| self.row(&out, written)))
            .collect();
        if rows.iter().all(Result::is_ok) {
            return Ok(Page { rows: rows.into_iter().flatten().collect(), unreadable: Vec::new() });
        }
        let keys: Vec<_> = rows
            .iter()
            .map(|row| row.as_ref().map(|row| row.id.to_string()).map_err(|reason| *reason))
            .collect();
        let unreadable = unreadable::items(&keys, |positions| list::raw_items(body, list, positions));
        let mut raw = unreadable.iter().map(|item| &item.raw);
        let rows: Vec<Row> = rows
            .into_iter()
            .filter_map(|row| row.ok().or_else(|| Row::stand_in(self.list.paging, raw.next()?)))
            .collect();
        if rows.is_empty() {
            let text = format!("no record of the answer has a `{key}` that can be read");
            return Err(Doubt::new(FailureKind::NoId, text).into());
        }
        Ok(Page { rows, unreadable })
    }

    fn row(&self, out: &Bytes, mut written: Written) -> Result<Row, Reason> {
        // The values are as the schema declares them by now; a null counts as absent.
        let value = |position: usize| -> Option<&str> {
            let text = std::str::from_utf8(&out[written.fields[position].clone()]).ok()?;
            (!text.is_empty() && text != "null").then_some(text)
        };
        let text = |position| value(position).map(|text| text.trim_matches('"'));
        let date = |position: Option<usize>| position.and_then(text).and_then(timestamp::parse);
        let id = text(self.id).filter(|id| !id.is_empty()).ok_or(Reason::NoId)?;
        let store = self.store.and_then(value).and_then(|json| number_below(json, &self.list.store[1..]));
        Ok(Row {
            id: id.into(),
            updated: date(self.updated).or_else(|| date(self.created)),
            store,
            data: out.slice(written.data),
            changes: std::mem::take(&mut written.changes),
        })
    }
}

impl Row {
    /// What takes the place of an item without a key in a list whose rows have numbers, so that these hold. None in a list
    /// that is asked for by key.
    fn stand_in(paging: Paging, raw: &str) -> Option<Self> {
        (paging != Paging::After).then(|| Self {
            id: format!("\u{0}{:016x}", xxh3_64(raw.as_bytes())).into(),
            updated: None,
            store: None,
            data: Bytes::new(),
            changes: Vec::new(),
        })
    }

    /// Whether it only takes a place, and is not a record.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.id.starts_with('\0')
    }
}

/// The whole number, or the text of one, that is under these names in a JSON value.
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
        PageReader::new(list, &Personal::Keep)
            .read(body.as_bytes())
            .map(|page| page.rows)
            .map_err(Unusable::into_doubt)
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
            let page = PageReader::new(&STORES, &Personal::Keep).read(body.as_bytes());
            assert!(matches!(page, Err(Unusable::Unreadable(_))), "{body}");
        }
        assert_eq!(read(&STORES, r#"{"stores":[]}"#).unwrap(), []);
    }

    #[test]
    fn a_row_without_key_does_not_keep_the_others_away() {
        let at = r#""updatedAt":"2025-11-01T08:00:00Z""#;
        for id in ["", r#""id":null,"#, r#""id":"","#, r#""id":"x","#, r#""id":{},"#] {
            let item = format!("{{{id}{at}}}");
            let page = PageReader::new(&SESSIONS, &Personal::Keep)
                .read(format!(r#"{{"data":[{item},{{"id":7,{at}}}]}}"#).as_bytes());
            let page = page.unwrap();
            assert_eq!((page.rows.len(), &*page.rows[0].id), (1, "7"), "{id}");
            let Item { position, next, raw, .. } = &page.unreadable[0];
            assert_eq!((*position, next.as_deref(), raw.as_str()), (0, Some("7"), &*item));
            assert_eq!(
                read(&SESSIONS, &format!(r#"{{"data":[{item}]}}"#)).unwrap_err().kind,
                FailureKind::NoId
            );
        }
        assert!(read(&STORES, r#"{"stores":[{"id":""}]}"#).is_err());
    }

    #[test]
    fn where_rows_have_numbers_a_row_without_key_keeps_its_place() {
        let rows = read(&PRODUCTS, r#"{"products":[{"id":"5"},{"name":"x"},3,{"id":"6"}]}"#).unwrap();
        assert_eq!(rows.iter().map(Row::is_stand_in).collect::<Vec<_>>(), [false, true, true, false]);
        assert_ne!(rows[1].id, rows[2].id);
    }

    #[test]
    fn a_row_that_never_changed_counts_from_its_creation() {
        let created = r#""createdAt":"2025-11-01T08:00:00Z""#;
        for updated in ["", r#","updatedAt":null"#, r#","updatedAt":"soon""#] {
            let row = |rest: &str| {
                read(&SESSIONS, &format!(r#"{{"data":[{{"id":1{rest}{updated}}}]}}"#)).unwrap().remove(0)
            };
            assert_eq!(row(&format!(",{created}")).updated, timestamp::parse("2025-11-01T08:00:00Z"));
            assert_eq!(row("").updated, None);
        }
    }
}
