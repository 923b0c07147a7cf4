//! Digests of what was written, by the hour of the draft. Pure.
//!
//! Some changes cannot be asked for: where the API does not filter by update time, and where it does not move that
//! time. Then the orders of the last days are read again. So that a month is not written anew each time, the state holds
//! a digest for each hour of the window (or for several hours, so that there are hardly ever more than a thousand): an hour
//! whose orders have the digest that the state holds is not written again.
//!
//! The digest of an hour is the sum of the digests of its records, so it does not depend on their order, and an hour
//! that was written in two parts has the sum of both.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::orders::api::page::Row;
use crate::orders::api::page::{digest, digest_of_bytes};
use crate::orders::state::lagging::LaggingDetails;
use crate::orders::state::listing::Listing;
use crate::timestamp;

/// Most digests in a state: 16 kB of text. Only with hundreds of selections there are a few more.
const MOST: i64 = 1_000;

/// Spans of a digest, in hours.
const SPANS: [i64; 9] = [1, 2, 4, 8, 24, 72, 168, 720, 2_160];

/// Marks [`Form::Content`] in a state.
const CONTENT: u64 = 2;

/// Digits of a digest in the state.
const DIGITS: usize = 16;

/// What the digests of a state are digests of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Of the bytes of records, until the window is read again: states of version 0.3.0 and before.
    Bytes,
    /// Of what records say.
    Content,
}

impl Form {
    pub(super) fn digest(self, row: &Row) -> u64 {
        match self {
            Self::Bytes => digest_of_bytes(row),
            Self::Content => digest(row),
        }
    }
}

/// Digests of the records before some instant, of the last days before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub(super) days: i64,
    pub(super) hours: i64,
    pub(super) form: Form,
    /// When the whole window was read last.
    pub(crate) read_at: DateTime<Utc>,
    /// For each selection, by the number of the span since 1970. A span that is not there held no order, or was not
    /// read.
    digests: Vec<BTreeMap<i64, u64>>,
    /// The first span that was read whole.
    first: i64,
    /// What is listed; none where it is not known.
    pub(crate) listing: Option<Listing>,
}

impl Window {
    /// An empty one of `days`, for so many selections, that will know everything from `start` on; nothing before it is
    /// ever read.
    pub(crate) fn new(days: i64, selections: usize, start: DateTime<Utc>, read_at: DateTime<Utc>) -> Self {
        let selections = selections.max(1);
        let each = MOST / i64::try_from(selections).unwrap_or(MOST);
        let hours =
            SPANS.into_iter().find(|hours| days * 24 / hours + 2 <= each).unwrap_or(SPANS[SPANS.len() - 1]);
        let digests = vec![BTreeMap::new(); selections];
        let mut window = Self { days, hours, form: Form::Content, read_at, digests, first: 0, listing: None };
        window.first = window.span(start);
        window
    }

    /// The same, where the first span is not read as a whole.
    pub(crate) fn without_its_first_span(mut self) -> Self {
        self.first += 1;
        self
    }

    /// The same, which also knows what is listed.
    pub(crate) fn with(self, listing: Option<Listing>) -> Self {
        Self { listing, ..self }
    }

    /// What is gone is marked as deleted. Should it be listed again, it has to be written again: its span has no digest that
    /// orders have.
    pub(crate) fn doubt_span(&mut self, at: DateTime<Utc>) {
        let span = self.span(at);
        for digests in &mut self.digests {
            let digest = digests.entry(span).or_default();
            *digest = digest.wrapping_add(1);
        }
    }

    /// The span that holds an instant.
    pub(crate) fn span(&self, at: DateTime<Utc>) -> i64 {
        at.timestamp().div_euclid(self.hours * 3_600)
    }

    /// Where a span starts.
    pub(crate) fn start_of(&self, span: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(span * self.hours * 3_600, 0).unwrap_or_default()
    }

    /// Where the window of everything before `cursor` starts.
    pub(crate) fn start(&self, cursor: DateTime<Utc>) -> DateTime<Utc> {
        self.start_of(self.span(cursor - TimeDelta::days(self.days)))
    }

    /// Adds a record that was read.
    pub(crate) fn add(&mut self, selection: usize, row: &Row) {
        let span = self.span(row.at);
        let sum = self.digests[selection].entry(span).or_default();
        *sum = sum.wrapping_add(self.form.digest(row));
    }

    /// Forgets what is known of a selection, which is read anew as a whole.
    pub(crate) fn forget(&mut self, selection: usize) {
        self.digests[selection].clear();
    }

    /// The digest of a span, if it was read whole; 0 for no order.
    pub(crate) fn of(&self, selection: usize, span: i64) -> Option<u64> {
        (span >= self.first).then(|| self.digests[selection].get(&span).copied().unwrap_or(0))
    }

    /// As it is in a state that says that everything before `cursor` is written. Forgets what is older.
    pub(crate) fn write(&mut self, cursor: DateTime<Utc>) -> Value {
        self.first = self.first.max(self.span(self.start(cursor)));
        let last = self.span(cursor);
        let text = |digests: &BTreeMap<i64, u64>| -> String {
            (self.first..=last)
                .map(|span| format!("{:016x}", digests.get(&span).copied().unwrap_or(0)))
                .collect()
        };
        let digests: Vec<String> = self.digests.iter().map(text).collect();
        for digests in &mut self.digests {
            *digests = digests.split_off(&self.first);
        }
        let mut state = json!({
            "readAt": timestamp::write(self.read_at),
            "from": timestamp::write(self.start_of(self.first)),
            "hours": self.hours,
            "digests": digests,
        });
        if self.form == Form::Content {
            state["form"] = CONTENT.into();
        }
        state
    }

    /// Adds what is listed to what [`Self::write`] wrote for the same `cursor`.
    pub(crate) fn write_listing(&mut self, state: &mut Value, cursor: DateTime<Utc>) {
        let start = self.start_of(self.first);
        if let Some(listing) = &mut self.listing {
            listing.write(state, start, cursor);
        }
    }

    /// What is in a state, cut for an earlier `cursor`. Of the span that holds it only a part is before it, so nothing is
    /// known of that span any more.
    pub(crate) fn cut(state: &mut Value, cursor: DateTime<Utc>) {
        let from = state["from"].as_str().and_then(timestamp::parse);
        let Some((from, hours)) = from.zip(state["hours"].as_i64().filter(|hours| *hours > 0)) else {
            return;
        };
        let spans = usize::try_from((cursor - from).num_seconds() / (hours * 3_600)).unwrap_or(0);
        Listing::forget(state);
        for digests in state["digests"].as_array_mut().into_iter().flatten() {
            if let Value::String(text) = digests {
                text.truncate(spans * DIGITS);
            }
        }
    }

    /// In what is in a state, the spans of orders that were late have digests that no orders have.
    pub(crate) fn doubt(state: &mut Value, late: &LaggingDetails) {
        let time = |field: &str| state[field].as_str().and_then(timestamp::parse);
        let Some((from, read_at)) = time("from").zip(time("readAt")) else { return };
        let Some(hours) = state["hours"].as_i64().filter(|hours| *hours > 0) else { return };
        let number =
            |hour: i64| usize::try_from((hour - from.timestamp().div_euclid(3_600)).div_euclid(hours));
        let spans: BTreeSet<usize> = late.hours(read_at).filter_map(|hour| number(hour).ok()).collect();
        for digests in state["digests"].as_array_mut().into_iter().flatten() {
            let Value::String(text) = digests else { continue };
            for start in spans.iter().map(|span| span * DIGITS) {
                if let Some(Ok(digest)) =
                    text.get(start..start + DIGITS).map(|text| u64::from_str_radix(text, 16))
                {
                    text.replace_range(start..start + DIGITS, &format!("{:016x}", !digest));
                }
            }
        }
    }

    /// What two states have in common, as it is in a state. Where their digests differ, something is written that no
    /// span has as its digest.
    pub(crate) fn in_common(one: &Value, other: &Value) -> Value {
        let digests = |value: &Value| -> Option<Vec<String>> {
            value["digests"].as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let spans = |value: &Value| (value["form"].clone(), value["from"].clone(), value["hours"].clone());
        let (Some(mut mine), Some(theirs)) = (digests(one), digests(other)) else { return Value::Null };
        let lengths = |texts: &[String]| texts.iter().map(String::len).collect::<Vec<_>>();
        if spans(one) != spans(other) || lengths(&mine) != lengths(&theirs) {
            return Value::Null;
        }
        for (mine, theirs) in mine.iter_mut().zip(&theirs) {
            let pairs = mine.as_bytes().chunks(DIGITS).zip(theirs.as_bytes().chunks(DIGITS));
            let common = |(one, other): (&[u8], &[u8])| {
                if one == other {
                    String::from_utf8_lossy(one).into_owned()
                } else {
                    format!("{:016x}", xxh3_64(&[one, other].concat()))
                }
            };
            *mine = pairs.map(common).collect();
        }
        // The one that was read earlier is to be read again earlier; the texts of states sort like their times.
        let read_at = |value: &Value| value["readAt"].as_str().unwrap_or_default().to_owned();
        let mut common = one.clone();
        common["readAt"] = read_at(one).min(read_at(other)).into();
        common["digests"] = mine.into();
        Listing::in_common(&mut common, one, other);
        common
    }

    /// Reads what [`Self::write`] wrote, for a window of `days` and so many selections. None for anything else: then
    /// nothing is known, and everything is written again. `with_lines` says whether lines are followed.
    pub(crate) fn parse(value: &Value, days: i64, selections: usize, with_lines: bool) -> Option<Self> {
        let from = timestamp::parse(value["from"].as_str()?)?;
        let read_at = timestamp::parse(value["readAt"].as_str()?)?;
        let mut window = Self::new(days, selections, from, read_at);
        let texts = value["digests"].as_array()?;
        window.form = match &value["form"] {
            Value::Null => Form::Bytes,
            form if *form == CONTENT => Form::Content,
            _ => return None,
        };
        // With more partitions spans are longer. Digests are sums, so those of a longer one can be had, but not of a shorter.
        let hours = value["hours"].as_i64().filter(|hours| *hours > 0 && window.hours % hours == 0)?;
        if texts.len() != window.digests.len() {
            return None;
        }
        let (first, times) = (from.timestamp().div_euclid(hours * 3_600), window.hours / hours);
        window.first = first.div_euclid(times) + i64::from(first.rem_euclid(times) > 0);
        for (digests, text) in window.digests.iter_mut().zip(texts) {
            for (span, digits) in (first..).zip(text.as_str()?.as_bytes().chunks(DIGITS)) {
                let digest = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                if digest != 0 {
                    let sum = digests.entry(span.div_euclid(times)).or_default();
                    *sum = sum.wrapping_add(digest);
                }
            }
        }
        window.listing = Listing::parse(value, days, with_lines);
        Some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::testing::row;

    fn at(hours: i64) -> DateTime<Utc> {
        row(hours * 3_600, 0).at
    }

    fn order(hours: i64, id: u64, content: &'static str) -> Row {
        Row { data: content.into(), ..row(hours * 3_600 + 5, id) }
    }

    fn window(orders: &[Row]) -> Window {
        let mut window = Window::new(2, 1, at(0), at(0));
        orders.iter().for_each(|order| window.add(0, order));
        window
    }

    #[test]
    fn a_window_is_read_as_it_was_written_and_forgets_what_is_too_old() {
        let orders = [order(0, 1, "a"), order(50, 2, "b"), order(50, 3, "c"), order(80, 4, "d")];
        let mut written = window(&orders);
        let value = written.write(at(81));
        let read = Window::parse(&value, 2, 1, false).unwrap();
        assert_eq!(read, written);
        assert_eq!((read.of(0, read.span(at(0))), read.of(0, read.span(at(34)))), (None, Some(0)));
        assert!(read.of(0, read.span(at(50))).is_some_and(|digest| digest != 0));
    }

    #[test]
    fn a_window_that_is_cut_knows_whole_spans_before_the_cursor_only() {
        let hour = |hour: i64| row(hour * 3_600, 1);
        let mut window = Window::new(14, 1, hour(0).at, hour(9).at);
        (0..9).for_each(|number| window.add(0, &hour(number)));
        let mut state = window.write(hour(9).at);
        Window::cut(&mut state, hour(4).at + TimeDelta::minutes(59));
        let cut = Window::parse(&state, 14, 1, false).unwrap();
        let known = |number: i64| cut.of(0, cut.span(hour(number).at)) == Some(digest(&hour(number)));
        assert_eq!((0..9).filter(|number| known(*number)).collect::<Vec<_>>(), [0, 1, 2, 3]);
        Window::cut(&mut state, hour(-4).at);
        assert_eq!(state["digests"][0], "", "not even the first one");
    }

    #[test]
    fn a_window_of_another_form_is_not_known() {
        let value = window(&[order(1, 1, "a")]).write(at(2));
        assert!(Window::parse(&value, 2, 1, false).is_some());
        assert_eq!(Window::parse(&value, 2, 2, false), None);
        let longer = Window::new(60, 1, at(0), at(0)).write(at(2));
        assert_eq!(
            Window::parse(&longer, 2, 1, false),
            None,
            "of its spans, which are longer, the halves are not known"
        );
        for wrong in
            [json!(null), json!({}), json!({"from": "x", "readAt": "y", "hours": 1, "digests": [""]})]
        {
            assert_eq!(Window::parse(&wrong, 2, 1, false), None);
        }
    }

    #[test]
    fn longer_spans_are_the_sums_of_shorter_ones_but_for_a_first_half() {
        let hour = |hour: i64, id: u64| row(hour * 3_600, id);
        let rows: Vec<Row> = (0..8).flat_map(|number| [hour(number, 1), hour(number, 2)]).collect();
        for first in [0, 1] {
            let mut short = Window::new(14, 1, hour(first, 0).at, at(0));
            let mut long = Window::new(60, 1, hour(first, 0).at, at(0));
            assert_eq!((short.hours, long.hours), (1, 2));
            for row in rows.iter().filter(|row| row.at >= hour(first, 0).at) {
                short.add(0, row);
                long.add(0, row);
            }
            let read = Window::parse(&short.write(hour(8, 0).at), 60, 1, false).unwrap();
            let spans = |window: &Window| -> Vec<Option<u64>> {
                (0..8).step_by(2).map(|number| window.of(0, window.span(hour(number, 0).at))).collect()
            };
            let (read, long) = (spans(&read), spans(&long));
            assert_eq!(read[0].is_some(), first == 0);
            assert_eq!(read[1..], long[1..]);
        }
    }

    #[test]
    fn a_state_never_holds_more_than_a_thousand_digests() {
        for (days, selections) in [(1, 1), (14, 1), (90, 1), (14, 30), (90, 400)] {
            let mut window = Window::new(days, selections, at(0), at(0));
            let text = window.write(at(24 * 365)).to_string();
            assert!(text.len() < 24_000, "{days} days of {selections}: {} bytes", text.len());
        }
    }
}
