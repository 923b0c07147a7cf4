//! Orders and lines that were written and are no longer listed: looked for twice before that is believed. Pure.
//!
//! That an order does not come with a response does not prove that it is gone: the response may be that of a replica which lags
//! behind. So what is missing is looked for once more, an hour later or more (that replicas lag less is a guess), and counts as
//! gone only then.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::orders::api::page::Row;
use crate::orders::state::inventory::{Inventory, Item, Items};
use crate::timestamp;

/// What is missing is looked for again no sooner than this after it was missed.
pub(crate) const CONFIRMED_AFTER: TimeDelta = TimeDelta::hours(1);

/// So many are kept in a state; of what goes beyond, the number is logged.
pub(crate) const MOST: usize = 1_000;

/// An item that is looked for when the last days are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    item: Item,
    /// Since when it is missing. None: it is only looked for, since it was written with a change, so that no inventory has it.
    since: Option<DateTime<Utc>>,
}

impl Missing {
    /// An item that was written with a change.
    pub(crate) fn perhaps(item: Item) -> Self {
        Self { item, since: None }
    }

    /// The order that it is, or is a line of.
    pub(crate) fn order(&self) -> u64 {
        self.item.order
    }

    /// Whether it was missed before.
    pub(crate) fn is_missing(&self) -> bool {
        self.since.is_some()
    }

    /// What it is, whatever its draft date.
    pub(crate) fn key(&self) -> (u64, Option<i64>) {
        key(&self.item)
    }
}

/// An item whatever its draft date: that of an order may have been moved.
pub(crate) fn key(item: &Item) -> (u64, Option<i64>) {
    (item.order, item.line)
}

/// As they are in a state; none where nothing is missing.
pub(crate) fn write(missing: &[Missing]) -> Option<Value> {
    let entry = |one: &Missing| {
        let Item { order, line, at } = one.item;
        json!([order, line, timestamp::write_exactly(at), one.since.map(timestamp::write)])
    };
    (!missing.is_empty()).then(|| missing.iter().map(entry).collect())
}

/// Reads what [`write`] wrote. What cannot be read is passed over: then it is not followed any further.
pub(crate) fn parse(value: &Value) -> Vec<Missing> {
    let time = |value: &Value| timestamp::parse(value.as_str()?);
    let entry = |entry: &Value| {
        let line = if entry[1].is_null() { None } else { Some(entry[1].as_i64()?) };
        let item = Item { order: entry[0].as_u64()?, line, at: time(&entry[2])? };
        let since = if entry[3].is_null() { None } else { Some(time(&entry[3])?) };
        Some(Missing { item, since })
    };
    value.as_array().into_iter().flatten().filter_map(entry).collect()
}

/// What a reading again came to, of what was written before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Gone: missed twice. Sorted.
    pub(crate) gone: Vec<Item>,
    /// Missed, to be looked for again.
    pub(crate) missing: Vec<Missing>,
    /// Missed once, and too old to be looked for again.
    pub(crate) lapsed: Vec<Item>,
    /// Stretches in which more is missing than can be named, and how many items at least.
    pub(crate) unnamed: Vec<(DateTime<Utc>, u64)>,
}

impl Finding {
    /// How many orders are missing that were not missed before.
    pub(crate) fn missing_since(&self, now: DateTime<Utc>) -> u64 {
        self.missing.iter().filter(|one| one.since == Some(now) && one.item.line.is_none()).count() as u64
    }
}

/// The search for what is missing, through one reading again.
#[derive(Clone, Debug)]
pub(crate) struct MissingSearch {
    /// What is listed.
    listed: Inventory,
    sought: BTreeMap<(u64, Option<i64>), Missing>,
    /// Items that were met elsewhere, under another date.
    met: HashSet<(u64, Option<i64>)>,
    /// Orders of which nothing is concluded, nor of their lines.
    found: HashSet<u64>,
    /// Orders that came without a list of lines, so that nothing is known of these.
    without_lines: HashSet<u64>,
}

impl MissingSearch {
    /// For these. `listed` is what the reading will have listed, so it is empty.
    pub(crate) fn new(listed: Inventory, missing: &[Missing]) -> Self {
        let sought = missing.iter().map(|one| (one.key(), *one)).collect();
        let (met, found, without_lines) = (HashSet::new(), HashSet::new(), HashSet::new());
        Self { listed, sought, met, found, without_lines }
    }

    /// A row is read again.
    pub(crate) fn list(&mut self, row: &Row, items: &Items) {
        let is_row = !row.superseded && !row.replaced;
        if is_row {
            for item in &items.items {
                self.sought.remove(&key(item));
                self.listed.put(*item);
            }
        }
        if !is_row && (row.replaced || row.alone || !self.listed.has_lines()) {
            // It is listed: a version that was replaced has its tombstone at once, and one without its successor is a riddle.
            self.found.insert(row.id);
        } else if !items.lines_are_known {
            self.without_lines.insert(row.id);
        }
    }

    /// An order was met elsewhere: under another date.
    pub(crate) fn meet(&mut self, items: &Items) {
        self.met.extend(items.items.iter().map(key));
        if !items.lines_are_known {
            self.without_lines.insert(items.items[0].order);
        }
    }

    /// Whether something is to be concluded of an item that is not listed.
    fn concerns(&self, item: &Item) -> bool {
        !self.met.contains(&key(item))
            && !self.found.contains(&item.order)
            && (item.line.is_none() || !self.without_lines.contains(&item.order))
    }

    /// Everything drafted before `end` was read again at `now`; `older` is what was written.
    pub(crate) fn finish(self, older: &Inventory, end: DateTime<Utc>, now: DateTime<Utc>) -> Finding {
        let newer = &self.listed;
        let mut finding = Finding::default();
        let mut known = BTreeSet::new();
        for (key, one) in self.sought.iter().filter(|(_, one)| self.concerns(&one.item)) {
            known.insert(*key);
            match one.since {
                None if !newer.covers(one.item.at) => (),
                None => finding.missing.push(Missing { since: Some(now), ..*one }),
                Some(_) if !newer.covers(one.item.at) => finding.lapsed.push(one.item),
                Some(since) if since + CONFIRMED_AFTER <= now => finding.gone.push(one.item),
                Some(_) => finding.missing.push(*one),
            }
        }
        let difference = older.difference(newer, end);
        finding.unnamed = difference.unnamed;
        known.extend(difference.come.iter().map(key));
        for item in
            difference.gone.into_iter().filter(|item| !known.contains(&key(item)) && self.concerns(item))
        {
            if finding.missing.len() < MOST {
                finding.missing.push(Missing { item, since: Some(now) });
            } else {
                finding.lapsed.push(item);
            }
        }
        finding.gone.sort_unstable();
        finding.missing.sort_unstable_by_key(|one| one.item);
        finding
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::testing::row;

    const DAY: i64 = 86_400;

    fn at(second: i64) -> DateTime<Utc> {
        row(second, 0).at
    }

    fn item(second: i64, order: u64) -> Item {
        Item { order, line: None, at: at(second) }
    }

    fn inventory(start: i64, items: &[Item]) -> Inventory {
        let mut inventory = Inventory::new(14, true, at(start));
        items.iter().for_each(|item| inventory.add(*item));
        inventory.settle(at(10 * DAY));
        inventory
    }

    /// A reading again of `listed`, from `start` on, at `now`.
    fn read(missing: &[Missing], older: &[Item], listed: &[Item], start: i64, now: DateTime<Utc>) -> Finding {
        let empty = Inventory::new(14, true, at(start));
        let mut search = MissingSearch::new(empty, &parse(&write(missing).unwrap_or_default()));
        for item in listed {
            search.list(&row(0, item.order), &Items { items: vec![*item], lines_are_known: true });
        }
        search.finish(&inventory(0, older), at(10 * DAY), now)
    }

    #[test]
    fn an_order_is_gone_when_it_was_missed_twice_an_hour_apart() {
        let all = [item(5, 1), item(6, 2), item(7, 3)];
        let rest = [all[0], all[2]];
        let noon = at(9 * DAY);
        let first = read(&[], &all, &rest, 0, noon);
        assert_eq!((first.gone.as_slice(), first.missing.len(), first.missing_since(noon)), (&[][..], 1, 1));
        let soon = read(&first.missing, &rest, &rest, 0, noon + TimeDelta::minutes(59));
        assert_eq!((soon.gone.as_slice(), soon.missing.as_slice()), (&[][..], first.missing.as_slice()));
        let later = read(&soon.missing, &rest, &rest, 0, noon + CONFIRMED_AFTER);
        assert_eq!((later.gone.as_slice(), later.missing.as_slice()), (&[all[1]][..], &[][..]));
    }

    #[test]
    fn what_a_replica_did_not_have_yet_is_not_gone() {
        let all = [item(5, 1), item(6, 2)];
        let noon = at(9 * DAY);
        let lagging = read(&[], &all, &all[..1], 0, noon);
        let fresh = read(&lagging.missing, &all[..1], &all, 0, noon + CONFIRMED_AFTER);
        assert_eq!(fresh, Finding::default());
    }

    #[test]
    fn an_order_whose_draft_date_was_moved_is_not_missing() {
        let moved = [item(5, 1), item(2 * DAY, 2)];
        let finding = read(&[], &[item(5, 1), item(6, 2)], &moved, 0, at(9 * DAY));
        assert_eq!(finding, Finding::default());
    }

    #[test]
    fn what_is_too_old_to_be_looked_for_again_is_told_apart() {
        let missing = [Missing { item: item(5, 1), since: Some(at(0)) }];
        let finding = read(&missing, &[], &[item(2 * DAY, 9)], DAY, at(9 * DAY));
        assert_eq!((finding.lapsed.as_slice(), finding.gone.as_slice()), (&[item(5, 1)][..], &[][..]));
    }

    #[test]
    fn what_came_with_one_change_and_went_with_the_next_is_gone() {
        let line = Item { line: Some(4), ..item(5, 1) };
        let noon = at(9 * DAY);
        let written = [Missing::perhaps(line), Missing::perhaps(item(5, 1)), Missing::perhaps(item(-DAY, 8))];
        assert!(!written[0].is_missing());
        let first = read(&written, &[item(5, 1)], &[item(5, 1)], 0, noon);
        assert_eq!(first.missing, [Missing { item: line, since: Some(noon) }]);
        let later = read(&first.missing, &[item(5, 1)], &[item(5, 1)], 0, noon + CONFIRMED_AFTER);
        assert_eq!(later, Finding { gone: vec![line], ..Finding::default() });
    }

    #[test]
    fn a_state_of_another_form_is_passed_over() {
        assert_eq!(parse(&json!([["x"], 3, [1, "a", "b", "c"], [1, null, "x", "y"]])), []);
        assert_eq!(write(&[]), None);
    }
}
