//! A body of the inbox becomes a response, checked against its request. Pure.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::SCHEMA;
use super::query::Query;
use super::record::Event;
use crate::aifi::attempt::Rows;
use crate::doubt::{Doubt, Unusable};
use crate::failure::{FailureKind, why_not_json};
use crate::protocol::output::Change;
use crate::record::findings::Findings;
use crate::record::personal::Personal;
use crate::record::transcode::Transcoder;

/// What the inbox says.
#[derive(Debug)]
pub(crate) enum Response {
    /// The events after a place.
    Page(Page),
    /// The log does not hold what was seen there: both sides agree up to this number only.
    Rewound(u64),
    /// The inbox does not say what this connector needs to know: it is an older version.
    TooOld,
}

impl Rows for Response {
    fn rows(&self) -> Option<usize> {
        match self {
            Self::Page(page) => Some(page.events.len()),
            Self::Rewound(_) | Self::TooOld => None,
        }
    }
}

/// Events after a place.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The records, one behind the other.
    pub records: Bytes,
    /// The events, in order.
    pub events: Vec<Row>,
    /// Whether more events follow.
    pub more: bool,
    /// Every event up to this number is in this page or in those before it.
    pub through: u64,
    /// The highest number given.
    pub head: u64,
    /// Events up to this number may have been deleted.
    pub pruned: u64,
}

/// An event whose record is written.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number.
    pub seq: u64,
    /// What names it.
    pub event: String,
    /// Whether it is a checkout event as documented.
    pub recognised: bool,
    /// How many lower numbers it may have had: one for each delivery and for each response of a relay.
    pub moves: u64,
    /// Where its record is in [`Page::records`].
    pub data: Range<usize>,
    /// What could not be what the schema says.
    pub changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(default, borrow)]
    events: Option<Vec<&'a RawValue>>,
    more: Option<bool>,
    head: Option<u64>,
    after: Option<u64>,
    #[serde(default, borrow)]
    seen: Option<Cow<'a, str>>,
    through: Option<u64>,
    #[serde(default)]
    pruned: u64,
    #[serde(default)]
    rewound: bool,
    agreed: Option<u64>,
}

/// Reads bodies, and keeps what the schema does not expect.
pub(crate) struct PageReader {
    transcoder: Transcoder<'static>,
}

impl PageReader {
    /// Nothing is read yet. `personal` says what is done to personal values.
    pub(crate) fn new(personal: &Personal) -> Self {
        Self { transcoder: Transcoder::new(&SCHEMA.shape, personal.clone()) }
    }

    /// What the schema does not expect, in the responses so far.
    pub(crate) fn findings(&self) -> &Findings {
        &self.transcoder.findings
    }

    /// Reads the response to a request. A body that is not whole JSON is an error.
    pub(crate) fn read(&mut self, query: &Query, body: &[u8]) -> Result<Response, Unusable> {
        let body: Body<'_> = match serde_json::from_str(std::str::from_utf8(body)?) {
            Ok(body) => body,
            Err(error) if error.classify() == Category::Data => return Err(no_page(&error).into()),
            Err(error) => return Err(anyhow::Error::from(error).into()),
        };
        if body.rewound {
            let agreed = body.agreed.filter(|agreed| *agreed <= query.after.seq);
            let doubt =
                || Doubt::new(FailureKind::NotAPage, "it says that its log was rewound, but not to where");
            return Ok(agreed.map(Response::Rewound).ok_or_else(doubt)?);
        }
        let Body { events: Some(events), more: Some(more), head: Some(head), .. } = body else {
            return Err(Doubt::new(FailureKind::NotAPage, "a response has no list of events").into());
        };
        let (Some(after), Some(through)) = (body.after, body.through) else {
            return Ok(Response::TooOld);
        };
        if after != query.after.seq || body.seen.as_deref() != query.after.event.as_deref() {
            let what = format!(
                "the response does not bring back number {}, which it continues from: it is that to another request, perhaps from a cache",
                query.after.seq
            );
            return Err(Doubt::new(FailureKind::MissingEvent, what).into());
        }
        let page = Page { more, through, head, pruned: body.pruned, ..Page::default() };
        Ok(self.rows(page, &events).and_then(|page| page.verified(query)).map(Response::Page)?)
    }

    fn rows(&mut self, mut page: Page, events: &[&RawValue]) -> Result<Page, Doubt> {
        let mut out = Vec::with_capacity(2 * events.iter().map(|event| event.get().len()).sum::<usize>());
        for raw in events {
            let event: Event<'_> = serde_json::from_str(raw.get()).map_err(|error| no_page(&error))?;
            let columns = event.columns();
            let mut deserializer = serde_json::Deserializer::from_str(&columns);
            let written = self.transcoder.seed(&mut out).deserialize(&mut deserializer);
            let Some(written) = written.map_err(|error| no_page(&error))? else { continue };
            let responses = if event.relay == "none" { 0 } else { event.delivery_count };
            page.events.push(Row {
                seq: event.seq,
                event: event.event.into_owned(),
                recognised: event.recognised,
                moves: (event.delivery_count + responses).saturating_sub(1),
                data: written.data,
                changes: written.changes,
            });
        }
        page.records = out.into();
        Ok(page)
    }
}

fn no_page(error: &serde_json::Error) -> Doubt {
    let what = format!("a response is not a page of events ({})", why_not_json(error));
    Doubt::new(FailureKind::NotAPage, what)
}

impl Page {
    /// The number of the last event, or the one that the request continues from.
    pub(crate) fn last(&self, query: &Query) -> u64 {
        self.events.last().map_or(query.after.seq, |row| row.seq)
    }

    /// The page, if it says the same everywhere.
    fn verified(self, query: &Query) -> Result<Self, Doubt> {
        let numbers = std::iter::once(query.after.seq).chain(self.events.iter().map(|row| row.seq));
        let (last, more) = (self.last(query), self.more);
        let wrong = if !numbers.is_sorted_by(|one, next| one < next) {
            "the events are not in the order of their numbers".to_owned()
        } else if self.events.len() as u64 > query.limit {
            format!("it holds {} events, and {} were requested", self.events.len(), query.limit)
        } else if more && self.events.is_empty() {
            format!("the page after number {last} is empty, although more events follow")
        } else if if more { self.through != last } else { self.through < last.max(self.head) } {
            format!(
                "the page after number {} ends at number {}, before the end of the log at {}",
                query.after.seq, self.through, self.head
            )
        } else {
            return Ok(self);
        };
        Err(Doubt::new(FailureKind::MissingEvent, wrong))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::query::Place;
    use super::*;

    fn query() -> Query {
        Query { after: Place { seq: 3, event: Some("e3".to_owned()) }, limit: 2, consumer: None }
    }

    fn event(seq: u64) -> Value {
        json!({"seq": seq, "event": format!("e{seq}"), "recognised": false, "deliveryCount": 2, "relay": "unknown",
            "payload": "x"})
    }

    fn body(changes: &Value) -> String {
        let mut body = json!({"after": 3, "seen": "e3", "events": [event(4), event(6)], "more": false, "through": 6,
            "head": 6, "pruned": 0});
        for (name, value) in changes.as_object().into_iter().flatten() {
            body[name] = value.clone();
            if value == "absent" {
                body.as_object_mut().unwrap().remove(name);
            }
        }
        body.to_string()
    }

    fn read(changes: &Value) -> Result<Response, Doubt> {
        PageReader::new(&Personal::Keep)
            .read(&query(), body(changes).as_bytes())
            .map_err(Unusable::into_doubt)
    }

    #[test]
    fn a_page_becomes_records() {
        let Ok(Response::Page(page)) = read(&json!({})) else { panic!("no page") };
        let told: Vec<_> = page.events.iter().map(|row| (row.seq, row.event.as_str(), row.moves)).collect();
        assert_eq!(told, [(4, "e4", 3), (6, "e6", 3)]);
        let record: Value = serde_json::from_slice(&page.records[page.events[1].data.clone()]).unwrap();
        assert_eq!((&record["eventId"], &record["payload"]), (&json!("e6"), &json!("x")));
    }

    #[test]
    fn what_contradicts_itself_or_the_request_is_doubted() {
        for (changes, words) in [
            (json!({"events": "absent"}), "no list of events"),
            (json!({"events": {}}), "not a page of events"),
            (json!({"events": [3]}), "not a page of events"),
            (json!({"events": [{"seq": 4}]}), "not a page of events"),
            (json!({"after": 4}), "does not bring back number 3"),
            (json!({"seen": "e4"}), "does not bring back number 3"),
            (json!({"seen": null}), "does not bring back number 3"),
            (json!({"events": [event(6), event(4)]}), "not in the order"),
            (json!({"events": [event(3), event(4)], "through": 6}), "not in the order"),
            (json!({"events": [event(4), event(5), event(6)]}), "3 events, and 2 were requested"),
            (json!({"events": [], "more": true}), "empty, although more"),
            (json!({"events": [], "through": 3}), "ends at number 3, before the end of the log at 6"),
            (json!({"through": 5}), "ends at number 5"),
            (json!({"head": 9}), "ends at number 6, before the end of the log at 9"),
            (json!({"more": true, "through": 7}), "ends at number 7"),
            (json!({"rewound": true}), "not to where"),
            (json!({"rewound": true, "agreed": 4}), "not to where"),
        ] {
            let doubt = read(&changes).unwrap_err();
            assert!(doubt.what.contains(words), "{changes}: {}", doubt.what);
        }
    }

    #[test]
    fn a_response_may_be_something_else_than_a_page() {
        assert!(matches!(read(&json!({"rewound": true, "agreed": 2})), Ok(Response::Rewound(2))));
        for missing in ["after", "through"] {
            assert!(matches!(read(&json!({missing: "absent"})), Ok(Response::TooOld)), "{missing}");
        }
        let page = PageReader::new(&Personal::Keep).read(&query(), b"<html>");
        assert!(matches!(page, Err(Unusable::Unreadable(_))));
    }

    #[test]
    fn numbers_without_an_event_are_vouched_for() {
        let Ok(Response::Page(page)) = read(&json!({"events": [], "through": 9, "head": 9})) else {
            panic!("no page")
        };
        assert_eq!(page.last(&query()), 3);
    }

    proptest! {
        #[test]
        fn untrusted_pages_bring_a_response_or_a_doubt(
            body in crate::untrusted::mangled(body(&json!({"events": [
                {"seq": 4, "event": "e4", "recognised": true, "orderId": "1", "status": "draft", "timeOfOrigin": "x",
                    "deliveryCount": 1, "relay": "answered", "answerStatus": 200, "answerBody": "{\"paymentStatus\":\"success\"}",
                    "payload": "{\"orderId\":1,\"cart\":[{\"id\":\"1\"}],\"customer\":{\"id\":\"7\"},\"session\":{}}"}]}))),
        ) {
            let mut reader = PageReader::new(&Personal::Keep);
            if let Ok(Response::Page(page)) = reader.read(&query(), &body) {
                for row in &page.events {
                    let record: Value = serde_json::from_slice(&page.records[row.data.clone()]).unwrap();
                    prop_assert_eq!(record["seq"].as_u64(), Some(row.seq));
                    prop_assert!(row.seq > 3);
                }
            }
        }
    }
}
