//! What a sync reads, decided once: from the state, the configuration, the server's clock, and what the probe found. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Changes, Config};
use crate::orders::state::cursor::Cursor;
use crate::orders::state::listing::Listing;
use crate::orders::state::missing::CONFIRMED_AFTER;
use crate::orders::state::reread::RereadFilter;
use crate::orders::state::stream_state::{FilterProof, Swept};
use crate::orders::state::window::Window;
use crate::orders::sync::filter_probe::UpdatedFilter;
use crate::protocol::catalog::SyncMode;

/// Where changes are found by update time, the window is read again once a day all the same: should an update time
/// not move, or an order surface late, no mechanism stands alone.
const REREAD_EVERY: TimeDelta = TimeDelta::days(1);

/// What a sync reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Orders drafted before it.
    pub(crate) end: DateTime<Utc>,
    /// Changes before it.
    pub(crate) settled: DateTime<Utc>,
    /// Orders drafted from it on are read whole.
    pub(crate) start: DateTime<Utc>,
    /// Of the others, those that have changed, in two stretches at most: where a sweep was cut off, the one that it has
    /// been through needs a later look only.
    pub(crate) sweeps: [Option<SweepRange>; 2],
    /// Whether that begins with orders that were read before.
    pub(crate) reread: bool,
}

/// Orders to sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SweepRange {
    /// Drafted at or after it,
    pub(crate) start: DateTime<Utc>,
    /// before it,
    pub(crate) before: DateTime<Utc>,
    /// and changed since.
    pub(crate) since: DateTime<Utc>,
}

impl Plan {
    /// The sweep number `number`, from 0.
    pub(crate) fn sweep(&self, number: usize) -> Option<SweepRange> {
        self.sweeps.get(number).copied().flatten()
    }

    /// Whether there is a sweep.
    pub(crate) fn sweeps(&self) -> bool {
        self.sweeps[0].is_some()
    }

    /// The number of the last sweep, if there is one.
    pub(crate) fn last_sweep(&self) -> usize {
        self.sweeps.iter().flatten().count().saturating_sub(1)
    }

    /// A moment after the start of each sweep.
    pub(crate) fn swept_since(&self) -> Option<DateTime<Utc>> {
        self.sweeps.iter().flatten().map(|stretch| stretch.since).max()
    }
}

/// What has to be known for a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanInputs<'a> {
    /// What the user wants.
    pub(crate) config: &'a Config,
    /// Where the sync begins.
    pub(crate) cursor: &'a Cursor,
    /// How many selections there are.
    pub(crate) selections: usize,
    /// Their names; empty for all orders.
    pub(crate) partitions: &'a [String],
    /// See [`Plan::end`].
    pub(crate) end: DateTime<Utc>,
    /// See [`Plan::settled`].
    pub(crate) settled: DateTime<Utc>,
    /// Changes before it were followed.
    pub(crate) updated: Option<DateTime<Utc>>,
    /// What the API does with the filter by update time, if it was asked.
    pub(crate) filter: Option<UpdatedFilter>,
}

impl PlanInputs<'_> {
    /// The plan; the window that this sync fills; and what holds back what has not changed, where the window is read
    /// again.
    pub(crate) fn plan(self) -> (Plan, Option<Window>, Option<RereadFilter>) {
        let Self { config, selections, end, settled, .. } = self;
        let (cursor, start_date, days) = (self.cursor.start(), self.cursor.start_date(), config.changes_days);
        let incremental = self.cursor.mode() == SyncMode::Incremental;
        let resumed = self.cursor.resumed().filter(|_| incremental);
        let with_lines = config.deletions;
        let written = resumed
            .and_then(|saved| saved.window_of(self.partitions))
            .and_then(|saved| Window::resume(&saved, days, selections, with_lines));
        let is_doubted =
            written.as_ref().is_some_and(|written| written.listing.as_ref().is_some_and(Listing::is_doubted));
        let honoured = self.filter == Some(UpdatedFilter::Honoured);
        let due = match config.changes {
            Changes::Off => false,
            // Without digests nothing is known to be as it was; only a state from before they were kept is left alone for a
            // day.
            Changes::Updated if honoured => {
                written.as_ref().map_or(resumed.is_some_and(|saved| saved.updated.is_some()), |written| {
                    let every = if is_doubted { CONFIRMED_AFTER } else { REREAD_EVERY };
                    written.read_at + every <= settled
                })
            }
            Changes::Updated | Changes::Window => true,
        };
        // A state from the future is left alone.
        let reread = due && resumed.is_some() && cursor <= end && start_date < cursor;
        let empty = Window::new(days, selections, cursor, settled);
        // What changed since, of an order that has left the window meanwhile, was not looked for either.
        let contradicted = resumed.filter(|saved| saved.filtered == FilterProof::Contradicted);
        let looked = contradicted.and(self.updated).map_or(cursor, |updated| updated.min(cursor));
        let start = if reread { empty.start(looked).max(start_date) } else { cursor };
        let second_look =
            is_doubted && written.as_ref().is_some_and(|written| written.read_at + REREAD_EVERY > settled);
        // That the role of a customer stays the same is not documented: an order could leave the selection, and be no less there.
        let lists = config.customer_roles.is_empty();
        let listing = lists.then(|| Listing::new(days, with_lines, start, second_look));
        let window = (incremental && config.changes != Changes::Off).then(|| match &written {
            _ if reread => Window::new(days, selections, start, settled).with(listing),
            Some(written) => written.clone(),
            None if resumed.is_none() => empty.with(listing),
            None => empty.without_its_first_span(),
        });
        let changed = reread.then(|| RereadFilter::since(written, cursor, selections).seeking(start));
        let since = self
            .updated
            .filter(|since| resumed.is_some() && honoured && *since < settled && start_date < start);
        let swept = resumed.and_then(|saved| saved.swept);
        let sweeps = since.map_or([None, None], |since| sweeps((start_date, start), since, swept));
        (Plan { end, settled, start, sweeps, reread }, window, changed)
    }
}

/// The stretches of `[start, before)` that have changed since `since`; a part of it may have been swept later.
fn sweeps(
    (start, before): (DateTime<Utc>, DateTime<Utc>),
    since: DateTime<Utc>,
    swept: Option<Swept>,
) -> [Option<SweepRange>; 2] {
    let Some(swept) = swept.filter(|swept| start < swept.before && since < swept.updated) else {
        return [Some(SweepRange { start, before, since }), None];
    };
    let middle = swept.before.min(before);
    debug_assert!(start < middle && middle <= before, "stretches share no order");
    let rest = SweepRange { start: middle, before, since };
    [Some(SweepRange { start, before: middle, since: swept.updated }), (middle < before).then_some(rest)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::testing::row;

    fn at(second: i64) -> DateTime<Utc> {
        row(second, 0).at
    }

    #[test]
    fn what_was_swept_before_needs_a_later_look_only() {
        let stretch = |start, before, since| {
            Some(SweepRange { start: at(start), before: at(before), since: at(since) })
        };
        let plan = |swept: Option<(i64, i64)>| {
            let swept = swept.map(|(before, updated)| Swept { before: at(before), updated: at(updated) });
            sweeps((at(0), at(100)), at(200), swept)
        };
        assert_eq!(plan(None), [stretch(0, 100, 200), None]);
        assert_eq!(plan(Some((40, 300))), [stretch(0, 40, 300), stretch(40, 100, 200)]);
        assert_eq!(plan(Some((400, 300))), [stretch(0, 100, 300), None]);
        assert_eq!(
            plan(Some((40, 150))),
            [stretch(0, 100, 200), None],
            "a sweep from before the last complete one"
        );
    }
}
