//! Records whose last change is too young to be settled: the next sweep looks at them once more. Pure.
//!
//! A sweep begins at the horizon of the last sync, so that no change is missed which became visible late. An order that
//! changed after that horizon, and was read like that, would come a second time. The state holds digests of such
//! records; what a sweep finds unchanged is not written again.

use std::collections::HashSet;

use crate::orders::state::digests::Digests;

/// Most digests in a state: 8 kB of text. Beyond, records come a second time.
const MOST: usize = 500;

/// Digests of records.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    /// From the state that the sync resumes from.
    before: HashSet<u64>,
    /// Of this sync.
    now: HashSet<u64>,
}

impl Unsettled {
    /// Resumes from what [`Self::save`] gave.
    pub(crate) fn resume(saved: &Digests) -> Self {
        Self { before: saved.0.iter().copied().collect(), now: HashSet::new() }
    }

    /// Whether a record was written by the sync before, just like this.
    pub(crate) fn has(&self, digest: u64) -> bool {
        self.before.contains(&digest)
    }

    /// Notes a record whose last change is not settled.
    pub(crate) fn note(&mut self, digest: u64) {
        if self.now.len() < MOST {
            self.now.insert(digest);
        }
    }

    /// As it is in a state. Until a sweep is complete, the next one begins where this one did, so what was known then
    /// stays known.
    pub(crate) fn save(&self, swept: bool) -> Digests {
        let before = self.before.iter().filter(|_| !swept);
        Digests(self.now.iter().chain(before).copied().take(2 * MOST).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_the_next_sync() {
        let mut first = Unsettled::default();
        assert_eq!(first.save(true), Digests::default());
        [7, 3, u64::MAX].into_iter().for_each(|digest| first.note(digest));
        let mut second = Unsettled::resume(&first.save(true));
        assert!(second.has(3) && second.has(u64::MAX) && !second.has(4));
        second.note(4);
        assert_eq!([true, false].map(|swept| second.save(swept).0.len()), [1, 4]);
    }

    #[test]
    fn it_is_bounded() {
        let mut recent = Unsettled::default();
        (0..10_000).for_each(|digest| recent.note(digest));
        assert_eq!(recent.save(true).0.len(), MOST);
    }
}
