//! Lists that are kept for the next pages.

/// How many lists are kept: those of all streams that are read at once, by store and role.
const KEPT: usize = 16;

/// Filtered and sorted lists of recent queries, as long as no order changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    changes: u64,
    lists: Vec<(String, Vec<u32>)>,
}

impl Recent {
    /// The list of a key, made if it is not there; `changes` counts the changes of orders. The key tells apart all
    /// that the list depends on: the endpoint and its filters.
    pub(crate) fn list(&mut self, changes: u64, key: String, make: impl FnOnce() -> Vec<u32>) -> &[u32] {
        if self.changes != changes {
            self.lists.clear();
            self.changes = changes;
        }
        let at = match self.lists.iter().position(|(kept, _)| *kept == key) {
            Some(at) => at,
            None => {
                if self.lists.len() == KEPT {
                    self.lists.remove(0);
                }
                self.lists.push((key, make()));
                self.lists.len() - 1
            }
        };
        &self.lists[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_list_is_made_once_for_each_change() {
        let mut recent = Recent::default();
        let mut made = 0;
        for (changes, query) in [(0, "a"), (0, "a"), (0, "b"), (1, "a"), (1, "a")] {
            recent.list(changes, query.to_owned(), || {
                made += 1;
                vec![made]
            });
        }
        assert_eq!(made, 3);
    }
}
