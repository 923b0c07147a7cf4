//! What a stream's responses held that its schema does not expect: for the log, and for `check`. Names, never values.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Most names of each kind that are kept. Names of unknown fields can be data: a map with ids as its keys.
const MOST_NAMES: usize = 100;
/// The longest name that is kept, in characters.
const LONGEST_NAME: usize = 100;

/// The findings in the responses so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Fields that the schema does not know, with their path.
    pub unknown: BTreeSet<String>,
    /// Columns that held values which do not fit them, and how many.
    pub misfits: BTreeMap<String, u64>,
    /// Columns that held whole numbers beyond 64 bits, and how many.
    pub wide: BTreeMap<String, u64>,
    /// Responses that were not strict JSON, and were repaired.
    pub repaired: u64,
}

impl Findings {
    /// Notes a field that the schema does not know.
    pub(super) fn note_unknown(&mut self, path: &str) {
        let name = shortened(path);
        if self.unknown.len() < MOST_NAMES && !self.unknown.contains(&*name) {
            self.unknown.insert(name.into_owned());
        }
    }

    /// Notes a value that does not fit its column.
    pub(super) fn note_misfit(&mut self, path: &str) {
        count(&mut self.misfits, path);
    }

    /// Notes a whole number beyond 64 bits.
    pub(super) fn note_wide(&mut self, path: &str) {
        count(&mut self.wide, path);
    }
}

/// Counts a name, as long as there are not too many.
pub(crate) fn count(counts: &mut BTreeMap<String, u64>, path: &str) {
    let name = shortened(path);
    if let Some(count) = counts.get_mut(&*name) {
        *count += 1;
    } else if counts.len() < MOST_NAMES {
        counts.insert(name.into_owned(), 1);
    }
}

fn shortened(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]).into(),
        None => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_bounded() {
        let mut findings = Findings::default();
        for number in 0..1_000 {
            findings.note_unknown(&format!("{number}{}", "é".repeat(5_000)));
            findings.note_misfit(&format!("products[].{number}"));
        }
        findings.note_misfit("products[].7");
        assert_eq!((findings.unknown.len(), findings.misfits.len()), (MOST_NAMES, MOST_NAMES));
        assert!(findings.unknown.iter().all(|name| name.chars().count() == LONGEST_NAME + 1));
        assert_eq!(findings.misfits["products[].7"], 2);
        let mut counts = BTreeMap::new();
        (0..3).for_each(|_| count(&mut counts, &"x".repeat(5_000)));
        assert_eq!(counts.values().collect::<Vec<_>>(), [&3], "a name that is cut is counted on");
    }
}
