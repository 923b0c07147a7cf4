//! The rate limit: KNOWN are 20 requests a second and 503 above. How the second is measured is UNKNOWN.

use std::collections::VecDeque;
use std::time::Duration;

/// How many requests the API accepts. Measured in real time, over all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// All of them.
    #[default]
    None,
    /// At most so many in any second.
    SlidingSecond(u32),
    /// Evenly spaced, as nginx measures it (`limit_req` with `nodelay`).
    Even {
        /// Requests per second.
        rate: u32,
        /// How many may come before they are due. With 0, each must keep the whole interval to the one before.
        burst: u32,
    },
}

/// The `Retry-After` header of a refusal. UNKNOWN whether the real API sends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u32),
    /// A date two seconds ahead on the sandbox's clock.
    Date,
}

/// What a limit remembers. `Limiter::default()` has accepted nothing yet.
///
/// ```
/// use std::time::Duration;
/// use aifi_sandbox::{Limit, Limiter};
///
/// let mut limiter = Limiter::default();
/// let millis = [0, 400, 800, 1_000];
/// let accepted = millis.map(|at| limiter.accept(Limit::SlidingSecond(2), Duration::from_millis(at)));
/// assert_eq!(accepted, [true, true, false, true]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Limiter {
    accepted: VecDeque<Duration>,
    due: Duration,
}

impl Limiter {
    /// Whether a request at `now` (since any fixed moment, never going back) is accepted. A request that is not
    /// does not count. The limit may be another one each time.
    pub fn accept(&mut self, limit: Limit, now: Duration) -> bool {
        match limit {
            Limit::None => true,
            Limit::SlidingSecond(most) => self.accept_sliding(most, now),
            Limit::Even { rate, burst } => self.accept_even(rate, burst, now),
        }
    }

    fn accept_sliding(&mut self, most: u32, now: Duration) -> bool {
        let second = Duration::from_secs(1);
        while self.accepted.front().is_some_and(|at| now.saturating_sub(*at) >= second) {
            self.accepted.pop_front();
        }
        let accept = self.accepted.len() < most as usize;
        if accept {
            self.accepted.push_back(now);
        }
        accept
    }

    fn accept_even(&mut self, rate: u32, burst: u32, now: Duration) -> bool {
        let Some(interval) = Duration::from_secs(1).checked_div(rate) else { return false };
        let accept = now + interval * burst >= self.due;
        if accept {
            self.due = self.due.max(now) + interval;
        }
        accept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(limit: Limit, times: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut limiter = Limiter::default();
        times.filter(|ms| limiter.accept(limit, Duration::from_millis(*ms))).collect()
    }

    #[test]
    fn a_sliding_second_never_holds_more_than_the_limit() {
        let times = accepted(Limit::SlidingSecond(5), (0..3_000).step_by(37));
        for start in &times {
            let within = times.iter().filter(|at| (*start..start + 1_000).contains(at)).count();
            assert!(within <= 5, "{within} from {start}");
        }
        assert_eq!(times.len(), 15);
    }

    #[test]
    fn a_sliding_second_takes_a_burst() {
        assert_eq!(accepted(Limit::SlidingSecond(5), 0..10), [0, 1, 2, 3, 4]);
        assert_eq!(
            accepted(Limit::SlidingSecond(2), [0, 10, 999, 1_000, 1_009, 1_010].into_iter()),
            [0, 10, 1_000, 1_010]
        );
    }

    #[test]
    fn an_even_limit_takes_one_an_interval_and_a_burst_before() {
        let times = || [0, 0, 0, 0, 99, 100, 150, 200].into_iter();
        assert_eq!(accepted(Limit::Even { rate: 10, burst: 0 }, times()), [0, 100, 200]);
        assert_eq!(accepted(Limit::Even { rate: 10, burst: 2 }, times()), [0, 0, 0, 100, 200]);
    }

    #[test]
    fn an_even_limit_accepts_even_requests_for_ever() {
        assert_eq!(accepted(Limit::Even { rate: 20, burst: 0 }, (0..60_000).step_by(50)).len(), 1_200);
    }

    #[test]
    fn no_limit_accepts_all_and_a_limit_of_nothing_accepts_none() {
        assert_eq!(accepted(Limit::None, 0..100).len(), 100);
        assert_eq!(accepted(Limit::Even { rate: 0, burst: 9 }, 0..100).len(), 0);
        assert_eq!(accepted(Limit::SlidingSecond(0), 0..100).len(), 0);
    }
}
