//! All selections of a sync together. Pure.

use std::ops::{Deref, DerefMut};

use chrono::{DateTime, Utc};

use crate::doubt::Doubt;
use crate::failure::{Failure, FailureKind};
use crate::orders::NAME;
use crate::orders::api::query::Request;
use crate::orders::api::query::Selection;
use crate::orders::sync::partition::{Partition, Phase};

/// One partition for each selection.
#[derive(Debug)]
pub(crate) struct Partitions(Vec<Partition>);

impl Deref for Partitions {
    type Target = [Partition];

    fn deref(&self) -> &[Partition] {
        &self.0
    }
}

impl DerefMut for Partitions {
    fn deref_mut(&mut self) -> &mut [Partition] {
        &mut self.0
    }
}

impl Partitions {
    /// For these selections. Those that are `whole` are read as a whole.
    pub(crate) fn new(selections: Vec<Selection>, whole: impl Fn(&Selection) -> bool) -> Self {
        let count = selections.len();
        let partition = |selection: Selection| {
            let whole = whole(&selection);
            Partition::new(selection, count, whole)
        };
        Self(selections.into_iter().map(partition).collect())
    }

    /// How many requests are under way, or answered before their turn.
    pub(crate) fn outstanding(&self) -> usize {
        self.iter().map(Partition::outstanding).sum()
    }

    /// The next request worth making, and of which partition.
    pub(crate) fn request(&mut self, ticket: u64, room: bool) -> Option<(usize, Phase, Request)> {
        // The one with the fewest requests first, and of these the one furthest behind: the state is the lowest
        // position, so it gets on too.
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|partition| (self[*partition].outstanding(), self[*partition].position()));
        order.into_iter().find_map(|partition| {
            let (part, ask) = self[partition].request(ticket, room)?;
            Some((partition, part, ask))
        })
    }

    /// Whether all ranges have been read.
    pub(crate) fn are_read(&self) -> bool {
        self.iter().all(Partition::is_read)
    }

    /// Whether a sweep has begun.
    pub(crate) fn are_sweeping(&self) -> bool {
        self.iter().any(Partition::is_sweeping)
    }

    /// Whether all present sweeps have ended.
    pub(crate) fn are_swept(&self) -> bool {
        self.iter().all(Partition::is_swept)
    }

    /// Whether there is no order at all.
    pub(crate) fn show_no_order(&self) -> bool {
        self.iter().all(Partition::shows_no_order)
    }

    /// Everything of ranges from `start` to `end` before it has been handed out, in all partitions that a state speaks of.
    pub(crate) fn position(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> DateTime<Utc> {
        let said = self.iter().filter(|partition| !partition.whole && !partition.shows_no_order());
        said.map(|partition| partition.position().unwrap_or(start)).min().unwrap_or(end)
    }

    /// The selections of which a state can say nothing: those that show no order while others do, and those that are not
    /// read as a whole yet.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let some = !self.show_no_order();
        let unseen = |partition: &&Partition| {
            (partition.shows_no_order() && (some || partition.whole))
                || (partition.whole && !partition.is_read())
        };
        self.iter().filter(unseen).map(|partition| partition.selection.to_string()).collect()
    }

    /// What was drafted before it has been through sweep number `last`, and those before it, in all partitions.
    pub(crate) fn swept_to(&self, last: usize) -> Option<DateTime<Utc>> {
        let in_last = self.iter().all(|partition| partition.sweep_number() == Some(last));
        self.iter().map(Partition::swept_to).min().flatten().filter(|_| in_last)
    }

    /// An order belongs to a customer of one role. If it is the newest of two roles, the filter is ignored, and every
    /// order would come once for each role.
    pub(crate) fn are_told_apart(&self) -> Result<(), Failure> {
        let goals =
            || self.iter().filter_map(|partition| Some((&partition.selection, partition.goal.target()?)));
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
