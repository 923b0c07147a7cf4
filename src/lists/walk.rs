//! The way through a list: which part to ask for, and what of an answer may be believed. Pure.
//!
//! Every question after the first is asked so that it must bring known rows back; the rows of one answer follow each
//! other without a gap, so an answer that holds a known row continues what is known. What comes of it:
//!
//! * An answer without known rows leaves a gap, or rows have moved: it is not taken, and the next question reaches
//!   further back.
//! * An answer that is shorter than what was asked for may be the end, or the API gives no more at a time. The longest
//!   answer says how much it gives at least, and later it may give fewer. So the end is proven by a question that reaches
//!   back over the last known row or two: its answer must bring the last one, and nothing new. (By page it reaches over as
//!   many as leave room for a new one, since sizes of pages cannot be chosen freely.)
//!   Where pages are shorter than asked for, two different questions have to prove it.
//! * Where no part reaches over the last known row (pages touch each other), the page before the next one has to come once
//!   more, and then the next one as it was: the two are one answer.
//! * An answer without any row, or without the last known row, is asked for again. The first is believed at last only
//!   where nothing is known, the second as a deletion. Behind a row where an earlier walk was cut off, nothing is no end:
//!   the row may be no more, so the list is begun anew.

use chrono::{DateTime, Utc};

use super::declared::Paging;
use super::keyed::Keyed;
use super::numbered::Numbered;
use super::page::Row;
use super::query::Part;
use crate::doubt::{Doubt, LOOKS};
use crate::failure::FailureKind;

/// No API gives fewer rows at a time, if it has them (a guess): else an answer with a row or two would prove nothing.
pub(super) const SMALLEST_CAP: usize = 3;

/// After so many answers in a row that bring nothing new and do not fit what is known, the list is given up.
const STEPS: u32 = 50;

/// A walk is given up after so many answers for each answer's worth of rows that it has handed out: its rows move faster than
/// it gets on.
const MOST_ANSWERS: usize = 12;

/// After so many answers in a row that end with the same row before the last known one, the rows between are taken for
/// deleted: answers that are cut end here and there.
const DELETED: u32 = LOOKS - 1;

/// What the next question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// The list's start.
    Start,
    /// As many new rows as one answer holds.
    Advance,
    /// To prove the end: as many known rows as leaves room for a new one.
    Prove,
    /// To prove it by another question.
    ProveAgain,
    /// To find a known row: the nth step in a row.
    Back(u32),
    /// To show that an answer which only touches what is known is the next part: what comes before it, again.
    Join,
}

impl Aim {
    fn further_back(self) -> Self {
        match self {
            Self::Back(step) => Self::Back(step + 1),
            _ => Self::Back(1),
        }
    }
}

/// A question, as a place understands it.
#[derive(Debug)]
pub(super) struct Asked {
    /// What is asked for.
    pub(super) part: Part,
    /// The number of its first row, where rows are numbered; 0 always means the start.
    pub(super) begin: usize,
}

/// What is known of the list, and where its end is.
pub(super) trait Place: std::fmt::Debug {
    /// The question for an aim. `longest` is the length of the longest answer so far.
    fn ask(&self, aim: Aim, longest: usize) -> Asked;
    /// Whether nothing is known.
    fn is_empty(&self) -> bool;
    /// The id behind which the last known row comes next, where that is a place to go on from.
    fn resume(&self) -> Option<&str>;
    /// How many places the list has, as far as answers have shown; 0, where places have no numbers.
    fn places(&self) -> usize;
    /// The number of the place behind the last answer; 0, where places have no numbers.
    fn end(&self) -> usize;
    /// Whether a row is known.
    fn knows(&self, id: &str) -> bool;
    /// Whether an answer continues what is known, or repeats it.
    fn continues(&self, rows: &[Row]) -> bool;
    /// The last known row.
    fn is_last(&self, row: &Row) -> bool;
    /// Takes an answer that continues what is known; the rows that are new.
    fn take(&mut self, asked: &Asked, rows: Vec<Row>) -> Vec<Row>;
    /// Whether the numbers of rows change when others come or go, so that a part begins elsewhere than was thought.
    fn shifts(&self) -> bool;
    /// Whether the number of the last row was one that the known rows cannot account for. It is set right then.
    fn settles(&mut self) -> bool;
    /// The answer shows that pages are counted in another way than was thought: from now on it is done so.
    fn recounts(&mut self, asked: &Asked, rows: &[Row]) -> bool;
    /// Nothing was found behind the place where the walk began; it may be no place any more. From now on the list's start is
    /// asked for. Whether there was such a place.
    fn begins_anew(&mut self) -> bool;
    /// From now on so many rows are asked for at most.
    fn ask_for(&mut self, size: usize);
    /// The start has to be asked for once more, to learn how much the API gives at a time.
    fn measures(&mut self, longest: usize) -> bool;
}

/// An answer that only touches what is known.
#[derive(Debug)]
struct Held {
    /// What was asked for.
    aim: Aim,
    rows: Vec<Row>,
    /// What comes before it.
    before: Option<Vec<Row>>,
}

/// The reading of one list.
#[derive(Debug)]
pub struct Walk {
    place: Box<dyn Place>,
    aim: Aim,
    longest: usize,
    handed_out: usize,
    /// An answer that only touches what is known, until it is joined to that.
    held: Option<Held>,
    /// Answers in a row that lacked what is known, or any row.
    lacking: u32,
    /// The row that ended those answers, and how many in a row.
    ends: (Option<Box<str>>, u32),
    steps: u32,
    /// Answers since the last one with a new row.
    idle: usize,
    /// Answers, in all.
    answers: usize,
    done: bool,
}

impl Walk {
    /// From the start of a list, with pages of `size` rows at most.
    pub fn new(paging: Paging, size: usize) -> Self {
        match paging {
            Paging::After => Self::of(Box::new(Keyed::new(None, size))),
            Paging::Offset => Self::of(Box::new(Numbered::new(false, size))),
            Paging::Page => Self::of(Box::new(Numbered::new(true, size))),
        }
    }

    /// From behind the row with this id, of a list that is asked for by key.
    pub fn behind(after: &str, size: usize) -> Self {
        Self::of(Box::new(Keyed::new(Some(after.into()), size)))
    }

    fn of(place: Box<dyn Place>) -> Self {
        Self {
            place,
            aim: Aim::Start,
            longest: 0,
            handed_out: 0,
            held: None,
            lacking: 0,
            ends: (None, 0),
            steps: 0,
            idle: 0,
            answers: 0,
            done: false,
        }
    }

    /// The next question.
    pub fn question(&self) -> Part {
        self.place.ask(self.aim, self.longest).part
    }

    /// Whether everything has been handed out.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Where another walk may begin: behind the row with this id comes the last one that was handed out. None, where no
    /// place holds.
    pub fn resume(&self) -> Option<&str> {
        self.place.resume()
    }

    /// How many places the list has, as far as answers have shown; 0, where they have no numbers.
    pub fn places(&self) -> usize {
        self.place.places()
    }

    /// Whether the list has more rows than an answer holds.
    pub fn is_longer_than_a_page(&self) -> bool {
        self.handed_out > self.longest
    }

    /// The answer to [`Self::question`] is too large to be read: from now on half as many rows are asked for. False where so
    /// few are asked for that a single row is too large.
    pub fn halve(&mut self) -> bool {
        let size = self.question().count();
        if size <= SMALLEST_CAP {
            return false;
        }
        let half = (size / 2).max(SMALLEST_CAP);
        self.place.ask_for(half);
        self.longest = self.longest.min(half);
        self.held = None;
        true
    }

    /// Takes the answer to [`Self::question`], and hands out the rows that are new. After a doubt, [`Self::question`] is
    /// asked again; it may reach further back then.
    pub fn accept(&mut self, mut rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        self.answers += 1;
        if self.answers > STEPS as usize + MOST_ANSWERS * (1 + self.handed_out / self.longest.max(1)) {
            return Err(restless());
        }
        let mut asked = self.place.ask(self.aim, self.longest);
        let mut joined = None;
        match self.held.take() {
            // Nothing has moved between the two.
            Some(Held { rows: held, before: Some(before), .. }) if held == rows => {
                asked = self.place.ask(Aim::Join, self.longest);
                (rows, joined) = (before, Some(held));
            }
            Some(held) if self.aim == Aim::Join && rows.iter().all(|row| self.place.knows(&row.id)) => {
                if rows.len() < asked.part.count() {
                    return self.lacks("the page before is shorter than it was");
                }
                self.aim = held.aim;
                self.held = Some(Held { before: Some(rows), ..held });
                return Ok(Vec::new());
            }
            _ if asked.begin > 0 && asked.begin == self.place.end() => return self.hold(rows),
            _ => (),
        }
        if rows.is_empty() {
            return self.lacks("the answer is empty");
        }
        if self.place.recounts(&asked, &rows) {
            return self.step(self.aim);
        }
        if !self.place.is_empty() && !self.place.continues(&rows) {
            return if self.place.shifts() && asked.begin > 0 {
                self.step(self.aim.further_back())
            } else {
                self.lacks("the answer does not hold what it was to go on from")
            };
        }
        let length = joined.as_ref().map_or(rows.len(), Vec::len);
        let full = self.is_full(length, asked.part.count());
        self.longest = self.longest.max(length);
        let nothing_follows = joined.as_ref().is_some_and(Vec::is_empty);
        rows.extend(joined.into_iter().flatten());
        let arrives = rows.iter().any(|row| self.place.is_last(row));
        let news = rows.iter().any(|row| !self.place.knows(&row.id));
        if !(arrives || self.place.is_empty() || (self.place.shifts() && (full || news))) {
            // The answer is cut, or the last rows were deleted.
            if !self.ends_again(rows.last()) || (full && !news) {
                return self.lacks("the last row that is known is not in the answer");
            }
            self.done = !news;
        }
        if arrives || news || self.shows_rows_behind_the_end(&rows) {
            self.ends = (None, 0);
        }
        self.lacking = 0;
        self.idle = if news { 0 } else { self.idle + 1 };
        // Four times through all that is known, and nothing new: that is no way to the end.
        if self.idle > STEPS as usize + 4 * self.handed_out / self.longest.max(1) {
            return Err(restless());
        }
        let fresh = self.place.take(&asked, rows);
        self.handed_out += fresh.len();
        if self.done {
            return Ok(fresh);
        }
        if asked.begin > 0 && (full || news) && self.place.measures(self.longest) {
            self.aim = Aim::Start;
        } else if news {
            self.aim = if full { Aim::Advance } else { Aim::Prove };
            self.steps = 0;
        } else if full {
            return self.full_of_known_rows();
        } else {
            (self.done, self.aim) = match self.aim {
                Aim::Prove if self.is_capped() => (false, Aim::ProveAgain),
                Aim::Prove | Aim::ProveAgain => (true, self.aim),
                _ => (nothing_follows, Aim::Prove),
            };
        }
        Ok(fresh)
    }

    /// Whether the API gives fewer rows at a time than are asked for, so that a short answer says little.
    fn is_capped(&self) -> bool {
        let wished = self.place.ask(Aim::Start, self.longest).part.count();
        self.place.shifts() && self.is_longer_than_a_page() && self.longest < wished
    }

    /// Keeps an answer that cannot bring known rows back. That there is nothing is believed at last.
    fn hold(&mut self, rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        if rows.is_empty() && self.lacking + 1 < LOOKS {
            self.lacking += 1;
            return Err(Doubt::new(FailureKind::MissingOrder, "the answer is empty"));
        }
        // Nothing in it shows that it is the part that was asked for.
        self.held = Some(Held { aim: self.aim, rows, before: None });
        self.step(Aim::Join)
    }

    /// Whether the list may well go on behind an answer of this length.
    fn is_full(&self, rows: usize, count: usize) -> bool {
        let more = self.longest > 0 && rows > self.longest;
        rows >= count || more || (rows == self.longest && rows >= SMALLEST_CAP)
    }

    /// Rows came before our place, or the API does not do what the question says. The numbers rise until they are off, at
    /// the latest.
    fn full_of_known_rows(&mut self) -> Result<Vec<Row>, Doubt> {
        if !self.place.shifts() {
            return self.lacks("the answer brings nothing new, although it was asked to begin further on");
        }
        self.aim = if self.place.settles() { Aim::Back(1) } else { Aim::Advance };
        Ok(Vec::new())
    }

    /// Whether answers end with this row, again and again.
    fn ends_again(&mut self, last: Option<&Row>) -> bool {
        let last = last.map(|row| row.id.clone());
        let times = if self.ends.0 == last { self.ends.1 + 1 } else { 1 };
        self.ends = (last, times);
        times >= DELETED
    }

    /// Whether there are rows behind the one that other answers ended with: so those were cut.
    fn shows_rows_behind_the_end(&self, rows: &[Row]) -> bool {
        let end = rows.iter().position(|row| self.ends.0.as_ref() == Some(&row.id));
        end.is_some_and(|place| place + 1 < rows.len())
    }

    fn step(&mut self, aim: Aim) -> Result<Vec<Row>, Doubt> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(restless());
        }
        self.aim = aim;
        Ok(Vec::new())
    }

    fn lacks(&mut self, what: &str) -> Result<Vec<Row>, Doubt> {
        self.lacking += 1;
        if !self.place.is_empty() {
            self.aim = self.aim.further_back();
            return Err(Doubt::new(FailureKind::MissingOrder, what));
        }
        if self.lacking >= LOOKS && self.place.begins_anew() {
            self.lacking = 0;
            return Ok(Vec::new());
        }
        self.done = self.lacking >= LOOKS;
        if self.done { Ok(Vec::new()) } else { Err(Doubt::new(FailureKind::MissingOrder, what)) }
    }
}

/// The walk cannot get on.
fn restless() -> Doubt {
    let text = "its rows move while it is read, or the API does not give the part that is asked for";
    Doubt::new(FailureKind::Restless, text)
}

/// The time of a row's last change, as it identifies a state of the row.
pub(super) type Changed = Option<DateTime<Utc>>;

#[cfg(test)]
mod simulated;

#[cfg(test)]
mod tests;
