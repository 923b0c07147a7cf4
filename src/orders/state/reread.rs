//! Reading the last days again: what has changed in them passes, by the hour. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::orders::api::page::Row;
use crate::orders::state::inventory::Items;
use crate::orders::state::missing::{Finding, MissingSearch};
use crate::orders::state::saved_window::Form;
use crate::orders::state::window::Window;

/// Most bytes of records that wait for the end of their span.
const LARGEST_SPAN: usize = 16 * 1024 * 1024;

/// The records of one span that wait for its end.
#[derive(Debug, Default)]
struct PendingSpan {
    rows: Vec<Row>,
    bytes: usize,
    digest: u64,
}

/// Reading again what a state says is written: lets through what has changed.
#[derive(Debug)]
pub(crate) struct RereadFilter {
    /// What was written.
    written: Option<Window>,
    /// Everything before it was written.
    cursor: DateTime<Utc>,
    /// By selection, and by span.
    waiting: Vec<BTreeMap<i64, PendingSpan>>,
    /// How much was read again, and how much of it is written again.
    pub(crate) again: Again,
    /// The search for what is no longer listed, while it is read again.
    search: Option<MissingSearch>,
}

/// What a reading again came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Again {
    /// Orders that were read again.
    pub(crate) read: u64,
    /// Those of them that are written again: all orders of each span in which something differs.
    pub(crate) written: u64,
    /// Spans that were read again.
    pub(crate) spans: u64,
    /// Those of them in which something differs.
    pub(crate) differing: u64,
    /// The hours in a span.
    pub(crate) hours: i64,
    /// Nothing was known of what had been written.
    pub(crate) blind: bool,
}

impl RereadFilter {
    /// Against what `written` knows of the records before `cursor`.
    pub(crate) fn since(written: Option<Window>, cursor: DateTime<Utc>, selections: usize) -> Self {
        let again = Again { blind: written.is_none(), ..Again::default() };
        let waiting = (0..selections).map(|_| BTreeMap::new()).collect();
        Self { written, cursor, waiting, again, search: None }
    }

    /// The same, which also looks for what is no longer listed, in what is drafted from `start` on.
    pub(crate) fn seeking(self, start: DateTime<Utc>) -> Self {
        let written = self.written.as_ref();
        let search = written.and_then(|written| Some(written.listing.as_ref()?.search(written.days, start)));
        Self { search, ..self }
    }

    /// Whether it looks for what is no longer listed.
    pub(crate) fn seeks(&self) -> bool {
        self.search.is_some()
    }

    /// What was written before the cursor and is not listed, once all of it was read again at `now`. None, where that cannot be
    /// told: nothing was known, or it was asked before.
    pub(crate) fn missing(&mut self, now: DateTime<Utc>) -> Option<Finding> {
        let search = self.search.take()?;
        let written = self.written.as_ref()?.listing.as_ref()?;
        Some(search.finish(&written.inventory, self.cursor, now))
    }

    /// Takes a row that was read, with its digest, and gives it back if it is behind the cursor. `window` is the one that is
    /// filled; `items` are what the row has, where it is known what is listed.
    pub(crate) fn hold(
        &mut self,
        selection: usize,
        row: Row,
        digest: u64,
        items: Option<&Items>,
        window: &Window,
    ) -> Option<Row> {
        let search = self.search.as_mut().zip(items);
        if row.at >= self.cursor {
            if let Some((search, items)) = search {
                search.meet(items);
            }
            return Some(row);
        }
        if let Some((search, items)) = search {
            search.list(&row, items);
        }
        let spans = spans(self.written.as_ref(), window);
        let waiting = self.waiting[selection].entry(spans.span(row.at)).or_default();
        self.again.read += 1;
        self.again.hours = spans.hours;
        waiting.bytes += row.data.len();
        let form = self.written.as_ref().map_or(Form::Content, |written| written.form);
        waiting.digest = waiting.digest.wrapping_add(form.digest(&row, digest));
        waiting.rows.push(row);
        None
    }

    /// An order was met elsewhere than in what is read again, so it is not missing.
    pub(crate) fn meet(&mut self, items: &Items) {
        if let Some(search) = &mut self.search {
            search.meet(items);
        }
    }

    /// The rows of the spans that are read up to `position` and have changed.
    pub(crate) fn release(&mut self, selection: usize, position: DateTime<Utc>, window: &Window) -> Vec<Row> {
        let mut out = Vec::new();
        let (cursor, again) = (self.cursor, &mut self.again);
        let written = self.written.as_ref();
        let spans = spans(written, window);
        self.waiting[selection].retain(|span, waiting| {
            let whole = position >= spans.start_of(span + 1).min(cursor);
            let same = || written.and_then(|written| written.of(selection, *span)) == Some(waiting.digest);
            if !whole && waiting.bytes > LARGEST_SPAN {
                // Too much to wait for its end; whether it has changed is not known then.
                out.append(&mut waiting.rows);
                waiting.bytes = 0;
                // No digest is the sum of these and of those to come.
                waiting.digest = waiting.digest.wrapping_add(1);
                return true;
            }
            if whole && !same() {
                out.append(&mut waiting.rows);
                again.differing += 1;
            }
            again.spans += u64::from(whole);
            !whole
        });
        again.written += out.len() as u64;
        out
    }
}

/// The spans that are compared: those of what was written, where they are longer than those of the window that is filled.
fn spans<'w>(written: Option<&'w Window>, window: &'w Window) -> &'w Window {
    written.filter(|written| written.hours > window.hours).unwrap_or(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::page::digest;
    use crate::orders::state::window::tests::{at, order, window};

    fn changed(written: &[Row], read: &[Row], cursor: i64) -> Vec<u64> {
        let window = window(&[]);
        let known = written.iter().any(|order| order.at < at(cursor)).then(|| self::window(written));
        let mut changed = RereadFilter::since(known, at(cursor), 1);
        let mut out = Vec::new();
        for order in read {
            out.extend(changed.hold(0, order.clone(), digest(order), None, &window));
            out.extend(changed.release(0, order.at, &window));
        }
        out.extend(changed.release(0, at(cursor + 1), &window));
        out.iter().map(|row| row.id).collect()
    }

    #[test]
    fn only_spans_that_have_changed_are_written_again() {
        let written = [order(1, 1, "a"), order(1, 2, "b"), order(2, 3, "c"), order(4, 4, "d")];
        assert_eq!(changed(&written, &written, 5), [0_u64; 0]);
        let mut read = written.to_vec();
        read[2] = order(2, 3, "paid");
        assert_eq!(changed(&written, &read, 5), [3]);
        read[1] = order(1, 2, "paid");
        assert_eq!(changed(&written, &read, 5), [1, 2, 3]);
        let late = [written.to_vec(), vec![order(4, 9, "late")]].concat();
        assert_eq!(changed(&written, &late, 5), [4, 9]);
        assert_eq!(changed(&[], &written, 5), [1, 2, 3, 4], "what is not known is written");
    }

    #[test]
    fn where_longer_spans_were_written_these_are_compared() {
        let written = [order(0, 1, "a"), order(1, 2, "b"), order(2, 3, "c"), order(3, 4, "d")];
        let mut longer = Window::new(60, 1, at(0), at(0));
        written.iter().for_each(|order| longer.add(0, order, digest(order)));
        assert_eq!((longer.hours, window(&[]).hours), (2, 1));
        let mut changed = RereadFilter::since(Some(longer), at(5), 1);
        let mut out = Vec::new();
        for row in [&written[..3], &[order(3, 4, "paid")]].concat() {
            out.extend(changed.release(0, row.at, &window(&[])));
            let digest = digest(&row);
            assert!(changed.hold(0, row, digest, None, &window(&[])).is_none());
        }
        out.extend(changed.release(0, at(6), &window(&[])));
        assert_eq!(out.iter().map(|row| row.id).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn what_lies_behind_the_cursor_passes() {
        let written = [order(1, 1, "a")];
        let read = [order(1, 1, "a"), order(3, 2, "new")];
        assert_eq!(changed(&written, &read, 2), [2]);
    }

    #[test]
    fn a_span_that_is_too_large_to_wait_for_is_written() {
        let large: bytes::Bytes = vec![b'x'; LARGEST_SPAN / 2 + 1].into();
        let orders: Vec<Row> = (1..4).map(|id| Row { data: large.clone(), ..order(1, id, "") }).collect();
        assert_eq!(changed(&orders, &orders, 5), [1, 2, 3]);
    }
}
