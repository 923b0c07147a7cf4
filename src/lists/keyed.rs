//! The place in a list that is asked for by key: behind the row with this id.
//!
//! The key holds whatever comes or goes before it. So of the rows only the ids of the last page are kept.

use std::collections::HashSet;

use super::page::Row;
use super::position::{Aim, PlannedRequest, Position, SMALLEST_CAP};
use super::query::PageRequest;

/// See the module.
#[derive(Debug)]
pub(super) struct Keyed {
    /// Where the pass began; none for the list's start.
    from: Option<Box<str>>,
    /// Ids of the last known rows, as they were listed.
    tail: Vec<Box<str>>,
    /// Whether there were rows before those.
    longer: bool,
    size: usize,
}

impl Keyed {
    /// Nothing is known yet.
    pub(super) fn new(from: Option<Box<str>>, size: usize) -> Self {
        Self { from, tail: Vec::new(), longer: false, size }
    }
}

impl Position for Keyed {
    /// `after` may be inclusive (a guess: it is not), so room for two rows is left where room for one is needed.
    fn request(&self, aim: Aim, longest: usize) -> PlannedRequest {
        let known = self.tail.len();
        let widest = longest.saturating_sub(2).max(1);
        let back = match aim {
            Aim::Start => known,
            Aim::Prove | Aim::ProveAgain if longest < SMALLEST_CAP && known < SMALLEST_CAP => known,
            // Behind more known rows, an API that gives fewer rows at a time than before would show no new one.
            Aim::Advance | Aim::Join | Aim::Prove | Aim::ProveAgain => 1,
            Aim::Back(step) => (widest >> (step - 1).min(16)).max(1),
        };
        let back = if self.longer { back.min(known - 1) } else { back };
        let after = known.checked_sub(back + 1).map(|place| self.tail[place].clone());
        let begin = usize::from(after.is_some());
        PlannedRequest {
            part: PageRequest::After {
                after: after.or_else(|| self.from.clone()),
                count: aim.count(self.size),
            },
            begin,
        }
    }

    fn is_empty(&self) -> bool {
        self.tail.is_empty()
    }

    fn resume(&self) -> Option<&str> {
        self.tail.iter().rev().nth(1).map(|id| &**id)
    }

    fn places(&self) -> usize {
        0
    }

    fn end(&self) -> usize {
        0
    }

    fn knows(&self, id: &str) -> bool {
        self.tail.iter().any(|known| **known == *id)
    }

    /// Of rows before the tail it cannot be said that they are known.
    fn continues(&self, rows: &[Row]) -> bool {
        if self.longer {
            rows.first().is_some_and(|row| self.knows(&row.id))
        } else {
            rows.iter().any(|row| self.knows(&row.id))
        }
    }

    fn is_last(&self, row: &Row) -> bool {
        self.tail.last() == Some(&row.id)
    }

    fn take(&mut self, _: &PlannedRequest, mut rows: Vec<Row>) -> Vec<Row> {
        let mut known: HashSet<Box<str>> = self.tail.iter().cloned().collect();
        let listed: HashSet<&str> = rows.iter().map(|row| &*row.id).collect();
        self.tail.retain(|id| !listed.contains(&**id));
        self.tail.extend(rows.iter().map(|row| row.id.clone()));
        let surplus = self.tail.len().saturating_sub(self.size);
        self.longer |= surplus > 0;
        self.tail.drain(..surplus);
        rows.retain(|row| known.insert(row.id.clone()));
        rows
    }

    fn shifts(&self) -> bool {
        false
    }

    fn settles(&mut self) -> bool {
        false
    }

    fn recounts(&mut self, _: &PlannedRequest, _: &[Row]) -> bool {
        false
    }

    fn begins_anew(&mut self) -> bool {
        self.from.take().is_some()
    }

    fn ask_for(&mut self, size: usize) {
        self.size = size;
    }

    fn measures(&mut self, _: usize) -> bool {
        false
    }
}
