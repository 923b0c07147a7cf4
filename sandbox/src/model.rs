//! The whole API in memory: state and clock.

mod answer;
mod resources;
mod respond;
mod stats;

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;

pub use self::answer::{Answer, Delivery};
pub use self::resources::resources;
pub use self::stats::{RequestLog, Stats};
use crate::endpoint::{Recent, Spelling};
use crate::lists;
use crate::lists::contests::{self, ExpectedContest};
use crate::lists::products::{self, ExpectedProduct};
use crate::lists::sessions::{self, ExpectedSession};
use crate::lists::stores::{self, ExpectedStore};
use crate::orders::{self, Expected, ExpectedDetail, ExpectedLine};
use crate::settings::{Behaviour, Faults, Injector, Limit, Limiter, Options, Tokens};
use crate::shop::{Book, Filter, Shop, Status};
use crate::time;
use crate::webhook::{Event, Pushed, Queue};

/// The path under which the API answers.
pub(crate) const API: &str = "/api/admin/v2";
/// The path that issues tokens.
pub(crate) const TOKEN: &str = "/realms/aifi/protocol/openid-connect/token";
/// How many requests are remembered.
const REMEMBERED: usize = 10_000;

/// An AiFi Admin API in memory, for tests and simulations without a socket.
///
/// Rate limit and tokens go by tokio's clock: in a runtime whose clock is paused, where it has to be made and asked then, a
/// model lives in virtual time.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) options: Options,
    pub(crate) book: Book,
    recent: Recent,
    pub(crate) tokens: Tokens,
    pub(crate) limiter: Limiter,
    pub(crate) injector: Injector,
    pub(crate) draws: fastrand::Rng,
    pub(crate) stats: Stats,
    pub(crate) queue: Queue,
    log: VecDeque<RequestLog>,
    pub(crate) started: Instant,
    advanced: TimeDelta,
}

impl Model {
    /// Makes the orders.
    pub fn new(options: Options) -> Model {
        Model {
            book: Book::new(&options),
            recent: Recent::default(),
            tokens: Tokens::default(),
            limiter: Limiter::default(),
            injector: Injector::new(options.faults.clone()),
            draws: fastrand::Rng::with_seed(options.seed),
            stats: Stats::default(),
            queue: Queue::default(),
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
        let ids = self.book.add_recent(count, now);
        for id in &ids {
            self.push(*id, "draft");
            let newest = self.book.newest(*id).map(|at| self.book.rows[at].status);
            if !matches!(newest, None | Some(Status::Draft | Status::CompletedSoFar)) {
                self.push(*id, "completed");
            }
        }
        ids
    }

    /// Adds one order in the state `draft` with exactly this `draftCreatedAt`, written now. Gives its id.
    ///
    /// Microseconds are kept, and compared with, also where the wire shows milliseconds.
    pub fn add_order_at(&mut self, at: DateTime<Utc>) -> u64 {
        let now = self.now();
        let id = self.book.add_at(at, now);
        self.push(id, "draft");
        id
    }

    /// Pays an order. Like all changes it hits the newest version, whichever version the id belongs to, and
    /// gives the id of the row that is current then; `None` when there is no such order.
    pub fn pay(&mut self, id: u64) -> Option<u64> {
        let now = self.now();
        let paid = self.book.pay(id, now)?;
        self.push(paid, "completed");
        Some(paid)
    }

    /// Contests an order: a new version with another total.
    pub fn contest(&mut self, id: u64) -> Option<u64> {
        let now = self.now();
        self.book.contest(id, now)
    }

    /// Ends the review of a contested order.
    pub fn review(&mut self, id: u64) -> Option<u64> {
        let now = self.now();
        let reviewed = self.book.review(id, now)?;
        self.push(reviewed, "reviewed");
        Some(reviewed)
    }

    /// An event for the webhook, if there is one.
    fn push(&mut self, id: u64, status: &'static str) {
        if self.options.push.is_some() {
            let spelling = Spelling::new(&self.options.behaviour);
            let event = Event::new(&self.book, id, status, self.now(), &spelling, self.options.seed);
            event.into_iter().for_each(|event| self.queue.add(event));
        }
    }

    /// What was pushed to the webhook, and how that was answered: the last 200,000 calls.
    pub fn pushed(&self) -> Pushed {
        self.queue.pushed()
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

    /// Sets which resources, named as in [`resources`], are answered with 403.
    pub fn set_forbidden(&mut self, forbidden: Vec<String>) {
        self.options.forbidden = forbidden;
    }

    /// Sets whose detail is answered with 404: ids of orders, which the list goes on to have.
    pub fn set_vanished(&mut self, vanished: Vec<u64>) {
        self.options.vanished = vanished;
    }

    /// Sets whose detail shows the first version: ids of orders, of which the list goes on to have the newest.
    pub fn set_lagging(&mut self, lagging: Vec<u64>) {
        self.options.lagging = lagging;
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

    /// What rows are made of.
    fn shop(&self) -> Shop<'_> {
        Shop { options: &self.options, book: &self.book }
    }

    /// The current version of each order that the filter names, by (`draftCreatedAt`, id).
    pub fn expected(&self, filter: &Filter) -> Vec<Expected> {
        orders::expected(&self.shop(), filter)
    }

    /// The lines of these orders as the list shows them, in the same order of orders: without those that were removed,
    /// and none where `products` is null.
    pub fn expected_lines(&self, filter: &Filter) -> Vec<ExpectedLine> {
        orders::expected_lines(&self.shop(), filter)
    }

    /// Each version that the list shows and the filter names, by (`draftCreatedAt`, id, version).
    pub fn expected_versions(&self, filter: &Filter) -> Vec<Expected> {
        orders::expected_versions(&self.shop(), filter)
    }

    /// The details of the orders that the filter names, in the same order.
    pub fn expected_details(&self, filter: &Filter) -> Vec<ExpectedDetail> {
        orders::expected_details(&self.shop(), filter)
    }

    /// All rows of any other list, by the list's name and in JSON; `None` when there is no such list.
    pub fn expected_rows(&self, list: &str) -> Option<Vec<Value>> {
        let list = lists::ALL.iter().find(|known| known.name == list)?;
        Some((list.expected)(&self.shop()))
    }

    /// All contests, by id.
    pub fn expected_contests(&self) -> Vec<ExpectedContest> {
        contests::expected(&self.shop())
    }

    /// All stores, by id.
    pub fn expected_stores(&self) -> Vec<ExpectedStore> {
        stores::expected(&self.shop())
    }

    /// All sessions, by id.
    pub fn expected_sessions(&self) -> Vec<ExpectedSession> {
        sessions::expected(&self.shop())
    }

    /// All products, by id.
    pub fn expected_products(&self) -> Vec<ExpectedProduct> {
        products::expected(&self.shop())
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

    pub(crate) fn finish(&mut self, answer: Answer, path: &str, query: Vec<(String, String)>) -> Answer {
        self.stats.requests += 1;
        if self.log.len() == REMEMBERED {
            self.log.pop_front();
        }
        let (status, at) = (answer.status, self.started.elapsed());
        self.log.push_back(RequestLog { path: path.to_owned(), query, status, at });
        answer.header("date", time::http_date(self.now()))
    }
}

#[cfg(test)]
mod tests;
