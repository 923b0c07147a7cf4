//! Where the reading of the log is, what to ask next, and when it is complete. Pure.
//!
//! The first response fixes the end: the head of the log at that moment. Events move to higher numbers while the log is read, so
//! a full refresh, whose table holds nothing else, reads on until no event follows.

use super::page::Page;
use super::query::{MOST, Place, Query};
use crate::doubt::Doubt;
use crate::failure::FailureKind;
use crate::protocol::catalog::SyncMode;

/// How often the log may turn out to be rewound in one sync.
const MOST_REWINDS: u32 = 8;

/// Numbers without an event, among those that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// How many there are.
    pub numbers: u64,
    /// How many the events that were read may have left behind.
    pub moves: u64,
    /// The first and the last of them.
    pub bounds: Option<(u64, u64)>,
}

impl Gaps {
    /// Whether events that moved may have left all of them.
    pub(crate) fn are_explained(&self) -> bool {
        self.numbers <= self.moves
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    mode: SyncMode,
    consumer: String,
    /// What the saved state says.
    start: Place,
    /// The last event that was read.
    place: Place,
    /// The head when the first response came; none before.
    end: Option<u64>,
    limit: u64,
    rewinds: u32,
    done: bool,
    /// Events that moved might have been passed over.
    more: bool,
    /// Numbers without an event.
    pub gaps: Gaps,
    /// Numbers up to here were deleted before they were read, if they held events.
    pub pruned: u64,
}

impl Position {
    /// After this place, for a reader of this name.
    pub(crate) fn new(mode: SyncMode, consumer: &str, start: Place) -> Self {
        let place = start.clone();
        Self {
            mode,
            consumer: consumer.to_owned(),
            start,
            place,
            end: None,
            limit: MOST,
            rewinds: 0,
            done: false,
            more: false,
            gaps: Gaps::default(),
            pruned: 0,
        }
    }

    /// The last event that was read.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether everything is read.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// What to ask next.
    pub(crate) fn query(&self) -> Query {
        // Only what a saved state says has arrived for certain; the rest of this sync may still be lost with it.
        let consumer = (self.place == self.start).then(|| self.consumer.clone());
        Query { after: self.place.clone(), limit: self.limit, consumer }
    }

    /// The response was too large: whether fewer events can be requested.
    pub(crate) fn asks_for_less(&mut self) -> bool {
        let fewer = self.limit > 1;
        self.limit = (self.limit / 8).max(1);
        fewer
    }

    /// Takes a page that was believed.
    ///
    /// # Errors
    /// When the log ends before the end that it had at first.
    pub(crate) fn accept(&mut self, page: &Page) -> Result<(), Doubt> {
        let end = *self.end.get_or_insert(page.head);
        if !page.more && page.head < end {
            let what = format!("the log ended at number {end}, and ends at number {} now", page.head);
            return Err(Doubt::new(FailureKind::MissingEvent, what));
        }
        let mut before = self.place.seq;
        // What was deleted before it was read is counted apart from what is missing.
        let first = page.events.first().map_or(page.through, |row| row.seq - 1);
        if before < page.pruned.min(first) {
            before = page.pruned.min(first);
            self.pruned = before;
        }
        for row in &page.events {
            if row.seq > before + 1 {
                self.gaps.numbers += row.seq - before - 1;
                let first = self.gaps.bounds.map_or(before + 1, |(first, _)| first);
                self.gaps.bounds = Some((first, row.seq - 1));
            }
            self.gaps.moves += row.moves;
            before = row.seq;
        }
        if let Some(row) = page.events.last() {
            self.place = Place { seq: row.seq, event: Some(row.event.clone()) };
        }
        self.more = page.more;
        let at_end = self.mode == SyncMode::Incremental && self.place.seq >= end;
        self.done = !page.more || at_end;
        Ok(())
    }

    /// Whether the numbers without an event are a gap that wants explaining. Not, where events that moved may follow.
    pub(crate) fn has_a_gap(&self) -> bool {
        !self.gaps.are_explained() && !self.more
    }

    /// The log does not hold what was seen at the place that the request continues from: both sides agree up to `agreed`. From
    /// where it is read again.
    ///
    /// # Errors
    /// When it happens time and again.
    pub(crate) fn rewind(&mut self, agreed: u64) -> Result<u64, Doubt> {
        self.rewinds += 1;
        if self.rewinds > MOST_REWINDS {
            let what = format!("its log was rewound {MOST_REWINDS} times during one sync");
            return Err(Doubt::new(FailureKind::Restless, what));
        }
        // The inbox knows the name only at the place of the saved state: so what it says of any other place is no more than that
        // it does not agree.
        if self.place == self.start {
            self.start = Place { seq: agreed, event: None };
        }
        (self.place, self.end) = (self.start.clone(), None);
        (self.gaps, self.pruned) = (Gaps::default(), 0);
        Ok(self.place.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::Row;
    use super::*;

    fn row(seq: u64, moves: u64) -> Row {
        Row { seq, event: format!("e{seq}"), recognised: true, moves, data: 0..0, changes: Vec::new() }
    }

    fn page(seqs: &[u64], more: bool, head: u64) -> Page {
        let events: Vec<Row> = seqs.iter().map(|seq| row(*seq, 0)).collect();
        let through = if more { *seqs.last().unwrap() } else { head };
        Page { events, more, through, head, ..Page::default() }
    }

    fn place(seq: u64) -> Place {
        Place { seq, event: (seq > 0).then(|| format!("e{seq}")) }
    }

    fn position(mode: SyncMode, start: u64) -> Position {
        Position::new(mode, "me", place(start))
    }

    #[test]
    fn the_first_response_fixes_the_end() {
        let mut position = position(SyncMode::Incremental, 0);
        position.accept(&page(&[1, 2], true, 4)).unwrap();
        assert!(!position.is_done());
        position.accept(&page(&[3, 4], true, 9)).unwrap();
        assert!(position.is_done(), "what came meanwhile is for the next sync");
        assert_eq!(position.place(), &place(4));
    }

    #[test]
    fn a_full_refresh_reads_on_until_nothing_follows() {
        let mut position = position(SyncMode::FullRefresh, 0);
        position.accept(&page(&[1, 2], true, 2)).unwrap();
        assert!(!position.is_done(), "an event may have moved beyond the end");
        position.accept(&page(&[5], false, 5)).unwrap();
        assert!(position.is_done());
    }

    #[test]
    fn nothing_new_is_one_request() {
        let mut position = position(SyncMode::Incremental, 7);
        assert_eq!(position.query(), Query { after: place(7), limit: MOST, consumer: Some("me".to_owned()) });
        position.accept(&page(&[], false, 9)).unwrap();
        assert!(position.is_done());
        assert_eq!((position.place(), position.gaps), (&place(7), Gaps::default()));
    }

    #[test]
    fn only_a_saved_place_is_named_to_the_inbox() {
        let mut position = position(SyncMode::Incremental, 7);
        position.accept(&page(&[8], true, 20)).unwrap();
        assert_eq!(position.query(), Query { after: place(8), limit: MOST, consumer: None });
    }

    #[test]
    fn a_rewound_log_is_read_from_where_both_agree() {
        let mut position = position(SyncMode::Incremental, 7);
        assert_eq!(position.rewind(4).unwrap(), 4);
        let agreed = Place { seq: 4, event: None };
        assert_eq!(position.query(), Query { after: agreed, limit: MOST, consumer: Some("me".to_owned()) });
        position.accept(&page(&[5, 6], false, 6)).unwrap();
        assert!(position.is_done());
    }

    #[test]
    fn a_log_that_is_rewound_meanwhile_is_asked_at_the_saved_place_again() {
        let mut position = position(SyncMode::Incremental, 7);
        position.accept(&page(&[8, 9], true, 20)).unwrap();
        assert_eq!(position.rewind(0).unwrap(), 7, "the inbox was not told a name, so it knows no place");
        assert_eq!(position.query().after, place(7));
        position.accept(&page(&[8], false, 8)).unwrap();
        assert!(position.is_done(), "the end is that of the log as it is now");
        let again = (0..MOST_REWINDS).find_map(|_| position.rewind(0).err());
        assert_eq!(again.unwrap().kind, FailureKind::Restless);
    }

    #[test]
    fn a_log_that_has_become_shorter_is_doubted() {
        let mut position = position(SyncMode::Incremental, 0);
        position.accept(&page(&[1, 2], true, 9)).unwrap();
        let doubt = position.accept(&page(&[3], false, 3)).unwrap_err();
        assert!(doubt.what.contains("number 9"), "{}", doubt.what);
    }

    #[test]
    fn numbers_without_an_event_are_counted_and_explained() {
        let mut position = position(SyncMode::Incremental, 2);
        let moved = Page { events: vec![row(5, 0), row(8, 3)], head: 8, through: 8, ..Page::default() };
        position.accept(&moved).unwrap();
        assert_eq!(position.gaps, Gaps { numbers: 4, moves: 3, bounds: Some((3, 7)) });
        assert!(position.has_a_gap(), "only three of the four can be of events that moved");
        let mut position = self::position(SyncMode::Incremental, 2);
        position.accept(&Page { events: vec![row(5, 0), row(8, 4)], ..moved }).unwrap();
        assert!(!position.has_a_gap());
    }

    #[test]
    fn what_was_deleted_is_no_gap() {
        let mut position = position(SyncMode::Incremental, 0);
        position.accept(&Page { pruned: 6, ..page(&[7, 8], false, 8) }).unwrap();
        assert_eq!((position.gaps, position.pruned), (Gaps::default(), 6));
        let mut all = self::position(SyncMode::Incremental, 0);
        all.accept(&Page { pruned: 8, ..page(&[], false, 8) }).unwrap();
        assert_eq!((all.gaps, all.pruned, all.is_done()), (Gaps::default(), 8, true));
        let mut read = self::position(SyncMode::Incremental, 6);
        read.accept(&Page { pruned: 6, ..page(&[7], false, 7) }).unwrap();
        assert_eq!(read.pruned, 0, "it was read before");
    }

    #[test]
    fn fewer_events_are_requested_down_to_one() {
        let mut position = position(SyncMode::Incremental, 0);
        let mut limits = Vec::new();
        while position.asks_for_less() {
            limits.push(position.query().limit);
        }
        assert_eq!(limits, [62, 7, 1]);
    }
}
