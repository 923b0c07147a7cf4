//! The walks that a sync takes through a list, until all of it has been seen. Pure.
//!
//! One walk is enough where the place in a list holds. A list that is asked for by page has no order that is documented:
//! a row that is changed may move from before our place to behind it, and rows that are alike may change places. So
//!
//! * what was changed meanwhile is asked for at the end of a full refresh. (An incremental sync leaves it to the next
//!   one.)
//! * places are counted. A list with more places than different rows that were met has shown a row twice instead of
//!   another one, which is either among those that were changed meanwhile, or the list is walked through again.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::declared::{List, Paging};
use super::numbered::digest;
use super::page::Row;
use super::query::{Manner, Part};
use super::sync::Sync;
use super::walk::Walk;
use crate::doubt::{Doubt, LOOKS};
use crate::failure::FailureKind;

/// Which rows a walk asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// Those that are due.
    Due,
    /// Those that were changed while the others were read.
    Meanwhile,
}

/// The reading of one list in one sync.
#[derive(Debug)]
pub struct Passes {
    list: &'static List,
    /// What is due, and what the state says.
    pub sync: Sync,
    manner: Manner,
    /// Whether the API has answered a question of this manner.
    answered: bool,
    walk: Walk,
    pass: Pass,
    walks: u32,
    /// Digests of the rows that were met, of a list by page.
    known: HashSet<u64>,
    /// Those that the walks through what was changed meanwhile have met.
    meanwhile: HashSet<u64>,
    /// How many places the last walk through what is due has met.
    places: usize,
}

impl Passes {
    /// Nothing is read yet.
    pub fn new(list: &'static List, sync: Sync) -> Self {
        let manner = Manner::wished(list.incremental);
        let walk = sync.walk(manner.size);
        Self {
            list,
            sync,
            manner,
            answered: false,
            walk,
            pass: Pass::Due,
            walks: 1,
            known: HashSet::new(),
            meanwhile: HashSet::new(),
            places: 0,
        }
    }

    /// Whether there is more to ask. After a walk, another one is begun where it takes one.
    pub fn go_on(&mut self) -> Result<bool, Doubt> {
        if !self.walk.is_done() {
            return Ok(true);
        }
        let Some(pass) = self.next_pass() else { return Ok(false) };
        if self.walks >= LOOKS {
            let text = "its rows move while it is read: one comes twice, so that another one may be missing";
            return Err(Doubt::new(FailureKind::Restless, text));
        }
        self.walks += 1;
        self.pass = pass;
        self.walk = Walk::new(self.list.paging, self.manner.size);
        Ok(true)
    }

    /// What to walk through after the walk that has ended.
    fn next_pass(&mut self) -> Option<Pass> {
        if self.list.paging != Paging::Page {
            return None;
        }
        let places = self.walk.places();
        match self.pass {
            Pass::Due => {
                self.places = places;
                let may_have_moved = self.sync.is_full_refresh() && self.walk.is_longer_than_a_page();
                (may_have_moved || self.known.len() < places).then_some(Pass::Meanwhile)
            }
            Pass::Meanwhile => {
                // Without the filter it was the whole list again.
                let met = if self.manner.filtered { self.meanwhile.len() } else { self.known.len() };
                if met < places {
                    return Some(Pass::Meanwhile);
                }
                (self.known.len() < self.places).then_some(Pass::Due)
            }
        }
    }

    /// The next question: the part, and the bound of the update time.
    pub fn question(&self) -> (Part, Option<DateTime<Utc>>) {
        let bound = match self.pass {
            Pass::Due => self.sync.bound(),
            Pass::Meanwhile => self.sync.closing_bound(),
        };
        (self.walk.question(), bound.filter(|_| self.manner.filtered))
    }

    /// Whether the API has answered.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether changes are asked for.
    pub fn is_filtered(&self) -> bool {
        self.manner.filtered
    }

    /// The first answer has come; it fixes the horizon.
    pub fn begin(&mut self, horizon: DateTime<Utc>) {
        self.answered = true;
        self.sync.begin(horizon);
    }

    /// Takes the answer to [`Self::question`]; the rows that are to be written. After a doubt, the question is asked again.
    pub fn accept(&mut self, rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        let mut rows = self.walk.accept(rows)?;
        if self.list.paging != Paging::Page {
            return Ok(self.sync.due(rows));
        }
        rows.retain(|row| {
            let digest = digest(&row.id);
            if self.pass == Pass::Meanwhile {
                self.meanwhile.insert(digest);
            }
            self.known.insert(digest)
        });
        Ok(self.sync.due(rows))
    }

    /// The answer is too large to be read. Whether a smaller part helps; the walks of this sync ask for no larger ones.
    pub fn asks_for_less(&mut self) -> bool {
        let halved = self.walk.halve();
        self.manner.size = self.manner.size.min(self.walk.question().count());
        halved
    }

    /// The question was refused. Whether there is another way to ask: from the beginning, so only the first question may
    /// have been refused.
    pub fn asks_otherwise(&mut self, refused: FailureKind) -> bool {
        let manner = match refused {
            _ if self.answered => None,
            FailureKind::Rejected => self.sync.after_refusal(self.manner),
            FailureKind::NotFound => self.sync.forget_place().then_some(self.manner),
            _ => None,
        };
        let Some(manner) = manner else { return false };
        self.manner = manner;
        self.walk = self.sync.walk(manner.size);
        true
    }

    /// Whether the walk is at a place where another one may begin.
    pub fn holds(&self) -> bool {
        self.walk.resume().is_some()
    }

    /// The state for now.
    pub fn state(&self) -> Value {
        self.sync.under_way(self.walk.resume())
    }
}

#[cfg(test)]
mod simulated;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod world;
