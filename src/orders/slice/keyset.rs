//! The walk by key through one slice: what may be believed, and handed out.
//!
//! Page numbers over a set that changes while it is read lose orders. So each request starts at the last timestamp
//! seen, inclusive, and its response is believed only if
//!
//! * it brings back every order of that timestamp which the response before held (the *anchor*): so nothing lies
//!   between the two responses;
//! * it holds every instant of the orders that are known from the goal, as far as it reaches: a server that takes the bound
//!   for another hour begins too late;
//! * it gets on, as long as the goal (orders known to exist at the end) has not been reached: so a short or an empty
//!   response is never the end;
//! * it is sorted and within the bounds.
//!
//! The orders of the last timestamp of a response are held back until the next response shows that it has them all.
//!
//! One response is a piece of the sorted list without a gap. So whatever was asked to get it, a response that begins
//! before the position and holds the anchor continues the walk just as well ([`KeysetWalk::take_ahead`]): that is how pages
//! are read ahead of it, and how the newest rows, which were asked for first, become its last ones.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::doubt::Doubt;
use crate::failure::FailureKind;
use crate::orders::api::page::Row;
use crate::orders::api::query::{PAGE_SIZE, Query, Selection, Sort, lower_bound, upper_bound};
use crate::orders::slice::dense_second::DenseSecond;
use crate::orders::slice::newest::Target;
use crate::timestamp;

/// A range of cursor values, `[start, end)`: the record's own timestamp decides what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// First instant that belongs to it.
    pub start: DateTime<Utc>,
    /// First instant that does not.
    pub end: DateTime<Utc>,
}

/// How a response that was asked for ahead stands to the walk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It continues the walk: these rows go out.
    Joins(Vec<Row>),
    /// It holds nothing that the walk has not seen, or contradicts it: it is of no use.
    Useless,
    /// It begins behind the position: what lies between has to be asked for. Here it is, for later.
    Beyond(Vec<Row>),
}

/// The reading of one slice of one selection.
#[derive(Debug)]
pub(crate) struct KeysetWalk {
    slice: Slice,
    selection: Selection,
    goal: Target,
    /// Everything before it has been handed out.
    position: DateTime<Utc>,
    /// The ids seen at the position, that the next response has to bring back.
    anchor: Vec<u64>,
    dense: Option<DenseSecond>,
    /// How many responses in a row brought nothing new.
    quiet: u32,
    done: bool,
}

impl KeysetWalk {
    /// Starts at the slice's start. `goal` are the newest orders before the slice's end, or an order behind it; if there
    /// is none within or behind the slice, the walk is done.
    pub(crate) fn new(slice: Slice, selection: Selection, goal: Option<Target>) -> Self {
        let done = slice.start >= slice.end || goal.as_ref().is_none_or(|goal| goal.at < slice.start);
        let goal =
            goal.unwrap_or(Target { at: slice.start, ids: Vec::new(), rows: Vec::new(), or_attempts: None });
        Self {
            slice,
            selection,
            goal,
            position: slice.start,
            anchor: Vec::new(),
            dense: None,
            quiet: 0,
            done,
        }
    }

    /// Everything of the slice before this has been handed out; the slice's end, once the walk is done.
    pub(crate) fn position(&self) -> DateTime<Utc> {
        if self.done { self.slice.end } else { self.position }
    }

    /// Whether everything has been handed out.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether a second is being read that one page cannot get past.
    pub(crate) fn is_dense(&self) -> bool {
        self.dense.is_some()
    }

    /// How many orders were seen at the position, which the next response has to bring back.
    pub(crate) fn held(&self) -> usize {
        self.anchor.len()
    }

    /// The slice's end.
    pub(crate) fn end(&self) -> DateTime<Utc> {
        self.slice.end
    }

    /// Whether the walk has seen this row.
    pub(crate) fn has_seen(&self, row: &Row) -> bool {
        row.at < self.position || (row.at == self.position && self.anchor.contains(&row.id))
    }

    /// Where the rows begin that are known from the goal.
    pub(crate) fn tail_start(&self) -> DateTime<Utc> {
        self.goal.rows.first().map_or(self.goal.at, |row| row.at)
    }

    /// The next request; none, once the walk is done.
    pub(crate) fn request(&self) -> Option<Query> {
        if self.done {
            return None;
        }
        // A goal behind the slice has to come with the response.
        let until = self.slice.end.max(self.goal.at + timestamp::MILLISECOND);
        Some(self.dense.as_ref().map_or_else(
            || Self::request_from(self.position, Some(until), &self.selection),
            DenseSecond::request,
        ))
    }

    /// The request for the orders of a selection from `start` on.
    pub(crate) fn request_from(
        start: DateTime<Utc>,
        end: Option<DateTime<Utc>>,
        selection: &Selection,
    ) -> Query {
        Query {
            min: Some(lower_bound(start)),
            max: end.map(upper_bound),
            sort: Sort::OldestFirst,
            page: None,
            page_size: PAGE_SIZE,
            products: true,
            selection: selection.clone(),
        }
    }

    /// Takes the response to [`Self::request`] and hands out rows, sorted by `draftCreatedAt` and with every row of each
    /// of their instants. After a doubt the walk stands where it stood, and the same request is made again.
    pub(crate) fn accept(&mut self, rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        match &mut self.dense {
            Some(dense) => {
                let until = dense.until();
                let Some(rows) = dense.accept(rows)? else { return Ok(Vec::new()) };
                self.dense = None;
                self.anchor.clear();
                self.position = until;
                self.done = until > self.goal.at || until >= self.slice.end;
                Ok(rows)
            }
            None => self.accept_by_key(rows),
        }
    }

    /// Takes a response that was asked for ahead.
    pub(crate) fn take_ahead(&mut self, rows: Vec<Row>) -> Fit {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Fit::Useless };
        if self.done || last.at <= self.position {
            return Fit::Useless;
        }
        // Strictly before: of equal timestamps a page may hold any part.
        if self.dense.is_some() || first.at >= self.position {
            return Fit::Beyond(rows);
        }
        if self.missing_anchor(&rows).is_some() || self.missing_known(&rows).is_some() {
            Fit::Useless
        } else {
            Fit::Joins(self.advance(rows))
        }
    }

    /// Hands out the rows that are known from the goal, once the walk has arrived among them.
    pub(crate) fn finish(&mut self) -> Vec<Row> {
        let Some(first) = self.goal.rows.first() else { return Vec::new() };
        if self.done || self.dense.is_some() || first.at >= self.position {
            return Vec::new();
        }
        if self.missing_anchor(&self.goal.rows).is_some() {
            return Vec::new();
        }
        let mut rows = std::mem::take(&mut self.goal.rows);
        rows.retain(|row| self.position <= row.at && row.at < self.slice.end);
        self.done = true;
        rows
    }

    fn missing_anchor(&self, rows: &[Row]) -> Option<u64> {
        self.missing_of(&self.anchor, rows)
    }

    /// The first of these ids that no row of the position has. Versions of an order share its id: it has to come as often
    /// as it was seen.
    fn missing_of(&self, ids: &[u64], rows: &[Row]) -> Option<u64> {
        let mut come: HashMap<u64, usize> = HashMap::new();
        for row in rows.iter().filter(|row| row.at == self.position) {
            *come.entry(row.id).or_default() += 1;
        }
        let lacks = |id: &u64| match come.get_mut(id) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        ids.iter().copied().find(lacks)
    }

    /// An order known from the goal that these rows pass over: they have none of its instant. By the instant and not by the
    /// id, since a version of an order may replace another one meanwhile.
    fn missing_known(&self, rows: &[Row]) -> Option<&Row> {
        let last = rows.last()?.at.min(self.slice.end);
        let passed = self.goal.rows.iter().filter(|row| self.position <= row.at && row.at < last);
        // Both are sorted by that time.
        let has = |at: DateTime<Utc>| rows.binary_search_by_key(&at, |row| row.at).is_ok();
        passed.into_iter().find(|row| !has(row.at))
    }

    fn accept_by_key(&mut self, mut rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        if let Some(request) = self.request() {
            request.verify(&rows)?;
        }
        let Some(last) = rows.last().map(|row| row.at) else {
            if self.anchor.is_empty() && self.is_quiet() {
                self.done = true;
                return Ok(rows);
            }
            return Err(self.missing("the answer is empty"));
        };
        if last <= self.position && rows.len() > 1 {
            return Ok(self.go_dense(rows));
        }
        if let Some(id) = self.missing_anchor(&rows) {
            return Err(self.missing(&format!("order {id}, which it continues from, is not in the answer")));
        }
        let position = self.position;
        if last > position || self.anchor.is_empty() {
            if last < position && self.is_quiet() {
                self.done = true;
                return Ok(Vec::new());
            }
            if last < position {
                // All of it lies before the position: bounds that are cut to seconds, and nothing new.
                return Err(self.missing("the answer brings nothing new"));
            }
            if let Some(row) = self.missing_known(&rows) {
                let (id, at) = (row.id, timestamp::write(row.at));
                return Err(self.missing(&format!("order {id}, drafted at {at}, is not in the answer")));
            }
            return Ok(self.advance(rows));
        }
        // Nothing but the order it continued from: the end, if the goal has been reached.
        let missing = || self.missing_of(&self.goal.ids, &rows).is_some();
        let short = position < self.goal.at || (position == self.goal.at && missing());
        if short && !self.is_quiet() {
            return Err(self.missing("the answer brings nothing new"));
        }
        rows.retain(|row| row.at == position);
        self.done = true;
        Ok(rows)
    }

    /// One more response brought nothing new. Whether that is enough, where no order is known to arrive at.
    fn is_quiet(&mut self) -> bool {
        self.quiet += 1;
        self.goal.or_attempts.is_some_and(|attempts| self.quiet >= attempts)
    }

    /// Hands out what continues the walk, and holds back its last instant.
    fn advance(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        self.quiet = 0;
        // The server's bounds only narrow the response; this decides.
        let (position, end) = (self.position, self.slice.end);
        let last = rows.last().map_or(position, |row| row.at);
        rows.retain(|row| position <= row.at && row.at < end);
        self.done = last >= end;
        self.position = last.min(end);
        if !self.done {
            let held = rows.partition_point(|row| row.at < last);
            self.anchor = rows.drain(held..).map(|row| row.id).collect();
        }
        rows
    }

    /// One response cannot get past this second: it is read as a whole.
    fn go_dense(&mut self, rows: Vec<Row>) -> Vec<Row> {
        let until = (timestamp::floor_second(self.position) + TimeDelta::seconds(1)).min(self.slice.end);
        self.dense = Some(DenseSecond::new(self.position, until, self.selection.clone(), rows));
        Vec::new()
    }

    fn missing(&self, what: &str) -> Doubt {
        let (position, goal) = (timestamp::write(self.position), timestamp::write(self.goal.at));
        let text = format!("{what}, although orders from {position} up to {goal} are known to exist");
        Doubt::new(FailureKind::MissingOrder, text)
    }
}

#[cfg(test)]
mod simulated;

#[cfg(test)]
mod tests;
