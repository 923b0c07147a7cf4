//! What a sync does with what has come: it plans, reads the ranges, then sweeps, and states what is written.

use chrono::{DateTime, Utc};

use super::Sync;
use super::filter_probe::{FilterProbe, UpdatedFilter};
use super::log;
use super::partition::Partition;
use super::plan::{Plan, PlanInputs, SweepRange};
use crate::failure::Failure;
use crate::horizon;
use crate::orders::NAME;
use crate::orders::api::page::Row;
use crate::orders::slice::newest::Newest;
use crate::orders::state::stream_state::{FilterProof, Swept};
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::Level;

/// An estimate comes with every so many states.
const STATES_PER_ESTIMATE: u64 = 20;

impl Sync<'_> {
    /// Does what has become possible.
    pub(super) fn go_on(&mut self) -> Result<(), Failure> {
        if self.plan.is_none() {
            self.make_plan();
        }
        let Some(plan) = self.plan.filter(|_| !self.done) else { return Ok(()) };
        self.partitions.are_told_apart()?;
        for partition in 0..self.partitions.len() {
            if self.partitions[partition].goal != Newest::Unknown
                && self.partitions[partition].position().is_none()
            {
                let whole = self.partitions[partition].whole;
                if whole {
                    self.writing.begin_whole(partition);
                }
                let start = if whole { self.cursor.start_date() } else { plan.start };
                let rows = self.partitions[partition].begin(start, plan.end)?;
                self.write_range(partition, rows);
            }
        }
        // First forward, then the sweep: all new orders come before any change.
        if self.partitions.are_read() && self.sweep(plan)? {
            self.finish(plan);
            return Ok(());
        }
        if self.writing.since_state >= self.orders_per_state {
            self.checkpoint();
        }
        Ok(())
    }

    /// What the API does with the filter by update time, as far as it is known.
    pub(super) fn filter(&self) -> Option<UpdatedFilter> {
        let verdict = self.probe.as_ref().and_then(FilterProbe::verdict);
        verdict.or(self.trusts_filter.then_some(UpdatedFilter::Honoured))
    }

    /// Decides what is read, once that can be known.
    fn make_plan(&mut self) {
        let Some((end, settled)) = self.times else { return };
        let filter = self.filter();
        if self.probe.is_some() && filter.is_none() {
            return;
        }
        let known = PlanInputs {
            config: self.config,
            cursor: &self.cursor,
            selections: self.partitions.len(),
            partitions: self.writing.partitions(),
            end,
            settled,
            updated: self.writing.updated,
            filter,
        };
        let (plan, window, changed) = known.plan();
        self.plan = Some(plan);
        self.writing.follow(window, changed, settled);
        if let Some(filter) = filter.filter(|filter| *filter != UpdatedFilter::Honoured) {
            self.writing.log(Level::Warn, log::no_filter(filter, self.config.changes_days));
        }
        let cursor = self.cursor.start();
        let nothing =
            plan.start >= end && !plan.sweeps() && !self.partitions.iter().any(|partition| partition.whole);
        if self.cursor.is_complete() || nothing {
            self.writing.log(Level::Info, log::nothing_to_read(cursor, end));
            if let Some(line) = horizon::in_the_future(NAME, cursor, settled) {
                self.writing.log(Level::Warn, line);
            }
            self.writing.receipt(cursor, cursor, false);
            self.complete(end);
            return;
        }
        let resumed = self.cursor.resumed().is_some();
        self.writing.log(Level::Info, log::range(&plan, resumed, cursor, self.config.requests_per_second));
        for stretch in plan.sweeps.iter().flatten() {
            self.writing.log(Level::Info, log::sweep(stretch));
        }
        if let Some(line) = self.earliest.and_then(|server| horizon::clocks_differ(server, self.now)) {
            self.writing.log(Level::Warn, format!("{NAME}: {line}"));
        }
    }

    /// Starts the sweeps that can start. Whether all have ended.
    fn sweep(&mut self, plan: Plan) -> Result<bool, Failure> {
        if plan.sweeps() && !self.partitions.are_sweeping() {
            if self.writing.since_state > 0 {
                self.checkpoint();
            } else {
                self.receipt(plan, plan.end);
            }
        }
        for number in 0..plan.sweeps.len() {
            let Some(stretch) = plan.sweep(number) else { break };
            for partition in 0..self.partitions.len() {
                if !self.partitions[partition].unswept
                    && self.partitions[partition].sweep_number() < Some(number)
                {
                    let rows = self.partitions[partition].begin_sweep(stretch)?;
                    self.write_changes(rows);
                }
            }
            // One stretch after the other in all partitions: the state says how far the sweep is.
            if !self.partitions.are_swept() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn write_range(&mut self, partition: usize, rows: Vec<Row>) {
        if let Some(since) = self.plan.and_then(|plan| plan.swept_since()) {
            self.partitions[partition].observe(&rows, since);
        }
        let Partition { whole, .. } = self.partitions[partition];
        self.writing.range(partition, rows, self.partitions[partition].position(), whole);
    }

    pub(super) fn write_changes(&mut self, rows: Vec<Row>) {
        let Some(plan) = self.plan else { return };
        // All partitions are in the same stretch.
        let number = self.partitions.iter().filter_map(Partition::sweep_number).max();
        if let Some(SweepRange { since, .. }) = number.and_then(|number| plan.sweep(number)) {
            self.writing.changes(rows, since, plan.settled);
        }
    }

    /// Everything before it has been handed out, in all partitions that a state speaks of.
    pub(crate) fn position(&self) -> Option<DateTime<Utc>> {
        let plan = self.plan?;
        Some(self.partitions.position(plan.start, plan.end))
    }

    /// Says what has been written so far. A state is a proof: everything before the lowest position is in the steps
    /// before it. Positions hold still while there is a doubt, so it is never ahead.
    pub(crate) fn checkpoint(&mut self) {
        let Some(position) = self.position() else { return };
        // Within a window that is read again, nothing new can be said yet.
        if self.done || position < self.cursor.start() || self.partitions.show_no_order() {
            return;
        }
        if let Some(plan) = self.plan.filter(Plan::sweeps)
            && let Some(before) = self.partitions.swept_to(plan.last_sweep())
        {
            self.writing.swept = Some(Swept { before, updated: plan.settled });
        }
        if let Some(plan) = self.plan {
            self.receipt(plan, position);
        }
        self.state(position, false);
        self.states += 1;
        if self.states % STATES_PER_ESTIMATE == 1 {
            let estimates = self.partitions.iter().map(|partition| partition.range.as_ref()?.estimate());
            if let Some(rows) = estimates.sum::<Option<u64>>() {
                self.writing.estimate(rows);
            }
        }
    }

    /// A receipt for what was written since the last one, up to `position`.
    fn receipt(&mut self, plan: Plan, position: DateTime<Utc>) {
        if plan.reread && position >= self.cursor.start() {
            self.doubt_listing();
            self.writing.compare();
        }
        if self.partitions.are_sweeping() {
            self.writing.receipt(self.cursor.start_date(), plan.start, true);
        } else {
            let from = self.receipted.replace(position).unwrap_or(plan.start);
            self.writing.receipt(from, position, false);
        }
    }

    /// An empty list proves nothing: where a partition shows no order that showed some before, it is not known what is listed.
    fn doubt_listing(&mut self) {
        let Some(saved) = self.cursor.resumed() else { return };
        let unseen = self.partitions.unseen();
        if self.partitions.show_no_order() || unseen.iter().any(|partition| !saved.unseen.contains(partition))
        {
            self.writing.lose_inventory("a store or role showed no order");
        }
    }

    /// Whether everything that is listed was handed out, as far as a state speaks of it.
    fn has_listing(&self) -> bool {
        !self.partitions.iter().any(|partition| partition.whole && !partition.is_read())
    }

    /// A response held items that are not orders, so what it does not hold may be among them.
    pub(crate) fn met_unreadable(&mut self) {
        if self.plan.is_some_and(|plan| plan.reread) {
            self.writing.lose_inventory("an item of the list could not be read");
        }
    }

    fn finish(&mut self, plan: Plan) {
        let unswept = self.partitions.iter().any(|partition| partition.unswept);
        if unswept {
            let line = if self.trusts_filter { log::FILTER_CEASED } else { log::UNSWEPT };
            self.writing.log(Level::Warn, line.to_owned());
        }
        self.writing.filtered = match self.writing.filtered {
            _ if unswept && self.trusts_filter => FilterProof::Contradicted,
            _ if self.partitions.iter().any(Partition::proves_filter) => FilterProof::Proven,
            _ if plan.sweeps() || plan.reread => FilterProof::None,
            known => known,
        };
        // An empty list proves nothing: the cursor stays, and the next sync looks again.
        let none = self.partitions.show_no_order();
        let end = if none { self.cursor.start() } else { plan.end };
        // What was read whole, or swept, is as it was at the horizon or later.
        let whole = plan.start <= self.cursor.start_date() && self.cursor.mode() == SyncMode::Incremental;
        if !none && (whole || (plan.sweeps() && !unswept)) {
            self.writing.updated = self.writing.updated.max(Some(plan.settled));
            self.writing.swept = None;
        }
        self.receipt(plan, end);
        self.complete(end);
    }

    /// Says that everything before `end` is written, and that nothing follows.
    fn complete(&mut self, end: DateTime<Utc>) {
        self.state(end, true);
        self.writing.complete(end);
        self.done = true;
    }

    /// A state that says that everything before `position` is written.
    fn state(&mut self, position: DateTime<Utc>, complete: bool) {
        self.doubt_listing();
        self.writing.state(position, &self.partitions.unseen(), self.has_listing(), complete);
    }
}
