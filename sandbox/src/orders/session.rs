//! A visit of a store, with or without an order. It is drawn from an order, never kept.

use crate::endpoint::spelling::{Look, boolean, quoted};
use crate::orders::expected::ExpectedSession;
use crate::settings::behaviour::Behaviour;
use crate::shop::order::{Draw, Row, Status, below, mix};
use crate::shop::texts::{self, number};
use crate::time::{self, MINUTE, SECOND};

/// States of a session. `active` is KNOWN, the other one a guess.
const STATUSES: [&str; 2] = ["active", "closed"];
const MILLI: i64 = 1_000;

/// The id of the session that an order came of.
pub(crate) fn id(order: &Row) -> u64 {
    2 * order.id
}

/// A visit of a store. All moments are whole milliseconds, so that a cursor made of a date names the same place.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) session_id: String,
    pub(crate) draw: u64,
    pub(crate) bought: bool,
    pub(crate) store: u32,
    pub(crate) customer: u32,
    pub(crate) code: u32,
    pub(crate) visitors: u32,
    pub(crate) group_size: u32,
    pub(crate) status: &'static str,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) code_first: i64,
    pub(crate) code_last: i64,
    pub(crate) first_entered: i64,
    pub(crate) last_entered: i64,
    pub(crate) first_exited: i64,
    pub(crate) last_exited: i64,
    pub(crate) expires: i64,
}

impl Session {
    /// The session of an order, from the order's first version. It changes until that is paid (a guess).
    pub(crate) fn of_order(order: &Row) -> Session {
        let active = matches!(order.status, Status::Draft | Status::CompletedSoFar);
        let exited = order.draft - SECOND - i64::from(below(order.draw(Draw::Visit), 20_000)) * MILLI;
        Session {
            session_id: texts::text(order, texts::session_id),
            customer: order.customer,
            status: STATUSES[usize::from(!active)],
            updated: order.updated / MILLI * MILLI,
            ..Session::new(order, id(order), order.draw(Draw::Visit), exited)
        }
    }

    /// A session without an order, shortly before that of one order in eight. It is seen first when the order is.
    pub(crate) fn beside(order: &Row) -> Option<Session> {
        let draw = mix(order.draw(Draw::Visit));
        if !(draw >> 56).is_multiple_of(8) {
            return None;
        }
        let exited = order.draft - MINUTE - i64::from(below(draw, 1_800_000)) * MILLI;
        let mut session_id = Vec::with_capacity(36);
        texts::uuid(mix(draw), draw, &mut session_id);
        Some(Session {
            session_id: String::from_utf8(session_id).expect("digits are ASCII"),
            bought: false,
            customer: 1_000 + below(draw >> 8, 50_000),
            ..Session::new(order, id(order) + 1, draw, exited)
        })
    }

    fn new(order: &Row, id: u64, draw: u64, exited: i64) -> Session {
        let visitors = [1, 1, 1, 1, 2, 2, 3, 4][(draw >> 40) as usize % 8];
        let others = i64::from(visitors - 1);
        let last_exited = exited / MILLI * MILLI;
        let dwell = (40 + i64::from(below(draw >> 16, 900))) * SECOND;
        let first_entered = last_exited - dwell;
        let last_entered = first_entered + others * 2 * SECOND;
        let code_first = first_entered - 3 * SECOND;
        let created = code_first - i64::from(below(draw >> 20, 60_000)) * MILLI;
        Session {
            id,
            session_id: String::new(),
            draw,
            bought: true,
            store: order.store,
            customer: order.customer,
            code: 10_000_000 + below(draw >> 12, 90_000_000),
            visitors,
            group_size: visitors + u32::from((draw >> 44).is_multiple_of(16)),
            status: STATUSES[1],
            created,
            updated: order.created / MILLI * MILLI,
            code_first,
            code_last: last_entered - 2 * SECOND,
            first_entered,
            last_entered,
            first_exited: last_exited - others * SECOND,
            last_exited,
            expires: created + 15 * MINUTE,
        }
    }

    pub(crate) fn expected(self, behaviour: &Behaviour) -> ExpectedSession {
        ExpectedSession {
            id: self.id.to_string(),
            session_id: self.session_id,
            store_id: self.store,
            customer_id: self.customer.to_string(),
            status: self.status,
            visitors: self.visitors,
            created_at: time::text(self.created, behaviour.stamps),
            updated_at: time::text(self.updated, behaviour.stamps),
            bought: self.bought,
        }
    }
}

impl Look<'_> {
    /// Appends a session. What its keys hold beyond the samples is a guess.
    pub(crate) fn session(&self, out: &mut Vec<u8>, session: &Session) {
        let draw = session.draw;
        out.push(b'{');
        for (name, moment) in [
            ("createdAt", session.created),
            ("updatedAt", session.updated),
            ("codeFirstSuccesfullyScannedAt", session.code_first),
            ("codeLastSuccesfullyScannedAt", session.code_last),
            ("customerFirstEnteredAt", session.first_entered),
            ("customerLastEnteredAt", session.last_entered),
            ("customerFirstExitedAt", session.first_exited),
            ("customerLastExitedAt", session.last_exited),
            ("expiresAt", session.expires),
        ] {
            key(out, name);
            self.moment(out, moment);
            out.push(b',');
        }
        let satisfied = (draw >> 48).is_multiple_of(4);
        for (name, id) in [
            ("id", session.id),
            ("customerId", u64::from(session.customer)),
            ("customerPaymentInstrumentId", 1 + u64::from(below(draw >> 4, 100_000))),
            ("storeId", u64::from(session.store)),
            ("storeIdScannableAt", u64::from(session.store)),
        ] {
            key(out, name);
            self.id(out, id);
            out.push(b',');
        }
        key(out, "customerSatisfaction");
        if satisfied {
            number(out, 1 + (draw >> 50) % 5);
        } else {
            out.extend_from_slice(b"null");
        }
        for (name, value) in
            [("groupSize", session.group_size), ("visitors", session.visitors), ("priority", 0)]
        {
            out.push(b',');
            key(out, name);
            number(out, u64::from(value));
        }
        out.extend_from_slice(b",\"code\":\"");
        number(out, u64::from(session.code));
        for name in ["\",\"sessionToken\":\"", "\",\"sessionId\":\""] {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(session.session_id.as_bytes());
        }
        out.extend_from_slice(b"\",\"referencedSessionId\":null,\"locationId\":\"gate-");
        number(out, 1 + (draw >> 52) % 3);
        out.extend_from_slice(b"\",\"status\":");
        quoted(out, session.status);
        out.extend_from_slice(b",\"customerSatisfactionSubmitted\":");
        boolean(out, satisfied);
        out.extend_from_slice(b",\"suspectedFraud\":");
        boolean(out, (draw >> 54).is_multiple_of(64));
        out.extend_from_slice(b",\"metadata\":{\"events\":[");
        if session.visitors > 1 {
            out.extend_from_slice(b"{\"eventId\":\"");
            texts::uuid(mix(draw ^ 0xE7), draw, out);
            out.extend_from_slice(b"\",\"metadata\":{}}");
        }
        out.extend_from_slice(b"]}");
        if self.behaviour.extra_fields {
            out.extend_from_slice(b",\"mood\":{\"smiles\":3}");
        }
        out.push(b'}');
    }
}

fn key(out: &mut Vec<u8>, name: &str) {
    quoted(out, name);
    out.push(b':');
}
