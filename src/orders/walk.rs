//! The walk by key through one slice: what may be believed, and handed out.
//!
//! Page numbers over a set that changes while it is read lose orders. So each question starts at the last timestamp
//! seen, inclusive, and its answer is believed only if
//!
//! * it brings back every order of that timestamp which the answer before held (the *anchor*): so nothing lies
//!   between the two answers;
//! * it gets on, as long as the goal (orders known to exist at the end) has not been reached: so a short or an empty
//!   answer is never the end;
//! * it is sorted and within the bounds.
//!
//! The orders of the last timestamp of an answer are held back until the next answer shows that it has them all.
//!
//! One answer is a piece of the sorted list without a gap. So whatever was asked to get it, an answer that begins
//! before the position and holds the anchor continues the walk just as well ([`Walk::take_ahead`]): that is how pages
//! are read ahead of it, and how the newest rows, which were asked for first, become its last ones.

use chrono::{DateTime, TimeDelta, Utc};

use super::Doubt;
use super::dense::Dense;
use super::page::Row;
use super::query::{PAGE_SIZE, Query, Selection, Sort, lower_bound, upper_bound};
use super::tail::Goal;
use crate::failure::FailureKind;
use crate::timestamp;

/// A range of cursor values, `[start, end)`: the record's own timestamp decides what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// First instant that belongs to it.
    pub start: DateTime<Utc>,
    /// First instant that does not.
    pub end: DateTime<Utc>,
}

/// How an answer that was asked for ahead stands to the walk.
#[derive(Debug, PartialEq, Eq)]
pub enum Fit {
    /// It continues the walk: these rows go out.
    Joins(Vec<Row>),
    /// It holds nothing that the walk has not seen, or contradicts it: it is of no use.
    Useless,
    /// It begins behind the position: what lies between has to be asked for. Here it is, for later.
    Beyond(Vec<Row>),
}

/// The reading of one slice of one selection.
#[derive(Debug)]
pub struct Walk {
    slice: Slice,
    selection: Selection,
    goal: Goal,
    /// Everything before it has been handed out.
    position: DateTime<Utc>,
    /// The ids seen at the position, that the next answer has to bring back.
    anchor: Vec<u64>,
    dense: Option<Dense>,
    /// How many answers in a row brought nothing new.
    quiet: u32,
    done: bool,
}

impl Walk {
    /// Starts at the slice's start. `goal` are the newest orders before the slice's end, or an order behind it; if there
    /// is none within or behind the slice, the walk is done.
    pub fn new(slice: Slice, selection: Selection, goal: Option<Goal>) -> Self {
        let done = slice.start >= slice.end || goal.as_ref().is_none_or(|goal| goal.at < slice.start);
        let goal =
            goal.unwrap_or(Goal { at: slice.start, ids: Vec::new(), rows: Vec::new(), or_looks: None });
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
    pub fn position(&self) -> DateTime<Utc> {
        if self.done { self.slice.end } else { self.position }
    }

    /// Whether everything has been handed out.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Whether a second is being read that one page cannot get past.
    pub fn is_dense(&self) -> bool {
        self.dense.is_some()
    }

    /// How many orders were seen at the position, which the next answer has to bring back.
    pub fn held(&self) -> usize {
        self.anchor.len()
    }

    /// The slice's end.
    pub fn end(&self) -> DateTime<Utc> {
        self.slice.end
    }

    /// Whether the walk has seen this row.
    pub fn has_seen(&self, row: &Row) -> bool {
        row.at < self.position || (row.at == self.position && self.anchor.contains(&row.id))
    }

    /// Where the rows begin that are known from the goal.
    pub fn tail_start(&self) -> DateTime<Utc> {
        self.goal.rows.first().map_or(self.goal.at, |row| row.at)
    }

    /// The next question; none, once the walk is done.
    pub fn question(&self) -> Option<Query> {
        if self.done {
            return None;
        }
        // A goal behind the slice has to come with the answer.
        let until = self.slice.end.max(self.goal.at + timestamp::MILLISECOND);
        Some(self.dense.as_ref().map_or_else(
            || Self::question_from(self.position, Some(until), &self.selection),
            Dense::question,
        ))
    }

    /// The question for the orders of a selection from `start` on.
    pub fn question_from(start: DateTime<Utc>, end: Option<DateTime<Utc>>, selection: &Selection) -> Query {
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

    /// Takes the answer to [`Self::question`] and hands out rows, sorted by `draftCreatedAt` and with every row of each
    /// of their instants. After a doubt the walk stands where it stood, and the same question is asked again.
    pub fn accept(&mut self, rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
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

    /// Takes an answer that was asked for ahead.
    pub fn take_ahead(&mut self, rows: Vec<Row>) -> Fit {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Fit::Useless };
        if self.done || last.at <= self.position {
            return Fit::Useless;
        }
        // Strictly before: of equal timestamps a page may hold any part.
        if self.dense.is_some() || first.at >= self.position {
            return Fit::Beyond(rows);
        }
        if self.missing_anchor(&rows).is_some() { Fit::Useless } else { Fit::Joins(self.advance(rows)) }
    }

    /// Hands out the rows that are known from the goal, once the walk has arrived among them.
    pub fn finish(&mut self) -> Vec<Row> {
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
        let found = |id: &u64| rows.iter().any(|row| row.at == self.position && row.id == *id);
        self.anchor.iter().find(|id| !found(id)).copied()
    }

    fn accept_by_key(&mut self, mut rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        if let Some(question) = self.question() {
            question.verify(&rows)?;
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
            return Ok(self.advance(rows));
        }
        // Nothing but the order it continued from: the end, if the goal has been reached.
        let arrived = |id: &u64| rows.iter().any(|row| row.id == *id);
        let short =
            position < self.goal.at || (position == self.goal.at && !self.goal.ids.iter().all(arrived));
        if short && !self.is_quiet() {
            return Err(self.missing("the answer brings nothing new"));
        }
        rows.retain(|row| row.at == position);
        self.done = true;
        Ok(rows)
    }

    /// One more answer brought nothing new. Whether that is enough, where no order is known to arrive at.
    fn is_quiet(&mut self) -> bool {
        self.quiet += 1;
        self.goal.or_looks.is_some_and(|looks| self.quiet >= looks)
    }

    /// Hands out what continues the walk, and holds back its last instant.
    fn advance(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        self.quiet = 0;
        // The server's bounds only narrow the answer; this decides.
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

    /// One answer cannot get past this second: it is read as a whole.
    fn go_dense(&mut self, rows: Vec<Row>) -> Vec<Row> {
        let until = (timestamp::floor_second(self.position) + TimeDelta::seconds(1)).min(self.slice.end);
        self.dense = Some(Dense::new(self.position, until, self.selection.clone(), rows));
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
mod tests {
    use super::super::versions::tests::row;
    use super::*;

    fn goal(second: i64, ids: &[u64]) -> Goal {
        Goal { at: row(second, 0).at, ids: ids.to_vec(), rows: Vec::new(), or_looks: None }
    }

    fn walk(start: i64, end: i64, newest: i64) -> Walk {
        let slice = Slice { start: row(start, 0).at, end: row(end, 0).at };
        Walk::new(slice, Selection::default(), Some(goal(newest, &[])))
    }

    #[test]
    fn every_order_of_the_goal_has_to_arrive() {
        let slice = Slice { start: row(0, 0).at, end: row(100, 0).at };
        let mut walk = Walk::new(slice, Selection::default(), Some(goal(7, &[4, 5])));
        walk.accept(vec![row(1, 1), row(7, 4)]).unwrap();
        assert_eq!(walk.accept(vec![row(7, 4)]).unwrap_err().kind, FailureKind::MissingOrder);
        assert!(walk.question().is_some());
    }

    fn ids(rows: &[Row]) -> Vec<u64> {
        rows.iter().map(|row| row.id).collect()
    }

    #[test]
    fn the_last_instant_is_held_back_until_the_next_answer_has_it_whole() {
        let mut walk = walk(0, 100, 7);
        assert_eq!(ids(&walk.accept(vec![row(1, 1), row(5, 2)]).unwrap()), [1]);
        assert_eq!(walk.position(), row(5, 0).at);
        assert_eq!(walk.question().unwrap().min, Some(lower_bound(row(5, 0).at)));
        assert_eq!(ids(&walk.accept(vec![row(5, 2), row(5, 3), row(7, 4)]).unwrap()), [2, 3]);
        assert_eq!(ids(&walk.accept(vec![row(7, 4)]).unwrap()), [4]);
        assert_eq!((walk.question(), walk.position()), (None, row(100, 0).at));
    }

    #[test]
    fn membership_is_decided_by_the_records_own_timestamp() {
        let mut walk = walk(5, 10, 9);
        let rows = vec![row(4, 1), row(5, 2), row(9, 3), row(10, 4), row(11, 5)];
        assert_eq!(ids(&walk.accept(rows).unwrap()), [2, 3]);
        assert!(walk.question().is_none(), "an order at or after the end proves that the slice is complete");
    }

    #[test]
    fn an_answer_without_the_order_it_continues_from_is_doubted_and_changes_nothing() {
        let mut walk = walk(0, 100, 9);
        walk.accept(vec![row(1, 1), row(5, 2)]).unwrap();
        let question = walk.question();
        for rows in [vec![], vec![row(6, 3)], vec![row(5, 7), row(6, 3)], vec![row(5, 2)]] {
            let doubt = walk.accept(rows).unwrap_err();
            assert_eq!(doubt.kind, FailureKind::MissingOrder);
            assert_eq!(walk.question(), question);
        }
    }

    #[test]
    fn an_empty_first_answer_is_doubted_while_an_order_is_known() {
        assert_eq!(walk(0, 100, 9).accept(vec![]).unwrap_err().kind, FailureKind::MissingOrder);
    }

    #[test]
    fn without_an_order_in_the_slice_nothing_is_asked() {
        assert!(walk(10, 100, 9).question().is_none());
        let slice = Slice { start: row(0, 0).at, end: row(9, 0).at };
        assert!(Walk::new(slice, Selection::default(), None).question().is_none());
    }

    #[test]
    fn an_instant_that_one_answer_cannot_get_past_is_read_by_page_numbers() {
        let mut walk = walk(0, 100, 50);
        walk.accept(vec![row(1, 1), row(5, 2)]).unwrap();
        assert!(walk.accept(vec![row(5, 2), row(5, 3)]).unwrap().is_empty());
        assert_eq!(walk.question().unwrap().sort, Sort::LowestId);
        for rows in [vec![row(5, 2), row(5, 3), row(5, 4)], vec![], vec![row(5, 4), row(5, 3), row(5, 2)]] {
            assert!(walk.accept(rows).unwrap().is_empty());
        }
        assert_eq!(ids(&walk.accept(vec![]).unwrap()), [2, 3, 4]);
        assert_eq!(walk.position(), row(6, 0).at);
        assert_eq!(walk.question().unwrap().sort, Sort::OldestFirst);
    }

    #[test]
    fn unsorted_and_foreign_orders_are_doubted() {
        assert_eq!(
            walk(0, 100, 9).accept(vec![row(6, 1), row(5, 2)]).unwrap_err().kind,
            FailureKind::Unsorted
        );
        assert_eq!(walk(10, 100, 50).accept(vec![row(1, 1)]).unwrap_err().kind, FailureKind::OutOfRange);
    }

    #[test]
    fn a_page_asked_for_ahead_joins_only_if_it_begins_before_the_position_and_holds_the_anchor() {
        let start = || {
            let mut walk = walk(0, 100, 50);
            walk.accept(vec![row(1, 1), row(5, 2), row(7, 3)]).unwrap();
            walk
        };
        let rows = vec![row(5, 2), row(7, 3), row(9, 4), row(11, 5)];
        let mut joined = start();
        let Fit::Joins(out) = joined.take_ahead(rows) else { panic!("it overlaps") };
        assert_eq!((ids(&out), joined.position()), (vec![3, 4], row(11, 0).at));
        let touching = vec![row(7, 3), row(9, 4)];
        assert_eq!(
            start().take_ahead(touching.clone()),
            Fit::Beyond(touching),
            "others may share the instant"
        );
        let behind = vec![row(8, 9), row(9, 4)];
        assert_eq!(start().take_ahead(behind.clone()), Fit::Beyond(behind));
        for useless in [vec![], vec![row(1, 1), row(5, 2)], vec![row(5, 2), row(9, 4)]] {
            assert_eq!(start().take_ahead(useless), Fit::Useless);
        }
    }

    #[test]
    fn the_newest_rows_end_the_walk_once_it_has_arrived_among_them() {
        let slice = Slice { start: row(0, 0).at, end: row(100, 0).at };
        let newest = vec![row(5, 2), row(7, 3), row(9, 4)];
        let goal = Goal { rows: newest.clone(), ..goal(9, &[4]) };
        let mut walk = Walk::new(slice, Selection::default(), Some(goal.clone()));
        assert_eq!(walk.finish(), []);
        assert_eq!(ids(&walk.accept(vec![row(1, 1), row(5, 2)]).unwrap()), [1]);
        assert_eq!(walk.finish(), [], "others may share the first one's instant");
        assert_eq!(ids(&walk.accept(vec![row(5, 2), row(5, 8), row(7, 3)]).unwrap()), [2, 8]);
        assert_eq!((ids(&walk.finish()), walk.is_done()), (vec![3, 4], true));
        let mut other = Walk::new(slice, Selection::default(), Some(goal.clone()));
        other.accept(vec![row(1, 1), row(7, 9)]).unwrap();
        assert_eq!(other.finish(), [], "an order that the newest rows do not hold came meanwhile");
        let whole = Slice { start: row(6, 0).at, ..slice };
        let mut walk = Walk::new(whole, Selection::default(), Some(goal));
        assert_eq!((ids(&walk.finish()), walk.is_done()), (vec![3, 4], true), "nothing had to be asked");
    }

    #[test]
    fn a_goal_behind_the_slice_has_to_be_seen() {
        let mut walk = walk(0, 10, 20);
        assert_eq!(walk.accept(vec![]).unwrap_err().kind, FailureKind::MissingOrder);
        assert!(walk.accept(vec![row(1, 1)]).unwrap().is_empty());
        assert_eq!(walk.accept(vec![row(1, 1)]).unwrap_err().kind, FailureKind::MissingOrder);
        assert_eq!(ids(&walk.accept(vec![row(1, 1), row(20, 2)]).unwrap()), [1]);
        assert!(walk.is_done());
    }

    #[test]
    fn where_no_order_is_known_several_looks_are_the_end() {
        let slice = Slice { start: row(0, 0).at, end: row(10, 0).at };
        let goal = || Some(Goal { or_looks: Some(3), ..goal(10, &[]) });
        let mut walk = Walk::new(slice, Selection::default(), goal());
        assert_eq!(ids(&walk.accept(vec![row(1, 1), row(5, 2)]).unwrap()), [1]);
        for answer in [vec![row(5, 2)], vec![], vec![row(5, 2)]] {
            assert_eq!(walk.accept(answer).unwrap_err().kind, FailureKind::MissingOrder);
        }
        assert_eq!((ids(&walk.accept(vec![row(5, 2)]).unwrap()), walk.is_done()), (vec![2], true));
        let mut empty = Walk::new(slice, Selection::default(), goal());
        assert!(empty.accept(vec![]).is_err() && empty.accept(vec![]).is_err());
        assert!(empty.accept(vec![]).unwrap().is_empty() && empty.is_done());
    }
}
