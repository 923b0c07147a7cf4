//! Whether the API filters by update time, which is documented and not proven. Pure.
//!
//! Asked with a request whose response must be empty: what has changed ten years from now. Not where the last sweep has proved
//! it: see `sync::sweep`.

use chrono::{DateTime, TimeDelta, Utc};

use crate::doubt::{Doubt, MAX_ATTEMPTS};
use crate::failure::{Failure, FailureKind};
use crate::orders::NAME;
use crate::orders::api::page::Row;
use crate::orders::api::query::Request;
use crate::orders::api::query::{Query, Selection, Sort};

/// So far after now that nothing can have changed there.
const FAR: TimeDelta = TimeDelta::days(3650);

/// How often the response has to hold orders before we believe that the filter is ignored: a single response may go wrong.
/// If they are believed wrongly, the orders of the last days are read again for nothing, and no change is missed.
const WRONG_LOOKS: u32 = 2;

/// What the API does with `minUpdatedAt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpdatedFilter {
    /// It filters.
    Honoured,
    /// It has no effect.
    Ignored,
    /// A request with it is not accepted.
    Refused,
}

/// The request, until it is answered.
#[derive(Debug)]
pub(crate) struct FilterProbe {
    query: Query,
    asking: bool,
    attempts: u32,
    wrong: u32,
    verdict: Option<UpdatedFilter>,
}

impl FilterProbe {
    /// For a selection; any will do.
    pub(crate) fn new(selection: Selection, now: DateTime<Utc>) -> Self {
        let query = Query {
            min: None,
            max: None,
            sort: Sort::OldestFirst,
            page: None,
            page_size: 1,
            products: false,
            selection: Selection { updated_from: Some(now + FAR), ..selection },
        };
        Self { query, asking: false, attempts: 0, wrong: 0, verdict: None }
    }

    /// What was found.
    pub(crate) fn verdict(&self) -> Option<UpdatedFilter> {
        self.verdict
    }

    /// The request, unless it is under way or answered.
    pub(crate) fn request(&mut self) -> Option<Request> {
        if self.asking || self.verdict.is_some() {
            return None;
        }
        self.asking = true;
        self.attempts += 1;
        // A response that holds orders may well be right, so the second look does not wait.
        Some(Request { query: self.query.clone(), attempt: self.attempts - self.wrong })
    }

    /// Takes the response.
    pub(crate) fn answer(&mut self, answer: Result<Vec<Row>, Doubt>) -> Result<(), Failure> {
        self.asking = false;
        match answer {
            Ok(rows) if rows.is_empty() => self.verdict = Some(UpdatedFilter::Honoured),
            Ok(_) => self.went_wrong(),
            // It holds something, and was to be empty.
            Err(doubt) if doubt.kind == FailureKind::UpdatedFilter || doubt.kind.is_of_single_rows() => {
                self.went_wrong();
            }
            Err(doubt) if self.attempts >= MAX_ATTEMPTS => {
                return Err(doubt.into_failure(NAME, self.attempts));
            }
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

    /// The API did not accept the request.
    pub(crate) fn refused(&mut self) {
        self.asking = false;
        self.verdict = Some(UpdatedFilter::Refused);
    }
}
