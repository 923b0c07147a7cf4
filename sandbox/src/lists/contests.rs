//! `GET /contests` and `GET /contests/{orderId}`: one for each order with a second version. They are not rows of their
//! own, but seen in the orders. Paged by `page` and `pageSize` (10).

use serde::Serialize;

use crate::endpoint::{
    Detail, List, Problem, Recent, Reply, Request, Span, Spelling, escaped, paging, price, quoted, values,
};
use crate::orders::{CONTEST_STATUSES, Contest, Part, Placed};
use crate::shop::texts::{self, number};
use crate::shop::{Book, Shop};
use crate::time;

/// All contests, and one by its order.
pub(crate) static LIST: List = List {
    name: "contests",
    rows: "contestedOrders",
    page,
    detail: Some(&Detail { name: "contest", rows: "items", reply: detail }),
    expected: |shop| values(expected(shop)),
};

/// A contest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedContest {
    /// `id`, as digits.
    pub id: String,
    /// `orderId`: the id of the order's first version.
    pub order_id: String,
    /// `orderVersion`.
    pub order_version: u32,
    /// `sessionId`.
    pub session_id: String,
    /// The order's `storeId`, which is in `order`.
    pub store_id: u32,
    /// `contested` or `reviewed`.
    pub status: &'static str,
    /// `originalTotalPrice`.
    pub original_total_price: String,
    /// `contestedTotalPrice`.
    pub contested_total_price: String,
    /// `reviewedTotalPrice`; null before the review.
    pub reviewed_total_price: Option<String>,
    /// `createdAt`.
    pub created_at: String,
    /// `updatedAt`.
    pub updated_at: String,
}

/// A request for a page, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Query {
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
    fn parse(request: &Request) -> Result<Query, Vec<Problem>> {
        let (mut query, mut page) = (Query { page_size: 10, ..Query::default() }, None);
        let mut reader = request.reader();
        reader.each(request.pairs, &["status"], |reader, field, value| match field {
            "minCreatedAt" | "maxCreatedAt" => reader.bound(&mut query.created, field, value),
            "minUpdatedAt" | "maxUpdatedAt" => reader.updated(&mut query.updated, field, value),
            "startTime" => query.period.from = reader.min_date(field, value),
            "endTime" => query.period.until = reader.max_date(field, value),
            "status" => query.statuses |= reader.bit(field, value, &CONTEST_STATUSES),
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

    /// The query without what decides only which part of the list is shown.
    fn list(&self) -> Query {
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
fn list(book: &Book, query: &Query) -> Vec<u32> {
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

/// A page of the list.
fn page(request: &Request, recent: &mut Recent) -> Result<Reply, Vec<Problem>> {
    let (query, spelling, book) = (Query::parse(request)?, request.spelling(), request.shop.book);
    let key = format!("contests {:?}", query.list());
    let list = recent.list(book.changes, key, || list(book, &query));
    let part = paging::part(query.page.saturating_mul(query.page_size as u64), query.page_size, list.len());
    let pagination = paging::pagination(part.start, query.page_size, list.len());
    let rows = list[part].iter().filter_map(|at| Contest::of(book, &book.rows[*at as usize]));
    Ok(Reply {
        before: Vec::new(),
        rows: rows.map(|contest| spelling.contest_with_order(&contest)).collect(),
        behind: format!(",{pagination}").into_bytes(),
    })
}

/// The contest of one order, with its items; by the id of the order's first version.
fn detail(shop: &Shop, order_id: u64) -> Option<Reply> {
    let (book, spelling) = (shop.book, Spelling::new(&shop.options.behaviour));
    let row = &book.rows[book.newest(order_id)?];
    let contest = Contest::of(book, row).filter(|_| row.id == order_id)?;
    let (mut before, mut behind) = (Vec::with_capacity(600), Vec::with_capacity(200));
    spelling.contest(&mut before, &contest);
    before.push(b',');
    spelling.transaction(&mut behind, row);
    let rows = row.placed(contest.first).map(|placed| spelling.contest_item(&contest, &placed)).collect();
    Some(Reply { before, rows, behind })
}

/// All contests as a copy should hold them.
pub(crate) fn expected(shop: &Shop) -> Vec<ExpectedContest> {
    let (book, stamps) = (shop.book, shop.options.behaviour.stamps);
    let list = list(book, &Query::default());
    let contests = list.iter().filter_map(|at| Contest::of(book, &book.rows[*at as usize]));
    contests
        .map(|contest| ExpectedContest {
            id: contest.id().to_string(),
            order_id: contest.row.id.to_string(),
            order_version: u32::from(contest.row.version),
            session_id: texts::text(contest.row, texts::session_id),
            store_id: contest.row.store,
            status: contest.status(),
            original_total_price: texts::amount(contest.first.total()),
            contested_total_price: texts::amount(contest.row.total()),
            reviewed_total_price: contest.row.reviewed.then(|| texts::amount(contest.row.total())),
            created_at: time::text(contest.second.created, stamps),
            updated_at: time::text(contest.row.updated, stamps),
        })
        .collect()
}

impl Spelling<'_> {
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
