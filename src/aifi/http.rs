//! Asks the API.
//!
//! A request is repeated until it has a usable response, or a failure that asking again cannot mend, or until there has
//! been no progress for too long. Each attempt takes its `turn`, may need one of the `tokens`, and is followed by a `wait` where
//! it failed. Everything that is decided is decided elsewhere: [`super::pace`] when a request
//! may start, [`super::retry`] whether it is repeated, [`super::refusal`] what a status means.

mod tokens;
mod turn;
mod wait;

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Request, Response, Url};
use tokio::sync::{mpsc, watch};

use self::tokens::Fetching;
use super::attempt::{Attempt, Rows};
use super::body::{Body, body, header};
use super::counts::Counts;
use super::lock;
use super::pace::Pace;
use super::refusal::{self, Precedent, Refused, Server, Trouble};
use super::retry::{self, Hope};
use super::sign_in::SignIn;
use super::transport::{Servers, Transport};
use super::transport_error;
use crate::clock;
use crate::config::inbox::Inbox;
use crate::config::secret::Secret;
use crate::config::{Config, Credentials};
use crate::doubt::{Doubt, Unusable};
use crate::failure::{Failure, FailureKind};
use crate::protocol::scrub::Scrubber;

pub(crate) use self::turn::Turn;
pub(crate) use self::wait::Waiting;

/// For a whole response.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(180);
/// From this attempt on, a request is in trouble.
const TROUBLE: u32 = 3;

/// What the reader of the streams should know while requests are under way.
#[derive(Debug)]
pub(crate) enum Event {
    /// We wait before we ask again.
    Waiting(Waiting),
    /// A token was fetched, which no output may show.
    Fetched(Secret),
    /// A request has ended.
    Attempted(Attempt),
}

/// What to ask the API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApiRequest<'a> {
    /// What is asked for, as people call it: "orders".
    pub what: &'static str,
    /// The path below the base URL.
    pub path: &'a str,
    /// The query, encoded.
    pub query: &'a str,
    /// Nothing depends on the response: what hardly passes is not repeated.
    pub guess: bool,
}

/// A response that is whole JSON.
#[derive(Debug)]
pub(crate) struct ApiResponse<T> {
    /// What was read from the body, unless it cannot be believed.
    pub value: Result<T, Doubt>,
    /// The server's clock.
    pub date: Option<DateTime<Utc>>,
}

/// Requests to the checkout inbox in a second: it is the user's own, so this only keeps a mistake from becoming a flood.
const INBOX_REQUESTS_PER_SECOND: u32 = 20;

/// The API, or the checkout inbox, as a thing to ask.
#[derive(Debug)]
pub(crate) struct Http {
    transport: Rc<dyn Transport>,
    base_url: String,
    /// Which of the two, and how we sign in.
    server: Server,
    sign_in: Mutex<SignIn>,
    pace: Mutex<Pace>,
    patience: Duration,
    progress: Mutex<Instant>,
    /// Held by the one that waits for the next moment at which a request may start; the others queue for it, in the
    /// order in which they came.
    turns: tokio::sync::Mutex<()>,
    /// Held while a large body is in memory.
    large: tokio::sync::Mutex<()>,
    /// Held while a token is fetched, so that it is fetched once for all requests.
    fetching: tokio::sync::Mutex<Fetching>,
    /// How often no token could be fetched.
    failed_fetches: AtomicU64,
    /// What was answered so far: what was asked for, and each form of a request.
    answered: Mutex<HashSet<String>>,
    /// Takes the secrets out of what is quoted.
    scrubber: Mutex<Scrubber>,
    /// What the API says of a refusal may name a person, so it is quoted only where personal data are kept.
    quotes: bool,
    stop: watch::Receiver<bool>,
    events: mpsc::UnboundedSender<Event>,
    counts: Counts,
}

/// Who is asked.
struct Target<'c> {
    /// Which of the two servers, and how we sign in.
    server: Server,
    base_url: &'c Url,
    credentials: Credentials,
    /// Requests in a second, at most.
    rate: u32,
}

/// What is known of a request while it is made, for the log.
#[derive(Debug, Default)]
struct Sent {
    /// When it started; none before its turn has come.
    at: Option<Instant>,
    status: Option<u16>,
    rows: Option<usize>,
}

/// Why an attempt brought nothing.
#[derive(Debug)]
enum Outcome {
    /// Ask again, after a wait.
    Again(Trouble),
    /// Ask again at once, with a new token.
    Renew,
    /// Asking again would not help.
    Fail(Failure),
}

impl Outcome {
    /// The same for another request that waited for the same thing.
    fn shared(&self) -> Self {
        match self {
            Self::Again(trouble) => Self::Again(trouble.shared()),
            Self::Renew => Self::Renew,
            Self::Fail(failure) => Self::Fail(Failure::new(failure.kind, failure.message.clone())),
        }
    }
}

impl From<Result<Trouble, Failure>> for Outcome {
    fn from(sorted: Result<Trouble, Failure>) -> Self {
        sorted.map_or_else(Self::Fail, Self::Again)
    }
}

impl Http {
    /// A client for the API of this configuration. It gives up after `patience` without progress, and when `stop` becomes true.
    pub(crate) fn new(
        servers: &Servers,
        config: &Config,
        patience: Duration,
        stop: watch::Receiver<bool>,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Event>), Failure> {
        let server = match &config.credentials {
            Credentials::AccessToken(_) => Server::WithToken,
            Credentials::Client(_) => Server::AsApplication,
        };
        let Config { base_url, credentials, requests_per_second: rate, .. } = config;
        let target = Target { server, base_url, credentials: credentials.clone(), rate: *rate };
        Self::to(target, servers, config, patience, stop)
    }

    /// A client for the checkout inbox of this configuration, with a pace and a patience of its own.
    pub(crate) fn to_inbox(
        servers: &Servers,
        inbox: &Inbox,
        config: &Config,
        patience: Duration,
        stop: watch::Receiver<bool>,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Event>), Failure> {
        let credentials = Credentials::AccessToken(inbox.read_token.clone());
        let rate = INBOX_REQUESTS_PER_SECOND;
        let target = Target { server: Server::Inbox, base_url: &inbox.url, credentials, rate };
        Self::to(target, servers, config, patience, stop)
    }

    fn to(
        target: Target<'_>,
        servers: &Servers,
        config: &Config,
        patience: Duration,
        stop: watch::Receiver<bool>,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Event>), Failure> {
        let Target { server, base_url, credentials, rate } = target;
        let transport = servers.transport(base_url, &credentials, config)?;
        let (events, receiver) = mpsc::unbounded_channel();
        let mut scrubber = Scrubber::default();
        config.secrets().iter().for_each(|secret| scrubber.learn(secret.expose()));
        let http = Self {
            transport,
            base_url: base_url.as_str().trim_end_matches('/').to_owned(),
            server,
            sign_in: Mutex::new(SignIn::new(credentials)),
            pace: Mutex::new(Pace::new(rate)),
            patience,
            progress: Mutex::new(clock::instant()),
            turns: tokio::sync::Mutex::new(()),
            large: tokio::sync::Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            failed_fetches: AtomicU64::new(0),
            answered: Mutex::default(),
            scrubber: Mutex::new(scrubber),
            quotes: config.personal.is_kept(),
            stop,
            events,
            counts: Counts::default(),
        };
        Ok((http, receiver))
    }

    /// Notes a step forward: patience starts anew.
    pub(crate) fn progressed(&self) {
        *lock(&self.progress) = clock::instant();
    }

    /// For how long there has been none.
    fn since_progress(&self) -> Duration {
        clock::instant() - *lock(&self.progress)
    }

    /// How much was asked so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Makes a request, again and again until `read` can make something of the response. The first attempt takes `turn`;
    /// without one, it waits for its own.
    pub(crate) async fn get<T: Rows>(
        &self,
        request: ApiRequest<'_>,
        mut turn: Option<Turn<'_>>,
        mut read: impl FnMut(&[u8]) -> Result<T, Unusable>,
    ) -> Result<ApiResponse<T>, Failure> {
        let ApiRequest { path, query, .. } = request;
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{mark}{query}", self.base_url);
        let mut renewed = false;
        let mut attempt = 0;
        let mut trouble = None;
        let mut unlikely = 0;
        loop {
            attempt += 1;
            if attempt == TROUBLE {
                trouble = Some(self.counts.in_trouble(request.what));
            }
            let mut sent = Sent::default();
            let work = self.attempt(request, &url, turn.take(), renewed, &mut sent, &mut read);
            let outcome = self.unless_stopped(work).await?;
            self.attempted(&sent, attempt, || format!("GET {path}{mark}{query}"));
            match outcome {
                Ok(answer) => {
                    drop(trouble);
                    self.note(request);
                    return Ok(answer);
                }
                Err(Outcome::Fail(failure)) => {
                    return Err(failure.at(format!("GET {path}, attempt {attempt}")));
                }
                Err(Outcome::Renew) => renewed = true,
                Err(Outcome::Again(trouble)) if request.guess && trouble.hope != Hope::Passes => {
                    return Err(trouble
                        .into_failure(self.since_progress(), attempt)
                        .at(format!("GET {path}")));
                }
                Err(Outcome::Again(trouble)) => {
                    // Of what hardly passes only its own attempts count.
                    unlikely += u32::from(trouble.hope != Hope::Passes);
                    let counted = if trouble.hope == Hope::Passes { attempt } else { unlikely };
                    self.wait_or_give_up(trouble, attempt, counted, request).await?;
                }
            }
        }
    }

    /// Notes that a request was answered.
    fn note(&self, request: ApiRequest<'_>) {
        let mut answered = lock(&self.answered);
        if !answered.contains(request.what) {
            answered.insert(request.what.to_owned());
        }
        answered.insert(refusal::form(request.what, request.query));
    }

    /// What was answered before of what concerns a request.
    fn precedent(&self, request: ApiRequest<'_>) -> Precedent {
        let answered = lock(&self.answered);
        if answered.contains(&refusal::form(request.what, request.query)) && answered.contains(request.what) {
            Precedent::Form
        } else if answered.contains(request.what) {
            Precedent::Kind
        } else if answered.is_empty() {
            Precedent::Nothing
        } else {
            Precedent::Some
        }
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut stop = self.stop.clone();
        let stopped = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                // Nobody is left who could ask us to stop.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stopped => Err(Failure::new(FailureKind::Interrupted, "The sync was asked to stop. The next one resumes from the last state.")),
            done = work => Ok(done),
        }
    }

    /// Notes a request that was sent, for the log.
    fn attempted(&self, sent: &Sent, number: u32, request: impl FnOnce() -> String) {
        let Some(at) = sent.at else { return };
        // Nobody listens when the reader has gone.
        _ = self.events.send(Event::Attempted(Attempt {
            request: request(),
            number,
            status: sent.status,
            rows: sent.rows,
            took: clock::instant() - at,
            pace: lock(&self.pace).rate(),
        }));
    }

    async fn attempt<T: Rows>(
        &self,
        request: ApiRequest<'_>,
        url: &str,
        turn: Option<Turn<'_>>,
        renewed: bool,
        noted: &mut Sent,
        read: &mut impl FnMut(&[u8]) -> Result<T, Unusable>,
    ) -> Result<ApiResponse<T>, Outcome> {
        let mut turn = turn;
        let known = lock(&self.sign_in).token(clock::instant());
        let token = match known {
            Some(token) => token,
            None => {
                // The request for a token takes a turn of its own.
                drop(turn.take());
                self.token().await?
            }
        };
        let sent = match turn {
            Some(turn) => turn.start().await,
            None => self.turn().await.start().await,
        };
        noted.at = Some(sent);
        self.counts.count(request.what, |counts| counts.requests += 1);
        let prepared = prepare(Method::GET, url, AUTHORIZATION, &format!("Bearer {}", token.expose()))?;
        let precedent = || self.precedent(request);
        let response = self.send(prepared, self.server, precedent).await?;
        let status = response.status().as_u16();
        noted.status = Some(status);
        if status == 401 && lock(&self.sign_in).refuse(&token) && !renewed {
            return Err(Outcome::Renew);
        }
        if !response.status().is_success() && !self.server.answers_with(status) {
            return Err(self.refused(response, self.server, request, sent, precedent).await);
        }
        let date = header(&response, DATE).and_then(retry::http_date);
        let Body { bytes: body, .. } = &body(response, self.server, &self.large).await?;
        lock(&self.pace).accepted(clock::instant(), sent);
        let value = match read(body) {
            Ok(value) => Ok(value),
            Err(Unusable::Doubtful(doubt)) => Err(doubt),
            Err(Unusable::Unreadable(cause)) => {
                return Err(Outcome::Again(transport_error::unreadable(body, self.server, cause)));
            }
        };
        noted.rows = value.as_ref().ok().and_then(Rows::rows);
        Ok(ApiResponse { value, date })
    }

    async fn send(
        &self,
        mut request: Request,
        server: Server,
        precedent: impl Fn() -> Precedent,
    ) -> Result<Response, Outcome> {
        // An attempt does not outlast our patience, or a check would.
        let left = self.patience.saturating_sub(self.since_progress());
        let timeout = TOTAL_TIMEOUT.min(left.max(Duration::from_secs(1)));
        *request.timeout_mut() = Some(timeout);
        self.transport.execute(request).await.map_err(|error| match transport_error::sort(error, server) {
            Err(failure) if precedent() >= Precedent::Some => Outcome::Again(Trouble::contradiction(
                failure,
                "the server or the proxy cannot be used any more",
            )),
            sorted => sorted.into(),
        })
    }

    async fn refused(
        &self,
        response: Response,
        server: Server,
        request: ApiRequest<'_>,
        sent: Instant,
        precedent: impl Fn() -> Precedent,
    ) -> Outcome {
        let status = response.status().as_u16();
        let date = header(&response, DATE).and_then(retry::http_date).unwrap_or_else(clock::now);
        let retry_after = header(&response, RETRY_AFTER).and_then(|text| retry::retry_after(text, date));
        let location = header(&response, LOCATION).map(str::to_owned);
        let content_type = header(&response, CONTENT_TYPE).map(str::to_owned);
        // What the API says is an extra; the status alone decides.
        let body = body(response, server, &self.large).await.map(|body| body.bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        let answer = Refused {
            status,
            body: if self.quotes || server == Server::TokenEndpoint { &text } else { "" },
            content_type: content_type.as_deref(),
            location: location.as_deref(),
        };
        let one_thing = request.query.is_empty() && server != Server::TokenEndpoint;
        let sorted = refusal::sort(answer, server, request.what, &lock(&self.scrubber));
        match sorted {
            Err(failure) if refusal::may_pass(status, precedent(), one_thing) => {
                let what = format!("{status}, although such requests were answered before");
                Outcome::Again(Trouble { retry_after, ..Trouble::contradiction(failure, what) })
            }
            Err(failure) => Outcome::Fail(failure),
            Ok(trouble) => {
                if trouble.is_refusal() && server != Server::TokenEndpoint {
                    lock(&self.pace).refused(clock::instant(), sent, retry_after);
                }
                Outcome::Again(Trouble { retry_after, ..trouble })
            }
        }
    }
}

/// A request with one header.
fn prepare(method: Method, url: &str, name: HeaderName, value: &str) -> Result<Request, Outcome> {
    let fail = |text: &str, error: anyhow::Error| {
        Outcome::Fail(Failure::new(FailureKind::Internal, text).because(error))
    };
    let url = Url::parse(url).map_err(|error| fail("A request has no valid address.", error.into()))?;
    let mut value =
        HeaderValue::from_str(value).map_err(|error| fail("A request has no valid header.", error.into()))?;
    value.set_sensitive(name == AUTHORIZATION);
    let mut request = Request::new(method, url);
    request.headers_mut().insert(name, value);
    Ok(request)
}
