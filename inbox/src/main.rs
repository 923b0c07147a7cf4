//! The checkout inbox: keeps what AiFi's checkout webhook sends, once and in order, and relays payment answers.
//!
//! A request goes `service` → `receive` → `writer` → `store`; with a relay also to `relay`, and to `spool` while the
//! store does not take events. `room` bounds the memory that bodies take. Readers come through `events`.

mod auth;
mod cli;
mod events;
mod identity;
mod receive;
mod relay;
mod room;
mod service;
mod spool;
mod store;
mod telemetry;
mod writer;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use tokio::net::TcpListener;

use auth::{Access, Secrets};
use cli::{Cli, Command, Prune, Serve};
use events::Outlet;
use receive::Inbox;
use relay::Relay;
use room::Room;
use spool::Spool;
use store::Store;
use writer::Writer;

/// How long the service continues, beyond what a relay may take, for calls that are under way.
const STOPPING: u64 = 20;

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    match cli.command {
        Command::Serve(options) => serve(&cli.store, *options).await,
        Command::Status => {
            let status = Store::open(&cli.store).await?.status().await?;
            writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(&status)?)?;
            Ok(())
        }
        Command::Export { after } => export(&Store::open(&cli.store).await?, after).await,
        Command::Prune(options) => prune(&Store::open(&cli.store).await?, &options).await,
    }
}

async fn serve(url: &str, options: Serve) -> Result<()> {
    let access = Access {
        bearer: Secrets::parse(&options.tokens),
        header: options.header.map(|name| (name, Secrets::parse(&options.header_values))),
        path: Secrets::parse(&options.path_secrets),
        open: options.open,
    };
    let tokens = (!options.open).then(|| Secrets::parse(&options.read_tokens));
    ensure!(
        !access.is_closed(),
        "Nobody could send: set AIFI_INBOX_TOKENS, or see `aifi-inbox serve --help`."
    );
    ensure!(
        tokens.as_ref().is_none_or(|tokens| !tokens.is_empty()),
        "Nobody could read: set AIFI_INBOX_READ_TOKENS, or see `aifi-inbox serve --help`."
    );
    if options.open {
        tracing::warn!("Anyone may send and read: --open was given.");
    }
    let path = options.path.trim_end_matches('/').to_owned();
    ensure!(
        path.len() > 1 && path.starts_with('/') && !path.contains(['{', '}', '*']),
        "--path must begin with / and name at least one segment."
    );
    serde_json::from_str::<serde_json::Value>(&options.answer).context("--answer must be JSON.")?;
    let metrics = telemetry::record()?;
    let store = Store::open(url).await?;
    let (writer, writing) = Writer::start(store.clone());
    let patience = Duration::from_secs(options.relay_timeout);
    let relay = match &options.relay {
        None => None,
        Some(target) => {
            let relay = Relay::new(target, options.relay_authorization.as_deref(), patience)?;
            Some((relay, Spool::open(options.spool).context("The spool cannot be opened.")?))
        }
    };
    let spool = relay.as_ref().map(|(_, spool)| spool.clone());
    let draining = spool.clone().map(|spool| tokio::spawn(spool.drain(writer.clone())));
    let listener = TcpListener::bind(&options.listen)
        .await
        .with_context(|| format!("Cannot listen on {}.", options.listen))?;
    let connections = service::most_connections(options.relay.is_some());
    tracing::info!(address = %listener.local_addr()?, relay = options.relay.is_some(), connections, "Listening.");
    let room = Room::new();
    let outlet = Outlet { store, writer: writer.clone(), spool, room: room.clone(), tokens, metrics };
    let budget = Duration::from_millis(options.relay_budget);
    let inbox = Inbox { access, path, room, writer, relay, budget, answer: Bytes::from(options.answer) };
    let stopping = patience + Duration::from_secs(STOPPING);
    service::serve(listener, service::router(inbox, outlet), connections, stopping).await?;
    if let Some(draining) = draining {
        draining.abort();
    }
    // All writers are gone once the last answer is stored; then the store closes.
    if tokio::time::timeout(stopping, writing).await.is_err() {
        tracing::error!("The store did not close in time.");
    }
    tracing::info!("Stopped.");
    Ok(())
}

async fn export(store: &Store, mut after: i64) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    loop {
        let page = store.page(after, 1000).await?;
        for event in &page.events {
            serde_json::to_writer(&mut out, event)?;
            out.write_all(b"\n")?;
            after = event.seq;
        }
        if !page.more {
            out.flush()?;
            return Ok(());
        }
    }
}

/// A number of events, in words.
fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

async fn prune(store: &Store, options: &Prune) -> Result<()> {
    let something = options.order.is_some() || options.older_than.is_some() || options.larger_than.is_some();
    ensure!(something, "Say what to delete: --older-than, --larger-than or --order.");
    let mut out = std::io::stdout().lock();
    if let Some(order) = &options.order {
        let erased = store.erase(order).await?;
        writeln!(out, "Erased {} of order {order}.", events(erased))?;
    }
    if options.older_than.is_some() || options.larger_than.is_some() {
        let cutoff = options.older_than.map(|days| store::now() - i64::from(days) * 86_400_000_000);
        let deleted = store.prune(cutoff, options.larger_than, options.unread).await?;
        writeln!(out, "Deleted {}.", events(deleted))?;
    }
    Ok(())
}
