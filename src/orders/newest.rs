//! The newest order before an instant: the witness of a walk.
//!
//! An answer without orders proves nothing: a gateway that hiccups gives the same. An order does. When the newest
//! one is known, a walk knows where it has to arrive.

use chrono::{DateTime, Utc};

use super::Doubt;
use super::page::Row;
use super::query::{PAGE_SIZE, Query, Selection, Sort, upper_bound};
use crate::failure::FailureKind;

/// How often an answer without any order is asked again before we believe that there is none. Needed only where
/// nothing was ever sold before the instant asked for; everywhere else an order is found.
const EMPTY_LOOKS: u32 = 5;

/// How many orders the first question asks for; one would do, a few show whether the answer is sorted.
const FEW: usize = 10;

/// Most pages of later orders that are turned: all of them lie within two seconds after the end.
const MOST_PAGES: u32 = 100;

/// The newest orders before an end: a walk has to arrive at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// When they were drafted.
    pub at: DateTime<Utc>,
    /// Those of them that were seen.
    pub ids: Vec<u64>,
}

impl Witness {
    fn among(rows: &[Row], end: DateTime<Utc>) -> Option<Self> {
        let at = rows.iter().find(|row| row.at < end)?.at;
        Some(Self { at, ids: rows.iter().filter(|row| row.at == at).map(|row| row.id).collect() })
    }
}

/// The search for the newest order before `end`.
#[derive(Debug)]
pub struct Search {
    end: DateTime<Utc>,
    selection: Selection,
    /// How many pages of later orders only have come: the first one small.
    pages: u32,
    empty: u32,
    found: Option<Option<Witness>>,
}

impl Search {
    /// Nothing is known yet.
    pub fn new(end: DateTime<Utc>, selection: Selection) -> Self {
        Self { end, selection, pages: 0, empty: 0, found: None }
    }

    /// The question without an upper bound: with its answer comes the server's clock, from which the bound is made.
    pub fn first_question(selection: Selection) -> Query {
        Query {
            min: None,
            max: None,
            sort: Sort::NewestFirst,
            page: None,
            page_size: FEW,
            products: false,
            selection,
        }
    }

    /// The next question.
    pub fn question(&self) -> Query {
        // A few orders are enough, unless many were drafted within the second after the end. Then larger pages are
        // turned, from the first one on.
        let page_size = if self.pages == 0 { FEW } else { PAGE_SIZE };
        let page = (self.pages > 1).then(|| self.pages - 1);
        let max = Some(upper_bound(self.end));
        Query { max, page, page_size, ..Self::first_question(self.selection.clone()) }
    }

    /// Takes the answer to [`Self::question`].
    pub fn accept(&mut self, rows: &[Row]) -> Result<(), Doubt> {
        self.question().verify(rows)?;
        if let Some(witness) = Witness::among(rows, self.end) {
            self.found = Some(Some(witness));
        } else if rows.is_empty() {
            self.empty += 1;
            if self.empty < EMPTY_LOOKS {
                return Err(Doubt::new(FailureKind::MissingOrder, "the list shows no order at all"));
            }
            self.found = Some(None);
        } else {
            self.pages += 1;
            if self.pages > MOST_PAGES {
                return Err(Doubt::new(FailureKind::Restless, "the pages of the newest orders have no end"));
            }
        }
        Ok(())
    }

    /// Takes the answer to [`Self::first_question`]: it may hold the order already.
    pub fn accept_first(&mut self, rows: &[Row]) -> Result<(), Doubt> {
        Self::first_question(self.selection.clone()).verify(rows)?;
        self.found = Witness::among(rows, self.end).map(Some);
        Ok(())
    }

    /// Once known: the newest orders before the end; the inner none says that there is no order.
    pub fn found(&self) -> Option<Option<&Witness>> {
        self.found.as_ref().map(Option::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::super::versions::tests::row;
    use super::*;

    fn search(end: i64) -> Search {
        Search::new(row(end, 0).at, Selection::default())
    }

    #[test]
    fn the_first_order_before_the_end_is_it() {
        let mut search = search(10);
        search.accept(&[row(10, 5), row(9, 4), row(3, 3)]).unwrap();
        assert_eq!(search.found(), Some(Some(&Witness { at: row(9, 0).at, ids: vec![4] })));
    }

    #[test]
    fn a_page_of_later_orders_only_is_asked_again_larger_and_then_turned() {
        let mut search = search(10);
        search.accept(&[row(11, 6), row(10, 5)]).unwrap();
        assert_eq!(
            (search.found(), search.question().page, search.question().page_size),
            (None, None, PAGE_SIZE)
        );
        search.accept(&[row(11, 6), row(10, 5)]).unwrap();
        assert_eq!((search.found(), search.question().page), (None, Some(1)));
        search.accept(&[row(10, 5), row(8, 1), row(8, 2), row(7, 3)]).unwrap();
        assert_eq!(search.found(), Some(Some(&Witness { at: row(8, 0).at, ids: vec![1, 2] })));
    }

    #[test]
    fn pages_without_end_are_given_up() {
        let mut search = search(10);
        assert!((0..2 * MOST_PAGES).any(|_| search.accept(&[row(11, 6)]).is_err()));
    }

    #[test]
    fn no_order_is_believed_only_after_several_looks() {
        let mut search = search(10);
        for _ in 1..EMPTY_LOOKS {
            assert_eq!(search.accept(&[]).unwrap_err().kind, FailureKind::MissingOrder);
            assert_eq!(search.found(), None);
        }
        search.accept(&[]).unwrap();
        assert_eq!(search.found(), Some(None));
    }

    #[test]
    fn an_answer_in_another_order_or_range_is_doubted() {
        assert!(search(10).accept(&[row(3, 1), row(9, 2)]).is_err());
        assert!(search(10).accept(&[row(60, 1)]).is_err());
        assert!(search(10).accept_first(&[row(60, 1)]).is_ok());
    }
}
