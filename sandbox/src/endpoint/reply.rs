//! The bodies of answers: a page of orders, and any object with an array.

use crate::endpoint::paging;
use crate::endpoint::spelling::Look;
use crate::lists::contests::Contest;
use crate::orders::list::Page;
use crate::orders::query::Query;
use crate::orders::render::Part;
use crate::settings::behaviour::{Behaviour, Envelope};
use crate::shop::order_book::Book;

/// A page of orders as the body of an answer.
pub(crate) fn body(book: &Book, page: &Page, query: &Query, behaviour: &Behaviour) -> Vec<u8> {
    let look = Look::new(behaviour);
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
        look.order(&mut out, row, Part::Whole);
        if query.include_contest {
            out.extend_from_slice(b",\"contest\":");
            look.contest_if(&mut out, Contest::of(book, row).as_ref());
        }
        if query.include_products {
            out.extend_from_slice(b",\"products\":");
            look.products(&mut out, row);
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

/// An object with an array in it, before it is a body: faults change its rows.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Pairs before the array, each with a comma behind it.
    pub(crate) before: Vec<u8>,
    /// The key of the array.
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Vec<u8>>,
    /// Pairs behind the array, each with a comma before it.
    pub(crate) behind: Vec<u8>,
}

impl Reply {
    pub(crate) fn body(&self, behaviour: &Behaviour) -> Vec<u8> {
        let length = self.rows.iter().map(Vec::len).sum::<usize>() + self.before.len() + self.behind.len();
        let mut out = Vec::with_capacity(length + self.rows.len() + 64);
        out.push(b'{');
        out.extend_from_slice(&self.before);
        out.extend_from_slice(format!("\"{}\":[", self.name).as_bytes());
        for (place, row) in self.rows.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(row);
        }
        out.push(b']');
        out.extend_from_slice(&self.behind);
        out.push(b'}');
        finished(out, behaviour)
    }
}

fn finished(body: Vec<u8>, behaviour: &Behaviour) -> Vec<u8> {
    if behaviour.pretty { pretty(&body) } else { body }
}

/// The same JSON with line breaks and indents.
fn pretty(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 3 / 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let indent = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    for &byte in compact {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            out.push(byte);
            continue;
        }
        if matches!(byte, b']' | b'}') {
            depth -= 1;
            indent(&mut out, depth);
        }
        out.push(byte);
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                depth += 1;
                indent(&mut out, depth);
            }
            b',' => indent(&mut out, depth),
            b':' => out.push(b' '),
            _ => {}
        }
    }
    out
}
