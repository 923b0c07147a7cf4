//! Orders without a draft date: no walk can place them, and no bound concerns them. Pure.
//!
//! They are met wherever the API lists them: databases sort nulls first in descending order, so such an order is the first
//! of the newest in each sync. It is written when it is met, once, and named. So that the next sync does not write it
//! again, the state holds its digest.

use std::collections::HashSet;

use crate::orders::CURSOR_FIELD;
use crate::orders::api::page::Row;
use crate::orders::api::page::digest;
use crate::orders::state::digests::Digests;
use crate::orders::state::unsettled::Unsettled;

/// So many are named one by one.
const NAMED: usize = 5;

/// The orders without a draft date of one sync.
#[derive(Debug, Default)]
pub(crate) struct Undated {
    written: Unsettled,
    /// Digests of those that this sync has met: the same one comes with many responses.
    met: HashSet<u64>,
}

impl Undated {
    /// Resumes from what [`Self::save`] gave.
    pub(crate) fn resume(saved: &Digests) -> Self {
        Self { written: Unsettled::resume(saved), met: HashSet::new() }
    }

    /// Whether an order is to be written: it is met for the first time, and was not written like this before.
    pub(crate) fn is_due(&mut self, row: &Row) -> bool {
        let digest = digest(row);
        if !self.met.insert(digest) {
            return false;
        }
        // Noted again, so that those which are still listed are the last that a full state forgets.
        self.written.note(digest);
        !self.written.has(digest)
    }

    /// The line for an order that was just met; none, once enough were named.
    pub(crate) fn line(&self, row: &Row) -> Option<String> {
        (self.met.len() <= NAMED).then(|| {
            format!(
                "orders: Order {} has no {CURSOR_FIELD} that is a date. It is written without one. Please report it to AiFi: such orders come only where the API lists them among others.",
                row.id
            )
        })
    }

    /// The line for the end of a sync; none, if all were named.
    pub(crate) fn summary(&self) -> Option<String> {
        let count = self.met.len();
        (count > NAMED).then(|| {
            format!("orders: {count} orders have no {CURSOR_FIELD} that is a date; the first {NAMED} are named above. They were written without one.")
        })
    }

    /// As it is in a state.
    pub(crate) fn save(&self) -> Digests {
        self.written.save(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::testing::row;

    fn order(id: u64, data: &'static str) -> Row {
        Row { data: data.into(), ..row(0, id) }
    }

    #[test]
    fn an_order_is_due_once_and_again_when_it_has_changed() {
        let mut first = Undated::default();
        let one = order(1, r#"{"id":1}"#);
        assert!(first.is_due(&one) && !first.is_due(&one));
        let mut second = Undated::resume(&first.save());
        assert!(!second.is_due(&one));
        assert!(second.is_due(&order(1, r#"{"id":1,"status":"paid"}"#)));
        let third = Undated::resume(&second.save());
        assert!(third.written.has(digest(&one)));
        assert_eq!(Undated::default().save(), Digests::default());
    }

    #[test]
    fn a_few_are_named_and_the_others_counted() {
        let mut undated = Undated::default();
        let lines = (0..20).filter_map(|id| {
            let row = Row { data: format!("{{\"id\":{id}}}").into(), ..row(0, id) };
            undated.is_due(&row);
            undated.line(&row)
        });
        assert_eq!(lines.count(), NAMED);
        assert!(undated.summary().is_some_and(|line| line.contains("20 orders")));
    }
}
