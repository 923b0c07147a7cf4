//! The service, put together from its options.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::auth::{Access, Secrets};
use crate::cli::Serve;
use crate::events::Outlet;
use crate::receive::Inbox;
use crate::relay::Relay;
use crate::room::Room;
use crate::spool::Spool;
use crate::store::Store;
use crate::writer::Writer;
use crate::{service, telemetry};

/// How long the service continues, beyond what a relay may take, for calls that are under way.
const STOPPING: u64 = 20;

/// An inbox that listens, and answers once it runs.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    connections: usize,
    stopping: Duration,
    /// Stores what comes, until nobody can send any more.
    writing: JoinHandle<()>,
    /// Empties the spool, if there is one.
    draining: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens the store and listens. Only one can be opened in a process, which has one set of metrics.
    ///
    /// # Errors
    /// When an option is wrong, the store cannot be opened, or the address cannot be listened on.
    pub async fn open(store: &str, options: Serve) -> Result<Self> {
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
        let store = Store::open(store).await?;
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
        let address = listener.local_addr()?;
        let connections = service::most_connections(options.relay.is_some());
        tracing::info!(%address, relay = options.relay.is_some(), connections, "Listening.");
        let room = Room::new();
        let outlet = Outlet { store, writer: writer.clone(), spool, room: room.clone(), tokens, metrics };
        let budget = Duration::from_millis(options.relay_budget);
        let inbox = Inbox { access, path, room, writer, relay, budget, answer: Bytes::from(options.answer) };
        let stopping = patience + Duration::from_secs(STOPPING);
        let router = service::router(inbox, outlet);
        Ok(Self { listener, address, router, connections, stopping, writing, draining })
    }

    /// Where it listens, with the port that the system has chosen if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends; then finishes the calls under way, stores their answers and closes the store.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        service::serve(self.listener, self.router, self.connections, self.stopping, stop).await;
        if let Some(draining) = self.draining {
            draining.abort();
        }
        // All writers are gone once the last answer is stored; then the store closes.
        if tokio::time::timeout(self.stopping, self.writing).await.is_err() {
            tracing::error!("The store did not close in time.");
        }
        tracing::info!("Stopped.");
    }
}
