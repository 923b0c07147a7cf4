//! `read`: the selected streams, one part after the other. One that fails does not stop the others.

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::fail;
use crate::aifi::http::{Event, Http};
use crate::aifi::retry::SYNC_PATIENCE;
use crate::clock;
use crate::config::Config;
use crate::effects::Effects;
use crate::failure::{Failure, FailureKind};
use crate::lists;
use crate::lists::declared::{ALL, List};
use crate::orders::driver::{Driver, SyncStart};
use crate::orders::records::audit::{self, Audit};
use crate::orders::state::groups::{Group, Selected, groups};
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::{ConfiguredStream, SyncMode};
use crate::protocol::generation::Generations;
use crate::protocol::message::{Level, Status};
use crate::protocol::output::Output;
use crate::protocol::start_date::StartDates;
use crate::protocol::state::SavedStates;
use crate::timestamp;
use crate::unreadable::{self, UnreadableRows};

/// Reads the selected streams. The failure is the one that ended the sync, or else the first.
pub(super) async fn read(
    config: &Config,
    streams: &[ConfiguredStream],
    states: &SavedStates,
    output: &mut Output,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let (http, events) = match Http::new(config, SYNC_PATIENCE, stop) {
        Ok(made) => made,
        Err(failure) => return fail(output, failure, None),
    };
    if let Some(warning) = config.warning() {
        output.log(Level::Warn, &warning)?;
    }
    if streams.is_empty() {
        output.log(Level::Warn, "No stream is selected, so nothing is read.")?;
    }
    let generations = Generations::new(streams.iter().map(|stream| (&*stream.name, stream.generation)));
    let in_full = |name: &str| {
        streams.iter().any(|stream| stream.name == name && stream.sync_mode == SyncMode::FullRefresh)
    };
    let with_cursor = streams.iter().map(|stream| stream.name.as_str()).filter(|name| {
        OrderStream::named(name).is_some() || ALL.iter().any(|list| list.incremental && list.name == *name)
    });
    // A full refresh from another start date begins anew, so there is nothing to warn of.
    let resumed = with_cursor.map(|name| (name, states.of(name).filter(|_| !in_full(name))));
    let start_dates = StartDates::new(config.start_date, resumed);
    let states = &states
        .that(|name, state| !in_full(name) || (generations.counts(name, state) && start_dates.counts(state)));
    if let Some((names, saved)) = start_dates.moved_back() {
        output.log(Level::Warn, &moved_back(&names, config.start_date, saved))?;
    }
    output.state_generations(generations);
    output.state_start_dates(start_dates);
    let mut reading = Reading {
        config,
        http,
        events,
        streams,
        states,
        output,
        unreadable: UnreadableRows::new(
            streams.iter().any(|stream| stream.name == unreadable::NAME),
            clock::now(),
        ),
        began: SyncStart { here: clock::now(), there: None },
        details: None,
        failed: Ok(()),
        orders_are_whole: true,
        stopped: false,
    };
    reading.begin_unreadable()?;
    let before = reading.all_but_details().await;
    let over = reading.details(before).await;
    reading.end_unreadable(&over)?;
    over?;
    reading.failed
}

/// What to say of streams whose states speak from a later start date than the configured one.
fn moved_back(streams: &[&str], configured: DateTime<Utc>, saved: DateTime<Utc>) -> String {
    format!(
        "The start date was moved from {} to {}, but what lies between is not read: these streams resume where their last sync ended: {}. To read it, clear these streams' data.",
        timestamp::write(saved),
        timestamp::write(configured),
        streams.join(", ")
    )
}

/// A `read` under way.
struct Reading<'a> {
    config: &'a Config,
    http: Http,
    events: UnboundedReceiver<Event>,
    streams: &'a [ConfiguredStream],
    states: &'a SavedStates,
    output: &'a mut Output,
    /// Items that no record can be made of.
    unreadable: UnreadableRows,
    /// When it began.
    began: SyncStart,
    /// Details that have a read of their own.
    details: Option<Group>,
    /// The first failure of a stream.
    failed: Result<(), Failure>,
    /// No read of the stream `orders` has failed.
    orders_are_whole: bool,
    /// It has been told that we were asked to stop.
    stopped: bool,
}

impl Reading<'_> {
    /// Dimensions come first, as the others are joined to them.
    async fn all_but_details(&mut self) -> Result<(), Failure> {
        let (changing, dimensions): (Vec<&'static List>, Vec<&'static List>) =
            ALL.iter().copied().partition(|list| list.incremental);
        for list in dimensions {
            self.list(list).await?;
        }
        self.orders().await?;
        for list in changing {
            self.list(list).await?;
        }
        Ok(())
    }

    /// Details that have a read of their own come last: each is a request. `before` is how all others ended.
    async fn details(&mut self, before: Result<(), Failure>) -> Result<(), Failure> {
        let Some(group) = self.details.take() else { return before };
        match before {
            Err(failure) => self.leave(&group, failure.kind).and(Err(failure)),
            Ok(()) => self.read_group(group, None).await,
        }
    }

    /// A stream that is a list, if it is selected.
    async fn list(&mut self, list: &'static List) -> Result<(), Failure> {
        let Some(ConfiguredStream { name, sync_mode, .. }) =
            self.streams.iter().find(|stream| stream.name == list.name)
        else {
            return Ok(());
        };
        self.output.status(name, Status::Started)?;
        let saved = self.states.of(name);
        let result = lists::driver::read(list, self.config, self.effects(), *sync_mode, saved).await;
        self.end(name, &result)?;
        self.note(result)
    }

    /// The streams of the orders' family, and the receipts for them.
    async fn orders(&mut self) -> Result<(), Failure> {
        let selected = self.selected_orders()?;
        let with_orders = selected.iter().any(|one| one.stream == OrderStream::Orders);
        let audited = self.streams.iter().any(|stream| stream.name == audit::NAME);
        let mut receipts = if audited { self.begin_audit(with_orders)? } else { None };
        self.began.here = clock::now();
        let mut over: Result<(), Failure> = Ok(());
        for group in groups(selected, self.config.start_date) {
            if group.streams == [OrderStream::Details] {
                self.details = Some(group);
                continue;
            }
            match &over {
                Err(failure) => self.leave(&group, failure.kind)?,
                Ok(()) => over = self.read_group(group, receipts.as_mut()).await,
            }
        }
        if audited {
            // Receipts tell of what was written, so they are whole even where the orders are not.
            let saved = || self.states.of(audit::NAME).cloned();
            let state = receipts.as_ref().map(Audit::state).or_else(saved).unwrap_or_default();
            self.output.state(audit::NAME, &state)?;
            let whole = over.is_ok() && self.orders_are_whole;
            self.output.status(audit::NAME, if whole { Status::Complete } else { Status::Incomplete })?;
        }
        over
    }

    /// The streams of the orders' family that were selected, with their states. A state that cannot be read fails its own
    /// stream.
    fn selected_orders(&mut self) -> Result<Vec<Selected>, Failure> {
        let mut selected = Vec::new();
        for ConfiguredStream { name, sync_mode, .. } in self.streams {
            let Some(stream) = OrderStream::named(name) else { continue };
            self.output.status(name, Status::Started)?;
            match self.states.of(name).map(|state| stream.saved(state)).transpose() {
                Ok(saved) => selected.push(Selected { stream, mode: *sync_mode, saved }),
                Err(failure) => {
                    self.orders_are_whole &= stream != OrderStream::Orders;
                    let result = Err(failure);
                    self.end(name, &result)?;
                    self.note(result)?;
                }
            }
        }
        Ok(selected)
    }

    fn begin_audit(&mut self, with_orders: bool) -> Result<Option<Audit>, Failure> {
        self.output.status(audit::NAME, Status::Started)?;
        self.output.status(audit::NAME, Status::Running)?;
        if !with_orders {
            self.output.log(
                Level::Warn,
                "sync_audit: There are no receipts, since the stream orders is not selected. Select it, too.",
            )?;
        }
        Ok(Audit::new(clock::now(), self.states.of(audit::NAME)))
    }

    /// One read of the orders, for the streams that share it.
    async fn read_group(&mut self, group: Group, receipts: Option<&mut Audit>) -> Result<(), Failure> {
        let streams = group.streams.clone();
        for stream in &streams {
            self.output.status(stream.name(), Status::Running)?;
        }
        let with_orders = streams.contains(&OrderStream::Orders);
        let receipts = receipts.filter(|_| with_orders);
        let (config, began) = (self.config, self.began);
        let reader = Driver::new(config, self.effects(), receipts, group, began);
        let ended = reader.read().await;
        self.began.there = ended.server;
        for stream in streams {
            match stream {
                // It goes on.
                OrderStream::Details if ended.left.is_some() && ended.read.is_ok() => (),
                OrderStream::Details if ended.details.is_err() => self.end(stream.name(), &ended.details)?,
                _ => self.end(stream.name(), &ended.read)?,
            }
        }
        self.orders_are_whole &= !with_orders || ended.read.is_ok();
        self.details = ended.left.filter(|_| ended.read.is_ok()).or(self.details.take());
        self.note(ended.read)?;
        self.note(ended.details)
    }

    fn effects(&mut self) -> Effects<'_> {
        let Self { http, events, output, unreadable, .. } = self;
        Effects { http, events, output, unreadable }
    }

    /// All streams write to it, so it begins first.
    fn begin_unreadable(&mut self) -> Result<(), Failure> {
        if !self.unreadable.is_selected() {
            return Ok(());
        }
        self.output.status(unreadable::NAME, Status::Started)?;
        self.output.status(unreadable::NAME, Status::Running)
    }

    /// It is complete where all other streams are.
    fn end_unreadable(&mut self, over: &Result<(), Failure>) -> Result<(), Failure> {
        if over.as_ref().is_err_and(|failure| failure.kind == FailureKind::OutputClosed) {
            return Ok(());
        }
        self.unreadable.finish(self.output)?;
        if !self.unreadable.is_selected() {
            return Ok(());
        }
        let whole = over.is_ok() && self.failed.is_ok();
        self.output.status(unreadable::NAME, if whole { Status::Complete } else { Status::Incomplete })
    }

    /// Says of streams whose turn never came that they are not complete. Why, is told of those that failed.
    fn leave(&mut self, group: &Group, failed: FailureKind) -> Result<(), Failure> {
        let mut streams = group.streams.iter().filter(|_| failed != FailureKind::OutputClosed);
        streams.try_for_each(|stream| self.output.status(stream.name(), Status::Incomplete))
    }

    /// Says how a stream ended. That we were asked to stop is no error, and who closed our output cannot read it.
    fn end(&mut self, stream: &str, result: &Result<(), Failure>) -> Result<(), Failure> {
        let Err(failure) = result else { return self.output.status(stream, Status::Complete) };
        if failure.kind == FailureKind::OutputClosed {
            return Ok(());
        }
        let interrupted = failure.kind == FailureKind::Interrupted;
        if interrupted && !std::mem::replace(&mut self.stopped, true) {
            self.output.log(Level::Info, &failure.message)?;
        }
        self.output.status(stream, Status::Incomplete)?;
        if interrupted { Ok(()) } else { self.output.failure(failure, Some(stream)) }
    }

    /// Keeps the first failure. One that the other streams would share ends the sync.
    fn note(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        match result {
            Err(failure) if failure.kind.ends_the_sync() => Err(failure),
            Err(failure) if self.failed.is_ok() => {
                self.failed = Err(failure);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
