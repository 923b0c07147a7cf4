//! The whole API in memory: state, clock, and the way from a request to its answer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::json;

use crate::answer::{Answer, Delivery};
use crate::auth::{Access, Tokens};
use crate::behaviour::Behaviour;
use crate::book::Book;
use crate::envelope;
use crate::expected::{Expected, Filter};
use crate::faults::{Fault, Faults, Injector};
use crate::limiter::{Limit, Limiter, RetryAfter};
use crate::options::Options;
use crate::params;
use crate::query;
use crate::stamp;
use crate::stats::{RequestLog, Stats};

/// The path under which the API answers.
pub(crate) const API: &str = "/api/admin/v2";
/// The path that issues tokens.
pub(crate) const TOKEN: &str = "/realms/aifi/protocol/openid-connect/token";
/// How many requests are remembered.
const REMEMBERED: usize = 10_000;
const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><form method=\"post\"><input name=\"user\"></form></body></html>\n";
const PROXY_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n\
    <body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

/// An AiFi Admin API in memory, for tests and simulations without a socket.
#[derive(Debug)]
pub struct Model {
    options: Options,
    book: Book,
    tokens: Tokens,
    limiter: Limiter,
    injector: Injector,
    draws: fastrand::Rng,
    stats: Stats,
    log: VecDeque<RequestLog>,
    started: Instant,
    advanced: TimeDelta,
}

impl Model {
    /// Makes the orders.
    pub fn new(options: Options) -> Model {
        Model {
            book: Book::new(&options),
            tokens: Tokens::default(),
            limiter: Limiter::default(),
            injector: Injector::new(options.faults.clone()),
            draws: fastrand::Rng::with_seed(options.seed),
            stats: Stats::default(),
            log: VecDeque::new(),
            started: Instant::now(),
            advanced: TimeDelta::zero(),
            options,
        }
    }

    /// What it was made with, changes since included.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What the sandbox's clock shows, in whole milliseconds if it runs.
    pub fn now(&self) -> DateTime<Utc> {
        let now = self.options.now + self.advanced;
        if self.options.frozen { now } else { (now + self.started.elapsed()).trunc_subsecs(3) }
    }

    /// Moves the clock.
    pub fn advance(&mut self, by: TimeDelta) {
        self.advanced += by;
    }

    /// Adds orders drafted after the newest order, or five minutes before now if that is later, and before now
    /// minus three minutes. Gives their ids.
    pub fn add_orders(&mut self, count: usize) -> Vec<u64> {
        let now = self.now();
        self.book.add_recent(count, now)
    }

    /// Adds one order in the state `draft` with exactly this `draftCreatedAt`, written now. Gives its id.
    ///
    /// Microseconds are kept, and compared with, also where the wire shows milliseconds.
    pub fn add_order_at(&mut self, at: DateTime<Utc>) -> u64 {
        let now = self.now();
        self.book.add_at(at, now)
    }

    /// Pays an order. Like all changes it hits the newest version, whichever version the id belongs to, and
    /// gives the id of the row that is current then; `None` when there is no such order.
    pub fn pay(&mut self, id: u64) -> Option<u64> {
        let now = self.now();
        self.book.pay(id, now)
    }

    /// Contests an order: a new version with another total.
    pub fn contest(&mut self, id: u64) -> Option<u64> {
        let now = self.now();
        self.book.contest(id, now)
    }

    /// Ends the review of a contested order.
    pub fn review(&mut self, id: u64) -> Option<u64> {
        let now = self.now();
        self.book.review(id, now)
    }

    /// Removes an order with all its versions from every answer; false when there is no such order.
    pub fn remove_order(&mut self, id: u64) -> bool {
        self.book.remove(id)
    }

    /// Sets what goes wrong from now on. Scripts count from the next request.
    pub fn set_faults(&mut self, faults: Faults) {
        self.injector = Injector::new(faults.clone());
        self.options.faults = faults;
    }

    /// Sets how the API reads what is not documented.
    pub fn set_behaviour(&mut self, behaviour: Behaviour) {
        self.book.set_ids(behaviour.version_ids);
        self.options.behaviour = behaviour;
    }

    /// Sets the rate limit.
    pub fn set_limit(&mut self, limit: Limit) {
        self.limiter = Limiter::default();
        self.options.limit = limit;
    }

    /// Sets how long each answer takes.
    pub fn set_latency(&mut self, latency: Duration) {
        self.options.latency = latency;
    }

    /// Ends the life of all issued tokens.
    pub fn revoke_tokens(&mut self) {
        self.tokens.revoke();
    }

    /// The counts so far.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Sets the counts to 0 and forgets the requests.
    pub fn reset_stats(&mut self) {
        self.stats = Stats::default();
        self.log.clear();
    }

    /// The last 10,000 requests to the API and the token address.
    pub fn requests(&self) -> Vec<RequestLog> {
        self.log.iter().cloned().collect()
    }

    /// The current version of each order that the filter names, by (`draftCreatedAt`, id).
    pub fn expected(&self, filter: &Filter) -> Vec<Expected> {
        self.book.expected(filter, &self.options.behaviour)
    }

    /// Answers a `GET` request.
    pub fn answer(&mut self, path_and_query: &str, bearer: Option<&str>) -> Answer {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut answer = match path.strip_prefix(API) {
            Some("/orders") => self.orders(&pairs, bearer),
            _ => Answer::new(404),
        };
        answer.delay += self.options.latency;
        self.finish(answer, path, pairs)
    }

    /// Answers a `POST` request to the token address with this form.
    pub fn token(&mut self, form: &[u8]) -> Answer {
        let form: Vec<_> = form_urlencoded::parse(form).into_owned().collect();
        let issued = self.tokens.issue(&self.options.auth, &form, self.options.seed, Instant::now());
        let answer = match issued {
            Ok((token, life)) => {
                self.stats.tokens += 1;
                let body =
                    json!({"access_token": token, "expires_in": life.as_secs(), "token_type": "Bearer"});
                Answer::json(200, body.to_string())
            }
            Err(refusal) => {
                let body = json!({"error": refusal.error, "error_description": refusal.description});
                Answer::json(refusal.status, body.to_string())
            }
        };
        self.finish(answer, TOKEN, Vec::new())
    }

    fn finish(&mut self, answer: Answer, path: &str, query: Vec<(String, String)>) -> Answer {
        self.stats.requests += 1;
        if self.log.len() == REMEMBERED {
            self.log.pop_front();
        }
        let (status, at) = (answer.status, self.started.elapsed());
        self.log.push_back(RequestLog { path: path.to_owned(), query, status, at });
        answer.header("date", stamp::http_date(self.now()))
    }

    /// The list of orders: the limit first, then the token, then what goes wrong, then the query.
    fn orders(&mut self, pairs: &[(String, String)], bearer: Option<&str>) -> Answer {
        let fault = self.injector.next();
        if !self.limiter.accept(self.options.limit, self.started.elapsed()) {
            self.stats.refused += 1;
            return self.refusal(503);
        }
        match self.tokens.check(&self.options.auth, bearer, Instant::now()) {
            Access::Granted => {}
            Access::Unauthorized => {
                self.stats.unauthorized += 1;
                return unauthorized("Access token is missing or not valid");
            }
            Access::Forbidden => {
                let body = json!({"message": "Insufficient permissions", "type": "E_FORBIDDEN"});
                return Answer::json(403, body.to_string());
            }
        }
        if let Some(fault) = fault {
            *self.stats.faults.entry(fault.name()).or_default() += 1;
        }
        match fault {
            None => self.page(pairs, None),
            Some(fault) => self.faulty(fault, pairs),
        }
    }

    /// A page, with what a fault does to its rows.
    fn page(&mut self, pairs: &[(String, String)], fault: Option<Fault>) -> Answer {
        let behaviour = &self.options.behaviour;
        let mut query = match query::parse(pairs, behaviour) {
            Ok(query) => query,
            Err(problems) => {
                self.stats.invalid += 1;
                return Answer::json(422, params::problems_body(&problems));
            }
        };
        if fault == Some(Fault::OutOfRange) {
            query.forget_dates();
        }
        let mut page = self.book.page(&query, behaviour, &mut self.draws);
        let rows = &mut page.rows;
        let draws = self.injector.draws();
        match fault {
            Some(Fault::Empty) => rows.clear(),
            Some(Fault::Short) if rows.len() > 1 => rows.truncate(draws.usize(1..rows.len())),
            Some(Fault::Unsorted) => draws.shuffle(rows),
            Some(Fault::DropMiddle) if !rows.is_empty() => drop(rows.remove(rows.len() / 2)),
            None | Some(Fault::Slow(_)) => {
                self.stats.orders += 1;
                self.stats.full_pages += u64::from(rows.len() == 200);
                self.stats.filled_pages += u64::from(rows.len() == query.page_size);
            }
            Some(_) => {}
        }
        Answer::json(200, envelope::body(&self.book, &page, &query, behaviour))
    }

    fn faulty(&mut self, fault: Fault, pairs: &[(String, String)]) -> Answer {
        match fault {
            Fault::Unavailable503 => self.refusal(503),
            Fault::TooMany429 => self.refusal(429),
            Fault::Error500 => {
                let body = json!({"message": "Internal server error", "type": "E_INTERNAL"});
                Answer::json(500, body.to_string())
            }
            Fault::BadGateway502Html => Answer::html(502, PROXY_PAGE),
            Fault::Html200 => Answer::html(200, LOGIN_PAGE),
            Fault::Expired401 => unauthorized("Access token expired"),
            Fault::Redirect302 => Answer::new(302).header("location", "https://login.example/"),
            Fault::NoEnvelope => Answer::json(200, "{\"message\":\"ok\"}"),
            Fault::NullData => Answer::json(200, "{\"data\":null}"),
            Fault::Reset => Answer::new(0).delivery(Delivery::Reset),
            Fault::Hang(time) => Answer::new(0).delivery(Delivery::Hang(time)),
            Fault::Huge => Answer::json(200, "").delivery(Delivery::Endless),
            Fault::BadGzip => {
                let garbage = b"\x1f\x8b\x08\x00 this is no deflate stream at all".as_slice();
                Answer::json(200, garbage).header("content-encoding", "gzip")
            }
            Fault::Cut => self.page(pairs, Some(fault)).delivery(Delivery::Cut),
            Fault::CutJson200 => {
                let mut answer = self.page(pairs, Some(fault));
                answer.body.truncate(answer.body.len() / 2);
                answer
            }
            Fault::Slow(time) => {
                let mut answer = self.page(pairs, Some(fault));
                answer.delay = time;
                answer
            }
            Fault::Empty | Fault::Short | Fault::Unsorted | Fault::OutOfRange | Fault::DropMiddle => {
                self.page(pairs, Some(fault))
            }
        }
    }

    fn refusal(&self, status: u16) -> Answer {
        let answer = Answer::new(status);
        match self.options.retry_after {
            None => answer,
            Some(RetryAfter::Seconds(seconds)) => answer.header("retry-after", seconds.to_string()),
            Some(RetryAfter::Date) => {
                answer.header("retry-after", stamp::http_date(self.now() + TimeDelta::seconds(2)))
            }
        }
    }
}

fn unauthorized(message: &str) -> Answer {
    Answer::json(401, json!({"message": message, "type": "E_UNAUTHORIZED"}).to_string())
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
