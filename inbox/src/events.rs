//! What readers and operators ask: events, health, metrics.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

use crate::auth::{Secrets, bearer};
use crate::room::Room;
use crate::spool::Spool;
use crate::store::Store;
use crate::store::read::{Page, Standing};
use crate::writer::Writer;

/// The most events of one page.
const LIMIT: i64 = 1000;

/// All that the reading side needs.
pub(crate) struct Outlet {
    /// Holds the events.
    pub(crate) store: Store,
    /// Knows whether the store takes events.
    pub(crate) writer: Writer,
    /// Knows what waits; with a relay only.
    pub(crate) spool: Option<Spool>,
    /// Knows what bodies take.
    pub(crate) room: Room,
    /// Who may read; `None` when anyone may.
    pub(crate) tokens: Option<Secrets>,
    /// Tells the metrics.
    pub(crate) metrics: PrometheusHandle,
}

/// The question of a reader.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    /// Events after this number.
    #[serde(default)]
    after: i64,
    /// The event that the reader saw at that number.
    seen: Option<String>,
    /// How many events at most.
    #[serde(default = "most")]
    limit: i64,
    /// The name of the reader; its place is kept, and nothing it has not passed is pruned.
    consumer: Option<String>,
}

/// A page, for the question that it answers.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    page: Page,
    /// What the reader saw, and this log holds.
    seen: Option<&'a str>,
}

fn most() -> i64 {
    LIMIT
}

/// `GET /v1/events`.
pub(crate) async fn events(
    State(outlet): State<Arc<Outlet>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let admitted =
        outlet.tokens.as_ref().is_none_or(|tokens| bearer(&headers).is_some_and(|token| tokens.hold(token)));
    if !admitted {
        metrics::counter!("aifi_inbox_refused_total", "reason" => "read credentials").increment(1);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    outlet.page(&asked).await.unwrap_or_else(|error| {
        tracing::error!(%error, "The store could not be read.");
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    })
}

/// `GET /health/live`.
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// `GET /health/ready`. With a relay it stays ready while the store is down: taking it out of the load balancer would
/// stop payments. The body says what is wrong.
pub(crate) async fn ready(State(outlet): State<Arc<Outlet>>) -> Response {
    let store = outlet.store.answers().await && outlet.writer.is_healthy();
    let ready = store || outlet.spool.is_some();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let spooled = outlet.spool.as_ref().map_or(0, Spool::depth);
    (status, Json(json!({ "ready": ready, "store": store, "spooled": spooled }))).into_response()
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(outlet): State<Arc<Outlet>>) -> String {
    let answers = outlet.store.answers().await;
    if answers {
        if let Ok((head, _)) = outlet.store.bounds().await {
            metrics::gauge!("aifi_inbox_head").set(head as f64);
        }
        for reader in outlet.store.readers().await.unwrap_or_default() {
            metrics::gauge!("aifi_inbox_reader_lag", "reader" => reader.name).set(reader.lag as f64);
        }
    }
    metrics::gauge!("aifi_inbox_held_bytes").set(outlet.room.held() as f64);
    let up = if answers && outlet.writer.is_healthy() { 1.0 } else { 0.0 };
    metrics::gauge!("aifi_inbox_store_up").set(up);
    outlet.metrics.run_upkeep();
    outlet.metrics.render()
}

impl Outlet {
    async fn page(&self, asked: &Asked) -> sqlx::Result<Response> {
        if asked.after < 0 || !(1..=LIMIT).contains(&asked.limit) {
            let message = json!({ "message": format!("after is 0 or more, limit 1 to {LIMIT}.") });
            return Ok((StatusCode::BAD_REQUEST, Json(message)).into_response());
        }
        let (seen, consumer) = (asked.seen.as_deref(), asked.consumer.as_deref());
        if let Standing::Rewound(agreed) = self.store.standing(asked.after, seen, consumer).await? {
            tracing::error!(after = asked.after, agreed, "A reader has seen what this log does not hold.");
            let (head, _) = self.store.bounds().await?;
            let body = json!({ "rewound": true, "agreed": agreed, "head": head });
            return Ok((StatusCode::CONFLICT, Json(body)).into_response());
        }
        if let Some(name) = consumer
            && let Err(error) = self.store.passed(name, asked.after, seen).await
        {
            tracing::warn!(%error, "The place of a reader was not kept.");
        }
        let page = self.store.page(asked.after, asked.limit).await?;
        Ok(Json(Answer { page, seen }).into_response())
    }
}
