//! Whether the API filters by update time, which is documented and not proven. Pure.
//!
//! Asked once a sync, with a question whose answer must be empty: what has changed ten years from now.

use chrono::{DateTime, TimeDelta, Utc};

use super::NAME;
use super::page::Row;
use super::query::{Query, Selection, Sort};
use super::reading::Ask;
use crate::doubt::{Doubt, LOOKS};
use crate::failure::{Failure, FailureKind};

/// So far after now that nothing can have changed there.
const FAR: TimeDelta = TimeDelta::days(3650);

/// How often the answer has to hold orders before we believe that the filter is ignored: a single answer may go wrong.
/// If they are believed wrongly, the orders of the last days are read again for nothing, and no change is missed.
const WRONG_LOOKS: u32 = 2;

/// What the API does with `minUpdatedAt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdatedFilter {
    /// It filters.
    Honoured,
    /// It has no effect.
    Ignored,
    /// A question with it is not accepted.
    Refused,
}

/// The question, until it is answered.
#[derive(Debug)]
pub(super) struct Probe {
    query: Query,
    asking: bool,
    looks: u32,
    wrong: u32,
    verdict: Option<UpdatedFilter>,
}

impl Probe {
    /// For a selection; any will do.
    pub(super) fn new(selection: Selection, now: DateTime<Utc>) -> Self {
        let query = Query {
            min: None,
            max: None,
            sort: Sort::OldestFirst,
            page: None,
            page_size: 1,
            products: false,
            selection: Selection { updated_from: Some(now + FAR), ..selection },
        };
        Self { query, asking: false, looks: 0, wrong: 0, verdict: None }
    }

    /// What was found.
    pub(super) fn verdict(&self) -> Option<UpdatedFilter> {
        self.verdict
    }

    /// The question, unless it is under way or answered.
    pub(super) fn question(&mut self) -> Option<Ask> {
        if self.asking || self.verdict.is_some() {
            return None;
        }
        self.asking = true;
        self.looks += 1;
        // An answer that holds orders may well be right, so the second look does not wait.
        Some(Ask { query: self.query.clone(), look: self.looks - self.wrong })
    }

    /// Takes the answer.
    pub(super) fn answer(&mut self, answer: Result<Vec<Row>, Doubt>) -> Result<(), Failure> {
        self.asking = false;
        match answer {
            Ok(rows) if rows.is_empty() => self.verdict = Some(UpdatedFilter::Honoured),
            Ok(_) => self.went_wrong(),
            // It holds something, and was to be empty.
            Err(doubt) if doubt.kind == FailureKind::UpdatedFilter || doubt.kind.is_of_single_rows() => {
                self.went_wrong();
            }
            Err(doubt) if self.looks >= LOOKS => return Err(doubt.into_failure(NAME, self.looks)),
            Err(_) => (),
        }
        Ok(())
    }

    fn went_wrong(&mut self) {
        self.wrong += 1;
        if self.wrong >= WRONG_LOOKS {
            self.verdict = Some(UpdatedFilter::Ignored);
        }
    }

    /// The API did not accept the question.
    pub(super) fn refused(&mut self) {
        self.asking = false;
        self.verdict = Some(UpdatedFilter::Refused);
    }
}
