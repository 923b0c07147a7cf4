//! The body of a page of orders.

use crate::endpoint::{Spelling, finished, paging};
use crate::orders::contest::Contest;
use crate::orders::list::Page;
use crate::orders::query::Query;
use crate::orders::render::Part;
use crate::settings::{Behaviour, Envelope};
use crate::shop::Book;

/// A page of orders as the body of an answer.
pub(crate) fn body(book: &Book, page: &Page, query: &Query, behaviour: &Behaviour) -> Vec<u8> {
    let spelling = Spelling::new(behaviour);
    let with_pagination = behaviour.envelope == Envelope::WithPagination;
    let before = with_pagination && query.page % 2 == 1;
    let mut out =
        Vec::with_capacity(256 + page.rows.len() * if query.include_products { 3_500 } else { 1_200 });
    out.push(b'{');
    if before {
        pagination(&mut out, page, query);
        out.push(b',');
    }
    out.extend_from_slice(b"\"data\":[");
    for (place, at) in page.rows.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let row = &book.rows[*at as usize];
        out.push(b'{');
        spelling.order(&mut out, row, Part::Whole);
        if query.include_contest {
            out.extend_from_slice(b",\"contest\":");
            spelling.contest_if(&mut out, Contest::of(book, row).as_ref());
        }
        if query.include_products {
            out.extend_from_slice(b",\"products\":");
            spelling.products(&mut out, row);
        }
        out.push(b'}');
    }
    out.push(b']');
    if with_pagination && !before {
        out.push(b',');
        pagination(&mut out, page, query);
    }
    out.push(b'}');
    finished(out, behaviour)
}

/// INFERRED (weak), like that of contests.
fn pagination(out: &mut Vec<u8>, page: &Page, query: &Query) {
    out.extend_from_slice(format!("\"total\":{},", page.total).as_bytes());
    out.extend_from_slice(paging::pagination(page.offset, query.page_size, page.total).as_bytes());
}
