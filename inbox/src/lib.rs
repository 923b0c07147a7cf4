//! The checkout inbox: keeps what AiFi's checkout webhook sends, once and in order, and relays payment answers.
//!
//! A request goes `service` → `receive` → `writer` → `store`; with a relay also to `relay`, and to `spool` while the
//! store does not take events. `room` bounds the memory that bodies take. Readers come through `events`. `server` is all
//! of them together. The program is `main.rs`; the quickstart runs the server in its own process.

mod auth;
pub mod cli;
mod events;
mod identity;
mod receive;
mod relay;
mod room;
mod server;
mod service;
mod spool;
mod store;
mod telemetry;
mod writer;

use std::io::Write;

use anyhow::{Result, ensure};

pub use server::Server;

use cli::{Cli, Command, Prune};
use store::Store;

/// Runs a command line to its end; `serve` until `SIGTERM` or `SIGINT`.
///
/// # Errors
/// When an option is wrong, the store does not answer, or the address cannot be listened on.
pub async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(options) => {
            let server = Server::open(&cli.store, *options).await?;
            server.run(service::signals()?).await;
            Ok(())
        }
        Command::Status => {
            let status = Store::open(&cli.store).await?.status().await?;
            writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(&status)?)?;
            Ok(())
        }
        Command::Export { after } => export(&Store::open(&cli.store).await?, after).await,
        Command::Prune(options) => prune(&Store::open(&cli.store).await?, &options).await,
    }
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
