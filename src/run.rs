//! One function for each command. The only place that knows everyone.

mod check;
mod doctor;
mod read;
#[cfg(test)]
mod reserved;

use std::path::Path;

pub use read::read;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::aifi::transport::Servers;
use crate::checkout;
use crate::cli::{self, Command};
use crate::clock;
use crate::config::{self, Config};
use crate::failure::{Failure, FailureKind};
use crate::lists;
use crate::orders::records::audit;
use crate::orders::streams::OrderStream;
use crate::protocol::catalog::{self, ConfiguredStream};
use crate::protocol::output::Output;
use crate::protocol::state::SavedStates;
use crate::record::personal::Personal;
use crate::timestamp;
use crate::unreadable;

/// The streams of this connector, as `discover` describes them. `personal` says what is done to personal values,
/// `deletions` whether there are tombstones.
pub fn streams(personal: &Personal, deletions: bool) -> Vec<Value> {
    let orders = OrderStream::ALL.into_iter().map(|stream| stream.catalog_entry(personal, deletions));
    let lists = lists::declared::ALL.iter().map(|list| list.catalog_entry(personal));
    let others =
        [checkout::catalog_entry(personal), audit::catalog_entry(), unreadable::catalog_entry(personal)];
    orders.chain(lists).chain(others).collect()
}

/// Those that this configuration can read, as `discover` describes them.
fn offered(config: &Config) -> Vec<Value> {
    let mut streams = streams(&config.personal, config.deletions);
    streams.retain(|stream| config.inbox.is_some() || stream["name"] != checkout::NAME);
    streams
}

/// Runs a command. What it has to say goes to `output`, its failure included, which is returned for the exit status.
/// It ends early when `stop` becomes true.
pub async fn run(command: &Command, output: &mut Output, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    output.log_from(cli::log_level());
    match command {
        Command::Spec => output.spec(config::specification()),
        Command::Check { config } => check::check(config, output, stop).await,
        Command::Doctor { config } => doctor::doctor(config, output, stop).await,
        Command::Discover { config } => match configuration(config, output) {
            Ok(config) => output.catalog(&json!({"streams": offered(&config)})),
            Err(failure) => fail(output, failure, None),
        },
        Command::Read { config, catalog, state } => {
            match prepare(config, catalog, state.as_deref(), output) {
                Ok((config, streams, states)) => {
                    read(&config, &streams, &states, &Servers::OnNetwork, output, stop).await
                }
                Err(failure) => fail(output, failure, None),
            }
        }
    }
}

fn fail(output: &mut Output, failure: Failure, stream: Option<&str>) -> Result<(), Failure> {
    // Who stopped us knows it, and who closed our output cannot read it.
    if !matches!(failure.kind, FailureKind::Interrupted | FailureKind::OutputClosed) {
        output.failure(&failure, stream)?;
    }
    Err(failure)
}

fn configuration(path: &Path, output: &mut Output) -> Result<Config, Failure> {
    let config = Config::parse(&cli::file("config", path)?)?;
    for secret in config.secrets() {
        output.keep_secret(secret.expose());
    }
    if config.start_date > clock::now() + TimeDelta::days(1) {
        let text = format!(
            "Start date (start_date): {} lies in the future, so nothing would be read. Correct it.",
            timestamp::write(config.start_date)
        );
        return Err(Failure::new(FailureKind::Config, text));
    }
    Ok(config)
}

fn prepare(
    config: &Path,
    catalog: &Path,
    state: Option<&Path>,
    output: &mut Output,
) -> Result<(Config, Vec<ConfiguredStream>, SavedStates), Failure> {
    cli::data_channel()?;
    let config = configuration(config, output)?;
    let entries = streams(&config.personal, config.deletions);
    let names: Vec<&str> = entries.iter().filter_map(|entry| entry["name"].as_str()).collect();
    let streams = catalog::parse(&cli::file("catalog", catalog)?, &names)?;
    if config.inbox.is_none() && streams.iter().any(|stream| stream.name == checkout::NAME) {
        return Err(checkout::no_inbox());
    }
    let states = match state {
        Some(path) => SavedStates::parse(&cli::file("state", path)?)?,
        None => SavedStates::default(),
    };
    Ok((config, streams, states))
}
