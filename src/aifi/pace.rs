//! When the next request may start. Pure: the time comes in as an argument.
//!
//! Requests are evenly spaced. So a limiter that counts by the second and one that wants even spacing both stay
//! quiet, and time that was not used is not caught up with in a burst.
//!
//! The limit is shared with clients that we cannot see, so it is found as the senders of TCP find theirs, by CUBIC
//! (RFC 9438): a refusal cuts the rate to a part; then it rises quickly to just below where the refusal was, stays
//! there for a while, and feels its way beyond, slowly at first.
//!
//! A moment is taken by exactly one request, and only when it has come: ask [`Pace::next`], wait, and [`Pace::take`] when
//! awake. Whoever finds it taken waits again. So the spacing is that of the requests as they really start, and a moment
//! that lies ahead heeds what is learned before it comes.

use std::time::{Duration, Instant};

/// As many requests start in this time as are configured for a second. The 8 ms (0.8 % of the rate) keep a limiter
/// that counts by the second quiet when one request arrives later, after its start was due, than the one that
/// follows a second behind: [`LATE`] for the timer, the rest for the network.
const SECOND: Duration = Duration::from_millis(1_008);
/// A start that is late by this still counts as on time, so that timers (about 1 ms late) hardly slow the schedule
/// down. Beyond, the schedule starts anew, or the time that was lost would be caught up with.
const LATE: Duration = Duration::from_millis(4);
/// Nearer to each other than this, divided by the rate, no two requests start, however late the first of them was: a
/// limiter that wants even spacing would refuse the second one. 0.94 of the interval, so that late timers can still be
/// made up for.
const NEAREST: Duration = Duration::from_millis(950);
/// Requests per second. Slower would look like a hang, and waiting is the retry's business.
const SLOWEST: f64 = 0.5;
/// What a cut leaves of the rate (RFC 9438, section 4.6). Gentler than a half, because the limit is a number and not
/// a queue that has to drain.
const CUT: f64 = 0.7;
/// Where the rate rises to quickly, as a part of the rate that was refused. Somewhat below it, so that the way there
/// costs no refusal.
const PLATEAU: f64 = 0.95;
/// Requests per second, per second cubed: the steepness of the growth (C of RFC 9438). From the cut to the plateau it
/// is 3 s at 2 requests a second, 4 at 5 and 6 at 20; from a plateau of 5 to 18 requests a second, 9 s more.
const GROWTH: f64 = 0.02;

/// Spaces the requests of the whole process.
#[derive(Debug)]
pub struct Pace {
    /// Requests per second, as configured.
    ceiling: f64,
    /// Requests per second, at present.
    rate: f64,
    /// When the latest request was due.
    last: Option<Instant>,
    /// When it really started: then, or a little later.
    started: Option<Instant>,
    /// What the API asked for: no request before this.
    silence: Option<Instant>,
    /// The latest cut.
    cut: Option<Cut>,
}

/// A cut of the rate, and the growth since.
#[derive(Clone, Copy, Debug)]
struct Cut {
    at: Instant,
    /// Requests per second, right after the cut.
    rate: f64,
    /// Requests per second at which nothing was refused before, or hardly.
    plateau: f64,
    /// For how long there has been growth.
    age: Duration,
}

impl Cut {
    fn grown(&self) -> f64 {
        // With a plateau below it, the rate grows from where it is.
        let plateau = self.plateau.max(self.rate);
        let to_plateau = ((plateau - self.rate) / GROWTH).cbrt();
        plateau + GROWTH * (self.age.as_secs_f64() - to_plateau).powi(3)
    }
}

impl Pace {
    /// Starts at the configured rate, in requests per second.
    pub fn new(requests_per_second: u32) -> Self {
        let ceiling = f64::from(requests_per_second);
        Self { ceiling, rate: ceiling, last: None, started: None, silence: None, cut: None }
    }

    /// When the next request may start: now or later. Takes nothing.
    pub fn next(&self, now: Instant) -> Instant {
        self.due(now).max(now)
    }

    /// Takes the moment for the one request that starts now. Nothing is taken, and the result is false, when its turn has
    /// not come.
    #[must_use]
    pub fn take(&mut self, now: Instant) -> bool {
        let due = self.due(now);
        let free = due <= now;
        if free {
            self.last = Some(due);
            self.started = Some(now);
        }
        free
    }

    /// The API refused a request that was started at `sent`, and may have said how long to `wait`.
    ///
    /// One overload refuses many requests that are in flight together. It is one cut: those that were started before
    /// it say nothing new.
    pub fn refused(&mut self, now: Instant, sent: Instant, wait: Option<Duration>) {
        self.silence = self.silence.max(wait.map(|wait| now + wait));
        if self.cut.is_some_and(|cut| sent <= cut.at) {
            return;
        }
        // Fast convergence (RFC 9438, section 4.7): where the limit has shrunk, others have come; leave them room.
        let shrunk = self.cut.is_some_and(|cut| self.rate < cut.plateau);
        let plateau = self.rate * if shrunk { (1.0 + CUT) / 2.0 } else { PLATEAU };
        self.rate = (self.rate * CUT).max(SLOWEST);
        self.cut = Some(Cut { at: now, rate: self.rate, plateau, age: Duration::ZERO });
    }

    /// The API took a request that was started at `sent`.
    ///
    /// Growth goes by the time since the cut, but each request vouches for one interval only: a client that asks less
    /// than it may learns nothing about the limit, and does not grow as if it had (RFC 9438, section 5.8).
    pub fn accepted(&mut self, now: Instant, sent: Instant) {
        let interval = self.interval();
        if let Some(cut) = self.cut.as_mut().filter(|cut| sent > cut.at) {
            cut.age = (cut.age + interval).min(now.saturating_duration_since(cut.at));
            self.rate = cut.grown().min(self.ceiling);
        }
    }

    /// Requests per second, at present.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    fn interval(&self) -> Duration {
        SECOND.div_f64(self.rate)
    }

    /// When the next request is due: a little before `now`, if it is late, and else now or later.
    fn due(&self, now: Instant) -> Instant {
        let spaced = self.last.map(|last| last + self.interval());
        let apart = self.started.map(|started| started + NEAREST.div_f64(self.rate));
        let due = [spaced, apart, self.silence].into_iter().flatten().max().unwrap_or(now);
        if due + LATE < now { now } else { due }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const S: Duration = Duration::from_secs(1);
    const EARLIER: Duration = Duration::from_nanos(1);

    fn origin() -> Instant {
        crate::clock::instant()
    }

    /// Waits for the next turn from `now` on, and takes it.
    fn start(pace: &mut Pace, now: Instant) -> Instant {
        let next = pace.next(now);
        assert!(pace.take(next), "its turn has come");
        next
    }

    /// Asks as often as it may for `span`; each request is accepted after `latency`. Returns the time of the end.
    fn ask(pace: &mut Pace, from: Instant, span: Duration, latency: Duration) -> Instant {
        let (mut now, mut in_flight) = (from, VecDeque::new());
        while now < from + span {
            let next = pace.next(now);
            if let Some(sent) = in_flight.pop_front_if(|sent| *sent + latency <= next) {
                now = now.max(sent + latency);
                pace.accepted(now, sent);
            } else {
                now = start(pace, next);
                in_flight.push_back(now);
            }
        }
        now
    }

    #[test]
    fn requests_are_evenly_spaced_and_unused_time_is_not_caught_up_with() {
        let (mut pace, t) = (Pace::new(20), origin());
        let interval = SECOND / 20;
        assert_eq!(pace.next(t), t);
        assert_eq!(start(&mut pace, t), t);
        assert_eq!(pace.next(t), t + interval);
        assert_eq!(start(&mut pace, t), t + interval);
        assert_eq!(start(&mut pace, t + 500 * MS), t + 500 * MS);
        assert_eq!(start(&mut pace, t + 500 * MS), t + 500 * MS + interval);
    }

    #[test]
    fn a_moment_is_taken_by_one_request_only_and_not_before_it_comes() {
        let (mut pace, t) = (Pace::new(20), origin());
        let late = t + SECOND / 20 + MS;
        assert!(pace.take(t) && !pace.take(t) && !pace.take(t + 50 * MS));
        assert!(pace.take(late));
        assert!(!pace.take(late), "the second of two that woke for one moment waits again");
        assert_eq!(pace.next(late), t + SECOND / 20 * 2, "the schedule goes on");
        let very_late = t + SECOND / 20 * 2 + 4 * MS;
        assert!(pace.take(very_late));
        assert_eq!(pace.next(very_late), very_late + NEAREST / 20, "never too near to the real start");
    }

    #[test]
    fn late_timers_hardly_slow_the_schedule_down() {
        let (mut pace, t) = (Pace::new(20), origin());
        let last = (0..200).fold(t, |now, n| {
            // About as late as timers are.
            let awake = pace.next(now) + MS * (n % 4) / 4;
            assert!(pace.take(awake));
            awake
        });
        let ideal = SECOND / 20 * 199;
        assert!(last - t <= ideal.mul_f64(1.005) + MS, "{:?} instead of {ideal:?}", last - t);
    }

    #[test]
    fn the_configured_rate_is_kept_up_to_one_percent() {
        let (mut pace, t) = (Pace::new(20), origin());
        let last = (0..=2_000).fold(t, |now, _| start(&mut pace, now));
        assert!(last - t <= 101 * S, "{:?} for 100 s of requests", last - t);
    }

    #[test]
    fn what_one_overload_refuses_is_one_cut() {
        let (mut pace, t) = (Pace::new(20), origin());
        let sent: Vec<Instant> = (0..20).map(|_| start(&mut pace, t)).collect();
        let now = t + 2 * S;
        for sent in &sent {
            pace.refused(now, *sent, None);
        }
        assert!((pace.rate() - 14.0).abs() < 1e-9, "{}", pace.rate());
        pace.refused(now + S, now, None);
        assert!((pace.rate() - 14.0).abs() < 1e-9, "in flight when it was cut");
        pace.refused(now + S, now + MS, None);
        assert!((pace.rate() - 9.8).abs() < 1e-9, "started behind the cut, and still too much");
    }

    #[test]
    fn a_cut_never_goes_below_the_slowest_and_spaces_what_comes_next() {
        let (mut pace, mut now) = (Pace::new(20), origin());
        for _ in 0..100 {
            let sent = start(&mut pace, now);
            now = sent + MS;
            pace.refused(now, sent, None);
            assert_eq!(pace.next(now), sent + SECOND.div_f64(pace.rate()));
        }
        assert!((pace.rate() - SLOWEST).abs() < 1e-9);
        let mut pace = Pace::new(1);
        pace.refused(now, now, None);
        assert!((pace.rate() - 0.7).abs() < 1e-9);
    }

    #[test]
    fn the_rate_is_back_at_its_plateau_in_some_seconds_and_at_the_ceiling_soon_after() {
        for (ceiling, most) in [(20, 8), (10, 7), (5, 6), (2, 5), (1, 5)] {
            let (mut pace, t) = (Pace::new(ceiling), origin());
            pace.refused(t, t - EARLIER, None);
            let now = ask(&mut pace, t, most * S, 300 * MS);
            assert!(pace.rate() >= f64::from(ceiling) * 0.945, "{} of {ceiling}", pace.rate());
            ask(&mut pace, now, 5 * S, 300 * MS);
            assert!((pace.rate() - f64::from(ceiling)).abs() < 1e-9, "{} of {ceiling}", pace.rate());
        }
    }

    #[test]
    fn a_client_that_asks_less_than_it_may_does_not_grow_as_if_it_had_asked() {
        let (mut pace, t) = (Pace::new(20), origin());
        pace.refused(t, t - EARLIER, None);
        pace.accepted(t + 3600 * S, t + 3599 * S);
        assert!(pace.rate() < 14.3, "{}: an hour of silence says nothing", pace.rate());
        let before = pace.rate();
        pace.accepted(t + 3600 * S, t);
        assert!((pace.rate() - before).abs() < 1e-9, "started before the cut");
    }

    #[test]
    fn the_wait_the_api_asked_for_is_kept_by_every_request() {
        let (mut pace, t) = (Pace::new(20), origin());
        pace.refused(t, t - EARLIER, Some(7 * S));
        pace.refused(t + S, t - EARLIER, Some(S));
        pace.refused(t + S, t - EARLIER, None);
        assert_eq!(pace.next(t + 2 * S), t + 7 * S, "the longest holds");
        assert_eq!(start(&mut pace, t + 2 * S), t + 7 * S);
        assert_eq!(start(&mut pace, t + 2 * S), t + 7 * S + SECOND.div_f64(14.0));
        pace.refused(t + 8 * S, t - EARLIER, Some(7 * S));
        assert!((pace.rate() - 14.0).abs() < 1e-9, "no second cut");
        assert_eq!(pace.next(t + 8 * S), t + 15 * S, "but a second wait");
    }

    proptest! {
        /// New requests and repeated ones wake in any order, on time or late, several for one moment.
        #[test]
        fn no_two_starts_are_nearer_than_the_rate_allows_and_no_second_holds_more(
            rate in 1_u32..=20,
            steps in prop::collection::vec((0_u32..400, 0_u8..10, 0_u32..=3_000, 1_usize..5), 1..300),
        ) {
            let (mut pace, mut now) = (Pace::new(rate), origin());
            let mut starts: Vec<Instant> = Vec::new();
            for (idle, event, late, awake) in steps {
                let sent = starts.last().copied().unwrap_or(now);
                let late = Duration::from_micros(late.into());
                match event {
                    0 => pace.refused(now, sent, None),
                    1 => pace.refused(now, sent, Some(idle * MS)),
                    2 => pace.accepted(now, sent),
                    3 => now += idle * MS,
                    _ => {
                        now = pace.next(now) + late;
                        let spacing = SECOND.div_f64(pace.rate());
                        for _ in 0..awake {
                            if pace.take(now) {
                                if let Some(last) = starts.last() {
                                    prop_assert!(now - *last >= spacing.mul_f64(0.94), "{:?} at {}", now - *last, pace.rate());
                                }
                                starts.push(now);
                            }
                        }
                    }
                }
            }
            for (n, start) in starts.iter().enumerate() {
                let within = starts[n..].iter().take_while(|other| **other < *start + S).count();
                prop_assert!(within <= rate as usize, "{within} at {rate}/s");
            }
        }

        #[test]
        fn the_rate_stays_between_the_slowest_and_the_ceiling(
            rate in 1_u32..=20,
            steps in prop::collection::vec((0_u32..5_000, any::<bool>()), 1..300),
        ) {
            let (mut pace, mut now) = (Pace::new(rate), origin());
            for (idle, accepted) in steps {
                let sent = start(&mut pace, now);
                now = sent + idle * MS;
                let before = pace.rate();
                if accepted { pace.accepted(now, sent) } else { pace.refused(now, sent, None) }
                prop_assert!((SLOWEST..=f64::from(rate)).contains(&pace.rate()), "{}", pace.rate());
                let right_way = if accepted { pace.rate() >= before } else { pace.rate() <= before };
                prop_assert!(right_way, "{before} to {}", pace.rate());
            }
        }
    }
}
