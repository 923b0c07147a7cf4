//! The servers of a simulation, in this process and in virtual time: the sandbox's model, replicas of it that lag, and what
//! happens in the shops meanwhile.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use aifi_sandbox::{Answer, Delivery, Model};
use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use reqwest::header::AUTHORIZATION;
use reqwest::{Body, Error, Method, Request, Response};
use source_aifi::aifi::transport::Transport;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::life::Life;
use super::rows::RowServer;

/// One answer in so many comes from a replica, where there is one.
const OF_REPLICA: u32 = 5;
/// Of a body without end, what is sent: more than the connector reads.
const ENDLESS: usize = 14 << 20;

/// The API, and the time on its clock.
pub struct Api {
    pub model: Model,
    pub life: Life,
    /// A list of a test's own, instead of the model's.
    pub rows: Option<RowServer>,
    /// Every fifth request is answered by a replica that is up to so far behind.
    pub lag: Option<Duration>,
    /// The replica, and when it was last as the API is.
    replica: Option<(Duration, Model)>,
    /// How long an answer takes: at least, and at most so much more, so that answers overtake each other.
    pub latency: (Duration, Duration),
    /// How many requests came.
    pub requests: u64,
    /// When those of the present sync came.
    pub(super) came: Vec<Duration>,
    /// With how many more answers the sync is killed.
    pub(super) killed_after: Option<usize>,
    pub(super) killed: Rc<Notify>,
    zero: Instant,
    /// Virtual time that has passed on the model's clock.
    moved: Duration,
    pub rng: fastrand::Rng,
}

impl Api {
    /// Of a model whose clock stands still unless it is moved.
    pub(super) fn new(model: Model, seed: u64) -> Self {
        Self {
            model,
            life: Life::new(seed),
            lag: None,
            replica: None,
            latency: (Duration::from_millis(100), Duration::ZERO),
            rows: None,
            requests: 0,
            came: Vec::new(),
            killed_after: None,
            killed: Rc::new(Notify::new()),
            zero: Instant::now(),
            moved: Duration::ZERO,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Brings the model to the present, with what has happened until then.
    pub(super) fn catch_up(&mut self) {
        let now = self.zero.elapsed();
        while let Some(at) = self.life.next().filter(|at| *at <= now) {
            self.move_to(at);
            self.life.happen(&mut self.model, at);
        }
        self.move_to(now);
    }

    fn move_to(&mut self, at: Duration) {
        if at > self.moved {
            self.model.advance(TimeDelta::from_std(at - self.moved).unwrap());
            self.moved = at;
        }
    }

    /// How much virtual time has passed.
    pub fn elapsed(&self) -> Duration {
        self.moved
    }

    fn answer(&mut self, request: &Request) -> Answer {
        self.requests += 1;
        self.catch_up();
        self.came.push(self.moved);
        let url = request.url();
        if request.method() == Method::POST {
            return self.model.token(request.body().and_then(Body::as_bytes).unwrap_or_default());
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", url.path());
        let now = self.model.now();
        if let Some(answer) = self.rows.as_mut().and_then(|rows| rows.answer(url, now)) {
            return answer;
        }
        let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        if let Some(lag) = self.lag {
            let (since, replica) = self.replica.get_or_insert_with(|| (self.moved, self.model.clone()));
            if *since + lag <= self.moved {
                (*since, *replica) = (self.moved, self.model.clone());
            }
            if self.rng.u32(..OF_REPLICA) == 0 {
                replica.advance(now - replica.now());
                return replica.answer(&target, bearer);
            }
        }
        self.model.answer(&target, bearer)
    }

    /// How long the next answer takes.
    fn draw_latency(&mut self) -> Duration {
        let (least, spread) = self.latency;
        least + spread.mul_f64(self.rng.f64())
    }

    /// An answer arrives. It may be the last one of its sync.
    fn arrive(&mut self) {
        if let Some(left) = &mut self.killed_after {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.killed_after = None;
                self.killed.notify_one();
            }
        }
    }
}

/// What carries the connector's requests to the API.
pub(super) struct InProcess(pub(super) Rc<RefCell<Api>>);

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl Transport for InProcess {
    fn execute(&self, request: Request) -> LocalBoxFuture<'_, Result<Response, Error>> {
        async move {
            let limit = request.timeout().copied().expect("each request has a time limit");
            match timeout(limit, self.exchange(&request)).await {
                Ok(response) => response,
                Err(_) => Err(broken(io::ErrorKind::TimedOut).await),
            }
        }
        .boxed_local()
    }
}

impl InProcess {
    async fn exchange(&self, request: &Request) -> Result<Response, Error> {
        let (answer, latency) = {
            let mut api = self.0.borrow_mut();
            (api.answer(request), api.draw_latency())
        };
        sleep(latency + answer.delay).await;
        if let Delivery::Hang(time) = answer.delivery {
            sleep(time).await;
        }
        self.0.borrow_mut().arrive();
        match answer.delivery {
            Delivery::Reset | Delivery::Hang(_) => Err(broken(io::ErrorKind::ConnectionAborted).await),
            Delivery::Whole | Delivery::Cut | Delivery::Endless => Ok(response(answer)),
        }
    }
}

/// The error of the HTTP client where a connection ends like that.
async fn broken(kind: io::ErrorKind) -> Error {
    let error = Body::wrap(pieces(Bytes::new(), kind)).frame().await;
    error.expect("a frame").expect_err("it is broken")
}

/// A body that ends with an error.
fn pieces(
    first: Bytes,
    kind: io::ErrorKind,
) -> impl http_body::Body<Data = Bytes, Error = io::Error> + use<> {
    let first = (!first.is_empty()).then_some(Ok(Frame::data(first)));
    StreamBody::new(stream::iter(first.into_iter().chain([Err(io::Error::from(kind))])))
}

fn response(answer: Answer) -> Response {
    let mut head = http::Response::builder().status(answer.status);
    let mut coded = false;
    for (name, value) in &answer.headers {
        coded |= name == "content-encoding";
        head = head.header(name, value);
    }
    let body = Bytes::from(answer.body);
    let body = match answer.delivery {
        // The model codes only what cannot be unpacked.
        _ if coded => Body::wrap(pieces(Bytes::new(), io::ErrorKind::InvalidData)),
        Delivery::Cut => Body::wrap(pieces(body.slice(..body.len() / 2), io::ErrorKind::UnexpectedEof)),
        Delivery::Endless => Body::wrap(Full::new(Bytes::from(vec![b' '; ENDLESS]))),
        Delivery::Whole | Delivery::Reset | Delivery::Hang(_) => Body::wrap(Full::new(body)),
    };
    head.body(body).expect("a response").into()
}
