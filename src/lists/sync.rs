//! What of a list is written in a sync, and what the state says. Pure.
//!
//! The filter of the API only spares work: each row's own `updatedAt` decides whether it is written.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;

use super::declared::List;
use super::page::Row;
use super::pass::Pass;
use super::query::RequestShape;
use super::recent::Recent;
use super::state::{self, ListState, ResumePoint};
use crate::config::Config;
use crate::failure::Failure;
use crate::protocol::catalog::SyncMode;
use crate::protocol::generation::Writer;
use crate::protocol::start_date;
use crate::timestamp::MILLISECOND;

/// A state is written after this many records of a list that is read by key.
pub(crate) const RECORDS_PER_STATE: u64 = 1_000;

/// One sync of one list.
#[derive(Debug)]
pub(crate) struct Sync {
    list: &'static List,
    /// None for a list without changes to ask for: it has a full refresh only.
    mode: Option<SyncMode>,
    /// Only these stores; empty for all.
    stores: Vec<u64>,
    start_date: DateTime<Utc>,
    /// What it resumes from.
    resumed: Option<ListState>,
    /// Stores were added since the last sync.
    has_added_stores: bool,
    /// The start date before it was moved to an earlier day since the last sync.
    moved_back_from: Option<DateTime<Utc>>,
    /// Rows changed before it are written already, as a rule.
    from: DateTime<Utc>,
    /// Of the newest rows among those, only these are.
    written: Recent,
    /// What it will be at the end, as far as rows have come.
    seen: Recent,
    place: Option<ResumePoint>,
    /// Rows changed at or after it are left to the next sync. Fixed with the first response.
    horizon: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
    left_out: u64,
}

impl Sync {
    /// From the saved state on, or from the start date.
    pub(crate) fn new(
        list: &'static List,
        config: &Config,
        mode: SyncMode,
        saved: Option<&Value>,
    ) -> Result<Self, Failure> {
        let mode = list.incremental.then_some(mode);
        let saved = match mode {
            Some(_) => saved.map(|saved| ListState::parse(list, saved)).transpose()?,
            None => None,
        };
        // A state of the other mode is not a place to resume from.
        let is_of_full_refresh = |saved: &ListState| saved.writer != Writer::Incremental;
        let saved = saved.filter(|saved| is_of_full_refresh(saved) == (mode == Some(SyncMode::FullRefresh)));
        // A full refresh has one set of stores from its beginning to its end.
        let stores = if list.store.is_empty() { &[] } else { &config.store_ids[..] };
        let resumed = saved.filter(|saved| mode == Some(SyncMode::Incremental) || saved.covers(stores));
        let updated = resumed.as_ref().and_then(|saved| saved.updated);
        let has_added_stores = resumed.as_ref().is_some_and(|saved| !saved.covers(stores));
        let moved_back_from = resumed.as_ref().and_then(|saved| saved.start_date);
        let moved_back_from = moved_back_from.filter(|from| *from > config.start_date);
        // What was passed over was not read for the stores that were added, nor before the start date.
        let is_whole = !has_added_stores && moved_back_from.is_none();
        let place = resumed.as_ref().and_then(|saved| saved.place.clone()).filter(|_| is_whole);
        let from = updated.map_or(config.start_date, |updated| updated.max(config.start_date));
        let recent = resumed.as_ref().and_then(|saved| saved.recent.clone());
        let written = recent.filter(|recent| recent.from() <= from).unwrap_or_else(|| Recent::since(from));
        let written_from = written.from().max(config.start_date);
        let written = written.seen_from(written_from);
        let mut sync = Self {
            list,
            mode,
            stores: config.store_ids.clone(),
            start_date: config.start_date,
            has_added_stores,
            moved_back_from,
            from,
            seen: written.clone(),
            written,
            horizon: place.as_ref().map(|place| place.until),
            newest: place.as_ref().and_then(|place| place.newest),
            place,
            resumed,
            left_out: 0,
        };
        sync.seen = match &sync.place {
            // Of what came before the place, a state of version 0.3.0 and before names nothing.
            Some(place) => place.recent.clone().unwrap_or_else(|| Recent::since(place.until)),
            None => sync.written.clone().seen_from(sync.lowest()),
        };
        Ok(sync)
    }

    /// Whether a full refresh is complete already, so that nothing is left.
    pub(crate) fn is_complete(&self) -> bool {
        self.resumed.as_ref().is_some_and(|saved| saved.writer == Writer::FullRefreshComplete)
    }

    /// Rows changed before it are not written, as a rule; none for a list without changes to ask for.
    pub(crate) fn from(&self) -> Option<DateTime<Utc>> {
        self.mode.map(|_| self.from)
    }

    /// Whether it resumes from a state.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed.as_ref().is_some_and(|saved| saved.updated.is_some())
    }

    /// Whether stores were added since the last sync.
    pub(crate) fn has_added_stores(&self) -> bool {
        self.has_added_stores
    }

    /// The start date before it was moved to an earlier day since the last sync; none, if it was not.
    pub(crate) fn moved_back_from(&self) -> Option<DateTime<Utc>> {
        self.moved_back_from
    }

    /// Rows of other stores than those that are wanted.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The pass, from the place where an earlier one was cut off.
    pub(crate) fn pass(&self, size: usize) -> Pass {
        match &self.place {
            Some(place) => Pass::behind(&place.after, size),
            None => Pass::new(self.list.paging, size),
        }
    }

    /// How to ask after the first request was refused. The row that a place is named by may be no more: where there is
    /// nothing else to try, the list is begun anew.
    pub(crate) fn after_refusal(&mut self, manner: RequestShape) -> Option<RequestShape> {
        let filters = self.list.incremental;
        manner.next(filters).or_else(|| self.forget_place().then(|| RequestShape::wished(filters)))
    }

    /// From now on the pass begins at the list's start. Whether there was another place.
    pub(crate) fn forget_place(&mut self) -> bool {
        self.place.take().is_some()
    }

    /// The bound to ask with. The row that the state was taken from lies a millisecond before it, and a bound may be
    /// exclusive: so one more, and that row comes back.
    pub(crate) fn bound(&self) -> Option<DateTime<Utc>> {
        self.from().map(|_| self.lowest() - MILLISECOND - MILLISECOND)
    }

    /// No row that was changed before it is written.
    fn lowest(&self) -> DateTime<Utc> {
        let from = if self.moved_back_from.is_some() {
            self.start_date
        } else if !self.has_added_stores {
            self.from
        } else if self.stores.is_empty() {
            self.lower_bound(None)
        } else {
            let from = self.stores.iter().map(|store| self.lower_bound(Some(*store)));
            from.min().unwrap_or(self.start_date)
        };
        from.min(self.written.from())
    }

    /// Rows of a store that were changed before it are written, but for those that `written` lacks. None stands for all stores.
    fn lower_bound(&self, store: Option<u64>) -> DateTime<Utc> {
        let is_more = |saved: &&ListState| !saved.covers(store.as_slice());
        let Some(saved) = self.resumed.as_ref().filter(is_more) else { return self.from };
        let removed = saved.removed.get(&store).or_else(|| saved.removed.get(&None));
        removed.map_or(self.start_date, |from| (*from).max(self.start_date).min(self.from))
    }

    /// Whether nothing is left to a next sync.
    pub(crate) fn is_full_refresh(&self) -> bool {
        self.mode != Some(SyncMode::Incremental)
    }

    /// The bound to ask with for rows that moved while the list was read: they were changed after the horizon. The newest
    /// known row has to come back with them.
    pub(crate) fn closing_bound(&self) -> Option<DateTime<Utc>> {
        let newest = self.newest.into_iter().chain(self.horizon).min();
        self.mode.and(newest).map(|at| at - MILLISECOND - MILLISECOND)
    }

    /// Fixes the horizon, with the first response.
    pub(crate) fn begin(&mut self, horizon: DateTime<Utc>) {
        self.horizon.get_or_insert(horizon);
    }

    /// The rows that are to be written. One without any date is due whenever it comes: nothing says that it is as it was.
    pub(crate) fn due(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        rows.retain(|row| !row.is_stand_in() && self.is_due(row));
        rows
    }

    fn is_due(&mut self, row: &Row) -> bool {
        let wanted = self.stores.is_empty() || row.store.is_none_or(|store| self.stores.contains(&store));
        let mut is_new = true;
        if let Some((mode, updated)) = self.mode.zip(row.updated) {
            let later =
                mode == SyncMode::Incremental && self.horizon.is_some_and(|horizon| updated >= horizon);
            if later {
                return false;
            }
            self.newest = self.newest.max(Some(updated));
            // A row of no store was written with those of the stores that were read.
            let from = if row.store.is_none() { self.from } else { self.lower_bound(row.store) };
            let was_left_out = self.moved_back_from.is_some_and(|before| updated < before);
            if updated < self.start_date {
                return false;
            }
            let is_written = updated < from && !was_left_out && !self.written.lacks(&row.id, updated);
            self.seen.note(&row.id, updated, wanted || is_written);
            if is_written {
                return false;
            }
            // What comes once more was counted by the sync before.
            is_new = updated >= self.from || was_left_out;
        }
        self.left_out += u64::from(!wanted && is_new);
        wanted
    }

    /// What is written of stores that are not configured any more, once this sync is complete.
    fn removed(&self) -> BTreeMap<Option<u64>, DateTime<Utc>> {
        // What earlier syncs wrote of them is from a later start date on.
        let incremental = self.mode == Some(SyncMode::Incremental) && self.moved_back_from.is_none();
        let Some(saved) = self.resumed.as_ref().filter(|_| incremental) else { return BTreeMap::new() };
        let named = saved.stores.iter().copied().map(Some);
        // States of version 0.3.0 and before named no stores, whatever was configured. They have no start date either.
        let of_all = saved.stores.is_empty() && saved.start_date.is_some();
        let all = (of_all && !self.stores.is_empty()).then_some(None);
        let mut removed = saved.removed.clone();
        if let Some(updated) = saved.updated {
            removed.extend(named.chain(all).map(|store| (store, updated)));
        }
        let is_removed = |store: &Option<u64>| store.is_none_or(|store| !self.stores.contains(&store));
        removed.retain(|store, _| !self.stores.is_empty() && is_removed(store));
        removed
    }

    /// The state while the list is being read. `after` is where the pass may be resumed.
    pub(crate) fn under_way(&self, after: Option<&str>) -> Value {
        let Some(mode) = self.mode else { return state::without_cursor() };
        let place = after.zip(self.horizon).map(|(after, until)| ResumePoint {
            after: after.to_owned(),
            until,
            newest: self.newest,
            recent: (mode == SyncMode::Incremental).then(|| self.seen.clone()),
        });
        let state = self.state(self.from, mode, &self.written);
        match &self.resumed {
            _ if self.is_complete() => self.complete().write(),
            // Of what was left out something can be said at the end only.
            Some(saved) if self.has_added_stores || self.moved_back_from.is_some() => {
                let start_date = Some(start_date::next(saved.start_date, self.start_date));
                let (stores, removed) = (saved.stores.clone(), saved.removed.clone());
                ListState { stores, removed, start_date, ..state }.write()
            }
            _ => ListState { place: place.or_else(|| self.place.clone()), ..state }.write(),
        }
    }

    /// Everything that was changed before `updated` is written, of the newest rows those that `recent` names.
    fn state(&self, updated: DateTime<Utc>, mode: SyncMode, recent: &Recent) -> ListState {
        let saved_start_date = self.resumed.as_ref().and_then(|saved| saved.start_date);
        let start_date =
            start_date::next(saved_start_date.filter(|_| self.moved_back_from.is_none()), self.start_date);
        ListState {
            updated: Some(updated),
            recent: Some(recent).filter(|recent| recent.from() < updated).cloned(),
            place: None,
            stores: self.stores.clone(),
            removed: self.removed(),
            start_date: Some(start_date),
            writer: Writer::new(mode, false),
        }
    }

    fn complete(&self) -> ListState {
        let state = self.state(self.from, SyncMode::FullRefresh, &self.written);
        ListState { updated: None, writer: Writer::FullRefreshComplete, ..state }
    }

    /// The state at the end. It says no more than was seen: should the API have cut off the newest rows, the next sync
    /// finds them. All of the newest row's millisecond lies before the horizon, which is a whole second, so all of it is
    /// settled.
    pub(crate) fn end(&self) -> Value {
        match self.mode {
            None => state::without_cursor(),
            Some(SyncMode::FullRefresh) => self.complete().write(),
            Some(mode @ SyncMode::Incremental) => {
                let seen = self.newest.map(|newest| newest.trunc_subsecs(3) + MILLISECOND);
                let seen = seen.zip(self.horizon).map(|(seen, horizon)| seen.min(horizon));
                self.state(seen.map_or(self.from, |seen| seen.max(self.from)), mode, &self.seen).write()
            }
        }
    }
}

#[cfg(test)]
mod tests;
