//! Which pages to ask for ahead of the walk. Pure.
//!
//! The walk goes by key, so its next question is known only with the last answer: one round trip a page. What lies
//! some pages ahead has no key yet, but it has a number. So pages ahead are asked for by page number, counted from an
//! order that is known already, such that each begins [`OVERLAP`] orders before the end of the one before it.
//!
//! A page number proves nothing here. It says where an answer probably begins; whether the answer continues the walk is
//! decided by the walk, from the orders in it. A wrong guess (orders came or went, the first page is 1, pages are
//! capped) costs a request and never an order: the walk asks for what lies between by key.
//!
//! How many are under way is not decided here: a question is asked for whenever the pacer lets a request start, so
//! their number becomes rate times latency by itself (Little's law).

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::page::Row;
use super::query::{PAGE_SIZE, Query};
use crate::timestamp;

/// How many orders of a page are those of the page before it. One would touch; the second one makes the overlap hold
/// if the two have the same timestamp as their neighbours or one order has left.
const OVERLAP: i64 = 2;

/// Instants of known rows that are kept: enough that a page counted from one of them can begin anywhere.
const KNOWN: usize = 2 * PAGE_SIZE;

/// How often the number of rows was noted, for estimates: of the latest pages.
const MARKS: usize = 1_000;

/// Orders are expected with so many more than the density says, so that a request more is made rather than a round trip
/// lost at the end.
const MORE: (f64, f64) = (1.1, 300.0);

/// What is known of the sorted list, by the number of rows from the walk's start on.
#[derive(Debug)]
pub(super) struct ReadAhead {
    start: DateTime<Utc>,
    /// Instants of the last known rows, oldest first.
    known: VecDeque<DateTime<Utc>>,
    /// How many rows are known.
    count: i64,
    /// The number of the row behind the last page that was asked for.
    asked_to: i64,
    /// Rows in a page: what is asked for, or what the server caps it at.
    page_size: usize,
    /// How many rows the last page had, if fewer than asked for.
    last_short: usize,
    /// The number of the first page: a guess, until a page has shown it.
    first_page: u32,
    first_page_shown: bool,
    marks: VecDeque<(i64, DateTime<Utc>)>,
}

impl ReadAhead {
    /// Nothing is known but where the walk starts.
    pub(super) fn new(start: DateTime<Utc>) -> Self {
        Self {
            start,
            known: VecDeque::new(),
            count: 0,
            asked_to: 0,
            page_size: PAGE_SIZE,
            last_short: 0,
            first_page: 0,
            first_page_shown: false,
            marks: VecDeque::new(),
        }
    }

    /// Notes that the walk asks by key, from `held` rows back on; `alone`, if no other page is under way.
    pub(super) fn ask_by_key(&mut self, held: usize, alone: bool) {
        let end = self.count - signed(held) + signed(self.page_size);
        self.asked_to = if alone { end } else { self.asked_to.max(end) };
    }

    /// The page behind all that were asked for, made of `question`, and the number of the row it begins with. None, if
    /// it would begin at or behind row `limit`, or cannot be placed.
    pub(super) fn question(&mut self, question: &Query, limit: Option<i64>) -> Option<(Query, i64)> {
        let begin = self.asked_to - OVERLAP;
        if begin <= 0 || limit.is_some_and(|limit| begin >= limit) {
            return None;
        }
        let size = signed(self.page_size);
        // The fewest pages from a known row on. If there is none yet, from the start on, with pages that are a little
        // smaller.
        let pages = ((begin - (self.count - 1)).max(1) + size - 1) / size;
        let (from, min, pages, size) = match self.anchor(begin - pages * size) {
            Some((from, at)) => (from, Some(at), pages, size),
            None if self.count <= size => {
                let pages = (begin + size - 1) / size;
                (0, question.min, pages, begin / pages)
            }
            None => return None,
        };
        let end = from + (pages + 1) * size;
        if end <= self.asked_to {
            return None;
        }
        self.asked_to = end;
        let page = u32::try_from(pages).ok()? + self.first_page;
        let page_size = usize::try_from(size).ok()?;
        Some((Query { min, page: Some(page), page_size, ..question.clone() }, end - size))
    }

    /// The known row at or before number `wanted` that is the first of its second, and where to ask from: under each
    /// reading of the bounds, the list then begins with it.
    fn anchor(&self, wanted: i64) -> Option<(i64, DateTime<Utc>)> {
        let first = self.count - signed(self.known.len());
        let place = usize::try_from(wanted - first).ok()?;
        let second = timestamp::floor_second(*self.known.get(place)?);
        let place = self.known.partition_point(|at| *at < second);
        (place > 0).then(|| (first + signed(place), second))
    }

    /// Notes the instants of the rows that the walk took and had not seen.
    pub(super) fn took(&mut self, fresh: &[DateTime<Utc>]) {
        if let (true, Some(first)) = (self.marks.is_empty(), fresh.first()) {
            self.marks.push_back((self.count, *first));
        }
        self.count += signed(fresh.len());
        self.known.extend(fresh);
        let surplus = self.known.len().saturating_sub(KNOWN);
        self.known.drain(..surplus);
        if let Some(at) = fresh.last() {
            self.marks.push_back((self.count, *at));
            if self.marks.len() > MARKS {
                self.marks.pop_front();
            }
        }
    }

    /// A page ahead joined the walk, with `seen` rows that the walk had, before [`Self::took`]. It was thought to begin
    /// with row number `begin`; the answer is by how much that was too high, for it and for those behind it.
    pub(super) fn joined(&mut self, begin: i64, seen: usize) -> i64 {
        let drift = begin - (self.count - signed(seen));
        self.first_page_shown |= drift.abs() < signed(self.page_size / 2);
        self.asked_to -= drift;
        drift
    }

    /// A page ahead held only what was known: perhaps pages are counted from 1. Answers by how much the other pages
    /// under way are then to be thought earlier.
    pub(super) fn came_early(&mut self) -> i64 {
        if self.first_page_shown || self.first_page == 1 {
            return 0;
        }
        self.first_page = 1;
        self.asked_to -= signed(self.page_size);
        signed(self.page_size)
    }

    /// Notes how many rows came with a page: twice the same, and fewer than asked for, is a cap.
    pub(super) fn came(&mut self, rows: usize, asked: usize) {
        let short = rows < asked;
        if rows > self.page_size || (short && rows > 1 && rows == self.last_short) {
            self.page_size = rows;
        }
        self.last_short = if short { rows } else { 0 };
    }

    /// About how many rows there are in all before `end`, from the density of the past that is as long as what is left,
    /// and a day at least: nights and Sundays are empty. None while nothing is known.
    pub(super) fn estimate(&self, end: DateTime<Utc>) -> Option<i64> {
        let (count, at) = *self.marks.back().filter(|(count, _)| *count > 0)?;
        let left = (end - at).max(TimeDelta::zero());
        let past = left.max(TimeDelta::days(1));
        let place = self.marks.partition_point(|(_, mark)| *mark < at - past);
        let (before, from) = self.marks[place.saturating_sub(1).min(self.marks.len() - 1)];
        let seconds = (at - from).as_seconds_f64();
        let density = if seconds > 0.0 { unsigned(count - before) / seconds } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "an estimate of a number of orders")]
        Some(count + (density * left.as_seconds_f64()) as i64)
    }

    /// Before which row a page is worth asking for, when the rows from `end` on are known already.
    pub(super) fn limit(&self, end: DateTime<Utc>) -> Option<i64> {
        let estimate = self.estimate(end)?;
        #[expect(clippy::cast_possible_truncation, reason = "an estimate of a number of orders")]
        Some(self.count + (unsigned(estimate - self.count) * MORE.0 + MORE.1) as i64)
    }

    /// How many rows are known.
    pub(super) fn count(&self) -> i64 {
        self.count
    }

    /// Where the walk started.
    pub(super) fn start(&self) -> DateTime<Utc> {
        self.start
    }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate of a number of orders")]
fn unsigned(number: i64) -> f64 {
    number.max(0) as f64
}

/// The instants of the rows that `seen` does not know, and that lie before `end`.
pub(super) fn fresh(rows: &[Row], end: DateTime<Utc>, seen: impl Fn(&Row) -> bool) -> Vec<DateTime<Utc>> {
    rows.iter().filter(|row| row.at < end && !seen(row)).map(|row| row.at).collect()
}
