//! The contest of an order.

use crate::endpoint::{Spelling, boolean, escaped, price, quoted};
use crate::shop::{Book, Draw, Row, texts};

/// The states of a contest (KNOWN).
pub(crate) const CONTEST_STATUSES: [&str; 2] = ["contested", "reviewed"];
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
    pub(crate) row: &'b Row,
    pub(crate) first: &'b Row,
    pub(crate) second: &'b Row,
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

    pub(crate) fn id(&self) -> u64 {
        self.second.own_id + ID_DISTANCE
    }

    pub(crate) fn status(&self) -> &'static str {
        CONTEST_STATUSES[usize::from(self.row.reviewed)]
    }
}

impl Spelling<'_> {
    /// Appends the contest in an order: key and shape are UNKNOWN; INFERRED like the rows of the list.
    pub(crate) fn contest_if(&self, out: &mut Vec<u8>, contest: Option<&Contest>) {
        let Some(contest) = contest else { return out.extend_from_slice(b"null") };
        out.push(b'{');
        self.contest(out, contest);
        out.push(b'}');
    }

    /// Appends the pairs of a contest, without braces.
    pub(crate) fn contest(&self, out: &mut Vec<u8>, contest: &Contest) {
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
}
