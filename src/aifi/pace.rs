//! When the next request may start. Pure: the time comes in as an argument.
//!
//! Requests are evenly spaced. So a limiter that counts by the second and one that wants even spacing both stay
//! quiet, and time that was not used is not caught up with in a burst.
//!
//! When the API refuses a request, the rate is halved; each accepted request gives a fiftieth of the configured
//! rate back (additive increase, multiplicative decrease: what lets several clients share a limit that none of
//! them can see).

use std::time::{Duration, Instant};

/// The slowest we get. Slower would look like a hang, and waiting is the retry's business.
const SLOWEST: f64 = 0.5;

/// Spaces the requests of the whole process.
#[derive(Debug)]
pub struct Pace {
    /// Requests per second, as configured.
    ceiling: f64,
    /// Requests per second, at present.
    rate: f64,
    /// Before this no further request starts.
    next: Option<Instant>,
}

impl Pace {
    /// Starts at the configured rate, in requests per second.
    pub fn new(requests_per_second: u32) -> Self {
        let ceiling = f64::from(requests_per_second);
        Self { ceiling, rate: ceiling, next: None }
    }

    /// When the next request may start.
    pub fn next(&self, now: Instant) -> Instant {
        self.next.map_or(now, |next| next.max(now))
    }

    /// Takes the next free moment for one request, now or later.
    pub fn reserve(&mut self, now: Instant) -> Instant {
        let start = self.next.map_or(now, |next| next.max(now));
        self.next = Some(start + Duration::from_secs_f64(1.0 / self.rate));
        start
    }

    /// The API refused a request, and may have said for how long.
    pub fn refused(&mut self, now: Instant, _sent: Instant, wait: Option<Duration>) {
        self.rate = (self.rate / 2.0).max(SLOWEST.min(self.ceiling));
        let wait = wait.unwrap_or(Duration::from_secs_f64(1.0 / self.rate));
        self.next = Some(self.next.map_or(now + wait, |next| next.max(now + wait)));
    }

    /// The API took a request.
    pub fn accepted(&mut self, _now: Instant, _sent: Instant) {
        self.rate = (self.rate + self.ceiling / 50.0).min(self.ceiling);
    }

    /// Requests per second, at present.
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn origin() -> Instant {
        crate::clock::instant()
    }

    #[test]
    fn requests_are_evenly_spaced_and_unused_time_is_not_caught_up_with() {
        let (mut pace, t) = (Pace::new(20), origin());
        assert_eq!(pace.reserve(t), t);
        assert_eq!(pace.reserve(t), t + 50 * MS);
        assert_eq!(pace.reserve(t + 500 * MS), t + 500 * MS);
        assert_eq!(pace.reserve(t + 500 * MS), t + 550 * MS);
    }

    #[test]
    fn a_refusal_halves_the_rate_and_success_brings_it_back() {
        let (mut pace, t) = (Pace::new(20), origin());
        pace.refused(t, t, None);
        assert!((pace.rate() - 10.0).abs() < 1e-9);
        assert_eq!(pace.reserve(t), t + 100 * MS);
        (0..25).for_each(|_| pace.accepted(origin(), origin()));
        assert!((pace.rate() - 20.0).abs() < 1e-9);
        (0..100).for_each(|_| pace.refused(t, t, None));
        assert!((pace.rate() - SLOWEST).abs() < 1e-9);
        assert!((Pace::new(1).rate() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_wait_the_api_asked_for_is_kept_by_every_request() {
        let (mut pace, t) = (Pace::new(20), origin());
        pace.refused(t, t, Some(7000 * MS));
        assert_eq!(pace.reserve(t + MS), t + 7000 * MS);
    }

    proptest! {
        #[test]
        fn no_window_of_a_second_holds_more_than_the_configured_rate(
            rate in 1_u32..=20,
            steps in prop::collection::vec((0_u32..400, 0_u8..10), 1..200),
        ) {
            let (mut pace, mut now) = (Pace::new(rate), origin());
            let mut starts = Vec::new();
            for (idle, event) in steps {
                now += idle * MS;
                match event {
                    0 => pace.refused(now, now, None),
                    1..=3 => pace.accepted(origin(), origin()),
                    _ => { now = now.max(pace.reserve(now)); starts.push(now); }
                }
            }
            for (n, start) in starts.iter().enumerate() {
                let within = starts[n..].iter().take_while(|other| **other < *start + Duration::from_secs(1)).count();
                prop_assert!(within <= rate as usize + usize::from(1000 % rate != 0), "{within} at {rate}/s");
            }
        }
    }
}
