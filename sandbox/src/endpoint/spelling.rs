//! How values are spelled: what is spelled the same in the rows of all resources.

use crate::settings::{Behaviour, Ids};
use crate::shop::Row;
use crate::shop::mistyped::{Mistyped, mistyped};
use crate::shop::texts::{money, number};
use crate::time;

/// How rows are spelled.
pub(crate) struct Spelling<'b> {
    pub(crate) behaviour: &'b Behaviour,
}

impl<'b> Spelling<'b> {
    pub(crate) fn new(behaviour: &'b Behaviour) -> Spelling<'b> {
        Spelling { behaviour }
    }

    /// Which value of an order has the wrong type.
    pub(crate) fn mistyped(&self, row: &Row) -> Option<Mistyped> {
        if self.behaviour.odd_values { mistyped(row) } else { None }
    }

    /// An id that the samples show as a number.
    pub(crate) fn id(&self, out: &mut Vec<u8>, id: u64) {
        self.spelled(out, id, self.behaviour.ids == Ids::String);
    }

    /// An id that the samples show as a text.
    pub(crate) fn text_id(&self, out: &mut Vec<u8>, id: u64) {
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

    pub(crate) fn moment(&self, out: &mut Vec<u8>, micros: i64) {
        out.push(b'"');
        time::push(out, micros, self.behaviour.stamps);
        out.push(b'"');
    }

    pub(crate) fn moment_if(&self, out: &mut Vec<u8>, there: bool, micros: i64) {
        if there {
            self.moment(out, micros);
        } else {
            out.extend_from_slice(b"null");
        }
    }
}

/// A text that needs no escapes.
pub(crate) fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Any text.
pub(crate) fn escaped(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// An amount of cents as a text.
pub(crate) fn price(out: &mut Vec<u8>, cents: u32) {
    out.push(b'"');
    money(out, cents);
    out.push(b'"');
}

/// `true` or `false`.
pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}
