//! The sweep: which orders have changed since they were read, and how the response proves itself. Pure.
//!
//! Orders are asked for by `minUpdatedAt`, sorted by `draftCreatedAt` and read by key like any slice. Most sweeps bring
//! little or nothing, and an empty response proves nothing. So each sweep is asked such that it must bring an order which
//! is known (the *witness*): one that was read a moment ago behind the sweep's slice and has changed since, or else
//! the one among the newest that changed last; then the sweep asks from that change on, and what is older than the
//! sweep itself is not written again. Should much have changed since then (an API that touches all its orders at once), that
//! would read it over and over; then the sweep continues from its own start, and several looks decide that there is nothing.
//!
//! A sweep also proves that the API filters by update time, where it leaves out an order of its slice which is known, and has
//! changed before: then the next sync need not probe that. An API that has ceased to filter contradicts the next sweep.
//!
//! No upper bound of the update time is sent: an order that changes meanwhile would leave the response. What has changed
//! behind the horizon is left to the next sync, which begins there.

use chrono::{DateTime, Utc};

use crate::orders::api::page::Row;
use crate::orders::api::query::{BOUNDS_TOLERANCE, Selection};
use crate::orders::slice::keyset::Slice;
use crate::orders::slice::newest::Target;
use crate::orders::sync::plan::SweepRange;
use crate::timestamp;

/// An order that a response by update time has to bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    at: DateTime<Utc>,
    id: u64,
    updated: DateTime<Utc>,
}

impl Witness {
    /// The first of these rows that has changed at or after `since`.
    pub(crate) fn first_changed(rows: &[Row], since: DateTime<Utc>) -> Option<Self> {
        rows.iter().filter_map(Self::of).find(|witness| witness.updated >= since)
    }

    fn of(row: &Row) -> Option<Self> {
        row.updated.map(|updated| Self { at: row.at, id: row.id, updated })
    }

    /// The best of the newest orders, oldest first.
    fn among_newest(rows: &[Row], since: DateTime<Utc>) -> Option<Self> {
        // Others may share the first one's instant, and not be among them.
        let first = rows.first()?.at;
        let behind = rows.partition_point(|row| row.at <= first);
        let rows = if behind < rows.len() { &rows[behind..] } else { rows };
        Self::first_changed(rows, since)
            .or_else(|| rows.iter().filter_map(Self::of).max_by_key(|witness| witness.updated))
    }
}

/// What to read to find the changes of one selection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// What has to be asked for.
    pub(crate) slice: Slice,
    /// Which orders of it.
    pub(crate) selection: Selection,
    /// Where the walk has to arrive.
    pub(crate) goal: Target,
    /// Orders behind the slice that are known already, as they are now.
    pub(crate) rows: Vec<Row>,
}

/// How often nothing new has to come before we believe it, where no order is known that has to come.
const MAX_ATTEMPTS: u32 = 4;

impl Sweep {
    /// Of the orders of a stretch that have changed. `witness` is an order behind it; without one, `newest` are the newest
    /// orders that there are. None, if no order says when it has changed.
    pub(crate) fn plan(
        selection: &Selection,
        SweepRange { start, before, since }: SweepRange,
        witness: Option<Witness>,
        newest: &[Row],
    ) -> Option<Self> {
        let witness = match witness {
            Some(witness) => witness,
            None => Witness::among_newest(newest, since)?,
        };
        // Of the instant of the first one, not all need be known.
        let shared = newest.first().is_some_and(|first| first.at >= witness.at);
        let end = if shared { witness.at + timestamp::MILLISECOND } else { witness.at };
        let end = end.min(before);
        let rows = newest.iter().filter(|row| end <= row.at && row.at < before).cloned().collect();
        Some(Self {
            slice: Slice { start, end },
            selection: Selection { updated_from: Some(since.min(witness.updated)), ..selection.clone() },
            goal: Target { at: witness.at, ids: vec![witness.id], rows: Vec::new(), or_attempts: None },
            rows,
        })
    }

    /// The ids of the `known` orders which its responses leave out, if the API filters by update time.
    pub(crate) fn left_out(&self, known: &[Row]) -> Vec<u64> {
        let Some(from) = self.selection.updated_from else { return Vec::new() };
        let inside = |row: &&Row| self.slice.start <= row.at && row.at < self.slice.end;
        let unchanged = |row: &&Row| row.updated.is_some_and(|updated| updated < from - BOUNDS_TOLERANCE);
        known.iter().filter(inside).filter(unchanged).map(|row| row.id).collect()
    }

    /// The same from `start` on, without a witness.
    pub(crate) fn without_witness(selection: &Selection, stretch: SweepRange, start: DateTime<Utc>) -> Self {
        let goal =
            Target { at: stretch.before, ids: Vec::new(), rows: Vec::new(), or_attempts: Some(MAX_ATTEMPTS) };
        Self {
            slice: Slice { start, end: stretch.before },
            selection: Selection { updated_from: Some(stretch.since), ..selection.clone() },
            goal,
            rows: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::testing::row;

    fn at(second: i64) -> DateTime<Utc> {
        row(second, 0).at
    }

    fn changed(second: i64, id: u64, updated: i64) -> Row {
        Row { updated: Some(at(updated)), ..row(second, id) }
    }

    fn plan(witness: Option<Witness>, newest: &[Row]) -> Option<Sweep> {
        let stretch = SweepRange { start: at(0), before: at(100), since: at(90) };
        Sweep::plan(&Selection::default(), stretch, witness, newest)
    }

    fn ids(sweep: &Sweep) -> Vec<u64> {
        sweep.rows.iter().map(|row| row.id).collect()
    }

    #[test]
    fn an_order_behind_the_slice_that_has_changed_is_the_witness() {
        let rows = [changed(100, 1, 80), changed(101, 2, 102), changed(102, 3, 102)];
        let sweep = plan(Witness::first_changed(&rows, at(90)), &rows).unwrap();
        assert_eq!((sweep.slice.start, sweep.slice.end), (at(0), at(100)));
        assert_eq!((sweep.goal.at, sweep.goal.ids.as_slice()), (at(101), &[2][..]));
        assert_eq!((sweep.selection.updated_from, ids(&sweep)), (Some(at(90)), Vec::<u64>::new()));
    }

    #[test]
    fn with_nothing_new_the_first_change_among_the_newest_is_it_and_the_rest_is_known() {
        let newest = [changed(50, 1, 95), changed(60, 2, 70), changed(70, 3, 95), changed(80, 4, 96)];
        let sweep = plan(None, &newest).unwrap();
        assert_eq!((sweep.slice.end, sweep.selection.updated_from), (at(70), Some(at(90))));
        assert_eq!(ids(&sweep), [3, 4]);
    }

    #[test]
    fn with_no_change_either_the_sweep_asks_from_the_last_one_on() {
        let newest = [changed(50, 1, 60), changed(60, 2, 85), changed(70, 3, 75)];
        let sweep = plan(None, &newest).unwrap();
        assert_eq!((sweep.slice.end, sweep.selection.updated_from), (at(60), Some(at(85))));
        assert_eq!(ids(&sweep), [2, 3]);
    }

    #[test]
    fn what_has_not_changed_since_is_left_out_of_the_slice() {
        let newest =
            [changed(50, 1, 95), changed(60, 2, 85), changed(65, 5, 93), row(66, 6), changed(70, 3, 95)];
        let sweep = plan(None, &newest).unwrap();
        assert_eq!((sweep.slice.end, sweep.selection.updated_from), (at(65), Some(at(90))));
        assert_eq!(sweep.left_out(&newest), [2]);
        let almost = changed(60, 2, 89);
        assert_eq!(sweep.left_out(&[almost, row(61, 7)]), Vec::<u64>::new());
    }

    #[test]
    fn orders_that_share_the_first_instant_are_asked_for() {
        let sweep = plan(None, &[changed(50, 1, 95)]).unwrap();
        assert_eq!((sweep.slice.end, sweep.goal.at), (at(50) + timestamp::MILLISECOND, at(50)));
        assert!(sweep.rows.is_empty());
    }

    #[test]
    fn without_an_update_time_nothing_can_be_swept() {
        assert_eq!(plan(None, &[row(50, 1), row(60, 2)]), None);
        assert_eq!(plan(None, &[]), None);
    }
}
