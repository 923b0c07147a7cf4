//! The walk by key through one slice.
//!
//! Page numbers over a set that changes while it is read lose orders. So each question starts at the last timestamp
//! seen, inclusive, and its answer is believed only if
//!
//! * it brings back every order of that timestamp which the answer before held (the *anchor*): so nothing lies
//!   between the two answers;
//! * it gets on, as long as the witness (the newest order before the end) has not been reached: so a short or an empty
//!   answer is never the end;
//! * it is sorted and within the bounds.
//!
//! The orders of the last timestamp of an answer are held back until the next answer shows that it has them all.

use chrono::{DateTime, TimeDelta, Utc};

use super::Doubt;
use super::dense::Dense;
use super::newest::Witness;
use super::page::Row;
use super::query::{PAGE_SIZE, Query, Selection, Sort, lower_bound, upper_bound};
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

/// The reading of one slice of one selection.
#[derive(Debug)]
pub struct Walk {
    slice: Slice,
    selection: Selection,
    witness: Witness,
    /// Everything before it has been handed out.
    position: DateTime<Utc>,
    /// The ids seen at the position, that the next answer has to bring back.
    anchor: Vec<u64>,
    dense: Option<Dense>,
    done: bool,
}

impl Walk {
    /// Starts at the slice's start. `witness` are the newest orders before the slice's end; if there is none within the
    /// slice, the walk is done.
    pub fn new(slice: Slice, selection: Selection, witness: Option<Witness>) -> Self {
        let done = witness.as_ref().is_none_or(|witness| witness.at < slice.start);
        let witness = witness.unwrap_or(Witness { at: slice.start, ids: Vec::new() });
        Self { slice, selection, witness, position: slice.start, anchor: Vec::new(), dense: None, done }
    }

    /// Everything of the slice before this has been handed out; the slice's end, once the walk is done.
    pub fn position(&self) -> DateTime<Utc> {
        if self.done { self.slice.end } else { self.position }
    }

    /// The next question; none, once the walk is done.
    pub fn question(&self) -> Option<Query> {
        if self.done {
            return None;
        }
        Some(self.dense.as_ref().map_or_else(
            || Query {
                min: Some(lower_bound(self.position)),
                max: Some(upper_bound(self.slice.end)),
                sort: Sort::OldestFirst,
                page: None,
                page_size: PAGE_SIZE,
                products: true,
                selection: self.selection.clone(),
            },
            Dense::question,
        ))
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
                self.done = until > self.witness.at;
                Ok(rows)
            }
            None => self.accept_by_key(rows),
        }
    }

    fn accept_by_key(&mut self, mut rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        if let Some(question) = self.question() {
            question.verify(&rows)?;
        }
        let Some(last) = rows.last().map(|row| row.at) else {
            return Err(self.missing("the answer is empty"));
        };
        if last <= self.position && rows.len() > 1 {
            return Ok(self.go_dense(rows));
        }
        let position = self.position;
        let found = |id: &u64| rows.iter().any(|row| row.at == position && row.id == *id);
        if let Some(id) = self.anchor.iter().find(|id| !found(id)) {
            return Err(self.missing(&format!("order {id}, which it continues from, is not in the answer")));
        }
        // The server's bounds only narrow the answer; this decides.
        let end = self.slice.end;
        let beyond = last >= end;
        let last_to_hand_out = if beyond { end } else { last };
        rows.retain(|row| position <= row.at && row.at < end);
        if last > position || self.anchor.is_empty() {
            let held: Vec<Row> = rows.extract_if(.., |row| row.at >= last_to_hand_out).collect();
            if !beyond && held.is_empty() {
                // All of it lies before the position: bounds that are cut to seconds, and nothing new.
                return Err(self.missing("the answer brings nothing new"));
            }
            self.anchor = held.iter().map(|row| row.id).collect();
            self.position = last_to_hand_out;
            self.done = beyond;
            return Ok(rows);
        }
        // Nothing but the order it continued from: the end, if the witness has been reached.
        let arrived = |id: &u64| rows.iter().any(|row| row.id == *id);
        if position < self.witness.at
            || (position == self.witness.at && !self.witness.ids.iter().all(arrived))
        {
            return Err(self.missing("the answer brings nothing new"));
        }
        self.done = true;
        Ok(rows)
    }

    /// One answer cannot get past this second: it is read as a whole.
    fn go_dense(&mut self, rows: Vec<Row>) -> Vec<Row> {
        let until = (timestamp::floor_second(self.position) + TimeDelta::seconds(1)).min(self.slice.end);
        self.dense = Some(Dense::new(self.position, until, self.selection.clone(), rows));
        Vec::new()
    }

    fn missing(&self, what: &str) -> Doubt {
        let (position, witness) = (timestamp::write(self.position), timestamp::write(self.witness.at));
        let text = format!("{what}, although orders from {position} up to {witness} are known to exist");
        Doubt::new(FailureKind::MissingOrder, text)
    }
}

#[cfg(test)]
mod simulated;

#[cfg(test)]
mod tests {
    use super::super::versions::tests::row;
    use super::*;

    fn walk(start: i64, end: i64, witness: i64) -> Walk {
        let slice = Slice { start: row(start, 0).at, end: row(end, 0).at };
        Walk::new(slice, Selection::default(), Some(Witness { at: row(witness, 0).at, ids: Vec::new() }))
    }

    #[test]
    fn every_order_of_the_witness_has_to_arrive() {
        let slice = Slice { start: row(0, 0).at, end: row(100, 0).at };
        let witness = Witness { at: row(7, 0).at, ids: vec![4, 5] };
        let mut walk = Walk::new(slice, Selection::default(), Some(witness));
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
}
