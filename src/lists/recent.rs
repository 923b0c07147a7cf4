//! What of the newest rows of a list is handled, as a state holds it. Pure.
//!
//! The cursor of a list is the time of the newest change that was seen. Nothing says that all rows which were changed before it
//! were seen, too: a list has no documented order by update time, and two responses in a row that are cut behind the same row
//! look like its end. So the state names the newest rows one by one. The next sync asks from the oldest of them on, and a row
//! that is not among them was overlooked.
//!
//! Of each row the last change counts, so that rows which change often take no more places than others. Rows of stores that are
//! not configured take places as well: the number of rows is what the next sync reads once more.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::timestamp::{self, MILLISECOND};

/// Most rows that are named. With what is new since, they fit in one page of the documented maximum, 200 rows, as a rule; and
/// they make a state some 3 kB long.
const MOST: usize = 64;

/// The rows that were changed at or after a time, and what was made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recent {
    /// A whole millisecond. All rows that were seen and were changed at or after it are named.
    from: DateTime<Utc>,
    /// When they were changed, to the millisecond, by a digest of the id and of whether they are written.
    rows: BTreeMap<u64, DateTime<Utc>>,
}

impl Recent {
    /// Of rows that were changed at or after `from` none is handled.
    pub(crate) fn since(from: DateTime<Utc>) -> Self {
        Self { from: from.trunc_subsecs(3), rows: BTreeMap::new() }
    }

    /// Rows that were changed before it are not named.
    pub(crate) fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// The same for rows that were changed at or after another time: of those before `from`, if there are any, none is handled.
    #[must_use]
    pub(crate) fn seen_from(mut self, from: DateTime<Utc>) -> Self {
        self.from = from.trunc_subsecs(3);
        self.rows.retain(|_, updated| *updated >= self.from);
        self
    }

    /// Whether a row is not written as it was at `updated` or later, although it would be named.
    pub(crate) fn lacks(&self, id: &str, updated: DateTime<Utc>) -> bool {
        let updated = updated.trunc_subsecs(3);
        updated >= self.from && self.rows.get(&digest(id, true)).is_none_or(|known| *known < updated)
    }

    /// A row was seen, and is written, or was left out.
    pub(crate) fn note(&mut self, id: &str, updated: DateTime<Utc>, is_written: bool) {
        let updated = updated.trunc_subsecs(3);
        if updated < self.from {
            return;
        }
        self.rows.remove(&digest(id, !is_written));
        let known = self.rows.entry(digest(id, is_written)).or_insert(updated);
        *known = updated.max(*known);
        self.shorten();
    }

    /// Rows of one millisecond are named together, or not at all.
    fn shorten(&mut self) {
        while self.rows.len() > MOST
            && let Some(oldest) = self.rows.values().min().copied()
        {
            self.rows.retain(|_, updated| *updated > oldest);
            self.from = oldest + MILLISECOND;
        }
    }

    /// Reads what [`Self::write`] wrote. Where anything else is, nothing is known.
    pub(crate) fn parse(state: &Value) -> Option<Self> {
        let time = |value: &Value| value.as_str().and_then(timestamp::parse);
        let row = |(digest, updated): (&String, &Value)| {
            Some((u64::from_str_radix(digest, 16).ok()?, time(updated)?))
        };
        let from = time(&state["from"])?;
        let rows: Option<BTreeMap<u64, DateTime<Utc>>> = state["rows"].as_object()?.iter().map(row).collect();
        let mut recent = Self { from, rows: rows? };
        recent.shorten();
        Some(recent)
    }

    /// As it is in a state.
    pub(crate) fn write(&self) -> Value {
        let row = |(digest, updated): (&u64, &DateTime<Utc>)| {
            (format!("{digest:016x}"), Value::from(timestamp::write(*updated)))
        };
        let rows: serde_json::Map<String, Value> = self.rows.iter().map(row).collect();
        json!({"from": timestamp::write(self.from), "rows": rows})
    }
}

/// No id begins with a zero. (Under two seeds next to each other, the digests of two short ids can be the same.)
fn digest(id: &str, is_written: bool) -> u64 {
    if is_written { xxh3_64(id.as_bytes()) } else { xxh3_64(format!("\0{id}").as_bytes()) }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn start() -> DateTime<Utc> {
        timestamp::parse("2025-11-01T00:00:00Z").unwrap()
    }

    fn after(micros: i64) -> DateTime<Utc> {
        start() + TimeDelta::microseconds(micros)
    }

    #[test]
    fn what_was_not_noted_is_lacking_and_what_changed_since() {
        let mut recent = Recent::since(after(5_000));
        recent.note("written", after(7_250), true);
        recent.note("left out", after(7_000), false);
        recent.note("too old", after(4_999), true);
        for (id, micros, lacks) in [
            ("written", 7_900, false),
            ("written", 6_000, false),
            ("written", 8_000, true),
            ("left out", 7_000, true),
            ("never seen", 5_000, true),
            ("never seen", 4_999, false),
            ("too old", 4_999, false),
        ] {
            assert_eq!(recent.lacks(id, after(micros)), lacks, "{id} {micros}");
        }
        recent.note("left out", after(7_000), true);
        assert!(!recent.lacks("left out", after(7_000)));
    }

    #[test]
    fn the_newest_are_kept_and_those_of_one_millisecond_together() {
        let mut recent = Recent::since(start());
        // Two rows each millisecond, in whatever order.
        for n in (0..80_i64).rev().chain(80..160) {
            recent.note(&n.to_string(), after(n / 2 * 1_000), true);
        }
        assert_eq!((recent.rows.len(), recent.from), (MOST, after(48_000)));
        assert!((96..160).all(|n: i64| !recent.lacks(&n.to_string(), after(n / 2 * 1_000))));
        recent.note("one more", after(80_000), true);
        assert_eq!((recent.rows.len(), recent.from), (MOST - 1, after(49_000)));
        // Rows that change take no further places.
        for n in 0..500 {
            recent.note("one more", after(80_000 + n), true);
        }
        assert_eq!((recent.rows.len(), recent.from), (MOST - 1, after(49_000)));
    }

    #[test]
    fn more_rows_of_one_millisecond_than_are_named_are_none() {
        let mut recent = Recent::since(start());
        for n in 0..100 {
            recent.note(&n.to_string(), after(n), true);
        }
        assert_eq!(recent, Recent::since(after(1_000)));
    }

    #[test]
    fn what_is_written_is_read_and_anything_else_says_nothing() {
        let mut recent = Recent::since(start());
        recent.note("7", after(7_250), true);
        let state = recent.write();
        assert_eq!(state["from"], "2025-11-01T00:00:00.000Z");
        assert_eq!(Recent::parse(&state), Some(recent));
        for wrong in [
            Value::Null,
            json!({"from": "2025-11-01T00:00:00Z"}),
            json!({"from": "soon", "rows": {}}),
            json!({"from": "2025-11-01T00:00:00Z", "rows": {"z": "2025-11-01T00:00:00Z"}}),
            json!({"from": "2025-11-01T00:00:00Z", "rows": {"7": 3}}),
        ] {
            assert_eq!(Recent::parse(&wrong), None, "{wrong}");
        }
        let long: serde_json::Map<String, Value> = (0..500_i64)
            .map(|n| (format!("{n:x}"), Value::from(timestamp::write(after(n * 1_000)))))
            .collect();
        let long = Recent::parse(&json!({"from": "2025-11-01T00:00:00Z", "rows": long})).unwrap();
        assert_eq!((long.rows.len(), long.from), (MOST, after(436_000)));
    }
}
