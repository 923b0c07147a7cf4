//! The model over HTTP.

mod body;
mod calls;
mod control;
mod shared;

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::body::SentBody;
pub(crate) use self::calls::push;
pub(crate) use self::shared::{Shared, lock};
use crate::model::{Answer, Delivery, TOKEN};

/// Serves until told to stop.
pub(crate) async fn serve(listener: TcpListener, model: Shared, mut stop: oneshot::Receiver<()>) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => return,
        };
        // A failed accept concerns one client.
        let Ok((stream, _)) = stream else { continue };
        let _ = stream.set_nodelay(true);
        let model = model.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| respond(&model, request));
            // A client that goes away, or that a fault sends away, is not a failure.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(model: &Shared, request: Request<Incoming>) -> io::Result<Response<SentBody>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let target = head.uri.path_and_query().map_or(path, |target| target.as_str());
    let answer = if let Some(command) = path.strip_prefix("/_sandbox/") {
        control::answer(&mut lock(model), &head.method, command, head.uri.query().unwrap_or(""))
    } else if head.method == Method::POST && path == TOKEN {
        let form = Limited::new(body, 64 << 10).collect().await.map_err(io::Error::other)?.to_bytes();
        lock(model).token(&form)
    } else if head.method == Method::GET {
        lock(model).answer(target, bearer(&head.headers))
    } else {
        Answer::new(404)
    };
    deliver(answer, accepts_gzip(&head.headers) && lock(model).options().gzip).await
}

async fn deliver(answer: Answer, gzip: bool) -> io::Result<Response<SentBody>> {
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    let broken = || io::Error::from(io::ErrorKind::ConnectionAborted);
    match answer.delivery {
        Delivery::Reset => return Err(broken()),
        Delivery::Hang(time) => {
            tokio::time::sleep(time).await;
            return Err(broken());
        }
        Delivery::Whole | Delivery::Cut | Delivery::Endless => {}
    }
    let mut response = Response::builder().status(answer.status);
    let encoded = answer.headers.iter().any(|(name, _)| name == "content-encoding");
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let mut body = answer.body;
    if gzip && !encoded && !body.is_empty() && answer.delivery != Delivery::Endless {
        body = compressed(&body)?;
        response = response.header("content-encoding", "gzip").header("vary", "accept-encoding");
    }
    if answer.delivery != Delivery::Endless {
        response = response.header(CONTENT_LENGTH, body.len());
    }
    let body = match answer.delivery {
        Delivery::Cut => {
            let half = body.len() / 2;
            SentBody::broken(Bytes::from(body).slice(..half))
        }
        Delivery::Endless => SentBody::endless(),
        Delivery::Whole | Delivery::Reset | Delivery::Hang(_) => SentBody::whole(body),
    };
    response.body(body).map_err(io::Error::other)
}

fn compressed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(',').any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim() == "gzip" && !matches!(quality.trim(), "q=0" | "q=0.0")
        })
    })
}

#[cfg(test)]
mod tests;
