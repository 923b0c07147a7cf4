//! Drives a sync of a list against the API: one question at a time.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::declared::{List, Paging};
use super::page::{PageReader, Row};
use super::query::{Manner, encode};
use super::sync::{RECORDS_PER_STATE, Sync};
use super::told;
use super::walk::Walk;
use crate::aifi::http::{Answer, Asks, Event, Http, Question};
use crate::clock;
use crate::config::Config;
use crate::doubt::{Doubt, LOOKS};
use crate::failure::{Failure, FailureKind};
use crate::horizon;
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::{Level, Status};
use crate::protocol::output::Output;
use crate::terminal::Progress;
use crate::unknown::UnknownFields;
use crate::waiting::Waiting;

struct Reader<'a> {
    list: &'static List,
    http: &'a Http,
    events: &'a mut UnboundedReceiver<Event>,
    output: &'a mut Output,
    sync: Sync,
    pages: RefCell<PageReader>,
    waiting: Waiting,
    unknown: UnknownFields,
    progress: Progress,
    started: Instant,
    /// This machine's clock at the start.
    now: DateTime<Utc>,
    /// What had been asked before.
    asks: Asks,
    records: u64,
    manner: Manner,
    /// Whether the API has answered a question of this manner.
    answered: bool,
}

/// Reads everything of a list that is due. On a failure, what was written before it has its state.
pub async fn read(
    list: &'static List,
    config: &Config,
    http: &Http,
    events: &mut UnboundedReceiver<Event>,
    output: &mut Output,
    mode: SyncMode,
    saved: Option<&Value>,
) -> Result<(), Failure> {
    output.status(list.name, Status::Running)?;
    let mut reader = Reader {
        list,
        http,
        events,
        output,
        sync: Sync::new(list, config, mode, saved)?,
        pages: RefCell::new(PageReader::new(list)),
        waiting: Waiting::default(),
        unknown: UnknownFields::default(),
        progress: Progress::new(list.name),
        started: clock::instant(),
        now: clock::now(),
        asks: http.asks(),
        records: 0,
        manner: Manner::wished(list.incremental),
        answered: false,
    };
    let result = reader.drive().await;
    reader.progress.finish();
    result
}

impl Reader<'_> {
    async fn drive(&mut self) -> Result<(), Failure> {
        self.output.log(Level::Info, &told::range(self.list, &self.sync))?;
        if self.sync.is_complete() {
            return self.output.state(self.list.name, &self.sync.end());
        }
        let walk = self.walk(self.sync.bound(), None).await?;
        // Where the place in a list does not hold, what changed meanwhile may have moved out of the way.
        let moves = self.list.paging == Paging::Page && walk.is_longer_than_a_page() && self.manner.filtered;
        if let Some(bound) = self.sync.closing_bound().filter(|_| moves) {
            self.walk(Some(bound), Some(&walk)).await?;
        }
        self.output.state(self.list.name, &self.sync.end())?;
        let (asks, before) = (self.http.asks(), self.asks);
        let asks = Asks {
            requests: asks.requests - before.requests,
            refused: asks.refused - before.refused,
            repeated: asks.repeated - before.repeated,
        };
        let took = clock::instant() - self.started;
        let receipt = told::receipt(self.list, self.records, self.sync.left_out(), asks, took);
        self.output.log(Level::Info, &receipt)
    }

    /// Walks through the rows changed since `bound`, and writes those that the walk before did not know.
    async fn walk(&mut self, bound: Option<DateTime<Utc>>, before: Option<&Walk>) -> Result<Walk, Failure> {
        let start = |reader: &Self| match before {
            Some(_) => Walk::new(reader.list.paging, reader.manner.size),
            None => reader.sync.walk(reader.manner.size),
        };
        let mut walk = start(self);
        let result = loop {
            if walk.is_done() {
                return Ok(walk);
            }
            match self.step(&mut walk, bound, before).await {
                Ok(()) => (),
                Err(failure) if !self.answered => {
                    let next = match failure.kind {
                        FailureKind::Rejected => self.sync.after_refusal(self.manner),
                        FailureKind::NotFound => self.sync.forget_place().then_some(self.manner),
                        _ => None,
                    };
                    let Some(next) = next else { break failure };
                    self.manner = next;
                    walk = start(self);
                }
                Err(failure) => break failure,
            }
        };
        // The first failure is the one to tell, also if the state cannot be written.
        if self.output.records_since_state(self.list.name) > 0 {
            _ = self.output.state(self.list.name, &self.sync.under_way(walk.resume()));
        }
        Err(result)
    }

    /// Asks until an answer can be believed, and writes what is due.
    async fn step(
        &mut self,
        walk: &mut Walk,
        bound: Option<DateTime<Utc>>,
        before: Option<&Walk>,
    ) -> Result<(), Failure> {
        let mut look = 1;
        let mut rows = loop {
            let query = encode(self.list, &walk.question(), bound.filter(|_| self.manner.filtered));
            let answer = self.look(&query, look, walk).await?;
            self.begin(answer.date)?;
            match answer.value.and_then(|rows| walk.accept(rows)) {
                Ok(rows) => break rows,
                Err(doubt) if look >= LOOKS => {
                    let failure = doubt.into_failure(self.list.name, look);
                    return Err(failure.at(format!("GET {}?{query}", self.list.path)));
                }
                Err(_) => look += 1,
            }
        };
        self.http.progressed();
        self.unknown.tell(self.output, self.list.name, self.pages.borrow().unknown_fields())?;
        rows.retain(|row| before.is_none_or(|before| !before.knows(&row.id)));
        for row in self.sync.due(rows) {
            self.output.record(self.list.name, &row.data, &row.changes)?;
            self.records += 1;
        }
        self.progress.show(self.records, self.http.asks().requests - self.asks.requests, None);
        let due = self.output.records_since_state(self.list.name) >= RECORDS_PER_STATE;
        match walk.resume().filter(|_| due) {
            Some(after) => self.output.state(self.list.name, &self.sync.under_way(Some(after))),
            None => Ok(()),
        }
    }

    /// Asks once, and tells what happens meanwhile.
    async fn look(
        &mut self,
        query: &str,
        look: u32,
        walk: &Walk,
    ) -> Result<Answer<Result<Vec<Row>, Doubt>>, Failure> {
        let Self { list, http, pages, events, output, sync, waiting, .. } = self;
        let question = Question { what: list.name, path: list.path, query };
        let asking = async {
            if look > 1 {
                http.wait_before_look(look - 1, "an answer cannot be believed").await?;
            }
            http.get(question, None, |body| pages.borrow_mut().read(body)).await
        };
        let mut asking = pin!(asking);
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => {
                    waiting.tell(event, output, list.name, || sync.under_way(walk.resume()))?;
                }
                answer = &mut asking => return answer,
            }
        }
    }

    /// Fixes the horizon with the first answer, and tells what it shows.
    fn begin(&mut self, date: Option<DateTime<Utc>>) -> Result<(), Failure> {
        if self.answered {
            return Ok(());
        }
        self.answered = true;
        self.sync.begin(horizon::settled(horizon::server_now(date, self.now)));
        if self.list.incremental && date.is_none() {
            self.output.log(Level::Warn, &told::no_clock(self.list))?;
        }
        if self.list.incremental && !self.manner.filtered {
            self.output.log(Level::Warn, &told::no_filter(self.list))?;
        }
        Ok(())
    }
}
