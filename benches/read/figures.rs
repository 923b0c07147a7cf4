//! From runs to figures.

use std::time::Duration;

use aifi_sandbox::Limit;
use anyhow::Result;

use crate::runs::{Case, REQUESTS_PER_SECOND, Run, spec};

/// Least, middle and largest of some values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    /// The least.
    pub(crate) min: f64,
    /// The middle one; of an even number, the mean of the two in the middle.
    pub(crate) median: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// Of these.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Self { min: at(0), median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), max: at(last) }
    }
}

/// Reads at the API's limit.
pub(crate) struct Ceiling {
    /// What was read.
    pub(crate) case: Case,
    /// Seconds.
    pub(crate) wall: Spread,
    /// All that the API was asked.
    pub(crate) requests: Spread,
    /// Share of the requests that brought a full page.
    pub(crate) filled_pages: Spread,
    /// Requests that the API refused as too many.
    pub(crate) refused: Spread,
    /// Orders that came.
    pub(crate) records: Spread,
    /// Bytes.
    pub(crate) peak: Spread,
}

impl Ceiling {
    /// Reads `runs` times.
    pub(crate) fn measure(case: Case, runs: usize) -> Result<Self> {
        let runs: Vec<Run> = (0..runs).map(|_| case.connector()).collect::<Result<_>>()?;
        let spread = |value: fn(&Run) -> f64| Spread::of(runs.iter().map(value));
        Ok(Self {
            case,
            wall: spread(|run| run.measured.wall.as_secs_f64()),
            requests: spread(|run| run.stats.requests as f64),
            filled_pages: spread(|run| run.stats.filled_pages as f64 / run.stats.requests as f64),
            refused: spread(|run| run.stats.refused as f64),
            records: spread(|run| run.measured.received.orders() as f64),
            peak: spread(|run| run.measured.peak as f64),
        })
    }

    /// How much longer than the ideal the median run took.
    pub(crate) fn ratio(&self) -> f64 {
        self.wall.median / self.case.ideal()
    }
}

/// The cases at the limit.
pub(crate) fn at_the_ceiling(orders: usize) -> [Case; 4] {
    let sliding = Limit::SlidingSecond(REQUESTS_PER_SECOND);
    let even = Limit::Even { rate: REQUESTS_PER_SECOND, burst: 2 };
    [(20, sliding), (300, sliding), (1_000, sliding), (300, even)].map(|(latency, limit)| Case {
        orders,
        latency: Duration::from_millis(latency),
        limit,
    })
}

/// CPU seconds of the bare loop and of the connector, over the same orders.
pub(crate) struct Cpu {
    /// How many orders.
    pub(crate) orders: usize,
    /// Of the bare loop.
    pub(crate) bare_loop: Spread,
    /// Of the connector.
    pub(crate) connector: Spread,
    /// Peak memory of the connector in bytes.
    pub(crate) peak: Spread,
}

impl Cpu {
    /// Runs both in turn, `runs` times.
    pub(crate) fn measure(orders: usize, runs: usize) -> Result<Self> {
        let case = Case::without_waits(orders);
        let pairs: Vec<_> =
            (0..runs).map(|_| Ok((case.bare_loop()?, case.connector()?.measured))).collect::<Result<_>>()?;
        Ok(Self {
            orders,
            bare_loop: Spread::of(pairs.iter().map(|(bare_loop, _)| bare_loop.cpu.as_secs_f64())),
            connector: Spread::of(pairs.iter().map(|(_, connector)| connector.cpu.as_secs_f64())),
            peak: Spread::of(pairs.iter().map(|(_, connector)| connector.peak as f64)),
        })
    }
}

/// Peak memory of one read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// How many orders.
    pub(crate) orders: usize,
    /// Bytes.
    pub(crate) peak: f64,
}

impl Memory {
    /// Reads once.
    pub(crate) fn measure(orders: usize) -> Result<Self> {
        let run = Case::without_waits(orders).connector()?;
        Ok(Self { orders, peak: run.measured.peak as f64 })
    }
}

/// Seconds that `spec` takes.
pub(crate) fn start_up(runs: usize) -> Result<Spread> {
    let times: Vec<Duration> = (0..runs).map(|_| spec()).collect::<Result<_>>()?;
    Ok(Spread::of(times.iter().map(Duration::as_secs_f64)))
}
