//! What a sync tells people in its log: what is read and why, and what they should know.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::plan::{Plan, Stretch};
use super::probe::UpdatedFilter;
use super::tally::Tally;
use super::versions::Superseded;
use crate::aifi::http::Asks;
use crate::protocol::message::Level;
use crate::timestamp;

/// The server sends no `Date`.
pub(super) const NO_CLOCK: &str = "orders: the server does not tell its time (no Date header), so this machine's clock is used. If it is ahead, orders that surface late could be passed over.";

/// A sweep was not possible.
pub(super) const UNSWEPT: &str = "orders: what has changed could not be found by update time in this sync (the API did not filter, or no order says when it was changed). Nothing is passed over: the next sync looks from the same moment on.";

/// What is read, and why from there on.
pub(super) fn range(plan: &Plan, resumed: bool, cursor: DateTime<Utc>, rate: u32) -> String {
    let why = match (plan.reread, resumed) {
        (true, _) => format!(
            "the last days up to where the state ends, {}, once more, to write what has changed",
            timestamp::write(cursor)
        ),
        (false, true) => "from where the state ends".to_owned(),
        (false, false) => "from the start date".to_owned(),
    };
    format!(
        "orders: reading what was drafted from {} ({why}) until {} (the server's clock less the settle delay of 2 minutes, or the end date), at up to {rate} requests a second",
        timestamp::write(plan.start),
        timestamp::write(plan.end)
    )
}

/// What is swept.
pub(super) fn sweep(stretch: &Stretch) -> String {
    format!(
        "orders: then reading what was drafted before {} and has changed since {}",
        timestamp::write(stretch.before),
        timestamp::write(stretch.since)
    )
}

/// Nothing is read.
pub(super) fn nothing_to_read(cursor: DateTime<Utc>, end: DateTime<Utc>) -> String {
    format!(
        "orders: nothing to read: everything before {} is read, and this sync would end at {}",
        timestamp::write(cursor),
        timestamp::write(end)
    )
}

/// Changes cannot be asked for.
pub(super) fn no_filter(filter: UpdatedFilter, days: i64) -> String {
    let what = match filter {
        UpdatedFilter::Refused => "refuses",
        UpdatedFilter::Ignored | UpdatedFilter::Honoured => "ignores",
    };
    format!(
        "orders: the API {what} the filter by update time (minUpdatedAt), so the orders of the last {days} days are read again in each sync, and written where something has changed. A change of an older order is not seen; Days to read again (changes_days) says how far back this goes."
    )
}

/// How a sync ended.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Everything drafted before it is written.
    pub(super) end: DateTime<Utc>,
    /// Orders of statuses that are not wanted.
    pub(super) left_out: u64,
    /// Versions that are not the newest.
    pub(super) superseded: Superseded,
}

/// The end of the sync: what was written, and what it took.
pub(super) fn receipt(summary: &Summary, sum: &Tally, asks: Asks, took: Duration) -> Vec<(Level, String)> {
    let seconds = took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a number for people")]
    let rate = asks.requests as f64 / seconds.max(0.001);
    let mut text = format!(
        "orders: complete up to {}: {} records, sum of totalPrice {}, {} requests in {seconds:.1} s ({rate:.1} a second), of which {} were refused by the rate limit and {} repeated for other reasons",
        timestamp::write(summary.end),
        sum.written,
        sum.total,
        asks.requests,
        asks.refused,
        asks.repeated
    );
    if summary.left_out > 0 {
        text.push_str(&format!("; {} orders of other statuses left out", summary.left_out));
    }
    let Superseded { versions, alone, twins } = summary.superseded;
    if versions > 0 {
        text.push_str(&format!("; {versions} superseded versions left out"));
    }
    let mut lines = vec![(Level::Info, text)];
    let mut warn = |count: u64, text: &str| {
        if count > 0 {
            lines.push((Level::Warn, format!("orders: {count} {text}")));
        }
    };
    warn(
        alone,
        "of the versions left out say that they are superseded (isLatest), but no newer version was listed beside them. If orders are missing in your warehouse, please report this.",
    );
    warn(
        twins,
        "orders share their session and version with another one. All were written; if one visit gives one order, some are there twice.",
    );
    warn(
        sum.amounts_off,
        "orders have a subtotalPrice and totalTax that do not add up to their totalPrice. They were written as they are.",
    );
    lines
}
