//! Listens, serves, stops.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::{any, get};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;

use crate::events::{self, Outlet};
use crate::receive::{Inbox, receive};

/// How many connections are served at once, if there are descriptors for them.
const CONNECTIONS: usize = 16_384;
/// Descriptors that are left for the store, the spool and the log.
const DESCRIPTORS: usize = 96;
/// How long the head of a request may take, and how long a connection may rest.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// The most that a connection reads ahead.
const READ_AHEAD: usize = 64 << 10;
/// What a connection beyond the limit gets.
const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
    content-length: 0\r\nconnection: close\r\n\r\n";

/// All paths.
pub(crate) fn router(inbox: Inbox, outlet: Outlet) -> Router {
    let path = inbox.path.clone();
    let outlet = Arc::new(outlet);
    let reading = Router::new()
        .route("/v1/events", get(events::events))
        .layer(CompressionLayer::new())
        .route("/health/live", get(events::live))
        .route("/health/ready", get(events::ready))
        .route("/metrics", get(events::metrics))
        .with_state(outlet);
    Router::new()
        .route(&path, any(receive))
        .route(&format!("{path}/{{secret}}"), any(receive))
        .with_state(Arc::new(inbox))
        .merge(reading)
}

/// Ends at `SIGTERM` or `SIGINT`, from now on.
///
/// # Errors
/// When signals cannot be listened for.
pub(crate) fn signals() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("No signals.")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("No signals.")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    })
}

/// Serves until `stop` ends; calls under way then have `patience` to finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    patience: Duration,
    stop: impl Future<Output = ()>,
) {
    let connections = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most often no file descriptors are left; some come back.
                tracing::error!(%error, "A connection could not be accepted.");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Ok(permit) = connections.clone().try_acquire_owned() else {
            refuse(&stream);
            continue;
        };
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_buf_size(READ_AHEAD)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        metrics::gauge!("aifi_inbox_connections").increment(1.0);
        tokio::spawn(async move {
            // A sender that goes away is not a failure of ours.
            let _ = connection.await;
            metrics::gauge!("aifi_inbox_connections").decrement(1.0);
            drop(permit);
        });
    }
    tracing::info!("Stopping: calls under way are finished.");
    drop(listener);
    if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
        tracing::warn!("Some connections did not end in time.");
    }
}

/// How many connections can be served: beyond that one is refused, while for want of a descriptor it would only wait.
pub(crate) fn most_connections(relay: bool) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let limit = limit.and_then(|limit| limit.split_whitespace().next()?.parse().ok()).unwrap_or(usize::MAX);
    // A call that is relayed takes a second one.
    let descriptors = limit.saturating_sub(DESCRIPTORS).max(16) / if relay { 2 } else { 1 };
    descriptors.min(CONNECTIONS)
}

fn refuse(stream: &TcpStream) {
    metrics::counter!("aifi_inbox_refused_total", "reason" => "connections").increment(1);
    // It fits into an empty socket buffer; a peer that is gone gets nothing.
    let _ = stream.try_write(OVERLOADED);
}
