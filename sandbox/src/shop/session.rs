//! A visit of a store, with or without an order. It is drawn from an order, never kept.

use crate::random::{below, mix};
use crate::shop::{Draw, Row, Status, texts};
use crate::time::{MINUTE, SECOND};

/// States of a session. `active` is KNOWN, the other one a guess.
const STATUSES: [&str; 2] = ["active", "closed"];
const MILLI: i64 = 1_000;

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
    /// The id of the session that an order came of.
    pub(crate) fn id_of(order: &Row) -> u64 {
        2 * order.id
    }

    /// The session of an order, from the order's first version. It changes until that is paid (a guess).
    pub(crate) fn of_order(order: &Row) -> Session {
        let active = matches!(order.status, Status::Draft | Status::CompletedSoFar);
        let exited = order.draft - SECOND - i64::from(below(order.draw(Draw::Visit), 20_000)) * MILLI;
        Session {
            session_id: texts::text(order, texts::session_id),
            customer: order.customer,
            status: STATUSES[usize::from(!active)],
            updated: order.updated / MILLI * MILLI,
            ..Session::new(order, Session::id_of(order), order.draw(Draw::Visit), exited)
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
            ..Session::new(order, Session::id_of(order) + 1, draw, exited)
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
}
