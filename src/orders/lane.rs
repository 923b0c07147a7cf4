//! The way of one selection through a sync: find its newest orders, read its range, sweep for changes. Pure.

use chrono::{DateTime, Utc};

use super::Doubt;
use super::page::Row;
use super::query::{Query, Selection};
use super::reading::{Ask, LOOKS, Reading};
use super::sweep::{Sweep, Witness};
use super::tail::{Goal, Search};
use crate::failure::{Failure, FailureKind};

/// Where a question belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The search for the newest orders.
    Search,
    /// The range.
    Range,
    /// The sweep.
    Sweep,
}

/// One selection.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) selection: Selection,
    first: Query,
    search: Option<Search>,
    searching: bool,
    looks: u32,
    /// It showed no order when it was read last, so it is read as a whole.
    pub(super) whole: bool,
    /// The inner none says that there is no order.
    pub(super) goal: Option<Option<Goal>>,
    pub(super) range: Option<Reading>,
    witness: Option<Witness>,
    pub(super) sweep: Option<Reading>,
    /// Orders behind the sweep's slice that are known already. They are handed out when the sweep has proven itself.
    behind_sweep: Vec<Row>,
    /// The sweep could not be made.
    pub(super) unswept: bool,
}

impl Lane {
    /// Of one of so many selections. Nothing is known yet.
    pub(super) fn new(selection: Selection, selections: usize, whole: bool) -> Self {
        Self {
            first: Search::first_question(selection.clone(), selections),
            selection,
            search: None,
            searching: false,
            looks: 0,
            whole,
            goal: None,
            range: None,
            witness: None,
            sweep: None,
            behind_sweep: Vec::new(),
            unswept: false,
        }
    }

    /// The first question of the sync, if this lane is to ask it.
    pub(super) fn first_question(&self) -> Query {
        self.first.clone()
    }

    /// The end is known: the search can begin. `first` is the answer to the first question of the sync, if this lane
    /// asked it; it was verified as an answer to it, and may hold the orders already.
    pub(super) fn search_before(&mut self, end: DateTime<Utc>, first: Option<&[Row]>) {
        let mut search = Search::new(end, self.first.clone());
        if let Some(rows) = first {
            _ = search.accept_first(rows);
        }
        self.goal = search.found().map(Option::<&Goal>::cloned);
        self.search = Some(search);
    }

    /// Whether it shows no order.
    pub(super) fn shows_no_order(&self) -> bool {
        matches!(self.goal, Some(None))
    }

    /// How many questions are under way, or answered before their turn.
    pub(super) fn outstanding(&self) -> usize {
        let reading = |reading: &Option<Reading>| reading.as_ref().map_or(0, Reading::outstanding);
        usize::from(self.searching) + reading(&self.range) + reading(&self.sweep)
    }

    /// Everything of the range before it has been handed out.
    pub(super) fn position(&self) -> Option<DateTime<Utc>> {
        self.range.as_ref().and_then(Reading::position)
    }

    /// Whether the range has been read.
    pub(super) fn is_read(&self) -> bool {
        self.range.as_ref().is_some_and(Reading::is_done)
    }

    /// The next question worth asking.
    pub(super) fn question(&mut self, ticket: u64, room: bool) -> Option<(Part, Ask)> {
        if self.goal.is_none()
            && let Some(search) = &self.search
        {
            if self.searching {
                return None;
            }
            self.searching = true;
            self.looks += 1;
            return Some((Part::Search, Ask { query: search.question(), look: self.looks }));
        }
        if let Some(sweep) = &mut self.sweep {
            return sweep.question(ticket, room).map(|ask| (Part::Sweep, ask));
        }
        self.range.as_mut()?.question(ticket, room).map(|ask| (Part::Range, ask))
    }

    /// Takes the answer to a question of the search.
    pub(super) fn searched(&mut self, answer: Result<Vec<Row>, Doubt>) -> Result<(), Failure> {
        self.searching = false;
        let Some(search) = &mut self.search else { return Ok(()) };
        match answer.and_then(|rows| search.accept(&rows)) {
            Ok(()) => {
                self.looks = 0;
                self.goal = search.found().map(Option::<&Goal>::cloned);
                Ok(())
            }
            Err(doubt) if self.looks >= LOOKS => Err(doubt.into_failure(self.looks)),
            Err(_) => Ok(()),
        }
    }

    /// Starts the range. Hands out rows.
    pub(super) fn begin(&mut self, start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Vec<Row>, Failure> {
        let goal = self.goal.clone().flatten();
        let range = self.range.get_or_insert_with(|| Reading::from(start, self.selection.clone()));
        range.until(end, goal)
    }

    /// Looks through rows of the range for the witness of the sweep.
    pub(super) fn observe(&mut self, rows: &[Row], since: DateTime<Utc>) {
        if self.witness.is_none() {
            self.witness = Witness::first_changed(rows, since);
        }
    }

    /// Starts the sweep of orders drafted before `before`. Hands out rows.
    pub(super) fn begin_sweep(
        &mut self,
        start: DateTime<Utc>,
        before: DateTime<Utc>,
        since: DateTime<Utc>,
    ) -> Result<Vec<Row>, Failure> {
        let Some(goal) = self.goal.as_ref().and_then(Option::as_ref).filter(|_| !self.whole) else {
            // What is read as a whole, now or once it shows an order, is read as it is then.
            self.sweep = Some(Reading::over(self.selection.clone(), start));
            return Ok(Vec::new());
        };
        let Some(sweep) = Sweep::plan(&self.selection, (start, before), since, self.witness, &goal.rows)
        else {
            self.sweep = Some(Reading::over(self.selection.clone(), start));
            self.unswept = true;
            return Ok(Vec::new());
        };
        let mut reading = Reading::from(sweep.slice.start, sweep.selection);
        let rows = reading.until(sweep.slice.end, Some(sweep.goal))?;
        self.sweep = Some(reading);
        self.behind_sweep = sweep.rows;
        Ok(self.with_those_behind(rows))
    }

    /// The rows that a sweep has handed out, and those behind it once it has ended.
    fn with_those_behind(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        if self.is_swept() {
            rows.append(&mut self.behind_sweep);
        }
        rows
    }

    /// Takes the answer to a question of the sweep. An API that does not filter ends it.
    pub(super) fn swept(
        &mut self,
        ticket: u64,
        answer: Result<Vec<Row>, Doubt>,
    ) -> Result<Vec<Row>, Failure> {
        let Some(sweep) = &mut self.sweep else { return Ok(Vec::new()) };
        match sweep.answer(ticket, answer) {
            Err(failure) if failure.kind == FailureKind::UpdatedFilter => {
                self.unswept = true;
                self.behind_sweep.clear();
                self.sweep = Some(Reading::over(self.selection.clone(), DateTime::default()));
                Ok(Vec::new())
            }
            other => other.map(|rows| self.with_those_behind(rows)),
        }
    }

    /// Whether the sweep has ended.
    pub(super) fn is_swept(&self) -> bool {
        self.sweep.as_ref().is_some_and(Reading::is_done)
    }
}
