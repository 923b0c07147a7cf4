//! How much was asked, for each kind of request: what receipts and logs say, and which kinds are in trouble.

use std::collections::HashMap;
use std::sync::Mutex;

use super::lock;

/// How much was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestCounts {
    /// Requests to the Admin API, all attempts counted.
    pub requests: u64,
    /// Requests that the API refused as too many.
    pub refused: u64,
    /// Other attempts that had to be repeated.
    pub repeated: u64,
}

impl RequestCounts {
    /// How much of it came after `before`.
    #[must_use]
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            refused: self.refused - before.refused,
            repeated: self.repeated - before.repeated,
        }
    }

    /// The sum of the two.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            refused: self.refused + other.refused,
            repeated: self.repeated + other.repeated,
        }
    }
}

/// The counts, by kind: "orders".
#[derive(Debug, Default)]
pub(crate) struct Counts {
    kinds: Mutex<HashMap<&'static str, (RequestCounts, u32)>>,
}

impl Counts {
    /// How much was asked so far, of all kinds.
    pub(crate) fn total(&self) -> RequestCounts {
        lock(&self.kinds).values().fold(RequestCounts::default(), |sum, (counts, _)| sum.and(*counts))
    }

    /// How much was asked so far, of these kinds.
    pub(crate) fn total_of(&self, kinds: &[&'static str]) -> RequestCounts {
        let all = lock(&self.kinds);
        let counts = kinds.iter().filter_map(|kind| all.get(kind));
        counts.fold(RequestCounts::default(), |sum, (counts, _)| sum.and(*counts))
    }

    /// Whether a request of one of these kinds has failed several times: further ones would only add to the trouble.
    pub(crate) fn are_in_trouble(&self, kinds: &[&'static str]) -> bool {
        let counts = lock(&self.kinds);
        kinds.iter().any(|kind| counts.get(kind).is_some_and(|(_, troubled)| *troubled > 0))
    }

    /// Counts something of this kind.
    pub(super) fn count(&self, kind: &'static str, count: impl FnOnce(&mut RequestCounts)) {
        count(&mut lock(&self.kinds).entry(kind).or_default().0);
    }

    /// A request of this kind has failed several times: it counts for as long as the result lives.
    pub(super) fn in_trouble(&self, kind: &'static str) -> InTrouble<'_> {
        lock(&self.kinds).entry(kind).or_default().1 += 1;
        InTrouble { counts: self, kind }
    }
}

/// A request that has failed several times.
pub(super) struct InTrouble<'a> {
    counts: &'a Counts,
    kind: &'static str,
}

impl Drop for InTrouble<'_> {
    fn drop(&mut self) {
        lock(&self.counts.kinds).entry(self.kind).or_default().1 -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_counts_and_trouble_of_its_own() {
        let counts = Counts::default();
        counts.count("orders", |counts| counts.requests += 2);
        counts.count("contests", |counts| counts.refused += 1);
        let trouble = counts.in_trouble("contests");
        assert_eq!(counts.total(), RequestCounts { requests: 2, refused: 1, repeated: 0 });
        assert_eq!(
            counts.total_of(&["orders", "stores"]),
            RequestCounts { requests: 2, ..RequestCounts::default() }
        );
        assert!(counts.are_in_trouble(&["stores", "contests"]) && !counts.are_in_trouble(&["orders"]));
        drop(trouble);
        assert!(!counts.are_in_trouble(&["contests"]));
    }
}
