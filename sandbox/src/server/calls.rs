//! Makes the calls of the webhook.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::server::body::SentBody;
use crate::server::shared::{Shared, lock};
use crate::settings::{Push, Trouble};
use crate::time;
use crate::webhook::{Call, Event};

/// How many calls are under way at once.
const AT_ONCE: usize = 32;
/// A call that is not answered within this time has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before the first repetition; it doubles, up to [`LONGEST`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Pushes each event as it comes, for ever.
pub(crate) async fn push(model: Shared, push: Push) {
    let more = lock(&model).queue.more.clone();
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut draws = fastrand::Rng::with_seed(lock(&model).options().seed);
    loop {
        let next = lock(&model).queue.next();
        let Some(event) = next else {
            more.notified().await;
            continue;
        };
        let trouble = push.trouble(draws.f64());
        let sender = Sender { model: model.clone(), push: push.clone(), at_once: at_once.clone() };
        tokio::spawn(async move {
            if let Some(Trouble::Late(time)) = trouble {
                sleep(time).await;
            }
            sender.tell(&event, trouble).await;
        });
    }
}

/// What one event is sent with.
struct Sender {
    model: Shared,
    push: Push,
    at_once: Arc<Semaphore>,
}

impl Sender {
    /// All calls of one event.
    async fn tell(&self, event: &Event, trouble: Option<Trouble>) {
        self.send(event, trouble, TimeDelta::zero()).await;
        match trouble {
            Some(Trouble::Repeat) => self.send(event, trouble, TimeDelta::zero()).await,
            Some(Trouble::Reissue) => self.send(event, trouble, TimeDelta::seconds(1)).await,
            _ => {}
        }
        lock(&self.model).queue.ended();
    }

    /// One call and those that repeat it. Only the first of an event meets a cut or a slow line.
    async fn send(&self, event: &Event, trouble: Option<Trouble>, later: TimeDelta) {
        let mut pause = PAUSE;
        for attempt in 1..=self.push.retries.saturating_add(1) {
            let issue = {
                let model = lock(&self.model);
                time::text((model.now() + later).timestamp_micros(), model.options().behaviour.stamps)
            };
            let trouble = trouble.filter(|_| attempt == 1);
            let answer = {
                let _permit = self.at_once.acquire().await;
                let call = self.call(event.body(&issue).into(), trouble);
                timeout(PATIENCE, call).await.ok().and_then(Result::ok)
            };
            lock(&self.model).queue.called(Call {
                order_id: event.order,
                status: event.status,
                time_of_origin: event.origin.clone(),
                time_of_issue: issue,
                attempt,
                trouble: trouble.map(Trouble::name),
                answer,
            });
            if answer.is_some_and(|status| (200..300).contains(&status)) {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Calls the webhook on a connection of its own, and returns the status of the answer.
    async fn call(&self, body: Bytes, trouble: Option<Trouble>) -> Result<u16, Box<dyn Error + Send + Sync>> {
        let url = &self.push.url;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, url.port_u16().unwrap_or(80))).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let target = url.path_and_query().map_or("/", |target| target.as_str());
        let mut request = Request::post(target)
            .header(HOST, url.authority().map_or("localhost", |authority| authority.as_str()))
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, body.len());
        if let Some(token) = &self.push.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match trouble {
            Some(Trouble::Cut) => SentBody::broken(body.slice(..body.len() / 2)),
            Some(Trouble::Slow(time)) => SentBody::slow(body, time),
            _ => SentBody::whole(body.to_vec()),
        };
        let answered = sender.send_request(request.body(body)?);
        if trouble == Some(Trouble::Gone) {
            // Time for the body to go out; the answer may come within it, and is not waited for.
            let _ = timeout(Duration::from_millis(5), answered).await;
            connection.abort();
            return Err("gone".into());
        }
        let answer = answered.await?;
        let status = answer.status().as_u16();
        // A sender that has its status is content; the body is read so that the connection ends well.
        let _ = answer.into_body().collect().await;
        Ok(status)
    }
}
