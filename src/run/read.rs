//! `read`: the selected streams, all at the same time. One that fails does not stop the others.

use tokio::sync::watch;

use super::fail;
use crate::aifi::http::Http;
use crate::aifi::retry::SYNC_PATIENCE;
use crate::aifi::transport::Servers;
use crate::checkout;
use crate::clock;
use crate::config::Config;
use crate::engine::driver::{Driver, Line};
use crate::engine::ending::Endings;
use crate::engine::{Doors, Family};
use crate::failure::{Failure, FailureKind};
use crate::lists;
use crate::lists::declared::{ALL, List};
use crate::orders::family::OrdersFamily;
use crate::orders::records::audit;
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::{ConfiguredStream, SyncMode};
use crate::protocol::generation::Generations;
use crate::protocol::message::{Level, Status};
use crate::protocol::output::Output;
use crate::protocol::personal_mark::PersonalMark;
use crate::protocol::start_date;
use crate::protocol::state::SavedStates;
use crate::unreadable::{self, UnreadableRows};

/// Reads the selected streams from these servers. The failure is the one that ended the sync, or else the first.
pub async fn read(
    config: &Config,
    streams: &[ConfiguredStream],
    states: &SavedStates,
    servers: &Servers,
    output: &mut Output,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let connected = Http::new(servers, config, SYNC_PATIENCE, stop.clone()).and_then(|api| {
        let to_inbox = |inbox| Http::to_inbox(servers, inbox, config, checkout::PATIENCE, stop);
        let is_selected = streams.iter().any(|stream| stream.name == checkout::NAME);
        Ok((api, config.inbox.as_ref().filter(|_| is_selected).map(to_inbox).transpose()?))
    });
    let ((http, mut events), mut inbox) = match connected {
        Ok(connected) => connected,
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
    let mark = PersonalMark::new(config.personal.mark());
    let states = &states.that(|name, state| {
        let counts = generations.counts(name, state)
            && start_date::counts(state, config.start_date)
            && mark.counts(state);
        !in_full(name) || counts
    });
    if let Some(warning) = other_personal_data(streams, states, &mark) {
        output.log(Level::Warn, &warning)?;
    }
    output.state_generations(generations);
    output.state_personal_mark(mark);
    let mut unreadable = UnreadableRows::new(
        streams.iter().any(|stream| stream.name == unreadable::NAME),
        clock::now(),
        config.personal.clone(),
    );
    let mut endings = Endings::default();
    begin_unreadable(&unreadable, output)?;
    let mut doors =
        Doors { output, unreadable: &mut unreadable, counts: http.counts(), endings: &mut endings };
    let begun = families(config, streams, states, &mut doors)
        .and_then(|families| Ok((families, events_of_inbox(config, streams, states, &mut doors)?)));
    let over = match begun {
        Ok((families, of_inbox)) => {
            let mut lines = vec![Line { http: &http, events: &mut events, families }];
            if let Some((http, events)) = &mut inbox {
                lines.push(Line { http, events, families: of_inbox });
            }
            Driver::new(lines, doors).run().await
        }
        Err(failure) => Err(failure),
    };
    end_unreadable(&mut unreadable, output, &over, &endings)?;
    over?;
    endings.failed
}

/// What to say of streams that were written under another setting of personal data.
fn other_personal_data(
    streams: &[ConfiguredStream],
    states: &SavedStates,
    mark: &PersonalMark,
) -> Option<String> {
    let differs = |stream: &&ConfiguredStream| states.of(&stream.name).is_some_and(|state| !mark.fits(state));
    let names: Vec<&str> = streams.iter().filter(differs).map(|stream| stream.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "The setting Personal data (personal_data), or its salt, was changed since the last sync of these streams: {}. Rows that were written before stay as they are: personal data that was kept is still in the destination, and hashes under another salt do not join with new ones. To write all rows under the new setting, refresh the source schema and clear these streams' data.",
            names.join(", ")
        )
    })
}

/// The families of the selected streams, begun.
fn families<'a>(
    config: &'a Config,
    streams: &[ConfiguredStream],
    states: &SavedStates,
    doors: &mut Doors<'_>,
) -> Result<Vec<Box<dyn Family + 'a>>, Failure> {
    let mut families: Vec<Box<dyn Family>> = Vec::new();
    // Dimensions first, as the others are joined to them.
    let (changing, dimensions): (Vec<&'static List>, Vec<&'static List>) =
        ALL.iter().copied().partition(|list| list.incremental);
    for list in dimensions.into_iter().chain(changing) {
        let Some(stream) = streams.iter().find(|stream| stream.name == list.name) else { continue };
        doors.output.status(list.name, Status::Started)?;
        match lists::reading::Reading::new(list, config, stream.sync_mode, states.of(list.name), doors) {
            Ok(reading) => families.push(Box::new(reading)),
            Err(failure) => {
                doors.endings.close(doors.output, list.name, Err(failure))?;
            }
        }
    }
    let of_orders = |stream: &ConfiguredStream| OrderStream::named(&stream.name).is_some();
    if streams.iter().any(|stream| of_orders(stream) || stream.name == audit::NAME) {
        families.push(Box::new(OrdersFamily::new(config, streams, states, doors)?));
    }
    Ok(families)
}

/// The reading of the checkout inbox, begun; none, where its stream is not selected.
fn events_of_inbox(
    config: &Config,
    streams: &[ConfiguredStream],
    states: &SavedStates,
    doors: &mut Doors<'_>,
) -> Result<Vec<Box<dyn Family>>, Failure> {
    let stream = streams.iter().find(|stream| stream.name == checkout::NAME);
    let Some((stream, inbox)) = stream.zip(config.inbox.as_ref()) else { return Ok(Vec::new()) };
    doors.output.status(checkout::NAME, Status::Started)?;
    let saved = states.of(checkout::NAME);
    match checkout::reading::Reading::new(&inbox.consumer, &config.personal, stream.sync_mode, saved, doors) {
        Ok(reading) => Ok(vec![Box::new(reading)]),
        Err(failure) => {
            doors.endings.close(doors.output, checkout::NAME, Err(failure))?;
            Ok(Vec::new())
        }
    }
}

/// All streams write to it, so it begins first.
fn begin_unreadable(unreadable: &UnreadableRows, output: &mut Output) -> Result<(), Failure> {
    if !unreadable.is_selected() {
        return Ok(());
    }
    output.status(unreadable::NAME, Status::Started)?;
    output.status(unreadable::NAME, Status::Running)
}

/// It is complete where all other streams are.
fn end_unreadable(
    unreadable: &mut UnreadableRows,
    output: &mut Output,
    over: &Result<(), Failure>,
    endings: &Endings,
) -> Result<(), Failure> {
    if over.as_ref().is_err_and(|failure| failure.kind == FailureKind::OutputClosed) {
        return Ok(());
    }
    unreadable.finish(output)?;
    if !unreadable.is_selected() {
        return Ok(());
    }
    let whole = over.is_ok() && endings.failed.is_ok();
    output.status(unreadable::NAME, if whole { Status::Complete } else { Status::Incomplete })
}
