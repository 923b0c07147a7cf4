//! A list in memory, of a server whose readings of the open questions can be chosen, and whose rows come, go and change places.

use std::collections::{BTreeMap, BTreeSet};

use aifi_sandbox::{Answer, Delivery};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};

/// What a server makes of `minUpdatedAt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Honoured,
    Ignored,
    Refused,
}

/// How it compares.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    Inclusive,
    Exclusive,
    /// Inclusive, and it sees whole seconds only.
    ToSeconds,
}

/// What it makes of `after` with the id of a row that no longer exists.
#[derive(Clone, Copy, Debug)]
pub enum Gone {
    /// The place where the row was.
    Place,
    /// No row.
    Nothing,
    /// A refusal with this status.
    Refused(u16),
}

/// Where a row goes in a list without documented order when it is changed.
#[derive(Clone, Copy, Debug)]
pub enum Moves {
    Not,
    ToFront,
    ToEnd,
    Anywhere,
}

/// What is unknown of the API, and how often an answer is wrong.
#[derive(Clone, Debug)]
pub struct Readings {
    pub filter: Filter,
    pub bound: Bound,
    pub moves: Moves,
    pub cap: usize,
    pub first_page: usize,
    /// `after` brings the row itself, too.
    pub inclusive: bool,
    pub gone: Gone,
    /// Of a hundred answers, so many are wrong in each of two ways.
    pub wrong: u32,
    /// Before so many answers of a hundred, a few rows come, go or change.
    pub churn: u32,
    /// Whether rows go.
    pub deletes: bool,
    /// Whether rows change places without having been changed.
    pub ties: bool,
    /// Whether two answers in a row may be cut behind the same row, so that the list looks complete.
    pub alike: bool,
}

/// A row: its id, and when it was changed.
pub type Row = (u64, DateTime<Utc>);

/// See the module. The list of contests, by page, has an order of its own; that of sessions, by key, is sorted by id.
#[derive(Debug)]
pub struct RowServer {
    readings: Readings,
    by_page: bool,
    pub rows: Vec<Row>,
    rng: fastrand::Rng,
    /// Rows that were there from the start, and not older than the start date.
    first: BTreeSet<u64>,
    /// Rows that were in an answer of this sync.
    shown: BTreeSet<u64>,
    /// How often rows were changed.
    changes: BTreeMap<u64, u32>,
    next: u64,
    /// The last row of the last answer that was cut.
    cut_behind: Option<u64>,
}

impl RowServer {
    /// So many rows, some of which are older than `start`.
    pub fn new(readings: Readings, count: u64, by_page: bool, start: DateTime<Utc>, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut rows: Vec<Row> = (0..count)
            .map(|n| (10 * n + 10, start + TimeDelta::milliseconds(rng.i64(-9_000_000..90_000_000))))
            .collect();
        if by_page {
            rng.shuffle(&mut rows);
        }
        let first = rows.iter().filter(|(_, updated)| *updated >= start).map(|(id, _)| *id).collect();
        let (shown, changes) = (BTreeSet::new(), BTreeMap::new());
        Self { readings, by_page, rows, rng, first, shown, changes, next: 0, cut_behind: None }
    }

    /// From now on nothing changes, and no answer is wrong.
    pub fn calm(&mut self) {
        (self.readings.wrong, self.readings.churn, self.readings.ties) = (0, 0, false);
    }

    /// Another sync begins.
    pub fn forget_shown(&mut self) {
        self.shown.clear();
    }

    /// The ids of rows that a copy must hold: those that were due from the start and are still there. Where rows go, the
    /// going of one can hide that another has moved, twice.
    pub fn lasting(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().map(|(id, _)| *id).filter(|id| {
            let changes = self.changes.get(id).copied().unwrap_or(0);
            self.first.contains(id) && !(self.readings.deletes && changes > 1)
        })
    }

    fn churn(&mut self, now: DateTime<Utc>) {
        for _ in 0..self.rng.usize(1..4) {
            let place = self.rng.usize(..=self.rows.len());
            match self.rng.u32(..3) {
                0 => {
                    self.next += 1;
                    let id = 1_000_000 + self.next;
                    self.rows.insert(if self.by_page { place } else { self.rows.len() }, (id, now));
                }
                _ if place == self.rows.len() => (),
                1 if self.readings.deletes => drop(self.rows.remove(place)),
                _ => {
                    let (id, _) = self.rows.remove(place);
                    *self.changes.entry(id).or_default() += 1;
                    let to = match self.readings.moves {
                        Moves::ToFront if self.by_page => 0,
                        Moves::ToEnd if self.by_page => self.rows.len(),
                        Moves::Anywhere if self.by_page => self.rng.usize(..=self.rows.len()),
                        _ => place,
                    };
                    self.rows.insert(to, (id, now));
                }
            }
        }
    }

    fn has(&self, updated: DateTime<Utc>, bound: DateTime<Utc>) -> bool {
        match self.readings.bound {
            Bound::Inclusive => updated >= bound,
            Bound::Exclusive => updated > bound,
            Bound::ToSeconds => updated >= bound.trunc_subsecs(0),
        }
    }

    /// The answer to a `GET` of this address, if it is the list's.
    pub(super) fn answer(&mut self, url: &reqwest::Url, now: DateTime<Utc>) -> Option<Answer> {
        let (path, name) =
            if self.by_page { ("/contests", "contestedOrders") } else { ("/sessions", "data") };
        if !url.path().ends_with(path) {
            return None;
        }
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let (status, body) = match self.page(&asked, now) {
            Ok(rows) => (200, json!({ name: rows.into_iter().map(record).collect::<Vec<_>>() })),
            Err(status) => (status, json!({"message": "not accepted"})),
        };
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        Some(Answer {
            status,
            headers: vec![("date".into(), date), ("content-type".into(), "application/json".into())],
            body: body.to_string().into(),
            delivery: Delivery::Whole,
            delay: std::time::Duration::ZERO,
        })
    }

    fn page(&mut self, asked: &BTreeMap<String, String>, now: DateTime<Utc>) -> Result<Vec<Row>, u16> {
        let number = |name: &str| asked.get(name).map(|text| text.parse::<u64>().unwrap());
        let bound = asked.get("minUpdatedAt").map(|text| text.parse::<DateTime<Utc>>().unwrap());
        if bound.is_some() && self.readings.filter == Filter::Refused {
            return Err(422);
        }
        if self.rng.u32(..100) < self.readings.churn {
            self.churn(now);
        }
        if self.readings.ties && self.by_page && self.rows.len() > 1 && self.rng.u32(..4) == 0 {
            let (one, other) = (self.rng.usize(..self.rows.len()), self.rng.usize(..self.rows.len()));
            self.rows.swap(one, other);
        }
        let bound = bound.filter(|_| self.readings.filter == Filter::Honoured);
        let found: Vec<Row> = self
            .rows
            .iter()
            .filter(|(_, updated)| bound.is_none_or(|at| self.has(*updated, at)))
            .copied()
            .collect();
        let count = number(if self.by_page { "pageSize" } else { "count" }).unwrap() as usize;
        let count = count.min(self.readings.cap);
        let begin = match (number("after"), number("page")) {
            (Some(after), _) => {
                let there = self.rows.iter().any(|(id, _)| *id == after);
                match self.readings.gone {
                    Gone::Nothing if !there => return Ok(Vec::new()),
                    Gone::Refused(status) if !there => return Err(status),
                    _ => (),
                }
                found.partition_point(|(id, _)| *id < after || (*id == after && !self.readings.inclusive))
            }
            (None, Some(page)) => {
                (page as usize).checked_sub(self.readings.first_page).ok_or(422_u16)? * count
            }
            (None, None) => 0,
        };
        let mut rows: Vec<Row> = found.into_iter().skip(begin).take(count).collect();
        match self.rng.u32(..100) {
            n if n < self.readings.wrong => rows.clear(),
            n if n < 2 * self.readings.wrong && rows.len() > 3 => self.cut(&mut rows),
            _ => (),
        }
        self.shown.extend(rows.iter().map(|(id, _)| *id));
        Ok(rows)
    }

    /// Cuts an answer. One that is cut just behind what is known is the end, to any reader; so is one that is cut twice alike.
    /// What is hidden then can be found in a later sync only, if at all.
    fn cut(&mut self, rows: &mut Vec<Row>) {
        let left = self.rng.usize(3..rows.len());
        let end = Some(rows[left - 1].0);
        let is_noticed =
            self.cut_behind != end && !rows[..left].iter().all(|(id, _)| self.shown.contains(id));
        if is_noticed || self.readings.alike {
            self.cut_behind = end;
            rows.truncate(left);
        }
    }
}

fn record((id, updated): Row) -> Value {
    json!({"id": id, "updatedAt": updated.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)})
}
