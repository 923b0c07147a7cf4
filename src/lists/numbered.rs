//! The place in a list that is asked for by numbers, of rows or of pages.
//!
//! A number names another row as soon as rows come or go before it, or move. So all rows are kept, as digests, with the
//! time of their last change: a row that was not changed keeps its place among the others that were not, whatever the
//! list is sorted by. All of those before it were seen when it was.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::page::Row;
use super::position::{Aim, Changed, PlannedRequest, Position, SMALLEST_CAP};
use super::query::PageRequest;

/// See the module.
#[derive(Debug)]
pub(super) struct Numbered {
    by_page: bool,
    size: usize,
    seen: HashMap<u64, Changed>,
    /// The list's first rows.
    first: Vec<u64>,
    /// The known row that stands last in the list. If it was deleted or changed, none does, and responses that end alike
    /// are the end.
    last: Option<(u64, Changed)>,
    /// The number of the row behind the last one that was taken.
    end: usize,
    /// The highest that it was.
    places: usize,
    /// The number of the first page: a guess, until a page shows it.
    first_page: usize,
    measured: bool,
    /// The number that was set right last.
    settled: usize,
}

/// What is kept of an id.
pub(super) fn digest(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

impl Numbered {
    /// Nothing is known yet.
    pub(super) fn new(by_page: bool, size: usize) -> Self {
        let seen = HashMap::new();
        Self {
            by_page,
            size,
            seen,
            first: Vec::new(),
            last: None,
            end: 0,
            places: 0,
            first_page: 0,
            measured: false,
            settled: 0,
        }
    }

    /// A page back, then twice as far each time.
    fn back(&self, step: u32, longest: usize) -> usize {
        self.end.saturating_sub(longest.max(1).saturating_mul(1 << (step - 1).min(20)))
    }

    /// From which row on to ask.
    fn offset(&self, aim: Aim, longest: usize) -> usize {
        match aim {
            Aim::Start => 0,
            Aim::Advance => self.end.saturating_sub(1),
            Aim::Prove | Aim::ProveAgain if longest < SMALLEST_CAP && self.end < SMALLEST_CAP => 0,
            // Behind more known rows, an API that gives fewer rows at a time than before would show no new one.
            Aim::Prove => self.end.saturating_sub(SMALLEST_CAP - 1),
            Aim::ProveAgain => self.end.saturating_sub(1),
            Aim::Back(step) => self.back(step, longest),
            Aim::Join => unreachable!("parts of rows reach over the last one"),
        }
    }

    /// The page to ask for, and its size. Pages touch each other, so known rows come back only with a size that does
    /// not divide their number; and a size beyond what the API gives at a time would shift all pages. Where no size is
    /// left, the next page is asked for, which only touches what is known: no page reaches over a multiple of all sizes,
    /// which is 840 where the API gives 8 rows at a time, 2520 for 10 and 27720 for 12.
    fn page(&self, aim: Aim, longest: usize) -> (usize, usize) {
        let largest = longest.min(self.size);
        let sizes = (2..=largest).filter(|size| !self.end.is_multiple_of(*size));
        let size = match aim {
            Aim::Start => None,
            Aim::Advance => sizes.max_by_key(|size| size - self.end % size),
            Aim::Prove => sizes.max_by_key(|size| self.end % size),
            Aim::ProveAgain => {
                let mut sizes: Vec<usize> = sizes.collect();
                sizes.sort_by_key(|size| std::cmp::Reverse(self.end % size));
                sizes.get(1).or(sizes.first()).copied()
            }
            Aim::Back(step) => return (self.back(step, longest) / largest.max(1), largest.max(1)),
            Aim::Join => return (self.end / largest - 1, largest),
        };
        match size {
            Some(size) => (self.end / size, size),
            None if largest < SMALLEST_CAP || aim == Aim::Start => (0, self.size),
            None => (self.end / largest, largest),
        }
    }
}

impl Position for Numbered {
    fn request(&self, aim: Aim, longest: usize) -> PlannedRequest {
        if !self.by_page {
            let begin = self.offset(aim, longest);
            return PlannedRequest {
                part: PageRequest::Offset { offset: begin, count: aim.count(self.size) },
                begin,
            };
        }
        match self.page(aim, longest) {
            (0, _) => PlannedRequest {
                part: PageRequest::Page { page: None, size: aim.count(self.size) },
                begin: 0,
            },
            (page, size) => {
                let begin = page * size;
                PlannedRequest { part: PageRequest::Page { page: Some(page + self.first_page), size }, begin }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    fn resume(&self) -> Option<&str> {
        None
    }

    fn places(&self) -> usize {
        self.places
    }

    fn end(&self) -> usize {
        self.end
    }

    fn knows(&self, id: &str) -> bool {
        self.seen.contains_key(&digest(id))
    }

    fn continues(&self, rows: &[Row]) -> bool {
        rows.iter().any(|row| self.seen.get(&digest(&row.id)) == Some(&row.updated))
    }

    fn is_last(&self, row: &Row) -> bool {
        self.last == Some((digest(&row.id), row.updated))
    }

    fn take(&mut self, asked: &PlannedRequest, mut rows: Vec<Row>) -> Vec<Row> {
        if asked.begin == 0 {
            self.first = rows.iter().map(|row| digest(&row.id)).collect();
            self.first_page = 0;
        }
        // A response of an earlier part moves nothing, though a new row may stand at its end.
        if self.last.is_none() || rows.iter().any(|row| self.is_last(row)) {
            self.last = rows.last().map(|row| (digest(&row.id), row.updated));
        }
        self.end = asked.begin + rows.len();
        self.places = self.places.max(self.end);
        rows.retain(|row| self.seen.insert(digest(&row.id), row.updated).is_none());
        rows
    }

    fn shifts(&self) -> bool {
        true
    }

    /// Once at each number: where rows have changed places, one was seen twice and another one never, so that the known rows
    /// account for no number behind.
    fn settles(&mut self) -> bool {
        let off = self.end > self.seen.len() && self.settled != self.end;
        if off {
            self.settled = self.end;
            self.end = self.seen.len();
        }
        off
    }

    /// Counted from 1, page 1 is the first one again, though a row or two of it may have moved since.
    fn recounts(&mut self, asked: &PlannedRequest, rows: &[Row]) -> bool {
        if self.first_page > 0 || !matches!(asked.part, PageRequest::Page { page: Some(1), .. }) {
            return false;
        }
        let first = &self.first[..rows.len().min(self.first.len())];
        let again = rows.iter().filter(|row| first.contains(&digest(&row.id))).count();
        let counted_from_one = 2 * again > rows.len();
        self.first_page = usize::from(counted_from_one);
        counted_from_one
    }

    fn begins_anew(&mut self) -> bool {
        false
    }

    fn ask_for(&mut self, size: usize) {
        self.size = size;
    }

    fn measures(&mut self, longest: usize) -> bool {
        let measures = self.by_page && longest < self.size && !self.measured;
        self.measured |= measures;
        measures
    }
}
