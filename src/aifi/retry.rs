//! Whether to ask again, and when. Pure: the caller waits.
//!
//! The bound is *time without progress*, not a count: an API that refuses one request in three for a day must not
//! end a sync that gets on, and one that refuses everything must not keep it for ever.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Before the first retry. Long enough for a limiter that counts by the second to have moved on by the second one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Waits double up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The longest wait that is taken from a `Retry-After`.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// Patience of a sync: an API may be down for a while, and a sync that ends is started again by the platform anyway.
pub const SYNC_PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Patience of `check`, in which somebody waits in front of a form. Leaves room to answer within 60 seconds.
pub const CHECK_PATIENCE: Duration = Duration::from_secs(45);

/// What may be hoped for after an attempt that brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hope {
    /// It passes, as an overload does.
    Passes,
    /// It should not pass, but the same was answered a moment ago: perhaps a gateway on the way is being restarted.
    Contradicts,
    /// Nothing listens there, or no such name is known.
    NobodyThere,
}

impl Hope {
    /// How often a request is made at most, however much time is left.
    fn attempts(self, patience: Duration) -> u32 {
        match self {
            Self::Contradicts => 5,
            // Somebody waits in front of the form, and the address is most likely wrong.
            Self::NobodyThere if patience <= CHECK_PATIENCE => 3,
            // A sync waits until the API is back.
            Self::NobodyThere | Self::Passes => u32::MAX,
        }
    }
}

/// What to do after an attempt that may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Ask again after this time.
    Wait(Duration),
    /// It has been too long, or often enough.
    GiveUp,
    /// The API asks for a wait that is longer than our patience.
    AskedTooLong(Duration),
}

/// Decides after the `attempt`-th attempt (from 1) with this `hope`, `since_progress` after the last step forward.
/// `requested` is what `Retry-After` said; `jitter` is a number from 0 to 1.
pub fn decide(
    hope: Hope,
    attempt: u32,
    since_progress: Duration,
    requested: Option<Duration>,
    patience: Duration,
    jitter: f64,
) -> Decision {
    let attempts = hope.attempts(patience);
    // Few attempts are spread over some seconds: the fewer, the further apart.
    let further = match hope {
        _ if attempts == u32::MAX => 0,
        Hope::NobodyThere => 2,
        Hope::Contradicts | Hope::Passes => 1,
    };
    let own = backoff(attempt.saturating_add(further), jitter);
    match requested.filter(|requested| *requested > own) {
        _ if attempt >= attempts || since_progress + own >= patience => Decision::GiveUp,
        Some(requested) if since_progress + requested >= patience => Decision::AskedTooLong(requested),
        requested => Decision::Wait(requested.unwrap_or(own)),
    }
}

/// Exponential, between half of the step and the whole: clients that failed together do not come back together.
pub fn backoff(attempt: u32, jitter: f64) -> Duration {
    let step = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST_WAIT);
    step.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// Reads `Retry-After`: seconds, or a date to be held against the same response's `Date` or our clock. A date in the
/// past and anything else say nothing.
pub fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    let wait = match header.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (http_date(header)? - now).to_std().ok()?,
    };
    // Beyond any patience, but not beyond what can be added to a time.
    Some(wait.min(LONGEST_ASKED))
}

/// Reads a date of HTTP (RFC 9110, the form that is still sent).
pub fn http_date(header: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(header.trim()).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_half_a_minute_with_jitter_below() {
        let millis = |attempt, jitter| backoff(attempt, jitter).as_millis();
        assert_eq!([1, 2, 3, 4].map(|attempt| millis(attempt, 1.0)), [250, 500, 1000, 2000]);
        assert_eq!([1, 2, 3, 4].map(|attempt| millis(attempt, 0.0)), [125, 250, 500, 1000]);
        assert_eq!([8, 9, 40, u32::MAX].map(|attempt| millis(attempt, 1.0)), [30_000; 4]);
    }

    #[test]
    fn time_without_progress_is_the_bound_and_not_the_count() {
        let decide = |attempt, since, requested, patience, jitter| {
            decide(Hope::Passes, attempt, since, requested, patience, jitter)
        };
        assert!(matches!(decide(1_000_000, 10 * S, None, 60 * S, 1.0), Decision::Wait(_)));
        assert_eq!(decide(1, 60 * S, None, 60 * S, 0.0), Decision::GiveUp);
        assert_eq!(
            decide(9, 31 * S, None, 60 * S, 1.0),
            Decision::GiveUp,
            "the wait itself would overrun it"
        );
    }

    #[test]
    fn the_wait_the_api_asks_for_is_honoured_if_there_is_time_for_it() {
        let after =
            |attempt, since, requested| decide(Hope::Passes, attempt, since, Some(requested), 60 * S, 1.0);
        assert_eq!(after(1, S, 20 * S), Decision::Wait(20 * S));
        assert_eq!(after(1, S, 7200 * S), Decision::AskedTooLong(7200 * S));
        assert_eq!(after(9, 59 * S, 7200 * S), Decision::GiveUp, "it had been too long before");
        assert_eq!(after(4, S, Duration::ZERO), Decision::Wait(2 * S));
    }

    #[test]
    fn what_should_not_pass_is_asked_five_times_within_some_seconds() {
        for (jitter, least, most) in [(0.0, 3, 4), (1.0, 7, 8)] {
            let waits: Vec<Decision> =
                (1..=5).map(|n| decide(Hope::Contradicts, n, S, None, SYNC_PATIENCE, jitter)).collect();
            assert_eq!(waits[4], Decision::GiveUp);
            let all: Duration = waits[..4]
                .iter()
                .map(|wait| if let Decision::Wait(wait) = wait { *wait } else { 60 * S })
                .sum();
            assert!(all >= least * S && all <= most * S, "{waits:?}");
        }
    }

    #[test]
    fn where_nobody_is_a_check_asks_three_times_and_a_sync_as_long_as_it_has_patience() {
        let after = |attempt, patience| decide(Hope::NobodyThere, attempt, S, None, patience, 1.0);
        assert_eq!(
            [1, 2, 3].map(|n| after(n, CHECK_PATIENCE)),
            [Decision::Wait(S), Decision::Wait(2 * S), Decision::GiveUp]
        );
        assert!(matches!(after(40, SYNC_PATIENCE), Decision::Wait(_)));
        let passing = |attempt| decide(Hope::Passes, attempt, S, None, CHECK_PATIENCE, 1.0);
        assert!(matches!(passing(7), Decision::Wait(_)), "a time-out or a 5xx may pass while somebody waits");
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = http_date("Sat, 01 Nov 2025 08:00:00 GMT").unwrap();
        for (header, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sat, 01 Nov 2025 08:00:30 GMT", Some(30)),
            ("Sat, 01 Nov 2025 07:59:59 GMT", None),
            ("18446744073709551615", Some(86_400)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(header, now), expected.map(Duration::from_secs), "{header}");
        }
    }

    proptest! {
        #[test]
        fn untrusted_headers_say_a_time_or_nothing(
            date in crate::untrusted::mangled("Sun, 30 Nov 2025 12:00:00 GMT".to_owned()),
            after in prop_oneof![
                crate::untrusted::mangled("Sun, 30 Nov 2025 12:00:10 GMT".to_owned()),
                crate::untrusted::mangled("120".to_owned()),
            ],
        ) {
            let now = http_date("Sun, 30 Nov 2025 12:00:00 GMT").unwrap();
            let date = http_date(&String::from_utf8_lossy(&date));
            let wait = retry_after(&String::from_utf8_lossy(&after), date.unwrap_or(now));
            prop_assert!(wait.is_none_or(|wait| wait <= LONGEST_ASKED));
            if let Some(date) = date {
                _ = crate::horizon::horizon(crate::horizon::server_now(Some(date), now), None);
            }
        }
    }
}
