//! The command line. The doc comments are the help.

#![expect(clippy::disallowed_methods, reason = "this is the door of the environment")]

use std::io;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::failure::{Failure, FailureKind};
use crate::protocol::message::Level;

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

To resume where a sync ended, pass the last STATE message of each stream as an array. jq makes it:
  jq -c 'select(.type == \"STATE\").state' orders.jsonl |
    jq -cs 'group_by(.stream.stream_descriptor) | map(last)' > state.json

Exit status: 0 when the command did what it was asked (a failed check included), 1 when it failed, 2 when the
command line was wrong; stopped by a signal, it ends by that signal.

Environment: a proxy is taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY. LOG_LEVEL=debug logs each request, and
LOG_LEVEL=trace also what the reader decides.";

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
    /// Find out what keeps this machine from reading the orders: a report for people, safe to paste
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
    let name = format!("The file {} (--{option})", path.display());
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("{name} cannot be read: {}.", why_not(&error));
        Failure::new(FailureKind::Usage, message).because(error)
    })?;
    text(bytes).map_err(|why| Failure::new(FailureKind::Usage, format!("{name} cannot be read: {why}.")))
}

/// The text of a file. Editors put a byte order mark before it, which is not part of it.
fn text(mut bytes: Vec<u8>) -> Result<String, &'static str> {
    // JSON begins with two ASCII characters, so a zero among them is half of one of two bytes.
    if bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || bytes.iter().take(2).any(|byte| *byte == 0)
    {
        return Err("it is in UTF-16, as some Windows programs write. Save it as UTF-8");
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|_| "it is not valid UTF-8")
}

/// Why a file cannot be read, in words.
fn why_not(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this user is not permitted to read it (in the image: user 1000; try chmod a+r)".to_owned()
        }
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// The proxy that requests with this scheme go through, as the environment names it: the variable and the host, never
/// a password. It is looked up as the HTTP client does; a value that the client would ignore is a failure.
pub fn proxy(scheme: &str) -> Result<Option<(&'static str, String)>, Failure> {
    proxy_of(scheme, |name| std::env::var(name).ok())
}

fn proxy_of(
    scheme: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(&'static str, String)>, Failure> {
    let own = if scheme == "https" { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    for names in [own, ["ALL_PROXY", "all_proxy"]] {
        // The client takes the first that is set, also if it is empty.
        let set = names.into_iter().find_map(|name| variable(name).map(|value| (name, value)));
        if let Some((name, value)) = set.filter(|(_, value)| !value.is_empty()) {
            let host = proxy_host(&value)
                .map_err(|why| Failure::new(FailureKind::Config, format!("{name}: {why}")))?;
            return Ok(Some((name, host)));
        }
    }
    Ok(None)
}

/// The host and port of a proxy, or why it cannot be used. A value is never quoted: it may hold a password.
fn proxy_host(value: &str) -> Result<String, &'static str> {
    const LIKE: &str = "must look like http://host:port or http://user:password@host:port.";
    if value.contains(['"', '\'']) {
        return Err(
            "must not have quotation marks. Where no shell reads the variable, they become part of its value. A quotation mark in a password is written as %22 or %27.",
        );
    }
    if value.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\u{feff}') {
        return Err("must not have spaces or line breaks. A space in a password is written as %20.");
    }
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err("must name an http or https proxy, such as http://host:port.");
    }
    if rest.matches('@').count() > 1 {
        return Err("has more than one @. Write an @ in the user name or password as %40.");
    }
    let (user, host) = rest.split_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
    if user
        .is_some_and(|user| user.contains(['/', '?', '#', '\\', '[', ']', '<', '>', '^', '`', '{', '|', '}']))
    {
        return Err(
            "has a user name or password with characters that must be percent-encoded, such as / as %2F, # as %23 and ? as %3F.",
        );
    }
    if user.is_some_and(|user| !user.is_ascii()) {
        return Err("has a user name or password with characters that must be percent-encoded.");
    }
    // The client passes over a path, but takes none where there is no scheme.
    let host = if value.contains("://") { host.split('/').next().unwrap_or_default() } else { host };
    let parsed = reqwest::Url::parse(&format!("http://{host}")).map_err(|_| LIKE)?;
    let is_plain = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    // The client takes no name that has to be rewritten first.
    let is_taken = host.is_ascii() && !host.contains(['\\', '%', '/']) && !host.ends_with(':');
    if host.is_empty() || !is_plain || !is_taken { Err(LIKE) } else { Ok(host.to_owned()) }
}

/// From which level on the log is written: the platform sets `LOG_LEVEL`. What is asked for besides debug and trace
/// leaves nothing out: warnings and what a sync did are what the log is read for.
pub fn log_level() -> Level {
    level_named(&std::env::var("LOG_LEVEL").unwrap_or_default())
}

fn level_named(name: &str) -> Level {
    match name.to_ascii_lowercase().as_str() {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        _ => Level::Info,
    }
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
        ] {
            assert!(why_not(&kind.into()).contains(words), "{kind:?}");
        }
    }

    #[test]
    fn the_log_level_is_taken_in_any_case_and_hides_nothing_of_a_sync() {
        let levels = ["TRACE", "debug", "Debug", "INFO", "ERROR", "off", ""].map(level_named);
        let (trace, debug, info) = (Level::Trace, Level::Debug, Level::Info);
        assert_eq!(levels, [trace, debug, debug, info, info, info, info]);
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_a_file() {
        assert_eq!(text(b"\xef\xbb\xbf{}".into()).unwrap(), "{}");
        assert_eq!(text(b"\xef\xbb\xbf".into()).unwrap(), "");
        assert_eq!(text("{\"a\": \"\u{feff}\"}".into()).unwrap(), "{\"a\": \"\u{feff}\"}");
    }

    #[test]
    fn another_encoding_is_named() {
        let utf16 = |order: fn(u16) -> [u8; 2], mark| {
            let start = if mark { "\u{feff}{}" } else { "{}" };
            start.encode_utf16().flat_map(order).collect::<Vec<u8>>()
        };
        for mark in [true, false] {
            for order in [u16::to_le_bytes, u16::to_be_bytes] {
                assert!(text(utf16(order, mark)).unwrap_err().contains("UTF-16"));
            }
        }
        assert!(text(b"{\xe9}".into()).unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn the_proxy_is_the_one_that_the_client_takes() {
        let of = |scheme: &str, set: &[(&str, &str)]| {
            let found = proxy_of(scheme, |name| {
                set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
            });
            found.map_err(|failure| failure.message)
        };
        let found = |name, host: &str| Ok(Some((name, host.to_owned())));
        assert_eq!(of("https", &[("HTTPS_PROXY", "http://me:pw@a:1/")]), found("HTTPS_PROXY", "a:1"));
        assert_eq!(of("https", &[("https_proxy", "a:1"), ("ALL_PROXY", "b:2")]), found("https_proxy", "a:1"));
        assert_eq!(of("https", &[("HTTPS_PROXY", ""), ("https_proxy", "a:1")]), Ok(None));
        assert_eq!(of("https", &[("HTTP_PROXY", "a:1")]), Ok(None));
        assert_eq!(of("http", &[("HTTP_PROXY", "http://[::1]:3")]), found("HTTP_PROXY", "[::1]:3"));
        assert_eq!(of("http", &[("all_proxy", "https://a.example")]), found("all_proxy", "a.example"));
    }

    #[test]
    fn a_proxy_that_would_be_ignored_is_refused_without_its_password() {
        for (value, word) in [
            ("\"http://me:secret@a:1\"", "quotation marks"),
            ("'http://a:1'", "quotation marks"),
            (" http://a:1", "spaces"),
            ("http://a:1\n", "line breaks"),
            ("http://me:secret@word@a:1", "%40"),
            ("http://me:sec/ret@a:1", "%2F"),
            ("http://me:sec#ret@a:1", "%23"),
            ("http://me:sécret@a:1", "percent-encoded"),
            ("socks5://a:1", "http or https"),
            ("http:/a:1", "must look like"),
            ("http://", "must look like"),
            ("http://a:b", "must look like"),
            ("http://a:99999", "must look like"),
            ("a:1/", "must look like"),
        ] {
            let set = |name: &str| (name == "https_proxy").then(|| value.to_owned());
            let failure = proxy_of("https", set).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Config);
            assert!(failure.message.starts_with("https_proxy: "), "{}", failure.message);
            assert!(failure.message.contains(word), "{value}: {}", failure.message);
            assert!(!failure.message.contains("sec"), "{}", failure.message);
        }
    }
}
