//! A whole sync of the stream, as a machine: requests out, responses in, records and states out. Pure.
//!
//! It knows neither network nor time, so the tests drive it against a model of the API: any order of responses, any fault,
//! any moment of an end. The [`driver`](crate::engine::driver) drives it against the API itself.

pub(crate) mod emitter;
pub(crate) mod filter_probe;
pub(crate) mod log;
mod partition;
mod partitions;
pub(crate) mod plan;
mod progress;
mod response;
mod sweep;
pub(crate) mod versions;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::config::{Changes, Config};
use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::failure::{Failure, FailureKind};
use crate::horizon;
use crate::orders::NAME;
use crate::orders::api::page::Row;
use crate::orders::api::query::Request;
use crate::orders::api::query::{Query, Selection};
use crate::orders::slice::reader::SliceReader;
use crate::orders::state::cursor::Cursor;
use crate::orders::state::parts::Scope;
use crate::orders::state::stream_state::{FilterProof, StreamState};
pub(crate) use crate::orders::sync::emitter::Effect;
use crate::orders::sync::emitter::Emitter;
use crate::orders::sync::filter_probe::FilterProbe;
use crate::orders::sync::partition::{Partition, Phase};
use crate::orders::sync::partitions::Partitions;
use crate::orders::sync::plan::Plan;
pub(crate) use crate::orders::sync::response::Response;
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::Level;

/// A state is written after this many orders: often enough that a sync which is cut off repeats little, rarely enough
/// that a destination is not busy with states.
const ORDERS_PER_STATE: u64 = 1_000;

/// Most bytes of pages that are under way or wait for their turn.
const LARGEST_BACKLOG: usize = 24 * 1024 * 1024;
/// Most bytes of records that wait for their turn. What comes beyond was asked for ahead, and is asked for again.
const MOST_HELD: usize = 13 * 1024 * 1024;
/// What a page under way takes, before one has come: 200 orders of 2 kB, and their response while it arrives.
const USUAL_PAGE: usize = 512 * 1024;

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
    in_flight: HashMap<u64, (Route, Query)>,
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
            in_flight: HashMap::new(),
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

    /// The next request worth making now, with the ticket for its response. None, while only responses bring it on.
    pub(crate) fn request(&mut self) -> Option<(u64, Request)> {
        let ticket = self.next_ticket;
        let (route, request) = self.next_request(ticket)?;
        self.next_ticket += 1;
        let other = self.in_flight.insert(ticket, (route, request.query.clone()));
        debug_assert!(other.is_none(), "a ticket is given once");
        Some((ticket, request))
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
        if let Some(request) = self.probe.as_mut().and_then(FilterProbe::request) {
            return Some((Route::Probe, request));
        }
        // A page under way takes its bytes twice: as a response, and as records.
        let room = (self.partitions.outstanding() + 1) * 2 * self.page_bytes <= LARGEST_BACKLOG;
        let (partition, phase, request) = self.partitions.request(ticket, room)?;
        Some((Route::Partition(partition, phase), request))
    }

    /// Takes the response to the request with this ticket.
    pub(crate) fn answer(&mut self, ticket: u64, response: Response) -> Result<(), Failure> {
        let Some((route, query)) = self.in_flight.remove(&ticket) else { return Ok(()) };
        if self.times.is_none() && !self.told_before {
            self.earliest = [self.earliest, response.date].into_iter().flatten().min();
        }
        // Without product lines, as the probe asks, they are not the whole record.
        if query.products && !self.cursor.is_complete() {
            self.writing.undated(response.undated);
        }
        let rows = response.rows.and_then(|rows| query.verify(&rows).map(|()| rows));
        if let Ok(rows) = &rows
            && rows.len() > 1
        {
            let bytes: usize = rows.iter().map(|row| row.data.len()).sum();
            self.page_bytes = bytes.max((self.page_bytes * 7 + bytes) / 8);
        }
        let rows = if self.is_too_much(ticket, route, &rows) {
            Err(Doubt::new(FailureKind::TooLarge, "too much waits for its turn"))
        } else {
            rows
        };
        let came = rows.as_ref().map(Vec::len).map_err(|doubt| doubt.what.clone());
        self.take(ticket, route, rows).map_err(|failure| failure.at(query.encode()))?;
        let filter = self.filter();
        let decision = log::decision(route, came, filter, self.position(), self.in_flight.len());
        self.writing.log(Level::Trace, decision);
        self.go_on()
    }

    /// Whether there is no room for rows that were asked for ahead.
    fn is_too_much(&self, ticket: u64, route: Route, rows: &Result<Vec<Row>, Doubt>) -> bool {
        let (Route::Partition(partition, part), Ok(rows)) = (route, rows) else { return false };
        let bytes: usize = rows.iter().map(|row| row.data.len()).sum();
        self.partitions[partition].is_ahead(ticket, part)
            && self.partitions.iter().map(Partition::held_bytes).sum::<usize>() + bytes > MOST_HELD
    }

    fn take(&mut self, ticket: u64, route: Route, rows: Result<Vec<Row>, Doubt>) -> Result<(), Failure> {
        match route {
            Route::First => self.first_response(rows)?,
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
        let sent = self.in_flight.remove(&ticket);
        if failure.kind == FailureKind::TooLarge {
            return self.too_large(ticket, sent, failure);
        }
        let sent = sent.filter(|_| failure.kind == FailureKind::Rejected);
        let without = match (sent, &mut self.probe) {
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
        sent: Option<(Route, Query)>,
        failure: Failure,
    ) -> Result<(), Failure> {
        let Some((route, query)) = sent else { return Ok(()) };
        let smaller = match route {
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

    fn first_response(&mut self, rows: Result<Vec<Row>, Doubt>) -> Result<(), Failure> {
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
