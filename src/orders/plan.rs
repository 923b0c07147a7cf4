//! What a sync reads, decided once: from the state, the configuration, the server's clock, and what the probe found. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::cursor::Cursor;
use super::probe::UpdatedFilter;
use super::window::{Changed, Window};
use crate::config::{Changes, Config};
use crate::protocol::catalog::SyncMode;

/// Where changes are found by update time, the window is read again once a day all the same: should an update time
/// not move, or an order surface late, no mechanism stands alone.
const REREAD_EVERY: TimeDelta = TimeDelta::days(1);

/// What a sync reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Orders drafted before it.
    pub(super) end: DateTime<Utc>,
    /// Changes before it.
    pub(super) settled: DateTime<Utc>,
    /// Orders drafted from it on are read whole.
    pub(super) start: DateTime<Utc>,
    /// Of the others, those that have changed since.
    pub(super) sweep_since: Option<DateTime<Utc>>,
    /// Whether that begins with orders that were read before.
    pub(super) reread: bool,
}

/// What has to be known for a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// What the user wants.
    pub(super) config: &'a Config,
    /// Where the sync begins.
    pub(super) cursor: &'a Cursor,
    /// How many selections there are.
    pub(super) selections: usize,
    /// See [`Plan::end`].
    pub(super) end: DateTime<Utc>,
    /// See [`Plan::settled`].
    pub(super) settled: DateTime<Utc>,
    /// Changes before it were followed.
    pub(super) updated: Option<DateTime<Utc>>,
    /// What the API does with the filter by update time, if it was asked.
    pub(super) filter: Option<UpdatedFilter>,
}

impl Known<'_> {
    /// The plan; the window that this sync fills; and what holds back what has not changed, where the window is read
    /// again.
    pub(super) fn plan(self) -> (Plan, Option<Window>, Option<Changed>) {
        let Self { config, selections, end, settled, .. } = self;
        let (cursor, days) = (self.cursor.start(), config.changes_days);
        let incremental = self.cursor.mode() == SyncMode::Incremental;
        let resumed = self.cursor.resumed().filter(|_| incremental);
        let written = resumed.and_then(|saved| Window::parse(&saved.window, days, selections));
        let honoured = self.filter == Some(UpdatedFilter::Honoured);
        let due = match config.changes {
            Changes::Off => false,
            Changes::Updated if honoured => {
                written.as_ref().is_some_and(|written| written.read_at + REREAD_EVERY <= settled)
            }
            Changes::Updated | Changes::Window => true,
        };
        // A state from the future is left alone.
        let reread = due && resumed.is_some() && cursor <= end && config.start_date < cursor;
        let empty = Window::new(days, selections, cursor, settled);
        let start = if reread { empty.start(cursor).max(config.start_date) } else { cursor };
        let window = (incremental && config.changes != Changes::Off).then(|| match &written {
            _ if reread => Window::new(days, selections, start, settled),
            Some(written) => written.clone(),
            None if resumed.is_none() => empty,
            None => empty.without_its_first_span(),
        });
        let changed = reread.then(|| Changed::since(written, cursor, selections));
        let sweep_since = self
            .updated
            .filter(|since| resumed.is_some() && honoured && *since < settled && config.start_date < start);
        (Plan { end, settled, start, sweep_since, reread }, window, changed)
    }
}
