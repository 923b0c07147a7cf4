//! The way of one selection through a sync: find its newest orders, read its range, sweep for changes. Pure.

use chrono::{DateTime, Utc};

use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::failure::{Failure, FailureKind};
use crate::orders::NAME;
use crate::orders::api::page::Row;
use crate::orders::api::query::Request;
use crate::orders::api::query::{PAGE_SIZE, Query, Selection};
use crate::orders::slice::newest::{Newest, NewestSearch};
use crate::orders::slice::reader::SliceReader;
use crate::orders::sync::plan::SweepRange;
use crate::orders::sync::sweep::{Sweep, Witness};

/// Where a request belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The search for the newest orders.
    Search,
    /// The range.
    Range,
    /// The sweep.
    Sweep,
}

/// One selection.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) selection: Selection,
    first: Query,
    search: Option<NewestSearch>,
    searching: bool,
    attempts: u32,
    /// It showed no order when it was read last, so it is read as a whole.
    pub(crate) whole: bool,
    /// Where the range has to arrive.
    pub(crate) goal: Newest,
    pub(crate) range: Option<SliceReader>,
    witness: Option<Witness>,
    sweep: Option<SliceReader>,
    /// How many sweeps have begun.
    sweeps: usize,
    /// What the present one is about, while it asks for more than that.
    wider_than: Option<SweepRange>,
    /// How many orders came that it is not about.
    beside: usize,
    /// Orders behind the sweep's slice that are known already. They are handed out when the sweep has proven itself.
    behind_sweep: Vec<Row>,
    /// Known orders which the sweep leaves out, if the API filters by update time; those that came are not among them.
    left_out: Vec<u64>,
    /// A sweep before it has proved that.
    filtered: bool,
    /// The sweep could not be made.
    pub(crate) unswept: bool,
}

impl Partition {
    /// Of one of so many selections. Nothing is known yet.
    pub(crate) fn new(selection: Selection, selections: usize, whole: bool) -> Self {
        Self {
            first: NewestSearch::first_request(selection.clone(), selections),
            selection,
            search: None,
            searching: false,
            attempts: 0,
            whole,
            goal: Newest::Unknown,
            range: None,
            witness: None,
            sweep: None,
            sweeps: 0,
            wider_than: None,
            beside: 0,
            behind_sweep: Vec::new(),
            left_out: Vec::new(),
            filtered: false,
            unswept: false,
        }
    }

    /// The first request of the sync, if this partition is to ask it.
    pub(crate) fn first_request(&self) -> Query {
        self.first.clone()
    }

    /// The end is known: the search can begin. `first` is the response to the first request of the sync, if this partition
    /// asked it; it was verified as a response to it, and may hold the orders already.
    pub(crate) fn search_before(&mut self, end: DateTime<Utc>, first: Option<&[Row]>) {
        let mut search = NewestSearch::new(end, self.first.clone());
        if let Some(rows) = first {
            _ = search.accept_first(rows);
        }
        self.goal = search.found().clone();
        self.search = Some(search);
    }

    /// Whether a sweep has begun.
    pub(crate) fn is_sweeping(&self) -> bool {
        self.sweeps > 0
    }

    /// Whether it shows no order.
    pub(crate) fn shows_no_order(&self) -> bool {
        self.goal == Newest::NoOrder
    }

    /// How many requests are under way, or answered before their turn.
    pub(crate) fn outstanding(&self) -> usize {
        let reading = |reading: &Option<SliceReader>| reading.as_ref().map_or(0, SliceReader::outstanding);
        usize::from(self.searching) + reading(&self.range) + reading(&self.sweep)
    }

    /// Everything of the range before it has been handed out.
    pub(crate) fn position(&self) -> Option<DateTime<Utc>> {
        self.range.as_ref().and_then(SliceReader::position)
    }

    /// Whether the range has been read.
    pub(crate) fn is_read(&self) -> bool {
        self.range.as_ref().is_some_and(SliceReader::is_done)
    }

    /// The next request worth making.
    pub(crate) fn request(&mut self, ticket: u64, room: bool) -> Option<(Phase, Request)> {
        if self.goal == Newest::Unknown
            && let Some(search) = &self.search
        {
            if self.searching {
                return None;
            }
            self.searching = true;
            self.attempts += 1;
            return Some((Phase::Search, Request { query: search.request(), attempt: self.attempts }));
        }
        if let Some(sweep) = &mut self.sweep {
            return sweep.request(ticket, room).map(|ask| (Phase::Sweep, ask));
        }
        self.range.as_mut()?.request(ticket, room).map(|ask| (Phase::Range, ask))
    }

    /// Takes the response to a request of the search.
    pub(crate) fn searched(&mut self, answer: Result<Vec<Row>, Doubt>) -> Result<(), Failure> {
        self.searching = false;
        let Some(search) = &mut self.search else { return Ok(()) };
        let accepted = match answer {
            Ok(rows) => search.accept(&rows),
            Err(doubt) if doubt.kind.is_of_single_rows() => search.turn_page(),
            Err(doubt) => Err(doubt),
        };
        match accepted {
            Ok(()) => {
                self.attempts = 0;
                self.goal = search.found().clone();
                Ok(())
            }
            Err(doubt) if self.attempts >= MAX_ATTEMPTS => Err(doubt.into_failure(NAME, self.attempts)),
            Err(_) => Ok(()),
        }
    }

    /// Starts the range. Hands out rows.
    pub(crate) fn begin(&mut self, start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Vec<Row>, Failure> {
        let goal = self.goal.target().cloned();
        let range = self.range.get_or_insert_with(|| SliceReader::from(start, self.selection.clone()));
        range.until(end, goal)
    }

    /// Looks through rows of the range for the witness of the sweep.
    pub(crate) fn observe(&mut self, rows: &[Row], since: DateTime<Utc>) {
        if self.witness.is_none() {
            self.witness = Witness::first_changed(rows, since);
        }
    }

    /// Starts the next sweep. Hands out rows.
    pub(crate) fn begin_sweep(&mut self, stretch: SweepRange) -> Result<Vec<Row>, Failure> {
        self.filtered = self.proves_filter();
        self.left_out.clear();
        self.sweeps += 1;
        let Some(goal) = self.goal.target().filter(|_| !self.whole) else {
            // What is read as a whole, now or once it shows an order, is read as it is then.
            self.sweep = Some(SliceReader::over(self.selection.clone(), stretch.before));
            return Ok(Vec::new());
        };
        let Some(sweep) = Sweep::plan(&self.selection, stretch, self.witness, &goal.rows) else {
            self.give_up_sweeping();
            return Ok(Vec::new());
        };
        self.left_out = sweep.left_out(&goal.rows);
        self.wider_than = (sweep.selection.updated_from < Some(stretch.since)).then_some(stretch);
        self.beside = 0;
        self.read_sweep(sweep)
    }

    fn read_sweep(&mut self, sweep: Sweep) -> Result<Vec<Row>, Failure> {
        let mut reading = SliceReader::from(sweep.slice.start, sweep.selection);
        let rows = reading.until(sweep.slice.end, Some(sweep.goal))?;
        self.sweep = Some(reading);
        self.behind_sweep = sweep.rows;
        Ok(self.with_those_behind(rows))
    }

    /// Where a sweep asks for more than it is about, to hold its witness, and much of that comes: goes on without.
    fn narrow(&mut self, mut rows: Vec<Row>) -> Result<Vec<Row>, Failure> {
        let Some(stretch) = self.wider_than.filter(|_| !self.is_swept()) else { return Ok(rows) };
        self.beside += rows.iter().filter(|row| row.updated < Some(stretch.since)).count();
        if let (true, Some(position)) = (self.beside > PAGE_SIZE, self.swept_to()) {
            self.wider_than = None;
            let known = self.behind_sweep.first().map_or(stretch.before, |row| row.at);
            let stretch = SweepRange { before: known, ..stretch };
            let behind = std::mem::take(&mut self.behind_sweep);
            let sweep = Sweep { rows: behind, ..Sweep::without_witness(&self.selection, stretch, position) };
            rows.append(&mut self.read_sweep(sweep)?);
        }
        Ok(rows)
    }

    /// The number of the sweep that has begun last, from 0.
    pub(crate) fn sweep_number(&self) -> Option<usize> {
        self.sweeps.checked_sub(1)
    }

    /// Everything of the present sweep before it has been handed out.
    pub(crate) fn swept_to(&self) -> Option<DateTime<Utc>> {
        self.sweep.as_ref().filter(|_| !self.unswept).and_then(SliceReader::position)
    }

    /// Whether sweeps that have ended have left out a known order which had changed before: the API filters by update time.
    pub(crate) fn proves_filter(&self) -> bool {
        !self.unswept && (self.filtered || (self.is_swept() && !self.left_out.is_empty()))
    }

    /// The API does not tell of changes.
    fn give_up_sweeping(&mut self) {
        self.unswept = true;
        self.behind_sweep.clear();
        self.sweep = Some(SliceReader::over(self.selection.clone(), DateTime::default()));
    }

    /// The rows that a sweep has handed out, and those behind it once it has ended.
    fn with_those_behind(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        if self.is_swept() {
            rows.append(&mut self.behind_sweep);
        }
        rows
    }

    /// Takes the response to a request of the sweep. An API that does not filter ends it.
    pub(crate) fn swept(
        &mut self,
        ticket: u64,
        answer: Result<Vec<Row>, Doubt>,
    ) -> Result<Vec<Row>, Failure> {
        let Some(sweep) = &mut self.sweep else { return Ok(Vec::new()) };
        match sweep.answer(ticket, answer) {
            Err(failure) if failure.kind == FailureKind::UpdatedFilter => {
                self.give_up_sweeping();
                Ok(Vec::new())
            }
            Err(failure) => Err(failure),
            Ok(rows) => {
                self.left_out.retain(|id| rows.iter().all(|row| row.id != *id));
                let rows = self.narrow(rows)?;
                Ok(self.with_those_behind(rows))
            }
        }
    }

    /// The API does not accept the request with this ticket. Whether that can be done without.
    pub(crate) fn refused(&mut self, ticket: u64, part: Phase) -> bool {
        match part {
            Phase::Search => false,
            Phase::Range => self.range.as_mut().is_some_and(|range| range.refused(ticket)),
            Phase::Sweep => {
                if !self.sweep.as_mut().is_some_and(|sweep| sweep.refused(ticket)) {
                    self.give_up_sweeping();
                }
                true
            }
        }
    }

    /// The response to the request with this ticket is too large to be read. Whether smaller pages help.
    pub(crate) fn too_large(&mut self, ticket: u64, part: Phase) -> bool {
        let reading = match part {
            Phase::Search => {
                self.searching = false;
                self.attempts = self.attempts.saturating_sub(1);
                return self.search.as_mut().is_some_and(NewestSearch::halve);
            }
            Phase::Range => &mut self.range,
            Phase::Sweep => &mut self.sweep,
        };
        reading.as_mut().is_some_and(|reading| reading.too_large(ticket))
    }

    /// The response to the first request is too large to be read. Whether a smaller page helps.
    pub(crate) fn first_too_large(&mut self) -> bool {
        let larger = self.first.page_size > 1;
        self.first.page_size = (self.first.page_size / 2).max(1);
        larger
    }

    fn reading(&self, part: Phase) -> Option<&SliceReader> {
        match part {
            Phase::Search => None,
            Phase::Range => self.range.as_ref(),
            Phase::Sweep => self.sweep.as_ref(),
        }
    }

    /// How many bytes of records wait for their turn.
    pub(crate) fn held_bytes(&self) -> usize {
        [&self.range, &self.sweep].into_iter().flatten().map(SliceReader::held_bytes).sum()
    }

    /// Whether the request with this ticket was made ahead, so that it can be done without its response.
    pub(crate) fn is_ahead(&self, ticket: u64, part: Phase) -> bool {
        self.reading(part).is_some_and(|reading| reading.is_ahead(ticket))
    }

    /// Whether the present sweep has ended.
    pub(crate) fn is_swept(&self) -> bool {
        self.sweep.as_ref().is_some_and(SliceReader::is_done)
    }
}
