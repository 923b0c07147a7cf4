//! A whole sync of the stream, as a machine: requests out, answers in, records and states out. Pure.
//!
//! It knows neither network nor time, so the tests drive it against a model of the API: any order of responses, any fault,
//! any moment of an end. The [`driver`](crate::engine::driver) drives it against the API itself.

pub(crate) mod emitter;
pub(crate) mod filter_probe;
pub(crate) mod log;
mod partition;
mod partitions;
pub(crate) mod plan;
mod sweep;
pub(crate) mod versions;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::config::{Changes, Config};
use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::failure::{Failure, FailureKind};
use crate::horizon;
use crate::orders::NAME;
use crate::orders::api::page::{Page, Row};
use crate::orders::api::query::Request;
use crate::orders::api::query::{Query, Selection};
use crate::orders::slice::newest::Newest;
use crate::orders::slice::reader::SliceReader;
use crate::orders::state::cursor::Cursor;
use crate::orders::state::parts::Scope;
use crate::orders::state::stream_state::{FilterProof, StreamState, Swept};
pub(crate) use crate::orders::sync::emitter::Effect;
use crate::orders::sync::emitter::Emitter;
use crate::orders::sync::filter_probe::{FilterProbe, UpdatedFilter};
use crate::orders::sync::partition::{Partition, Phase};
use crate::orders::sync::partitions::Partitions;
use crate::orders::sync::plan::{Plan, PlanInputs, SweepRange};
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::Level;
use crate::unreadable::Item;

/// A state is written after this many orders: often enough that a sync which is cut off repeats little, rarely enough
/// that a destination is not busy with states.
const ORDERS_PER_STATE: u64 = 1_000;
/// An estimate comes with every so many states.
const STATES_PER_ESTIMATE: u64 = 20;

/// Most bytes of pages that are under way or wait for their turn.
const LARGEST_BACKLOG: usize = 24 * 1024 * 1024;
/// Most bytes of records that wait for their turn. What comes beyond was asked for ahead, and is asked for again.
const MOST_HELD: usize = 13 * 1024 * 1024;
/// What a page under way takes, before one has come: 200 orders of 2 kB, and their answer while it arrives.
const USUAL_PAGE: usize = 512 * 1024;

/// A response, in the words of the machine.
#[derive(Debug)]
pub(crate) struct Response {
    /// The rows, or why they cannot be believed.
    pub rows: Result<Vec<Row>, Doubt>,
    /// Orders without a draft date, which came along.
    pub undated: Vec<Row>,
    /// The server's clock.
    pub date: Option<DateTime<Utc>>,
}

impl Response {
    /// A response whose orders are all dated.
    pub(crate) fn of(rows: Result<Vec<Row>, Doubt>, date: Option<DateTime<Utc>>) -> Self {
        Self { rows, undated: Vec::new(), date }
    }

    /// A response that was read, and its items that are not orders.
    pub(crate) fn read(page: Result<Page, Doubt>, date: Option<DateTime<Utc>>) -> (Self, Vec<Item>) {
        match page {
            Ok(page) => {
                let doubt = page.doubt();
                let Page { rows, undated, unreadable } = page;
                (Self { rows: doubt.map_or(Ok(rows), Err), undated, date }, unreadable)
            }
            Err(doubt) => (Self::of(Err(doubt), date), Vec::new()),
        }
    }
}

/// Where a response belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    First,
    Probe,
    Partition(usize, Phase),
}

/// A sync of the stream.
pub(crate) struct Sync<'c> {
    config: &'c Config,
    /// Nothing that was drafted at or after it is read.
    end_date: Option<DateTime<Utc>>,
    cursor: Cursor,
    /// This machine's clock.
    now: DateTime<Utc>,
    /// The server's clock when it gave the first response, whichever that was.
    earliest: Option<DateTime<Utc>>,
    /// A read before this one has it, so no response to this one changes it.
    told_before: bool,
    partitions: Partitions,
    asking_first: bool,
    first_attempts: u32,
    probe: Option<FilterProbe>,
    /// It is not probed whether the API filters by update time: the last sweep has proved it.
    trusts_filter: bool,
    /// The end of the range, and of the changes.
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    plan: Option<Plan>,
    writing: Emitter<'c>,
    /// What is under way, by ticket.
    asked: HashMap<u64, (Route, Query)>,
    next_ticket: u64,
    page_bytes: usize,
    states: u64,
    orders_per_state: u64,
    /// Up to where there are receipts for the range.
    receipted: Option<DateTime<Utc>>,
    done: bool,
}

impl<'c> Sync<'c> {
    /// A sync that resumes from a saved state. `now` is this machine's clock, used only where the server does not tell
    /// its own.
    pub(crate) fn new(
        config: &'c Config,
        scope: Scope,
        mode: SyncMode,
        saved: Option<StreamState>,
        now: DateTime<Utc>,
    ) -> Self {
        let names = scope.names();
        let Scope { partitions: selections, start_date, end_date } = scope;
        // A full refresh has one set of partitions from its beginning to its end.
        let counts =
            |saved: &StreamState| mode == SyncMode::Incremental || added(&selections, Some(saved)).is_empty();
        let cursor = Cursor::new(mode, start_date, saved.filter(counts));
        let mut writing = Emitter::new(config, cursor.clone(), names);
        let added = added(&selections, cursor.resumed());
        if let Some(line) = log::added(&added) {
            writing.log(Level::Info, line);
        }
        let whole = |partition: &Selection| {
            cursor.resumed().is_some_and(|saved| !saved.covers(partition) || saved.is_unseen(partition))
        };
        let mut partitions = Partitions::new(selections, whole);
        let resumed = cursor.resumed().is_some();
        let asks_for_changes = mode == SyncMode::Incremental && config.changes == Changes::Updated;
        let trusts_filter =
            asks_for_changes && cursor.resumed().is_some_and(|saved| saved.filtered == FilterProof::Proven);
        let probe = (asks_for_changes && resumed && !trusts_filter)
            .then(|| FilterProbe::new(partitions[0].selection.clone(), now));
        // A sync from the beginning has much to read, so it does not wait until the end is known.
        if !resumed && partitions.len() == 1 {
            partitions[0].range = Some(SliceReader::of_much(cursor.start(), partitions[0].selection.clone()));
        }
        Self {
            config,
            end_date,
            writing,
            cursor,
            now,
            earliest: None,
            told_before: false,
            partitions,
            asking_first: false,
            first_attempts: 0,
            probe,
            trusts_filter,
            times: None,
            plan: None,
            asked: HashMap::new(),
            next_ticket: 0,
            page_bytes: USUAL_PAGE,
            states: 0,
            orders_per_state: ORDERS_PER_STATE,
            receipted: None,
            done: false,
        }
    }

    /// The same, after another one of the same sync to which the server had told its time: both end at the same horizon.
    #[must_use]
    pub(crate) fn after(self, server: Option<DateTime<Utc>>) -> Self {
        Self { earliest: server, told_before: server.is_some(), ..self }
    }

    /// From now on there is a state for each page: where each order of it takes a request of its own. Or no longer.
    pub(crate) fn state_each_page(&mut self, each: bool) {
        self.orders_per_state = if each { 1 } else { ORDERS_PER_STATE };
    }

    /// The server's clock when it gave the first response.
    pub(crate) fn server_now(&self) -> Option<DateTime<Utc>> {
        self.earliest
    }

    /// The newest order before the end, as soon as it is known.
    pub(crate) fn newest(&self) -> Option<&Row> {
        let goals = self.partitions.iter().filter_map(|partition| partition.goal.target());
        goals.filter_map(|goal| goal.rows.last()).max_by_key(|row| row.at)
    }

    /// Whether some of its partitions showed no order.
    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.show_no_order() || !self.partitions.unseen().is_empty()
    }

    /// The horizon of this sync: changes before it are found. None before the first response.
    pub(crate) fn settled(&self) -> Option<DateTime<Utc>> {
        self.times.map(|(_, settled)| settled)
    }

    /// Whether everything has been read and said.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// What there is to say since the last call.
    pub(crate) fn steps(&mut self) -> Vec<Effect> {
        self.writing.steps()
    }

    /// What the last state said, or the one that the sync resumes from: to say it again while there is no progress.
    pub(crate) fn last_state(&self) -> StreamState {
        self.writing.last_state()
    }

    /// The next request worth making now, with the ticket for its answer. None, while only responses bring it on.
    pub(crate) fn request(&mut self) -> Option<(u64, Request)> {
        let ticket = self.next_ticket;
        let (place, ask) = self.next_request(ticket)?;
        self.next_ticket += 1;
        self.asked.insert(ticket, (place, ask.query.clone()));
        Some((ticket, ask))
    }

    fn next_request(&mut self, ticket: u64) -> Option<(Route, Request)> {
        if self.done {
            return None;
        }
        if self.times.is_none() && !self.asking_first {
            self.asking_first = true;
            self.first_attempts += 1;
            let query = self.partitions[0].first_request();
            return Some((Route::First, Request { query, attempt: self.first_attempts }));
        }
        if let Some(ask) = self.probe.as_mut().and_then(FilterProbe::request) {
            return Some((Route::Probe, ask));
        }
        // A page under way takes its bytes twice: as a response, and as records.
        let room = (self.partitions.outstanding() + 1) * 2 * self.page_bytes <= LARGEST_BACKLOG;
        let (partition, part, ask) = self.partitions.request(ticket, room)?;
        Some((Route::Partition(partition, part), ask))
    }

    /// Takes the response to the request with this ticket.
    pub(crate) fn answer(&mut self, ticket: u64, answer: Response) -> Result<(), Failure> {
        let Some((place, query)) = self.asked.remove(&ticket) else { return Ok(()) };
        if self.times.is_none() && !self.told_before {
            self.earliest = [self.earliest, answer.date].into_iter().flatten().min();
        }
        // Without product lines, as the probe asks, they are not the whole record.
        if query.products && !self.cursor.is_complete() {
            self.writing.undated(answer.undated);
        }
        let rows = answer.rows.and_then(|rows| query.verify(&rows).map(|()| rows));
        if let Ok(rows) = &rows
            && rows.len() > 1
        {
            let bytes: usize = rows.iter().map(|row| row.data.len()).sum();
            self.page_bytes = bytes.max((self.page_bytes * 7 + bytes) / 8);
        }
        let rows = if self.is_too_much(ticket, place, &rows) {
            Err(Doubt::new(FailureKind::TooLarge, "too much waits for its turn"))
        } else {
            rows
        };
        let came = rows.as_ref().map(Vec::len).map_err(|doubt| doubt.what.clone());
        self.take(ticket, place, rows).map_err(|failure| failure.at(query.encode()))?;
        let filter = self.filter();
        let decision = log::decision(place, came, filter, self.position(), self.asked.len());
        self.writing.log(Level::Trace, decision);
        self.go_on()
    }

    /// Whether there is no room for rows that were asked for ahead.
    fn is_too_much(&self, ticket: u64, place: Route, rows: &Result<Vec<Row>, Doubt>) -> bool {
        let (Route::Partition(partition, part), Ok(rows)) = (place, rows) else { return false };
        let bytes: usize = rows.iter().map(|row| row.data.len()).sum();
        self.partitions[partition].is_ahead(ticket, part)
            && self.partitions.iter().map(Partition::held_bytes).sum::<usize>() + bytes > MOST_HELD
    }

    fn take(&mut self, ticket: u64, place: Route, rows: Result<Vec<Row>, Doubt>) -> Result<(), Failure> {
        match place {
            Route::First => self.first_answer(rows)?,
            Route::Probe => {
                if let Some(probe) = &mut self.probe {
                    probe.answer(rows)?;
                }
            }
            Route::Partition(partition, Phase::Search) => self.partitions[partition].searched(rows)?,
            Route::Partition(partition, Phase::Range) => {
                if let Some(range) = &mut self.partitions[partition].range {
                    let rows = range.answer(ticket, rows)?;
                    self.write_range(partition, rows);
                }
            }
            Route::Partition(partition, Phase::Sweep) => {
                let rows = self.partitions[partition].swept(ticket, rows)?;
                self.write_changes(rows);
            }
        }
        Ok(())
    }

    /// The request with this ticket failed. It can be done without, if the API did not accept it and it was the probe, a
    /// request for changes, or one for a page ahead. A page that is too large is asked for in halves.
    pub(crate) fn refused(&mut self, ticket: u64, failure: Failure) -> Result<(), Failure> {
        let asked = self.asked.remove(&ticket);
        if failure.kind == FailureKind::TooLarge {
            return self.too_large(ticket, asked, failure);
        }
        let asked = asked.filter(|_| failure.kind == FailureKind::Rejected);
        let without = match (asked, &mut self.probe) {
            (Some((Route::Probe, _)), Some(probe)) => {
                probe.refused();
                true
            }
            (Some((Route::Partition(partition, part), _)), _) => {
                self.partitions[partition].refused(ticket, part)
            }
            _ => false,
        };
        if !without {
            return Err(failure);
        }
        self.writing.log(Level::Trace, log::WITHOUT.to_owned());
        self.go_on()
    }

    fn too_large(
        &mut self,
        ticket: u64,
        asked: Option<(Route, Query)>,
        failure: Failure,
    ) -> Result<(), Failure> {
        let Some((place, query)) = asked else { return Ok(()) };
        let smaller = match place {
            Route::Probe => false,
            Route::First => {
                self.asking_first = false;
                self.first_attempts = self.first_attempts.saturating_sub(1);
                self.partitions[0].first_too_large()
            }
            Route::Partition(partition, part) => self.partitions[partition].too_large(ticket, part),
        };
        if smaller {
            self.page_bytes = self.page_bytes.max(LARGEST_BACKLOG / 4);
            self.writing.log(Level::Trace, log::SMALLER.to_owned());
            return self.go_on();
        }
        Err(log::order_too_large(&query, &failure).at(query.encode()))
    }

    fn first_answer(&mut self, rows: Result<Vec<Row>, Doubt>) -> Result<(), Failure> {
        self.asking_first = false;
        let rows = match rows {
            Ok(rows) => rows,
            // They have no date, so they come before the newest order. Bounds leave them out.
            Err(doubt) if doubt.kind.is_of_single_rows() => Vec::new(),
            Err(doubt) if self.first_attempts >= MAX_ATTEMPTS => {
                return Err(doubt.into_failure(NAME, self.first_attempts));
            }
            Err(_) => return Ok(()),
        };
        if self.earliest.is_none() {
            self.writing.log(Level::Warn, log::NO_CLOCK.to_owned());
        }
        // Pages ahead may have come before: what they hold is as old as that.
        let now = horizon::server_now(self.earliest, self.now);
        let (end, settled) = (horizon::horizon(now, self.end_date), horizon::settled(now));
        self.times = Some((end, settled));
        // Fixed before anything is read: what changes meanwhile is found by the first sweep.
        self.writing.updated.get_or_insert(settled);
        for (position, partition) in self.partitions.iter_mut().enumerate() {
            partition.search_before(end, (position == 0).then_some(rows.as_slice()));
        }
        Ok(())
    }

    /// Does what has become possible.
    fn go_on(&mut self) -> Result<(), Failure> {
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
    fn filter(&self) -> Option<UpdatedFilter> {
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
            self.doubt_listing();
            self.writing.state(end, &self.partitions.unseen(), self.has_listing(), true);
            self.writing.complete(end);
            self.done = true;
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

    fn write_range(&mut self, partition: usize, rows: Vec<Row>) {
        if let Some(since) = self.plan.and_then(|plan| plan.swept_since()) {
            self.partitions[partition].observe(&rows, since);
        }
        let Partition { whole, .. } = self.partitions[partition];
        self.writing.range(partition, rows, self.partitions[partition].position(), whole);
    }

    fn write_changes(&mut self, rows: Vec<Row>) {
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
        self.doubt_listing();
        self.writing.state(position, &self.partitions.unseen(), self.has_listing(), false);
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
        self.doubt_listing();
        self.writing.state(end, &self.partitions.unseen(), self.has_listing(), true);
        self.writing.complete(end);
        self.done = true;
    }
}

/// The names of the partitions that the state does not speak of: they were added since.
fn added(partitions: &[Selection], saved: Option<&StreamState>) -> Vec<String> {
    let is_added = |partition: &&Selection| saved.is_some_and(|saved| !saved.covers(partition));
    partitions.iter().filter(is_added).map(Selection::to_string).collect()
}

#[cfg(test)]
mod simulated;

#[cfg(test)]
mod traps;
