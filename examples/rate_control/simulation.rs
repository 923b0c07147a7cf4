//! Clients and a limiter in virtual time: what happens next happens, and the clock jumps there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::{Duration, Instant};

use aifi_sandbox::{Limit, Limiter};
use source_aifi::aifi::pace::Pace;
use source_aifi::aifi::retry;

/// Requests that a client of ours keeps in flight or waiting at most.
const IN_FLIGHT: usize = 20;
/// A timer is late by up to this.
const TIMER: Duration = Duration::from_millis(3);
/// Each way through the network takes half of the latency, and up to this more, where nothing else is said.
pub(crate) const JITTER: Duration = Duration::from_millis(4);
/// What the limiter that wants even spacing lets come before it is due.
const BURST: u32 = 2;
/// What may happen to a request in place of an answer, each as often as the others.
const FAULTS: [Answer; 3] = [Answer::Failed, Answer::Refused, Answer::Lost];
/// Requests per second that a client of ours is configured with, where nothing else is said.
pub(crate) const CONFIGURED: u32 = 20;

/// How the API measures the second.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Free,
    SlidingSecond,
    Even,
    /// Even spacing without any tolerance.
    Strict,
}

impl Style {
    pub(crate) const ALL: [(Self, &'static str); 2] =
        [(Self::SlidingSecond, "counts a sliding second"), (Self::Even, "wants even spacing")];
    /// With those that are of interest for the gaps between requests only.
    pub(crate) const EACH: [(Self, &'static str); 4] = [
        (Self::Free, "has no limit"),
        (Self::SlidingSecond, "counts a sliding second"),
        (Self::Strict, "wants strict even spacing"),
        (Self::Even, "wants even spacing, with a burst"),
    ];
}

/// Who asks, and what is allowed. Times are in seconds from the start.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) seconds: u32,
    /// Clients of ours.
    pub(crate) clients: usize,
    /// Requests per second that each is configured with.
    pub(crate) configured: u32,
    /// Each way through the network takes up to this more than half of the latency.
    pub(crate) jitter: Duration,
    /// The share of accepted requests that meets a fault: a 500, a 503 that no limit explains, or a reset.
    pub(crate) faults: f64,
    /// From the start of a request to its answer.
    pub(crate) latency: Duration,
    /// Requests per second that the API accepts.
    pub(crate) limit: u32,
    /// When it refuses all.
    pub(crate) outage: Range<u32>,
    /// Requests per second of clients that are not ours, and when. They do not slow down and ask nothing twice.
    pub(crate) others: (u32, Range<u32>),
    /// What to look at.
    pub(crate) spans: &'static [(&'static str, Range<u32>)],
}

/// What arrived at the API within a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) accepted: u32,
    pub(crate) refused: u32,
}

impl Count {
    pub(crate) fn offered(self) -> u32 {
        self.accepted + self.refused
    }

    /// The part that was refused.
    pub(crate) fn share_refused(self) -> f64 {
        f64::from(self.refused) / f64::from(self.offered().max(1))
    }
}

/// What arrived, second by second.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Of each client of ours.
    pub(crate) ours: Vec<Vec<Count>>,
    /// Of the others together.
    pub(crate) others: Vec<Count>,
    /// The gaps between the starts of the first client, as parts of the spacing in force.
    pub(crate) gaps: Vec<f64>,
    /// When the first client had its good answers.
    pub(crate) answered: Vec<Duration>,
}

/// What arrived in a span of seconds.
pub(crate) fn sum(counts: &[Count], span: Range<u32>) -> Count {
    counts[span.start as usize..span.end as usize].iter().fold(Count::default(), |sum, count| Count {
        accepted: sum.accepted + count.accepted,
        refused: sum.refused + count.refused,
    })
}

impl Scenario {
    /// What a client of ours may have in this second: the limit without the others, in equal parts.
    pub(crate) fn free(&self, second: u32) -> f64 {
        let limit = if self.outage.contains(&second) { 0 } else { self.limit };
        let (rate, span) = &self.others;
        let others = if span.contains(&second) { *rate } else { 0 };
        f64::from(limit.saturating_sub(others)) / self.clients as f64
    }

    /// Plays it against a limiter of this style. The same seed, the same outcome.
    pub(crate) fn play(&self, style: Style, seed: u64) -> Outcome {
        let origin = source_aifi::clock::instant();
        let empty = vec![Count::default(); self.seconds as usize];
        let client = || Client {
            pace: Pace::new(self.configured),
            ready: vec![1; IN_FLIGHT],
            awake_at: None,
            started: None,
        };
        let mut world = World {
            scenario: self,
            style,
            origin,
            random: fastrand::Rng::with_seed(seed),
            limiter: Limiter::default(),
            clients: (0..self.clients).map(|_| client()).collect(),
            events: BinaryHeap::new(),
            outcome: Outcome {
                ours: vec![empty.clone(); self.clients],
                others: empty,
                gaps: Vec::new(),
                answered: Vec::new(),
            },
        };
        world.run();
        world.outcome
    }
}

#[derive(Debug)]
struct Client {
    pace: Pace,
    /// The attempts that wait for the pace; each its number, from 1.
    ready: Vec<u32>,
    awake_at: Option<Duration>,
    /// When its latest request started.
    started: Option<Duration>,
}

/// What a client gets for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    /// A 503, by the limit or without reason.
    Refused,
    /// A 500.
    Failed,
    /// The connection was reset.
    Lost,
    Good,
}

/// A request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    client: usize,
    at: Duration,
    attempt: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A client looks whether it may start a request.
    Awake(usize),
    /// A request is at the limiter.
    Arrives(Sent),
    /// Its answer is at the client.
    Answered(Sent, Answer),
    /// A request that brought nothing has been waited for; its next attempt may start.
    Ready(usize, u32),
    /// A request of the others is at the limiter.
    Other,
}

struct World<'a> {
    scenario: &'a Scenario,
    style: Style,
    origin: Instant,
    random: fastrand::Rng,
    limiter: Limiter,
    clients: Vec<Client>,
    events: BinaryHeap<Reverse<(Duration, Event)>>,
    outcome: Outcome,
}

impl World<'_> {
    fn run(&mut self) {
        for client in 0..self.clients.len() {
            // Not all in the same instant.
            self.at(Duration::from_millis(333) * client as u32, Event::Awake(client));
        }
        self.at(seconds(self.scenario.others.1.start), Event::Other);
        while let Some(Reverse((now, event))) = self.events.pop()
            && now < seconds(self.scenario.seconds)
        {
            self.happen(now, event);
        }
    }

    fn at(&mut self, time: Duration, event: Event) {
        self.events.push(Reverse((time, event)));
    }

    fn happen(&mut self, now: Duration, event: Event) {
        match event {
            Event::Awake(client) => {
                self.clients[client].awake_at = None;
                self.start(now, client);
            }
            Event::Arrives(sent) => {
                let accepted = self.accept(now);
                note(&mut self.outcome.ours[sent.client], now, accepted);
                let answer = if accepted { self.answer() } else { Answer::Refused };
                let back = now + self.way();
                self.at(back, Event::Answered(sent, answer));
            }
            Event::Answered(sent, answer) => self.answered(now, sent, answer),
            Event::Ready(client, attempt) => {
                self.clients[client].ready.push(attempt);
                self.start(now, client);
            }
            Event::Other => {
                let (rate, span) = self.scenario.others.clone();
                if now < seconds(span.end) {
                    // Unsteady, or who is refused would depend on a beat of their steps with ours.
                    let interval = (seconds(1) / rate).mul_f64(0.75) + self.up_to(seconds(1) / rate / 2);
                    self.at(now + interval, Event::Other);
                    let accepted = self.accept(now);
                    note(&mut self.outcome.others, now, accepted);
                }
            }
        }
    }

    /// Starts what may start now; wakes up when there may be more.
    fn start(&mut self, now: Duration, client: usize) {
        let arrives = now + self.way();
        let late = self.up_to(TIMER);
        let Client { pace, ready, awake_at, started } = &mut self.clients[client];
        if awake_at.is_some() || ready.is_empty() {
            return;
        }
        let next = pace.next(self.origin + now) - self.origin;
        if pace.take(self.origin + now) {
            let attempt = ready.remove(0);
            if let Some(before) = started.replace(now)
                && client == 0
            {
                self.outcome.gaps.push((now - before).as_secs_f64() * pace.rate());
            }
            self.at(arrives, Event::Arrives(Sent { client, at: now, attempt }));
            self.start(now, client);
        } else {
            *awake_at = Some(next + late);
            self.at(next + late, Event::Awake(client));
        }
    }

    fn answered(&mut self, now: Duration, sent: Sent, answer: Answer) {
        let (at, pace) = (self.origin + sent.at, &mut self.clients[sent.client].pace);
        match answer {
            Answer::Good => pace.accepted(self.origin + now, at),
            Answer::Refused => pace.refused(self.origin + now, at, None),
            Answer::Failed | Answer::Lost => {}
        }
        if answer == Answer::Good {
            if sent.client == 0 {
                self.outcome.answered.push(now);
            }
            self.at(now, Event::Ready(sent.client, 1));
        } else {
            let wait = retry::backoff(sent.attempt, self.random.f64());
            self.at(now + wait, Event::Ready(sent.client, sent.attempt + 1));
        }
    }

    /// What an accepted request gets.
    fn answer(&mut self) -> Answer {
        let faults = self.scenario.faults;
        if faults > 0.0 && self.random.f64() < faults {
            FAULTS[self.random.usize(..FAULTS.len())]
        } else {
            Answer::Good
        }
    }

    fn accept(&mut self, now: Duration) -> bool {
        let outage = &self.scenario.outage;
        let limit = if outage.contains(&(now.as_secs() as u32)) { 0 } else { self.scenario.limit };
        let limit = match self.style {
            Style::Free => Limit::None,
            Style::SlidingSecond => Limit::SlidingSecond(limit),
            Style::Strict => Limit::Even { rate: limit, burst: 0 },
            Style::Even => Limit::Even { rate: limit, burst: BURST },
        };
        self.limiter.accept(limit, now)
    }

    fn way(&mut self) -> Duration {
        self.scenario.latency / 2 + self.up_to(self.scenario.jitter)
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }
}

fn note(counts: &mut [Count], now: Duration, accepted: bool) {
    let count = &mut counts[now.as_secs() as usize];
    if accepted { count.accepted += 1 } else { count.refused += 1 }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}
