//! A window as a state holds it: what is known of it whatever the configuration of the sync that resumes from it. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::orders::api::page::{Row, digest_of_bytes};
use crate::orders::state::digests;
use crate::orders::state::lagging::LaggingDetails;
use crate::orders::state::listing::SavedListing;
use crate::timestamp;

/// Marks [`Form::Content`] in a state.
const CONTENT: u64 = 2;

/// What the digests of a state are digests of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Of the bytes of records, until the window is read again: states of version 0.3.0 and before.
    Bytes,
    /// Of what records say.
    Content,
}

impl Form {
    /// The digest of a row whose record has the digest `content`.
    pub(super) fn digest(self, row: &Row, content: u64) -> u64 {
        match self {
            Self::Bytes => digest_of_bytes(row),
            Self::Content => content,
        }
    }
}

/// See the module, and [`Window`](super::window::Window).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedWindow {
    /// When the whole window was read last.
    pub(crate) read_at: DateTime<Utc>,
    /// Where the first span starts.
    pub(crate) from: DateTime<Utc>,
    /// The hours in a span, at least one.
    pub(crate) hours: i64,
    pub(crate) form: Form,
    /// For each partition, the digest of each span from `from` on. Of the spans beyond, nothing is known.
    pub(crate) digests: Vec<Vec<u64>>,
    /// What is listed; none where it is not known.
    pub(crate) listing: Option<SavedListing>,
}

impl SavedWindow {
    /// Reads what [`Self::write`] wrote. None for anything else: then nothing is known.
    pub(crate) fn parse(value: &Value) -> Option<Self> {
        let time = |field: &str| value[field].as_str().and_then(timestamp::parse);
        let form = match &value["form"] {
            Value::Null => Form::Bytes,
            form if *form == CONTENT => Form::Content,
            _ => return None,
        };
        let texts = value["digests"].as_array()?.iter();
        Some(Self {
            read_at: time("readAt")?,
            from: time("from")?,
            hours: value["hours"].as_i64().filter(|hours| *hours > 0)?,
            form,
            digests: texts.map(|text| digests::read(text.as_str()?)).collect::<Option<_>>()?,
            listing: SavedListing::parse(value),
        })
    }

    /// As it is in a state.
    pub(crate) fn write(&self) -> Value {
        let texts: Vec<String> = self.digests.iter().map(digests::write).collect();
        let mut state = json!({
            "readAt": timestamp::write(self.read_at),
            "from": timestamp::write(self.from),
            "hours": self.hours,
            "digests": texts,
        });
        if self.form == Form::Content {
            state["form"] = CONTENT.into();
        }
        if let Some(listing) = &self.listing {
            listing.write(&mut state);
        }
        state
    }

    /// Cuts it for an earlier `cursor`. Of the span that holds it only a part is before it, so nothing is known of that span
    /// any more.
    pub(crate) fn cut(&mut self, cursor: DateTime<Utc>) {
        let spans = usize::try_from((cursor - self.from).num_seconds() / (self.hours * 3_600)).unwrap_or(0);
        self.listing = None;
        self.digests.iter_mut().for_each(|digests| digests.truncate(spans));
    }

    /// Gives the spans of orders that were late digests that no orders have.
    pub(crate) fn doubt(&mut self, late: &LaggingDetails) {
        let first = self.from.timestamp().div_euclid(3_600);
        let number = |hour: i64| usize::try_from((hour - first).div_euclid(self.hours)).ok();
        let spans: BTreeSet<usize> = late.hours(self.read_at).filter_map(number).collect();
        for digests in &mut self.digests {
            for span in &spans {
                if let Some(digest) = digests.get_mut(*span) {
                    *digest = !*digest;
                }
            }
        }
    }

    /// What two windows have in common; none where they are of other spans. Where their digests differ, it has one that no
    /// span has.
    pub(crate) fn in_common(one: &Self, other: &Self) -> Option<Self> {
        let lengths = |window: &Self| window.digests.iter().map(Vec::len).collect::<Vec<_>>();
        let spans = |window: &Self| (window.form, window.from, window.hours, lengths(window));
        if spans(one) != spans(other) {
            return None;
        }
        let common = |(one, other): (&u64, &u64)| {
            if one == other { *one } else { xxh3_64(digests::write([one, other]).as_bytes()) }
        };
        let pairs = one.digests.iter().zip(&other.digests);
        Some(Self {
            // The one that was read earlier is to be read again earlier.
            read_at: one.read_at.min(other.read_at),
            digests: pairs.map(|(one, other)| one.iter().zip(other).map(common).collect()).collect(),
            listing: SavedListing::in_common(one.listing.as_ref(), other.listing.as_ref()),
            ..one.clone()
        })
    }

    /// It, of the partitions `ours`, where it is of `theirs`. Of others than these nothing is known.
    pub(crate) fn of_partitions(&self, theirs: &[String], ours: &[String]) -> Self {
        if theirs == ours {
            return self.clone();
        }
        let place = |name: &String| theirs.iter().position(|partition| partition == name);
        let of = |name| place(name).and_then(|place| self.digests.get(place)).cloned().unwrap_or_default();
        let digests = if theirs.is_empty() { self.digests.clone() } else { ours.iter().map(of).collect() };
        // What is listed of other partitions says nothing of these.
        Self { digests, listing: None, ..self.clone() }
    }

    /// How many digests it has.
    pub(crate) fn digests(&self) -> usize {
        self.digests.iter().map(Vec::len).sum()
    }

    /// It, and so many partitions more, of which `other` knows the digests. What is listed is not known then.
    pub(crate) fn with(&self, other: Option<&Self>, partitions: usize) -> Self {
        let longest = self.digests.iter().map(Vec::len).max().unwrap_or(0);
        let other = other.filter(|other| {
            let known = |digests: &Vec<u64>| !digests.is_empty();
            self.form == other.form && self.hours % other.hours == 0 && other.digests.iter().all(known)
        });
        let seconds = self.hours * 3_600;
        let first = self.from.timestamp().div_euclid(seconds);
        let sums = |digests: &Vec<u64>, from: DateTime<Utc>, hours: i64| {
            let mut sums = vec![0_u64; longest];
            for (number, digest) in (0..).zip(digests) {
                let span = (from.timestamp() + number * hours * 3_600).div_euclid(seconds) - first;
                if let Some(sum) = usize::try_from(span).ok().and_then(|span| sums.get_mut(span)) {
                    *sum = sum.wrapping_add(*digest);
                }
            }
            sums
        };
        let added: Vec<Vec<u64>> = match other {
            Some(other) => {
                other.digests.iter().map(|digests| sums(digests, other.from, other.hours)).collect()
            }
            None => vec![Vec::new(); partitions],
        };
        Self {
            // The one that was read earlier is to be read again earlier.
            read_at: other.map_or(self.read_at, |other| self.read_at.min(other.read_at)),
            digests: [self.digests.clone(), added].concat(),
            listing: None,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_other_spans_have_nothing_in_common() {
        let window = json!({"readAt": "2025-11-04T00:00:00.000Z", "from": "2025-11-05T00:00:00.000Z", "hours": 1, "digests": ["00"]});
        let parse = |value: &Value| SavedWindow::parse(value).unwrap();
        assert!(SavedWindow::in_common(&parse(&window), &parse(&window)).is_some());
        for (field, value) in [
            ("hours", json!(2)),
            ("from", json!("2025-11-06T00:00:00.000Z")),
            ("digests", json!(["00", "00"])),
            ("digests", json!([])),
            ("form", json!(2)),
        ] {
            let mut other = window.clone();
            other[field] = value;
            assert_eq!(SavedWindow::in_common(&parse(&window), &parse(&other)), None, "{field}");
        }
    }

    #[test]
    fn a_window_of_another_form_is_not_known() {
        for wrong in [
            json!(null),
            json!({}),
            json!({"from": "x", "readAt": "y", "hours": 1, "digests": [""]}),
            json!({"from": "2025-11-05T00:00:00Z", "readAt": "2025-11-05T00:00:00Z", "hours": 0, "digests": [""]}),
            json!({"from": "2025-11-05T00:00:00Z", "readAt": "2025-11-05T00:00:00Z", "hours": 1, "digests": ["x"]}),
            json!({"from": "2025-11-05T00:00:00Z", "readAt": "2025-11-05T00:00:00Z", "hours": 1, "digests": [""], "form": 3}),
        ] {
            assert_eq!(SavedWindow::parse(&wrong), None, "{wrong}");
        }
    }
}
