//! The detail of one order: all that the list has, its line items, and its session.

use crate::endpoint::{Detail, Reply, Spelling};
use crate::orders::Part;
use crate::shop::{Session, Shop};

/// `/orders/{orderId}`.
pub(crate) static ORDER: Detail = Detail { name: "order", rows: "lineItems", reply: detail };

/// The newest version of an order; where versions have ids of their own, the version with that id.
/// One that lags behind the list is the first version.
///
/// The object stands without a wrapper (INFERRED from the answer of `PATCH`). Whether a version can be asked for
/// is UNKNOWN: it cannot here.
fn detail(shop: &Shop, id: u64) -> Option<Reply> {
    let (book, options, spelling) = (shop.book, shop.options, Spelling::new(&shop.options.behaviour));
    if options.vanished.contains(&id) {
        return None;
    }
    let newest = &book.rows[book.shown(id)?];
    let first = book.first(newest);
    let row = if options.lagging.contains(&id) { first } else { newest };
    let (mut before, mut behind) = (Vec::with_capacity(1_400), Vec::with_capacity(1_000));
    spelling.order(&mut before, row, Part::Whole);
    before.push(b',');
    behind.extend_from_slice(b",\"session\":");
    spelling.session(&mut behind, &Session::of_order(first));
    let rows = row.placed(first).map(|placed| spelling.line_item(row, &placed)).collect();
    Some(Reply { before, rows, behind })
}

#[cfg(test)]
mod tests;
