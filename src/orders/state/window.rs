//! Digests of what was written, by the hour of the draft. Pure.
//!
//! Some changes cannot be asked for: where the API does not filter by update time, and where it does not move that
//! time. Then the orders of the last days are read again. So that a month is not written anew each time, the state holds
//! a digest for each hour of the window (or for several hours, so that there are hardly ever more than a thousand): an hour
//! whose orders have the digest that the state holds is not written again.
//!
//! The digest of an hour is the sum of the digests of its records, so it does not depend on their order, and an hour
//! that was written in two parts has the sum of both.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::orders::api::lines;
use crate::orders::api::page::Row;
use crate::orders::api::page::{digest, digest_of_bytes};
use crate::orders::state::inventory::{Inventory, Item};
use crate::orders::state::lagging::LaggingDetails;
use crate::orders::state::missing::{self, Finding, Missing, MissingSearch};
use crate::timestamp;

/// Most digests in a state: 16 kB of text. Only with hundreds of selections there are a few more.
const MOST: i64 = 1_000;

/// Spans of a digest, in hours.
const SPANS: [i64; 9] = [1, 2, 4, 8, 24, 72, 168, 720, 2_160];

/// Marks [`Form::Content`] in a state.
const CONTENT: u64 = 2;

/// Where a state has the [`Inventory`].
const INVENTORY: &str = "inventory";
/// Where it has what was missing.
const MISSING: &str = "missing";
/// Where it says that a second look at it is due.
const LOOKS_AGAIN: &str = "looksAgain";
/// All that a state has of what was listed.
const LISTED: [&str; 3] = [INVENTORY, MISSING, LOOKS_AGAIN];

/// Digits of a digest in the state.
const DIGITS: usize = 16;

/// What the digests of a state are digests of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Of the bytes of records, until the window is read again: states of version 0.3.0 and before.
    Bytes,
    /// Of what records say.
    Content,
}

impl Form {
    fn digest(self, row: &Row) -> u64 {
        match self {
            Self::Bytes => digest_of_bytes(row),
            Self::Content => digest(row),
        }
    }
}

/// Digests of the records before some instant, of the last days before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    days: i64,
    hours: i64,
    form: Form,
    /// When the whole window was read last.
    pub(crate) read_at: DateTime<Utc>,
    /// For each selection, by the number of the span since 1970. A span that is not there held no order, or was not
    /// read.
    digests: Vec<BTreeMap<i64, u64>>,
    /// The first span that was read whole.
    first: i64,
    /// What was listed; none where it is not known.
    inventory: Option<Inventory>,
    /// What was missing when it was read again last.
    missing: Vec<Missing>,
    /// A second look at it is due.
    looks_again: bool,
    /// This reading again is such a look.
    second_look: bool,
}

impl Window {
    /// An empty one of `days`, for so many selections, that will know everything from `start` on; nothing before it is
    /// ever read.
    pub(crate) fn new(days: i64, selections: usize, start: DateTime<Utc>, read_at: DateTime<Utc>) -> Self {
        let selections = selections.max(1);
        let each = MOST / i64::try_from(selections).unwrap_or(MOST);
        let hours =
            SPANS.into_iter().find(|hours| days * 24 / hours + 2 <= each).unwrap_or(SPANS[SPANS.len() - 1]);
        let digests = vec![BTreeMap::new(); selections];
        let mut window = Self {
            days,
            hours,
            form: Form::Content,
            read_at,
            digests,
            first: 0,
            inventory: None,
            missing: Vec::new(),
            looks_again: false,
            second_look: false,
        };
        window.first = window.span(start);
        window
    }

    /// The same, where the first span is not read as a whole.
    pub(crate) fn without_its_first_span(mut self) -> Self {
        self.first += 1;
        self
    }

    /// The same, with an inventory of everything drafted from `start` on: see [`Inventory::new`].
    pub(crate) fn with_inventory(mut self, with_lines: bool, start: DateTime<Utc>) -> Self {
        self.inventory = Some(Inventory::new(self.days, with_lines, start));
        self
    }

    /// The same, where this reading again is the second look at what an earlier one missed. What it misses itself waits for the
    /// next that is due anyway.
    pub(crate) fn of_second_look(self, second: bool) -> Self {
        Self { second_look: second, ..self }
    }

    /// Whether something was missed when it was read again last, and a second look at it is due soon.
    pub(crate) fn is_doubted(&self) -> bool {
        self.looks_again
    }

    /// It is not certain what is listed, so nothing may be concluded from it.
    pub(crate) fn lose_inventory(&mut self) {
        self.inventory = None;
        self.missing.clear();
        self.looks_again = false;
    }

    /// Whether there is an inventory.
    pub(crate) fn has_inventory(&self) -> bool {
        self.inventory.is_some()
    }

    /// An order was met elsewhere than in what is read again, so it is not missing.
    pub(crate) fn found(&mut self, row: &Row) {
        if self.missing.is_empty() {
            return;
        }
        let has_lines = self.inventory.as_ref().is_some_and(Inventory::has_lines);
        let without_lines = has_lines && lines::ids(&row.data).is_none();
        let met: HashSet<_> = Item::of(row, has_lines).map(|item| missing::key(&item)).collect();
        let is_met = |one: &Missing| met.contains(&one.key()) || without_lines && one.order() == row.id;
        self.missing.retain(|one| !is_met(one));
    }

    /// What is gone is marked as deleted. Should it be listed again, it has to be written again: its span has no digest that
    /// orders have.
    pub(crate) fn doubt_span(&mut self, at: DateTime<Utc>) {
        let span = self.span(at);
        for digests in &mut self.digests {
            let digest = digests.entry(span).or_default();
            *digest = digest.wrapping_add(1);
        }
    }

    /// A changed order was written, whose lines may be others than the inventory has. Where one of them goes with the next
    /// change, nothing else would tell.
    pub(crate) fn changed(&mut self, row: &Row) {
        let Some(inventory) = self.inventory.as_ref().filter(|inventory| inventory.has_lines()) else {
            return;
        };
        // A first version has the lines that it was first read with; that a change of them makes a new version is a guess.
        if row.superseded || row.replaced || row.version == 1 || !inventory.covers(row.at) {
            return;
        }
        for item in Item::of(row, true) {
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

    /// The span that holds an instant.
    pub(crate) fn span(&self, at: DateTime<Utc>) -> i64 {
        at.timestamp().div_euclid(self.hours * 3_600)
    }

    /// Where a span starts.
    pub(crate) fn start_of(&self, span: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(span * self.hours * 3_600, 0).unwrap_or_default()
    }

    /// Where the window of everything before `cursor` starts.
    pub(crate) fn start(&self, cursor: DateTime<Utc>) -> DateTime<Utc> {
        self.start_of(self.span(cursor - TimeDelta::days(self.days)))
    }

    /// Adds a record that was read.
    pub(crate) fn add(&mut self, selection: usize, row: &Row) {
        let span = self.span(row.at);
        let sum = self.digests[selection].entry(span).or_default();
        *sum = sum.wrapping_add(self.form.digest(row));
        if let Some(inventory) = &mut self.inventory {
            _ = list(inventory, row, |_| ());
        }
    }

    /// Everything drafted before `cursor` that was added is a part of the next state, whichever that is.
    pub(crate) fn settle(&mut self, cursor: DateTime<Utc>) {
        if let Some(inventory) = &mut self.inventory {
            inventory.settle(cursor);
        }
    }

    /// Forgets what is known of a selection, which is read anew as a whole.
    pub(crate) fn forget(&mut self, selection: usize) {
        self.digests[selection].clear();
    }

    /// The digest of a span, if it was read whole; 0 for no order.
    pub(crate) fn of(&self, selection: usize, span: i64) -> Option<u64> {
        (span >= self.first).then(|| self.digests[selection].get(&span).copied().unwrap_or(0))
    }

    /// As it is in a state that says that everything before `cursor` is written. Forgets what is older.
    pub(crate) fn write(&mut self, cursor: DateTime<Utc>) -> Value {
        self.first = self.first.max(self.span(self.start(cursor)));
        let last = self.span(cursor);
        let text = |digests: &BTreeMap<i64, u64>| -> String {
            (self.first..=last)
                .map(|span| format!("{:016x}", digests.get(&span).copied().unwrap_or(0)))
                .collect()
        };
        let digests: Vec<String> = self.digests.iter().map(text).collect();
        for digests in &mut self.digests {
            *digests = digests.split_off(&self.first);
        }
        let mut state = json!({
            "readAt": timestamp::write(self.read_at),
            "from": timestamp::write(self.start_of(self.first)),
            "hours": self.hours,
            "digests": digests,
        });
        if self.form == Form::Content {
            state["form"] = CONTENT.into();
        }
        state
    }

    /// Adds what is listed to what [`Self::write`] wrote for the same `cursor`.
    pub(crate) fn write_inventory(&mut self, state: &mut Value, cursor: DateTime<Utc>) {
        let start = self.start_of(self.first);
        let Some(inventory) = &mut self.inventory else { return };
        state[INVENTORY] = inventory.write(start, cursor);
        if let Some(missing) = missing::write(&self.missing) {
            state[MISSING] = missing;
        }
        if self.looks_again {
            state[LOOKS_AGAIN] = true.into();
        }
    }

    /// What is in a state, cut for an earlier `cursor`. Of the span that holds it only a part is before it, so nothing is
    /// known of that span any more.
    pub(crate) fn cut(state: &mut Value, cursor: DateTime<Utc>) {
        let from = state["from"].as_str().and_then(timestamp::parse);
        let Some((from, hours)) = from.zip(state["hours"].as_i64().filter(|hours| *hours > 0)) else {
            return;
        };
        let spans = usize::try_from((cursor - from).num_seconds() / (hours * 3_600)).unwrap_or(0);
        Self::forget_inventory(state);
        for digests in state["digests"].as_array_mut().into_iter().flatten() {
            if let Value::String(text) = digests {
                text.truncate(spans * DIGITS);
            }
        }
    }

    /// Takes what was listed out of a state.
    pub(crate) fn forget_inventory(state: &mut Value) {
        if let Some(fields) = state.as_object_mut() {
            fields.shift_remove(INVENTORY);
            fields.shift_remove(MISSING);
            fields.shift_remove(LOOKS_AGAIN);
        }
    }

    /// In what is in a state, the spans of orders that were late have digests that no orders have.
    pub(crate) fn doubt(state: &mut Value, late: &LaggingDetails) {
        let time = |field: &str| state[field].as_str().and_then(timestamp::parse);
        let Some((from, read_at)) = time("from").zip(time("readAt")) else { return };
        let Some(hours) = state["hours"].as_i64().filter(|hours| *hours > 0) else { return };
        let number =
            |hour: i64| usize::try_from((hour - from.timestamp().div_euclid(3_600)).div_euclid(hours));
        let spans: BTreeSet<usize> = late.hours(read_at).filter_map(|hour| number(hour).ok()).collect();
        for digests in state["digests"].as_array_mut().into_iter().flatten() {
            let Value::String(text) = digests else { continue };
            for start in spans.iter().map(|span| span * DIGITS) {
                if let Some(Ok(digest)) =
                    text.get(start..start + DIGITS).map(|text| u64::from_str_radix(text, 16))
                {
                    text.replace_range(start..start + DIGITS, &format!("{:016x}", !digest));
                }
            }
        }
    }

    /// What two states have in common, as it is in a state. Where their digests differ, something is written that no
    /// span has as its digest.
    pub(crate) fn in_common(one: &Value, other: &Value) -> Value {
        let digests = |value: &Value| -> Option<Vec<String>> {
            value["digests"].as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let spans = |value: &Value| (value["form"].clone(), value["from"].clone(), value["hours"].clone());
        let (Some(mut mine), Some(theirs)) = (digests(one), digests(other)) else { return Value::Null };
        let lengths = |texts: &[String]| texts.iter().map(String::len).collect::<Vec<_>>();
        if spans(one) != spans(other) || lengths(&mine) != lengths(&theirs) {
            return Value::Null;
        }
        for (mine, theirs) in mine.iter_mut().zip(&theirs) {
            let pairs = mine.as_bytes().chunks(DIGITS).zip(theirs.as_bytes().chunks(DIGITS));
            let common = |(one, other): (&[u8], &[u8])| {
                if one == other {
                    String::from_utf8_lossy(one).into_owned()
                } else {
                    format!("{:016x}", xxh3_64(&[one, other].concat()))
                }
            };
            *mine = pairs.map(common).collect();
        }
        // The one that was read earlier is to be read again earlier; the texts of states sort like their times.
        let read_at = |value: &Value| value["readAt"].as_str().unwrap_or_default().to_owned();
        let mut common = one.clone();
        common["readAt"] = read_at(one).min(read_at(other)).into();
        common["digests"] = mine.into();
        let listed = |value: &Value| LISTED.map(|field| value[field].clone());
        match (one[INVENTORY].is_null(), other[INVENTORY].is_null()) {
            // Both speak of the same orders, and one of them knows what was listed.
            (true, false) => {
                for (field, value) in LISTED.iter().zip(listed(other)).filter(|(_, value)| !value.is_null()) {
                    common[field] = value;
                }
            }
            (false, false) if listed(one) != listed(other) => Self::forget_inventory(&mut common),
            _ => (),
        }
        common
    }

    /// Reads what [`Self::write`] wrote, for a window of `days` and so many selections. None for anything else: then
    /// nothing is known, and everything is written again. `with_lines` says whether lines are followed.
    pub(crate) fn parse(value: &Value, days: i64, selections: usize, with_lines: bool) -> Option<Self> {
        let from = timestamp::parse(value["from"].as_str()?)?;
        let read_at = timestamp::parse(value["readAt"].as_str()?)?;
        let mut window = Self::new(days, selections, from, read_at);
        let texts = value["digests"].as_array()?;
        window.form = match &value["form"] {
            Value::Null => Form::Bytes,
            form if *form == CONTENT => Form::Content,
            _ => return None,
        };
        // With more partitions spans are longer. Digests are sums, so those of a longer one can be had, but not of a shorter.
        let hours = value["hours"].as_i64().filter(|hours| *hours > 0 && window.hours % hours == 0)?;
        if texts.len() != window.digests.len() {
            return None;
        }
        let (first, times) = (from.timestamp().div_euclid(hours * 3_600), window.hours / hours);
        window.first = first.div_euclid(times) + i64::from(first.rem_euclid(times) > 0);
        for (digests, text) in window.digests.iter_mut().zip(texts) {
            for (span, digits) in (first..).zip(text.as_str()?.as_bytes().chunks(DIGITS)) {
                let digest = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                if digest != 0 {
                    let sum = digests.entry(span.div_euclid(times)).or_default();
                    *sum = sum.wrapping_add(digest);
                }
            }
        }
        window.inventory = Inventory::parse(&value[INVENTORY], days, with_lines);
        if window.inventory.is_some() {
            window.missing = missing::parse(&value[MISSING]);
            window.looks_again = value[LOOKS_AGAIN] == true;
        }
        Some(window)
    }
}

/// Notes an order that is listed, and its lines where these are followed. `see` is shown each of them. Whether it was noted: a
/// version that is not a row of the destination, or should not be, is not.
fn list(inventory: &mut Inventory, row: &Row, mut see: impl FnMut(&Item)) -> bool {
    if row.superseded || row.replaced {
        return false;
    }
    for item in Item::of(row, inventory.has_lines()) {
        see(&item);
        inventory.add(item);
    }
    true
}

/// Most bytes of records that wait for the end of their span.
const LARGEST_SPAN: usize = 16 * 1024 * 1024;

/// The records of one span that wait for its end.
#[derive(Debug, Default)]
struct PendingSpan {
    rows: Vec<Row>,
    bytes: usize,
    digest: u64,
}

/// Reading again what a state says is written: lets through what has changed.
#[derive(Debug)]
pub(crate) struct RereadFilter {
    /// What was written.
    written: Option<Window>,
    /// Everything before it was written.
    cursor: DateTime<Utc>,
    /// By selection, and by span.
    waiting: Vec<BTreeMap<i64, PendingSpan>>,
    /// How much was read again, and how much of it is written again.
    pub(crate) again: Again,
    /// What is listed, while it is read again.
    listed: Option<Inventory>,
    search: MissingSearch,
}

/// What a reading again came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Orders that were read again.
    pub(crate) read: u64,
    /// Those of them that are written again: all orders of each span in which something differs.
    pub(crate) written: u64,
    /// Spans that were read again.
    pub(crate) spans: u64,
    /// Those of them in which something differs.
    pub(crate) differing: u64,
    /// The hours in a span.
    pub(crate) hours: i64,
    /// Nothing was known of what had been written.
    pub(crate) blind: bool,
}

impl RereadFilter {
    /// Against what `written` knows of the records before `cursor`.
    pub(crate) fn since(written: Option<Window>, cursor: DateTime<Utc>, selections: usize) -> Self {
        let again = Again { blind: written.is_none(), ..Again::default() };
        let search = MissingSearch::new(written.as_ref().map_or(&[], |written| &written.missing));
        let waiting = (0..selections).map(|_| BTreeMap::new()).collect();
        Self { written, cursor, waiting, again, listed: None, search }
    }

    /// The same, which also looks for what is no longer listed, in what is drafted from `start` on: see [`Inventory::new`].
    pub(crate) fn seeking(mut self, start: DateTime<Utc>) -> Self {
        if let Some(written) = &self.written {
            let fresh = |known: &Inventory| Inventory::new(written.days, known.has_lines(), start);
            self.listed = written.inventory.as_ref().map(fresh);
        }
        self
    }

    /// What was written before the cursor and is not listed, once all of it was read again at `now`. None, where that cannot be
    /// told: nothing was known, or it was asked before.
    pub(crate) fn missing(&mut self, now: DateTime<Utc>) -> Option<Finding> {
        let mut listed = self.listed.take()?;
        let written = self.written.as_ref()?.inventory.as_ref()?;
        let search = std::mem::take(&mut self.search);
        listed.settle(self.cursor);
        Some(search.finish(written, &listed, self.cursor, now))
    }

    /// Takes a row that was read, and gives it back if it is behind the cursor. `spans` are those of `window`.
    pub(crate) fn hold(&mut self, selection: usize, row: Row, window: &Window) -> Option<Row> {
        if row.at >= self.cursor {
            self.found(&row);
            return Some(row);
        }
        let waiting = self.waiting[selection].entry(window.span(row.at)).or_default();
        self.again.read += 1;
        self.again.hours = window.hours;
        if let Some(listed) = &mut self.listed {
            let noted = list(listed, &row, |item| self.search.see(item));
            listed.settle(self.cursor);
            if !noted && (row.replaced || row.alone || !listed.has_lines()) {
                // It is listed: a version that was replaced has its tombstone at once, and one without its successor is a riddle.
                self.search.find(row.id);
            } else if listed.has_lines() && lines::ids(&row.data).is_none() {
                self.search.lines_are_unknown(row.id);
            }
        }
        waiting.bytes += row.data.len();
        let form = self.written.as_ref().map_or(Form::Content, |written| written.form);
        waiting.digest = waiting.digest.wrapping_add(form.digest(&row));
        waiting.rows.push(row);
        None
    }

    /// An order was met elsewhere than in what is read again, so it is not missing.
    pub(crate) fn found(&mut self, row: &Row) {
        let Some(listed) = &self.listed else { return };
        Item::of(row, listed.has_lines()).for_each(|item| self.search.meet(&item));
        if listed.has_lines() && lines::ids(&row.data).is_none() {
            self.search.lines_are_unknown(row.id);
        }
    }

    /// The rows of the spans that are read up to `position` and have changed.
    pub(crate) fn release(&mut self, selection: usize, position: DateTime<Utc>, window: &Window) -> Vec<Row> {
        let mut out = Vec::new();
        let (cursor, again) = (self.cursor, &mut self.again);
        let written = self.written.as_ref();
        self.waiting[selection].retain(|span, waiting| {
            let whole = position >= window.start_of(span + 1).min(cursor);
            let same = || written.and_then(|written| written.of(selection, *span)) == Some(waiting.digest);
            if !whole && waiting.bytes > LARGEST_SPAN {
                // Too much to wait for its end; whether it has changed is not known then.
                out.append(&mut waiting.rows);
                waiting.bytes = 0;
                // No digest is the sum of these and of those to come.
                waiting.digest = waiting.digest.wrapping_add(1);
                return true;
            }
            if whole && !same() {
                out.append(&mut waiting.rows);
                again.differing += 1;
            }
            again.spans += u64::from(whole);
            !whole
        });
        again.written += out.len() as u64;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::testing::row;

    fn at(hours: i64) -> DateTime<Utc> {
        row(hours * 3_600, 0).at
    }

    fn order(hours: i64, id: u64, content: &'static str) -> Row {
        Row { data: content.into(), ..row(hours * 3_600 + 5, id) }
    }

    fn window(orders: &[Row]) -> Window {
        let mut window = Window::new(2, 1, at(0), at(0));
        orders.iter().for_each(|order| window.add(0, order));
        window
    }

    #[test]
    fn a_window_is_read_as_it_was_written_and_forgets_what_is_too_old() {
        let orders = [order(0, 1, "a"), order(50, 2, "b"), order(50, 3, "c"), order(80, 4, "d")];
        let mut written = window(&orders);
        let value = written.write(at(81));
        let read = Window::parse(&value, 2, 1, false).unwrap();
        assert_eq!(read, written);
        assert_eq!((read.of(0, read.span(at(0))), read.of(0, read.span(at(34)))), (None, Some(0)));
        assert!(read.of(0, read.span(at(50))).is_some_and(|digest| digest != 0));
    }

    #[test]
    fn a_window_that_is_cut_knows_whole_spans_before_the_cursor_only() {
        let hour = |hour: i64| row(hour * 3_600, 1);
        let mut window = Window::new(14, 1, hour(0).at, hour(9).at);
        (0..9).for_each(|number| window.add(0, &hour(number)));
        let mut state = window.write(hour(9).at);
        Window::cut(&mut state, hour(4).at + TimeDelta::minutes(59));
        let cut = Window::parse(&state, 14, 1, false).unwrap();
        let known = |number: i64| cut.of(0, cut.span(hour(number).at)) == Some(digest(&hour(number)));
        assert_eq!((0..9).filter(|number| known(*number)).collect::<Vec<_>>(), [0, 1, 2, 3]);
        Window::cut(&mut state, hour(-4).at);
        assert_eq!(state["digests"][0], "", "not even the first one");
    }

    #[test]
    fn a_window_of_another_form_is_not_known() {
        let value = window(&[order(1, 1, "a")]).write(at(2));
        assert!(Window::parse(&value, 2, 1, false).is_some());
        assert_eq!(Window::parse(&value, 2, 2, false), None);
        let longer = Window::new(60, 1, at(0), at(0)).write(at(2));
        assert_eq!(
            Window::parse(&longer, 2, 1, false),
            None,
            "of its spans, which are longer, the halves are not known"
        );
        for wrong in
            [json!(null), json!({}), json!({"from": "x", "readAt": "y", "hours": 1, "digests": [""]})]
        {
            assert_eq!(Window::parse(&wrong, 2, 1, false), None);
        }
    }

    #[test]
    fn longer_spans_are_the_sums_of_shorter_ones_but_for_a_first_half() {
        let hour = |hour: i64, id: u64| row(hour * 3_600, id);
        let rows: Vec<Row> = (0..8).flat_map(|number| [hour(number, 1), hour(number, 2)]).collect();
        for first in [0, 1] {
            let mut short = Window::new(14, 1, hour(first, 0).at, at(0));
            let mut long = Window::new(60, 1, hour(first, 0).at, at(0));
            assert_eq!((short.hours, long.hours), (1, 2));
            for row in rows.iter().filter(|row| row.at >= hour(first, 0).at) {
                short.add(0, row);
                long.add(0, row);
            }
            let read = Window::parse(&short.write(hour(8, 0).at), 60, 1, false).unwrap();
            let spans = |window: &Window| -> Vec<Option<u64>> {
                (0..8).step_by(2).map(|number| window.of(0, window.span(hour(number, 0).at))).collect()
            };
            let (read, long) = (spans(&read), spans(&long));
            assert_eq!(read[0].is_some(), first == 0);
            assert_eq!(read[1..], long[1..]);
        }
    }

    #[test]
    fn a_state_never_holds_more_than_a_thousand_digests() {
        for (days, selections) in [(1, 1), (14, 1), (90, 1), (14, 30), (90, 400)] {
            let mut window = Window::new(days, selections, at(0), at(0));
            let text = window.write(at(24 * 365)).to_string();
            assert!(text.len() < 24_000, "{days} days of {selections}: {} bytes", text.len());
        }
    }

    fn changed(written: &[Row], read: &[Row], cursor: i64) -> Vec<u64> {
        let window = window(&[]);
        let known = written.iter().any(|order| order.at < at(cursor)).then(|| self::window(written));
        let mut changed = RereadFilter::since(known, at(cursor), 1);
        let mut out = Vec::new();
        for order in read {
            out.extend(changed.hold(0, order.clone(), &window));
            out.extend(changed.release(0, order.at, &window));
        }
        out.extend(changed.release(0, at(cursor + 1), &window));
        out.iter().map(|row| row.id).collect()
    }

    #[test]
    fn only_spans_that_have_changed_are_written_again() {
        let written = [order(1, 1, "a"), order(1, 2, "b"), order(2, 3, "c"), order(4, 4, "d")];
        assert_eq!(changed(&written, &written, 5), [0_u64; 0]);
        let mut read = written.to_vec();
        read[2] = order(2, 3, "paid");
        assert_eq!(changed(&written, &read, 5), [3]);
        read[1] = order(1, 2, "paid");
        assert_eq!(changed(&written, &read, 5), [1, 2, 3]);
        let late = [written.to_vec(), vec![order(4, 9, "late")]].concat();
        assert_eq!(changed(&written, &late, 5), [4, 9]);
        assert_eq!(changed(&[], &written, 5), [1, 2, 3, 4], "what is not known is written");
    }

    #[test]
    fn what_lies_behind_the_cursor_passes() {
        let written = [order(1, 1, "a")];
        let read = [order(1, 1, "a"), order(3, 2, "new")];
        assert_eq!(changed(&written, &read, 2), [2]);
    }

    #[test]
    fn a_span_that_is_too_large_to_wait_for_is_written() {
        let large: bytes::Bytes = vec![b'x'; LARGEST_SPAN / 2 + 1].into();
        let orders: Vec<Row> = (1..4).map(|id| Row { data: large.clone(), ..order(1, id, "") }).collect();
        assert_eq!(changed(&orders, &orders, 5), [1, 2, 3]);
    }
}
