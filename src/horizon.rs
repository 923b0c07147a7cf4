//! Up to when a sync may believe what it reads. Pure.
//!
//! The API says nothing of when a change shows in its lists. So a sync reads up to a settle delay before the server's
//! now, and what lies behind that is the next sync's.

use chrono::{DateTime, TimeDelta, Utc};

use crate::timestamp;

/// How long a record may take to surface in a list after the instant it was made or changed at. Lists are read up to
/// this long before the server's now. Two minutes are what sources of other order APIs wait; AiFi says nothing.
pub(crate) const SETTLE_DELAY: TimeDelta = TimeDelta::minutes(2);

/// Up to when records can be believed to be listed as they were: the settle delay before the server's now, to whole
/// seconds.
pub(crate) fn settled(server_now: DateTime<Utc>) -> DateTime<Utc> {
    timestamp::floor_second(server_now - SETTLE_DELAY)
}

/// Two clocks that are closer than this both mean now.
const CLOSE: TimeDelta = TimeDelta::hours(1);

/// The server's now. If this machine's clock, read when the sync began, is close and behind it, that is taken: a server
/// that is ahead, as one of several may be, would make us pass over what is not there yet; to be behind only delays.
pub(crate) fn server_now(server: Option<DateTime<Utc>>, ours: DateTime<Utc>) -> DateTime<Utc> {
    server.map_or(ours, |server| if (server - ours).abs() < CLOSE { server.min(ours) } else { server })
}

/// What to say of clocks that differ by minutes.
pub(crate) fn clocks_differ(server: DateTime<Utc>, ours: DateTime<Utc>) -> Option<String> {
    let ahead = ours - server;
    let side = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
    (ahead.abs() >= TimeDelta::minutes(5)).then(|| {
        format!(
            "This machine's clock is {} {side} the server's; {}.",
            timestamp::about(ahead),
            followed(ahead)
        )
    })
}

/// Which clock a sync follows, as a clause, where this machine's is so far `ahead` of the server's.
pub(crate) fn followed(ahead: TimeDelta) -> &'static str {
    if ahead.abs() >= CLOSE {
        "they differ by an hour or more, so syncs follow the server's"
    } else {
        "syncs follow the earlier of the two"
    }
}

/// What to say of a state of a stream that ends at `cursor`, if that lies a day or more behind the `horizon`: a typo, or a clock
/// that was wrong. Airbyte wants such a state to be kept, so it is not a failure.
pub(crate) fn in_the_future(stream: &str, cursor: DateTime<Utc>, horizon: DateTime<Utc>) -> Option<String> {
    (cursor >= horizon + TimeDelta::days(1)).then(|| {
        format!(
            "{stream}: The saved state ends in the future ({}; it is {} now), so nothing is read until then. If that is a mistake, set the state back, or clear the stream's data.",
            timestamp::write(cursor),
            timestamp::write(horizon)
        )
    })
}

/// The end of what a sync reads: fixed once, by the server's clock.
pub(crate) fn horizon(server_now: DateTime<Utc>, end_date: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let settled = settled(server_now);
    end_date.map_or(settled, |end| end.min(settled))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    const START: &str = "2025-11-01T00:00:00Z";
    const END: &str = "2025-12-01T00:00:00Z";

    #[test]
    fn the_horizon_lies_the_settle_delay_before_the_servers_now_or_at_the_end_date() {
        let now = at("2025-12-01T00:02:00.900Z");
        assert_eq!(horizon(now, None), at(END));
        assert_eq!(horizon(now, Some(at(START))), at(START));
        assert_eq!(horizon(now, Some(at("2030-01-01T00:00:00Z"))), at(END));
    }

    #[test]
    fn what_is_said_of_clocks_is_what_a_sync_follows() {
        let server = at(END);
        for minutes in [-120, -60, -59, -5, 5, 59, 60, 120] {
            let ours = server + TimeDelta::minutes(minutes);
            let said = clocks_differ(server, ours).unwrap();
            let taken = server_now(Some(server), ours);
            assert_eq!(
                said.contains("the earlier of the two"),
                taken == server.min(ours) && minutes.abs() < 60
            );
            assert_eq!(said.contains("follow the server's"), minutes.abs() >= 60, "{said}");
            assert!(minutes.abs() < 60 || taken == server);
        }
    }

    #[test]
    fn of_two_clocks_that_are_close_the_earlier_one_is_taken() {
        let (ours, hour) = (at(END), TimeDelta::hours(1));
        let minute = TimeDelta::minutes(1);
        assert_eq!(server_now(Some(ours + minute), ours), ours);
        assert_eq!(server_now(Some(ours - minute), ours), ours - minute);
        assert_eq!(server_now(Some(ours + hour), ours), ours + hour, "ours is wrong");
        assert_eq!(server_now(None, ours), ours);
    }
}
