//! Takes a checkout event: keeps it, relays it where that is configured, answers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;

use crate::auth::Access;
use crate::relay::Relay;
use crate::room::{NotTaken, Room};
use crate::spool::Spool;
use crate::store::append::{Change, Delivery, Outcome, Relay as Fate};
use crate::store::now;
use crate::writer::{NotStored, Writer};

/// The largest body that is taken, in bytes.
const BODY: usize = 1 << 20;
/// How long a body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(15);
/// How long the rest of a body that was refused may take.
const REFUSED_PATIENCE: Duration = Duration::from_secs(5);

/// All that the receiving side needs.
pub(crate) struct Inbox {
    /// Who may send.
    pub(crate) access: Access,
    /// The path of the webhook, without a slash at its end.
    pub(crate) path: String,
    /// Holds bodies.
    pub(crate) room: Room,
    /// Keeps events.
    pub(crate) writer: Writer,
    /// Keeps events that the store does not take; with a relay only.
    pub(crate) relay: Option<(Relay, Spool)>,
    /// How long storing may hold a forward up.
    pub(crate) budget: Duration,
    /// What is answered without a relay: JSON.
    pub(crate) answer: Bytes,
}

/// Where an event is before it is forwarded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Store,
    Spool,
    Nowhere,
}

/// The handler of the webhook's path.
pub(crate) async fn receive(State(inbox): State<Arc<Inbox>>, request: Request) -> Response {
    let (head, mut body) = request.into_parts();
    let segment = head.uri.path().strip_prefix(&inbox.path).map(|rest| rest.trim_matches('/'));
    let taken = if !inbox.access.admits(&head.headers, segment) {
        Err(("credentials", StatusCode::UNAUTHORIZED))
    } else if inbox.relay.is_none() && head.method != Method::POST {
        Err(("method", StatusCode::METHOD_NOT_ALLOWED))
    } else {
        whole(&inbox.room, &mut body).await
    };
    let body = match taken {
        Ok(body) => body,
        Err((reason, status)) => {
            if !matches!(reason, "cut" | "slow") {
                tokio::spawn(read_over(body));
            }
            return refused(reason, status);
        }
    };
    // A sender that goes away must not stop what has begun: a payment may be under way.
    let work = async move { inbox.take(head.method, head.uri.query(), &head.headers, body).await };
    tokio::spawn(work).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn whole(room: &Room, body: &mut Body) -> Result<Bytes, (&'static str, StatusCode)> {
    match tokio::time::timeout(BODY_PATIENCE, room.gather(body, BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(NotTaken::TooLarge)) => Err(("size", StatusCode::PAYLOAD_TOO_LARGE)),
        Ok(Err(NotTaken::Cut)) => Err(("cut", StatusCode::BAD_REQUEST)),
        Ok(Err(NotTaken::Full)) => Err(("overload", StatusCode::SERVICE_UNAVAILABLE)),
        Err(_) => Err(("slow", StatusCode::REQUEST_TIMEOUT)),
    }
}

/// Reads over what is left of a body that was refused, up to a bound: a connection that is closed on unread bytes may
/// take the answer with it.
async fn read_over(mut body: Body) {
    let mut left = BODY;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    let _ = tokio::time::timeout(REFUSED_PATIENCE, reading).await;
}

fn refused(reason: &'static str, status: StatusCode) -> Response {
    metrics::counter!("aifi_inbox_refused_total", "reason" => reason).increment(1);
    tracing::warn!(reason, status = status.as_u16(), "A request was refused.");
    let mut response = status.into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

impl Inbox {
    async fn take(&self, method: Method, query: Option<&str>, headers: &HeaderMap, body: Bytes) -> Response {
        metrics::counter!("aifi_inbox_received_total").increment(1);
        let fate = if self.relay.is_some() { Fate::Unknown } else { Fate::None };
        let id = format!("{:032x}", fastrand::u128(..));
        let delivery = Delivery::new(id, body.clone(), now(), fate);
        if !delivery.recognised.is_recognised() {
            metrics::counter!("aifi_inbox_unrecognised_total").increment(1);
            tracing::warn!(event = delivery.identity, "A body is not a checkout event; it is kept as it is.");
        }
        match &self.relay {
            None => self.keep(delivery).await,
            Some((relay, spool)) => self.relay(relay, spool, delivery, method, query, headers, body).await,
        }
    }

    /// Answers once the event is durable.
    async fn keep(&self, delivery: Delivery) -> Response {
        match self.writer.write(Change::Delivered(delivery)).await {
            Ok(()) => ([(CONTENT_TYPE, "application/json")], self.answer.clone()).into_response(),
            Err(reason) => {
                let reason = match reason {
                    NotStored::Overloaded => "overload",
                    NotStored::Failed => "store",
                };
                refused(reason, StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    /// Stored as received, forwarded, answered at once; then the answer is stored.
    #[allow(clippy::too_many_arguments, reason = "they are the parts of one request")]
    async fn relay(
        &self,
        relay: &Relay,
        spool: &Spool,
        delivery: Delivery,
        method: Method,
        query: Option<&str>,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response {
        let identity = delivery.identity.clone();
        let kept = self.keep_within_budget(spool, delivery).await;
        let forwarded = relay.forward(method, query, headers, body).await;
        let (head, body) = forwarded.response.into_parts();
        let answered = forwarded.fate == Fate::Answered;
        let outcome = Outcome {
            identity,
            relay: forwarded.fate,
            status: answered.then_some(head.status.as_u16()),
            millis: u32::try_from(forwarded.took.as_millis()).ok(),
            body: answered.then(|| body.clone()),
        };
        // Its clone of the writer keeps the store open until the answer is written, also when the service stops.
        tokio::spawn(keep_outcome(self.room.clone(), self.writer.clone(), spool.clone(), kept, outcome));
        Response::from_parts(head, Body::from(body))
    }

    async fn keep_within_budget(&self, spool: &Spool, delivery: Delivery) -> Kept {
        let change = Change::Delivered(delivery);
        if let Ok(Ok(())) = tokio::time::timeout(self.budget, self.writer.write(change.clone())).await {
            return Kept::Store;
        }
        // Of a group that is stored after all, the delivery's name tells the store that it has this one.
        match tokio::time::timeout(self.budget, spool.keep(change)).await {
            Ok(Ok(())) => Kept::Spool,
            failed => {
                metrics::counter!("aifi_inbox_forwarded_unkept_total").increment(1);
                tracing::error!(?failed, "An event is forwarded that neither store nor spool has taken.");
                Kept::Nowhere
            }
        }
    }
}

async fn keep_outcome(room: Room, writer: Writer, spool: Spool, kept: Kept, mut outcome: Outcome) {
    let placed = outcome.body.clone().and_then(|body| room.admit(body));
    let fits = placed.is_some() || outcome.body.is_none();
    outcome.body = placed.or(outcome.body);
    let change = Change::Relayed(outcome);
    // What waits in the spool has to reach the store before its answer does.
    if fits && kept == Kept::Store && writer.write(change.clone()).await.is_ok() {
        return;
    }
    if let Err(error) = spool.keep(change).await {
        tracing::error!(%error, "The answer to a relayed event could not be kept.");
    }
}
