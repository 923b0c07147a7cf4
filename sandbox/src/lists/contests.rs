//! Contests: one for each order with a second version. They are not rows of their own, but seen in the orders.

use crate::endpoint::paging;
use crate::endpoint::params::{Problem, Reader, Span};
use crate::endpoint::reply::Reply;
use crate::endpoint::spelling::{Look, boolean, escaped, price, quoted};
use crate::orders::expected::ExpectedContest;
use crate::orders::lines::Placed;
use crate::orders::render::Part;
use crate::settings::behaviour::Behaviour;
use crate::shop::order::{Draw, Row};
use crate::shop::order_book::Book;
use crate::shop::texts::{self, number};
use crate::time;

/// The states of a contest (KNOWN).
const STATUSES: [&str; 2] = ["contested", "reviewed"];
const MESSAGES: [&str; 4] = [
    "I did not take this",
    "Ich hatte nur eine \u{2013} bitte prüfen 🙏",
    "Line one\nline \"two\"",
    "One is missing on the receipt",
];
/// What lies between the id of an order's second version and that of its contest.
const ID_DISTANCE: u64 = 5_000_000;

/// The contest of an order. A second contest of the same order is taken for a change of the first, as the API
/// finds a contest by its order (INFERRED).
pub(crate) struct Contest<'b> {
    row: &'b Row,
    first: &'b Row,
    second: &'b Row,
}

impl<'b> Contest<'b> {
    /// The contest that a version of an order belongs to.
    pub(crate) fn of(book: &'b Book, row: &'b Row) -> Option<Contest<'b>> {
        let mut second = row;
        while second.version > 2 {
            second = &book.rows[second.older as usize];
        }
        (row.version > 1).then(|| Contest { row, first: book.first(row), second })
    }

    fn id(&self) -> u64 {
        self.second.own_id + ID_DISTANCE
    }

    fn status(&self) -> &'static str {
        STATUSES[usize::from(self.row.reviewed)]
    }

    fn expected(&self, behaviour: &Behaviour) -> ExpectedContest {
        ExpectedContest {
            id: self.id().to_string(),
            order_id: self.row.id.to_string(),
            order_version: u32::from(self.row.version),
            session_id: texts::text(self.row, texts::session_id),
            store_id: self.row.store,
            status: self.status(),
            original_total_price: texts::amount(self.first.total()),
            contested_total_price: texts::amount(self.row.total()),
            reviewed_total_price: self.row.reviewed.then(|| texts::amount(self.row.total())),
            created_at: time::text(self.second.created, behaviour.stamps),
            updated_at: time::text(self.row.updated, behaviour.stamps),
        }
    }
}

/// A request for a page, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    page: u64,
    page_size: usize,
    created: Span,
    updated: Span,
    /// `startTime` and `endTime`. UNKNOWN which column they mean; here `createdAt`.
    period: Span,
    statuses: u8,
    order: Option<u64>,
    store: Option<u64>,
}

impl Query {
    /// Understands the pairs of a query. No bound of `pageSize` is shown; that of orders is INFERRED.
    pub(crate) fn parse(pairs: &[(String, String)], behaviour: &Behaviour) -> Result<Query, Vec<Problem>> {
        let (mut query, mut page) = (Query { page_size: 10, ..Query::default() }, None);
        let mut reader = Reader::new(behaviour);
        reader.each(pairs, &["status"], |reader, field, value| match field {
            "minCreatedAt" | "maxCreatedAt" => reader.bound(&mut query.created, field, value),
            "minUpdatedAt" | "maxUpdatedAt" => reader.updated(&mut query.updated, field, value),
            "startTime" => query.period.from = reader.min_date(field, value),
            "endTime" => query.period.until = reader.max_date(field, value),
            "status" => query.statuses |= reader.bit(field, value, &STATUSES),
            "orderId" => query.order = reader.number(field, value),
            "storeId" => query.store = reader.positive(field, value),
            "page" => page = reader.number(field, value),
            "pageSize" => query.page_size = reader.size(field, value).unwrap_or(query.page_size),
            _ => reader.undocumented(field),
        });
        query.page = reader.page(page);
        query.page_size = reader.capped(query.page_size);
        reader.done(query)
    }

    /// Drops the dates.
    pub(crate) fn forget_dates(&mut self) {
        (self.created, self.updated, self.period) = (Span::ALL, Span::ALL, Span::ALL);
    }

    /// The query without what decides only which part of the list is shown.
    pub(crate) fn list(&self) -> Query {
        Query { page: 0, page_size: 0, ..self.clone() }
    }

    fn wants(&self, contest: &Contest) -> bool {
        self.created.has(contest.second.created)
            && self.period.has(contest.second.created)
            && self.updated.has(contest.row.updated)
            && (self.statuses == 0 || self.statuses & (1 << u8::from(contest.row.reviewed)) != 0)
            && self.order.is_none_or(|order| order == contest.row.id)
            && self.store.is_none_or(|store| store == u64::from(contest.row.store))
    }
}

/// The newest versions of the contested orders that a query names, by the id of the contest. No order is
/// documented.
pub(crate) fn list(book: &Book, query: &Query) -> Vec<u32> {
    let mut found: Vec<(u64, u32)> = book
        .by_draft
        .iter()
        .filter(|at| book.rows[**at as usize].is_latest())
        .filter_map(|at| Some((Contest::of(book, &book.rows[*at as usize])?, *at)))
        .filter(|(contest, _)| query.wants(contest))
        .map(|(contest, at)| (contest.id(), at))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, at)| at).collect()
}

/// A page of a list.
pub(crate) fn page(book: &Book, list: &[u32], query: &Query, look: &Look) -> Reply {
    let part = paging::part(query.page.saturating_mul(query.page_size as u64), query.page_size, list.len());
    let pagination = paging::pagination(part.start, query.page_size, list.len());
    let rows = list[part].iter().filter_map(|at| Contest::of(book, &book.rows[*at as usize]));
    Reply {
        before: Vec::new(),
        name: "contestedOrders",
        rows: rows.map(|contest| look.contest_with_order(&contest)).collect(),
        behind: format!(",{pagination}").into_bytes(),
    }
}

/// The contest of one order, with its items; by the id of the order's first version.
pub(crate) fn detail(book: &Book, order_id: u64, look: &Look) -> Option<Reply> {
    let row = &book.rows[book.newest(order_id)?];
    let contest = Contest::of(book, row).filter(|_| row.id == order_id)?;
    let (mut before, mut behind) = (Vec::with_capacity(600), Vec::with_capacity(200));
    look.contest(&mut before, &contest);
    before.push(b',');
    look.transaction(&mut behind, row);
    let rows = row.placed(contest.first).map(|placed| look.contest_item(&contest, &placed)).collect();
    Some(Reply { before, name: "items", rows, behind })
}

/// All contests as a copy should hold them.
pub(crate) fn expected(book: &Book, behaviour: &Behaviour) -> Vec<ExpectedContest> {
    let list = list(book, &Query::default());
    let contests = list.iter().filter_map(|at| Contest::of(book, &book.rows[*at as usize]));
    contests.map(|contest| contest.expected(behaviour)).collect()
}

impl Look<'_> {
    /// Appends the contest in an order: key and shape are UNKNOWN; INFERRED like the rows of the list.
    pub(crate) fn contest_if(&self, out: &mut Vec<u8>, contest: Option<&Contest>) {
        let Some(contest) = contest else { return out.extend_from_slice(b"null") };
        out.push(b'{');
        self.contest(out, contest);
        out.push(b'}');
    }

    /// Appends the pairs of a contest, without braces.
    fn contest(&self, out: &mut Vec<u8>, contest: &Contest) {
        let row = contest.row;
        let draw = row.draw(Draw::Contest);
        out.extend_from_slice(b"\"createdAt\":");
        self.moment(out, contest.second.created);
        out.extend_from_slice(b",\"updatedAt\":");
        self.moment(out, row.updated);
        out.extend_from_slice(b",\"deletedAt\":null,\"id\":");
        self.id(out, contest.id());
        out.extend_from_slice(b",\"orderId\":");
        self.text_id(out, row.id);
        out.extend_from_slice(b",\"orderVersion\":");
        self.id(out, u64::from(row.version));
        out.extend_from_slice(b",\"sessionId\":\"");
        texts::session_id(row, out);
        out.extend_from_slice(b"\",\"message\":");
        escaped(out, MESSAGES[(draw >> 40) as usize % MESSAGES.len()]);
        out.extend_from_slice(b",\"fromOperator\":");
        boolean(out, (draw >> 50).is_multiple_of(4));
        out.extend_from_slice(b",\"status\":");
        quoted(out, contest.status());
        out.extend_from_slice(b",\"contestedTotalPrice\":");
        price(out, row.total());
        out.extend_from_slice(b",\"reviewedTotalPrice\":");
        if row.reviewed {
            price(out, row.total());
        } else {
            out.extend_from_slice(b"null");
        }
        out.extend_from_slice(b",\"originalTotalPrice\":");
        price(out, contest.first.total());
        if self.behaviour.extra_fields {
            out.extend_from_slice(b",\"priority\":{\"level\":2}");
        }
    }

    fn contest_with_order(&self, contest: &Contest) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_400);
        out.push(b'{');
        self.contest(&mut out, contest);
        out.extend_from_slice(b",\"order\":{");
        self.order(&mut out, contest.row, Part::Nested);
        out.extend_from_slice(b"}}");
        out
    }

    /// Quantities of a line; `reviewedQuantity` is INFERRED to be null before the review.
    fn contest_item(&self, contest: &Contest, placed: &Placed) -> Vec<u8> {
        let (mut out, line) = (Vec::with_capacity(900), &placed.line);
        let quantity = |there: bool| if there { u64::from(line.quantity) } else { 0 };
        out.extend_from_slice(b"{\"id\":");
        self.id(&mut out, placed.id);
        out.extend_from_slice(b",\"productId\":");
        self.id(&mut out, line.product.id());
        out.extend_from_slice(b",\"name\":");
        escaped(&mut out, &line.product.name());
        out.extend_from_slice(b",\"price\":");
        price(&mut out, line.product.price());
        out.extend_from_slice(b",\"thumbnail\":");
        quoted(&mut out, &line.product.thumbnail());
        out.extend_from_slice(b",\"productSnapshot\":");
        self.snapshot(&mut out, contest.row, line, None);
        out.extend_from_slice(b",\"originalQuantity\":");
        number(&mut out, quantity(placed.place < contest.first.lines));
        let contested = quantity(placed.place < contest.row.lines);
        out.extend_from_slice(b",\"contestedQuantity\":");
        number(&mut out, contested);
        out.extend_from_slice(b",\"reviewedQuantity\":");
        if contest.row.reviewed {
            number(&mut out, contested);
        } else {
            out.extend_from_slice(b"null");
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests;
