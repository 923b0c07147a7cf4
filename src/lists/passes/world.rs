//! A list in memory, of a server whose readings of the open questions can be chosen.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::super::declared::{List, Paging};
use super::super::page::Row;
use super::super::query::PageRequest;
use crate::failure::FailureKind;
use crate::timestamp;

/// What a server makes of `minUpdatedAt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Honoured,
    Ignored,
    Refused,
}

/// How it compares.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    Inclusive,
    Exclusive,
    /// Inclusive, and it sees whole seconds only.
    ToSeconds,
}

/// What it makes of `after` with the id of a row that is no more.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gone {
    /// The place where the row was.
    Place,
    /// No row.
    Nothing,
    /// A refusal, as this failure.
    Refused(FailureKind),
}

/// Where a row goes in a list without documented order when it is changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moves {
    Not,
    ToFront,
    ToEnd,
    Anywhere,
}

/// What is unknown of the API, and how often an answer is wrong.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) filter: Filter,
    pub(super) bound: Bound,
    pub(super) moves: Moves,
    pub(super) cap: usize,
    pub(super) first_page: usize,
    /// `after` brings the row itself, too.
    pub(super) inclusive: bool,
    pub(super) gone: Gone,
    /// Of a hundred answers, so many are wrong in each of two ways.
    pub(super) wrong: u32,
    /// Before so many answers of a hundred, a few rows come, go or change.
    pub(super) churn: u32,
    /// Whether rows go.
    pub(super) deletes: bool,
    /// Whether rows change places without having been changed.
    pub(super) ties: bool,
}

/// See the module. A list by page has an order of its own; others are sorted by id.
#[derive(Debug)]
pub(super) struct World {
    server: Server,
    by_page: bool,
    pub(super) rows: Vec<Row>,
    pub(super) now: DateTime<Utc>,
    pub(super) rng: fastrand::Rng,
    /// How many questions were answered.
    pub(super) answers: usize,
    /// Rows that were there from the start, and not older than the start date.
    first: BTreeSet<u64>,
    /// Rows that were in an answer of this pass.
    pub(super) shown: BTreeSet<u64>,
    /// How often rows were changed.
    changes: BTreeMap<u64, u32>,
    next: u64,
    /// The last row of the last answer that was cut.
    cut_behind: Option<u64>,
}

fn row(id: u64, updated: DateTime<Utc>) -> Row {
    Row {
        id: id.to_string().into(),
        updated: Some(updated),
        store: None,
        data: Bytes::new(),
        changes: Vec::new(),
    }
}

fn number(row: &Row) -> u64 {
    row.id.parse().unwrap()
}

impl World {
    pub(super) fn new(server: Server, count: u64, by_page: bool, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let start = timestamp::parse("2025-11-01T00:00:00Z").unwrap();
        // Some are older than the start date.
        let mut rows: Vec<Row> = (0..count)
            .map(|n| row(10 * n + 10, start + TimeDelta::milliseconds(rng.i64(-9_000_000..90_000_000))))
            .collect();
        if by_page {
            rng.shuffle(&mut rows);
        }
        let due = |row: &&Row| row.updated >= Some(start);
        let (first, changes) = (rows.iter().filter(due).map(number).collect(), BTreeMap::new());
        let now = start + TimeDelta::days(2);
        Self {
            server,
            by_page,
            rows,
            now,
            rng,
            answers: 0,
            first,
            shown: BTreeSet::new(),
            changes,
            next: 0,
            cut_behind: None,
        }
    }

    /// From now on nothing changes, and no answer is wrong.
    pub(super) fn calm(&mut self) {
        (self.server.wrong, self.server.churn, self.server.ties) = (0, 0, false);
        self.now += TimeDelta::hours(1);
        self.answers = 0;
    }

    /// The ids of rows that a copy must hold: those that were due from the start and are still there. Where rows go, the
    /// going of one can hide that another has moved, twice.
    pub(super) fn lasting(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().map(number).filter(|id| {
            let changes = self.changes.get(id).copied().unwrap_or(0);
            self.first.contains(id) && !(self.server.deletes && changes > 1)
        })
    }

    fn churn(&mut self) {
        for _ in 0..self.rng.usize(1..4) {
            let place = self.rng.usize(..=self.rows.len());
            match self.rng.u32(..3) {
                0 => {
                    self.next += 1;
                    let id = 1_000_000 + self.next;
                    self.rows.insert(if self.by_page { place } else { self.rows.len() }, row(id, self.now));
                }
                _ if place == self.rows.len() => (),
                1 if self.server.deletes => drop(self.rows.remove(place)),
                _ => {
                    let changed = row(number(&self.rows.remove(place)), self.now);
                    *self.changes.entry(number(&changed)).or_default() += 1;
                    let to = match self.server.moves {
                        Moves::ToFront if self.by_page => 0,
                        Moves::ToEnd if self.by_page => self.rows.len(),
                        Moves::Anywhere if self.by_page => self.rng.usize(..=self.rows.len()),
                        _ => place,
                    };
                    self.rows.insert(to, changed);
                }
            }
            self.now += TimeDelta::milliseconds(self.rng.i64(0..700));
        }
    }

    fn has(&self, row: &Row, bound: DateTime<Utc>) -> bool {
        let updated = row.updated.unwrap();
        match self.server.bound {
            Bound::Inclusive => updated >= bound,
            Bound::Exclusive => updated > bound,
            Bound::ToSeconds => updated >= bound.trunc_subsecs(0),
        }
    }

    /// The answer to a question.
    pub(super) fn answer(
        &mut self,
        list: &List,
        part: &PageRequest,
        bound: Option<DateTime<Utc>>,
    ) -> Result<Vec<Row>, FailureKind> {
        assert_eq!(list.paging == Paging::Page, self.by_page);
        self.answers += 1;
        self.now += TimeDelta::milliseconds(self.rng.i64(20..300));
        if bound.is_some() && self.server.filter == Filter::Refused {
            return Err(FailureKind::Rejected);
        }
        if self.rng.u32(..100) < self.server.churn {
            self.churn();
        }
        if self.server.ties && self.by_page && self.rows.len() > 1 && self.rng.u32(..4) == 0 {
            let (one, other) = (self.rng.usize(..self.rows.len()), self.rng.usize(..self.rows.len()));
            self.rows.swap(one, other);
        }
        let bound = bound.filter(|_| self.server.filter == Filter::Honoured);
        let found: Vec<&Row> =
            self.rows.iter().filter(|row| bound.is_none_or(|at| self.has(row, at))).collect();
        let count = part.count().min(self.server.cap);
        let begin = match part {
            PageRequest::After { after: None, .. } | PageRequest::Page { page: None, .. } => 0,
            PageRequest::After { after: Some(after), .. } => {
                let there = self.rows.iter().any(|row| row.id == *after);
                let after: u64 = after.parse().unwrap();
                match self.server.gone {
                    Gone::Nothing if !there => return Ok(Vec::new()),
                    Gone::Refused(kind) if !there => return Err(kind),
                    _ => (),
                }
                found.partition_point(|row| {
                    number(row) < after || (number(row) == after && !self.server.inclusive)
                })
            }
            PageRequest::Offset { offset, .. } => *offset,
            PageRequest::Page { page: Some(page), .. } => {
                page.checked_sub(self.server.first_page).ok_or(FailureKind::Rejected)? * count
            }
        };
        let mut rows: Vec<Row> = found.into_iter().skip(begin).take(count).cloned().collect();
        match self.rng.u32(..100) {
            n if n < self.server.wrong => rows.clear(),
            n if n < 2 * self.server.wrong && rows.len() > 3 => {
                let left = self.rng.usize(3..rows.len());
                // An answer that is cut just behind what is known is the end, to any reader.
                let known = |row: &Row| self.shown.contains(&number(row));
                let end = Some(number(&rows[left - 1]));
                // So is one that is cut twice alike.
                if self.cut_behind != end
                    && (!rows[..left].iter().all(known) || rows[left..].iter().all(known))
                {
                    self.cut_behind = end;
                    rows.truncate(left);
                }
            }
            _ => (),
        }
        self.shown.extend(rows.iter().map(number));
        Ok(rows)
    }
}
