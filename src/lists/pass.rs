//! The way through a list: which part to ask for, and what of a response may be believed. Pure.
//!
//! Every request after the first is asked so that it must bring known rows back; the rows of one response follow each
//! other without a gap, so a response that holds a known row continues what is known. What comes of it:
//!
//! * A response without known rows leaves a gap, or rows have moved: it is not taken, and the next request reaches
//!   further back.
//! * A response that is shorter than what was asked for may be the end, or the API gives no more at a time. The longest
//!   response says how much it gives at least, and later it may give fewer. So the end is proven by a request that reaches
//!   back over the last known row or two: its response must bring the last one, and nothing new. (By page it reaches over as
//!   many as leave room for a new one, since sizes of pages cannot be chosen freely.)
//!   Where pages are shorter than asked for, two different requests have to prove it. Two responses in a row that are cut behind
//!   the same row look like an end all the same: what of the newest rows they have hidden, the next sync finds by the state
//!   (see [`super::recent`]). The shorter a response, the likelier are two alike, so most of them hide rows of short lists.
//! * Where no part reaches over the last known row (pages touch each other), the page before the next one has to come once
//!   more, with that row, and then the next one as it was: the two are one response.
//! * A response without any row, or without the last known row, is asked for again. The first is believed at last only
//!   where nothing is known, the second as a deletion. Behind a row where an earlier pass was cut off, nothing is not the end:
//!   the row may be no more, so the list is begun anew.

use super::declared::Paging;
use super::keyed::Keyed;
use super::numbered::Numbered;
use super::page::Row;
use super::position::{Aim, Position, SMALLEST_CAP};
use super::query::PageRequest;
use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::failure::FailureKind;

/// After so many responses in a row that bring nothing new and do not fit what is known, the list is given up.
const STEPS: u32 = 50;

/// A pass is given up after so many responses for each response's worth of rows that it has handed out: its rows move faster than
/// it gets on.
const MOST_RESPONSES: usize = 12;

/// After so many responses in a row that end with the same row before the last known one, the rows between are taken for
/// deleted: responses that are cut end here and there.
const DELETED: u32 = MAX_ATTEMPTS - 1;

/// A response that only touches what is known.
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
pub(crate) struct Pass {
    place: Box<dyn Position>,
    aim: Aim,
    longest: usize,
    handed_out: usize,
    /// A response that only touches what is known, until it is joined to that.
    held: Option<Held>,
    /// Responses in a row that lacked what is known, or any row.
    lacking: u32,
    /// The row that ended those responses, and how many in a row.
    ends: (Option<Box<str>>, u32),
    steps: u32,
    /// Responses since the last one with a new row.
    idle: usize,
    /// Responses, in all.
    responses: usize,
    done: bool,
}

impl Pass {
    /// From the start of a list, with pages of `size` rows at most.
    pub(crate) fn new(paging: Paging, size: usize) -> Self {
        match paging {
            Paging::After => Self::of(Box::new(Keyed::new(None, size))),
            Paging::Offset => Self::of(Box::new(Numbered::new(false, size))),
            Paging::Page => Self::of(Box::new(Numbered::new(true, size))),
        }
    }

    /// From behind the row with this id, of a list that is asked for by key.
    pub(crate) fn behind(after: &str, size: usize) -> Self {
        Self::of(Box::new(Keyed::new(Some(after.into()), size)))
    }

    fn of(place: Box<dyn Position>) -> Self {
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
            responses: 0,
            done: false,
        }
    }

    /// The next request.
    pub(crate) fn request(&self) -> PageRequest {
        self.place.request(self.aim, self.longest).part
    }

    /// Whether the next request is for new rows.
    pub(crate) fn advances(&self) -> bool {
        self.aim == Aim::Advance && !self.done
    }

    /// Whether everything has been handed out.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Where another pass may begin: behind the row with this id comes the last one that was handed out. None, where no
    /// place holds.
    pub(crate) fn resume(&self) -> Option<&str> {
        self.place.resume()
    }

    /// How many places the list has, as far as responses have shown; 0, where they have no numbers.
    pub(crate) fn places(&self) -> usize {
        self.place.places()
    }

    /// Whether the list has more rows than a response holds.
    pub(crate) fn is_longer_than_a_page(&self) -> bool {
        self.handed_out > self.longest
    }

    /// The response to [`Self::request`] is too large to be read: from now on half as many rows are asked for. False where so
    /// few are asked for that a single row is too large.
    pub(crate) fn halve(&mut self) -> bool {
        let size = self.request().count();
        if size <= SMALLEST_CAP {
            return false;
        }
        let half = (size / 2).max(SMALLEST_CAP);
        self.place.ask_for(half);
        self.longest = self.longest.min(half);
        self.held = None;
        true
    }

    /// Takes the response to [`Self::request`], and hands out the rows that are new. After a doubt, [`Self::request`] is
    /// asked again; it may reach further back then.
    pub(crate) fn accept(&mut self, mut rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        self.responses += 1;
        if self.responses > STEPS as usize + MOST_RESPONSES * (1 + self.handed_out / self.longest.max(1)) {
            return Err(restless());
        }
        let mut asked = self.place.request(self.aim, self.longest);
        let mut joined = None;
        match self.held.take() {
            // Nothing has moved between the two.
            Some(Held { rows: held, before: Some(before), .. }) if held == rows => {
                asked = self.place.request(Aim::Join, self.longest);
                (rows, joined) = (before, Some(held));
            }
            Some(held) if self.aim == Aim::Join && rows.iter().all(|row| self.place.knows(&row.id)) => {
                if rows.len() < asked.part.count() {
                    return self.lacks("the page before is shorter than it was");
                }
                // Known rows that are not those before it prove nothing: another part may have come instead.
                if !self.arrives(&rows) && !self.ends_again(rows.last()) {
                    return self.lacks("the last row that is known is not in the answer");
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
                self.lacks("the answer does not hold what it was to resume from")
            };
        }
        let length = joined.as_ref().map_or(rows.len(), Vec::len);
        let full = self.is_full(length, asked.part.count());
        self.longest = self.longest.max(length);
        let nothing_follows = joined.as_ref().is_some_and(Vec::is_empty);
        rows.extend(joined.into_iter().flatten());
        let arrives = self.arrives(&rows);
        let news = rows.iter().any(|row| !self.place.knows(&row.id));
        if !(arrives || self.place.is_empty() || (self.place.shifts() && (full || news))) {
            // The response is cut, or the last rows were deleted.
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
        // Four times through all that is known, and nothing new: that does not lead to the end.
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

    /// Whether the API gives fewer rows at a time than are asked for, so that a short response says little.
    fn is_capped(&self) -> bool {
        let wished = self.place.request(Aim::Start, self.longest).part.count();
        self.place.shifts() && self.is_longer_than_a_page() && self.longest < wished
    }

    /// Keeps a response that cannot bring known rows back. That there is nothing is believed at last.
    fn hold(&mut self, rows: Vec<Row>) -> Result<Vec<Row>, Doubt> {
        if rows.is_empty() && self.lacking + 1 < MAX_ATTEMPTS {
            self.lacking += 1;
            return Err(Doubt::new(FailureKind::MissingOrder, "the answer is empty"));
        }
        // Nothing in it shows that it is the part that was asked for.
        self.held = Some(Held { aim: self.aim, rows, before: None });
        self.step(Aim::Join)
    }

    /// Whether the list may well go on behind a response of this length.
    fn is_full(&self, rows: usize, count: usize) -> bool {
        let more = self.longest > 0 && rows > self.longest;
        rows >= count || more || (rows == self.longest && rows >= SMALLEST_CAP)
    }

    /// Rows came before our place, or the API does not do what the request says. The numbers rise until they are off, at
    /// the latest.
    fn full_of_known_rows(&mut self) -> Result<Vec<Row>, Doubt> {
        if !self.place.shifts() {
            return self.lacks("the answer brings nothing new, although it was asked to begin further on");
        }
        self.aim = if self.place.settles() { Aim::Back(1) } else { Aim::Advance };
        Ok(Vec::new())
    }

    /// Whether the last row that is known is among these.
    fn arrives(&self, rows: &[Row]) -> bool {
        rows.iter().any(|row| self.place.is_last(row))
    }

    /// Whether responses end with this row, again and again.
    fn ends_again(&mut self, last: Option<&Row>) -> bool {
        let last = last.map(|row| row.id.clone());
        let times = if self.ends.0 == last { self.ends.1 + 1 } else { 1 };
        self.ends = (last, times);
        times >= DELETED
    }

    /// Whether there are rows behind the one that other responses ended with: so those were cut.
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
        if self.lacking >= MAX_ATTEMPTS && self.place.begins_anew() {
            self.lacking = 0;
            return Ok(Vec::new());
        }
        self.done = self.lacking >= MAX_ATTEMPTS;
        if self.done { Ok(Vec::new()) } else { Err(Doubt::new(FailureKind::MissingOrder, what)) }
    }
}

/// The pass cannot get on.
fn restless() -> Doubt {
    let text = "its rows move while it is read, or the API does not give the part that is asked for";
    Doubt::new(FailureKind::Restless, text)
}

#[cfg(test)]
mod simulated;

#[cfg(test)]
mod tests;
