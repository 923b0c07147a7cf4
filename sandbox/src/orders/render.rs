//! Orders as JSON, written by hand: most of a sandbox's time would go here.

use crate::endpoint::{Spelling, quoted};
use crate::orders::expected::Expected;
use crate::random::below;
use crate::settings::IsLatest;
use crate::shop::mistyped::{BIG_PRICE, Mistyped, ROUND_PRICE};
use crate::shop::texts::{self, money, number};
use crate::shop::{Draw, EXTERNAL_STATUSES, Row, STATUSES, Session, Status};
use crate::time::{self, SECOND};

/// How much of an order is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// What a contest shows: no `sessionId` and no transactions.
    Nested,
}

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

impl Spelling<'_> {
    /// The order as a copy should hold it.
    pub(crate) fn expected(&self, row: &Row) -> Expected {
        let mistyped = self.mistyped(row);
        Expected {
            id: row.shown_id(self.behaviour.version_ids).to_string(),
            version: u32::from(row.version),
            draft_created_at: time::text(row.draft, self.behaviour.stamps),
            status: match mistyped {
                Some(Mistyped::Status) => (row.status as u8).to_string(),
                _ => STATUSES[row.status as usize].to_owned(),
            },
            store_id: row.store,
            total_price: match mistyped {
                Some(Mistyped::BigPrice) => BIG_PRICE.to_owned(),
                Some(Mistyped::RoundPrice) => ROUND_PRICE.to_owned(),
                _ => texts::amount(row.total()),
            },
            updated_at: time::text(row.shown_updated(self.behaviour), self.behaviour.stamps),
            products: if mistyped == Some(Mistyped::Products) { 0 } else { usize::from(row.lines) },
        }
    }

    /// Appends the pairs of an order, without braces.
    pub(crate) fn order(&self, out: &mut Vec<u8>, row: &Row, part: Part) {
        let mistyped = self.mistyped(row);
        out.extend_from_slice(b"\"createdAt\":");
        self.moment(out, row.created);
        out.extend_from_slice(b",\"updatedAt\":");
        self.moment(out, row.shown_updated(self.behaviour));
        out.extend_from_slice(b",\"id\":");
        self.id(out, row.shown_id(self.behaviour.version_ids));
        out.extend_from_slice(b",\"version\":");
        self.id(out, u64::from(row.version));
        out.extend_from_slice(b",\"isLatest\":");
        out.extend_from_slice(
            match (mistyped, self.behaviour.is_latest, row.shown_latest(self.behaviour.superseded)) {
                (Some(Mistyped::IsLatest), _, _) => b"null",
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
        if mistyped == Some(Mistyped::Status) {
            number(out, row.status as u64);
        } else {
            quoted(out, row.status_name());
        }
        let transaction = row.draw(Draw::Transaction);
        out.extend_from_slice(b",\"transactionId\":");
        self.id(out, 1_000_000 + u64::from(below(transaction, 900_000_000)));
        out.extend_from_slice(b",\"customerShoppingSessionId\":");
        self.id(out, Session::id_of(row));
        if part == Part::Whole {
            self.session_id(out, row, mistyped);
        }
        out.extend_from_slice(b",\"externalId\":");
        self.external_id(out, row, mistyped);
        out.extend_from_slice(b",\"externalStatus\":");
        quoted(out, EXTERNAL_STATUSES[usize::from(row.external)]);
        prices(out, row.subtotal, row.tax, mistyped);
        self.moments(out, row, mistyped);
        out.extend_from_slice(b",\"extraText\":");
        out.extend_from_slice(EXTRA_TEXTS[row.draw(Draw::Text) as usize % EXTRA_TEXTS.len()]);
        if part == Part::Whole {
            self.transaction(out, row);
            self.payment_transaction(out, row);
        }
        if self.behaviour.extra_fields {
            out.extend_from_slice(
                b",\"loyaltyTier\":\"gold\",\"device\":{\"kind\":\"gate\",\"lanes\":[1,2]}",
            );
        }
    }

    fn session_id(&self, out: &mut Vec<u8>, row: &Row, mistyped: Option<Mistyped>) {
        out.extend_from_slice(b",\"sessionId\":");
        if mistyped == Some(Mistyped::Session) {
            number(out, row.draw(Draw::Session) >> 32);
        } else {
            out.push(b'"');
            texts::session_id(row, out);
            out.push(b'"');
        }
    }

    fn external_id(&self, out: &mut Vec<u8>, row: &Row, mistyped: Option<Mistyped>) {
        if mistyped == Some(Mistyped::ExternalId) {
            out.extend_from_slice(b"{\"system\":\"erp\",\"value\":7}");
        } else if texts::has_external_id(row) {
            out.push(b'"');
            texts::external_id(row, out);
            out.push(b'"');
        } else {
            out.extend_from_slice(b"null");
        }
    }

    fn moments(&self, out: &mut Vec<u8>, row: &Row, mistyped: Option<Mistyped>) {
        let completed = !matches!(row.status, Status::Draft | Status::CompletedSoFar);
        out.extend_from_slice(b",\"paidAt\":");
        if mistyped == Some(Mistyped::PaidAt) {
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

    /// Appends `transaction` with a comma before it.
    pub(crate) fn transaction(&self, out: &mut Vec<u8>, row: &Row) {
        out.extend_from_slice(b",\"transaction\":");
        if !pays(out, row) {
            return;
        }
        let failed = row.status == Status::Unpaid;
        out.extend_from_slice(if failed { b",\"paymentFailed\":true" } else { b",\"paymentFailed\":false" });
        if self.behaviour.extra_fields {
            out.extend_from_slice(b",\"acquirer\":\"bank \\u2116 1\"");
        }
        out.push(b'}');
    }

    fn payment_transaction(&self, out: &mut Vec<u8>, row: &Row) {
        out.extend_from_slice(b",\"paymentTransaction\":");
        if !pays(out, row) {
            return;
        }
        out.extend_from_slice(b",\"paymentStatus\":");
        quoted(
            out,
            match row.status {
                Status::PaymentProcessing => "processing",
                Status::Unpaid => "failure",
                _ => "success",
            },
        );
        out.push(b'}');
    }
}

/// What both kinds of transaction begin with, or null for an order without.
fn pays(out: &mut Vec<u8>, row: &Row) -> bool {
    if matches!(row.status, Status::Draft | Status::CompletedSoFar) {
        out.extend_from_slice(b"null");
        return false;
    }
    out.extend_from_slice(b"{\"paymentTransactionId\":\"");
    texts::payment_transaction_id(row, out);
    out.extend_from_slice(if row.status == Status::Reviewed {
        b"\",\"refunded\":true,\"tryRefundTimes\":1".as_slice()
    } else {
        b"\",\"refunded\":false,\"tryRefundTimes\":0"
    });
    true
}

/// The three prices of an order or a line.
pub(crate) fn prices(out: &mut Vec<u8>, subtotal: u32, tax: u32, mistyped: Option<Mistyped>) {
    out.extend_from_slice(b",\"subtotalPrice\":\"");
    money(out, subtotal);
    out.extend_from_slice(b"\",\"totalPrice\":\"");
    match mistyped {
        Some(Mistyped::BigPrice) => out.extend_from_slice(BIG_PRICE.as_bytes()),
        Some(Mistyped::RoundPrice) => out.extend_from_slice(ROUND_PRICE.as_bytes()),
        _ => money(out, subtotal + tax),
    }
    out.extend_from_slice(b"\",\"totalTax\":");
    let quote = mistyped != Some(Mistyped::TotalTax);
    if quote {
        out.push(b'"');
    }
    money(out, tax);
    if quote {
        out.push(b'"');
    }
}
