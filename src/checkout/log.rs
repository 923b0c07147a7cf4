//! Lines of the log, and failures in their words. Pure.

use std::time::Duration;

use super::NAME;
use super::position::Gaps;
use crate::aifi::counts::RequestCounts;
use crate::config::inbox::INBOX_URL;
use crate::doubt::Doubt;
use crate::failure::{Failure, FailureKind};
use crate::plural::plural;
use crate::protocol::message::Level;

/// What there is to read.
pub(super) fn range(seq: u64) -> String {
    match seq {
        0 => format!("{NAME}: reading from the beginning of the checkout inbox"),
        seq => format!("{NAME}: reading what the checkout inbox has after number {seq}"),
    }
}

/// The log was rewound.
pub(super) fn rewound(seen: u64, from: u64) -> String {
    format!(
        "{NAME}: The log of the checkout inbox was rewound: it does not hold what was read at number {seen}. Its database was restored, or a standby took over that lagged. It is read again after number {from}. Events that only the lost part held stay in the table."
    )
}

/// Events were deleted before they were read.
pub(super) fn pruned(pruned: u64) -> String {
    format!(
        "{NAME}: The inbox has deleted events up to number {pruned} (aifi-inbox prune), so they cannot be read here."
    )
}

/// Numbers without an event.
pub(super) fn gaps(gaps: Gaps, is_gap: bool) -> Option<(Level, String)> {
    let (first, last) = gaps.bounds?;
    let Gaps { numbers, moves, .. } = gaps;
    let what = format!("{numbers} of the numbers from {first} to {last} hold no event");
    Some(if is_gap {
        let text = format!(
            "{NAME}: There is a gap in the numbers: {what}, and events that were delivered again or answered have left {moves} of them at most. The others were deleted (aifi-inbox prune --order), or the inbox's database has lost them: look for orders without an event."
        );
        (Level::Warn, text)
    } else {
        (
            Level::Info,
            format!("{NAME}: {what}: events that were delivered again or answered have moved to higher ones"),
        )
    })
}

/// The end of the sync: what was written, and what it took.
pub(super) fn receipt(
    seq: u64,
    records: u64,
    unrecognised: u64,
    counts: RequestCounts,
    took: Duration,
) -> String {
    let mut text = format!(
        "{NAME}: complete up to number {seq}: {}; {} in {:.1} s",
        plural(records, "record"),
        plural(counts.requests, "request"),
        took.as_secs_f64()
    );
    let repeated = counts.refused + counts.repeated;
    for (count, what, more) in [
        (repeated, "request", "repeated"),
        (unrecognised, "event", "not recognised: only the payload is there"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {} {more}", plural(count, what)));
        }
    }
    text
}

/// The failure that a doubt becomes after so many attempts.
pub(super) fn failure(doubt: Doubt, attempts: u32) -> Failure {
    let advice = if doubt.kind == FailureKind::NotAPage {
        format!("Check {INBOX_URL}: it must be that of an aifi-inbox.")
    } else {
        "Nothing was skipped: the state ends before this point, and the next sync starts there. If it stays so, look at the inbox's log and database.".to_owned()
    };
    let text = format!(
        "{NAME} cannot be read completely: {} (after {}). {advice}",
        doubt.what,
        plural(u64::from(attempts), "attempt")
    );
    Failure::new(doubt.kind, text)
}

/// The inbox is of a version that does not say enough.
pub(super) fn too_old() -> Failure {
    let text = "The checkout inbox is older than this connector, and does not say up to which number its responses are complete. Update aifi-inbox to the version of the connector or a newer one.";
    Failure::new(FailureKind::Rejected, text)
}

/// An event is too large to be read, also alone.
pub(super) fn event_too_large(after: u64, failure: &Failure) -> Failure {
    let text = format!(
        "The event after number {after} cannot be read, also alone. {} Is it an aifi-inbox that answers?",
        failure.message
    );
    Failure::new(FailureKind::TooLarge, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_a_warning_and_moves_are_not() {
        assert!(gaps(Gaps::default(), false).is_none());
        let some = Gaps { numbers: 3, moves: 1, bounds: Some((4, 9)) };
        let (level, text) = gaps(some, true).unwrap();
        assert_eq!(level, Level::Warn);
        assert!(text.contains("3 of the numbers from 4 to 9 hold no event"), "{text}");
        assert_eq!(gaps(some, false).unwrap().0, Level::Info);
    }

    #[test]
    fn a_receipt_tells_what_is_unusual_only_where_it_is() {
        let took = Duration::from_millis(320);
        let counts = RequestCounts { requests: 1, ..RequestCounts::default() };
        assert_eq!(
            receipt(7, 0, 0, counts, took),
            "checkout_events: complete up to number 7: 0 records; 1 request in 0.3 s"
        );
        let counts = RequestCounts { requests: 4, repeated: 2, refused: 1 };
        assert_eq!(
            receipt(9, 1, 1, counts, took),
            "checkout_events: complete up to number 9: 1 record; 4 requests in 0.3 s; 3 requests repeated; 1 event not recognised: only the payload is there"
        );
    }
}
