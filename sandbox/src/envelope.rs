//! A page of orders as the body of an answer.

use crate::behaviour::{Behaviour, Envelope};
use crate::book::Book;
use crate::list::Page;
use crate::query::Query;
use crate::render::Look;

/// A page as the body of an answer.
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
        look.order(&mut out, &book.rows[*at as usize], query);
    }
    out.push(b']');
    if with_pagination && !before {
        out.push(b',');
        pagination(&mut out, page, query);
    }
    out.push(b'}');
    if behaviour.pretty { pretty(&out) } else { out }
}

/// INFERRED (weak), like that of contests.
fn pagination(out: &mut Vec<u8>, page: &Page, query: &Query) {
    let size = query.page_size;
    let end = page.offset + size;
    let part = |there: bool, offset: usize, count: usize| {
        if there { format!("{{\"offset\":{offset},\"count\":{count}}}") } else { "null".to_owned() }
    };
    let previous = part(page.offset > 0, page.offset.saturating_sub(size), size);
    let next = part(end < page.total, end, size.min(page.total.saturating_sub(end)));
    let total = page.total;
    let text = format!("\"total\":{total},\"pagination\":{{\"previous\":{previous},\"next\":{next}}}");
    out.extend_from_slice(text.as_bytes());
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
