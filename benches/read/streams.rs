//! All streams but the details of orders at once: a first sync, and two without anything new.

use std::collections::BTreeMap;
use std::time::Duration;

use aifi_sandbox::{Filter, Limit, Sandbox};
use anyhow::{Result, ensure};
use serde_json::Value;

use crate::figures::Spread;
use crate::process::Measured;
use crate::received::Received;
use crate::runs::{Case, REQUESTS_PER_SECOND, read};

/// Of a hundred orders, so many are contested: each is a contest, and a version more.
const CONTESTED_PERCENT: u8 = 3;

const STREAMS: [(&str, &str); 7] = [
    ("orders", "incremental"),
    ("order_line_items", "incremental"),
    ("order_versions", "incremental"),
    ("contests", "incremental"),
    ("stores", "full_refresh"),
    ("sessions", "incremental"),
    ("products", "full_refresh"),
];

/// Figures of one sync of all streams.
pub(crate) struct AllStreams {
    /// Which sync.
    pub(crate) name: &'static str,
    /// Seconds that each answer takes.
    latency: f64,
    /// Records, of all streams.
    pub(crate) records: Spread,
    /// Seconds.
    pub(crate) wall: Spread,
    /// All that the API was asked.
    pub(crate) requests: Spread,
    /// Requests that the API refused as too many.
    pub(crate) refused: Spread,
    /// Bytes.
    pub(crate) peak: Spread,
}

/// One sync.
struct Run {
    measured: Measured,
    records: usize,
    requests: u64,
    refused: u64,
}

impl AllStreams {
    /// Reads `runs` times, each time a first sync and two without anything new.
    pub(crate) fn measure(orders: usize, runs: usize) -> Result<Vec<Self>> {
        let limit = Limit::Even { rate: REQUESTS_PER_SECOND, burst: 2 };
        let case = Case { orders, latency: Duration::from_millis(300), limit };
        let runs: Vec<[Run; 3]> = (0..runs).map(|_| three_syncs(case)).collect::<Result<_>>()?;
        let names = ["first sync", "second sync, nothing new", "third sync, nothing new"];
        let of = |(number, name)| {
            let spread = |value: fn(&Run) -> f64| Spread::of(runs.iter().map(|run| value(&run[number])));
            Self {
                name,
                latency: case.latency.as_secs_f64(),
                records: spread(|run| run.records as f64),
                wall: spread(|run| run.measured.wall.as_secs_f64()),
                requests: spread(|run| run.requests as f64),
                refused: spread(|run| run.refused as f64),
                peak: spread(|run| run.measured.peak as f64),
            }
        };
        Ok(names.into_iter().enumerate().map(of).collect())
    }

    /// Seconds that so many requests take at the limit, and the last answer.
    pub(crate) fn ideal(&self) -> f64 {
        self.requests.median / f64::from(REQUESTS_PER_SECOND) + self.latency
    }

    /// How many answers could follow each other in that time.
    pub(crate) fn round_trips(&self) -> f64 {
        self.wall.median / self.latency
    }
}

fn three_syncs(case: Case) -> Result<[Run; 3]> {
    let sandbox = case.sandbox(CONTESTED_PERCENT)?;
    let mut states = BTreeMap::new();
    let mut sync = |is_first: bool| -> Result<Run> {
        sandbox.reset_stats();
        let before: Vec<&Value> = states.values().collect();
        let mut measured = read(&sandbox, &STREAMS, (!is_first).then_some(&before))?;
        let received = std::mem::take(&mut measured.received);
        let records = verify(&sandbox, &received, is_first)?;
        states = received.states(std::mem::take(&mut states));
        let stats = sandbox.stats();
        sandbox.advance(chrono::TimeDelta::minutes(15));
        Ok(Run { measured, records, requests: stats.requests, refused: stats.refused })
    };
    Ok([sync(true)?, sync(false)?, sync(false)?])
}

/// How many records came; an error unless each stream has as many as it should.
fn verify(sandbox: &Sandbox, received: &Received, is_first: bool) -> Result<usize> {
    let all = Filter::default();
    let new = |count: usize| if is_first { count } else { 0 };
    let expected = [
        new(sandbox.expected(&all).len()),
        new(sandbox.expected_lines(&all).len()),
        new(sandbox.expected_versions(&all).len()),
        new(sandbox.expected_contests().len()),
        sandbox.expected_stores().len(),
        new(sandbox.expected_sessions().len()),
        sandbox.expected_products().len(),
    ];
    for ((name, _), expected) in STREAMS.into_iter().zip(expected) {
        let came = received.records_of(name);
        ensure!(came == expected, "{expected} records of {name} were to come; {came} came");
    }
    Ok(expected.iter().sum())
}
