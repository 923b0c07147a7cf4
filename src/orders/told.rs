//! What a sync tells people in its log: what is read and why, and what they should know.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::details::Details;
use super::plan::{Plan, Stretch};
use super::probe::UpdatedFilter;
use super::query::Query;
use super::records::Records;
use super::streams::OrderStream;
use super::tally::Tally;
use super::versions::Superseded;
use super::window::Again;
use crate::aifi::http::Asks;
use crate::failure::{Failure, FailureKind};
use crate::protocol::message::Level;
use crate::timestamp;

/// The server sends no `Date`.
pub(super) const NO_CLOCK: &str = "orders: The server does not tell its time (no Date header), so this machine's clock is used. If it is ahead, orders that surface late could be passed over.";

/// A sweep was not possible.
pub(super) const UNSWEPT: &str = "orders: What has changed could not be found by update time in this sync (the API did not filter, or no order says when it was changed). Nothing is passed over: the next sync looks from the same moment on.";

/// The details have a walk of their own.
pub(super) const DETAILS_LATER: &str = "order_details: more than 10,000 orders wait for their details, so these come in a walk of their own, once all other streams are written";

/// What is read, and why from there on.
pub(super) fn range(plan: &Plan, resumed: bool, cursor: DateTime<Utc>, rate: u32) -> String {
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
        "orders: The API {what} the filter by update time (minUpdatedAt), so the orders of the last {days} days are read again in each sync, and written where something has changed. A change of an older order is not seen; Days to read again (changes_days) says how far back this goes."
    )
}

/// Streams that are read together, other than the orders alone.
pub(super) fn together(streams: &[OrderStream]) -> Option<String> {
    let names: Vec<&str> = streams.iter().map(|stream| stream.name()).collect();
    match streams {
        [OrderStream::Orders] => None,
        [_] => Some(format!("orders: reading {} from the list of orders", names[0])),
        _ => Some(format!("orders: reading {} together, from the same requests", names.join(", "))),
    }
}

/// The end of the streams beside the orders: what was written, product lines without an id of their own, pages of orders.
pub(super) fn records(records: &Records, details_asked: u64) -> Vec<(Level, String)> {
    let mut lines = Vec::new();
    for (stream, written) in records.beside_the_orders() {
        if records.streams().contains(&stream) {
            lines.push((Level::Info, format!("{}: complete: {written} records", stream.name())));
        }
    }
    let unnumbered = records.unnumbered();
    if unnumbered > 0 {
        lines.push((Level::Warn, format!("order_line_items: {unnumbered} product lines have no id, or one that another line of their order has, too. Their id is the negative of their position.")));
    }
    let Some(Details { written, vanished: (first, vanished), behind, .. }) = &records.details else {
        return lines;
    };
    let text = format!("order_details: complete: {written} records; {details_asked} requests");
    lines.push((Level::Info, text));
    if *vanished > 0 {
        let ids: Vec<String> = first.iter().map(u64::to_string).collect();
        let dots = if *vanished > first.len() as u64 { ", …" } else { "" };
        lines.push((Level::Warn, format!("order_details: {vanished} orders are listed, but have no page of their own (404): {}{dots}. They have no record in this stream.", ids.join(", "))));
    }
    if *behind > 0 {
        lines.push((Level::Warn, format!("order_details: {behind} pages of orders are older than what the list shows of them. They were written as they are; their version and updatedAt tell.")));
    }
    lines
}

/// What a reading again came to; none, if there was nothing to read again.
pub(super) fn read_again(again: Again) -> Option<String> {
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

/// A single order is too large to be read.
pub(super) fn order_too_large(query: &Query, failure: &Failure) -> Failure {
    let place = match query.min {
        Some(min) => format!("drafted at or soon after {}", timestamp::write(min)),
        None => "among the newest".to_owned(),
    };
    let text = format!(
        "An order {place} cannot be read, also where its page is asked for with {} orders only. {} Everything before it is written. If it is this order alone, ask AiFi what it holds, or set the start date behind it.",
        query.page_size, failure.message
    );
    Failure::new(FailureKind::TooLarge, text)
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

/// The end of the walk: what was written, and what it took. Its `first` stream may be another one than the orders.
pub(super) fn receipt(
    summary: &Summary,
    sum: &Tally,
    asks: Asks,
    took: Duration,
    first: OrderStream,
) -> Vec<(Level, String)> {
    let records = if first == OrderStream::Orders { "records" } else { "orders read" };
    let seconds = took.as_secs_f64();
    let requests = if asks.requests == 1 { "request" } else { "requests" };
    let mut text = format!(
        "orders: complete up to {}: {} {records}, sum of totalPrice {}; {} {requests} in {seconds:.1} s",
        timestamp::write(summary.end),
        sum.written,
        sum.total,
        asks.requests,
    );
    // Of a few requests the gaps between them are no rate.
    if asks.requests > 20 {
        #[expect(clippy::cast_precision_loss, reason = "a number for people")]
        let rate = (asks.requests - 1) as f64 / seconds.max(0.001);
        text.push_str(&format!(", {rate:.1} a second"));
    }
    let Superseded { versions, alone, twins } = summary.superseded;
    for (count, what) in [
        (asks.refused, "requests refused by the rate limit"),
        (asks.repeated, "requests repeated"),
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
