//! One sync after the other against the model, in virtual time.

use std::time::{Duration, Instant};

use aifi_sandbox::{Answer as Delivered, Delivery, Model, Options};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use source_aifi::aifi::pace::Pace;
use source_aifi::aifi::retry::{self, Decision, Hope, SYNC_PATIENCE};
use source_aifi::config::Config;
use source_aifi::failure::{Failure, FailureKind};
use source_aifi::orders::api::page::PageReader;
use source_aifi::orders::api::query::Request;
use source_aifi::orders::state::parts::Scope;
use source_aifi::orders::state::stream_state::StreamState;
use source_aifi::orders::streams::OrderStream;
use source_aifi::orders::sync::{Effect, Response, Sync};
use source_aifi::protocol::catalog::SyncMode;
use source_aifi::record::personal::Personal;

use super::{Life, Warehouse};
use crate::harness::TOKEN;

/// What happens to a sync.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// How long an answer takes.
    pub latency: Duration,
    /// The sync ends with this answer, and what was on its way is lost from some message on.
    pub killed_at: Option<usize>,
}

impl Default for Weather {
    fn default() -> Self {
        Self { latency: Duration::from_millis(100), killed_at: None }
    }
}

/// The API, the connector's configuration, and the time.
pub struct World {
    pub model: Model,
    pub life: Life,
    pub requests: u64,
    /// Every fifth question is answered by a replica that is up to so far behind.
    pub lag: Option<Duration>,
    /// The replica, and when it was last as the API is.
    replica: Option<(Duration, Model)>,
    config: Config,
    /// Virtual time since the start.
    now: Duration,
    zero: Instant,
    rng: fastrand::Rng,
}

enum Event {
    /// A question is to be asked, for the `attempt`-th time.
    Send { taken: bool },
    /// Its answer arrives.
    Arrive { response: Delivered, sent: Duration },
}

struct Flight {
    at: Duration,
    ticket: u64,
    ask: Request,
    attempt: u32,
    event: Event,
}

impl World {
    pub fn new(options: Options, changes: &Value) -> Self {
        let start = options.first.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let mut config = json!({
            "credentials": {"auth_type": "access_token", "access_token": TOKEN},
            "start_date": start, "requests_per_second": 20,
        });
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let seed = options.seed;
        Self {
            life: Life::new(seed),
            model: Model::new(options),
            requests: 0,
            lag: None,
            replica: None,
            config: Config::parse(&config.to_string()).unwrap(),
            now: Duration::ZERO,
            zero: Instant::now(),
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    fn instant(&self) -> Instant {
        self.zero + self.now
    }

    /// Lets time pass, and what happens in it.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.life.next().filter(|at| *at <= until) {
            self.move_to(at);
            self.life.happen(&mut self.model, at);
        }
        self.move_to(until);
    }

    fn move_to(&mut self, at: Duration) {
        if at > self.now {
            self.model.advance(TimeDelta::from_std(at - self.now).unwrap());
            self.now = at;
        }
    }

    /// The time of the API.
    pub fn clock(&self) -> DateTime<Utc> {
        self.model.now()
    }

    /// How much virtual time has passed.
    pub fn elapsed(&self) -> Duration {
        self.now
    }

    /// Runs an incremental sync into the warehouse. The failure, if it failed; what was written before it counts.
    pub fn sync(&mut self, warehouse: &mut Warehouse, weather: Weather) -> Result<(), Failure> {
        let (steps, result) = self.steps(warehouse.state.as_ref(), weather);
        for (id, status, at) in std::mem::take(&mut self.life.changes) {
            warehouse.changed(id, status, at);
        }
        warehouse.take(&steps, self.clock());
        result
    }

    /// Runs an incremental sync from a state: what it wrote, and its failure, if it failed.
    pub fn steps(&mut self, state: Option<&Value>, weather: Weather) -> (Vec<Effect>, Result<(), Failure>) {
        let saved = state.map(|state| StreamState::parse(state, OrderStream::Orders).unwrap());
        // The machine borrows its configuration, and this world goes on meanwhile.
        let config = std::mem::replace(&mut self.config, Config::parse(EMPTY).unwrap());
        let mut sync = Sync::new(&config, Scope::of(&config), SyncMode::Incremental, saved, self.clock());
        let mut steps = Vec::new();
        let result = self.drive(&mut sync, &mut steps, weather);
        if matches!(result, Ok(false)) {
            steps.truncate(self.rng.usize(..=steps.len()));
        }
        if result.is_err() {
            sync.checkpoint();
            steps.extend(sync.steps());
        }
        drop(sync);
        self.config = config;
        (steps, result.map(|_| ()))
    }

    /// Whether the sync came to its own end.
    fn drive(
        &mut self,
        sync: &mut Sync<'_>,
        steps: &mut Vec<Effect>,
        weather: Weather,
    ) -> Result<bool, Failure> {
        let mut pace = Pace::new(20);
        let mut pages = PageReader::of_orders(&Personal::Keep);
        let mut flights: Vec<Flight> = Vec::new();
        let (mut more, mut answers, mut progress) = (true, 0, self.now);
        for _ in 0..2_000_000 {
            steps.extend(sync.steps());
            if sync.is_done() {
                return Ok(true);
            }
            let in_trouble = flights.iter().any(|flight| flight.attempt > 2);
            let slot = pace.next(self.instant()) - self.zero;
            let first = (0..flights.len()).min_by_key(|n| flights[*n].at);
            let due = first.map(|n| flights[n].at);
            if more && (flights.is_empty() || !in_trouble) && due.is_none_or(|due| slot <= due) {
                self.pass_to(slot);
                match sync.question() {
                    None => more = false,
                    Some((ticket, ask)) => {
                        let first = ask.attempt == 1;
                        let wait = if first { Duration::ZERO } else { retry::backoff(ask.attempt - 1, 0.5) };
                        let taken = first && pace.take(self.instant());
                        let event = Event::Send { taken };
                        flights.push(Flight { at: self.now + wait, ticket, ask, attempt: 1, event });
                    }
                }
                continue;
            }
            let flight = flights.swap_remove(first.expect("something is under way"));
            self.pass_to(flight.at);
            match flight.event {
                Event::Send { taken: false } => {
                    let at = pace.next(self.instant()) - self.zero;
                    let taken = at <= self.now && pace.take(self.instant());
                    flights.push(Flight { at, event: Event::Send { taken }, ..flight });
                }
                Event::Send { taken: true } => {
                    self.requests += 1;
                    let path = format!("/api/admin/v2/orders?{}", flight.ask.query.encode());
                    let response = self.answer(&path);
                    let hang =
                        if let Delivery::Hang(time) = response.delivery { time } else { Duration::ZERO };
                    let at = self.now + weather.latency + response.delay + hang;
                    let event = Event::Arrive { response, sent: self.now };
                    flights.push(Flight { at, event, ..flight });
                }
                Event::Arrive { response, sent } => {
                    answers += 1;
                    more = true;
                    let Flight { ticket, ask, attempt, .. } = flight;
                    let whole = response.delivery == Delivery::Whole && response.status == 200;
                    let read = whole.then(|| pages.read(&response.body).ok()).flatten();
                    if let Some(page) = read {
                        pace.accepted(self.instant(), self.zero + sent);
                        progress = self.now;
                        sync.answer(ticket, Response::read(page, Some(self.clock())).0)?;
                    } else if response.status == 422 {
                        sync.refused(ticket, Failure::new(FailureKind::Rejected, "not accepted"))?;
                    } else {
                        if matches!(response.status, 503 | 429) {
                            pace.refused(self.instant(), self.zero + sent, None);
                        }
                        let since = self.now - progress;
                        match retry::decide(Hope::Passes, attempt, since, None, SYNC_PATIENCE, self.rng.f64())
                        {
                            Decision::GiveUp | Decision::AskedTooLong(_) => {
                                return Err(Failure::new(FailureKind::NoAnswer, "given up"));
                            }
                            Decision::Wait(wait) => {
                                let (at, attempt) = (self.now + wait, attempt + 1);
                                let event = Event::Send { taken: false };
                                flights.push(Flight { at, ticket, ask, attempt, event });
                            }
                        }
                    }
                    if weather.killed_at.is_some_and(|killed_at| answers >= killed_at) {
                        steps.extend(sync.steps());
                        return Ok(false);
                    }
                }
            }
        }
        panic!("the sync does not end");
    }

    fn answer(&mut self, path: &str) -> Delivered {
        if let Some(lag) = self.lag {
            let (since, replica) = self.replica.get_or_insert_with(|| (self.now, self.model.clone()));
            if *since + lag <= self.now {
                (*since, *replica) = (self.now, self.model.clone());
            }
            if self.rng.u32(..5) == 0 {
                replica.advance(self.model.now() - replica.now());
                return replica.answer(path, Some(TOKEN));
            }
        }
        self.model.answer(path, Some(TOKEN))
    }

    fn pass_to(&mut self, at: Duration) {
        self.pass(at.saturating_sub(self.now));
    }
}

const EMPTY: &str = r#"{"credentials": {"auth_type": "access_token", "access_token": "t"}, "start_date": "2025-01-01T00:00:00Z"}"#;
