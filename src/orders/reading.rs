//! One reading of the list of orders, for the streams that share it: the machine of a sync, with the pages of single orders
//! beside it.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::aifi::counts::RequestCounts;
use crate::clock;
use crate::config::Config;
use crate::engine::{Call, Doors, Slot, Use};
use crate::failure::Failure;
use crate::findings::FindingsLog;
use crate::orders::api::detail::{self, Detail, DetailReader, DetailResponse, Due, Verdict};
use crate::orders::api::page::{Page, PageReader};
use crate::orders::api::query::Request;
use crate::orders::api::totals::Totals;
use crate::orders::records::audit::Audit;
use crate::orders::records::details::Details;
use crate::orders::records::{self, Records};
use crate::orders::state::groups::Group;
use crate::orders::state::readings::{Next, Readings};
use crate::orders::streams::OrderStream;
use crate::orders::sync::log;
use crate::orders::sync::{Effect, Response, Sync};
use crate::orders::{DETAILS, KINDS, NAME, PATH};
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::Level;

/// Beside other streams, so many pages of orders may wait. Where there are more, the details have a reading of their own, so
/// that the orders need not wait for what takes two hundred times as many requests.
const MOST_WAITING: usize = 10_000;

/// When a sync began, for all readings of it: so they end at the same horizon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncStart {
    /// By this machine's clock.
    pub here: DateTime<Utc>,
    /// By the server's, as soon as it has told.
    pub there: Option<DateTime<Utc>>,
}

/// What is under way.
enum InFlight {
    Page { ticket: u64, query: String, page: Slot<Page> },
    Detail { due: Due, attempt: u32, detail: Slot<Detail> },
}

/// See the module.
pub(crate) struct Reading<'c> {
    /// Receipts, where somebody wants them.
    pub(crate) audit: Option<Audit>,
    pub(crate) sync: Sync<'c>,
    pub(crate) records: Records,
    pub(crate) first: OrderStream,
    /// What is read, and what follows.
    readings: Readings,
    mode: SyncMode,
    /// The failure of the details, should they have failed while the others went on.
    pub(crate) failed_details: Result<(), Failure>,
    /// What is left of the details, should they have been too many to wait for: a reading of their own.
    pub(crate) left: Option<Group>,
    /// What the sync had to say was not written whole, so no state may speak of it.
    half_written: bool,
    started: Instant,
    /// When the sync began, by this machine's clock.
    began: DateTime<Utc>,
    /// What had been asked before.
    counts: RequestCounts,
    /// How many pages of orders were asked for.
    details_asked: u64,
    sum: Totals,
    findings: FindingsLog,
    findings_in_details: FindingsLog,
    pages: Rc<RefCell<PageReader>>,
    details: Rc<RefCell<DetailReader>>,
    in_flight: HashMap<u64, InFlight>,
    /// Pages of orders that are asked for once more: how often it will be then, and why.
    again: VecDeque<(Due, u32, String)>,
    calls: u64,
}

impl<'c> Reading<'c> {
    /// Begins to read for the streams of a group. Those among `tombstones` get one for what is gone.
    pub(crate) fn new(
        config: &'c Config,
        mut audit: Option<Audit>,
        group: Group,
        tombstones: &[OrderStream],
        began: SyncStart,
        doors: &mut Doors<'_>,
    ) -> Result<Self, Failure> {
        let Group { streams, mode, saved, readings } = group;
        let mut sync = Sync::new(config, readings.scope(), mode, saved, began.here).after(began.there);
        let counts = doors.counts.total_of(KINDS);
        if let Some(audit) = &mut audit {
            audit.begin(counts);
        }
        sync.state_each_page(streams.contains(&OrderStream::Details));
        let line = match readings.part() {
            Some(part) => Some(log::part(&part.state, part.until)),
            None => records::log::together(&streams),
        };
        if let Some(line) = line {
            doors.output.log(Level::Info, &line)?;
        }
        Ok(Self {
            audit,
            first: streams[0],
            readings,
            mode,
            records: Records::of(streams, tombstones, sync.last_state()),
            sync,
            failed_details: Ok(()),
            left: None,
            half_written: false,
            started: clock::instant(),
            began: began.here,
            counts,
            details_asked: 0,
            sum: Totals::default(),
            findings: FindingsLog::default(),
            findings_in_details: FindingsLog::default(),
            pages: Rc::new(RefCell::new(PageReader::of_orders(&config.personal))),
            details: Rc::new(RefCell::new(DetailReader::of_details(&config.personal))),
            in_flight: HashMap::new(),
            again: VecDeque::new(),
            calls: 0,
        })
    }

    /// Whether everything is read and written.
    pub(crate) fn is_done(&self) -> bool {
        let nobody_is_left = self.failed_details.is_err() && self.records.of_the_list().next().is_none();
        let details_are_done = || self.records.details.as_ref().is_none_or(Details::is_idle);
        nobody_is_left || (self.sync.is_done() && details_are_done())
    }

    /// The end of the reading: what the log says of it. On a failure, what was written before it has its state.
    pub(crate) fn finish(
        &mut self,
        result: Result<(), Failure>,
        doors: &mut Doors<'_>,
    ) -> Result<(), Failure> {
        match result {
            Ok(()) => self.complete(doors),
            Err(failure) => {
                self.checkpoint(doors);
                Err(failure)
            }
        }
    }

    /// Says what was written. Nothing is closed: the state covers what has been handed out, and no more. If even that cannot
    /// be written, the failure that led here is the one to tell.
    pub(crate) fn checkpoint(&mut self, doors: &mut Doors<'_>) {
        if !self.half_written {
            self.sync.checkpoint();
            _ = self.write(doors);
        }
    }

    fn complete(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        self.findings.finish(doors.output, NAME, self.pages.borrow().findings())?;
        let name = OrderStream::Details.name();
        self.findings_in_details.finish(doors.output, name, self.details.borrow().findings())?;
        for (level, line) in records::log::records(&self.records, self.details_asked) {
            doors.output.log(level, &line)?;
        }
        Ok(())
    }

    /// What is most worth asking now. Beside other streams the list comes first; on its own, the details do, so that they
    /// never wait in numbers.
    pub(crate) fn next(&mut self) -> Option<Call> {
        let alone = self.first == OrderStream::Details;
        if !alone && let Some((ticket, request)) = self.sync.request() {
            return Some(self.page_call(ticket, &request));
        }
        if let Some((due, attempt, doubted)) = self.again.pop_front() {
            return Some(self.detail_call(due, attempt, doubted));
        }
        let newest = self.sync.newest();
        if let Some(due) = self.records.details.as_mut().and_then(|details| details.request(newest)) {
            self.details_asked += 1;
            return Some(self.detail_call(due, 1, String::new()));
        }
        let (ticket, request) = self.sync.request().filter(|_| alone)?;
        Some(self.page_call(ticket, &request))
    }

    fn page_call(&mut self, ticket: u64, request: &Request) -> Call {
        let (query, pages) = (request.query.encode(), self.pages.clone());
        let (page, read) = Slot::new(move |body| pages.borrow_mut().read(body));
        self.calls += 1;
        self.in_flight.insert(self.calls, InFlight::Page { ticket, query: query.clone(), page });
        Call {
            ticket: self.calls,
            what: NAME,
            path: PATH.to_owned(),
            query,
            attempt: request.attempt,
            doubted: "a response does not fit what is known".to_owned(),
            guess: false,
            read,
        }
    }

    fn detail_call(&mut self, due: Due, attempt: u32, doubted: String) -> Call {
        let details = self.details.clone();
        let (detail, read) = Slot::new(move |body| details.borrow_mut().read(body, &due));
        self.calls += 1;
        self.in_flight.insert(self.calls, InFlight::Detail { due, attempt, detail });
        Call {
            ticket: self.calls,
            what: DETAILS,
            path: format!("{PATH}/{}", due.id),
            query: String::new(),
            attempt,
            doubted,
            guess: false,
            read,
        }
    }

    /// The call with this ticket was answered at `date`, by the server's clock.
    pub(crate) fn answered(
        &mut self,
        ticket: u64,
        date: Option<DateTime<Utc>>,
        doors: &mut Doors<'_>,
    ) -> Result<Use, Failure> {
        let used = match self.in_flight.remove(&ticket) {
            Some(InFlight::Page { ticket, query, page }) => {
                let Some(page) = page.take() else { return Ok(Use::None) };
                let used = if page.is_ok() { Use::Progress } else { Use::None };
                let (response, unreadable) = Response::read(page, date);
                if !unreadable.is_empty() {
                    self.sync.met_unreadable();
                }
                doors.unreadable.write(doors.output, NAME, &format!("GET {PATH}?{query}"), unreadable)?;
                self.sync.answer(ticket, response)?;
                used
            }
            Some(InFlight::Detail { due, attempt, detail }) => {
                let Some(detail) = detail.take() else { return Ok(Use::None) };
                self.judge_detail(due, attempt, detail.into(), doors)?
            }
            None => {
                debug_assert!(false, "a ticket is answered once");
                Use::None
            }
        };
        self.findings.observe(doors.output, NAME, self.pages.borrow().findings())?;
        let name = OrderStream::Details.name();
        self.findings_in_details.observe(doors.output, name, self.details.borrow().findings())?;
        Ok(used)
    }

    /// The call with this ticket failed.
    pub(crate) fn refused(
        &mut self,
        ticket: u64,
        failure: Failure,
        doors: &mut Doors<'_>,
    ) -> Result<(), Failure> {
        match self.in_flight.remove(&ticket) {
            Some(InFlight::Page { ticket, .. }) => self.sync.refused(ticket, failure),
            Some(InFlight::Detail { due, attempt, .. }) => {
                self.judge_detail(due, attempt, DetailResponse::Failed(failure), doors).map(|_| ())
            }
            None => Ok(()),
        }
    }

    /// Takes the page of an order, or asks for it again.
    fn judge_detail(
        &mut self,
        due: Due,
        attempt: u32,
        answer: DetailResponse,
        doors: &mut Doors<'_>,
    ) -> Result<Use, Failure> {
        let (detail, used) = match detail::judge(&due, attempt, answer) {
            Ok(Verdict::Page(detail)) => (Ok(Some(detail)), Use::Progress),
            Ok(Verdict::NoPage) => (Ok(None), Use::None),
            Ok(Verdict::Again(doubted)) => {
                let line = || format!("order_details: order {}, attempt {attempt}: {doubted}", due.id);
                doors.output.log_lazily(Level::Trace, line)?;
                self.again.push_back((due, attempt + 1, doubted));
                return Ok(Use::None);
            }
            Err(failure) => (Err(failure), Use::None),
        };
        self.take_detail(&due, detail, doors).map(|()| used)
    }

    /// Takes the page of an order. Where it cannot be read, the other streams are read without.
    fn take_detail(
        &mut self,
        due: &Due,
        detail: Result<Option<Detail>, Failure>,
        doors: &mut Doors<'_>,
    ) -> Result<(), Failure> {
        if let Ok(Some(detail)) = &detail {
            self.findings_in_details.count(&detail.changes);
        }
        let taken = detail.and_then(|detail| self.records.detail(doors.output, &self.readings, due, detail));
        match taken {
            Err(failure) if !failure.kind.ends_the_sync() => {
                self.records.details = None;
                self.again.clear();
                if self.failed_details.is_ok() {
                    self.failed_details = Err(failure);
                }
                Ok(())
            }
            taken => taken,
        }
    }

    /// Writes what the sync has to say.
    pub(crate) fn write(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        self.half_written = true;
        for step in self.sync.steps() {
            match step {
                Effect::Record(row) | Effect::Superseded(row) => {
                    self.records.write(doors.output, &row)?;
                    self.findings.count(&row.changes);
                    self.part_with_details(doors)?;
                }
                Effect::Gone(item, since) => self.records.tombstone(doors.output, &item, since)?,
                Effect::Receipt(tally) => {
                    self.sum = self.sum.and(&tally);
                    if let Some(audit) = &mut self.audit {
                        audit.slice(doors.output, &tally, doors.counts.total_of(KINDS))?;
                    }
                }
                Effect::State(state) => self.records.state(doors.output, &self.readings, *state)?,
                Effect::Estimate(rows) => {
                    for (stream, rows) in self.records.estimates(rows) {
                        doors.output.estimate(stream.name(), rows)?;
                    }
                }
                Effect::Log(level, line) => doors.output.log(level, &line)?,
                Effect::Complete(summary) => {
                    // The list is read, so it is known how many pages of orders there are.
                    if let Some(details) = &self.records.details {
                        doors.output.estimate(OrderStream::Details.name(), details.due())?;
                    }
                    let took = clock::instant() - self.started;
                    let mut counts = doors.counts.total_of(KINDS).since(self.counts);
                    counts.requests = counts.requests.saturating_sub(self.details_asked);
                    for (level, line) in log::receipt(&summary, &self.sum, counts, took, self.first) {
                        doors.output.log(level, &line)?;
                    }
                }
            }
        }
        self.half_written = false;
        Ok(())
    }

    /// Where too many pages of orders wait, the others are read without.
    fn part_with_details(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        let waiting = self.records.details.as_ref().map_or(0, Details::waiting);
        if self.first == OrderStream::Details || waiting <= MOST_WAITING {
            return Ok(());
        }
        let last_state = self.records.details.take().map(Details::leave);
        self.again.clear();
        self.sync.state_each_page(false);
        let (mode, readings) = (self.mode, self.readings.clone());
        self.left = Some(Group { streams: vec![OrderStream::Details], mode, saved: last_state, readings });
        doors.output.log(Level::Info, records::log::DETAILS_LATER)
    }

    /// What the last state of the first stream said, to say it again while nothing gets on.
    pub(crate) fn last_state(&self) -> Value {
        let last_state = match (&self.records.details, self.first) {
            (Some(details), OrderStream::Details) => details.last_state.clone(),
            _ => self.sync.last_state(),
        };
        self.readings.compose(last_state).write(self.first)
    }

    /// The readings that follow on this one, which is complete: of the streams of the list, and of the details.
    pub(crate) fn following(&mut self, doors: &mut Doors<'_>) -> Result<Vec<Group>, Failure> {
        let (empty, now) = (self.sync.is_empty(), self.sync.settled().unwrap_or(self.began));
        let list: Vec<OrderStream> = self.records.of_the_list().collect();
        let mut last = vec![(list, self.sync.last_state())];
        if let Some(details) = &self.records.details {
            last.push((vec![OrderStream::Details], details.last_state.clone()));
        }
        let mut groups = Vec::new();
        for (streams, last_state) in last.into_iter().filter(|(streams, _)| !streams.is_empty()) {
            let Next { state, readings } = self.readings.clone().next(last_state, empty, now);
            if self.readings.part().is_some() {
                for stream in &streams {
                    doors.output.state(stream.name(), &state.write(*stream))?;
                }
            }
            if let Some((readings, saved)) = readings {
                groups.push(Group { streams, mode: self.mode, saved: Some(saved), readings });
            }
        }
        Ok(groups)
    }
}
