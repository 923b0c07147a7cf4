//! The passes that a sync takes through a list, until all of it has been seen. Pure.
//!
//! One pass is enough where the place in a list holds. A list that is asked for by page has no order that is documented:
//! a row that is changed may move from before our place to behind it, and rows that are alike may change places. So
//!
//! * what was changed meanwhile is asked for at the end of a full refresh. (An incremental sync leaves it to the next
//!   one.)
//! * places are counted. A list with more places than different rows that were met has shown a row twice instead of
//!   another one, which is either among those that were changed meanwhile, or the list is read again.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::declared::{List, Paging};
use super::numbered::digest;
use super::page::Row;
use super::pass::Pass;
use super::query::{PageRequest, RequestShape};
use super::sync::Sync;
use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::failure::FailureKind;

/// Which rows a pass asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PassKind {
    /// Those that are due.
    Due,
    /// Those that were changed while the others were read.
    Meanwhile,
}

/// The reading of one list in one sync.
#[derive(Debug)]
pub(crate) struct Passes {
    list: &'static List,
    /// What is due, and what the state says.
    pub sync: Sync,
    manner: RequestShape,
    /// Whether the API has answered a request of this manner.
    answered: bool,
    pass: Pass,
    kind: PassKind,
    passes: u32,
    /// Digests of the rows that were met, of a list by page.
    known: HashSet<u64>,
    /// Those that the passes through what was changed meanwhile have met.
    meanwhile: HashSet<u64>,
    /// How many places the last pass through what is due has met.
    places: usize,
}

impl Passes {
    /// Nothing is read yet.
    pub(crate) fn new(list: &'static List, sync: Sync) -> Self {
        let manner = RequestShape::wished(list.incremental);
        let pass = sync.pass(manner.size);
        Self {
            list,
            sync,
            manner,
            answered: false,
            pass,
            kind: PassKind::Due,
            passes: 1,
            known: HashSet::new(),
            meanwhile: HashSet::new(),
            places: 0,
        }
    }

    /// Whether there is more to ask. After a pass, another one is begun where it takes one.
    pub(crate) fn go_on(&mut self) -> Result<bool, Doubt> {
        if !self.pass.is_done() {
            return Ok(true);
        }
        let Some(kind) = self.next_pass() else { return Ok(false) };
        if self.passes >= MAX_ATTEMPTS {
            let text = "its rows move while it is read: one comes twice, so that another one may be missing";
            return Err(Doubt::new(FailureKind::Restless, text));
        }
        self.passes += 1;
        self.kind = kind;
        self.pass = Pass::new(self.list.paging, self.manner.size);
        Ok(true)
    }

    /// What to read after the pass that has ended.
    fn next_pass(&mut self) -> Option<PassKind> {
        if self.list.paging != Paging::Page {
            return None;
        }
        let places = self.pass.places();
        match self.kind {
            PassKind::Due => {
                self.places = places;
                let may_have_moved = self.sync.is_full_refresh() && self.pass.is_longer_than_a_page();
                (may_have_moved || self.known.len() < places).then_some(PassKind::Meanwhile)
            }
            PassKind::Meanwhile => {
                // Without the filter it was the whole list again.
                let met = if self.manner.filtered { self.meanwhile.len() } else { self.known.len() };
                if met < places {
                    return Some(PassKind::Meanwhile);
                }
                (self.known.len() < self.places).then_some(PassKind::Due)
            }
        }
    }

    /// The next request: the part, and the bound of the update time.
    pub(crate) fn request(&self) -> (PageRequest, Option<DateTime<Utc>>) {
        let bound = match self.kind {
            PassKind::Due => self.sync.bound(),
            PassKind::Meanwhile => self.sync.closing_bound(),
        };
        (self.pass.request(), bound.filter(|_| self.manner.filtered))
    }

    /// Whether the next request is for new rows.
    pub(crate) fn advances(&self) -> bool {
        self.pass.advances()
    }

    /// Whether the API has answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether changes are asked for.
    pub(crate) fn is_filtered(&self) -> bool {
        self.manner.filtered
    }

    /// The first response has come; it fixes the horizon.
    pub(crate) fn begin(&mut self, horizon: DateTime<Utc>) {
        self.answered = true;
        self.sync.begin(horizon);
    }

    /// Takes the response to [`Self::request`]; the rows that are to be written. After a doubt, the request is repeated.
    pub(crate) fn accept(&mut self, rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        let mut rows = self.pass.accept(rows)?;
        if self.list.paging != Paging::Page {
            return Ok(self.sync.due(rows));
        }
        rows.retain(|row| {
            let digest = digest(&row.id);
            if self.kind == PassKind::Meanwhile {
                self.meanwhile.insert(digest);
            }
            self.known.insert(digest)
        });
        Ok(self.sync.due(rows))
    }

    /// The response is too large to be read. Whether a smaller part helps; the passes of this sync ask for no larger ones.
    pub(crate) fn asks_for_less(&mut self) -> bool {
        let halved = self.pass.halve();
        self.manner.size = self.manner.size.min(self.pass.request().count());
        halved
    }

    /// The request was refused. Whether there is another way to ask: from the beginning, so only the first request may
    /// have been refused.
    pub(crate) fn asks_otherwise(&mut self, refused: FailureKind) -> bool {
        let manner = match refused {
            _ if self.answered => None,
            FailureKind::Rejected => self.sync.after_refusal(self.manner),
            FailureKind::NotFound => self.sync.forget_place().then_some(self.manner),
            _ => None,
        };
        let Some(manner) = manner else { return false };
        self.manner = manner;
        self.pass = self.sync.pass(manner.size);
        true
    }

    /// Whether the pass is at a place where another one may begin.
    pub(crate) fn holds(&self) -> bool {
        self.pass.resume().is_some()
    }

    /// The state for now.
    pub(crate) fn state(&self) -> Value {
        self.sync.under_way(self.pass.resume())
    }
}

#[cfg(test)]
mod tests;
