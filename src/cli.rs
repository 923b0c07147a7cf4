//! The command line. The doc comments are the help.

#![expect(clippy::disallowed_methods, reason = "this is the door of the environment")]

use std::io;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::failure::{Failure, FailureKind};

/// Airbyte source connector for AiFi: reads the orders of cashier-less shops, and what belongs to them, from the AiFi
/// Admin API and writes them to stdout as Airbyte messages, one JSON object a line.
#[derive(Debug, Parser)]
#[command(name = "source-aifi", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  source-aifi spec
  source-aifi check --config config.json
  source-aifi doctor --config config.json
  source-aifi discover --config config.json
  source-aifi read --config config.json --catalog configured_catalog.json > orders.jsonl
  source-aifi read --config config.json --catalog configured_catalog.json --state state.json

The smallest configuration:
  {\"credentials\": {\"auth_type\": \"access_token\", \"access_token\": \"...\"}, \"start_date\": \"2025-11-01T00:00:00Z\"}

To go on where a sync ended, pass the last STATE message of each stream as an array. jq makes it:
  jq -c 'select(.type == \"STATE\").state' orders.jsonl |
    jq -cs 'group_by(.stream.stream_descriptor) | map(last)' > state.json

Exit status: 0 when the command did what it was asked (a failed check included), 1 when it failed, 2 when the
command line was wrong; stopped by a signal, it ends by that signal. A proxy is taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY.";

/// The four operations of an Airbyte source, and one for people.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which configuration the connector takes (needs neither configuration nor network)
    Spec,
    /// Try whether the orders can be read with a configuration; the verdict is in the message
    Check {
        /// The configuration, a JSON file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show the streams and their schemas (needs no network)
    Discover {
        /// The configuration, a JSON file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Find out what stands between this machine and the orders, for people: a report that is safe to paste
    Doctor {
        /// The configuration, a JSON file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Read the selected streams: records, states, traces
    Read {
        /// The configuration, a JSON file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Which streams to read and how, a configured catalog as JSON
        #[arg(long, value_name = "FILE")]
        catalog: PathBuf,
        /// The state of an earlier sync, an array of state messages as JSON
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
    },
}

/// Reads a file that the command line names.
pub fn file(option: &str, path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let message =
            format!("The file {} (--{option}) cannot be read: {}.", path.display(), why_not(&error));
        Failure::new(FailureKind::Usage, message).because(error)
    })
}

/// Why a file cannot be read, in words.
fn why_not(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this user may not read it (in the image: user 1000; try chmod a+r)".to_owned()
        }
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::InvalidData => "it is no text in UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// The proxy that requests go through, as the environment names it: the variable and the host, never a password.
pub fn proxy() -> Option<(&'static str, String)> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
    names.into_iter().find_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        let host = value.rsplit('@').next().unwrap_or_default();
        let host = host.split("://").last().unwrap_or_default();
        Some((name, host.trim_end_matches('/').to_owned()))
    })
}

/// The platform can ask for other channels than stdout. It does so only of connectors in its registry, but a stream
/// written to a stdout that nobody reads would be lost without a word.
pub fn data_channel() -> Result<(), Failure> {
    match std::env::var("DATA_CHANNEL_MEDIUM") {
        Ok(medium) if !medium.eq_ignore_ascii_case("STDIO") => Err(Failure::new(
            FailureKind::DataChannel,
            format!(
                "The platform asks for the data channel {medium} (DATA_CHANNEL_MEDIUM), but this connector writes to stdout only. Run it with DATA_CHANNEL_MEDIUM=STDIO."
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_told_in_words() {
        for (kind, words) in [
            (io::ErrorKind::NotFound, "no such file"),
            (io::ErrorKind::PermissionDenied, "chmod a+r"),
            (io::ErrorKind::IsADirectory, "a folder"),
            (io::ErrorKind::InvalidData, "UTF-8"),
        ] {
            assert!(why_not(&kind.into()).contains(words), "{kind:?}");
        }
    }
}
