//! The newest orders before an instant: where a walk has to arrive.
//!
//! A response without orders proves nothing: a gateway that hiccups gives the same. An order does. When the newest
//! ones are known, a walk knows where it has to arrive; and when it has arrived among them, they are its last rows.

use chrono::{DateTime, Utc};

use crate::doubt::Doubt;
use crate::failure::FailureKind;
use crate::orders::api::page::Row;
use crate::orders::api::query::{PAGE_SIZE, Query, Selection, Sort, upper_bound};

/// How often a request is repeated whose response holds no order, before we believe that there is none. Needed only where
/// nothing was ever sold before the instant asked for; everywhere else an order is found.
const EMPTY_LOOKS: u32 = 5;

/// How many orders are asked for in all selections together, at first: what comes is kept until the walks arrive there.
const KEPT: usize = 2 * PAGE_SIZE;
/// The fewest that are asked for of one selection.
const FEW: usize = 10;

/// Most pages of later orders that are turned: all of them lie within two seconds after the end.
const MOST_PAGES: u32 = 100;

/// Orders that are known to exist: a walk has to arrive at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// When they were drafted.
    pub at: DateTime<Utc>,
    /// Those drafted then that were seen.
    pub ids: Vec<u64>,
    /// The newest rows before the end, oldest first: every order between the first of them and the end is among them.
    /// Empty where that is not known.
    pub rows: Vec<Row>,
    /// Where no order is known: after so many responses in a row that bring nothing new, there is none.
    pub or_attempts: Option<u32>,
}

impl Target {
    /// Among `rows`, which are sorted newest first. They are `whole` if nothing lies between them and the end.
    fn among(rows: &[Row], end: DateTime<Utc>, whole: bool) -> Option<Self> {
        let first = rows.iter().position(|row| row.at < end)?;
        let whole = whole || first > 0;
        let rows = &rows[first..];
        let at = rows[0].at;
        let ids = rows.iter().filter(|row| row.at == at).map(|row| row.id).collect();
        let rows = if whole { rows.iter().rev().cloned().collect() } else { Vec::new() };
        Some(Self { at, ids, rows, or_attempts: None })
    }
}

/// What is known of the newest orders before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Newest {
    /// They are still searched for.
    Unknown,
    /// There is no order before the end.
    NoOrder,
    /// There they are.
    At(Target),
}

impl Newest {
    /// The orders, if there are any and they are known.
    pub(crate) fn target(&self) -> Option<&Target> {
        match self {
            Newest::At(target) => Some(target),
            Newest::Unknown | Newest::NoOrder => None,
        }
    }
}

/// The search for the newest orders before `end`.
#[derive(Debug)]
pub(crate) struct NewestSearch {
    end: DateTime<Utc>,
    first: Query,
    /// The most orders that a page is asked for.
    most: usize,
    /// How many pages of later orders only have come.
    pages: u32,
    empty: u32,
    found: Newest,
}

impl NewestSearch {
    /// Nothing is known yet. `first` is the first request.
    pub(crate) fn new(end: DateTime<Utc>, first: Query) -> Self {
        Self { end, first, most: PAGE_SIZE, pages: 0, empty: 0, found: Newest::Unknown }
    }

    /// The request without an upper bound, for one of so many selections: with its response comes the server's clock, from
    /// which the bound is made.
    pub(crate) fn first_request(selection: Selection, selections: usize) -> Query {
        Query {
            min: None,
            max: None,
            sort: Sort::NewestFirst,
            page: None,
            page_size: (KEPT / selections.max(1)).clamp(FEW, PAGE_SIZE),
            products: true,
            selection,
        }
    }

    /// The next request.
    pub(crate) fn request(&self) -> Query {
        // One page is enough, unless many orders were drafted within the second after the end. Then larger pages are
        // turned, from the first one on.
        let page_size = if self.pages == 0 { self.first.page_size.min(self.most) } else { self.most };
        let page = (self.pages > 1).then(|| self.pages - 1);
        let max = Some(upper_bound(self.end));
        Query { max, page, page_size, ..self.first.clone() }
    }

    /// Takes the response to [`Self::request`].
    pub(crate) fn accept(&mut self, rows: &[Row]) -> Result<(), Doubt> {
        self.request().verify(rows)?;
        if let Some(goal) = Target::among(rows, self.end, self.pages <= 1) {
            self.found = Newest::At(goal);
        } else if rows.is_empty() {
            self.empty += 1;
            if self.empty < EMPTY_LOOKS {
                return Err(Doubt::new(FailureKind::MissingOrder, "the list shows no order at all"));
            }
            self.found = Newest::NoOrder;
        } else {
            return self.turn_page();
        }
        Ok(())
    }

    /// The response to [`Self::request`] is too large to be read. Whether smaller pages help.
    pub(crate) fn halve(&mut self) -> bool {
        let size = self.request().page_size;
        // The numbers of pages depend on their size.
        self.pages = 0;
        self.most = (size / 2).max(1);
        size > 1
    }

    /// The response to [`Self::request`] held no order before the end, but other items: the next page has to show them.
    pub(crate) fn turn_page(&mut self) -> Result<(), Doubt> {
        self.pages += 1;
        if self.pages > MOST_PAGES {
            return Err(Doubt::new(FailureKind::Restless, "the pages of the newest orders have no end"));
        }
        Ok(())
    }

    /// Takes the response to [`Self::first_request`]: it may hold the orders already.
    pub(crate) fn accept_first(&mut self, rows: &[Row]) -> Result<(), Doubt> {
        self.first.verify(rows)?;
        if let Some(target) = Target::among(rows, self.end, true) {
            self.found = Newest::At(target);
        }
        Ok(())
    }

    /// The newest orders before the end.
    pub(crate) fn found(&self) -> &Newest {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::testing::row;

    fn search(end: i64) -> NewestSearch {
        NewestSearch::new(row(end, 0).at, NewestSearch::first_request(Selection::default(), 1))
    }

    #[test]
    fn the_rows_before_the_end_are_it_oldest_first() {
        let mut search = search(10);
        search.accept(&[row(10, 5), row(9, 4), row(3, 3)]).unwrap();
        let goal = search.found().target().unwrap();
        assert_eq!((goal.at, &goal.ids), (row(9, 0).at, &vec![4]));
        assert_eq!(goal.rows, [row(3, 3), row(9, 4)]);
    }

    #[test]
    fn pages_of_later_orders_only_are_turned() {
        let mut search = search(10);
        search.accept(&[row(11, 6), row(10, 5)]).unwrap();
        assert_eq!((search.found(), search.request().page), (&Newest::Unknown, None));
        search.accept(&[row(11, 6), row(10, 5)]).unwrap();
        assert_eq!((search.found(), search.request().page), (&Newest::Unknown, Some(1)));
        search.accept(&[row(10, 5), row(8, 1), row(8, 2), row(7, 3)]).unwrap();
        let goal = search.found().target().unwrap();
        assert_eq!((goal.at, &goal.ids, goal.rows.len()), (row(8, 0).at, &vec![1, 2], 3));
    }

    #[test]
    fn a_turned_page_that_begins_before_the_end_shows_where_to_arrive_and_no_more() {
        let mut search = search(10);
        search.accept(&[row(11, 6), row(10, 5)]).unwrap();
        search.accept(&[row(11, 6), row(10, 5)]).unwrap();
        search.accept(&[row(8, 2), row(7, 3)]).unwrap();
        let goal = search.found().target().unwrap();
        assert_eq!((goal.at, goal.rows.len()), (row(8, 0).at, 0), "an order may lie between the two pages");
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
            assert_eq!(search.found(), &Newest::Unknown);
        }
        search.accept(&[]).unwrap();
        assert_eq!(search.found(), &Newest::NoOrder);
    }

    #[test]
    fn an_answer_in_another_order_or_range_is_doubted() {
        assert!(search(10).accept(&[row(3, 1), row(9, 2)]).is_err());
        assert!(search(10).accept(&[row(60, 1)]).is_err());
        assert!(search(10).accept_first(&[row(60, 1)]).is_ok());
    }

    #[test]
    fn with_many_selections_few_orders_are_kept_of_each() {
        let size = |selections| NewestSearch::first_request(Selection::default(), selections).page_size;
        assert_eq!([1, 2, 3, 8, 500].map(size), [200, 200, 133, 50, 10]);
    }
}
