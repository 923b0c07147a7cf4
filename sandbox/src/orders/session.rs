//! A session as JSON, in the list of sessions, in the detail of an order and in an event.

use crate::endpoint::{Spelling, boolean, quoted};
use crate::random::{below, mix};
use crate::shop::Session;
use crate::shop::texts::{self, number};

impl Spelling<'_> {
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
