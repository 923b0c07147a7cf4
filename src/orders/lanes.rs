//! All selections of a sync together. Pure.

use std::ops::{Deref, DerefMut};

use chrono::{DateTime, Utc};

use super::NAME;
use super::lane::{Lane, Part};
use super::query::Selection;
use super::reading::Ask;
use crate::doubt::Doubt;
use crate::failure::{Failure, FailureKind};

/// One lane for each selection.
#[derive(Debug)]
pub(super) struct Lanes(Vec<Lane>);

impl Deref for Lanes {
    type Target = [Lane];

    fn deref(&self) -> &[Lane] {
        &self.0
    }
}

impl DerefMut for Lanes {
    fn deref_mut(&mut self) -> &mut [Lane] {
        &mut self.0
    }
}

impl Lanes {
    /// For these selections. Those named in `unseen` are read as a whole.
    pub(super) fn new(selections: Vec<Selection>, unseen: &[String]) -> Self {
        let count = selections.len();
        let lane = |selection: Selection| {
            let whole = unseen.contains(&selection.to_string());
            Lane::new(selection, count, whole)
        };
        Self(selections.into_iter().map(lane).collect())
    }

    /// How many questions are under way, or answered before their turn.
    pub(super) fn outstanding(&self) -> usize {
        self.iter().map(Lane::outstanding).sum()
    }

    /// The next question worth asking, and of which lane.
    pub(super) fn question(&mut self, ticket: u64, room: bool) -> Option<(usize, Part, Ask)> {
        // The one with the fewest questions first, and of these the one furthest behind: the state is the lowest
        // position, so it gets on too.
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|lane| (self[*lane].outstanding(), self[*lane].position()));
        order.into_iter().find_map(|lane| {
            let (part, ask) = self[lane].question(ticket, room)?;
            Some((lane, part, ask))
        })
    }

    /// Whether all ranges have been read.
    pub(super) fn are_read(&self) -> bool {
        self.iter().all(Lane::is_read)
    }

    /// Whether a sweep has begun.
    pub(super) fn are_sweeping(&self) -> bool {
        self.iter().any(Lane::is_sweeping)
    }

    /// Whether all present sweeps have ended.
    pub(super) fn are_swept(&self) -> bool {
        self.iter().all(Lane::is_swept)
    }

    /// Whether there is no order at all.
    pub(super) fn show_no_order(&self) -> bool {
        self.iter().all(Lane::shows_no_order)
    }

    /// Everything of ranges from `start` to `end` before it has been handed out, in all lanes that a state speaks of.
    pub(super) fn position(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> DateTime<Utc> {
        let said = self.iter().filter(|lane| !lane.whole && !lane.shows_no_order());
        said.map(|lane| lane.position().unwrap_or(start)).min().unwrap_or(end)
    }

    /// The selections of which a state can say nothing: those that show no order while others do, and those that are not
    /// read as a whole yet.
    pub(super) fn unseen(&self) -> Vec<String> {
        let some = !self.show_no_order();
        let unseen =
            |lane: &&Lane| (lane.shows_no_order() && (some || lane.whole)) || (lane.whole && !lane.is_read());
        self.iter().filter(unseen).map(|lane| lane.selection.to_string()).collect()
    }

    /// What was drafted before it has been through sweep number `last`, and those before it, in all lanes.
    pub(super) fn swept_to(&self, last: usize) -> Option<DateTime<Utc>> {
        let in_last = self.iter().all(|lane| lane.sweep_number() == Some(last));
        self.iter().map(Lane::swept_to).min().flatten().filter(|_| in_last)
    }

    /// An order belongs to a customer of one role. If it is the newest of two roles, the filter is ignored, and every
    /// order would come once for each role.
    pub(super) fn are_told_apart(&self) -> Result<(), Failure> {
        let goals = || self.iter().filter_map(|lane| Some((&lane.selection, lane.goal.as_ref()?.as_ref()?)));
        for ((one, goal), (other, same)) in goals().zip(goals().skip(1)) {
            if one.store_id == other.store_id && (goal.at, &goal.ids) == (same.at, &same.ids) {
                let text =
                    "order filters by customer role are ignored: the same order is the newest of two roles";
                return Err(Doubt::new(FailureKind::OutOfRange, text).into_failure(NAME, 2));
            }
        }
        Ok(())
    }
}
