//! Which orders were listed in the last days: so small that it fits into a state, and yet exact enough that of two such
//! inventories the difference can be named. Pure.
//!
//! A digest tells that an hour has changed, but not that an order of it has vanished. Keeping all ids would make a state as
//! large as its table. So the items of each stretch of draft dates are kept in an invertible Bloom lookup table: each item is
//! added to five cells, as exclusive-or of its parts. Where one table is subtracted from another, what both hold cancels out,
//! and a cell that holds a single item names it; once that is taken out of its other cells, they may name more. So the size
//! does not grow with the number of orders, only the number of differences that can be named is bounded: about twenty-five
//! in each stretch, or sixty where lines are followed. Of more, the number is known, and none is named wrongly.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::orders::api::lines;
use crate::orders::api::page::Row;
use crate::timestamp;

/// Lengths of a stretch, in hours.
const STRETCHES: [i64; 9] = [1, 2, 4, 6, 12, 24, 48, 96, 168];
/// Most stretches in the days of a window.
const MOST_STRETCHES: i64 = 14;

/// Each item is in so many cells, each in a part of its own. With three, two items too often have the same cells.
const PARTS: usize = 5;
/// Cells in a part where only orders are followed.
const OF_ORDERS: usize = 10;
/// Cells in a part where lines are followed, too: there are more of them, and a reviewed order changes several at once.
const OF_LINES: usize = 20;

/// An order, or a line of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Item {
    /// `id` of the order.
    pub order: u64,
    /// The line's `id`; none for the order itself.
    pub line: Option<i64>,
    /// When the order was drafted; where only orders are followed, when the stretch begins.
    pub at: DateTime<Utc>,
}

/// What an order that was read has: itself, which comes first, and its lines where these are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Items {
    /// The items.
    pub(crate) items: Vec<Item>,
    /// Whether these are all of its lines: not, where it came without a list of them.
    pub(crate) lines_are_known: bool,
}

impl Items {
    /// Of a row. `with_lines` says whether lines are followed.
    pub(crate) fn of(row: &Row, with_lines: bool) -> Self {
        let (order, at) = (row.id, row.at);
        let lines = if with_lines { lines::ids(&row.data) } else { Some(Vec::new()) };
        let lines_are_known = lines.is_some();
        let lines = lines.into_iter().flatten().map(Some);
        let items = std::iter::once(None).chain(lines).map(|line| Item { order, line, at }).collect();
        Self { items, lines_are_known }
    }
}

/// A cell: how many items are in it, and the exclusive-or of their parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    count: i64,
    order: u64,
    line: u64,
    offset: u64,
    check: u32,
}

/// What is in a cell of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    order: u64,
    line: u64,
    /// Nanoseconds since the start of the stretch.
    offset: u64,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// Lines are followed too, and the draft of each order is known to the nanosecond.
    with_lines: bool,
    /// The hours in a stretch.
    hours: i64,
    /// The first stretch that was read whole.
    first: i64,
    /// By the number of the stretch since 1970.
    tables: BTreeMap<i64, Vec<Cell>>,
    /// Items that no state speaks of yet.
    ahead: Vec<Item>,
}

/// What one inventory holds and another does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Items that only the older one holds.
    pub gone: Vec<Item>,
    /// Items that only the newer one holds.
    pub come: Vec<Item>,
    /// Stretches of which not all differences could be named: where they start, and how many more items the older one holds.
    pub unnamed: Vec<(DateTime<Utc>, u64)>,
}

impl Inventory {
    /// An empty one for a window of `days`, of everything drafted from `start` on.
    pub(crate) fn new(days: i64, with_lines: bool, start: DateTime<Utc>) -> Self {
        let fits = |hours: &i64| days * 24 / hours <= MOST_STRETCHES;
        let hours = STRETCHES.into_iter().find(fits).unwrap_or(STRETCHES[STRETCHES.len() - 1]);
        let mut inventory = Self { with_lines, hours, first: 0, tables: BTreeMap::new(), ahead: Vec::new() };
        let stretch = inventory.stretch(start);
        inventory.first = stretch + i64::from(inventory.start_of(stretch) < start);
        inventory
    }

    /// The stretch that holds an instant.
    fn stretch(&self, at: DateTime<Utc>) -> i64 {
        at.timestamp().div_euclid(self.hours * 3_600)
    }

    fn start_of(&self, stretch: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(stretch * self.hours * 3_600, 0).unwrap_or_default()
    }

    /// Whether lines are followed.
    pub(crate) fn has_lines(&self) -> bool {
        self.with_lines
    }

    /// Adds an item that was listed. No state speaks of it before [`Self::settle`].
    pub(crate) fn add(&mut self, item: Item) {
        self.ahead.push(item);
    }

    /// From now on states speak of what was drafted before `position`.
    pub(crate) fn settle(&mut self, position: DateTime<Utc>) {
        for item in self.ahead.extract_if(.., |item| item.at < position).collect::<Vec<_>>() {
            self.put(item);
        }
    }

    /// Adds an item that was listed, and that states speak of from now on.
    pub(crate) fn put(&mut self, item: Item) {
        let stretch = self.stretch(item.at);
        let parts = self.parts(&item, stretch);
        let size = PARTS * self.cells();
        let table = self.tables.entry(stretch).or_insert_with(|| vec![Cell::default(); size]);
        put(table, parts, stretch, 1);
    }

    fn cells(&self) -> usize {
        if self.with_lines { OF_LINES } else { OF_ORDERS }
    }

    fn parts(&self, item: &Item, stretch: i64) -> Parts {
        if !self.with_lines {
            return Parts { order: item.order, line: 0, offset: 0 };
        }
        let offset = (item.at - self.start_of(stretch)).num_nanoseconds().unwrap_or_default();
        // 0 is the order, even numbers are lines with an id of 0 or more, odd ones those with the negative of their position.
        let line = item.line.map_or(0, |line| (line.unsigned_abs() << 1) + if line < 0 { 1 } else { 2 });
        Parts { order: item.order, line, offset: offset.unsigned_abs() }
    }

    fn item(&self, parts: Parts, stretch: i64) -> Item {
        let line = match parts.line {
            0 => None,
            odd if odd % 2 == 1 => i64::try_from(odd >> 1).ok().map(|line| -line),
            even => i64::try_from((even - 2) >> 1).ok(),
        };
        let offset = TimeDelta::nanoseconds(i64::try_from(parts.offset).unwrap_or(0));
        Item { order: parts.order, line, at: self.start_of(stretch) + offset }
    }

    /// What differs in `newer`, which holds everything that was read from `start` until `end`, in the stretches that both know
    /// whole.
    pub(crate) fn difference(&self, newer: &Self, end: DateTime<Utc>) -> Difference {
        let mut difference = Difference::default();
        if (self.with_lines, self.hours) != (newer.with_lines, newer.hours) {
            return difference;
        }
        let first = self.first.max(newer.first);
        // Of the stretch that holds the end, both hold what was drafted before it.
        for stretch in first..=self.stretch(end) {
            let empty = vec![Cell::default(); PARTS * self.cells()];
            let mut table = self.tables.get(&stretch).unwrap_or(&empty).clone();
            for (cell, other) in table.iter_mut().zip(newer.tables.get(&stretch).unwrap_or(&empty)) {
                cell.add(other, -1);
            }
            let named = peel(&mut table, stretch);
            if table.iter().any(|cell| *cell != Cell::default()) {
                let more = table.iter().map(|cell| cell.count).sum::<i64>() / PARTS as i64;
                difference.unnamed.push((self.start_of(stretch), u64::try_from(more).unwrap_or(0)));
            }
            for (parts, count) in named {
                let items = if count > 0 { &mut difference.gone } else { &mut difference.come };
                items.push(self.item(parts, stretch));
            }
        }
        difference
    }

    /// Whether everything of the stretch that holds `at` is in it.
    pub(crate) fn covers(&self, at: DateTime<Utc>) -> bool {
        self.first <= self.stretch(at)
    }

    /// As it is in a state that speaks of what was drafted before `position`. Forgets what is older than `start`.
    pub(crate) fn write(&mut self, start: DateTime<Utc>, position: DateTime<Utc>) -> Value {
        self.settle(position);
        self.first = self.first.max(self.stretch(start));
        self.tables = self.tables.split_off(&self.first);
        let last = self.stretch(position);
        let texts: Vec<String> = (self.first..=last)
            .map(|stretch| self.tables.get(&stretch).map_or_else(String::new, |table| text(table)))
            .collect();
        json!({
            "from": timestamp::write(self.start_of(self.first)),
            "hours": self.hours,
            "lines": self.with_lines,
            "cells": texts,
        })
    }

    /// Reads what [`Self::write`] wrote, for a window of `days`. None for anything else, or of another form: then nothing is
    /// known of what was listed.
    pub(crate) fn parse(value: &Value, days: i64, with_lines: bool) -> Option<Self> {
        let from = timestamp::parse(value["from"].as_str()?)?;
        let mut inventory = Self::new(days, with_lines, from);
        if value["hours"] != inventory.hours || value["lines"] != with_lines {
            return None;
        }
        let size = PARTS * inventory.cells();
        for (stretch, text) in (inventory.first..).zip(value["cells"].as_array()?) {
            let text = text.as_str()?;
            if !text.is_empty() {
                let cells: Option<Vec<Cell>> = text.split(',').map(cell).collect();
                inventory.tables.insert(stretch, cells.filter(|cells| cells.len() == size)?);
            }
        }
        Some(inventory)
    }
}

impl Cell {
    fn add(&mut self, other: &Self, times: i64) {
        self.count += other.count * times;
        self.order ^= other.order;
        self.line ^= other.line;
        self.offset ^= other.offset;
        self.check ^= other.check;
    }

    fn parts(self) -> Parts {
        Parts { order: self.order, line: self.line, offset: self.offset }
    }
}

fn hash(parts: Parts, stretch: i64) -> u64 {
    let Parts { order, line, offset } = parts;
    let bytes =
        [order.to_le_bytes(), line.to_le_bytes(), offset.to_le_bytes(), stretch.to_le_bytes()].concat();
    xxh3_64(&bytes)
}

/// The cells of an item, and its check.
fn places(table: &[Cell], parts: Parts, stretch: i64) -> ([usize; PARTS], u32) {
    let (hash, cells) = (hash(parts, stretch), table.len() / PARTS);
    let place = |part: usize| part * cells + (hash >> (12 * part)) as usize % 4_096 % cells;
    (std::array::from_fn(place), (hash >> 32) as u32)
}

fn put(table: &mut [Cell], parts: Parts, stretch: i64, times: i64) {
    let (places, check) = places(table, parts, stretch);
    let Parts { order, line, offset } = parts;
    for place in places {
        table[place].add(&Cell { count: 1, order, line, offset, check }, times);
    }
}

/// Takes out of a table what it names, with how often each is in it: 1 or -1.
fn peel(table: &mut [Cell], stretch: i64) -> Vec<(Parts, i64)> {
    let mut named = Vec::new();
    let mut place = 0;
    while place < table.len() {
        let cell = table[place];
        let (places, check) = places(table, cell.parts(), stretch);
        if cell.count.abs() == 1 && cell.check == check && places.contains(&place) {
            put(table, cell.parts(), stretch, -cell.count);
            named.push((cell.parts(), cell.count));
            // There are never more differences than cells, or the table is none of ours.
            if named.len() > table.len() {
                break;
            }
            place = 0;
        } else {
            place += 1;
        }
    }
    named
}

fn text(table: &[Cell]) -> String {
    let mut text = String::new();
    for (place, cell) in table.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        if *cell != Cell::default() {
            let Cell { count, order, line, offset, check } = cell;
            // Writing to a text does not fail.
            _ = write!(text, "{count}.{order:x}.{check:x}");
            if (*line, *offset) != (0, 0) {
                _ = write!(text, ".{line:x}.{offset:x}");
            }
        }
    }
    text
}

fn cell(text: &str) -> Option<Cell> {
    if text.is_empty() {
        return Some(Cell::default());
    }
    let mut fields = text.split('.');
    let count = fields.next()?.parse().ok()?;
    let mut number = || fields.next().map(|digits| u64::from_str_radix(digits, 16));
    let order = number()?.ok()?;
    let check = u32::try_from(number()?.ok()?).ok()?;
    let (line, offset) = (number().unwrap_or(Ok(0)).ok()?, number().unwrap_or(Ok(0)).ok()?);
    Some(Cell { count, order, line, offset, check })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::orders::api::testing::row;

    fn at(second: i64) -> DateTime<Utc> {
        row(second, 0).at
    }

    fn order(second: i64, order: u64) -> Item {
        Item { order, line: None, at: at(second) }
    }

    /// Everything before `end`, as the next sync has it from the state.
    fn stated(with_lines: bool, items: &[Item], end: i64) -> Inventory {
        let mut inventory = Inventory::new(14, with_lines, at(0));
        items.iter().for_each(|item| inventory.add(*item));
        let state = inventory.write(at(0), at(end));
        Inventory::parse(&state, 14, with_lines).unwrap()
    }

    const DAY: i64 = 86_400;

    #[test]
    fn what_vanished_is_named_among_many() {
        let all: Vec<Item> = (0..20_000).map(|n| order(n * 10, 900_000 + n as u64)).collect();
        let gone: Vec<Item> = [7, 70, 71, 4_400, 19_999].map(|n| all[n]).to_vec();
        let rest: Vec<Item> = all.iter().copied().filter(|item| !gone.contains(item)).collect();
        let (older, newer) = (stated(false, &all, 3 * DAY), stated(false, &rest, 3 * DAY));
        let difference = older.difference(&newer, at(3 * DAY));
        let ids: BTreeSet<u64> = difference.gone.iter().map(|item| item.order).collect();
        assert_eq!(ids, gone.iter().map(|item| item.order).collect());
        assert_eq!((difference.come, difference.unnamed), (vec![], vec![]));
        assert_eq!(older.difference(&older, at(3 * DAY)), Difference::default());
    }

    #[test]
    fn lines_and_the_instant_of_the_draft_come_back_exactly() {
        let draft = at(5) + TimeDelta::nanoseconds(123_456_789);
        let item = |line| Item { order: u64::MAX, line, at: draft };
        let items = [item(None), item(Some(0)), item(Some(i64::MAX >> 1)), item(Some(-1)), item(Some(-400))];
        let mut gone = stated(true, &items, DAY).difference(&stated(true, &[], DAY), at(DAY)).gone;
        gone.sort_unstable();
        let mut expected = items.to_vec();
        expected.sort_unstable();
        assert_eq!(gone, expected);
    }

    #[test]
    fn too_many_differences_are_known_and_none_is_named_wrongly() {
        let all: Vec<Item> = (0..500).map(|n| order(n, n as u64)).collect();
        let difference = stated(false, &all, DAY).difference(&stated(false, &[], DAY), at(DAY));
        assert_eq!(difference.unnamed, [(at(0), 500)]);
        assert!(difference.gone.iter().all(|item| item.order < 500), "{difference:?}");
    }

    #[test]
    fn only_stretches_that_both_know_whole_are_compared() {
        let items = [order(5, 1), order(DAY, 2), order(2 * DAY, 3)];
        let older = stated(false, &items, 3 * DAY);
        let newer = Inventory::new(14, false, at(DAY - 1));
        let gone = |newer: &Inventory| {
            let gone = older.difference(newer, at(3 * DAY)).gone;
            gone.into_iter().map(|item| item.order).collect::<Vec<_>>()
        };
        assert_eq!(gone(&newer), [2, 3]);
        assert_eq!(gone(&Inventory::new(14, false, at(2 * DAY))), [3]);
    }

    #[test]
    fn what_no_state_speaks_of_yet_is_not_in_it() {
        let mut inventory = Inventory::new(14, false, at(0));
        inventory.add(order(5, 1));
        inventory.add(order(50, 2));
        let cut = Inventory::parse(&inventory.write(at(0), at(50)), 14, false).unwrap();
        assert_eq!(cut, stated(false, &[order(5, 1)], 50));
        let whole = Inventory::parse(&inventory.write(at(0), at(60)), 14, false).unwrap();
        assert_eq!(whole, stated(false, &[order(5, 1), order(50, 2)], 60));
    }

    #[test]
    fn a_state_of_another_form_is_not_read() {
        let mut inventory = Inventory::new(14, false, at(0));
        inventory.add(order(5, 1));
        let state = inventory.write(at(0), at(DAY));
        assert!(Inventory::parse(&state, 14, false).is_some());
        assert!(Inventory::parse(&state, 90, false).is_none());
        assert!(Inventory::parse(&state, 14, true).is_none());
        for (field, value) in
            [("cells", json!(["1.2"])), ("cells", json!([3])), ("from", json!("x")), ("hours", json!(0))]
        {
            let mut odd = state.clone();
            odd[field] = value;
            assert!(Inventory::parse(&odd, 14, false).is_none(), "{field}");
        }
    }

    #[test]
    fn its_size_is_bounded_whatever_the_number_of_orders() {
        for days in [1, 14, 90] {
            let mut inventory = Inventory::new(days, true, at(0));
            for n in 0..20_000 {
                inventory.add(Item { order: 1 << 40, line: Some(n), at: at(n * days * DAY / 20_000) });
            }
            let length = inventory.write(at(0), at(days * DAY)).to_string().len();
            assert!(length < 90_000, "{days} days: {length}");
        }
    }

    proptest! {
        #[test]
        fn a_few_differences_are_named_exactly(
            items in prop::collection::btree_map((any::<u64>(), prop::option::of(-5..5_i64)), (0..3 * DAY, 0..1_000_000_000_i64), 0..200),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4),
        ) {
            let all: Vec<Item> = items.into_iter()
                .map(|((order, line), (second, nanos))| Item { order, line, at: at(second) + TimeDelta::nanoseconds(nanos) })
                .collect();
            let (mut older, mut newer) = (all.clone(), all.clone());
            let (mut gone, mut come) = (BTreeSet::new(), BTreeSet::new());
            for (index, vanishes) in changes.iter().filter(|_| !all.is_empty()) {
                let item = *index.get(&all);
                if gone.contains(&item) || come.contains(&item) {
                    continue;
                }
                let (from, set) = if *vanishes { (&mut newer, &mut gone) } else { (&mut older, &mut come) };
                from.retain(|other| *other != item);
                set.insert(item);
            }
            let difference = stated(true, &older, 3 * DAY).difference(&stated(true, &newer, 3 * DAY), at(3 * DAY));
            let named = |items: &[Item]| items.iter().copied().collect::<BTreeSet<_>>();
            if difference.unnamed.is_empty() {
                prop_assert_eq!((named(&difference.gone), named(&difference.come)), (gone, come));
            } else {
                prop_assert!(named(&difference.gone).is_subset(&gone));
            }
        }
    }
}
