//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Keeps what AiFi's checkout webhook sends, and relays payment answers.
///
/// Start it on SQLite and push an event:
///
///   AIFI_INBOX_TOKENS=secret AIFI_INBOX_READ_TOKENS=reader aifi-inbox serve
///
///   curl -H 'Authorization: Bearer secret' -d '{"orderId":1,"status":"draft","timeOfOrigin":"2024-05-01T12:00:00Z"}' http://127.0.0.1:8080/checkout
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where events are kept: sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE.
    #[arg(
        long,
        global = true,
        env = "AIFI_INBOX_STORE",
        hide_env_values = true,
        default_value = "sqlite://aifi-inbox.db"
    )]
    pub store: String,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive events until SIGTERM; events under way are finished first.
    Serve(Box<Serve>),
    /// Say what the store holds, as JSON.
    Status,
    /// Write events as JSON lines, in order.
    Export {
        /// Only events after this number.
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
    /// Delete events: old ones that every named reader has passed, or all of one order.
    Prune(Prune),
}

/// Which events are deleted.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Prune {
    /// Events that last came more than this many days ago.
    #[arg(long, value_name = "DAYS", conflicts_with = "order")]
    pub older_than: Option<u32>,
    /// The oldest events, until the bodies of the rest take so many bytes.
    #[arg(long, value_name = "BYTES", conflicts_with = "order", value_parser = clap::value_parser!(i64).range(0..))]
    pub larger_than: Option<i64>,
    /// Also events that a named reader has not passed, or when there is no named reader.
    #[arg(long, conflicts_with = "order")]
    pub unread: bool,
    /// All events of this order, read or not: a shopper asked for it.
    #[arg(long, value_name = "ID")]
    pub order: Option<String>,
}

/// Options of the service.
#[derive(Debug, Parser)]
pub struct Serve {
    /// Address and port to listen on.
    #[arg(long, env = "AIFI_INBOX_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Path of the webhook.
    #[arg(long, env = "AIFI_INBOX_PATH", default_value = "/checkout")]
    pub path: String,
    /// Bearer tokens that may send, separated by commas: several are valid at once, for rotation.
    #[arg(long, env = "AIFI_INBOX_TOKENS", hide_env_values = true, default_value = "")]
    pub tokens: String,
    /// Another header that may prove the sender; its values are in AIFI_INBOX_HEADER_VALUES.
    #[arg(long, env = "AIFI_INBOX_HEADER")]
    pub header: Option<String>,
    /// Values of that header, separated by commas.
    #[arg(long, env = "AIFI_INBOX_HEADER_VALUES", hide_env_values = true, default_value = "")]
    pub header_values: String,
    /// Secret last segments of the path, separated by commas: /checkout/SECRET.
    #[arg(long, env = "AIFI_INBOX_PATH_SECRETS", hide_env_values = true, default_value = "")]
    pub path_secrets: String,
    /// Bearer tokens that may read, separated by commas.
    #[arg(long, env = "AIFI_INBOX_READ_TOKENS", hide_env_values = true, default_value = "")]
    pub read_tokens: String,
    /// Let anyone send and read. Only behind something else that checks.
    #[arg(long)]
    pub open: bool,
    /// What is answered without a relay: JSON. A webhook that AiFi has marked as default needs payment data here.
    #[arg(long, env = "AIFI_INBOX_ANSWER", default_value = "{}")]
    pub answer: String,
    /// Forward each delivery to this URL and pass its answer on.
    #[arg(long, value_name = "URL", env = "AIFI_INBOX_RELAY")]
    pub relay: Option<String>,
    /// Authorization header for the relay's target, instead of the caller's.
    #[arg(long, env = "AIFI_INBOX_RELAY_AUTHORIZATION", hide_env_values = true)]
    pub relay_authorization: Option<String>,
    /// Seconds after which a target that does not answer counts as too slow (504).
    #[arg(long, value_name = "SECONDS", env = "AIFI_INBOX_RELAY_TIMEOUT", default_value_t = 30)]
    pub relay_timeout: u64,
    /// Milliseconds that storing may hold a forward up.
    #[arg(long, value_name = "MILLISECONDS", env = "AIFI_INBOX_RELAY_BUDGET", default_value_t = 250)]
    pub relay_budget: u64,
    /// Directory for events that the store does not take while the relay continues.
    #[arg(long, env = "AIFI_INBOX_SPOOL", default_value = "aifi-inbox-spool")]
    pub spool: PathBuf,
}
