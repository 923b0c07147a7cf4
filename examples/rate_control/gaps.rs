//! How near to each other requests start while some of them are repeated, and what the repeating costs.

use std::time::Duration;

use crate::scenarios::alone;
use crate::simulation::{Outcome, Scenario, Style, sum};

/// Requests per second, of the client and of the limit alike.
const RATES: [u32; 4] = [1, 5, 15, 20];
/// One answer in so many is a fault.
const ONE_IN: f64 = 30.0;
/// As many good answers make a run: what 20,000 orders take.
const ANSWERS: usize = 110;

fn scenario(rate: u32, faults: f64) -> Scenario {
    Scenario {
        name: "at exactly the limit",
        seconds: 10 * ANSWERS as u32 / rate + 60,
        latency: Duration::from_millis(200),
        // Of one machine's clock and network; where others are, it is more.
        jitter: Duration::from_millis(1),
        configured: rate,
        limit: rate,
        faults,
        ..alone()
    }
}

/// What a run came to.
struct Run {
    /// Ascending, in parts of the spacing in force.
    gaps: Vec<f64>,
    /// Until the last answer came.
    took: Duration,
    refused: u32,
}

impl Run {
    fn play(rate: u32, style: Style, faults: f64, seed: u64) -> Self {
        let scenario = scenario(rate, faults);
        let Outcome { mut gaps, answered, ours, .. } = scenario.play(style, seed);
        let took = answered.get(ANSWERS - 1).copied().unwrap_or(Duration::MAX);
        let refused = sum(&ours[0], 0..scenario.seconds.min(took.as_secs() as u32 + 1)).refused;
        gaps.sort_by(f64::total_cmp);
        Self { gaps, took, refused }
    }

    /// The gap that `part` of them are below.
    fn quantile(&self, part: f64) -> f64 {
        self.gaps[((self.gaps.len() - 1) as f64 * part) as usize]
    }
}

/// The least that a run can take.
fn ideal(rate: u32) -> Duration {
    Duration::from_secs((ANSWERS - 1) as u64) / rate + Duration::from_millis(200)
}

/// A row for each rate and style, calm and with faults.
pub(crate) fn print(seed: u64) {
    println!("\nGaps between starts, in parts of the spacing in force; {ANSWERS} answers, 200 ms each:");
    println!(
        "{:33} {:>6} {:>7} {:>6} {:>6} {:>7} {:>8} {:>8} {:>8}",
        "an API that", "rate", "faults", "min", "p1", "median", "seconds", "of ideal", "refused"
    );
    for (style, name) in Style::EACH {
        for rate in RATES {
            for faults in [0.0, 1.0 / ONE_IN] {
                let run = Run::play(rate, style, faults, seed);
                println!(
                    "{name:33} {rate:>6} {:>7} {:>6.3} {:>6.3} {:>7.3} {:>8.1} {:>8.2} {:>8}",
                    if faults > 0.0 { "1 in 30" } else { "none" },
                    run.quantile(0.0),
                    run.quantile(0.01),
                    run.quantile(0.5),
                    run.took.as_secs_f64(),
                    run.took.as_secs_f64() / ideal(rate).as_secs_f64(),
                    run.refused,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: u64 = 20;

    /// The mean of the times that the seeds took.
    fn took(rate: u32, style: Style, faults: f64) -> f64 {
        (0..SEEDS).map(|seed| Run::play(rate, style, faults, seed).took.as_secs_f64()).sum::<f64>()
            / SEEDS as f64
    }

    #[test]
    fn no_two_starts_are_nearer_than_nine_tenths_of_the_spacing() {
        for (style, name) in Style::EACH {
            for rate in RATES {
                for seed in 0..SEEDS {
                    let run = Run::play(rate, style, 1.0 / ONE_IN, seed);
                    assert!(run.gaps[0] >= 0.9, "{} at {rate}/s, API that {name}, seed {seed}", run.gaps[0]);
                }
            }
        }
    }

    #[test]
    fn at_exactly_the_limit_a_run_takes_at_most_1_3_of_the_ideal() {
        for (style, name) in Style::EACH {
            for rate in RATES {
                let (took, ideal) = (took(rate, style, 0.0), ideal(rate).as_secs_f64());
                assert!(took <= ideal * 1.3, "{took} instead of {ideal} s at {rate}/s, API that {name}");
            }
        }
    }

    #[test]
    fn one_fault_in_thirty_costs_at_most_1_6_of_the_calm_time() {
        for (style, name) in Style::EACH {
            for rate in RATES {
                let (took, calm) = (took(rate, style, 1.0 / ONE_IN), took(rate, style, 0.0));
                assert!(took <= calm * 1.6, "{took} instead of {calm} s at {rate}/s, API that {name}");
            }
        }
    }
}
