//! The walks that a sync takes through a list, and what of each answer is written. Pure.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::declared::{List, Paging};
use super::numbered::digest;
use super::page::Row;
use super::query::{Manner, Part};
use super::sync::Sync;
use super::walk::Walk;
use crate::doubt::Doubt;
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
    /// Digests of the rows of this sync, of a list that takes more than one walk.
    known: HashSet<u64>,
}

impl Passes {
    /// Nothing is read yet.
    pub fn new(list: &'static List, sync: Sync) -> Self {
        let manner = Manner::wished(list.incremental);
        let walk = sync.walk(manner.size);
        Self { list, sync, manner, answered: false, walk, pass: Pass::Due, known: HashSet::new() }
    }

    /// Whether there is more to ask; after a walk, the next one is begun.
    pub fn go_on(&mut self) -> bool {
        if !self.walk.is_done() {
            return true;
        }
        let moves =
            self.list.paging == Paging::Page && self.walk.is_longer_than_a_page() && self.manner.filtered;
        if self.pass == Pass::Due && moves && self.sync.closing_bound().is_some() {
            self.pass = Pass::Meanwhile;
            self.walk = Walk::new(self.list.paging, self.manner.size);
            return true;
        }
        false
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
        if self.list.paging == Paging::Page {
            rows.retain(|row| self.known.insert(digest(&row.id)));
        }
        Ok(self.sync.due(rows))
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
mod world;
