//! From a query to the rows of a page.

use std::ops::Range;

use crate::endpoint::{PRICE_SCALE, Recent, Span};
use crate::orders::query::{OrderBy, Query};
use crate::settings::{Behaviour, Ties, Versions};
use crate::shop::texts::{self, Text};
use crate::shop::{Book, Row};

/// The rows of a page, and of how many it is a part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) rows: Vec<u32>,
    pub(crate) offset: usize,
    pub(crate) total: usize,
}

/// The page that a query asks for.
pub(crate) fn page(
    book: &Book,
    recent: &mut Recent,
    query: &Query,
    behaviour: &Behaviour,
    draws: &mut fastrand::Rng,
) -> Page {
    let latest = behaviour.versions == Versions::LatestOnly && book.superseded > 0;
    let only_dates = Query { draft: query.draft, order_by: query.order_by, ..Query::default() };
    let list = query.list();
    let plain = !latest && Query { descending: false, ..list.clone() } == only_dates;
    let rows = match query.order_by {
        OrderBy::Draft if plain => &book.by_draft[drafted(book, query.draft)],
        OrderBy::Id if plain && query.draft == Span::ALL => &book.by_id,
        _ => recent.list(book.changes, format!("orders {list:?}"), || filter(book, &list, latest, behaviour)),
    };
    cut(book, rows, query, behaviour, draws)
}

/// The part of `by_draft` that was drafted in a span.
fn drafted(book: &Book, span: Span) -> Range<usize> {
    let start = book.by_draft.partition_point(|at| book.rows[*at as usize].draft < span.from);
    let end = book.by_draft.partition_point(|at| book.rows[*at as usize].draft < span.until);
    start..end.max(start)
}

fn filter(book: &Book, query: &Query, latest: bool, behaviour: &Behaviour) -> Vec<u32> {
    let mut rows: Vec<u32> = book.by_draft[drafted(book, query.draft)]
        .iter()
        .copied()
        .filter(|at| {
            let row = &book.rows[*at as usize];
            (!latest || row.is_latest()) && wanted(row, query, behaviour)
        })
        .collect();
    if query.order_by != OrderBy::Draft {
        let ids = behaviour.version_ids;
        rows.sort_by_key(|at| {
            let row = &book.rows[*at as usize];
            (key(row, query.order_by, behaviour), row.shown_id(ids), row.version)
        });
    }
    rows
}

/// Whether a row passes all filters but that of the draft's date.
fn wanted(row: &Row, query: &Query, behaviour: &Behaviour) -> bool {
    let bit = |bits: u8, place: u8| bits == 0 || bits & (1 << place) != 0;
    let same = |wanted: &Option<String>, text: Text| {
        wanted.as_ref().is_none_or(|wanted| texts::text(row, text) == *wanted)
    };
    bit(query.statuses, row.status as u8)
        && bit(query.external_statuses, row.external)
        && bit(query.roles, row.role)
        && query.store.is_none_or(|store| store == u64::from(row.store))
        && query.customer.is_none_or(|customer| customer == u64::from(row.customer))
        && query.id.is_none_or(|id| id == row.shown_id(behaviour.version_ids))
        && query.created.has(row.created)
        && query.period.has(row.created)
        && query.updated.has(row.shown_updated(behaviour))
        && query.price.has(i64::from(row.total()) * PRICE_SCALE)
        && query.quantity.has(i64::from(row.quantity))
        && (query.sessions.is_empty() || query.sessions.contains(&texts::text(row, texts::session_id)))
        && (query.external_ids.is_empty()
            || texts::has_external_id(row)
                && query.external_ids.contains(&texts::text(row, texts::external_id)))
        && same(&query.transaction, texts::payment_transaction_id)
        && same(&query.bin, texts::card_bin)
        && same(&query.last4, texts::card_last4)
        && same(&query.expires, texts::card_expires)
}

/// What rows are sorted by.
fn key(row: &Row, order_by: OrderBy, behaviour: &Behaviour) -> i64 {
    match order_by {
        OrderBy::Id => row.shown_id(behaviour.version_ids) as i64,
        OrderBy::StoreId => i64::from(row.store),
        OrderBy::TotalPrice => i64::from(row.total()),
        OrderBy::Draft => row.draft,
    }
}

/// Cuts a page out of a list, in the direction asked for.
fn cut(book: &Book, list: &[u32], query: &Query, behaviour: &Behaviour, draws: &mut fastrand::Rng) -> Page {
    let total = list.len();
    let offset = usize::try_from(query.page).unwrap_or(usize::MAX).saturating_mul(query.page_size).min(total);
    let end = (offset + query.page_size).min(total);
    let part = if query.descending { total - end..total - offset } else { offset..end };
    let mut rows = match behaviour.ties {
        Ties::Stable => list[part].to_vec(),
        Ties::Unstable => {
            shuffled(list, part, draws, |at| key(&book.rows[at as usize], query.order_by, behaviour))
        }
    };
    if query.descending {
        rows.reverse();
    }
    Page { rows, offset, total }
}

/// A part of a list in which each group of rows with equal keys comes in another order, groups that reach
/// beyond the part included.
fn shuffled(
    list: &[u32],
    part: Range<usize>,
    draws: &mut fastrand::Rng,
    key: impl Fn(u32) -> i64,
) -> Vec<u32> {
    let mut rows = Vec::with_capacity(part.len());
    while part.start + rows.len() < part.end {
        let at = part.start + rows.len();
        let here = key(list[at]);
        let start = list[..at].partition_point(|row| key(*row) < here);
        let end = at + list[at..].partition_point(|row| key(*row) == here);
        let mut group = list[start..end].to_vec();
        draws.shuffle(&mut group);
        rows.extend_from_slice(&group[at - start..part.end.min(end) - start]);
    }
    rows
}

#[cfg(test)]
mod tests;
