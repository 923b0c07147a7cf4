//! From what the sync hands out to the records and states of the streams that it feeds.

pub(crate) mod audit;
pub(crate) mod details;
mod line_items;
pub(crate) mod log;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::orders::api::detail::Detail;
use crate::orders::api::detail::Due;
use crate::orders::api::page::Row;
use crate::orders::records::details::Details;
use crate::orders::records::line_items::Lines;
use crate::orders::state::inventory::{Item, Items};
use crate::orders::state::readings::Readings;
use crate::orders::state::stream_state::StreamState;
use crate::orders::streams::{DELETED_AT, OrderStream};
use crate::orders::{CURSOR_FIELD, PRIMARY_KEY};
use crate::protocol::output::Output;
use crate::record::object;
use crate::timestamp;

/// The record of a stream which says that an order or a line is gone: its key, its cursor, and when. None, where the stream has
/// no row of it, or keeps history.
fn tombstone(stream: OrderStream, item: &Item, since: DateTime<Utc>) -> Option<Value> {
    let (at, since) = (timestamp::write_exactly(item.at), timestamp::write(since));
    match (stream, item.line) {
        (OrderStream::Orders | OrderStream::Details, None) => {
            Some(json!({PRIMARY_KEY: item.order, CURSOR_FIELD: at, DELETED_AT: since}))
        }
        (OrderStream::LineItems, Some(line)) => {
            Some(json!({"orderId": item.order, "id": line, stream.cursor_field(): at, DELETED_AT: since}))
        }
        _ => None,
    }
}

/// The streams of one read.
pub(crate) struct Records {
    streams: Vec<OrderStream>,
    tombstones: Vec<OrderStream>,
    lines: Lines,
    /// Pages of single orders, if they are wanted and can be read.
    pub(crate) details: Option<Details>,
    /// Records that were written.
    pub(crate) written: u64,
    lines_written: u64,
    versions_written: u64,
    /// Orders that came, so far: those whose lines are written.
    orders_seen: u64,
}

impl Records {
    /// For these streams. Those among `tombstones` get one for what vanishes. `last_state` is what the sync resumes from.
    pub(crate) fn of(streams: Vec<OrderStream>, tombstones: &[OrderStream], last_state: StreamState) -> Self {
        let details = streams.contains(&OrderStream::Details).then(|| Details::new(last_state));
        Self {
            streams,
            tombstones: tombstones.to_vec(),
            lines: Lines::new(line_items::shape()),
            details,
            written: 0,
            lines_written: 0,
            versions_written: 0,
            orders_seen: 0,
        }
    }

    /// The streams, as in [`OrderStream::ALL`].
    pub(crate) fn streams(&self) -> &[OrderStream] {
        &self.streams
    }

    /// The streams whose records come from the list itself.
    pub(crate) fn of_the_list(&self) -> impl Iterator<Item = OrderStream> {
        self.streams.iter().copied().filter(|stream| *stream != OrderStream::Details)
    }

    /// The streams that are written along with the orders, and how many records each has, so far.
    pub(crate) fn beside_the_orders(&self) -> [(OrderStream, u64); 2] {
        [(OrderStream::LineItems, self.lines_written), (OrderStream::Versions, self.versions_written)]
    }

    /// About how many records each stream will have, where the list has so many `rows`. An order has as many lines as those
    /// before it. Nothing is said of details that are not read along.
    pub(crate) fn estimates(&self, rows: u64) -> Vec<(OrderStream, u64)> {
        let estimate = |stream: OrderStream| match stream {
            OrderStream::Orders | OrderStream::Versions => Some(rows),
            OrderStream::Details => self.details.as_ref().map(|_| rows),
            OrderStream::LineItems => {
                let lines = u128::from(rows) * u128::from(self.lines_written);
                lines.checked_div(self.orders_seen.into()).and_then(|lines| lines.try_into().ok())
            }
        };
        self.streams.iter().filter_map(|stream| Some((*stream, estimate(*stream)?))).collect()
    }

    /// Product lines without an id of their own, so far.
    pub(crate) fn unnumbered(&self) -> u64 {
        self.lines.unnumbered
    }

    /// Writes an order as it was listed; a superseded version is a record of the stream of versions only.
    pub(crate) fn write(&mut self, output: &mut Output, row: &Row) -> Result<(), Failure> {
        let streams =
            self.streams.iter().filter(|stream| !row.superseded || **stream == OrderStream::Versions);
        self.orders_seen += u64::from(!row.superseded);
        for stream in streams {
            // It may have been written as the current row of its order.
            if row.replaced && self.tombstones.contains(stream) {
                let since = row.updated.unwrap_or(row.at);
                let items = Items::of(row, true).items;
                for record in items.iter().filter_map(|item| tombstone(*stream, item, since)) {
                    output.record(stream.name(), record.to_string().as_bytes(), &[])?;
                    self.written += 1;
                }
                continue;
            }
            match stream {
                OrderStream::Orders => output.record(stream.name(), &row.data, &row.changes)?,
                // Its version is a part of the key, so it must not be null.
                OrderStream::Versions if row.version == 0 => {
                    let data = object::with_field(&row.data, "version", "0");
                    output.record(stream.name(), &data, &row.changes)?;
                }
                OrderStream::Versions => output.record(stream.name(), &row.data, &row.changes)?,
                OrderStream::LineItems => {
                    for line in self.lines.of(row)? {
                        output.record(stream.name(), &line.data, &line.changes)?;
                        self.written += 1;
                        self.lines_written += 1;
                    }
                    continue;
                }
                OrderStream::Details => {
                    if let Some(details) = &mut self.details {
                        details.push(row);
                    }
                    continue;
                }
            }
            self.written += 1;
            self.versions_written += u64::from(*stream == OrderStream::Versions);
        }
        Ok(())
    }

    /// Writes that an order or a line is gone, to each stream that has a row of it. `since` is when that was found.
    pub(crate) fn tombstone(
        &mut self,
        output: &mut Output,
        item: &Item,
        since: DateTime<Utc>,
    ) -> Result<(), Failure> {
        for stream in self.tombstones.iter().filter(|stream| self.streams.contains(stream)) {
            if let Some(record) = tombstone(*stream, item, since) {
                output.record(stream.name(), record.to_string().as_bytes(), &[])?;
                self.written += 1;
            }
        }
        Ok(())
    }

    /// Says what has been written of what `readings` are about at present. Writing a state flushes it, with all records before
    /// it.
    pub(crate) fn state(
        &mut self,
        output: &mut Output,
        readings: &Readings,
        state: StreamState,
    ) -> Result<(), Failure> {
        if let Some(details) = &mut self.details {
            details.state(state.clone());
        }
        let list: Vec<OrderStream> = self.of_the_list().collect();
        if !list.is_empty() {
            let composed = readings.compose(state);
            for stream in list {
                output.state(stream.name(), &composed.write(stream))?;
            }
        }
        self.say_details(output, readings)
    }

    /// Writes the page of an order, if it has one.
    pub(crate) fn detail(
        &mut self,
        output: &mut Output,
        readings: &Readings,
        due: &Due,
        detail: Option<Detail>,
    ) -> Result<(), Failure> {
        let Some(details) = &mut self.details else { return Ok(()) };
        match detail {
            Some(_) if due.is_trial() => details.passed(),
            Some(Detail { data, changes, behind }) => {
                output.record(OrderStream::Details.name(), &data, &changes)?;
                details.written(due, behind);
                self.written += 1;
            }
            None => details.vanished(due)?,
        }
        self.say_details(output, readings)
    }

    fn say_details(&mut self, output: &mut Output, readings: &Readings) -> Result<(), Failure> {
        let stream = OrderStream::Details;
        match self.details.as_mut().and_then(Details::sayable) {
            Some(state) => output.state(stream.name(), &readings.compose(state).write(stream)),
            None => Ok(()),
        }
    }
}
