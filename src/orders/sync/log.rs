//! What a sync tells people in its log: what is read and why, and what they should know.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::aifi::counts::RequestCounts;
use crate::failure::{Failure, FailureKind};
use crate::orders::api::query::Query;
use crate::orders::api::totals::Totals;
use crate::orders::state::inventory::Item;
use crate::orders::state::missing::Finding;
use crate::orders::state::reread::Again;
use crate::orders::state::stream_state::StreamState;
use crate::orders::streams::OrderStream;
use crate::orders::sync::Route;
use crate::orders::sync::filter_probe::UpdatedFilter;
use crate::orders::sync::partition::Phase;
use crate::orders::sync::plan::{Plan, SweepRange};
use crate::orders::sync::versions::Superseded;
use crate::plural::plural;
use crate::protocol::message::Level;
use crate::timestamp;

/// The server sends no `Date`.
pub(crate) const NO_CLOCK: &str = "orders: The server sends no Date header, so this machine's clock is used. If it is ahead, orders that surface late could be passed over.";

/// A sweep was not possible.
pub(crate) const UNSWEPT: &str = "orders: What has changed could not be found by update time in this sync (the API did not filter, or no order says when it was changed). Nothing is passed over: the next sync looks from the same moment on.";

/// A sweep was not possible, though it was in the last sync.
pub(crate) const FILTER_CEASED: &str = "orders: What has changed could not be found by update time (minUpdatedAt), although that worked in the last sync. The next sync probes whether the API filters, and looks from the same moment on.";

/// What is read, and why from there on.
pub(crate) fn range(plan: &Plan, resumed: bool, cursor: DateTime<Utc>, rate: u32) -> String {
    let start = timestamp::write(plan.start);
    let until = if plan.end == plan.settled { "2 minutes before now" } else { "the end date" };
    let until = format!("until {} ({until}), at up to {rate} requests a second", timestamp::write(plan.end));
    if plan.reread {
        let cursor = timestamp::write(cursor);
        format!(
            "orders: reading again from {start} to where the last sync ended, {cursor}, to find changes, then what is new {until}"
        )
    } else if plan.start >= plan.end {
        format!("orders: nothing new to read {until}")
    } else if resumed {
        format!("orders: reading from where the last sync ended, {start}, {until}")
    } else {
        format!("orders: reading from the start date, {start}, {until}")
    }
}

/// What is no longer listed, found at `now`; `tombstones` are written for it.
pub(crate) fn missing(finding: &Finding, now: DateTime<Utc>, tombstones: bool) -> Vec<(Level, String)> {
    let mut lines = Vec::new();
    let missing = finding.missing_since(now);
    if missing > 0 {
        let text = format!(
            "orders: {} that earlier syncs wrote {} not listed now. The first sync in an hour or later looks again, since an answer may lag behind.",
            plural(missing, "order"),
            if missing == 1 { "is" } else { "are" },
        );
        lines.push((Level::Info, text));
    }
    if let Some(what) = named(&finding.gone) {
        let then = if tombstones {
            "A tombstone is written for each of them, to the streams that have the column _ab_cdc_deleted_at."
        } else {
            "They are still in the destination. To have them deleted there, set Deleted orders (deletions) to tombstones."
        };
        lines.push((Level::Warn, format!("orders: AiFi no longer lists {what}. {then}")));
    }
    if let Some(what) = named(&finding.lapsed) {
        lines.push((
            Level::Warn,
            format!(
                "orders: {what} were not listed when they were read again, and cannot be looked for once more: they are too old (changes_days), or too many. They are still in the destination; see at AiFi whether they exist."
            ),
        ));
    }
    if let Some((first, _)) = finding.unnamed.first() {
        let count: u64 = finding.unnamed.iter().map(|(_, count)| count).sum();
        let many = match count {
            0 => "their number is not known".to_owned(),
            count if tombstones => format!("{count} orders and lines or more"),
            count => format!("{} or more", plural(count, "order")),
        };
        let text = format!(
            "orders: Too many orders have changed to find out which have vanished ({many}, drafted from {} on). What has vanished is still in the destination: clear the streams' data to read everything anew.",
            timestamp::write(*first),
        );
        lines.push((Level::Warn, text));
    }
    lines
}

/// It is not certain what is listed in this sync.
pub(crate) fn no_inventory(why: &str) -> String {
    format!(
        "orders: Whether orders have vanished is not known in this sync, since {why}. The next readings of the last days look anew."
    )
}

/// `3 orders (7, 8, 9) and 5 product lines`; none of nothing.
fn named(items: &[Item]) -> Option<String> {
    const NAMED: usize = 20;
    let orders: Vec<String> =
        items.iter().filter(|item| item.line.is_none()).map(|item| item.order.to_string()).collect();
    let lines = items.len() - orders.len();
    let more = if orders.len() > NAMED { ", …" } else { "" };
    let ids = orders.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let orders =
        (!orders.is_empty()).then(|| format!("{} ({ids}{more})", plural(orders.len() as u64, "order")));
    let lines = (lines > 0).then(|| plural(lines as u64, "product line"));
    match (orders, lines) {
        (Some(orders), Some(lines)) => Some(format!("{orders} and {lines}")),
        (orders, lines) => orders.or(lines),
    }
}

/// Partitions that were added since the last sync; none, if there are none.
pub(crate) fn added(partitions: &[String]) -> Option<String> {
    (!partitions.is_empty()).then(|| {
        format!("orders: added since the last sync, and read from the start date: {}", partitions.join(", "))
    })
}

/// What a reading of its own is about: partitions that were added again, or drafts from before the start date that was
/// configured before.
pub(crate) fn part(state: &StreamState, until: Option<DateTime<Utc>>) -> String {
    match until {
        Some(until) => format!(
            "orders: the start date was moved to an earlier day: reading what was drafted before {}",
            timestamp::write(until)
        ),
        None => format!(
            "orders: added again since the last sync, and read from where it was left: {}",
            state.partitions.join(", ")
        ),
    }
}

/// What is swept.
pub(crate) fn sweep(stretch: &SweepRange) -> String {
    format!(
        "orders: then reading what was drafted before {} and has changed since {}",
        timestamp::write(stretch.before),
        timestamp::write(stretch.since)
    )
}

/// Nothing is read.
pub(crate) fn nothing_to_read(cursor: DateTime<Utc>, end: DateTime<Utc>) -> String {
    format!(
        "orders: nothing to read: everything before {} is read, and this sync would end at {}",
        timestamp::write(cursor),
        timestamp::write(end)
    )
}

/// Changes cannot be asked for.
pub(crate) fn no_filter(filter: UpdatedFilter, days: i64) -> String {
    let what = match filter {
        UpdatedFilter::Refused => "refuses",
        UpdatedFilter::Ignored | UpdatedFilter::Honoured => "ignores",
    };
    format!(
        "orders: The API {what} the filter by update time (minUpdatedAt), so the orders of the last {days} days are read again in each sync, and written where something has changed. A change of an older order is not seen; Days to read again (changes_days) says how far back this goes."
    )
}

/// What a reading again came to; none, if there was nothing to read again.
pub(crate) fn read_again(again: Again) -> Option<String> {
    let Again { read, written, spans, differing, hours, blind } = again;
    let span = if hours == 1 { "hours".to_owned() } else { format!("spans of {hours} hours") };
    let why = if blind {
        "since nothing is known of what was written before"
    } else {
        "in which something had changed, which is written whole"
    };
    (read > 0).then(|| {
        if written == 0 {
            format!("orders: {read} orders were read again, and none of them had changed")
        } else {
            format!("orders: {read} orders were read again; {written} of them were written again: those of {differing} of {spans} {span}, {why}")
        }
    })
}

/// A request was refused, and the reader does without it.
pub(crate) const WITHOUT: &str = "orders: The API refused a request that the reader can do without: pages ahead are read by key instead, and changes by reading again.";

/// A page was too large.
pub(crate) const SMALLER: &str = "orders: A page was too large, so smaller ones are requested.";

/// What the reader made of a response: `came` is the number of its orders, or why it is not believed.
pub(crate) fn decision(
    place: Route,
    came: Result<usize, String>,
    filter: Option<UpdatedFilter>,
    position: Option<DateTime<Utc>>,
    under_way: usize,
) -> String {
    let place = match place {
        Route::First => "newest orders of all".to_owned(),
        Route::Probe => format!("filter probe (minUpdatedAt: {filter:?})"),
        Route::Partition(number, Phase::Search) => format!("partition {number}, newest orders"),
        Route::Partition(number, Phase::Range) => format!("partition {number}, range"),
        Route::Partition(number, Phase::Sweep) => format!("partition {number}, changes"),
    };
    let came = match came {
        Ok(orders) => format!("{orders} orders taken"),
        Err(doubt) => format!("not believed: {doubt}"),
    };
    let position = position.map_or_else(|| "not planned yet".to_owned(), timestamp::write);
    format!("orders: {place}: {came}; read up to {position}; {under_way} requests under way")
}

/// A single order is too large to be read.
pub(crate) fn order_too_large(query: &Query, failure: &Failure) -> Failure {
    let place = match query.min {
        Some(min) => format!("drafted at or soon after {}", timestamp::write(min)),
        None => "among the newest".to_owned(),
    };
    let text = format!(
        "An order {place} cannot be read, even in a page of {} orders. {} Everything before it is written. If it is this order alone, ask AiFi what it holds, or set the start date after it.",
        query.page_size, failure.message
    );
    Failure::new(FailureKind::TooLarge, text)
}

/// How a sync ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    /// Everything drafted before it is written.
    pub(crate) end: DateTime<Utc>,
    /// Orders of statuses that are not wanted.
    pub(crate) left_out: u64,
    /// Versions that are not the newest.
    pub(crate) superseded: Superseded,
}

/// The end of a read: what was written, and what it took. Its `first` stream may be another one than the orders.
pub(crate) fn receipt(
    summary: &Summary,
    sum: &Totals,
    counts: RequestCounts,
    took: Duration,
    first: OrderStream,
) -> Vec<(Level, String)> {
    let records = if first == OrderStream::Orders { "records" } else { "orders read" };
    let seconds = took.as_secs_f64();
    let mut text = format!(
        "orders: complete up to {}: {} {records}, sum of totalPrice {}; {} in {seconds:.1} s",
        timestamp::write(summary.end),
        sum.written,
        sum.total,
        plural(counts.requests, "request"),
    );
    // Of a few requests the gaps between them are not a rate.
    if counts.requests > 20 {
        #[expect(clippy::cast_precision_loss, reason = "a number for people")]
        let rate = (counts.requests - 1) as f64 / seconds.max(0.001);
        text.push_str(&format!(", {rate:.1} a second"));
    }
    let Superseded { versions, alone, twins } = summary.superseded;
    for (count, what) in [
        (counts.refused, "requests refused by the rate limit"),
        (counts.repeated, "requests repeated"),
        (summary.left_out, "orders of other statuses left out"),
        (versions, "older versions passed over (the newest is the record)"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
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
