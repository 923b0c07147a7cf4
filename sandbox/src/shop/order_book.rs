//! All orders, kept in the order of their ids and of their drafts, and what happens to them.

use chrono::{DateTime, Utc};

use crate::settings::{Options, VersionIds};
use crate::shop::Filter;
use crate::shop::generate::{fresh, order_seed, rows};
use crate::shop::order::{NONE, ROLES, Row, STATUSES, Status};

/// Rows and their indexes.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) rows: Vec<Row>,
    /// Rows by (`draftCreatedAt`, id, version).
    pub(crate) by_draft: Vec<u32>,
    /// Rows by (id, version).
    pub(crate) by_id: Vec<u32>,
    /// How many of the listed rows have a newer version.
    pub(crate) superseded: usize,
    /// Grows with each change of an order.
    pub(crate) changes: u64,
    ids: VersionIds,
    last_id: u64,
    /// How many orders were ever made.
    serial: u64,
    seed: u64,
    stores: u32,
    products: bool,
}

impl Book {
    pub(crate) fn new(options: &Options) -> Book {
        let (rows, last_id) = rows(options);
        let mut book = Book {
            by_draft: (0..rows.len() as u32).collect(),
            by_id: (0..rows.len() as u32).collect(),
            superseded: rows.iter().filter(|row| !row.is_latest()).count(),
            changes: 0,
            ids: options.behaviour.version_ids,
            last_id,
            serial: options.orders as u64,
            seed: options.seed,
            stores: options.stores,
            products: options.products,
            rows,
        };
        book.sort();
        book
    }

    fn changed(&mut self) {
        self.changes += 1;
    }

    fn sort(&mut self) {
        let (rows, ids) = (&self.rows, self.ids);
        let by_id = |at: &u32| (rows[*at as usize].shown_id(ids), rows[*at as usize].version);
        self.by_id.sort_by_key(by_id);
        self.by_draft.sort_by_key(|at| (rows[*at as usize].draft, by_id(at)));
    }

    /// Takes over how ids of versions are shown.
    pub(crate) fn set_ids(&mut self, ids: VersionIds) {
        self.changed();
        if self.ids != ids {
            self.ids = ids;
            self.sort();
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn next_row(&mut self, draft: i64, now: i64) -> Row {
        let seed = order_seed(self.seed, self.serial);
        self.serial += 1;
        let id = self.next_id();
        Row::new(seed, id, draft, now, self.stores, self.products)
    }

    /// Adds orders drafted a few minutes before `now`, in the state of their age.
    pub(crate) fn add_recent(&mut self, count: usize, now: DateTime<Utc>) -> Vec<u64> {
        let newest = self.by_draft.last().map_or(i64::MIN, |at| self.rows[*at as usize].draft);
        let mut draws = fastrand::Rng::with_seed(order_seed(self.seed, self.serial));
        let mut ids = Vec::with_capacity(count);
        for draft in fresh(count, newest, now, &mut draws) {
            let row = self.next_row(draft, now.timestamp_micros());
            ids.push(row.id);
            self.push(row);
        }
        ids
    }

    /// Adds one draft with exactly this date, written `now`.
    pub(crate) fn add_at(&mut self, at: DateTime<Utc>, now: DateTime<Utc>) -> u64 {
        let draft = at.timestamp_micros();
        let written = now.timestamp_micros().max(draft);
        let mut row = self.next_row(draft, written);
        (row.status, row.paid) = (Status::Draft, 0);
        (row.created, row.updated) = (written, written);
        let id = row.id;
        self.push(row);
        id
    }

    fn push(&mut self, row: Row) {
        let (rows, ids) = (&self.rows, self.ids);
        let by_id = |row: &Row| (row.shown_id(ids), row.version);
        let by_draft = |row: &Row| (row.draft, by_id(row));
        let (id, draft) = (by_id(&row), by_draft(&row));
        let at = rows.len() as u32;
        let place = self.by_id.partition_point(|at| by_id(&rows[*at as usize]) < id);
        self.by_id.insert(place, at);
        let place = self.by_draft.partition_point(|at| by_draft(&rows[*at as usize]) < draft);
        self.by_draft.insert(place, at);
        self.rows.push(row);
        self.changed();
    }

    /// A row with this id on the wire.
    fn find(&self, id: u64) -> Option<usize> {
        let start = self.by_id.partition_point(|at| self.rows[*at as usize].shown_id(self.ids) < id);
        let at = *self.by_id.get(start)? as usize;
        (self.rows[at].shown_id(self.ids) == id).then_some(at)
    }

    /// The newest row that shows this id.
    pub(crate) fn shown(&self, id: u64) -> Option<usize> {
        match self.ids {
            VersionIds::Same => self.newest(id),
            VersionIds::New => self.find(id),
        }
    }

    /// The row of the newest version of an order, by the id of any version.
    pub(crate) fn newest(&self, id: u64) -> Option<usize> {
        let mut at = self.find(id)?;
        while self.rows[at].newer != NONE {
            at = self.rows[at].newer as usize;
        }
        Some(at)
    }

    fn change(&mut self, id: u64, status: Status, now: DateTime<Utc>) -> Option<u64> {
        let at = self.newest(id)?;
        let row = &mut self.rows[at];
        row.status = status;
        row.updated = now.timestamp_micros();
        match status {
            Status::Paid => row.paid = row.updated,
            Status::Reviewed => row.reviewed = true,
            _ => {}
        }
        self.changed();
        Some(self.rows[at].shown_id(self.ids))
    }

    /// An order is paid.
    pub(crate) fn pay(&mut self, id: u64, now: DateTime<Utc>) -> Option<u64> {
        self.change(id, Status::Paid, now)
    }

    /// A contested order is reviewed.
    pub(crate) fn review(&mut self, id: u64, now: DateTime<Utc>) -> Option<u64> {
        self.change(id, Status::Reviewed, now)
    }

    /// An order is contested, which makes a new version.
    pub(crate) fn contest(&mut self, id: u64, now: DateTime<Utc>) -> Option<u64> {
        let at = self.newest(id)?;
        let now = now.timestamp_micros();
        let own_id = self.next_id();
        let next = self.rows[at].contested(own_id, at as u32, now);
        let shown = next.shown_id(self.ids);
        self.rows[at].superseded = now;
        self.rows[at].newer = self.rows.len() as u32;
        self.superseded += 1;
        self.push(next);
        Some(shown)
    }

    /// An order is gone, with all its versions.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let Some(newest) = self.newest(id) else { return false };
        let mut gone = vec![newest as u32];
        let mut at = newest;
        while self.rows[at].older != NONE {
            gone.push(self.rows[at].older);
            at = self.rows[at].older as usize;
        }
        self.superseded -= gone.len() - 1;
        self.by_draft.retain(|at| !gone.contains(at));
        self.by_id.retain(|at| !gone.contains(at));
        self.changed();
        true
    }

    /// The first version of the order that a row belongs to.
    pub(crate) fn first<'b>(&'b self, row: &'b Row) -> &'b Row {
        let mut row = row;
        while row.older != NONE {
            row = &self.rows[row.older as usize];
        }
        row
    }

    /// The current version of each order that the filter names, by (`draftCreatedAt`, id).
    pub(crate) fn named<'b>(&'b self, filter: &'b Filter) -> impl Iterator<Item = &'b Row> {
        self.versions(filter).filter(|row| row.is_latest())
    }

    /// All versions that the filter names, by (`draftCreatedAt`, id, version).
    pub(crate) fn versions<'b>(&'b self, filter: &'b Filter) -> impl Iterator<Item = &'b Row> {
        let from = filter.from.map_or(i64::MIN, |from| from.timestamp_micros());
        let until = filter.until.map_or(i64::MAX, |until| until.timestamp_micros());
        let named = |names: &[String], name: &str| names.is_empty() || names.iter().any(|one| one == name);
        let start = self.by_draft.partition_point(|at| self.rows[*at as usize].draft < from);
        self.by_draft[start..]
            .iter()
            .map(|at| &self.rows[*at as usize])
            .take_while(move |row| row.draft < until)
            .filter(|row| filter.store_ids.is_empty() || filter.store_ids.contains(&row.store))
            .filter(move |row| named(&filter.statuses, STATUSES[row.status as usize]))
            .filter(move |row| named(&filter.customer_roles, ROLES[usize::from(row.role)]))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::orders::{self, Expected};
    use crate::shop::Shop;

    fn book(contested_percent: u8) -> (Book, Options) {
        let options = Options { orders: 200, contested_percent, ..Options::default() };
        (Book::new(&options), options)
    }

    fn expected(book: &Book, filter: &Filter) -> Vec<Expected> {
        orders::expected(&Shop { options: &Options::default(), book }, filter)
    }

    fn all(book: &Book) -> Vec<Expected> {
        expected(book, &Filter::default())
    }

    #[test]
    fn an_order_lives() {
        let (mut book, options) = book(0);
        let draft = options.now - TimeDelta::minutes(1);
        let id = book.add_at(draft, options.now);
        let look = |book: &Book| all(book).into_iter().find(|order| order.id == id.to_string()).unwrap();
        let first = look(&book);
        assert_eq!((first.status.as_str(), first.version), ("draft", 1));
        assert_eq!(first.draft_created_at, "2025-11-30T23:59:00.000Z");
        book.pay(id, options.now + TimeDelta::seconds(1));
        assert_eq!(look(&book).status, "paid");
        assert_eq!(look(&book).updated_at, "2025-12-01T00:00:01.000Z");
        book.contest(id, options.now + TimeDelta::days(1));
        let second = look(&book);
        assert_eq!((second.status.as_str(), second.version), ("contested", 2));
        assert_ne!(second.total_price, first.total_price);
        assert_eq!(second.draft_created_at, first.draft_created_at);
        book.review(id, options.now + TimeDelta::days(2));
        let third = look(&book);
        assert_eq!((third.status.as_str(), third.version), ("reviewed", 2));
        assert_eq!(third.updated_at, "2025-12-03T00:00:00.000Z");
        assert_eq!(all(&book).len(), 201);
        assert!(book.remove(id) && !book.remove(id));
        assert_eq!((all(&book).len(), book.by_id.len(), book.superseded), (200, 200, 0));
        assert_eq!(book.pay(id, options.now), None);
    }

    #[test]
    fn versions_may_have_ids_of_their_own() {
        let (mut book, options) = book(0);
        let id = book.rows[7].id;
        book.set_ids(VersionIds::New);
        let second = book.contest(id, options.now).unwrap();
        assert_ne!(second, id);
        assert_eq!(book.contest(id, options.now).map(|third| third > second), Some(true));
        assert_eq!(book.rows[book.newest(second).unwrap()].version, 3);
        assert!(book.remove(second));
        assert_eq!(book.newest(id), None);
    }

    #[test]
    fn recent_orders_lie_in_their_window_and_get_rising_ids() {
        let (mut book, options) = book(10);
        let newest = *book.by_draft.last().unwrap() as usize;
        let newest = book.rows[newest].draft;
        let now = options.now + TimeDelta::hours(1);
        let ids = book.add_recent(500, now);
        assert!(ids.is_sorted() && ids.len() == 500);
        for row in &book.rows[book.rows.len() - 500..] {
            assert!(row.draft > newest && row.draft >= (now - TimeDelta::minutes(5)).timestamp_micros());
            assert!(row.draft < (now - TimeDelta::minutes(3)).timestamp_micros());
        }
        assert!(book.by_draft.is_sorted_by_key(|at| book.rows[*at as usize].draft));
    }

    #[test]
    fn the_filter_of_expected_orders_filters() {
        let (book, options) = book(10);
        let whole = all(&book);
        assert_eq!(whole.len(), 200);
        let middle = options.first + TimeDelta::days(15);
        let count = |filter: Filter| expected(&book, &filter).len();
        let before = count(Filter { until: Some(middle), ..Filter::default() });
        let after = count(Filter { from: Some(middle), ..Filter::default() });
        assert!(before > 0 && after > 0);
        assert_eq!(before + after, 200);
        let store = count(Filter { store_ids: vec![1], ..Filter::default() });
        assert_eq!(store, whole.iter().filter(|order| order.store_id == 1).count());
        let reviewed = count(Filter { statuses: vec!["reviewed".to_owned()], ..Filter::default() });
        assert_eq!(reviewed, whole.iter().filter(|order| order.status == "reviewed").count());
        assert!(reviewed > 0);
        let roles =
            ROLES.map(|role| count(Filter { customer_roles: vec![role.to_owned()], ..Filter::default() }));
        assert_eq!(roles.iter().sum::<usize>(), 200);
    }
}
