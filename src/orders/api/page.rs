//! From the body of a response to rows.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::aifi::attempt::Rows;
use crate::doubt::{Doubt, Unusable};
use crate::failure::FailureKind;
use crate::orders::streams::OrderStream;
use crate::orders::{CURSOR_FIELD, PRIMARY_KEY};
use crate::protocol::output::Change;
use crate::record::findings::Findings;
use crate::record::list;
use crate::record::personal::Personal;
use crate::record::shape::Shape;
use crate::record::transcode::{Transcoder, Written};
use crate::timestamp;
use crate::unreadable::{self, Item, Reason};

/// What the body of a response held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The orders, in the order of the response.
    pub rows: Vec<Row>,
    /// Those without a `draftCreatedAt` that is a date: the walk cannot place them, and bounds do not concern them.
    pub undated: Vec<Row>,
    /// Items that are not orders.
    pub unreadable: Vec<Item>,
}

impl Rows for Page {
    fn rows(&self) -> Option<usize> {
        Some(self.rows.len() + self.undated.len() + self.unreadable.len())
    }
}

impl Page {
    /// That there is no order which the walk can place, among items that it cannot, says nothing of those that were asked for.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        if !self.rows.is_empty() {
            return None;
        }
        if let Some(order) = self.undated.first() {
            let text =
                format!("no order of the answer has a `{CURSOR_FIELD}` that is a date, like {}", order.id);
            return Some(Doubt::new(FailureKind::NoCursor, text));
        }
        let text = "no order of the answer has an `id` that is a whole number";
        (!self.unreadable.is_empty()).then(|| Doubt::new(FailureKind::NoId, text))
    }
}

/// What stands for the draft date of an order that has none. No walk sees such an order.
pub(crate) const UNDATED: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// One listed version of an order: the record, and what the reader needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// `draftCreatedAt`; [`UNDATED`] in [`Page::undated`].
    pub at: DateTime<Utc>,
    /// `id`.
    pub id: u64,
    /// `version`; 0 where the API sends none.
    pub version: u64,
    /// `isLatest`, where the API says it.
    pub is_latest: Option<bool>,
    /// `sessionId`, as it is spelt in JSON.
    pub session: Option<Box<str>>,
    /// `status`.
    pub status: Option<Box<str>>,
    /// `storeId`.
    pub store_id: Option<u64>,
    /// `updatedAt`.
    pub updated: Option<DateTime<Utc>>,
    /// A newer version of its order is listed, so it is not the order's record.
    pub superseded: bool,
    /// It says itself that it is superseded, and its successor, which has another id, is listed with it.
    pub replaced: bool,
    /// It says itself that it is superseded, and no successor is listed with it.
    pub alone: bool,
    /// Its amounts.
    pub amounts: Amounts,
    /// The record, as one line of JSON.
    pub data: Bytes,
    /// What could not be what the schema says.
    pub changes: Vec<Change>,
}

/// The amounts of an order, exactly; none where the API sends none, or no decimal number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    /// `subtotalPrice`.
    pub subtotal: Option<Decimal>,
    /// `totalTax`.
    pub tax: Option<Decimal>,
    /// `totalPrice`.
    pub total: Option<Decimal>,
}

/// Reads pages of the orders list.
pub(crate) struct PageReader {
    transcoder: Transcoder<'static>,
    fields: Fields,
}

/// Where the declarations of the fields we look at are in the schema.
struct Fields {
    id: usize,
    at: usize,
    version: usize,
    is_latest: usize,
    session: usize,
    status: usize,
    store_id: usize,
    updated: usize,
    subtotal: usize,
    tax: usize,
    total: usize,
}

impl PageReader {
    /// For the `orders` stream. `personal` says what is done to personal values.
    pub(crate) fn of_orders(personal: &Personal) -> Self {
        let shape = &OrderStream::Orders.schema().shape;
        Self { transcoder: Transcoder::new(shape, personal.clone()), fields: Fields::of(shape) }
    }

    /// What the schema does not expect, so far.
    pub(crate) fn findings(&self) -> &Findings {
        &self.transcoder.findings
    }

    /// Reads a body. It is unreadable when it is not whole JSON, and doubtful when it is JSON but not a list of objects.
    pub(crate) fn read(&mut self, body: &[u8]) -> Result<Page, Unusable> {
        const LIST: &str = "data";
        let (out, written) =
            list::read(body, LIST, &mut self.transcoder).map_err(|why| why.of("orders", LIST))?;
        let mut page = Page::default();
        let mut keys = Vec::with_capacity(written.len());
        for written in written {
            let row = written.ok_or(Reason::NotAnObject).and_then(|written| self.fields.row(&out, written));
            keys.push(row.as_ref().map(|(row, _)| row.id).map_err(|reason| *reason));
            match row {
                Ok((row, true)) => page.rows.push(row),
                Ok((row, false)) => page.undated.push(row),
                Err(_) => (),
            }
        }
        if keys.iter().any(Result::is_err) {
            let keys: Vec<_> = keys.into_iter().map(|key| key.map(|id| id.to_string())).collect();
            page.unreadable = unreadable::items(&keys, |positions| list::raw_items(body, LIST, positions));
        }
        Ok(page)
    }
}

impl Fields {
    fn of(shape: &Shape) -> Self {
        let position = |name: &str| shape.position_of(name);
        Self {
            id: position(PRIMARY_KEY),
            at: position(CURSOR_FIELD),
            version: position("version"),
            is_latest: position("isLatest"),
            session: position("sessionId"),
            status: position("status"),
            store_id: position("storeId"),
            updated: position("updatedAt"),
            subtotal: position("subtotalPrice"),
            tax: position("totalTax"),
            total: position("totalPrice"),
        }
    }

    /// The order, and whether it is dated.
    fn row(&self, out: &Bytes, mut written: Written) -> Result<(Row, bool), Reason> {
        // The values are as the schema declares them by now; a null counts as absent.
        let value = |position: usize| -> Option<&str> {
            let text = std::str::from_utf8(&out[written.fields[position].clone()]).ok()?;
            (!text.is_empty() && text != "null").then_some(text)
        };
        let text = |position| value(position).map(|text| text.trim_matches('"'));
        let number = |position| value(position).and_then(|text| text.parse::<u64>().ok());
        let amount = |position| text(position).and_then(|text| Decimal::from_str_exact(text).ok());
        let id = number(self.id).ok_or(Reason::NoId)?;
        let at = text(self.at).and_then(timestamp::parse);
        let row = Row {
            at: at.unwrap_or(UNDATED),
            id,
            version: number(self.version).unwrap_or(0),
            is_latest: value(self.is_latest).map(|text| text == "true"),
            session: text(self.session).filter(|text| !text.is_empty()).map(Into::into),
            status: text(self.status).map(Into::into),
            store_id: number(self.store_id),
            updated: text(self.updated).and_then(timestamp::parse),
            superseded: false,
            replaced: false,
            alone: false,
            amounts: Amounts {
                subtotal: amount(self.subtotal),
                tax: amount(self.tax),
                total: amount(self.total),
            },
            data: out.slice(written.data),
            changes: std::mem::take(&mut written.changes),
        };
        Ok((row, at.is_some()))
    }
}

/// The digest that states of version 0.3.0 and before hold.
pub(crate) fn digest_of_bytes(row: &Row) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&row.data)
}

/// The digest of a record.
pub(crate) fn digest(row: &Row) -> u64 {
    crate::record::digest::digest(&row.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Page {
        PageReader::of_orders(&Personal::Keep).read(body.as_bytes()).unwrap()
    }

    fn read(body: &str) -> Result<Vec<Row>, Unusable> {
        let page = PageReader::of_orders(&Personal::Keep).read(body.as_bytes())?;
        page.doubt().map_or(Ok(page.rows), |doubt| Err(doubt.into()))
    }

    #[test]
    fn rows_are_read_from_data_whatever_stands_around_it() {
        let body = r#"{"total": 2, "data": [
            {"id": "9007199254740993", "draftCreatedAt": "2025-11-01T08:00:00.120Z", "version": 2, "isLatest": 0, "status": "paid", "storeId": "7"},
            {"draftCreatedAt": "2025-11-01T09:00:00.120+01:00", "id": 1, "sessionId": "s"}], "pagination": {"next": null}}"#;
        let rows = read(body).unwrap();
        assert_eq!(
            (rows[0].id, rows[0].version, rows[0].is_latest, rows[0].store_id),
            (9_007_199_254_740_993, 2, Some(false), Some(7))
        );
        assert_eq!(
            (rows[0].status.as_deref(), rows[1].session.as_deref(), rows[1].is_latest),
            (Some("paid"), Some("s"), None)
        );
        assert_eq!(rows[0].at, rows[1].at);
        assert_eq!(rows[1].data, r#"{"draftCreatedAt":"2025-11-01T08:00:00.120Z","id":1,"sessionId":"s"}"#);
        assert_eq!(read(r#"{"data":[]}"#).unwrap(), []);
    }

    #[test]
    fn what_is_not_whole_json_is_unreadable() {
        for body in ["", "<html></html>", r#"{"data":[{"id":1"#, r#"{"data":[]"#, r#"{"data":[]}x"#] {
            assert!(matches!(read(body), Err(Unusable::Unreadable(_))), "{body}");
        }
    }

    #[test]
    fn one_bad_byte_or_number_does_not_keep_the_page_away() {
        let body = b"\xef\xbb\xbf{\"data\":[{\"id\":1,\"draftCreatedAt\":\"2025-11-01T08:00:00Z\",\"extraText\":\"caf\xe9\t\",\"products\":[{\"weight\":NaN}]},
            {\"id\":2,\"draftCreatedAt\":\"2025-11-01T08:00:01Z\"}]}";
        let mut pages = PageReader::of_orders(&Personal::Keep);
        let rows = pages.read(body).unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 2]);
        let record: serde_json::Value = serde_json::from_slice(&rows[0].data).unwrap();
        assert_eq!(record["extraText"], "caf\u{fffd}\t");
        assert!(record["products"][0]["weight"].is_null());
        assert_eq!(rows[0].changes[0].field, "products[0].weight");
        assert_eq!(pages.findings().repaired, 1);
    }

    #[test]
    fn json_that_is_no_page_is_never_taken_for_an_empty_one() {
        for body in [
            "{}",
            "[]",
            "null",
            "3",
            r#"{"message":"ok"}"#,
            r#"{"data":null}"#,
            r#"{"data":{}}"#,
            r#"{"data":[1]}"#,
            r#"{"data":[null]}"#,
        ] {
            assert_eq!(read(body).unwrap_err().into_doubt().kind, FailureKind::NotAPage, "{body}");
        }
    }

    #[test]
    fn an_order_without_id_or_date_does_not_keep_the_others_away() {
        let draft = r#""draftCreatedAt":"2025-11-01T08:00:00Z""#;
        for id in ["", r#""id":null,"#, r#""id":"x","#, r#""id":1.5,"#, r#""id":-3,"#] {
            let item = format!("{{{id}{draft}}}");
            let page = page(&format!(r#"{{"data":[{{"id":4,{draft}}}, {item},{{"id":9,{draft}}},[1]]}}"#));
            assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [4, 9], "{id}");
            let places = |at: usize| {
                let Item { position, reason, previous, next, raw } = &page.unreadable[at];
                (*position, *reason, previous.as_deref(), next.as_deref(), raw.as_str())
            };
            assert_eq!(places(0), (1, Reason::NoId, Some("4"), Some("9"), &*item));
            assert_eq!(places(1), (3, Reason::NotAnObject, Some("9"), None, "[1]"));
        }
        for at in ["", r#","draftCreatedAt":null"#, r#","draftCreatedAt":"soon""#] {
            let page = page(&format!(r#"{{"data":[{{"id":1{at}}},{{"id":2,{draft}}}]}}"#));
            assert_eq!((page.undated[0].id, page.rows[0].id, page.rows.len()), (1, 2, 1), "{at}");
        }
    }

    #[test]
    fn an_answer_of_such_items_alone_is_never_taken_for_an_empty_one() {
        let draft = r#""draftCreatedAt":"2025-11-01T08:00:00Z""#;
        let one = |order: &str| read(&format!(r#"{{"data":[{order}]}}"#)).unwrap_err().into_doubt().kind;
        assert_eq!(one(&format!("{{{draft}}},3")), FailureKind::NoId);
        assert_eq!(one(r#"{"id":1}"#), FailureKind::NoCursor);
    }
}
