//! From rows that are handed out to what is written: records, states, and their sums. Pure.

use chrono::{DateTime, SubsecRound, Utc};

use crate::config::{Changes, Config};
use crate::orders::api::page::{Row, digest, digest_of_bytes};
use crate::orders::api::totals::Totals;
use crate::orders::state::cursor::Cursor;
use crate::orders::state::inventory::{Item, Items};
use crate::orders::state::listing::Listing;
use crate::orders::state::reread::RereadFilter;
use crate::orders::state::stream_state::{FilterProof, StreamState, Swept};
use crate::orders::state::undated::Undated;
use crate::orders::state::unsettled::Unsettled;
use crate::orders::state::window::Window;
use crate::orders::sync::log::{self, Summary};
use crate::orders::sync::versions::{Superseded, tell_apart};
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::Level;

/// What a sync has to say, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A record.
    Record(Row),
    /// A version that is listed, but superseded: a record of the stream of versions only.
    Superseded(Row),
    /// What is no longer listed: a tombstone. The instant is when that was found.
    Gone(Item, DateTime<Utc>),
    /// The sums of what was written since the last one.
    Receipt(Totals),
    /// What has been written up to here.
    State(Box<StreamState>),
    /// About how many records there will be.
    Estimate(u64),
    /// A line for the log.
    Log(Level, String),
    /// Everything has been said.
    Complete(Summary),
}

/// What is written, and what of it has been said.
pub(crate) struct Emitter<'c> {
    config: &'c Config,
    cursor: Cursor,
    /// Changes before it are written. Fixed before anything is read, and kept until a sweep is complete.
    pub(crate) updated: Option<DateTime<Utc>>,
    /// How far the sweep is.
    pub(crate) swept: Option<Swept>,
    /// What the last sweep showed of the filter by update time.
    pub(crate) filtered: FilterProof,
    window: Option<Window>,
    changed: Option<RereadFilter>,
    recent: Unsettled,
    undated: Undated,
    /// What changed from then on is not settled, and looked at once more; none, where changes are not asked for.
    unsettled: Option<DateTime<Utc>>,
    /// When this sync looked.
    settled: DateTime<Utc>,
    steps: Vec<Effect>,
    tally: Totals,
    /// What is drafted before the cursor, of partitions that are read as a whole: it belongs in no range of this sync.
    added: Totals,
    /// What the last state said.
    last_state: Option<StreamState>,
    /// Orders that were handed out since the last state.
    pub(crate) since_state: u64,
    superseded: Superseded,
    left_out: u64,
    /// The partitions of this sync; empty for all orders.
    partitions: Vec<String>,
}

impl<'c> Emitter<'c> {
    /// Nothing is written yet.
    pub(crate) fn new(config: &'c Config, cursor: Cursor, partitions: Vec<String>) -> Self {
        // A state from before changes were followed says nothing about them: they are followed from its end on.
        let updated = cursor.resumed().map(|saved| saved.updated.unwrap_or(cursor.start()));
        Self {
            config,
            swept: cursor.resumed().and_then(|saved| saved.swept),
            filtered: cursor.resumed().map(|saved| saved.filtered).unwrap_or_default(),
            recent: cursor.resumed().map(|saved| Unsettled::resume(&saved.recent)).unwrap_or_default(),
            undated: cursor.resumed().map(|saved| Undated::resume(&saved.undated)).unwrap_or_default(),
            unsettled: None,
            settled: DateTime::UNIX_EPOCH,
            cursor,
            updated,
            window: None,
            changed: None,
            steps: Vec::new(),
            tally: Totals::default(),
            added: Totals::default(),
            last_state: None,
            since_state: 0,
            superseded: Superseded::default(),
            left_out: 0,
            partitions,
        }
    }

    /// The digests that this sync fills, and what holds back what has not changed. Changes from `settled` on are the next
    /// sync's.
    pub(crate) fn follow(
        &mut self,
        window: Option<Window>,
        changed: Option<RereadFilter>,
        settled: DateTime<Utc>,
    ) {
        (self.window, self.changed) = (window, changed);
        let asks_for_changes =
            self.config.changes == Changes::Updated && self.cursor.mode() == SyncMode::Incremental;
        self.unsettled = asks_for_changes.then_some(settled);
        self.settled = settled;
    }

    /// The names of the partitions of this sync; none for all orders.
    pub(crate) fn partitions(&self) -> &[String] {
        &self.partitions
    }

    /// What there is to say since the last call.
    pub(crate) fn steps(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.steps)
    }

    /// A line for the log.
    pub(crate) fn log(&mut self, level: Level, line: String) {
        self.steps.push(Effect::Log(level, line));
    }

    /// About how many records there will be.
    pub(crate) fn estimate(&mut self, rows: u64) {
        self.steps.push(Effect::Estimate(rows));
    }

    /// A selection of which nothing is written yet is read as a whole.
    pub(crate) fn begin_whole(&mut self, selection: usize) {
        if let Some(window) = &mut self.window {
            window.forget(selection);
        }
    }

    /// Writes what the range of a selection has handed out, up to `position`. Of a `whole` one nothing is written yet.
    pub(crate) fn range(
        &mut self,
        selection: usize,
        rows: Vec<Row>,
        position: Option<DateTime<Utc>>,
        whole: bool,
    ) {
        self.since_state += rows.len() as u64;
        let cursor = if whole { self.cursor.start_date() } else { self.cursor.start() };
        let mut again = rows;
        let new = again.split_off(again.partition_point(|row| row.at < cursor));
        let again = tell_apart(again, &mut self.superseded, true);
        let new = tell_apart(new, &mut self.superseded, false);
        for row in again.into_iter().chain(new) {
            let added = whole && row.at < self.cursor.start();
            if !row.superseded {
                self.totals(added).observe(&row);
            }
            let digest = digest(&row);
            if let Some(window) = &mut self.window {
                window.add(selection, &row, digest);
            }
            let with_lines = self.config.deletions;
            let items = self.listing().map(|listing| {
                let items = Items::of(&row, with_lines);
                listing.add(&row, &items);
                items
            });
            if row.at >= self.cursor.start()
                && !row.superseded
                && let Some((listing, items)) = self.listing().zip(items.as_ref())
                && listing.misses()
            {
                listing.meet(items);
            }
            let row = match (&mut self.changed, &self.window) {
                (Some(changed), Some(window)) if !whole => {
                    changed.hold(selection, row, digest, items.as_ref(), window)
                }
                _ => Some(row),
            };
            if let Some(row) = row {
                self.release(selection, row.at);
                if self.config.wants_status(row.status.as_deref()) {
                    self.record(row, digest, added);
                } else {
                    self.left_out += u64::from(!row.superseded);
                }
            }
        }
        if let Some(position) = position {
            self.release(selection, position);
        }
        // No state speaks of less than what lies before the cursor.
        let cursor = self.cursor.start();
        if let Some(listing) = self.listing() {
            listing.inventory.settle(cursor);
        }
    }

    /// What is listed, where it is known.
    fn listing(&mut self) -> Option<&mut Listing> {
        self.window.as_mut()?.listing.as_mut()
    }

    /// It is not certain what is listed in this sync: nothing is concluded from it, and the next sync begins anew.
    pub(crate) fn lose_inventory(&mut self, why: &str) {
        let window = self.window.as_mut();
        if window.and_then(|window| window.listing.take()).is_some() {
            self.steps.push(Effect::Log(Level::Info, log::no_inventory(why)));
        }
    }

    /// Says what was written before the cursor and is no longer listed, once all of it was read again.
    pub(crate) fn compare(&mut self) {
        let (Some(changed), Some(window)) = (&mut self.changed, &mut self.window) else { return };
        if window.listing.is_none() {
            return;
        }
        let Some(finding) = changed.missing(self.settled) else { return };
        for (level, line) in log::missing(&finding, self.settled, self.config.deletions) {
            self.steps.push(Effect::Log(level, line));
        }
        self.tally.gone += finding.gone.iter().filter(|item| item.line.is_none()).count() as u64;
        if self.config.deletions {
            for item in &finding.gone {
                window.doubt_span(item.at);
                self.steps.push(Effect::Gone(*item, self.settled));
            }
        }
        if let Some(listing) = &mut window.listing {
            listing.miss(finding.missing);
        }
    }

    /// An order was met elsewhere than in what is read again.
    fn found(&mut self, row: &Row) {
        let seeks = self.changed.as_ref().is_some_and(RereadFilter::seeks);
        if !self.listing().is_some_and(|listing| seeks || listing.misses()) {
            return;
        }
        let items = Items::of(row, self.config.deletions);
        if let Some(changed) = &mut self.changed {
            changed.meet(&items);
        }
        if let Some(listing) = self.listing() {
            listing.meet(&items);
        }
    }

    /// Writes what was read again up to `position` and has changed. The statuses that are wanted do not matter: an
    /// extra row is better than a stale one.
    fn release(&mut self, selection: usize, position: DateTime<Utc>) {
        if let (Some(changed), Some(window)) = (&mut self.changed, &self.window) {
            for row in changed.release(selection, position, window) {
                let digest = digest(&row);
                self.record(row, digest, false);
            }
        }
    }

    /// Writes what a sweep has handed out: what has changed in `[since, settled)`.
    pub(crate) fn changes(&mut self, rows: Vec<Row>, since: DateTime<Utc>, settled: DateTime<Utc>) {
        self.since_state += rows.len() as u64;
        for row in tell_apart(rows, &mut self.superseded, true) {
            // What changed before is only there to prove the response; what changed later is the next sync's; and what was
            // written like this already, when its change was not settled, is not written again. An order without an
            // update time has not changed since its draft.
            let changed = row.updated.unwrap_or(row.at);
            let due = since <= changed && changed < settled;
            // A version that others have replaced has not changed, and may be here only to prove the response.
            if due && !row.superseded {
                self.found(&row);
            }
            // States of version 0.3.0 and before have the other digest.
            let digest = digest(&row);
            let is_written = self.recent.has(digest) || self.recent.has(digest_of_bytes(&row));
            if due && !is_written {
                if !row.superseded {
                    self.tally.observe(&row);
                }
                if let Some(listing) = self.listing() {
                    listing.change(&row);
                }
                self.record(row, digest, false);
            }
        }
    }

    /// Writes orders without a draft date, and names them. They count in no receipt: a receipt is of a range of draft dates.
    pub(crate) fn undated(&mut self, rows: Vec<Row>) {
        let config = self.config;
        for row in rows {
            self.found(&row);
            let of_another = row.store_id.is_some_and(|store| !config.store_ids.contains(&store));
            if (of_another && !config.store_ids.is_empty()) || !self.undated.is_due(&row) {
                continue;
            }
            if let Some(line) = self.undated.line(&row) {
                self.log(Level::Warn, line);
            }
            if config.wants_status(row.status.as_deref()) {
                self.since_state += 1;
                let superseded = row.is_latest == Some(false);
                let row = Row { superseded, ..row };
                self.steps.push(if superseded { Effect::Superseded(row) } else { Effect::Record(row) });
            } else {
                self.left_out += 1;
            }
        }
    }

    fn totals(&mut self, added: bool) -> &mut Totals {
        if added { &mut self.added } else { &mut self.tally }
    }

    fn record(&mut self, row: Row, digest: u64, added: bool) {
        if self.unsettled.is_some_and(|settled| row.updated >= Some(settled)) {
            self.recent.note(digest);
        }
        if row.superseded {
            self.steps.push(Effect::Superseded(row));
        } else {
            self.totals(added).write(&row, digest);
            self.steps.push(Effect::Record(row));
        }
    }

    /// Sums up what was written of orders drafted from `from` until `until`: all of them, or those that have changed.
    pub(crate) fn receipt(&mut self, from: DateTime<Utc>, until: DateTime<Utc>, changes: bool) {
        let added = std::mem::take(&mut self.added);
        if added.read > 0 {
            let (from, until) = (Some(self.cursor.start_date()), Some(self.cursor.start()));
            self.steps.push(Effect::Receipt(Totals { from, until, changes: true, ..added }));
        }
        let tally = std::mem::take(&mut self.tally);
        self.steps.push(Effect::Receipt(Totals { from: Some(from), until: Some(until), changes, ..tally }));
    }

    /// Says that everything before `position` is written. What it covers is in the steps before it. Nothing is said of
    /// the selections that are `unseen`, and of what is listed only if it is complete.
    pub(crate) fn state(&mut self, position: DateTime<Utc>, unseen: &[String], listed: bool, complete: bool) {
        // The cursor is written to the millisecond, so nothing behind it may count as said.
        let position = position.max(self.cursor.start()).trunc_subsecs(3);
        let said = StreamState {
            position,
            updated: self.updated,
            swept: self.swept,
            filtered: self.filtered,
            recent: self.recent.save(self.unsettled.is_some() && self.updated == self.unsettled),
            window: self.window.as_mut().map(|window| window.save(position, listed)),
            undated: self.undated.save(),
            partitions: self.partitions.clone(),
            unseen: unseen.to_vec(),
            ..StreamState::default()
        };
        let state = self.cursor.state(said, complete);
        debug_assert!(
            self.last_state.as_ref().is_none_or(|last| last.position <= state.position),
            "the position never falls"
        );
        self.last_state = Some(state.clone());
        self.steps.push(Effect::State(Box::new(state)));
        self.since_state = 0;
    }

    /// What the last state said, or the one that the sync resumes from.
    pub(crate) fn last_state(&self) -> StreamState {
        self.last_state.clone().unwrap_or_else(|| {
            let said = match self.cursor.resumed() {
                Some(saved) => saved.clone(),
                None => StreamState { partitions: self.partitions.clone(), ..StreamState::default() },
            };
            let said = StreamState {
                position: self.cursor.start(),
                updated: self.updated,
                swept: self.swept,
                filtered: self.filtered,
                ..said
            };
            self.cursor.state(said, false)
        })
    }

    /// Everything has been said, up to `end`.
    pub(crate) fn complete(&mut self, end: DateTime<Utc>) {
        let end = end.max(self.cursor.start());
        if let Some(line) = self.undated.summary() {
            self.log(Level::Warn, line);
        }
        if let Some(line) = self.changed.as_ref().and_then(|changed| log::read_again(changed.again)) {
            self.log(Level::Info, line);
        }
        let summary = Summary { end, left_out: self.left_out, superseded: self.superseded };
        self.steps.push(Effect::Complete(summary));
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::orders::api::testing::row;

    const CONFIG: &str = r#"{"credentials": {"auth_type": "access_token", "access_token": "token"}, "start_date": "2025-11-01T00:00:00Z"}"#;

    #[test]
    fn an_order_without_an_update_time_is_no_change_after_its_draft() {
        let config = Config::parse(CONFIG).unwrap();
        let cursor = Cursor::new(SyncMode::Incremental, config.start_date, None);
        let mut writing = Emitter::new(&config, cursor, Vec::new());
        let second = |second: i64| row(second, 0).at;
        let changed = |id: u64, at: i64| Row { updated: Some(second(at)), ..row(1, id) };
        let rows = vec![changed(1, 99), row(1, 2), changed(3, 100), row(100, 4), row(500, 5)];
        writing.changes(rows, second(100), second(100) + TimeDelta::seconds(300));
        let ids = writing.steps().into_iter().filter_map(|step| match step {
            Effect::Record(row) => Some(row.id),
            _ => None,
        });
        assert_eq!(ids.collect::<Vec<_>>(), [3, 4]);
    }
}
