//! Drives a sync of a list against the API: one question at a time.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::declared::List;
use super::log;
use super::page::{Page, PageReader};
use super::passes::Passes;
use super::query::encode;
use super::sync::{RECORDS_PER_STATE, Sync};
use crate::aifi::http::{Answer, Asks, Event, Http, Question};
use crate::clock;
use crate::config::Config;
use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::effects::Effects;
use crate::failure::{Failure, FailureKind};
use crate::findings::FindingsLog;
use crate::heartbeat::Heartbeat;
use crate::horizon;
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::{Level, Status};
use crate::protocol::output::Output;
use crate::terminal::Progress;
use crate::unreadable::UnreadableRows;

struct Driver<'a> {
    list: &'static List,
    http: &'a Http,
    events: &'a mut UnboundedReceiver<Event>,
    output: &'a mut Output,
    passes: Passes,
    pages: RefCell<PageReader>,
    heartbeat: Heartbeat,
    findings: FindingsLog,
    unreadable: &'a mut UnreadableRows,
    progress: Progress,
    started: Instant,
    /// This machine's clock at the start.
    now: DateTime<Utc>,
    /// What had been asked before.
    asks: Asks,
    records: u64,
}

/// Reads everything of a list that is due. On a failure, what was written before it has its state.
pub async fn read(
    list: &'static List,
    config: &Config,
    effects: Effects<'_>,
    mode: SyncMode,
    saved: Option<&Value>,
) -> Result<(), Failure> {
    let Effects { http, events, output, unreadable } = effects;
    output.status(list.name, Status::Running)?;
    let mut reader = Driver {
        list,
        http,
        events,
        output,
        passes: Passes::new(list, Sync::new(list, config, mode, saved)?),
        pages: RefCell::new(PageReader::new(list)),
        heartbeat: Heartbeat::default(),
        findings: FindingsLog::default(),
        unreadable,
        progress: Progress::new(list.name),
        started: clock::instant(),
        now: clock::now(),
        asks: http.asks(),
        records: 0,
    };
    let result = reader.drive().await;
    reader.progress.finish();
    result
}

impl Driver<'_> {
    async fn drive(&mut self) -> Result<(), Failure> {
        self.output.log(Level::Info, &log::range(self.list, &self.passes.sync))?;
        if self.passes.sync.is_complete() {
            return self.output.state(self.list.name, &self.passes.sync.end());
        }
        if let Err(failure) = self.pass().await {
            // The first failure is the one to tell, also if the state cannot be written.
            if self.output.records_since_state(self.list.name) > 0 {
                _ = self.output.state(self.list.name, &self.passes.state());
            }
            return Err(failure);
        }
        self.output.state(self.list.name, &self.passes.sync.end())?;
        let asks = self.http.asks().since(self.asks);
        let took = clock::instant() - self.started;
        self.findings.finish(self.output, self.list.name, self.pages.borrow().findings())?;
        let receipt = log::receipt(self.list, self.records, self.passes.sync.left_out(), asks, took);
        self.output.log(Level::Info, &receipt)
    }

    /// Asks until everything has been seen.
    async fn pass(&mut self) -> Result<(), Failure> {
        while self.passes.go_on().map_err(|doubt| doubt.into_failure(self.list.name, MAX_ATTEMPTS))? {
            match self.step().await {
                Err(failure) if failure.kind == FailureKind::TooLarge => {
                    if !self.passes.asks_for_less() {
                        return Err(self.row_too_large(&failure));
                    }
                }
                Err(failure) if self.passes.asks_otherwise(failure.kind) => (),
                result => result?,
            }
        }
        Ok(())
    }

    fn row_too_large(&self, failure: &Failure) -> Failure {
        let (part, bound) = self.passes.question();
        let (List { name, path, .. }, query) = (self.list, encode(self.list, &part, bound));
        let text = format!(
            "A record of {name} cannot be read, also where it is asked for among {} only (GET {path}?{query}). {} If it is this record alone, ask AiFi what it holds, or deselect the stream.",
            part.count(),
            failure.message
        );
        Failure::new(FailureKind::TooLarge, text)
    }

    /// Asks until an answer can be believed, and writes what is due.
    async fn step(&mut self) -> Result<(), Failure> {
        let (mut look, mut doubted) = (1, String::new());
        let rows = loop {
            let (part, bound) = self.passes.question();
            let query = encode(self.list, &part, bound);
            let answer = self.look(&query, look, &doubted).await?;
            self.begin(answer.date)?;
            let rows = match answer.value {
                Ok(Page { rows, unreadable }) => {
                    let request = format!("GET {}?{query}", self.list.path);
                    self.unreadable.write(self.output, self.list.name, &request, unreadable)?;
                    Ok(rows)
                }
                Err(doubt) => Err(doubt),
            };
            match rows.and_then(|rows| self.passes.accept(rows)) {
                Ok(rows) => break rows,
                Err(doubt) if look >= MAX_ATTEMPTS => {
                    let failure = doubt.into_failure(self.list.name, look);
                    return Err(failure.at(format!("GET {}?{query}", self.list.path)));
                }
                Err(doubt) => {
                    look += 1;
                    doubted = doubt.what;
                }
            }
        };
        self.http.progressed();
        self.findings.observe(self.output, self.list.name, self.pages.borrow().findings())?;
        for row in rows {
            self.output.record(self.list.name, &row.data, &row.changes)?;
            self.findings.count(&row.changes);
            self.records += 1;
        }
        self.progress.show(self.records, self.http.asks().requests - self.asks.requests, None);
        if self.passes.holds() && self.output.records_since_state(self.list.name) >= RECORDS_PER_STATE {
            self.output.state(self.list.name, &self.passes.state())?;
        }
        Ok(())
    }

    /// Asks once, and tells what happens meanwhile. From the second look on, `doubted` is what was wrong with the answer
    /// before.
    async fn look(
        &mut self,
        query: &str,
        look: u32,
        doubted: &str,
    ) -> Result<Answer<Result<Page, Doubt>>, Failure> {
        let Self { list, http, pages, events, output, passes, heartbeat, .. } = self;
        let question = Question { what: list.name, path: list.path, query };
        let asking = async {
            if look > 1 {
                http.wait_before_look(look - 1, doubted).await?;
            }
            http.get(question, None, |body| pages.borrow_mut().read(body)).await
        };
        let mut asking = pin!(asking);
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => {
                    heartbeat.observe(event, output, list.name, || passes.state())?;
                }
                answer = &mut asking => return answer,
            }
        }
    }

    /// Fixes the horizon with the first answer, and tells what it shows.
    fn begin(&mut self, date: Option<DateTime<Utc>>) -> Result<(), Failure> {
        if self.passes.is_answered() {
            return Ok(());
        }
        let horizon = horizon::settled(horizon::server_now(date, self.now));
        self.passes.begin(horizon);
        let Some(from) = self.passes.sync.from() else { return Ok(()) };
        let name = self.list.name;
        let clock = match date {
            None => Some(log::no_clock(self.list)),
            Some(date) => horizon::clocks_differ(date, self.now).map(|line| format!("{name}: {line}")),
        };
        let filter = (!self.passes.is_filtered()).then(|| log::no_filter(self.list));
        let future = horizon::in_the_future(name, from, horizon);
        for line in [clock, filter, future].into_iter().flatten() {
            self.output.log(Level::Warn, &line)?;
        }
        Ok(())
    }
}
