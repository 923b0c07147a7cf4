//! `GET /sessions`: one for each order, and some that nobody bought in. Paged by `count` (20, at most 200), `after` and
//! `before`.

use serde::Serialize;

use crate::endpoint::paging::{self, Between, Place};
use crate::endpoint::{List, Problem, Reader, Recent, Reply, Request, Span, values};
use crate::settings::{Behaviour, Envelope};
use crate::shop::{Book, Session, Shop};
use crate::time;

/// All sessions.
pub(crate) static LIST: List =
    List { name: "sessions", rows: "data", page, detail: None, expected: |shop| values(expected(shop)) };

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedSession {
    /// `id`, as digits; the `customerShoppingSessionId` of the order that came of it.
    pub id: String,
    /// `sessionId`.
    pub session_id: String,
    /// `storeId`.
    pub store_id: u32,
    /// `customerId`, as digits.
    pub customer_id: String,
    /// `status`.
    pub status: &'static str,
    /// `visitors`.
    pub visitors: u32,
    /// `createdAt`.
    pub created_at: String,
    /// `updatedAt`.
    pub updated_at: String,
    /// Whether an order came of it.
    pub bought: bool,
}

/// The sort key of a session: all are numbers inside.
#[derive(Clone, Copy, Debug)]
enum Key {
    Number(i64),
    Digits(i64),
    Moment(i64),
}

/// What a list may be sorted by (KNOWN), and how the key is spelt.
type Sort = (&'static str, fn(&Session) -> Key);

const BY_ID: Sort = ("id", |session| Key::Number(session.id as i64));
const ORDER_BY: [Sort; 11] = [
    BY_ID,
    ("code", |session| Key::Digits(session.code.into())),
    ("storeId", |session| Key::Number(session.store.into())),
    ("visitors", |session| Key::Number(session.visitors.into())),
    ("groupSize", |session| Key::Number(session.group_size.into())),
    ("customerId", |session| Key::Number(session.customer.into())),
    ("expiresAt", |session| Key::Moment(session.expires)),
    ("codeLastSuccesfullyScannedAt", |session| Key::Moment(session.code_last)),
    ("customerLastEnteredAt", |session| Key::Moment(session.last_entered)),
    ("createdAt", |session| Key::Moment(session.created)),
    ("updatedAt", |session| Key::Moment(session.updated)),
];

impl Key {
    fn value(self) -> i64 {
        match self {
            Key::Number(value) | Key::Digits(value) | Key::Moment(value) => value,
        }
    }

    fn json(self, behaviour: &Behaviour) -> String {
        match self {
            Key::Number(value) => value.to_string(),
            Key::Digits(value) => format!("\"{value}\""),
            Key::Moment(value) => format!("\"{}\"", time::text(value, behaviour.stamps)),
        }
    }
}

/// Which sessions are listed, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Filters {
    /// The place in [`ORDER_BY`].
    order_by: usize,
    created: Span,
    updated: Span,
    expires: Span,
    scanned: Span,
    entered: Span,
    visitors: Span,
    group_size: Span,
    id: Option<u64>,
    code: Option<String>,
    token: Option<String>,
    store: Option<u64>,
    customer: Option<u64>,
    /// UNKNOWN which there are: any may be asked for.
    statuses: Vec<String>,
}

/// A request for a page, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Query {
    filters: Filters,
    count: usize,
    descending: bool,
    between: Between,
}

impl Query {
    /// Understands the pairs of a query. Rising order by default is INFERRED.
    fn parse(request: &Request) -> Result<Query, Vec<Problem>> {
        let (mut filters, mut count, mut descending) = (Filters::default(), 20, false);
        let (mut after, mut before) = (None, None);
        let mut reader = request.reader();
        reader.each(request.pairs, &["status"], |reader, field, value| match field {
            "count" => count = reader.size(field, value).unwrap_or(count),
            "after" => after = Some(value.to_owned()),
            "before" => before = Some(value.to_owned()),
            "orderBy" => {
                let mut places = ORDER_BY.map(|(name, _)| (name, 0));
                places.iter_mut().zip(0..).for_each(|((_, place), at)| *place = at);
                filters.order_by = reader.choice(field, value, &places).unwrap_or(0);
            }
            "direction" => descending = reader.descending(field, value),
            _ => filters.read(reader, field, value),
        });
        let key = ORDER_BY[filters.order_by].0;
        let mut place = |field: &str, value: Option<String>| {
            value.and_then(|value| paging::place(&mut reader, field, &value, key))
        };
        let between = Between { after: place("after", after), before: place("before", before) };
        let count = reader.capped(count);
        reader.done(Query { filters, count, descending, between })
    }
}

impl Filters {
    fn read(&mut self, reader: &mut Reader, field: &str, value: &str) {
        match field {
            "minCreatedAt" | "maxCreatedAt" => reader.bound(&mut self.created, field, value),
            "minUpdatedAt" | "maxUpdatedAt" => reader.updated(&mut self.updated, field, value),
            "minExpiresAt" | "maxExpiresAt" => reader.bound(&mut self.expires, field, value),
            "minCodeLastSuccesfullyScannedAt" | "maxCodeLastSuccesfullyScannedAt" => {
                reader.bound(&mut self.scanned, field, value);
            }
            "minCustomerLastEnteredAt" | "maxCustomerLastEnteredAt" => {
                reader.bound(&mut self.entered, field, value);
            }
            "minVisitors" | "maxVisitors" => reader.amount(&mut self.visitors, field, value),
            "minGroupSize" | "maxGroupSize" => reader.amount(&mut self.group_size, field, value),
            "id" => self.id = reader.number(field, value),
            "code" => self.code = Some(value.to_owned()),
            "sessionToken" => self.token = Some(value.to_owned()),
            "storeId" => self.store = reader.positive(field, value),
            "customerId" => self.customer = reader.number(field, value),
            "status" => self.statuses.push(value.to_owned()),
            _ => reader.undocumented(field),
        }
    }

    fn wants(&self, session: &Session) -> bool {
        self.created.has(session.created)
            && self.updated.has(session.updated)
            && self.expires.has(session.expires)
            && self.scanned.has(session.code_last)
            && self.entered.has(session.last_entered)
            && self.visitors.has(session.visitors.into())
            && self.group_size.has(session.group_size.into())
            && self.id.is_none_or(|id| id == session.id)
            && self.code.as_ref().is_none_or(|code| *code == session.code.to_string())
            && self.token.as_ref().is_none_or(|token| *token == session.session_id)
            && self.store.is_none_or(|store| store == u64::from(session.store))
            && self.customer.is_none_or(|customer| customer == u64::from(session.customer))
            && (self.statuses.is_empty() || self.statuses.iter().any(|status| status == session.status))
    }

    fn place(&self, session: &Session) -> Place {
        (ORDER_BY[self.order_by].1(session).value(), session.id)
    }
}

/// A session in a list: twice the row of the order's first version, and one more for the session beside it.
fn session(book: &Book, at: u32) -> Option<Session> {
    let order = &book.rows[(at / 2) as usize];
    if at.is_multiple_of(2) { Some(Session::of_order(order)) } else { Session::beside(order) }
}

/// All sessions, by id.
fn every(book: &Book) -> impl Iterator<Item = (u32, Session)> {
    // Session ids rise with the ids of first versions, which are the orders' ids.
    let firsts = book.by_id.iter().copied().filter(|at| book.rows[*at as usize].version == 1);
    firsts.flat_map(|at| [2 * at, 2 * at + 1]).filter_map(|at| session(book, at).map(|session| (at, session)))
}

/// The sessions that pass the filters, in rising order.
fn list(book: &Book, filters: &Filters) -> Vec<u32> {
    let mut found: Vec<(Place, u32)> = every(book)
        .filter(|(_, session)| filters.wants(session))
        .map(|(at, session)| (filters.place(&session), at))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, at)| at).collect()
}

/// A page of the list. What stands beside `data` is UNKNOWN.
fn page(request: &Request, recent: &mut Recent) -> Result<Reply, Vec<Problem>> {
    let (query, spelling, book) = (Query::parse(request)?, request.spelling(), request.shop.book);
    let key = format!("sessions {:?}", query.filters);
    let list = recent.list(book.changes, key, || list(book, &query.filters));
    let found = |at: &u32| session(book, *at).expect("it is in the list");
    let part = query.between.part(list, query.count, query.descending, |at| query.filters.place(&found(at)));
    let mut sessions: Vec<Session> = list[part.clone()].iter().map(found).collect();
    let (mut earlier, mut later) = (part.start > 0, part.end < list.len());
    if query.descending {
        sessions.reverse();
        (earlier, later) = (later, earlier);
    }
    let mut behind = Vec::new();
    if spelling.behaviour.envelope == Envelope::WithPagination {
        let (name, key) = ORDER_BY[query.filters.order_by];
        let cursor = |there: bool, session: Option<&Session>| match session {
            Some(session) if there => {
                paging::cursor(session.id, name, &key(session).json(spelling.behaviour)).into()
            }
            _ => serde_json::Value::Null,
        };
        let (before, after) = (cursor(earlier, sessions.first()), cursor(later, sessions.last()));
        behind = format!(",\"pagination\":{{\"before\":{before},\"after\":{after}}}").into_bytes();
    }
    let rows = sessions.iter().map(|session| {
        let mut row = Vec::with_capacity(1_300);
        spelling.session(&mut row, session);
        row
    });
    Ok(Reply { before: Vec::new(), rows: rows.collect(), behind })
}

/// All sessions as a copy should hold them.
pub(crate) fn expected(shop: &Shop) -> Vec<ExpectedSession> {
    let stamps = shop.options.behaviour.stamps;
    every(shop.book)
        .map(|(_, session)| ExpectedSession {
            id: session.id.to_string(),
            session_id: session.session_id,
            store_id: session.store,
            customer_id: session.customer.to_string(),
            status: session.status,
            visitors: session.visitors,
            created_at: time::text(session.created, stamps),
            updated_at: time::text(session.updated, stamps),
            bought: session.bought,
        })
        .collect()
}

#[cfg(test)]
mod tests;
