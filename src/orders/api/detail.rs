//! The page of one order (`GET /orders/{orderId}`): from its body to a record, held against the list. Pure.
//!
//! That it is the bare object is inferred. Whether it can lag behind the list is unknown: it is requested again, and if that
//! does not help, it is written and counted.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::aifi::attempt::Rows;
use crate::doubt::{Doubt, MAX_ATTEMPTS, Unusable};
use crate::failure::{Failure, FailureKind};
use crate::orders::api::page::{Row, UNDATED};
use crate::orders::streams::OrderStream;
use crate::orders::{CURSOR_FIELD, PATH, PRIMARY_KEY};
use crate::protocol::output::Change;
use crate::record::findings::Findings;
use crate::record::object;
use crate::record::personal::Personal;
use crate::record::transcode::Transcoder;
use crate::timestamp;

/// The number of an order that is only asked to see whether there are pages.
pub(crate) const TRIAL: u64 = u64::MAX;

/// An order whose page is due, as it was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) number: u64,
    /// `id`.
    pub id: u64,
    /// `version`; 0 where the API sends none.
    pub version: u64,
    /// `draftCreatedAt`.
    pub at: DateTime<Utc>,
    /// `updatedAt`.
    pub updated: Option<DateTime<Utc>>,
}

impl Due {
    /// The order is the `number`-th whose page is due.
    pub(crate) fn new(number: u64, order: &Row) -> Self {
        Self { number, id: order.id, version: order.version, at: order.at, updated: order.updated }
    }

    /// Whether it is only asked to see whether there are pages: it is not the order's turn yet.
    pub(crate) fn is_trial(&self) -> bool {
        self.number == TRIAL
    }
}

/// A record of the stream `order_details`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    /// One line of JSON.
    pub data: Bytes,
    /// What could not be what the schema says.
    pub changes: Vec<Change>,
    /// It is older than what was listed.
    pub behind: bool,
}

impl Rows for Detail {
    fn rows(&self) -> Option<usize> {
        Some(1)
    }
}

/// How often a page that is not there, or older than the list, is asked for before that is believed.
const ATTEMPTS: u32 = 3;

/// What a response to the request for the page of an order says.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The page.
    Page(Detail),
    /// The order has no page.
    NoPage,
    /// It cannot be believed yet, for this reason.
    Again(String),
}

/// What came for an order.
#[derive(Debug)]
pub(crate) enum DetailResponse {
    /// Its page.
    Page(Detail),
    /// Something that cannot be believed.
    Doubtful(Doubt),
    /// No page: the request failed.
    Failed(Failure),
}

impl From<Result<Detail, Doubt>> for DetailResponse {
    fn from(read: Result<Detail, Doubt>) -> Self {
        match read {
            Ok(detail) => Self::Page(detail),
            Err(doubt) => Self::Doubtful(doubt),
        }
    }
}

/// Judges what came for an order at the nth attempt, from 1.
///
/// # Errors
/// Where the page cannot be read, however often it is asked for.
pub(crate) fn judge(order: &Due, attempt: u32, answer: DetailResponse) -> Result<Verdict, Failure> {
    match answer {
        DetailResponse::Page(detail) if !detail.behind || attempt >= ATTEMPTS => Ok(Verdict::Page(detail)),
        DetailResponse::Page(_) => {
            Ok(Verdict::Again("the page of an order is older than the list".to_owned()))
        }
        DetailResponse::Doubtful(doubt) if attempt >= MAX_ATTEMPTS => {
            Err(doubt.into_failure("order details", attempt).at(format!("GET {PATH}/{}", order.id)))
        }
        DetailResponse::Doubtful(doubt) => Ok(Verdict::Again(doubt.what)),
        DetailResponse::Failed(failure) if failure.kind != FailureKind::NotFound => Err(failure),
        DetailResponse::Failed(_) if attempt >= ATTEMPTS => Ok(Verdict::NoPage),
        DetailResponse::Failed(_) => Ok(Verdict::Again("a listed order has no page".to_owned())),
    }
}

/// Reads pages of single orders.
pub(crate) struct DetailReader {
    transcoder: Transcoder<'static>,
    id: usize,
    at: usize,
    version: usize,
    updated: usize,
}

impl DetailReader {
    /// For the stream `order_details`. `personal` says what is done to personal values.
    pub(crate) fn of_details(personal: &Personal) -> Self {
        let shape = &OrderStream::Details.schema().shape;
        Self {
            transcoder: Transcoder::new(shape, personal.clone()),
            id: shape.position_of(PRIMARY_KEY),
            at: shape.position_of(CURSOR_FIELD),
            version: shape.position_of("version"),
            updated: shape.position_of("updatedAt"),
        }
    }

    /// What the schema does not expect, so far.
    pub(crate) fn findings(&self) -> &Findings {
        &self.transcoder.findings
    }

    /// Reads the body of the response for an order. A body that is not whole JSON is an error, another order's page a doubt.
    pub(crate) fn read(&mut self, body: &[u8], order: &Due) -> Result<Detail, Unusable> {
        let Some((out, written)) = object::read(body, &mut self.transcoder)? else {
            let text = format!("the page of order {} is not an object", order.id);
            return Err(Doubt::new(FailureKind::NotAPage, text).into());
        };
        let text = |position: usize| {
            let text = std::str::from_utf8(&out[written.fields[position].clone()]).unwrap_or_default();
            Some(text.trim_matches('"')).filter(|text| !text.is_empty() && *text != "null")
        };
        let number = |position| text(position).and_then(|text| text.parse::<u64>().ok());
        if number(self.id) != Some(order.id) {
            let text =
                format!("the page of order {} has the id {}", order.id, text(self.id).unwrap_or("null"));
            return Err(Doubt::new(FailureKind::NotAPage, text).into());
        }
        let older = number(self.version).is_some_and(|version| version < order.version);
        let updated = text(self.updated).and_then(timestamp::parse);
        let earlier = order.updated.zip(updated).is_some_and(|(listed, updated)| updated < listed);
        let data = if text(self.at).is_none() && order.at != UNDATED {
            // The list has the cursor.
            object::with_field(&out, CURSOR_FIELD, &format!("\"{}\"", timestamp::write(order.at))).into()
        } else {
            out.slice(written.data)
        };
        Ok(Detail { data, changes: written.changes, behind: older || earlier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::page::Row;
    use crate::orders::api::testing::row;

    fn read(body: &str, order: &Due) -> Result<Detail, Unusable> {
        DetailReader::of_details(&Personal::Keep).read(body.as_bytes(), order)
    }

    fn listed() -> Due {
        let updated = timestamp::parse("2025-11-02T00:00:00Z");
        Due::new(0, &Row { version: 2, updated, ..row(0, 7) })
    }

    #[test]
    fn a_page_becomes_a_record_with_its_line_items() {
        let body = r#"{"id":"7","draftCreatedAt":"2025-11-01T00:00:00Z","version":2,"lineItems":[{"quantity":1,"status":"ADDED","productSnapshot":{"price":"1.10"}}],"x":1}"#;
        let detail = read(body, &listed()).unwrap();
        assert_eq!(
            detail.data,
            r#"{"id":7,"draftCreatedAt":"2025-11-01T00:00:00Z","version":2,"lineItems":[{"quantity":1,"status":"ADDED","productSnapshot":{"price":"1.10"}}],"additionalFields":{"x":1}}"#
        );
        assert!(!detail.behind);
    }

    #[test]
    fn a_page_without_the_cursor_has_it_from_the_list() {
        let detail = read(r#"{"id":7}"#, &listed()).unwrap();
        assert_eq!(detail.data, r#"{"draftCreatedAt":"2025-11-01T00:00:00.000Z","id":7}"#);
    }

    #[test]
    fn a_page_that_lags_behind_the_list_is_known() {
        for (body, behind) in [
            (r#"{"id":7,"version":1}"#, true),
            (r#"{"id":7,"version":2,"updatedAt":"2025-11-01T23:59:59Z"}"#, true),
            (r#"{"id":7,"version":3,"updatedAt":"2025-11-02T00:00:01Z"}"#, false),
            (r#"{"id":7,"version":null,"updatedAt":"soon"}"#, false),
        ] {
            assert_eq!(read(body, &listed()).unwrap().behind, behind, "{body}");
        }
    }

    #[test]
    fn another_orders_page_and_what_is_no_page_is_never_written() {
        for body in [r#"{"id":8}"#, "{}", r#"{"id":null}"#, "[]", "null", "3", r#"{"message":"ok"}"#] {
            assert_eq!(read(body, &listed()).unwrap_err().into_doubt().kind, FailureKind::NotAPage, "{body}");
        }
        for body in ["", r#"{"id":7"#, "<html>", r#"{"id":7}x"#] {
            assert!(read(body, &listed()).is_err(), "{body}");
        }
    }
}
