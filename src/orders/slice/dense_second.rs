//! A second that holds more orders than one page can get past.
//!
//! Walking by key cannot get on when a whole page lies at one instant, or, with a server that compares whole
//! seconds, within one second. Here alone page numbers are used: sorted by `id`, which ties less than time does.
//!
//! Page numbers over a set that changes lose rows, an early empty page looks like the end, and rows with equal keys
//! may change places between two pages. So the second is read from both ends in turn, until a pass
//!
//! * meets no row twice (then its pages have cut the set cleanly),
//! * has no page shorter than another but the last (then none was cut), and
//! * has seen every row that any pass has seen;
//!
//! and so did the pass before it, from the other end.
//!
//! Whether the first page is 0 or 1 is unknown. The first is asked without a number and then 1, 2, …: counted from
//! 0 these are all pages; counted from 1, page 1 is the first again, which is noticed by its first row.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use crate::doubt::Doubt;
use crate::failure::FailureKind;
use crate::orders::api::page::Row;
use crate::orders::api::query::{PAGE_SIZE, Query, Selection, Sort, lower_bound, upper_bound};

/// Sizes of the pages of the first passes, from the low end and from the high end. They differ, so that the two do not cut
/// the set at the same places. Later passes cut it elsewhere again: where two versions of an order have one id, and a page ends
/// between them, each pass may meet one of them twice.
const PAGE_SIZES: [usize; 2] = [PAGE_SIZE, 150];

/// How often the second is read before we give up. Two are enough where nothing moves.
const PASSES: u32 = 20;

/// No page has come yet.
const NO_PAGE: (usize, usize, usize) = (usize::MAX, 0, usize::MAX);

/// The complete reading of `[from, until)`, which lies within one second.
#[derive(Clone, Debug)]
pub(crate) struct DenseSecond {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    selection: Selection,
    /// Counts from 0; even ones start at the low end.
    pass: u32,
    page: u32,
    first_id: Option<u64>,
    seen: HashSet<Key>,
    seen_twice: bool,
    /// Rows of the pages of this pass: the fewest but for the last page, the most, and those of the last.
    lengths: (usize, usize, usize),
    /// The API gives so many rows at a time, and no more; none, where that was not seen.
    cap: Option<usize>,
    /// Whether the pass before this one, from the other end, saw everything known.
    last_whole: bool,
    /// Rows from around the range are kept too: they are proof that a response was given.
    all: BTreeMap<Key, Row>,
}

/// Identifies a row under every reading of how versions are listed; sorted as the rows go out.
type Key = (DateTime<Utc>, u64, u64);

fn key(row: &Row) -> Key {
    (row.at, row.id, row.version)
}

impl DenseSecond {
    /// Some rows are known already, from the response that could not get on: a pass that does not see them is not whole.
    pub(crate) fn new(
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        selection: Selection,
        known: Vec<Row>,
    ) -> Self {
        let mut dense = Self {
            from,
            until,
            selection,
            pass: 0,
            page: 0,
            first_id: None,
            seen: HashSet::new(),
            seen_twice: false,
            lengths: NO_PAGE,
            cap: None,
            last_whole: false,
            all: BTreeMap::new(),
        };
        dense.keep(known);
        dense
    }

    fn keep(&mut self, rows: Vec<Row>) {
        self.all.extend(rows.into_iter().map(|row| (key(&row), row)));
    }

    /// The end of what is being read.
    pub(crate) fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// The next request.
    pub(crate) fn request(&self) -> Query {
        let from_high_end = self.pass % 2 == 1;
        Query {
            min: Some(lower_bound(self.from)),
            max: Some(upper_bound(self.until)),
            sort: if from_high_end { Sort::HighestId } else { Sort::LowestId },
            page: (self.page > 0).then_some(self.page),
            page_size: self.page_size(),
            products: true,
            selection: self.selection.clone(),
        }
    }

    /// Of the pages of this pass.
    fn page_size(&self) -> usize {
        let size = PAGE_SIZES[self.pass as usize % 2];
        if self.pass < 2 {
            return size;
        }
        let size = self.cap.map_or(size, |cap| cap.min(size));
        size - self.pass as usize % (size / 2 + 1)
    }

    /// Takes the response. All rows, sorted, once they are known to be all.
    pub(crate) fn accept(&mut self, rows: Vec<Row>) -> Result<Option<Vec<Row>>, Doubt> {
        self.request().verify(&rows)?;
        if rows.is_empty() {
            return self.end_pass();
        }
        let first_id = rows.first().map(|row| row.id);
        if self.page == 1 && first_id == self.first_id {
            self.seen.clear();
            self.seen_twice = false;
            self.lengths = NO_PAGE;
        }
        let (fewest, most, last) = self.lengths;
        self.lengths = (fewest.min(last), most.max(rows.len()), rows.len());
        if self.page == 0 {
            self.first_id = first_id;
        }
        self.page += 1;
        let seen_before = self.seen.len();
        for row in &rows {
            self.seen_twice |= !self.seen.insert(key(row));
        }
        // A server that ignores the page number, or stops at the last page, would go on for ever.
        let nothing_new = self.seen.len() == seen_before;
        self.keep(rows);
        if nothing_new { self.end_pass() } else { Ok(None) }
    }

    fn end_pass(&mut self) -> Result<Option<Vec<Row>>, Doubt> {
        let (fewest, most, _) = self.lengths;
        let cut = fewest < most;
        if fewest < usize::MAX && most < self.page_size() {
            self.cap = Some(most);
        }
        let whole = !self.seen_twice && !cut && self.all.keys().all(|key| self.seen.contains(key));
        if whole && self.last_whole {
            let rows = std::mem::take(&mut self.all).into_values();
            return Ok(Some(rows.filter(|row| self.from <= row.at && row.at < self.until).collect()));
        }
        self.last_whole = whole;
        self.pass += 1;
        if self.pass >= PASSES {
            let text = format!(
                "the orders drafted from {} on, within one second, are not the same from one reading to the next",
                self.from
            );
            return Err(Doubt::new(FailureKind::Restless, text));
        }
        self.page = 0;
        self.seen.clear();
        self.seen_twice = false;
        self.lengths = NO_PAGE;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::orders::api::testing::row;

    /// Answers like a server whose equal ids come in another order each time; `first_page` as it counts.
    fn answer(query: &Query, rows: &[Row], first_page: u32, rng: &mut fastrand::Rng) -> Vec<Row> {
        let mut rows = rows.to_vec();
        rng.shuffle(&mut rows);
        rows.sort_by_key(|row| row.id);
        if query.sort == Sort::HighestId {
            rows.reverse();
        }
        let page = query.page.unwrap_or(first_page) - first_page;
        rows.into_iter().skip(page as usize * query.page_size).take(query.page_size).collect()
    }

    proptest! {
        #[test]
        fn every_row_is_found_once_whatever_the_server_does_with_ties(
            count in 0_u64..700, versions in 1_u64..4, first_page in 0_u32..2, empties in 0_u32..40, seed: u64,
        ) {
            let rows: Vec<Row> = (0..count).map(|n| Row { version: n % versions, ..row(0, n / versions) }).collect();
            let mut rng = fastrand::Rng::with_seed(seed);
            let known = rows.first().cloned().into_iter().collect();
            let mut dense = DenseSecond::new(row(0, 0).at, row(1, 0).at, Selection::default(), known);
            let mut found = None;
            for _ in 0..1000 {
                let empty = empties > 30 && rng.u32(..40) < 4;
                let rows = if empty { Vec::new() } else { answer(&dense.request(), &rows, first_page, &mut rng) };
                match dense.accept(rows) {
                    Ok(None) => (),
                    Ok(Some(rows)) => { found = Some(rows); break }
                    Err(doubt) => { prop_assert_eq!(doubt.kind, FailureKind::Restless); return Ok(()); }
                }
            }
            let found = found.expect("a bounded number of requests");
            prop_assert_eq!(found.len() as u64, count);
        }
    }

    #[test]
    fn versions_with_one_id_at_the_ends_of_pages_do_not_keep_a_second_from_being_read() {
        // Pages of 20 end between two versions, whichever end a pass begins at.
        let pairs = [20, 40, 60, 130, 150, 170];
        let id = |n: usize| n as u64 - u64::from(pairs.contains(&n));
        let rows: Vec<Row> = (0..190).map(|n| Row { version: n as u64 - id(n), ..row(0, id(n)) }).collect();
        for seed in 0..500 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let known = rows[..1].to_vec();
            let mut dense = DenseSecond::new(row(0, 0).at, row(1, 0).at, Selection::default(), known);
            let found = (0..1_000).find_map(|_| {
                let mut query = dense.request();
                query.page_size = query.page_size.min(20);
                dense.accept(answer(&query, &rows, 0, &mut rng)).expect("it is read")
            });
            assert_eq!(found.map(|rows| rows.len()), Some(190));
        }
    }

    #[test]
    fn pages_that_bring_nothing_new_do_not_go_on_for_ever() {
        let rows: Vec<Row> = (0..200).map(|id| row(0, id)).collect();
        let mut dense = DenseSecond::new(row(0, 0).at, row(1, 0).at, Selection::default(), rows.clone());
        // A server that ignores the page number.
        let doubt = (0..1_000).find_map(|_| dense.accept(rows.clone()).err());
        assert_eq!(doubt.map(|doubt| doubt.kind), Some(FailureKind::Restless));
    }

    #[test]
    fn two_empty_answers_do_not_make_a_second_empty() {
        let outside = vec![row(-1, 1), row(-1, 2)];
        let mut dense = DenseSecond::new(row(0, 0).at, row(1, 0).at, Selection::default(), outside);
        for _ in 0..2 {
            assert_eq!(dense.accept(Vec::new()), Ok(None));
        }
    }

    #[test]
    fn a_set_that_never_holds_still_is_given_up() {
        let mut dense = DenseSecond::new(row(0, 0).at, row(1, 0).at, Selection::default(), Vec::new());
        let mut last = Ok(None);
        for n in 0..200 {
            last = dense.accept(if n % 2 == 0 { vec![row(0, n)] } else { Vec::new() });
            if last.is_err() {
                break;
            }
        }
        assert_eq!(last.unwrap_err().kind, FailureKind::Restless);
    }

    #[test]
    fn a_pass_with_a_short_page_in_its_middle_is_not_whole() {
        let all: Vec<Row> = (0..90).map(|id| row(0, id)).collect();
        let known = all[..1].to_vec();
        let mut dense = DenseSecond::new(row(0, 0).at, row(1, 0).at, Selection::default(), known);
        let turned: Vec<Row> = all.iter().rev().cloned().collect();
        // The API gives 35 at a time; in both passes order 34 is cut off with the end of a page.
        let pages =
            [&all[..34], &all[35..70], &all[70..], &[], &turned[..35], &turned[35..55], &turned[56..], &[]];
        for page in pages {
            assert_eq!(dense.accept(page.to_vec()), Ok(None), "it is read once more");
        }
    }
}
