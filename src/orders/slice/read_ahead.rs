//! Which pages to ask for ahead of the walk. Pure.
//!
//! The walk goes by key, so its next request is known only with the last response: one round trip a page. What lies
//! some pages ahead has no key yet, but it has a number. So pages ahead are asked for by page number, counted from an
//! order that is known already, such that each begins a few orders before the end of the one before it.
//!
//! A page number proves nothing here. It says where a response probably begins; whether the response continues the walk is
//! decided by the walk, from the orders in it. A wrong guess (orders came or went, the first page is 1, pages are
//! capped) costs a request and never an order: the walk asks for what lies between by key.
//!
//! How many are under way is not decided here: there is a next one whenever the pacer lets a request start, so
//! their number becomes rate times latency by itself (Little's law).

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use crate::orders::api::page::Row;
use crate::orders::api::query::{PAGE_SIZE, Query};
use crate::timestamp;

/// How many orders of a page are those of the page before it, at first. One would touch, which is not enough: of orders
/// with one timestamp a page may hold any part.
const OVERLAP: i64 = 2;
/// The most it grows to where several orders have one timestamp.
const WIDEST_OVERLAP: i64 = 20;

/// After so many pages in a row with the same number of rows, and fewer than asked for, that is taken for a cap.
const CAPPED: u32 = 3;
/// No API caps its pages below this; what is shorter is only short.
const SMALLEST_CAP: usize = 10;

/// Instants of known rows that are kept: enough that a page counted from one of them can begin anywhere.
const KNOWN: usize = 2 * PAGE_SIZE;

/// How often the number of rows was noted, for estimates: of the latest pages.
const MARKS: usize = 1_000;

/// Orders are expected with so many more than the density says, so that a request more is made rather than a round trip
/// lost at the end.
const MORE: (f64, f64) = (1.1, 300.0);

/// What is known of the sorted list, by the number of rows from the walk's start on.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    start: DateTime<Utc>,
    /// Instants of the last known rows, oldest first.
    known: VecDeque<DateTime<Utc>>,
    /// How many rows are known.
    count: i64,
    /// The number of the row behind the last page that was asked for.
    asked_to: i64,
    overlap: i64,
    /// Rows in a page: what is asked for, or what the server caps it at.
    page_size: usize,
    /// How many rows the last pages had that had fewer than asked for, and how many in a row had as many.
    short: (usize, u32),
    /// The number of the first page: a guess, until a page has shown it.
    first_page: u32,
    first_page_shown: bool,
    marks: VecDeque<(i64, DateTime<Utc>)>,
}

impl ReadAhead {
    /// Nothing is known but where the walk starts.
    pub(crate) fn new(start: DateTime<Utc>) -> Self {
        Self {
            start,
            known: VecDeque::new(),
            count: 0,
            asked_to: 0,
            overlap: OVERLAP,
            page_size: PAGE_SIZE,
            short: (0, 0),
            first_page: 0,
            first_page_shown: false,
            marks: VecDeque::new(),
        }
    }

    /// Notes that the walk asks by key, from `held` rows back on; `alone`, if no other page is under way.
    pub(crate) fn ask_by_key(&mut self, held: usize, alone: bool) {
        let end = self.count - signed(held) + signed(self.page_size);
        self.asked_to = if alone { end } else { self.asked_to.max(end) };
    }

    /// The page behind all that were asked for, made of `request`, and the number of the row it begins with. None, if
    /// it would begin at or behind row `limit`, or cannot be placed.
    pub(crate) fn request(&mut self, request: &Query, limit: Option<i64>) -> Option<(Query, i64)> {
        let begin = self.asked_to - self.overlap;
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
                (0, request.min, pages, begin / pages)
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
        Some((Query { min, page: Some(page), page_size, ..request.clone() }, end - size))
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
    pub(crate) fn took(&mut self, fresh: &[DateTime<Utc>]) {
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
    /// with row number `begin`; the result is by how much that was too high, for it and for those behind it.
    pub(crate) fn joined(&mut self, begin: i64, seen: usize) -> i64 {
        let drift = begin - (self.count - signed(seen));
        self.first_page_shown |= drift.abs() < signed(self.page_size / 2);
        self.asked_to -= drift;
        drift
    }

    /// A page ahead began just where the walk stands, with `held` rows of one timestamp: a wider overlap would have held
    /// one of another timestamp.
    pub(crate) fn touched(&mut self, held: usize) {
        let wider = signed(held) + 1;
        if wider <= WIDEST_OVERLAP {
            self.overlap = self.overlap.max(wider);
        }
    }

    /// A page ahead held only what was known: perhaps pages are counted from 1. Answers by how much the other pages
    /// under way are then to be thought earlier.
    pub(crate) fn came_early(&mut self) -> i64 {
        if self.first_page_shown || self.first_page == 1 {
            return 0;
        }
        self.first_page = 1;
        self.asked_to -= signed(self.page_size);
        signed(self.page_size)
    }

    /// Notes how many rows came with a page: [`CAPPED`] times the same, and fewer than asked for, is a cap.
    pub(crate) fn came(&mut self, rows: usize, asked: usize) {
        self.short = match self.short {
            _ if rows >= asked => (0, 0),
            (same, times) if same == rows => (rows, times + 1),
            _ => (rows, 1),
        };
        if rows > self.page_size || (self.short.1 >= CAPPED && rows >= SMALLEST_CAP) {
            self.page_size = rows;
        }
    }

    /// From now on pages of this size are asked for.
    pub(crate) fn ask_for(&mut self, size: usize) {
        self.page_size = size;
        self.short = (0, 0);
    }

    /// About how many rows there are in all before `end`, from the density of the past that is as long as what is left,
    /// and a day at least: nights and Sundays are empty. None while nothing is known.
    pub(crate) fn estimate(&self, end: DateTime<Utc>) -> Option<i64> {
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
    pub(crate) fn limit(&self, end: DateTime<Utc>) -> Option<i64> {
        let estimate = self.estimate(end)?;
        #[expect(clippy::cast_possible_truncation, reason = "an estimate of a number of orders")]
        Some(self.count + (unsigned(estimate - self.count) * MORE.0 + MORE.1) as i64)
    }

    /// How many rows are known.
    pub(crate) fn count(&self) -> i64 {
        self.count
    }

    /// Where the walk started.
    pub(crate) fn start(&self) -> DateTime<Utc> {
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
pub(crate) fn fresh(rows: &[Row], end: DateTime<Utc>, seen: impl Fn(&Row) -> bool) -> Vec<DateTime<Utc>> {
    rows.iter().filter(|row| row.at < end && !seen(row)).map(|row| row.at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::query::Selection;
    use crate::orders::api::testing::row;
    use crate::orders::slice::keyset::KeysetWalk;

    fn at(second: i64) -> DateTime<Utc> {
        row(second, 0).at
    }

    fn request() -> Query {
        KeysetWalk::request_from(at(0), None, &Selection::default())
    }

    /// Number of the first row, page number, and page size of the next page ahead.
    fn next(ahead: &mut ReadAhead) -> Option<(i64, u32, usize)> {
        let (query, begin) = ahead.request(&request(), None)?;
        Some((begin, query.page?, query.page_size))
    }

    fn took(ahead: &mut ReadAhead, seconds: std::ops::Range<i64>) {
        ahead.took(&seconds.map(at).collect::<Vec<_>>());
    }

    #[test]
    fn before_a_row_is_known_pages_get_smaller_so_that_each_begins_in_the_one_before() {
        let mut ahead = ReadAhead::new(at(0));
        assert_eq!(next(&mut ahead), None, "the first one is asked for by key");
        ahead.ask_by_key(0, true);
        let pages: Vec<_> = (0..5).map(|_| next(&mut ahead).unwrap()).collect();
        assert_eq!(pages, [(198, 1, 198), (394, 2, 197), (588, 3, 196), (780, 4, 195), (970, 5, 194)]);
        let mut end = 200;
        for (begin, _, size) in pages {
            assert!(begin <= end - OVERLAP);
            end = begin + i64::try_from(size).unwrap();
        }
    }

    #[test]
    fn pages_are_whole_once_rows_are_known_and_counted_from_one_of_them() {
        let mut ahead = ReadAhead::new(at(0));
        ahead.ask_by_key(0, true);
        (0..5).for_each(|_| _ = next(&mut ahead));
        took(&mut ahead, 0..200);
        let (query, begin) = ahead.request(&request(), None).unwrap();
        assert_eq!((begin, query.page, query.page_size), (1_162, Some(5), 200));
        assert_eq!(query.min, Some(at(162)), "row 162 and five pages of 200");
    }

    #[test]
    fn it_counts_from_the_start_of_a_second_so_that_the_reading_of_bounds_does_not_matter() {
        let mut ahead = ReadAhead::new(at(0));
        ahead.ask_by_key(0, true);
        next(&mut ahead);
        // Four orders a second.
        let rows: Vec<_> = (0..200).map(|n| at(n / 4) + TimeDelta::milliseconds(200 * (n % 4))).collect();
        ahead.took(&rows);
        let (query, begin) = ahead.request(&request(), None).unwrap();
        assert_eq!(query.min, Some(at(48)), "the second of row 194");
        assert_eq!(begin, 4 * 48 + 200);
    }

    #[test]
    fn a_page_that_began_elsewhere_moves_those_behind_it() {
        let mut ahead = ReadAhead::new(at(0));
        ahead.ask_by_key(0, true);
        next(&mut ahead);
        next(&mut ahead);
        took(&mut ahead, 0..200);
        // It was thought to begin with row 198, and began with row 190: ten rows were known.
        assert_eq!(ahead.joined(198, 10), 8);
        took(&mut ahead, 200..388);
        assert_eq!(next(&mut ahead).unwrap().0, 394 + 197 - 8 - OVERLAP);
    }

    #[test]
    fn pages_that_bring_what_is_known_are_counted_from_one() {
        let mut ahead = ReadAhead::new(at(0));
        ahead.ask_by_key(0, true);
        next(&mut ahead);
        took(&mut ahead, 0..200);
        assert_eq!(ahead.came_early(), 200);
        assert_eq!(ahead.came_early(), 0, "once");
        next(&mut ahead);
        assert_eq!(ahead.first_page, 1);
        ahead.joined(198, 2);
        assert!(ahead.first_page_shown);
    }

    #[test]
    fn three_equal_short_pages_are_a_cap_and_fewer_are_not() {
        let mut ahead = ReadAhead::new(at(0));
        for rows in [120, 120, 200, 120, 130, 120, 120] {
            ahead.came(rows, 200);
            assert_eq!(ahead.page_size, 200);
        }
        ahead.came(120, 200);
        assert_eq!(ahead.page_size, 120);
        ahead.came(120, 120);
        ahead.came(200, 200);
        assert_eq!(ahead.page_size, 200, "a larger page shows that there was none");
        (0..9).for_each(|_| ahead.came(3, 200));
        assert_eq!(ahead.page_size, 200, "nobody caps at three");
    }

    #[test]
    fn orders_of_one_timestamp_at_the_edge_widen_the_overlap_within_reason() {
        let mut ahead = ReadAhead::new(at(0));
        ahead.touched(1);
        ahead.touched(4);
        ahead.touched(150);
        assert_eq!(ahead.overlap, 5);
    }

    #[test]
    fn the_estimate_goes_by_the_past_that_is_as_long_as_what_is_left() {
        let mut ahead = ReadAhead::new(at(0));
        assert_eq!(ahead.estimate(at(10)), None);
        let day = 24 * 3_600;
        // Ten days with one order an hour, then ten with ten.
        for hour in 0..240 {
            ahead.took(&[at(hour * 3_600)]);
        }
        for tenth in 0..2_400 {
            ahead.took(&[at(10 * day + tenth * 360)]);
        }
        let estimate = ahead.estimate(at(21 * day)).unwrap();
        assert!((2_860..2_900).contains(&estimate), "{estimate} for a day more");
        assert!(ahead.limit(at(21 * day)).unwrap() > estimate);
        assert_eq!(ahead.estimate(at(0)), Some(2_640), "nothing is left");
    }

    #[test]
    fn nothing_is_asked_for_beyond_the_limit() {
        let mut ahead = ReadAhead::new(at(0));
        ahead.ask_by_key(0, true);
        assert!(ahead.request(&request(), Some(198)).is_none());
        assert!(ahead.request(&request(), Some(199)).is_some());
    }
}
