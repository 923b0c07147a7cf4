//! What is listed in the last days, and what of it was missed: the part of a window by which vanished orders are found. Pure.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::orders::api::page::Row;
use crate::orders::state::inventory::{Inventory, Items};
use crate::orders::state::missing::{self, Missing, MissingSearch};

/// Where a window has the [`Inventory`].
const INVENTORY: &str = "inventory";
/// Where it has what was missing.
const MISSING: &str = "missing";
/// Where it says that a second look at it is due.
const LOOKS_AGAIN: &str = "looksAgain";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) inventory: Inventory,
    /// What was missing when it was read again last.
    missing: Vec<Missing>,
    /// A second look at it is due.
    looks_again: bool,
    /// This reading again is such a look.
    second_look: bool,
}

impl Listing {
    /// Of everything drafted from `start` on, where nothing is missing yet: see [`Inventory::new`]. What the `second_look` at
    /// something misses itself waits for the next reading again that is due anyway.
    pub(crate) fn new(days: i64, with_lines: bool, start: DateTime<Utc>, second_look: bool) -> Self {
        let inventory = Inventory::new(days, with_lines, start);
        Self { inventory, missing: Vec::new(), looks_again: false, second_look }
    }

    /// Whether something was missed when it was read again last, and a second look at it is due soon.
    pub(crate) fn is_doubted(&self) -> bool {
        self.looks_again
    }

    /// Whether something is missing, or may be.
    pub(crate) fn misses(&self) -> bool {
        !self.missing.is_empty()
    }

    /// The search for what is missing, when everything drafted from `start` on is read again for a window of `days`.
    pub(crate) fn search(&self, days: i64, start: DateTime<Utc>) -> MissingSearch {
        MissingSearch::new(Inventory::new(days, self.inventory.has_lines(), start), &self.missing)
    }

    /// Notes an order that is listed, but for a version that is not a row of the destination, or should not be.
    pub(crate) fn add(&mut self, row: &Row, items: &Items) {
        if !row.superseded && !row.replaced {
            items.items.iter().for_each(|item| self.inventory.add(*item));
        }
    }

    /// An order was met elsewhere than in what is read again, so it is not missing.
    pub(crate) fn meet(&mut self, items: &Items) {
        let met: HashSet<_> = items.items.iter().map(missing::key).collect();
        let order = items.items[0].order;
        let is_met =
            |one: &Missing| met.contains(&one.key()) || !items.lines_are_known && one.order() == order;
        self.missing.retain(|one| !is_met(one));
    }

    /// A changed order was written, whose lines may be others than the inventory has. Where one of them goes with the next
    /// change, nothing else would tell.
    pub(crate) fn change(&mut self, row: &Row) {
        // A first version has the lines that it was first read with; that a change of them makes a new version is a guess.
        let is_known = row.superseded || row.replaced || row.version == 1;
        if is_known || !self.inventory.has_lines() || !self.inventory.covers(row.at) {
            return;
        }
        for item in Items::of(row, true).items {
            let one = Missing::perhaps(item);
            if self.missing.len() < missing::MOST
                && !self.missing.iter().any(|other| other.key() == one.key())
            {
                self.missing.push(one);
            }
        }
    }

    /// What is missing now.
    pub(crate) fn miss(&mut self, missing: Vec<Missing>) {
        self.looks_again = !self.second_look && missing.iter().any(Missing::is_missing);
        self.missing = missing;
    }

    /// As it is in a state that speaks of what was drafted before `position`. Forgets what is older than `start`.
    pub(crate) fn save(&mut self, start: DateTime<Utc>, position: DateTime<Utc>) -> SavedListing {
        SavedListing {
            inventory: self.inventory.write(start, position),
            missing: self.missing.clone(),
            looks_again: self.looks_again,
        }
    }

    /// Resumes from what [`Self::save`] gave, for a window of `days`. None where its inventory has another form.
    pub(crate) fn resume(saved: &SavedListing, days: i64, with_lines: bool) -> Option<Self> {
        Some(Self {
            inventory: Inventory::parse(&saved.inventory, days, with_lines)?,
            missing: saved.missing.clone(),
            looks_again: saved.looks_again,
            second_look: false,
        })
    }
}

/// What is listed, as a state holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedListing {
    /// See [`Inventory::write`].
    inventory: Value,
    missing: Vec<Missing>,
    looks_again: bool,
}

impl SavedListing {
    /// Reads it from a window; none where it has none.
    pub(crate) fn parse(window: &Value) -> Option<Self> {
        let inventory = window.get(INVENTORY).filter(|inventory| inventory.is_object())?.clone();
        let missing = missing::parse(&window[MISSING]);
        Some(Self { inventory, missing, looks_again: window[LOOKS_AGAIN] == true })
    }

    /// Adds it to a window.
    pub(crate) fn write(&self, window: &mut Value) {
        window[INVENTORY] = self.inventory.clone();
        if let Some(missing) = missing::write(&self.missing) {
            window[MISSING] = missing;
        }
        if self.looks_again {
            window[LOOKS_AGAIN] = true.into();
        }
    }

    /// What two windows of the same orders know of what is listed: one of them is enough, but two must not differ.
    pub(crate) fn in_common(one: Option<&Self>, other: Option<&Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => (one == other).then(|| one.clone()),
            (one, other) => one.or(other).cloned(),
        }
    }
}
