//! From the body of an answer to rows.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::streams::OrderStream;
use super::{CURSOR_FIELD, PRIMARY_KEY};
use crate::doubt::Doubt;
use crate::failure::FailureKind;
use crate::protocol::output::Change;
use crate::record::list;
use crate::record::shape::{Property, Shape};
use crate::record::transcode::{Transcoder, Written};
use crate::timestamp;

/// One listed version of an order: the record, and what the reader needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `draftCreatedAt`.
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
    /// Its amounts.
    pub amounts: Amounts,
    /// The record, as one line of JSON.
    pub data: Bytes,
    /// What could not be what the schema says.
    pub changes: Vec<Change>,
}

/// The amounts of an order, exactly; none where the API sends none, or no decimal number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// `subtotalPrice`.
    pub subtotal: Option<Decimal>,
    /// `totalTax`.
    pub tax: Option<Decimal>,
    /// `totalPrice`.
    pub total: Option<Decimal>,
}

/// Reads pages of the orders list.
pub struct PageReader {
    transcoder: Transcoder<'static>,
    fields: Fields,
}

/// Where the declarations of the fields we look at stand in the schema.
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
    /// For the `orders` stream.
    pub fn of_orders() -> Self {
        let shape = &OrderStream::Orders.schema().shape;
        Self { transcoder: Transcoder::new(shape), fields: Fields::of(shape) }
    }

    /// Names of fields that the schema does not know, so far.
    pub fn unknown_fields(&self) -> &BTreeSet<String> {
        &self.transcoder.unknown
    }

    /// How many answers were not strict JSON, and were repaired, so far.
    pub fn repaired(&self) -> u64 {
        self.transcoder.repaired
    }

    /// Reads a body. It is unreadable when it is not whole JSON, and doubtful when it is JSON but not a list of orders.
    pub fn read(&mut self, body: &[u8]) -> Result<Result<Vec<Row>, Doubt>, anyhow::Error> {
        let (out, written) = match list::read(body, "data", &mut self.transcoder)? {
            Ok(records) => records,
            Err(why) => {
                let text = format!("an answer has no list of orders in `data` ({why})");
                return Ok(Err(Doubt::new(FailureKind::NotAPage, text)));
            }
        };
        Ok(written.into_iter().map(|written| self.fields.row(&out, written)).collect())
    }
}

impl Fields {
    fn of(shape: &Shape) -> Self {
        let Shape::Object(properties) = shape else { unreachable!("every stream's schema is an object") };
        let position = |name: &str| -> usize {
            let is_it = |property: &Property| property.name == name;
            properties
                .iter()
                .position(is_it)
                .expect("the schema declares the fields we look at, which a test proves")
        };
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

    fn row(&self, out: &Bytes, mut written: Written) -> Result<Row, Doubt> {
        // The values are as the schema declares them by now; a null counts as absent.
        let value = |position: usize| -> Option<&str> {
            let text = std::str::from_utf8(&out[written.fields[position].clone()]).ok()?;
            (!text.is_empty() && text != "null").then_some(text)
        };
        let text = |position| value(position).map(|text| text.trim_matches('"'));
        let number = |position| value(position).and_then(|text| text.parse::<u64>().ok());
        let amount = |position| text(position).and_then(|text| Decimal::from_str_exact(text).ok());
        let id = number(self.id)
            .ok_or_else(|| Doubt::new(FailureKind::NoId, "an order has no `id` that is a whole number"))?;
        let at = text(self.at).and_then(timestamp::parse).ok_or_else(|| {
            Doubt::new(FailureKind::NoCursor, format!("order {id} has no `{CURSOR_FIELD}` that is a date"))
        })?;
        Ok(Row {
            at,
            id,
            version: number(self.version).unwrap_or(0),
            is_latest: value(self.is_latest).map(|text| text == "true"),
            session: text(self.session).filter(|text| !text.is_empty()).map(Into::into),
            status: text(self.status).map(Into::into),
            store_id: number(self.store_id),
            updated: text(self.updated).and_then(timestamp::parse),
            superseded: false,
            amounts: Amounts {
                subtotal: amount(self.subtotal),
                tax: amount(self.tax),
                total: amount(self.total),
            },
            data: out.slice(written.data),
            changes: std::mem::take(&mut written.changes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Result<Vec<Row>, Doubt>, anyhow::Error> {
        PageReader::of_orders().read(body.as_bytes())
    }

    #[test]
    fn rows_are_read_from_data_whatever_stands_around_it() {
        let body = r#"{"total": 2, "data": [
            {"id": "9007199254740993", "draftCreatedAt": "2025-11-01T08:00:00.120Z", "version": 2, "isLatest": 0, "status": "paid", "storeId": "7"},
            {"draftCreatedAt": "2025-11-01T09:00:00.120+01:00", "id": 1, "sessionId": "s"}], "pagination": {"next": null}}"#;
        let rows = read(body).unwrap().unwrap();
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
        assert_eq!(read(r#"{"data":[]}"#).unwrap().unwrap(), []);
    }

    #[test]
    fn what_is_not_whole_json_is_unreadable() {
        for body in ["", "<html></html>", r#"{"data":[{"id":1"#, r#"{"data":[]"#, r#"{"data":[]}x"#] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn one_bad_byte_or_number_does_not_keep_the_page_away() {
        let body = b"\xef\xbb\xbf{\"data\":[{\"id\":1,\"draftCreatedAt\":\"2025-11-01T08:00:00Z\",\"extraText\":\"caf\xe9\t\",\"products\":[{\"weight\":NaN}]},
            {\"id\":2,\"draftCreatedAt\":\"2025-11-01T08:00:01Z\"}]}";
        let mut pages = PageReader::of_orders();
        let rows = pages.read(body).unwrap().unwrap();
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 2]);
        let record: serde_json::Value = serde_json::from_slice(&rows[0].data).unwrap();
        assert_eq!(record["extraText"], "caf\u{fffd}\t");
        assert!(record["products"][0]["weight"].is_null());
        assert_eq!(rows[0].changes[0].field, "products[0].weight");
        assert_eq!(pages.repaired(), 1);
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
            assert_eq!(read(body).unwrap().unwrap_err().kind, FailureKind::NotAPage, "{body}");
        }
    }

    #[test]
    fn an_order_without_id_or_cursor_is_a_doubt_of_its_own() {
        let one = |order: &str| read(&format!(r#"{{"data":[{order}]}}"#)).unwrap().unwrap_err().kind;
        let draft = r#""draftCreatedAt":"2025-11-01T08:00:00Z""#;
        for id in ["", r#""id":null,"#, r#""id":"x","#, r#""id":1.5,"#, r#""id":-3,"#] {
            assert_eq!(one(&format!("{{{id}{draft}}}")), FailureKind::NoId, "{id}");
        }
        for draft in ["", r#","draftCreatedAt":null"#, r#","draftCreatedAt":"soon""#] {
            assert_eq!(one(&format!(r#"{{"id":1{draft}}}"#)), FailureKind::NoCursor, "{draft}");
        }
    }
}
