//! What the log says of the streams beside the orders.

use crate::orders::records::Records;
use crate::orders::records::details::Details;
use crate::orders::streams::OrderStream;
use crate::protocol::message::Level;

/// The details have a read of their own.
pub(crate) const DETAILS_LATER: &str = "order_details: more than 10,000 orders wait for their details, so these come in a walk of their own, once all other streams are written";

/// Streams that are read together, other than the orders alone.
pub(crate) fn together(streams: &[OrderStream]) -> Option<String> {
    let names: Vec<&str> = streams.iter().map(|stream| stream.name()).collect();
    match streams {
        [OrderStream::Orders] => None,
        [_] => Some(format!("orders: reading {} from the list of orders", names[0])),
        _ => Some(format!("orders: reading {} together, from the same requests", names.join(", "))),
    }
}

/// The end of the streams beside the orders: what was written, product lines without an id of their own, pages of orders.
pub(crate) fn records(records: &Records, details_asked: u64) -> Vec<(Level, String)> {
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
