//! What a sync of a list tells people in its log.

use std::time::Duration;

use super::declared::List;
use super::query::{PageRequest, encode};
use super::sync::Sync;
use crate::aifi::counts::RequestCounts;
use crate::plural::plural;
use crate::timestamp;

/// What is read, and from where.
pub(super) fn range(list: &List, sync: &Sync) -> String {
    let name = list.name;
    match sync.from().map(timestamp::write) {
        None => format!("{name}: reading the whole list"),
        Some(_) if sync.is_complete() => {
            format!("{name}: nothing to read: the full refresh is complete")
        }
        Some(from) if let Some(before) = sync.moved_back_from() => format!(
            "{name}: reading what has changed since {from}, and what was changed before {}: the start date was moved to an earlier day",
            timestamp::write(before)
        ),
        Some(from) if sync.has_added_stores() => format!(
            "{name}: reading what has changed since {from}, and of the stores that were added since the last sync everything that was not read yet"
        ),
        Some(from) if sync.is_resumed() => format!("{name}: reading what has changed since {from}"),
        Some(from) => format!("{name}: reading what has changed since the start date, {from}"),
    }
}

/// The server sends no `Date`.
pub(super) fn no_clock(list: &List) -> String {
    format!(
        "{}: The server sends no Date header, so this machine's clock is used. If it is ahead, changes that surface late could be passed over.",
        list.name
    )
}

/// Changes cannot be asked for.
pub(super) fn no_filter(list: &List) -> String {
    format!(
        "{}: The API refuses the filter by update time (minUpdatedAt), so the whole list is read in each sync; only what has changed is written.",
        list.name
    )
}

/// What the reader made of a page: how many of its rows were due, and what it asks for next.
pub(super) fn decision(list: &List, due: usize, next: Option<&PageRequest>) -> String {
    let next = next.map_or_else(|| "everything is read".to_owned(), |next| encode(list, next, None));
    format!("{}: {due} rows of a page were due; next: {next}", list.name)
}

/// A page is not believed.
pub(super) fn doubted(list: &List, doubt: &str) -> String {
    format!("{}: a page is not believed: {doubt}; it is requested again", list.name)
}

/// The end of the sync: what was written, and what it took.
pub(super) fn receipt(
    list: &List,
    records: u64,
    left_out: u64,
    counts: RequestCounts,
    took: Duration,
) -> String {
    let mut text = format!(
        "{}: complete: {}; {} in {:.1} s",
        list.name,
        plural(records, "record"),
        plural(counts.requests, "request"),
        took.as_secs_f64()
    );
    for (count, what) in [
        (counts.refused, "requests refused by the rate limit"),
        (counts.repeated, "requests repeated"),
        (left_out, "records of other stores left out"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::declared::CONTESTS;
    use super::*;

    #[test]
    fn a_receipt_tells_what_is_unusual_only_where_it_is() {
        let took = Duration::from_millis(320);
        let counts = RequestCounts { requests: 2, ..RequestCounts::default() };
        assert_eq!(
            receipt(&CONTESTS, 12, 0, counts, took),
            "contests: complete: 12 records; 2 requests in 0.3 s"
        );
        let counts = RequestCounts { requests: 1, repeated: 3, refused: 0 };
        assert_eq!(
            receipt(&CONTESTS, 1, 4, counts, took),
            "contests: complete: 1 record; 1 request in 0.3 s; 3 requests repeated; 4 records of other stores left out"
        );
    }
}
