//! A whole sync of the stream, as a machine: questions out, answers in, records and states out. Pure.
//!
//! It knows neither network nor time, so the tests drive it against a model of the API: any order of answers, any fault,
//! any moment of an end. [`super::read`] drives it against the API itself.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::Doubt;
use super::cursor::{self, Cursor, Saved};
use super::lane::{Lane, Part};
use super::page::Row;
use super::probe::{Probe, UpdatedFilter};
use super::query::{Query, Selection};
use super::reading::{Ask, LOOKS, Reading};
use super::tail::Search;
use super::tally::Tally;
use super::told::{self, Summary};
use super::versions::{Superseded, newest_of_each};
use super::window::{Changed, Window};
use crate::config::{Changes, Config};
use crate::failure::{Failure, FailureKind};
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::Level;

/// A state is written after this many orders: often enough that a sync which is cut off repeats little, rarely enough
/// that a destination is not busy with states.
const ORDERS_PER_STATE: u64 = 1_000;

/// Where changes are found by update time, the window is read again once a day all the same: should an update time
/// not move, or an order surface late, no mechanism stands alone.
const REREAD_EVERY: TimeDelta = TimeDelta::days(1);

/// Most bytes of pages that are under way or wait for their turn.
const LARGEST_BACKLOG: usize = 24 * 1024 * 1024;
/// What a page under way takes, before one has come: 200 orders of 2 kB, and their answer while it arrives.
const USUAL_PAGE: usize = 512 * 1024;

/// What a sync has to say, in this order.
#[derive(Debug)]
pub enum Step {
    /// A record.
    Record(Row),
    /// What has been written up to here, and the sums of what was written since the last one.
    State(Value, Tally),
    /// About how many records there will be.
    Estimate(u64),
    /// A line for the log.
    Log(Level, String),
    /// Everything has been said.
    Complete(Summary),
}

/// An answer, in the words of the machine.
#[derive(Debug)]
pub struct Answer {
    /// The rows, or why they cannot be believed.
    pub rows: Result<Vec<Row>, Doubt>,
    /// The server's clock.
    pub date: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    First,
    Probe,
    Lane(usize, Part),
}

/// What a sync reads.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Orders drafted before it.
    end: DateTime<Utc>,
    /// Changes before it.
    settled: DateTime<Utc>,
    /// Orders drafted from it on are read whole.
    start: DateTime<Utc>,
    /// Of the others, those that have changed since.
    sweep_since: Option<DateTime<Utc>>,
}

/// A sync of the stream.
pub struct Sync<'c> {
    config: &'c Config,
    cursor: Cursor,
    now: DateTime<Utc>,
    lanes: Vec<Lane>,
    asking_first: bool,
    first_looks: u32,
    probe: Option<Probe>,
    /// The end of the range, and of the changes.
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    plan: Option<Plan>,
    updated: Option<DateTime<Utc>>,
    window: Option<Window>,
    changed: Option<Changed>,
    places: HashMap<u64, (Place, Query)>,
    next_ticket: u64,
    page_bytes: usize,
    steps: Vec<Step>,
    tally: Tally,
    standing: Option<Value>,
    since_state: u64,
    states: u64,
    superseded: Superseded,
    left_out: u64,
    done: bool,
}

impl<'c> Sync<'c> {
    /// A sync that goes on from a saved state. `now` is this machine's clock, used only where the server does not tell
    /// its own.
    pub fn new(config: &'c Config, mode: SyncMode, saved: Option<Saved>, now: DateTime<Utc>) -> Self {
        let cursor = Cursor::new(mode, config.start_date, saved);
        let selections = Selection::all_of(&config.store_ids, &config.customer_roles);
        let mut lanes: Vec<Lane> = selections.into_iter().map(Lane::new).collect();
        let follows = mode == SyncMode::Incremental && config.changes == Changes::Updated;
        let probe =
            (follows && cursor.resumed().is_some()).then(|| Probe::new(lanes[0].selection.clone(), now));
        // A sync from the beginning has much to read, so it does not wait until the end is known.
        if cursor.resumed().is_none() && lanes.len() == 1 {
            lanes[0].range = Some(Reading::of_much(cursor.start(), lanes[0].selection.clone()));
        }
        let updated = cursor.resumed().map(|saved| saved.updated.unwrap_or(cursor.start()));
        Self {
            config,
            cursor,
            now,
            lanes,
            asking_first: false,
            first_looks: 0,
            probe,
            times: None,
            plan: None,
            updated,
            window: None,
            changed: None,
            places: HashMap::new(),
            next_ticket: 0,
            page_bytes: USUAL_PAGE,
            steps: Vec::new(),
            tally: Tally::default(),
            standing: None,
            since_state: 0,
            states: 0,
            superseded: Superseded::default(),
            left_out: 0,
            done: false,
        }
    }

    /// Whether everything has been read and said.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// What there is to say since the last call.
    pub fn steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// The next question worth asking now, with the ticket for its answer. None, while only answers bring it on.
    pub fn question(&mut self) -> Option<(u64, Ask)> {
        let ticket = self.next_ticket;
        let (place, ask) = self.next_question(ticket)?;
        self.next_ticket += 1;
        self.places.insert(ticket, (place, ask.query.clone()));
        Some((ticket, ask))
    }

    fn next_question(&mut self, ticket: u64) -> Option<(Place, Ask)> {
        if self.done {
            return None;
        }
        if self.times.is_none() && !self.asking_first {
            self.asking_first = true;
            self.first_looks += 1;
            let query = Search::first_question(self.lanes[0].selection.clone());
            return Some((Place::First, Ask { query, look: self.first_looks }));
        }
        if let Some(ask) = self.probe.as_mut().and_then(Probe::question) {
            return Some((Place::Probe, ask));
        }
        let outstanding: usize = self.lanes.iter().map(Lane::outstanding).sum();
        let room = (outstanding + 1) * 2 * self.page_bytes <= LARGEST_BACKLOG;
        // The one with the fewest questions first, and of these the one furthest behind: the state is the lowest
        // position, so it gets on too.
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        order.sort_by_key(|lane| (self.lanes[*lane].outstanding(), self.lanes[*lane].position()));
        order.into_iter().find_map(|lane| {
            let (part, ask) = self.lanes[lane].question(ticket, room)?;
            Some((Place::Lane(lane, part), ask))
        })
    }

    /// Takes the answer to the question with this ticket.
    pub fn answer(&mut self, ticket: u64, answer: Answer) -> Result<(), Failure> {
        let Some((place, query)) = self.places.remove(&ticket) else { return Ok(()) };
        let rows = answer.rows.and_then(|rows| query.verify(&rows).map(|()| rows));
        if let Ok(rows) = &rows
            && rows.len() > 1
        {
            let bytes: usize = rows.iter().map(|row| row.data.len()).sum();
            self.page_bytes = bytes.max((self.page_bytes * 7 + bytes) / 8);
        }
        self.take(ticket, place, rows, answer.date).map_err(|failure| failure.at(query.encode()))?;
        self.go_on()
    }

    fn take(
        &mut self,
        ticket: u64,
        place: Place,
        rows: Result<Vec<Row>, Doubt>,
        date: Option<DateTime<Utc>>,
    ) -> Result<(), Failure> {
        match place {
            Place::First => self.first_answer(rows, date)?,
            Place::Probe => {
                if let Some(probe) = &mut self.probe {
                    probe.answer(rows)?;
                }
            }
            Place::Lane(lane, Part::Search) => self.lanes[lane].searched(rows)?,
            Place::Lane(lane, Part::Range) => {
                if let Some(range) = &mut self.lanes[lane].range {
                    let rows = range.answer(ticket, rows)?;
                    self.write_range(lane, rows);
                }
            }
            Place::Lane(lane, Part::Sweep) => {
                let rows = self.lanes[lane].swept(ticket, rows)?;
                self.write_changes(rows);
            }
        }
        Ok(())
    }

    /// The API does not accept the question with this ticket.
    pub fn refused(&mut self, ticket: u64, failure: Failure) -> Result<(), Failure> {
        match (self.places.remove(&ticket), &mut self.probe) {
            (Some((Place::Probe, _)), Some(probe)) if failure.kind == FailureKind::Rejected => {
                probe.refused();
                self.go_on()
            }
            _ => Err(failure),
        }
    }

    fn first_answer(
        &mut self,
        rows: Result<Vec<Row>, Doubt>,
        date: Option<DateTime<Utc>>,
    ) -> Result<(), Failure> {
        self.asking_first = false;
        let rows = match rows {
            Ok(rows) => rows,
            Err(doubt) if self.first_looks >= LOOKS => return Err(doubt.into_failure(self.first_looks)),
            Err(_) => return Ok(()),
        };
        if date.is_none() {
            self.log(Level::Warn, told::NO_CLOCK.to_owned());
        }
        let now = date.unwrap_or(self.now);
        let (end, settled) = (cursor::horizon(now, self.config.end_date), cursor::settled(now));
        self.times = Some((end, settled));
        if self.updated.is_none() {
            // Fixed before anything is read, and kept until the first sweep: what changes meanwhile is not missed.
            self.updated = Some(settled);
        }
        for (position, lane) in self.lanes.iter_mut().enumerate() {
            lane.search_before(end, (position == 0).then_some(rows.as_slice()));
        }
        Ok(())
    }

    /// Does what has become possible.
    fn go_on(&mut self) -> Result<(), Failure> {
        if self.plan.is_none() && !self.make_plan() {
            return Ok(());
        }
        let Some(plan) = self.plan else { return Ok(()) };
        if self.done {
            return Ok(());
        }
        self.roles_are_told_apart()?;
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].goal.is_some() && self.lanes[lane].position().is_none() {
                let rows = self.lanes[lane].begin(plan.start, plan.end)?;
                self.write_range(lane, rows);
            }
        }
        // First forward, then the sweep: all lanes' new orders come before any change.
        if self.lanes.iter().all(Lane::is_read) {
            let sweeping = self.lanes.iter().any(|lane| lane.sweep.is_some());
            if plan.sweep_since.is_some() && !sweeping && self.since_state > 0 {
                self.checkpoint();
            }
            for lane in 0..self.lanes.len() {
                if let (Some(since), None) = (plan.sweep_since, &self.lanes[lane].sweep) {
                    let start = self.config.start_date;
                    let rows = self.lanes[lane].begin_sweep(start, plan.start, since)?;
                    self.write_changes(rows);
                }
            }
            if plan.sweep_since.is_none() || self.lanes.iter().all(Lane::is_swept) {
                self.finish(plan);
                return Ok(());
            }
        }
        if self.since_state >= ORDERS_PER_STATE {
            self.checkpoint();
        }
        Ok(())
    }

    /// Decides what is read, once that can be known.
    fn make_plan(&mut self) -> bool {
        let Some((end, settled)) = self.times else { return false };
        let verdict = match &self.probe {
            Some(probe) => match probe.verdict() {
                None => return false,
                verdict => verdict,
            },
            None => None,
        };
        let (cursor, days, selections) = (self.cursor.start(), self.config.changes_days, self.lanes.len());
        let incremental = self.cursor.mode() == SyncMode::Incremental;
        let resumed = self.cursor.resumed().filter(|_| incremental);
        let written = resumed.and_then(|saved| Window::parse(&saved.window, days, selections));
        let honoured = verdict == Some(UpdatedFilter::Honoured);
        let due = match self.config.changes {
            Changes::Off => false,
            Changes::Updated if honoured => {
                written.as_ref().is_some_and(|written| written.read_at + REREAD_EVERY <= settled)
            }
            Changes::Updated | Changes::Window => true,
        };
        let reread = due && resumed.is_some() && cursor < end && self.config.start_date < cursor;
        let empty = Window::new(days, selections, cursor, settled);
        let start = if reread { empty.start(cursor).max(self.config.start_date) } else { cursor };
        self.window = (incremental && self.config.changes != Changes::Off).then(|| {
            if reread {
                Window::new(days, selections, start, settled)
            } else if let Some(written) = &written {
                written.clone()
            } else if resumed.is_none() {
                empty
            } else {
                empty.from_the_next_span()
            }
        });
        self.changed = reread.then(|| Changed::since(written, cursor, selections));
        let sweep_since = self.updated.filter(|since| {
            resumed.is_some() && honoured && *since < settled && self.config.start_date < start
        });
        let plan = Plan { end, settled, start, sweep_since };
        self.plan = Some(plan);
        if let Some(filter) = verdict.filter(|_| !honoured) {
            self.log(Level::Warn, told::no_filter(filter, days));
        }
        if self.cursor.is_complete() || (cursor >= end && sweep_since.is_none()) {
            self.log(Level::Info, told::nothing_to_read(cursor, end));
            self.say_state(end, true);
            self.complete(end);
            return true;
        }
        let why = told::Why { resumed: self.cursor.resumed().is_some(), reread, cursor };
        self.log(Level::Info, told::range(start, end, &why, self.config.requests_per_second));
        if let Some(since) = sweep_since {
            self.log(Level::Info, told::sweep(since, start));
        }
        true
    }

    /// Writes what a lane's range has handed out.
    fn write_range(&mut self, lane: usize, rows: Vec<Row>) {
        let Some(plan) = self.plan else { return };
        self.since_state += rows.len() as u64;
        if let Some(since) = plan.sweep_since {
            self.lanes[lane].observe(&rows, since);
        }
        let cursor = self.cursor.start();
        let mut again = rows;
        let new = again.split_off(again.partition_point(|row| row.at < cursor));
        let again = newest_of_each(again, &mut self.superseded, true);
        let new = newest_of_each(new, &mut self.superseded, false);
        for row in again.into_iter().chain(new) {
            self.tally.observe(&row);
            if let Some(window) = &mut self.window {
                window.add(lane, &row);
            }
            let row = match (&mut self.changed, &self.window) {
                (Some(changed), Some(window)) => changed.hold(lane, row, window),
                _ => Some(row),
            };
            if let Some(row) = row {
                self.release(lane, row.at);
                let statuses = &self.config.statuses;
                let wanted = |status: &String| row.status.as_deref() == Some(status);
                if statuses.is_empty() || statuses.iter().any(wanted) {
                    self.record(row);
                } else {
                    self.left_out += 1;
                }
            }
        }
        if let Some(position) = self.lanes[lane].position() {
            self.release(lane, position);
        }
    }

    /// Writes what was read again up to `position` and has changed. The statuses that are wanted do not matter: a stale
    /// row is worse than a row more.
    fn release(&mut self, lane: usize, position: DateTime<Utc>) {
        if let (Some(changed), Some(window)) = (&mut self.changed, &self.window) {
            for row in changed.release(lane, position, window) {
                self.record(row);
            }
        }
    }

    /// Writes what a sweep has handed out.
    fn write_changes(&mut self, rows: Vec<Row>) {
        let Some(Plan { settled, sweep_since: Some(since), .. }) = self.plan else { return };
        self.since_state += rows.len() as u64;
        for row in newest_of_each(rows, &mut self.superseded, true) {
            // What changed before is only there to prove the answer; what changed later is the next sync's.
            if row.updated.is_none_or(|updated| since <= updated && updated < settled) {
                self.tally.observe(&row);
                self.record(row);
            }
        }
    }

    fn record(&mut self, row: Row) {
        self.tally.write(&row);
        self.steps.push(Step::Record(row));
    }

    fn log(&mut self, level: Level, line: String) {
        self.steps.push(Step::Log(level, line));
    }

    /// Everything before it has been handed out, in all lanes.
    pub fn position(&self) -> Option<DateTime<Utc>> {
        let plan = self.plan?;
        self.lanes.iter().map(|lane| lane.position().unwrap_or(plan.start)).min()
    }

    /// Says what has been written so far. A state is a proof: everything before the lowest position stands in the steps
    /// before it. Positions hold still while there is a doubt, so it is never ahead.
    pub fn checkpoint(&mut self) {
        let Some(position) = self.position() else { return };
        // Within a window that is read again, nothing new can be said yet.
        if self.done || position < self.cursor.start() || self.no_order_anywhere() {
            return;
        }
        self.say_state(position, false);
        if self.states % 20 == 1
            && let Some(rows) =
                self.lanes.iter().map(|lane| lane.range.as_ref()?.estimate()).sum::<Option<u64>>()
        {
            self.steps.push(Step::Estimate(rows));
        }
    }

    fn say_state(&mut self, position: DateTime<Utc>, complete: bool) {
        let state = self.state(position, complete);
        let sweeping = self.lanes.iter().all(|lane| lane.sweep.is_some());
        let tally = std::mem::take(&mut self.tally).until(position, sweeping);
        self.standing = Some(state.clone());
        self.steps.push(Step::State(state, tally));
        self.since_state = 0;
        self.states += 1;
    }

    fn state(&mut self, position: DateTime<Utc>, complete: bool) -> Value {
        let position = position.max(self.cursor.start());
        let window = self.window.as_mut().map(|window| window.write(position));
        self.cursor.state(position, self.updated, window, complete)
    }

    /// What the last state said, or the one that the sync goes on from: to say it again while nothing gets on.
    pub fn standing(&self) -> Value {
        self.standing.clone().unwrap_or_else(|| {
            let window = self.cursor.resumed().map(|saved| saved.window.clone()).filter(Value::is_object);
            self.cursor.state(self.cursor.start(), self.updated, window, false)
        })
    }

    fn no_order_anywhere(&self) -> bool {
        self.lanes.iter().all(|lane| matches!(lane.goal, Some(None)))
    }

    fn finish(&mut self, plan: Plan) {
        let swept = plan.sweep_since.is_some() && !self.lanes.iter().any(|lane| lane.unswept);
        if plan.sweep_since.is_some() && !swept {
            self.log(Level::Warn, told::UNSWEPT.to_owned());
        }
        // What was read whole, or swept, is as it was at the horizon or later.
        if swept || (plan.start <= self.config.start_date && self.cursor.mode() == SyncMode::Incremental) {
            self.updated = self.updated.max(Some(plan.settled));
        }
        // An empty list is no order's word: the cursor stays, and the next sync looks again.
        let end = if self.no_order_anywhere() { self.cursor.start() } else { plan.end };
        self.say_state(end, true);
        self.complete(end);
    }

    fn complete(&mut self, end: DateTime<Utc>) {
        let end = end.max(self.cursor.start());
        let summary = Summary { end, left_out: self.left_out, superseded: self.superseded };
        self.steps.push(Step::Complete(summary));
        self.done = true;
    }

    /// An order belongs to a customer of one role. If it is the newest of two roles, the filter is ignored, and every
    /// order would come once for each role.
    fn roles_are_told_apart(&self) -> Result<(), Failure> {
        let goals =
            || self.lanes.iter().filter_map(|lane| Some((&lane.selection, lane.goal.as_ref()?.as_ref()?)));
        for ((one, goal), (other, same)) in goals().zip(goals().skip(1)) {
            if one.store_id == other.store_id && (goal.at, &goal.ids) == (same.at, &same.ids) {
                let text =
                    "order filters by customer role are ignored: the same order is the newest of two roles";
                return Err(Doubt::new(FailureKind::OutOfRange, text).into_failure(2));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod simulated;
