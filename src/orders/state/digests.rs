//! Digests of records, as a state holds them: sixteen hexadecimal digits each, in one text. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

/// Hexadecimal digits of one digest.
const DIGITS: usize = 16;

/// Reads a text of digests. None, where it is none.
pub(crate) fn read(text: &str) -> Option<Vec<u64>> {
    let digest = |digits: &[u8]| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    text.as_bytes().chunks(DIGITS).map(digest).collect()
}

/// Writes digests as one text.
pub(crate) fn write<'d>(digests: impl IntoIterator<Item = &'d u64>) -> String {
    let mut text = String::new();
    for digest in digests {
        // Writing to a text cannot fail.
        _ = write!(text, "{digest:016x}");
    }
    text
}

/// Digests of single records, whatever their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digests(pub(crate) BTreeSet<u64>);

impl Digests {
    /// Reads what [`Self::write`] wrote; anything else says nothing.
    pub(crate) fn parse(value: &Value) -> Self {
        Self(value.as_str().and_then(read).unwrap_or_default().into_iter().collect())
    }

    /// As they are in a state; none where there are none.
    pub(crate) fn write(&self) -> Option<Value> {
        (!self.0.is_empty()).then(|| write(&self.0).into())
    }

    /// Those that are in both.
    pub(crate) fn in_common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// Those that are in either.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_anything_else_says_nothing() {
        let digests = Digests([7, u64::MAX, 3].into());
        let text = digests.write().unwrap();
        assert_eq!(text, "00000000000000030000000000000007ffffffffffffffff");
        assert_eq!(Digests::parse(&text), digests);
        assert_eq!(Digests::default().write(), None);
        for wrong in [Value::Null, "no digits".into(), "00000000000000zz".into(), 3.into()] {
            assert_eq!(Digests::parse(&wrong), Digests::default());
        }
    }
}
