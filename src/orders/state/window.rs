//! Digests of what was written, by the hour of the draft. Pure.
//!
//! Some changes cannot be asked for: where the API does not filter by update time, and where it does not move that
//! time. Then the orders of the last days are read again. So that a month is not written anew each time, the state holds
//! a digest for each hour of the window (or for several hours, so that there are hardly ever more than a thousand): an hour
//! whose orders have the digest that the state holds is not written again.
//!
//! The digest of an hour is the sum of the digests of its records, so it does not depend on their order, and an hour
//! that was written in two parts has the sum of both.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::orders::api::page::Row;
use crate::orders::state::listing::Listing;
use crate::orders::state::saved_window::{Form, SavedWindow};

/// Most digests in a state: 16 kB of text. Only with hundreds of selections there are a few more.
const MOST: i64 = 1_000;

/// Spans of a digest, in hours.
const SPANS: [i64; 9] = [1, 2, 4, 8, 24, 72, 168, 720, 2_160];

/// Digests of the records before some instant, of the last days before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
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

    /// Adds a record that was read, and its digest.
    pub(crate) fn add(&mut self, selection: usize, row: &Row, digest: u64) {
        let span = self.span(row.at);
        let sum = self.digests[selection].entry(span).or_default();
        *sum = sum.wrapping_add(self.form.digest(row, digest));
    }

    /// Forgets what is known of a selection, which is read anew as a whole.
    pub(crate) fn forget(&mut self, selection: usize) {
        self.digests[selection].clear();
    }

    /// The digest of a span, if it was read whole; 0 for no order.
    pub(crate) fn of(&self, selection: usize, span: i64) -> Option<u64> {
        (span >= self.first).then(|| self.digests[selection].get(&span).copied().unwrap_or(0))
    }

    /// As it is in a state that says that everything before `cursor` is written. Forgets what is older. What is listed is a part
    /// of it only if `listed`.
    pub(crate) fn save(&mut self, cursor: DateTime<Utc>, listed: bool) -> SavedWindow {
        self.first = self.first.max(self.span(self.start(cursor)));
        for digests in &mut self.digests {
            *digests = digests.split_off(&self.first);
        }
        let (from, last) = (self.start_of(self.first), self.span(cursor));
        let known = |digests: &BTreeMap<i64, u64>| {
            (self.first..=last).map(|span| digests.get(&span).copied().unwrap_or(0)).collect()
        };
        SavedWindow {
            read_at: self.read_at,
            from,
            hours: self.hours,
            form: self.form,
            digests: self.digests.iter().map(known).collect(),
            listing: self.listing.as_mut().filter(|_| listed).map(|listing| listing.save(from, cursor)),
        }
    }

    /// Resumes from what [`Self::save`] gave, for a window of `days` and so many selections. None where that is not known: then
    /// everything is written again. `with_lines` says whether lines are followed.
    pub(crate) fn resume(
        saved: &SavedWindow,
        days: i64,
        selections: usize,
        with_lines: bool,
    ) -> Option<Self> {
        let mut window = Self::new(days, selections, saved.from, saved.read_at);
        window.form = saved.form;
        // With fewer partitions spans are shorter. The longer ones are kept until the window is read again.
        if saved.hours % window.hours == 0 {
            window.hours = saved.hours;
        }
        // With more, they are longer: digests are sums, so those of a longer one can be had.
        if window.hours % saved.hours != 0 || saved.digests.len() != window.digests.len() {
            return None;
        }
        let (first, times) =
            (saved.from.timestamp().div_euclid(saved.hours * 3_600), window.hours / saved.hours);
        window.first = first.div_euclid(times) + i64::from(first.rem_euclid(times) > 0);
        for (digests, saved) in window.digests.iter_mut().zip(&saved.digests) {
            for (span, digest) in (first..).zip(saved).filter(|(_, digest)| **digest != 0) {
                let sum = digests.entry(span.div_euclid(times)).or_default();
                *sum = sum.wrapping_add(*digest);
            }
        }
        window.listing = saved.listing.as_ref().and_then(|saved| Listing::resume(saved, days, with_lines));
        Some(window)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::orders::api::page::digest;
    use crate::orders::api::testing::row;

    pub(crate) fn at(hours: i64) -> DateTime<Utc> {
        row(hours * 3_600, 0).at
    }

    pub(crate) fn order(hours: i64, id: u64, content: &'static str) -> Row {
        Row { data: content.into(), ..row(hours * 3_600 + 5, id) }
    }

    pub(crate) fn window(orders: &[Row]) -> Window {
        let mut window = Window::new(2, 1, at(0), at(0));
        orders.iter().for_each(|order| window.add(0, order, digest(order)));
        window
    }

    #[test]
    fn a_window_is_read_as_it_was_written_and_forgets_what_is_too_old() {
        let orders = [order(0, 1, "a"), order(50, 2, "b"), order(50, 3, "c"), order(80, 4, "d")];
        let mut written = window(&orders);
        let saved = SavedWindow::parse(&written.save(at(81), true).write()).unwrap();
        let read = Window::resume(&saved, 2, 1, false).unwrap();
        assert_eq!(read, written);
        assert_eq!((read.of(0, read.span(at(0))), read.of(0, read.span(at(34)))), (None, Some(0)));
        assert!(read.of(0, read.span(at(50))).is_some_and(|digest| digest != 0));
    }

    #[test]
    fn a_window_that_is_cut_knows_whole_spans_before_the_cursor_only() {
        let hour = |hour: i64| row(hour * 3_600, 1);
        let mut window = Window::new(14, 1, hour(0).at, hour(9).at);
        (0..9).for_each(|number| window.add(0, &hour(number), digest(&hour(number))));
        let mut saved = window.save(hour(9).at, true);
        saved.cut(hour(4).at + TimeDelta::minutes(59));
        let cut = Window::resume(&saved, 14, 1, false).unwrap();
        let known = |number: i64| cut.of(0, cut.span(hour(number).at)) == Some(digest(&hour(number)));
        assert_eq!((0..9).filter(|number| known(*number)).collect::<Vec<_>>(), [0, 1, 2, 3]);
        saved.cut(hour(-4).at);
        assert_eq!(saved.digests, [[0; 0]], "not even the first one");
    }

    #[test]
    fn a_window_of_other_spans_is_not_known() {
        let saved = window(&[order(1, 1, "a")]).save(at(2), true);
        assert!(Window::resume(&saved, 2, 1, false).is_some());
        assert_eq!(Window::resume(&saved, 2, 2, false), None);
        let longer = Window::new(60, 1, at(0), at(0)).save(at(2), true);
        assert_eq!(Window::resume(&longer, 2, 1, false).unwrap().hours, 2, "longer spans are kept");
        assert_eq!(Window::resume(&SavedWindow { hours: 3, ..longer }, 60, 1, false), None);
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
                short.add(0, row, digest(row));
                long.add(0, row, digest(row));
            }
            let read = Window::resume(&short.save(hour(8, 0).at, true), 60, 1, false).unwrap();
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
            let text = window.save(at(24 * 365), true).write().to_string();
            assert!(text.len() < 24_000, "{days} days of {selections}: {} bytes", text.len());
        }
    }
}
