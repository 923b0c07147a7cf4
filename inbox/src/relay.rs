//! Forwards a request to the payment endpoint, once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::store::append::Relay as Fate;

/// An answer must fit into memory.
const ANSWER: usize = 16 << 20;
/// A target may close a connection that rests; ours are gone before that, so that no call meets a closed one.
const REST: Duration = Duration::from_secs(4);

/// The way to the target.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    target: Uri,
    authorization: Option<HeaderValue>,
    patience: Duration,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What came of a forward.
#[derive(Debug)]
pub(crate) struct Forwarded {
    /// What is stored.
    pub(crate) fate: Fate,
    /// How long the target took.
    pub(crate) took: Duration,
    /// What the caller gets.
    pub(crate) response: Response<Bytes>,
}

impl Relay {
    /// Prepares to forward to `target`. `authorization` replaces the caller's credentials; `patience` bounds a call.
    ///
    /// # Errors
    /// When the target is not a URL, or the system's certificate authorities cannot be read.
    pub(crate) fn new(target: &str, authorization: Option<&str>, patience: Duration) -> Result<Self> {
        let target: Uri = target.parse().context("--relay must be a URL.")?;
        anyhow::ensure!(
            matches!(target.scheme_str(), Some("http" | "https")) && target.host().is_some(),
            "--relay must be a URL that begins with http:// or https://."
        );
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .context("The system's certificate authorities cannot be read.")?
            .https_or_http()
            .enable_http1()
            .build();
        // The client repeats a request only when not one byte of it was sent, so the target sees each call once.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(REST)
            .build(connector);
        let authorization = match authorization {
            None => None,
            Some(value) => {
                let mut value: HeaderValue =
                    value.parse().context("The relay's credentials are not a valid header value.")?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self { target, authorization, patience, client })
    }

    /// Forwards a request and waits for the whole answer.
    pub(crate) async fn forward(
        &self,
        method: Method,
        query: Option<&str>,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Forwarded {
        let begun = Instant::now();
        let exchange = self.exchange(method, query, headers, body);
        let (fate, response) = match tokio::time::timeout(self.patience, exchange).await {
            Ok(Ok(response)) => (Fate::Answered, response),
            Ok(Err(error)) => {
                tracing::error!(error = format!("{error:#}"), "The relay's target did not answer.");
                (Fate::Failed, plain(StatusCode::BAD_GATEWAY))
            }
            Err(_) => {
                tracing::error!("The relay's target took too long.");
                (Fate::Late, plain(StatusCode::GATEWAY_TIMEOUT))
            }
        };
        let took = begun.elapsed();
        metrics::histogram!("aifi_inbox_relay_seconds").record(took);
        metrics::counter!("aifi_inbox_relayed_total", "outcome" => fate.name()).increment(1);
        Forwarded { fate, took, response }
    }

    async fn exchange(
        &self,
        method: Method,
        query: Option<&str>,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(query)?;
        let sent = request.headers_mut();
        copy(headers, sent);
        // The target's host and the length follow from the request.
        sent.remove(header::HOST);
        sent.remove(header::EXPECT);
        if let Some(authorization) = &self.authorization {
            sent.insert(header::AUTHORIZATION, authorization.clone());
        }
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER).collect().await.map_err(anyhow::Error::from_boxed)?.to_bytes();
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        copy(&head.headers, response.headers_mut());
        Ok(response)
    }

    /// The target, with the caller's query where it has none of its own.
    fn uri(&self, query: Option<&str>) -> Result<Uri> {
        match query {
            Some(query) if self.target.query().is_none() => Ok(format!("{}?{query}", self.target).parse()?),
            _ => Ok(self.target.clone()),
        }
    }
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Copies the headers that are meant for the other end.
fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    let named: Vec<HeaderName> = from
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for (name, value) in from {
        if !hop_by_hop(name) && !named.contains(name) {
            to.append(name, value.clone());
        }
    }
}

fn hop_by_hop(name: &HeaderName) -> bool {
    const NAMES: [&str; 9] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_for_one_hop_stay_behind() {
        let mut from = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("accept", "a"),
            ("accept", "b"),
            ("cookie", "c"),
        ] {
            from.append(name, value.parse().unwrap());
        }
        let mut to = HeaderMap::new();
        copy(&from, &mut to);
        let kept: Vec<_> = to.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(kept, [("accept", "a"), ("accept", "b"), ("cookie", "c")]);
    }
}
