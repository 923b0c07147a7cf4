//! A position in a list: what is known of it, and which part to ask for next. Pure.

use chrono::{DateTime, Utc};

use super::page::Row;
use super::query::PageRequest;

/// No API gives fewer rows at a time, if it has them (a guess): else a response with a row or two would prove nothing.
pub(super) const SMALLEST_CAP: usize = 3;

/// What the next request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// The list's start.
    Start,
    /// As many new rows as one response holds.
    Advance,
    /// To prove the end: as many known rows as leaves room for a new one.
    Prove,
    /// To prove it by another request.
    ProveAgain,
    /// To find a known row: the nth step in a row.
    Back(u32),
    /// To show that a response which only touches what is known is the next part: what comes before it, again.
    Join,
}

impl Aim {
    pub(super) fn further_back(self) -> Self {
        match self {
            Self::Back(step) => Self::Back(step + 1),
            _ => Self::Back(1),
        }
    }

    /// How many rows to ask for, of at most `size`. One less proves the end: a request that was asked before could be answered
    /// from a memory in between, with the same mistake. So few that a new row would find no room are never asked for.
    pub(super) fn count(self, size: usize) -> usize {
        match self {
            Self::Prove | Self::ProveAgain if size > SMALLEST_CAP => size - 1,
            _ => size,
        }
    }
}

/// A request, as a place understands it.
#[derive(Debug)]
pub(super) struct PlannedRequest {
    /// What is asked for.
    pub(super) part: PageRequest,
    /// The number of its first row, where rows are numbered; 0 always means the start.
    pub(super) begin: usize,
}

/// What is known of the list, and where its end is.
pub(super) trait Position: std::fmt::Debug {
    /// The request for an aim. `longest` is the length of the longest response so far.
    fn request(&self, aim: Aim, longest: usize) -> PlannedRequest;
    /// Whether nothing is known.
    fn is_empty(&self) -> bool;
    /// The id behind which the last known row comes next, where that is a place to resume from.
    fn resume(&self) -> Option<&str>;
    /// How many places the list has, as far as responses have shown; 0, where places have no numbers.
    fn places(&self) -> usize;
    /// The number of the place behind the last response; 0, where places have no numbers.
    fn end(&self) -> usize;
    /// Whether a row is known.
    fn knows(&self, id: &str) -> bool;
    /// Whether a response continues what is known, or repeats it.
    fn continues(&self, rows: &[Row]) -> bool;
    /// The last known row.
    fn is_last(&self, row: &Row) -> bool;
    /// Takes a response that continues what is known; the rows that are new.
    fn take(&mut self, asked: &PlannedRequest, rows: Vec<Row>) -> Vec<Row>;
    /// Whether the numbers of rows change when others come or go, so that a part begins elsewhere than was thought.
    fn shifts(&self) -> bool;
    /// Whether the number of the last row was one that the known rows cannot account for. It is set right then.
    fn settles(&mut self) -> bool;
    /// The response shows that pages are counted in another way than was thought: from now on it is done so.
    fn recounts(&mut self, asked: &PlannedRequest, rows: &[Row]) -> bool;
    /// Nothing was found behind the place where the pass began; it may be no place any more. From now on the list's start is
    /// asked for. Whether there was such a place.
    fn begins_anew(&mut self) -> bool;
    /// From now on so many rows are asked for at most.
    fn ask_for(&mut self, size: usize);
    /// The start has to be asked for once more, to learn how much the API gives at a time.
    fn measures(&mut self, longest: usize) -> bool;
}

/// The time of a row's last change, as it identifies a state of the row.
pub(super) type Changed = Option<DateTime<Utc>>;
