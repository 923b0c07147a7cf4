//! What is played, and what has to come of it.

use std::ops::Range;
use std::time::Duration;

use crate::simulation::{CONFIGURED, JITTER, Scenario};

/// Others come and go in these seconds.
const CROWDED: Range<u32> = 20..60;
/// The API refuses all in these seconds.
const OUTAGE: Range<u32> = 20..50;

/// All of them, in the order in which they are shown.
pub(crate) fn all() -> [Scenario; 5] {
    [alone(), lower(), crowded(), outage(), shared()]
}

/// Nobody else, and a limit as configured.
pub(crate) fn alone() -> Scenario {
    Scenario {
        name: "alone, limit 20",
        seconds: 100,
        clients: 1,
        configured: CONFIGURED,
        jitter: JITTER,
        faults: 0.0,
        latency: Duration::from_millis(300),
        limit: 20,
        outage: 0..0,
        others: (0, 0..0),
        spans: &[("all the time", 0..100)],
    }
}

/// The limit is lower than configured.
fn lower() -> Scenario {
    Scenario {
        name: "alone, limit 8",
        limit: 8,
        spans: &[("first 5 s", 0..5), ("the minute after", 5..65)],
        ..alone()
    }
}

/// Others take three quarters for a while.
fn crowded() -> Scenario {
    Scenario {
        name: "limit 20, others take 15 from 20 s to 60 s",
        others: (15, CROWDED),
        spans: &[("others there", CROWDED), ("15 s after them", 75..100)],
        ..alone()
    }
}

/// For half a minute nothing is accepted.
fn outage() -> Scenario {
    Scenario {
        name: "limit 20, nothing accepted from 20 s to 50 s",
        outage: OUTAGE,
        spans: &[("outage", OUTAGE), ("first 15 s after", 50..65), ("then", 65..100)],
        ..alone()
    }
}

/// Two of ours share a limit; each is configured with all of it.
fn shared() -> Scenario {
    Scenario {
        name: "two connectors, limit 20",
        seconds: 200,
        clients: 2,
        spans: &[("from 20 s on", 20..200)],
        ..alone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Outcome, Style, sum};

    const SECOND: Duration = Duration::from_secs(1);

    /// Plays it with both styles of limiter, ten times each.
    fn each(scenario: &Scenario, check: impl Fn(&Outcome, &str)) {
        for (style, name) in Style::ALL {
            for seed in 0..10 {
                check(&scenario.play(style, seed), &format!("API that {name}, seed {seed}"));
            }
        }
    }

    #[test]
    fn alone_nothing_is_refused_and_the_limit_is_used() {
        for latency in [alone().latency, Duration::from_millis(900)] {
            each(&Scenario { latency, ..alone() }, |outcome, run| {
                let all = sum(&outcome.ours[0], 0..100);
                assert_eq!(all.refused, 0, "{run}");
                assert!(all.accepted >= 1_960, "{run}: {all:?}");
            });
        }
    }

    #[test]
    fn a_lower_limit_is_found_within_5_seconds_and_hardly_ever_passed_from_then_on() {
        for (latency, limit, used, refused) in [
            (300, 15, 0.85, 0.015),
            (300, 8, 0.8, 0.03),
            (300, 5, 0.8, 0.05),
            (1_000, 15, 0.8, 0.03),
            (1_000, 8, 0.75, 0.05),
        ] {
            let latency = Duration::from_millis(latency);
            each(&Scenario { latency, limit, ..lower() }, |outcome, run| {
                let run = format!("{limit}/s, {latency:?}, {run}");
                let minute = sum(&outcome.ours[0], 5..65);
                assert!(f64::from(minute.accepted) >= f64::from(limit * 60) * used, "{run}: {minute:?}");
                assert!(minute.share_refused() <= refused, "{run}: {minute:?}");
            });
        }
    }

    #[test]
    fn others_get_what_they_ask_for_and_we_come_back_when_they_have_gone() {
        each(&crowded(), |outcome, run| {
            let ours = sum(&outcome.ours[0], 20..60);
            let settled = sum(&outcome.ours[0], 25..60);
            let others = sum(&outcome.others, 20..60);
            // The others here ask on as before. They have three quarters of the traffic, so most of each probe of
            // ours hits them; clients that yield, too, find their share (see the two connectors).
            assert!(others.share_refused() <= 0.1, "{run}: {others:?}");
            assert!(ours.share_refused() <= 0.12, "{run}: {ours:?}");
            assert!(settled.share_refused() <= 0.08, "{run}: {settled:?}");
            assert!(ours.accepted >= 40 * 5 * 7 / 10, "{run}: {ours:?}");
            let back = sum(&outcome.ours[0], 75..80);
            assert!(back.accepted >= 5 * 18, "{run}: {back:?}");
        });
    }

    #[test]
    fn an_outage_is_asked_seldom_and_its_end_is_no_storm() {
        each(&outage(), |outcome, run| {
            let ours = &outcome.ours[0];
            let during = sum(ours, OUTAGE);
            assert!(during.offered() <= 45, "{run}: {during:?}");
            assert_eq!(sum(ours, 50..100).refused, 0, "{run}");
            for (second, count) in ours[50..55].iter().enumerate() {
                assert!(count.offered() <= 4, "{run}: {count:?}, {second} s after");
            }
            let back = sum(ours, 65..70);
            assert!(back.accepted >= 5 * 18, "{run}: {back:?}");
        });
    }

    #[test]
    fn two_connectors_share_fairly_and_use_the_limit() {
        each(&shared(), |outcome, run| {
            let [a, b] = [0, 1].map(|client| sum(&outcome.ours[client], 20..200));
            let (less, more) = (a.accepted.min(b.accepted), a.accepted.max(b.accepted));
            assert!(f64::from(more) / f64::from(less) < 1.5, "{run}: {a:?} {b:?}");
            assert!(less + more >= 180 * 20 * 85 / 100, "{run}: {a:?} {b:?}");
            assert!(a.share_refused().max(b.share_refused()) <= 0.03, "{run}: {a:?} {b:?}");
        });
    }

    #[test]
    fn a_limit_of_1_a_second_is_lived_with() {
        each(&Scenario { limit: 1, latency: SECOND, ..lower() }, |outcome, run| {
            let minute = sum(&outcome.ours[0], 5..65);
            assert!(minute.accepted >= 33 && minute.refused <= 25, "{run}: {minute:?}");
        });
    }
}
