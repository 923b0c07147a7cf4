//! The family of the orders' streams: the readings that their states need, one after the other, and the receipts for them.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::clock;
use crate::config::{Changes, Config};
use crate::engine::{Call, Doors, Family, Use};
use crate::failure::Failure;
use crate::orders::KINDS;
use crate::orders::reading::{Reading, SyncStart};
use crate::orders::records::audit::{self, Audit};
use crate::orders::state::groups::{Group, Selected, groups};
use crate::orders::state::parts::Scope;
use crate::orders::state::stream_state::StreamState;
use crate::orders::streams::{DELETED_AT, OrderStream};
use crate::protocol::catalog::{ConfiguredStream, SyncMode};
use crate::protocol::message::{Level, Status};
use crate::protocol::state::SavedStates;

/// See the module.
pub(crate) struct OrdersFamily<'c> {
    config: &'c Config,
    /// The streams that get a tombstone for what is gone.
    tombstones: Vec<OrderStream>,
    reading: Option<Reading<'c>>,
    /// What is read after it.
    groups: VecDeque<Group>,
    /// Details that have a reading of their own come last of all: each is a request.
    details: Option<Group>,
    /// When the sync began.
    began: SyncStart,
    audited: bool,
    /// The receipts, while no reading holds them.
    receipts: Option<Audit>,
    /// The state of the receipts.
    audit_state: Value,
    /// No reading of the stream `orders` has failed.
    orders_are_whole: bool,
    /// Records of readings that have ended.
    records: u64,
}

impl<'c> OrdersFamily<'c> {
    /// Of the streams that were selected, with their states. A state that cannot be read fails its own stream.
    pub(crate) fn new(
        config: &'c Config,
        streams: &[ConfiguredStream],
        states: &SavedStates,
        doors: &mut Doors<'_>,
    ) -> Result<Self, Failure> {
        let mut selected = Vec::new();
        let mut orders_are_whole = true;
        for ConfiguredStream { name, sync_mode, .. } in streams {
            let Some(stream) = OrderStream::named(name) else { continue };
            doors.output.status(name, Status::Started)?;
            match states.of(name).map(|state| StreamState::parse(state, stream)).transpose() {
                Ok(saved) => selected.push(Selected { stream, mode: *sync_mode, saved }),
                Err(failure) => {
                    orders_are_whole &= stream != OrderStream::Orders;
                    doors.endings.close(doors.output, name, Err(failure))?;
                }
            }
        }
        let audited = streams.iter().any(|stream| stream.name == audit::NAME);
        let saved = states.of(audit::NAME);
        let mut family = Self {
            config,
            tombstones: tombstones(config, streams, doors)?,
            reading: None,
            audited,
            receipts: if audited { Audit::new(clock::now(), saved) } else { None },
            audit_state: saved.cloned().unwrap_or_default(),
            groups: VecDeque::new(),
            details: None,
            began: SyncStart { here: clock::now(), there: None },
            orders_are_whole,
            records: 0,
        };
        if audited {
            family.begin_audit(selected.iter().any(|one| one.stream == OrderStream::Orders), doors)?;
        }
        for group in groups(selected, &Scope::of(config)) {
            if group.streams == [OrderStream::Details] {
                family.details = Some(group);
            } else {
                family.groups.push_back(group);
            }
        }
        family.begin(doors)?;
        Ok(family)
    }

    fn begin_audit(&mut self, with_orders: bool, doors: &mut Doors<'_>) -> Result<(), Failure> {
        doors.output.status(audit::NAME, Status::Started)?;
        doors.output.status(audit::NAME, Status::Running)?;
        if !with_orders {
            doors.output.log(
                Level::Warn,
                "sync_audit: There are no receipts, since the stream orders is not selected. Select it, too.",
            )?;
        }
        if let Some(receipts) = &self.receipts {
            self.audit_state = receipts.state();
        }
        Ok(())
    }

    /// Begins the next reading; whether there is one.
    fn begin(&mut self, doors: &mut Doors<'_>) -> Result<bool, Failure> {
        let group = match self.groups.pop_front() {
            Some(group) => group,
            None => {
                self.end_audit(true, doors)?;
                let Some(group) = self.details.take() else { return Ok(false) };
                group
            }
        };
        for stream in &group.streams {
            doors.output.status(stream.name(), Status::Running)?;
        }
        let receipts = if group.streams.contains(&OrderStream::Orders) { self.receipts.take() } else { None };
        self.reading = Some(Reading::new(self.config, receipts, group, &self.tombstones, self.began, doors)?);
        Ok(true)
    }

    /// Receipts tell of what was written, so they are whole even where the orders are not.
    fn end_audit(&mut self, whole: bool, doors: &mut Doors<'_>) -> Result<(), Failure> {
        if !std::mem::take(&mut self.audited) {
            return Ok(());
        }
        doors.output.state(audit::NAME, &self.audit_state)?;
        let whole = whole && self.orders_are_whole;
        doors.output.status(audit::NAME, if whole { Status::Complete } else { Status::Incomplete })
    }

    /// Says of the streams that have not ended that they are not complete. Why, is said of the one that failed.
    fn leave_the_rest(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        let present = self.reading.take().map(|reading| reading.records.streams().to_vec());
        let later = self.groups.drain(..).chain(self.details.take()).map(|group| group.streams);
        for stream in present.into_iter().chain(later).flatten() {
            doors.output.status(stream.name(), Status::Incomplete)?;
        }
        self.end_audit(false, doors)
    }

    /// Says how the streams of the reading ended.
    fn end_reading(&mut self, result: Result<(), Failure>, doors: &mut Doors<'_>) -> Result<(), Failure> {
        let Some(mut reading) = self.reading.take() else { return result };
        let result = reading.finish(result, doors);
        self.records += reading.records.written;
        self.began.there = reading.sync.server_now();
        // Another reading of the orders has receipts, too.
        self.receipts = reading.audit.take().or(self.receipts.take());
        let following = if result.is_ok() { reading.following(doors)? } else { Vec::new() };
        let streams = reading.records.streams().to_vec();
        let Reading { left, failed_details, .. } = reading;
        let left = left.filter(|_| result.is_ok());
        let goes_on = |stream: &OrderStream| {
            let mut groups = following.iter().chain(&left);
            groups.any(|group| group.streams.contains(stream))
        };
        for stream in &streams {
            match stream {
                // It has another reading.
                stream if goes_on(stream) => (),
                OrderStream::Details if failed_details.is_err() => {
                    doors.endings.end(doors.output, stream.name(), &failed_details)?;
                }
                _ => doors.endings.end(doors.output, stream.name(), &result)?,
            }
        }
        self.orders_are_whole &= !streams.contains(&OrderStream::Orders) || result.is_ok();
        for group in following.into_iter().chain(left).rev() {
            if group.streams == [OrderStream::Details] {
                self.details = Some(group);
            } else {
                self.groups.push_front(group);
            }
        }
        doors.endings.keep(result)?;
        doors.endings.keep(failed_details)
    }
}

impl Family for OrdersFamily<'_> {
    fn name(&self) -> &'static str {
        self.reading.as_ref().map_or(crate::orders::NAME, |reading| reading.first.name())
    }

    fn kinds(&self) -> &'static [&'static str] {
        KINDS
    }

    fn last_state(&self) -> Value {
        self.reading.as_ref().map(Reading::last_state).unwrap_or_default()
    }

    fn progress(&self) -> (u64, Option<DateTime<Utc>>) {
        let reading = self.reading.as_ref();
        let written = reading.map_or(0, |reading| reading.records.written);
        (self.records + written, reading.and_then(|reading| reading.sync.position()))
    }

    fn catches_up(&self) -> bool {
        true
    }

    fn waits(&self) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.first == OrderStream::Details)
    }

    fn next(&mut self) -> Result<Option<Call>, Failure> {
        Ok(self.reading.as_mut().and_then(Reading::next))
    }

    fn answered(
        &mut self,
        ticket: u64,
        date: Option<DateTime<Utc>>,
        doors: &mut Doors<'_>,
    ) -> Result<Use, Failure> {
        self.reading.as_mut().map_or(Ok(Use::None), |reading| reading.answered(ticket, date, doors))
    }

    fn refused(&mut self, ticket: u64, failure: Failure, doors: &mut Doors<'_>) -> Result<(), Failure> {
        self.reading.as_mut().map_or(Ok(()), |reading| reading.refused(ticket, failure, doors))
    }

    fn write(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        self.reading.as_mut().map_or(Ok(()), |reading| reading.write(doors))
    }

    fn is_done(&self) -> bool {
        self.reading.as_ref().is_none_or(Reading::is_done)
    }

    fn end(&mut self, result: Result<(), Failure>, doors: &mut Doors<'_>) -> Result<bool, Failure> {
        match self.end_reading(result, doors).and_then(|()| self.begin(doors)) {
            Err(failure) => {
                // The first failure is the one to tell.
                _ = self.leave_the_rest(doors);
                Err(failure)
            }
            goes_on => goes_on,
        }
    }

    fn leave(&mut self, doors: &mut Doors<'_>) -> Result<(), Failure> {
        if let Some(reading) = &mut self.reading {
            reading.checkpoint(doors);
        }
        self.leave_the_rest(doors)
    }
}

/// The streams that get a tombstone for what is gone. A table without the column would take a tombstone for a row of nulls.
fn tombstones(
    config: &Config,
    streams: &[ConfiguredStream],
    doors: &mut Doors<'_>,
) -> Result<Vec<OrderStream>, Failure> {
    if !config.deletions {
        return Ok(Vec::new());
    }
    if config.changes == Changes::Off {
        let text = "orders: Deleted orders (deletions) has no effect while Changed orders (changes) is off: vanished orders are found where the last days are read again.";
        doors.output.log(Level::Warn, text)?;
    }
    let of_family = |stream: &&ConfiguredStream| {
        let can = OrderStream::named(&stream.name).is_some_and(OrderStream::has_tombstones);
        can && stream.sync_mode == SyncMode::Incremental
    };
    let (with, without): (Vec<_>, Vec<_>) = streams
        .iter()
        .filter(of_family)
        .partition(|stream| stream.columns.iter().any(|column| column == DELETED_AT));
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(|stream| stream.name.as_str()).collect();
        let text = format!(
            "The configured catalog has no column {DELETED_AT} for {}, so no tombstones are written there. Refresh the source schema of the connection, and select the column.",
            names.join(", ")
        );
        doors.output.log(Level::Warn, &text)?;
    }
    Ok(with.into_iter().filter_map(|stream| OrderStream::named(&stream.name)).collect())
}
