//! The reading of one list in one sync, as a machine: calls out, responses in, records and states out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::declared::List;
use super::leads::Leads;
use super::log;
use super::page::{Page, PageReader};
use super::passes::Passes;
use super::query::encode;
use super::sync::{RECORDS_PER_STATE, Sync};
use crate::clock;
use crate::config::Config;
use crate::doubt::{Attempts, Doubt, MAX_ATTEMPTS};
use crate::engine::{Call, Doors, Family, Slot, Use};
use crate::failure::{Failure, FailureKind};
use crate::findings::FindingsLog;
use crate::horizon;
use crate::protocol::catalog::SyncMode;
use crate::protocol::message::{Level, Status};

/// What is under way.
struct InFlight {
    query: String,
    page: Slot<Page>,
    /// It is asked for ahead, behind this id.
    lead: Option<u64>,
}

/// See the module.
pub(crate) struct Reading {
    list: &'static List,
    passes: Passes,
    pages: Rc<RefCell<PageReader>>,
    findings: FindingsLog,
    started: Instant,
    /// This machine's clock at the start.
    now: DateTime<Utc>,
    records: u64,
    attempts: Attempts,
    /// What is under way, by ticket.
    in_flight: HashMap<u64, InFlight>,
    leads: Leads,
    calls: u64,
    done: bool,
}

impl Reading {
    /// Begins to read what is due, and says so.
    pub(crate) fn new(
        list: &'static List,
        config: &Config,
        mode: SyncMode,
        saved: Option<&Value>,
        doors: &mut Doors<'_>,
    ) -> Result<Self, Failure> {
        doors.output.status(list.name, Status::Running)?;
        let passes = Passes::new(list, Sync::new(list, config, mode, saved)?);
        doors.output.log(Level::Info, &log::range(list, &passes.sync))?;
        Ok(Self {
            list,
            done: passes.sync.is_complete(),
            passes,
            pages: Rc::new(RefCell::new(PageReader::new(list, &config.personal))),
            findings: FindingsLog::default(),
            started: clock::instant(),
            now: clock::now(),
            records: 0,
            attempts: Attempts::default(),
            in_flight: HashMap::new(),
            leads: Leads::default(),
            calls: 0,
        })
    }

    /// The request as people read it.
    fn request(&self, query: &str) -> String {
        format!("GET {}?{query}", self.list.path)
    }

    /// Believes the rows of a response, or asks again.
    fn accept(
        &mut self,
        page: Result<Page, Doubt>,
        query: &str,
        doors: &mut Doors<'_>,
    ) -> Result<Use, Failure> {
        let name = self.list.name;
        let rows = match page {
            Ok(Page { rows, unreadable }) => {
                doors.unreadable.write(doors.output, name, &self.request(query), unreadable)?;
                self.passes.accept(rows)
            }
            Err(doubt) => Err(doubt),
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(doubt) => {
                let line = log::doubted(self.list, &doubt.what);
                let number = self.attempts.number();
                if let Err(doubt) = self.attempts.again(doubt) {
                    return Err(doubt.into_failure(name, number).at(self.request(query)));
                }
                doors.output.log(Level::Trace, &line)?;
                self.leads.give_up();
                return Ok(Use::None);
            }
        };
        self.attempts.begin_anew();
        let written = rows.len();
        self.findings.observe(doors.output, name, self.pages.borrow().findings())?;
        for row in rows {
            doors.output.record(name, &row.data, &row.changes)?;
            self.findings.count(&row.changes);
            self.records += 1;
        }
        if self.passes.holds() && doors.output.records_since_state(name) >= RECORDS_PER_STATE {
            doors.output.state(name, &self.passes.state())?;
        }
        self.go_on()?;
        let next = (!self.done).then(|| self.passes.request().0);
        doors.output.log_lazily(Level::Trace, || log::decision(self.list, written, next.as_ref()))?;
        Ok(Use::Progress)
    }

    fn go_on(&mut self) -> Result<(), Failure> {
        let more = self.passes.go_on().map_err(|doubt| doubt.into_failure(self.list.name, MAX_ATTEMPTS))?;
        self.done = !more;
        self.leads.follow(&self.passes.request().0, self.passes.advances());
        Ok(())
    }

    /// Takes what was asked for ahead, as long as it has come.
    fn take_leads(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        while let Some(lead) = self.leads.fits().filter(|_| !self.done && self.attempts.is_first()) {
            let Some(page) = self.leads.take(lead) else { break };
            // Items that cannot be read were written when it came.
            self.accept(Ok(page), "", doors)?;
        }
        Ok(())
    }

    fn call(&mut self, query: String, lead: Option<u64>) -> Call {
        let pages = self.pages.clone();
        let (page, read) = Slot::new(move |body| pages.borrow_mut().read(body));
        self.calls += 1;
        let other = self.in_flight.insert(self.calls, InFlight { query: query.clone(), page, lead });
        debug_assert!(other.is_none(), "a ticket is given once");
        let own = lead.is_none();
        Call {
            ticket: self.calls,
            what: self.list.name,
            path: self.list.path.to_owned(),
            query,
            attempt: if own { self.attempts.number() } else { 1 },
            doubted: if own { self.attempts.take_doubted() } else { String::new() },
            guess: !own,
            read,
        }
    }

    /// Fixes the horizon with the first response, and logs what it shows.
    fn begin(&mut self, date: Option<DateTime<Utc>>, doors: &mut Doors<'_>) -> Result<(), Failure> {
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
        let mut lines = [clock, filter, future].into_iter().flatten();
        lines.try_for_each(|line| doors.output.log(Level::Warn, &line))
    }

    fn row_too_large(&self, failure: &Failure) -> Failure {
        let (part, bound) = self.passes.request();
        let (List { name, path, .. }, query) = (self.list, encode(self.list, &part, bound));
        let text = format!(
            "A record of {name} cannot be read, even in a page of {} (GET {path}?{query}). {} If it is this record alone, ask AiFi what it holds, or deselect the stream.",
            part.count(),
            failure.message
        );
        Failure::new(FailureKind::TooLarge, text)
    }

    /// Says at the end what was written, and what it took.
    fn complete(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        let name = self.list.name;
        doors.output.state(name, &self.passes.sync.end())?;
        if self.passes.sync.is_complete() {
            return Ok(());
        }
        let took = clock::instant() - self.started;
        self.findings.finish(doors.output, name, self.pages.borrow().findings())?;
        let counts = doors.counts.total_of(self.kinds());
        let receipt = log::receipt(self.list, self.records, self.passes.sync.left_out(), counts, took);
        doors.output.log(Level::Info, &receipt)
    }

    /// Says what was written, if a state has not said so. The failure that led here is the one to tell, also if this cannot be
    /// written.
    fn checkpoint(&self, doors: &mut Doors<'_>) {
        if doors.output.records_since_state(self.list.name) > 0 {
            _ = doors.output.state(self.list.name, &self.passes.state());
        }
    }
}

impl Family for Reading {
    fn name(&self) -> &'static str {
        self.list.name
    }

    fn kinds(&self) -> &'static [&'static str] {
        std::slice::from_ref(&self.list.name)
    }

    fn last_state(&self) -> Value {
        self.passes.state()
    }

    fn progress(&self) -> (u64, Option<DateTime<Utc>>) {
        (self.records, None)
    }

    fn next(&mut self) -> Result<Option<Call>, Failure> {
        if self.done {
            return Ok(None);
        }
        let (part, bound) = self.passes.request();
        let is_asked = self.in_flight.values().any(|in_flight| in_flight.lead.is_none());
        let leads = &self.leads;
        let comes = self.attempts.is_first()
            && (leads.asks_next() || leads.fits().is_some_and(|lead| leads.is_waited_for(lead)));
        if !is_asked && !comes {
            return Ok(Some(self.call(encode(self.list, &part, bound), None)));
        }
        let Some((lead, part)) = self.leads.next(&part) else { return Ok(None) };
        Ok(Some(self.call(encode(self.list, &part, bound), Some(lead))))
    }

    fn spare(&mut self) -> Option<Call> {
        let (part, bound) = self.passes.request();
        let (lead, part) = self.leads.spare(&part).filter(|_| !self.done)?;
        Some(self.call(encode(self.list, &part, bound), Some(lead)))
    }

    fn answered(
        &mut self,
        ticket: u64,
        date: Option<DateTime<Utc>>,
        doors: &mut Doors<'_>,
    ) -> Result<Use, Failure> {
        let Some(InFlight { query, page, lead }) = self.in_flight.remove(&ticket) else {
            debug_assert!(false, "a ticket is answered once");
            return Ok(Use::None);
        };
        let Some(page) = page.take() else { return Ok(Use::None) };
        let used = match (lead, page) {
            (None, page) => {
                self.begin(date, doors)?;
                self.accept(page, &query, doors)?
            }
            (Some(lead), Ok(mut page)) if self.leads.is_waited_for(lead) => {
                let unreadable = std::mem::take(&mut page.unreadable);
                doors.unreadable.write(doors.output, self.list.name, &self.request(&query), unreadable)?;
                self.leads.answered(lead, page, self.passes.request().0.count());
                Use::Progress
            }
            (Some(_), Ok(_)) => Use::None,
            (Some(_), Err(_)) => {
                self.leads.give_up();
                Use::None
            }
        };
        self.take_leads(doors)?;
        Ok(used)
    }

    fn refused(&mut self, ticket: u64, failure: Failure, _: &mut Doors<'_>) -> Result<(), Failure> {
        let lead = self.in_flight.remove(&ticket).and_then(|in_flight| in_flight.lead);
        self.leads.give_up();
        if lead.is_some() {
            return if failure.kind.ends_the_sync() { Err(failure) } else { Ok(()) };
        }
        self.attempts.begin_anew();
        match failure.kind {
            FailureKind::TooLarge if self.passes.asks_for_less() => Ok(()),
            FailureKind::TooLarge => Err(self.row_too_large(&failure)),
            kind if self.passes.asks_otherwise(kind) => Ok(()),
            _ => Err(failure),
        }
    }

    fn write(&mut self, _: &mut Doors<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn end(&mut self, result: Result<(), Failure>, doors: &mut Doors<'_>) -> Result<bool, Failure> {
        let result = match result {
            Ok(()) => self.complete(doors),
            Err(failure) => {
                self.checkpoint(doors);
                Err(failure)
            }
        };
        doors.endings.close(doors.output, self.list.name, result).map(|()| false)
    }

    fn leave(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        self.checkpoint(doors);
        doors.output.status(self.list.name, Status::Incomplete)
    }
}
