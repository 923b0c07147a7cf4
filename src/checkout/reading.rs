//! The reading of the inbox in one sync, as a machine: calls out, responses in, records and states out.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::page::{Page, PageReader, Response};
use super::position::Position;
use super::query::{Place, Query};
use super::state::{Saved, state};
use super::{NAME, PATH, log};
use crate::clock;
use crate::doubt::{Attempts, Doubt};
use crate::engine::{Call, Doors, Family, Slot, Use};
use crate::failure::{Failure, FailureKind};
use crate::findings::FindingsLog;
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::{Level, Status};
use crate::record::personal::Personal;

/// See the module.
pub(crate) struct Reading {
    mode: SyncMode,
    position: Position,
    pages: Rc<RefCell<PageReader>>,
    findings: FindingsLog,
    started: Instant,
    records: u64,
    unrecognised: u64,
    /// The number of the call under way, and its request.
    asked: Option<(u64, Query, Slot<Response>)>,
    calls: u64,
    attempts: Attempts,
    /// A full refresh that an earlier sync has completed: there is nothing to do.
    complete: bool,
}

impl Reading {
    /// Begins to read what is due, and says so. `consumer` is our name for the inbox, `personal` what is done to personal values.
    pub(crate) fn new(
        consumer: &str,
        personal: &Personal,
        mode: SyncMode,
        saved: Option<&Value>,
        doors: &mut Doors<'_>,
    ) -> Result<Self, Failure> {
        doors.output.status(NAME, Status::Running)?;
        let saved = saved.map(Saved::parse).transpose()?;
        let complete = mode == SyncMode::FullRefresh && saved.as_ref().is_some_and(|saved| saved.complete);
        let place = saved.map_or(Place::default(), |saved| saved.place);
        if !complete {
            doors.output.log(Level::Info, &log::range(place.seq))?;
        }
        Ok(Self {
            mode,
            position: Position::new(mode, consumer, place),
            pages: Rc::new(RefCell::new(PageReader::new(personal))),
            findings: FindingsLog::default(),
            started: clock::instant(),
            records: 0,
            unrecognised: 0,
            asked: None,
            calls: 0,
            attempts: Attempts::default(),
            complete,
        })
    }

    /// The request as people read it.
    fn request(query: &Query) -> String {
        format!("GET {PATH}?{}", query.encode())
    }

    /// Believes a response, or requests it again.
    fn accept(
        &mut self,
        response: Result<Response, Doubt>,
        query: &Query,
        doors: &mut Doors<'_>,
    ) -> Result<Use, Failure> {
        let taken = match response {
            Ok(Response::TooOld) => return Err(log::too_old()),
            Ok(Response::Page(page)) => self.position.accept(&page).map(|()| Some(page)),
            Ok(Response::Rewound(agreed)) => match self.position.rewind(agreed) {
                Ok(from) => {
                    doors.output.log(Level::Warn, &log::rewound(query.after.seq, from))?;
                    Ok(None)
                }
                // Requested again at once, it would be so once more.
                Err(doubt) => return Err(log::failure(doubt, self.attempts.number())),
            },
            Err(doubt) => Err(doubt),
        };
        match taken {
            Ok(page) => {
                self.attempts.begin_anew();
                page.map_or(Ok(()), |page| self.write_page(&page, doors))?;
                Ok(Use::Progress)
            }
            Err(doubt) => {
                let number = self.attempts.number();
                let again = self.attempts.again(doubt);
                again.map_err(|doubt| log::failure(doubt, number).at(Self::request(query)))?;
                Ok(Use::None)
            }
        }
    }

    /// Writes the records of a page, and the state that says so.
    fn write_page(&mut self, page: &Page, doors: &mut Doors<'_>) -> Result<(), Failure> {
        self.findings.observe(doors.output, NAME, self.pages.borrow().findings())?;
        for row in &page.events {
            doors.output.record(NAME, &page.records[row.data.clone()], &row.changes)?;
            self.findings.count(&row.changes);
            self.records += 1;
            self.unrecognised += u64::from(!row.recognised);
        }
        if page.events.is_empty() { Ok(()) } else { doors.output.state(NAME, &self.last_state()) }
    }

    /// Says at the end what was written, and what it took.
    fn complete(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        doors.output.state(NAME, &state(self.mode, self.position.place(), true))?;
        if self.complete {
            return Ok(());
        }
        self.findings.finish(doors.output, NAME, self.pages.borrow().findings())?;
        let Position { gaps, pruned, .. } = self.position;
        if pruned > 0 {
            doors.output.log(Level::Warn, &log::pruned(pruned))?;
        }
        if let Some((level, text)) = log::gaps(gaps, self.position.has_a_gap()) {
            doors.output.log(level, &text)?;
        }
        let (seq, counts) = (self.position.place().seq, doors.counts.total_of(self.kinds()));
        let took = clock::instant() - self.started;
        doors.output.log(Level::Info, &log::receipt(seq, self.records, self.unrecognised, counts, took))
    }
}

impl Family for Reading {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[NAME]
    }

    fn last_state(&self) -> Value {
        state(self.mode, self.position.place(), self.complete)
    }

    fn progress(&self) -> (u64, Option<DateTime<Utc>>) {
        (self.records, None)
    }

    fn next(&mut self) -> Result<Option<Call>, Failure> {
        if self.asked.is_some() || self.is_done() {
            return Ok(None);
        }
        let query = self.position.query();
        let (pages, asked) = (self.pages.clone(), query.clone());
        let (slot, read) = Slot::new(move |body| pages.borrow_mut().read(&asked, body));
        self.calls += 1;
        let encoded = query.encode();
        self.asked = Some((self.calls, query, slot));
        Ok(Some(Call {
            ticket: self.calls,
            what: NAME,
            path: PATH.to_owned(),
            query: encoded,
            attempt: self.attempts.number(),
            doubted: self.attempts.take_doubted(),
            guess: false,
            read,
        }))
    }

    fn answered(
        &mut self,
        ticket: u64,
        _: Option<DateTime<Utc>>,
        doors: &mut Doors<'_>,
    ) -> Result<Use, Failure> {
        let Some((_, query, slot)) = self.asked.take_if(|(number, ..)| *number == ticket) else {
            return Ok(Use::None);
        };
        let Some(response) = slot.take() else { return Ok(Use::None) };
        self.accept(response, &query, doors)
    }

    fn refused(&mut self, _: u64, failure: Failure, _: &mut Doors<'_>) -> Result<(), Failure> {
        self.asked = None;
        self.attempts.begin_anew();
        match failure.kind {
            FailureKind::TooLarge if self.position.asks_for_less() => Ok(()),
            FailureKind::TooLarge => Err(log::event_too_large(self.position.place().seq, &failure)),
            _ => Err(failure),
        }
    }

    fn write(&mut self, _: &mut Doors<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.complete || self.position.is_done()
    }

    fn end(&mut self, result: Result<(), Failure>, doors: &mut Doors<'_>) -> Result<bool, Failure> {
        let result = result.and_then(|()| self.complete(doors));
        doors.endings.close(doors.output, NAME, result).map(|()| false)
    }

    fn leave(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        doors.output.status(NAME, Status::Incomplete)
    }
}
