//! Orders as JSON, written by hand: most of a sandbox's time would go here.

use crate::behaviour::{Behaviour, Ids, IsLatest};
use crate::catalogue::Line;
use crate::expected::Expected;
use crate::odd::{BIG_PRICE, Odd, ROUND_PRICE, odd};
use crate::order::{Draw, EXTERNAL_STATUSES, Row, STATUSES, Status, below};
use crate::query::Query;
use crate::stamp::{self, SECOND};
use crate::texts::{self, money, number};

/// Values of `extraText`, as JSON.
const EXTRA_TEXTS: [&[u8]; 8] = [
    b"\"\"",
    b"\"\"",
    b"\"\"",
    b"\"\"",
    b"\"\"",
    "\"Danke \u{2013} bis bald! 🎉\"".as_bytes(),
    b"\"Line one\\nline \\\"two\\\"\\tC:\\\\till\\\\7\"",
    b"\"caf\\u00e9 \\ud83d\\ude00\"",
];

/// How orders look.
pub(crate) struct Look<'b> {
    behaviour: &'b Behaviour,
}

impl<'b> Look<'b> {
    pub(crate) fn new(behaviour: &'b Behaviour) -> Look<'b> {
        Look { behaviour }
    }

    fn odd(&self, row: &Row) -> Option<Odd> {
        if self.behaviour.odd_values { odd(row) } else { None }
    }

    /// The order as a copy should hold it.
    pub(crate) fn expected(&self, row: &Row) -> Expected {
        let odd = self.odd(row);
        let mut total = Vec::new();
        money(&mut total, row.total());
        Expected {
            id: row.shown_id(self.behaviour.version_ids).to_string(),
            version: u32::from(row.version),
            draft_created_at: stamp::text(row.draft, self.behaviour.stamps),
            status: match odd {
                Some(Odd::Status) => (row.status as u8).to_string(),
                _ => STATUSES[row.status as usize].to_owned(),
            },
            store_id: row.store,
            total_price: match odd {
                Some(Odd::BigPrice) => BIG_PRICE.to_owned(),
                Some(Odd::RoundPrice) => ROUND_PRICE.to_owned(),
                _ => String::from_utf8(total).expect("digits are UTF-8"),
            },
            updated_at: stamp::text(row.shown_updated(self.behaviour), self.behaviour.stamps),
            products: if odd == Some(Odd::Products) { 0 } else { usize::from(row.lines) },
        }
    }

    /// Appends the order.
    pub(crate) fn order(&self, out: &mut Vec<u8>, row: &Row, query: &Query) {
        let odd = self.odd(row);
        out.extend_from_slice(b"{\"createdAt\":");
        self.moment(out, row.created);
        out.extend_from_slice(b",\"updatedAt\":");
        self.moment(out, row.shown_updated(self.behaviour));
        out.extend_from_slice(b",\"id\":");
        self.id(out, row.shown_id(self.behaviour.version_ids));
        out.extend_from_slice(b",\"version\":");
        self.id(out, u64::from(row.version));
        out.extend_from_slice(b",\"isLatest\":");
        out.extend_from_slice(
            match (odd, self.behaviour.is_latest, row.shown_latest(self.behaviour.superseded)) {
                (Some(Odd::IsLatest), _, _) => b"null",
                (_, IsLatest::Number, false) => b"0",
                (_, IsLatest::Number, true) => b"1",
                (_, IsLatest::Boolean, false) => b"false",
                (_, IsLatest::Boolean, true) => b"true",
            },
        );
        out.extend_from_slice(b",\"customerId\":");
        self.text_id(out, u64::from(row.customer));
        out.extend_from_slice(b",\"storeId\":");
        self.id(out, u64::from(row.store));
        out.extend_from_slice(b",\"status\":");
        if odd == Some(Odd::Status) {
            number(out, row.status as u64);
        } else {
            quoted(out, row.status_name());
        }
        let transaction = row.draw(Draw::Transaction);
        out.extend_from_slice(b",\"transactionId\":");
        self.id(out, 1_000_000 + u64::from(below(transaction, 900_000_000)));
        out.extend_from_slice(b",\"customerShoppingSessionId\":");
        self.id(out, 1_000_000 + u64::from(below(transaction >> 32, 900_000_000)));
        out.extend_from_slice(b",\"sessionId\":");
        if odd == Some(Odd::Session) {
            number(out, row.draw(Draw::Session) >> 32);
        } else {
            out.push(b'"');
            texts::session_id(row, out);
            out.push(b'"');
        }
        out.extend_from_slice(b",\"externalId\":");
        self.external_id(out, row, odd);
        out.extend_from_slice(b",\"externalStatus\":");
        quoted(out, EXTERNAL_STATUSES[usize::from(row.external)]);
        prices(out, row.subtotal, row.tax, odd);
        self.moments(out, row, odd);
        out.extend_from_slice(b",\"extraText\":");
        out.extend_from_slice(EXTRA_TEXTS[row.draw(Draw::Text) as usize % EXTRA_TEXTS.len()]);
        self.transactions(out, row);
        if query.include_contest {
            self.contest(out, row);
        }
        if query.include_products {
            self.products(out, row, odd);
        }
        if self.behaviour.extra_fields {
            out.extend_from_slice(
                b",\"loyaltyTier\":\"gold\",\"device\":{\"kind\":\"gate\",\"lanes\":[1,2]}",
            );
        }
        out.push(b'}');
    }

    fn external_id(&self, out: &mut Vec<u8>, row: &Row, odd: Option<Odd>) {
        if odd == Some(Odd::ExternalId) {
            out.extend_from_slice(b"{\"system\":\"erp\",\"value\":7}");
        } else if texts::has_external_id(row) {
            out.push(b'"');
            texts::external_id(row, out);
            out.push(b'"');
        } else {
            out.extend_from_slice(b"null");
        }
    }

    fn moments(&self, out: &mut Vec<u8>, row: &Row, odd: Option<Odd>) {
        let completed = !matches!(row.status, Status::Draft | Status::CompletedSoFar);
        out.extend_from_slice(b",\"paidAt\":");
        if odd == Some(Odd::PaidAt) {
            out.extend_from_slice(b"\"\"");
        } else {
            self.moment_if(out, row.paid != 0, row.paid);
        }
        out.extend_from_slice(b",\"completedAt\":");
        let complete = row.draft + i64::from(below(row.draw(Draw::Times), 2_000_000) / 1_000 * 1_000);
        self.moment_if(out, completed, complete.min(row.updated));
        out.extend_from_slice(b",\"draftCreatedAt\":");
        self.moment(out, row.draft);
        out.extend_from_slice(b",\"notificationSentAt\":");
        self.moment_if(out, row.paid != 0 && row.role == 0, row.paid + SECOND);
    }

    fn transactions(&self, out: &mut Vec<u8>, row: &Row) {
        if matches!(row.status, Status::Draft | Status::CompletedSoFar) {
            out.extend_from_slice(b",\"transaction\":null,\"paymentTransaction\":null");
            return;
        }
        let (status, failed): (&[u8], &[u8]) = match row.status {
            Status::PaymentProcessing => (b"processing", b"false"),
            Status::Unpaid => (b"failure", b"true"),
            _ => (b"success", b"false"),
        };
        let (refunded, tries): (&[u8], &[u8]) =
            if row.status == Status::Reviewed { (b"true", b"1") } else { (b"false", b"0") };
        for name in [b",\"transaction\":".as_slice(), b",\"paymentTransaction\":"] {
            out.extend_from_slice(name);
            out.extend_from_slice(b"{\"paymentTransactionId\":\"");
            texts::payment_transaction_id(row, out);
            out.extend_from_slice(b"\",\"refunded\":");
            out.extend_from_slice(refunded);
            out.extend_from_slice(b",\"tryRefundTimes\":");
            out.extend_from_slice(tries);
            if name.len() == b",\"transaction\":".len() {
                out.extend_from_slice(b",\"paymentFailed\":");
                out.extend_from_slice(failed);
                if self.behaviour.extra_fields {
                    out.extend_from_slice(b",\"acquirer\":\"bank \\u2116 1\"");
                }
            } else {
                out.extend_from_slice(b",\"paymentStatus\":\"");
                out.extend_from_slice(status);
                out.push(b'"');
            }
            out.push(b'}');
        }
    }

    /// Key and shape are UNKNOWN; INFERRED like the rows of the contests list.
    fn contest(&self, out: &mut Vec<u8>, row: &Row) {
        if row.version == 1 {
            out.extend_from_slice(b",\"contest\":null");
            return;
        }
        out.extend_from_slice(b",\"contest\":{\"createdAt\":");
        self.moment(out, row.created);
        out.extend_from_slice(b",\"updatedAt\":");
        self.moment(out, row.updated);
        out.extend_from_slice(b",\"deletedAt\":null,\"id\":");
        number(out, row.draw(Draw::Contest) >> 32);
        out.extend_from_slice(b",\"orderId\":\"");
        number(out, row.id);
        out.extend_from_slice(b"\",\"orderVersion\":");
        number(out, u64::from(row.version));
        out.extend_from_slice(b",\"message\":\"I did not take this\",\"fromOperator\":false,\"status\":");
        quoted(out, if row.status == Status::Reviewed { "reviewed" } else { "contested" });
        out.extend_from_slice(b",\"contestedTotalPrice\":\"");
        money(out, row.total());
        out.extend_from_slice(b"\"}");
    }

    fn products(&self, out: &mut Vec<u8>, row: &Row, odd: Option<Odd>) {
        out.extend_from_slice(b",\"products\":");
        if odd == Some(Odd::Products) {
            out.extend_from_slice(b"null");
            return;
        }
        out.push(b'[');
        for (place, line) in row.lines().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            self.line(out, row, place as u64, &line, odd.filter(|_| place == 0));
        }
        out.push(b']');
    }

    fn line(&self, out: &mut Vec<u8>, row: &Row, place: u64, line: &Line, odd: Option<Odd>) {
        let id = (row.draw(Draw::Lines) >> 20) + place;
        out.extend_from_slice(b"{\"id\":");
        self.id(out, id);
        out.extend_from_slice(b",\"productId\":");
        self.text_id(out, line.product_id());
        out.push(b',');
        out.extend_from_slice(line.fragment());
        out.extend_from_slice(b",\"price\":\"");
        money(out, line.price());
        out.extend_from_slice(b"\",\"weight\":");
        if odd == Some(Odd::Weight) {
            out.extend_from_slice(b"\"heavy\"");
        } else {
            money(out, line.grams() * 10);
        }
        out.extend_from_slice(b",\"createdAt\":");
        self.moment(out, row.draft);
        out.extend_from_slice(b",\"updatedAt\":");
        self.moment(out, row.created);
        out.extend_from_slice(b",\"isExternallyAdded\":");
        out.extend_from_slice(if id.is_multiple_of(13) { b"true" } else { b"false" });
        out.extend_from_slice(b",\"orderProductExternalId\":\"line-");
        number(out, place + 1);
        out.extend_from_slice(b"\",\"quantity\":");
        if odd == Some(Odd::Quantity) {
            out.extend_from_slice(b"\"");
            number(out, u64::from(line.quantity));
            out.extend_from_slice(b"\"");
        } else {
            number(out, u64::from(line.quantity));
        }
        prices(out, line.subtotal, line.tax, None);
        if odd == Some(Odd::TaxRates) {
            out.extend_from_slice(b",\"taxRates\":[{\"rate\":0.07}]");
        } else {
            out.extend_from_slice(b",\"taxRates\":\"Tax breakdown: ");
            money(out, line.tax_permille() * 10);
            out.extend_from_slice(b" %\"");
        }
        if self.behaviour.extra_fields {
            out.extend_from_slice(b",\"shelf\":{\"gondola\":4,\"bin\":\"B-12\"}");
        }
        out.push(b'}');
    }

    /// An id that the samples show as a number.
    fn id(&self, out: &mut Vec<u8>, id: u64) {
        self.spelled(out, id, self.behaviour.ids == Ids::String);
    }

    /// An id that the samples show as a text.
    fn text_id(&self, out: &mut Vec<u8>, id: u64) {
        self.spelled(out, id, self.behaviour.ids == Ids::Number);
    }

    fn spelled(&self, out: &mut Vec<u8>, id: u64, text: bool) {
        if text {
            out.push(b'"');
        }
        number(out, id);
        if text {
            out.push(b'"');
        }
    }

    fn moment(&self, out: &mut Vec<u8>, micros: i64) {
        out.push(b'"');
        stamp::push(out, micros, self.behaviour.stamps);
        out.push(b'"');
    }

    fn moment_if(&self, out: &mut Vec<u8>, there: bool, micros: i64) {
        if there {
            self.moment(out, micros);
        } else {
            out.extend_from_slice(b"null");
        }
    }
}

/// The three prices of an order or a line.
fn prices(out: &mut Vec<u8>, subtotal: u32, tax: u32, odd: Option<Odd>) {
    out.extend_from_slice(b",\"subtotalPrice\":\"");
    money(out, subtotal);
    out.extend_from_slice(b"\",\"totalPrice\":\"");
    match odd {
        Some(Odd::BigPrice) => out.extend_from_slice(BIG_PRICE.as_bytes()),
        Some(Odd::RoundPrice) => out.extend_from_slice(ROUND_PRICE.as_bytes()),
        _ => money(out, subtotal + tax),
    }
    out.extend_from_slice(b"\",\"totalTax\":");
    let quote = odd != Some(Odd::TotalTax);
    if quote {
        out.push(b'"');
    }
    money(out, tax);
    if quote {
        out.push(b'"');
    }
}

/// A text that needs no escapes.
fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
