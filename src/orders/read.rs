//! Drives a sync against the API: asks at its pace, writes records, and says in the state what has been written.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;

use super::NAME;
use super::ask::look;
use super::audit::Audit;
use super::cursor::Saved;
use super::page::PageReader;
use super::sync::{Step, Sync};
use super::tally::Tally;
use super::told;
use crate::aifi::http::{Event, Http};
use crate::clock;
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::{Level, Status};
use crate::protocol::output::Output;
use crate::terminal::Progress;
use crate::waiting::Waiting;

/// Everything a sync of the stream needs.
pub struct Reader<'a> {
    http: &'a Http,
    events: &'a mut UnboundedReceiver<Event>,
    output: &'a mut Output,
    /// Receipts, where somebody wants them.
    audit: Option<&'a mut Audit>,
    sync: Sync<'a>,
    progress: Progress,
    started: Instant,
    sum: Tally,
    records: u64,
    waiting: Waiting,
    named: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    /// Prepares a sync from a saved state.
    pub fn new(
        config: &'a Config,
        http: &'a Http,
        events: &'a mut UnboundedReceiver<Event>,
        output: &'a mut Output,
        audit: Option<&'a mut Audit>,
        mode: SyncMode,
        saved: Option<&serde_json::Value>,
    ) -> Result<Self, Failure> {
        let saved = saved.map(Saved::parse).transpose()?;
        Ok(Self {
            http,
            events,
            output,
            audit,
            sync: Sync::new(config, mode, saved, clock::now()),
            progress: Progress::new(NAME),
            started: clock::instant(),
            sum: Tally::default(),
            records: 0,
            waiting: Waiting::default(),
            named: BTreeSet::new(),
        })
    }

    /// Reads everything that is due. On a failure, what was written before it has its state.
    pub async fn read(mut self) -> Result<(), Failure> {
        self.output.status(NAME, Status::Running)?;
        let result = self.drive().await;
        self.progress.finish();
        if result.is_err() {
            // Nothing is closed: the state covers what has been handed out, and no more. If even that cannot be written,
            // the first failure is the one to tell.
            self.sync.checkpoint();
            _ = self.write();
        }
        result
    }

    async fn drive(&mut self) -> Result<(), Failure> {
        let http = self.http;
        let pages = RefCell::new(PageReader::of_orders());
        let mut asked = FuturesUnordered::new();
        let mut more = true;
        loop {
            self.write()?;
            self.progress.show(self.records, http.asks().requests, self.sync.position());
            if self.sync.is_done() {
                return Ok(());
            }
            if asked.is_empty() && !more {
                let text = "The connector does not know how to go on. Please report this; the next sync goes on from the last state.";
                return Err(Failure::new(FailureKind::Internal, text));
            }
            let may_ask = more && (asked.is_empty() || !http.is_in_trouble());
            let slot = http.next_start();
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => self.waiting.tell(event, self.output, NAME, || self.sync.standing())?,
                Some((ticket, answer)) = asked.next(), if !asked.is_empty() => {
                    more = true;
                    match answer {
                        Ok(answer) => self.sync.answer(ticket, answer)?,
                        Err(failure) => self.sync.refused(ticket, failure)?,
                    }
                    self.name_unknown_fields(&pages)?;
                }
                () = clock::sleep_until(slot), if may_ask => match self.sync.question() {
                    Some((ticket, ask)) => {
                        let start = (ask.look == 1).then(|| http.reserve());
                        let pages = &pages;
                        asked.push(async move { (ticket, look(http, pages, &ask, start).await) });
                    }
                    None => more = false,
                },
            }
        }
    }

    /// Writes what the sync has to say.
    fn write(&mut self) -> Result<(), Failure> {
        for step in self.sync.steps() {
            match step {
                Step::Record(row) => {
                    self.output.record(NAME, &row.data, &row.changes)?;
                    self.records += 1;
                }
                Step::Receipt(tally) => {
                    self.sum = self.sum.and(&tally);
                    if let Some(audit) = &mut self.audit {
                        audit.slice(self.output, &tally, self.http.asks())?;
                    }
                }
                // Writing the state flushes it, with all records before it.
                Step::State(state) => self.output.state(NAME, &state)?,
                Step::Estimate(rows) => self.output.estimate(NAME, rows)?,
                Step::Log(level, line) => self.output.log(level, &line)?,
                Step::Complete(summary) => {
                    let took = clock::instant() - self.started;
                    for (level, line) in told::receipt(&summary, &self.sum, self.http.asks(), took) {
                        self.output.log(level, &line)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn name_unknown_fields(&mut self, pages: &RefCell<PageReader>) -> Result<(), Failure> {
        let pages = pages.borrow();
        if pages.unknown_fields().count() == self.named.len() {
            return Ok(());
        }
        let new: Vec<String> =
            pages.unknown_fields().filter(|name| !self.named.contains(*name)).map(str::to_owned).collect();
        self.output.log(
            Level::Info,
            &format!("orders: the API sends fields that this version's schema does not know; they are kept (at the top level in additionalFields): {}", new.join(", ")),
        )?;
        self.named.extend(new);
        Ok(())
    }
}
