//! Drives a sync against the API: asks at its pace, writes records, and says in the states what has been written.

use std::cell::RefCell;
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::aifi::http::{Asks, Event, Http};
use crate::clock;
use crate::config::Config;
use crate::effects::Effects;
use crate::failure::{Failure, FailureKind};
use crate::findings::FindingsLog;
use crate::heartbeat::Heartbeat;
use crate::orders::NAME;
use crate::orders::api::detail::Due;
use crate::orders::api::detail::{Detail, DetailReader};
use crate::orders::api::page::PageReader;
use crate::orders::api::query::Request;
use crate::orders::api::totals::Totals;
use crate::orders::ask::{self, ask_once};
use crate::orders::records::audit::Audit;
use crate::orders::records::details::Details;
use crate::orders::records::{self, Records};
use crate::orders::state::groups::Group;
use crate::orders::streams::OrderStream;
use crate::orders::sync::log;
use crate::orders::sync::{Effect, Response, Sync};
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::Level;
use crate::protocol::output::Output;
use crate::terminal::Progress;
use crate::unreadable::{Item, UnreadableRows};

/// Beside other streams, so many pages of orders may wait. Where there are more, the details go on in a read of their own, so
/// that the orders need not wait for what takes two hundred times as many requests.
const MOST_WAITING: usize = 10_000;

/// When a sync began, for all reads of it: so they end at the same horizon.
#[derive(Clone, Copy, Debug)]
pub struct SyncStart {
    /// By this machine's clock.
    pub here: DateTime<Utc>,
    /// By the server's, as soon as it has told.
    pub there: Option<DateTime<Utc>>,
}

/// How a read ended.
#[derive(Debug)]
pub struct SyncOutcome {
    /// The orders, and the streams that their answers feed.
    pub read: Result<(), Failure>,
    /// The details of orders, should they have failed while the others went on.
    pub details: Result<(), Failure>,
    /// What is left of the details, should they have been too many to wait for: a read of their own.
    pub left: Option<Group>,
    /// See [`SyncStart::there`].
    pub server: Option<DateTime<Utc>>,
}

/// Everything a sync of these streams needs.
pub struct Driver<'a> {
    http: &'a Http,
    events: &'a mut UnboundedReceiver<Event>,
    output: &'a mut Output,
    /// Receipts, where somebody wants them.
    audit: Option<&'a mut Audit>,
    sync: Sync<'a>,
    records: Records,
    first: OrderStream,
    mode: SyncMode,
    failed_details: Result<(), Failure>,
    left: Option<Group>,
    /// What the sync had to say was not written whole, so no state may speak of it.
    half_written: bool,
    progress: Progress,
    started: Instant,
    /// What had been asked before.
    asks: Asks,
    /// How many pages of orders were asked for.
    details_asked: u64,
    sum: Totals,
    heartbeat: Heartbeat,
    findings: FindingsLog,
    findings_in_details: FindingsLog,
    unreadable: &'a mut UnreadableRows,
}

/// What is to be asked.
enum Work {
    Page(u64, Request),
    Detail(Due),
}

/// What was asked, and what came.
enum Arrival {
    Page(u64, Result<(Response, String, Vec<Item>), Failure>),
    Detail(Due, Result<Option<Detail>, Failure>),
}

impl<'a> Driver<'a> {
    /// Prepares a read for the streams of a group.
    pub fn new(
        config: &'a Config,
        effects: Effects<'a>,
        mut audit: Option<&'a mut Audit>,
        group: Group,
        began: SyncStart,
    ) -> Self {
        let Effects { http, events, output, unreadable } = effects;
        let Group { streams, mode, saved } = group;
        let mut sync = Sync::new(config, mode, saved, began.here).after(began.there);
        if let Some(audit) = &mut audit {
            audit.begin(http.asks());
        }
        sync.state_each_page(streams.contains(&OrderStream::Details));
        Self {
            http,
            events,
            output,
            audit,
            first: streams[0],
            mode,
            records: Records::of(streams, sync.last_state()),
            sync,
            failed_details: Ok(()),
            left: None,
            half_written: false,
            progress: Progress::new(NAME),
            started: clock::instant(),
            asks: http.asks(),
            details_asked: 0,
            sum: Totals::default(),
            heartbeat: Heartbeat::default(),
            findings: FindingsLog::default(),
            findings_in_details: FindingsLog::default(),
            unreadable,
        }
    }

    /// Reads everything that is due. On a failure, what was written before it has its state.
    pub async fn read(mut self) -> SyncOutcome {
        let mut read = self.drive().await;
        self.progress.finish();
        if read.is_err() && !self.half_written {
            // Nothing is closed: the state covers what has been handed out, and no more. If even that cannot be written,
            // the first failure is the one to tell.
            self.sync.checkpoint();
            _ = self.write();
        } else if read.is_ok() {
            read = self.log_records();
        }
        SyncOutcome { read, details: self.failed_details, left: self.left, server: self.sync.server_now() }
    }

    async fn drive(&mut self) -> Result<(), Failure> {
        if let Some(line) = records::log::together(self.records.streams()) {
            self.output.log(Level::Info, &line)?;
        }
        let http = self.http;
        let pages = RefCell::new(PageReader::of_orders());
        let details = RefCell::new(DetailReader::of_details());
        let mut asked = FuturesUnordered::new();
        let mut more = true;
        loop {
            self.write()?;
            self.progress.show(self.records.written, http.asks().requests, self.sync.position());
            let nobody_is_left = self.failed_details.is_err() && self.records.of_the_list().next().is_none();
            if nobody_is_left
                || self.sync.is_done() && self.records.details.as_ref().is_none_or(Details::is_idle)
            {
                self.findings.finish(self.output, NAME, pages.borrow().findings())?;
                let name = OrderStream::Details.name();
                return self.findings_in_details.finish(self.output, name, details.borrow().findings());
            }
            if asked.is_empty() && !more {
                let text = "The connector does not know how to go on. Please report this; the next sync goes on from the last state.";
                return Err(Failure::new(FailureKind::Internal, text));
            }
            let may_ask = more && (asked.is_empty() || !http.is_in_trouble());
            let (pages, details) = (&pages, &details);
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => self.tell(event)?,
                Some(came) = asked.next(), if !asked.is_empty() => {
                    more = true;
                    match came {
                        Arrival::Page(ticket, Ok((answer, request, unreadable))) => {
                            self.unreadable.write(self.output, NAME, &request, unreadable)?;
                            self.sync.answer(ticket, answer)?;
                        }
                        Arrival::Page(ticket, Err(failure)) => self.sync.refused(ticket, failure)?,
                        Arrival::Detail(due, detail) => self.take_detail(&due, detail)?,
                    }
                    self.findings.observe(self.output, NAME, pages.borrow().findings())?;
                    let name = OrderStream::Details.name();
                    self.findings_in_details.observe(self.output, name, details.borrow().findings())?;
                }
                turn = http.turn(), if may_ask => match self.question()? {
                    Some(Work::Page(ticket, ask)) => {
                        // A question that was asked before waits first, and then for a turn of its own.
                        let turn = (ask.attempt == 1).then_some(turn);
                        asked.push(future(async move { Arrival::Page(ticket, ask_once(http, pages, &ask, turn).await) }));
                    }
                    Some(Work::Detail(due)) => {
                        self.details_asked += 1;
                        let turn = Some(turn);
                        asked.push(future(async move {
                            Arrival::Detail(due, ask::detail(http, details, &due, turn).await)
                        }));
                    }
                    None => more = false,
                },
            }
        }
    }

    /// What is most worth asking now. Beside other streams the list comes first; on its own, the details do, so that they
    /// never wait in numbers.
    fn question(&mut self) -> Result<Option<Work>, Failure> {
        let alone = self.first == OrderStream::Details;
        if !alone && let Some((ticket, ask)) = self.sync.question() {
            return Ok(Some(Work::Page(ticket, ask)));
        }
        let newest = self.sync.newest();
        if let Some(due) = self.records.details.as_mut().and_then(|details| details.question(newest)) {
            return Ok(Some(Work::Detail(due)));
        }
        Ok(self.sync.question().filter(|_| alone).map(|(ticket, ask)| Work::Page(ticket, ask)))
    }

    /// Takes the page of an order. Where it cannot be read, the other streams go on without.
    fn take_detail(&mut self, due: &Due, detail: Result<Option<Detail>, Failure>) -> Result<(), Failure> {
        if let Ok(Some(detail)) = &detail {
            self.findings_in_details.count(&detail.changes);
        }
        let taken = detail.and_then(|detail| self.records.detail(self.output, due, detail));
        match taken {
            Err(failure) if !failure.kind.ends_the_sync() => {
                self.records.details = None;
                if self.failed_details.is_ok() {
                    self.failed_details = Err(failure);
                }
                Ok(())
            }
            taken => taken,
        }
    }

    /// Writes what the sync has to say.
    fn write(&mut self) -> Result<(), Failure> {
        self.half_written = true;
        for step in self.sync.steps() {
            match step {
                Effect::Record(row) | Effect::Superseded(row) => {
                    self.records.write(self.output, &row)?;
                    self.findings.count(&row.changes);
                    self.part_with_details()?;
                }
                Effect::Receipt(tally) => {
                    self.sum = self.sum.and(&tally);
                    if let Some(audit) = &mut self.audit {
                        audit.slice(self.output, &tally, self.http.asks())?;
                    }
                }
                Effect::State(state) => self.records.state(self.output, state)?,
                Effect::Estimate(rows) => {
                    if self.first == OrderStream::Orders {
                        self.output.estimate(NAME, rows)?;
                    }
                }
                Effect::Log(level, line) => self.output.log(level, &line)?,
                Effect::Complete(summary) => {
                    let took = clock::instant() - self.started;
                    let mut asks = self.http.asks().since(self.asks);
                    asks.requests = asks.requests.saturating_sub(self.details_asked);
                    for (level, line) in log::receipt(&summary, &self.sum, asks, took, self.first) {
                        self.output.log(level, &line)?;
                    }
                }
            }
        }
        self.half_written = false;
        Ok(())
    }

    /// Where too many pages of orders wait, the others go on without.
    fn part_with_details(&mut self) -> Result<(), Failure> {
        let waiting = self.records.details.as_ref().map_or(0, Details::waiting);
        if self.first == OrderStream::Details || waiting <= MOST_WAITING {
            return Ok(());
        }
        let last_state = self.records.details.take().map(Details::leave).unwrap_or_default();
        self.sync.state_each_page(false);
        let saved = OrderStream::Details.saved(&last_state)?;
        self.left = Some(Group { streams: vec![OrderStream::Details], mode: self.mode, saved: Some(saved) });
        self.output.log(Level::Info, records::log::DETAILS_LATER)
    }

    /// At the end: what people should know of the streams beside the orders.
    fn log_records(&mut self) -> Result<(), Failure> {
        for (level, line) in records::log::records(&self.records, self.details_asked) {
            self.output.log(level, &line)?;
        }
        Ok(())
    }

    fn tell(&mut self, event: Event) -> Result<(), Failure> {
        let last_state = || match (&self.records.details, self.first) {
            (Some(details), OrderStream::Details) => details.last_state.clone(),
            _ => self.first.spell(&self.sync.last_state()),
        };
        self.heartbeat.observe(event, self.output, self.first.name(), last_state)
    }
}

/// All futures of a set have one type.
fn future<'f>(future: impl Future<Output = Arrival> + 'f) -> LocalBoxFuture<'f, Arrival> {
    future.boxed_local()
}
