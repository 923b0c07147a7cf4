//! Orders whose own page was late, or not there: no digest may take them for written. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

/// So long after its last change a page of an order may be late. What is older or not there after that is so for good, and is not
/// asked for in each sync.
const LATEST: TimeDelta = TimeDelta::days(2);

/// The hours since 1970 in which they were drafted, and the last change of those.
#[derive(Debug, Default)]
pub(crate) struct LaggingDetails(BTreeMap<i64, DateTime<Utc>>);

impl LaggingDetails {
    /// The page of an order that was drafted at `at` was late.
    pub(crate) fn note(&mut self, at: DateTime<Utc>, updated: Option<DateTime<Utc>>) {
        let changed = updated.map_or(at, |updated| updated.max(at));
        let hour = self.0.entry(at.timestamp().div_euclid(3_600)).or_insert(changed);
        *hour = changed.max(*hour);
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hours that matter to a sync which reads a window again that was read at `read_at`.
    pub(crate) fn hours(&self, read_at: DateTime<Utc>) -> impl Iterator<Item = i64> {
        self.0.iter().filter(move |(_, changed)| **changed + LATEST >= read_at).map(|(hour, _)| *hour)
    }
}
