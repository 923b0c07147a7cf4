//! Records whose last change is too young to be settled: the next sweep looks at them once more. Pure.
//!
//! A sweep begins at the horizon of the last sync, so that no change is missed which became visible late. An order that
//! changed after that horizon, and was read like that, would come a second time. The state holds digests of such
//! records; what a sweep finds unchanged is not written again.

use std::collections::HashSet;

use serde_json::Value;

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
    /// Reads what [`Self::write`] wrote; anything else says nothing.
    pub(crate) fn parse(value: &Value) -> Self {
        let digits = value.as_str().unwrap_or_default().as_bytes().chunks(16);
        let digest = |digits: &[u8]| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        Self { before: digits.filter_map(digest).collect(), now: HashSet::new() }
    }

    /// What two states have in common.
    pub(crate) fn in_common(one: &Value, other: &Value) -> Value {
        let other = Self::parse(other).before;
        let before = Self::parse(one).before.into_iter().filter(|digest| other.contains(digest)).collect();
        Self { before, now: HashSet::new() }.write(false).unwrap_or_default()
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
    pub(crate) fn write(&self, swept: bool) -> Option<Value> {
        let before = self.before.iter().filter(|_| !swept);
        let mut all: Vec<u64> = self.now.iter().chain(before).copied().take(2 * MOST).collect();
        all.sort_unstable();
        all.dedup();
        (!all.is_empty())
            .then(|| all.iter().map(|digest| format!("{digest:016x}")).collect::<String>().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_the_next_sync() {
        let mut first = Unsettled::default();
        assert_eq!(first.write(true), None);
        [7, 3, u64::MAX].into_iter().for_each(|digest| first.note(digest));
        let mut second = Unsettled::parse(&first.write(true).unwrap());
        assert!(second.has(3) && second.has(u64::MAX) && !second.has(4));
        second.note(4);
        let (swept, unswept) = (second.write(true).unwrap(), second.write(false).unwrap());
        assert_eq!([&swept, &unswept].map(|text| text.as_str().unwrap().len()), [16, 64]);
        assert!(!Unsettled::parse(&Value::from("no digits")).has(0));
    }

    #[test]
    fn it_is_bounded() {
        let mut recent = Unsettled::default();
        (0..10_000).for_each(|digest| recent.note(digest));
        assert_eq!(recent.write(true).unwrap().as_str().unwrap().len(), 16 * MOST);
    }
}
