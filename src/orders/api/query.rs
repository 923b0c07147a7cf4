//! Requests to `GET /orders`.
//!
//! Only documented parameters are sent, and only in forms that a page shows: single values (how several are
//! encoded is unknown) and UTC times with milliseconds and `Z`. `page` is left out wherever it can be, since
//! whether the first page is 0 or 1 is a guess, but leaving it out means the first under both readings.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::doubt::Doubt;
use crate::failure::FailureKind;
use crate::orders::CURSOR_FIELD;
use crate::orders::api::page::Row;
use crate::timestamp;

/// The largest page the API gives.
pub(crate) const PAGE_SIZE: usize = 200;

/// How far outside the asked bounds an order may lie before we take them for ignored: a server that compares whole
/// seconds is off by less than that.
pub(crate) const BOUNDS_TOLERANCE: TimeDelta = TimeDelta::seconds(1);

/// Which orders: the filters that are known to hold one value, and that an order does not leave while it is read.
///
/// A store and a role are stable for an order. The time of its last change only grows, so an order that was changed
/// since some moment stays changed since then; an upper bound of that time is not asked for, since a change would make
/// the order leave. Statuses are not here. They change while they are read, so asking for some of them would make orders leave
/// the set meanwhile; the records are picked afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Of this store only.
    pub store_id: Option<u64>,
    /// Of customers with this role only.
    pub customer_role: Option<String>,
    /// Changed at or after this moment only (`updatedAt`).
    pub updated_from: Option<DateTime<Utc>>,
}

impl Selection {
    /// One selection for each store and role: together, the orders that the user wants.
    pub(crate) fn all_of(store_ids: &[u64], customer_roles: &[String]) -> Vec<Self> {
        let mut stores: Vec<Option<u64>> = store_ids.iter().copied().map(Some).collect();
        stores.sort_unstable();
        stores.dedup();
        let mut roles: Vec<Option<String>> = customer_roles.iter().cloned().map(Some).collect();
        roles.sort_unstable();
        roles.dedup();
        if stores.is_empty() {
            stores.push(None);
        }
        if roles.is_empty() {
            roles.push(None);
        }
        let pair = |store_id| {
            let of = move |role: &Option<String>| Self {
                store_id,
                customer_role: role.clone(),
                updated_from: None,
            };
            roles.iter().map(of)
        };
        stores.into_iter().flat_map(pair).collect()
    }
}

impl Selection {
    /// Whether all orders of the other one are of this one, too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let store = self.store_id.is_none_or(|store| other.store_id == Some(store));
        store && self.customer_role.as_ref().is_none_or(|role| other.customer_role.as_ref() == Some(role))
    }

    /// The selection with this name; none for a name that is not one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut selection = Self::default();
        for part in name.split('&').filter(|part| *part != "all") {
            match part.split_once('=')? {
                ("storeId", store) => selection.store_id = Some(store.parse().ok()?),
                ("customerRole", role) => selection.customer_role = Some(role.to_owned()),
                _ => return None,
            }
        }
        Some(selection)
    }
}

impl fmt::Display for Selection {
    /// As it is named in a state: `storeId=2&customerRole=customer`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = self.store_id.map(|store| format!("storeId={store}"));
        let role = self.customer_role.as_ref().map(|role| format!("customerRole={role}"));
        let parts: Vec<String> = store.into_iter().chain(role).collect();
        f.write_str(if parts.is_empty() { "all" } else { "" })?;
        f.write_str(&parts.join("&"))
    }
}

/// How the response is to be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// By `draftCreatedAt`, oldest first.
    OldestFirst,
    /// By `draftCreatedAt`, newest first.
    NewestFirst,
    /// By `id`, lowest first.
    LowestId,
    /// By `id`, highest first.
    HighestId,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// Lower bound that is sent.
    pub min: Option<DateTime<Utc>>,
    /// Upper bound that is sent.
    pub max: Option<DateTime<Utc>>,
    /// Order of the response.
    pub sort: Sort,
    /// Page number; none for the first.
    pub page: Option<u32>,
    /// Most orders in the response.
    pub page_size: usize,
    /// With product lines.
    pub products: bool,
    /// Which orders.
    pub selection: Selection,
}

/// The lower bound to send for orders at or after `start`. One millisecond earlier, since whether the API includes
/// its bounds is unknown.
pub(crate) fn lower_bound(start: DateTime<Utc>) -> DateTime<Utc> {
    start - timestamp::MILLISECOND
}

/// The upper bound to send for orders before `end`: one millisecond later, and past the end of the second, since
/// a server may cut the bound to whole seconds.
pub(crate) fn upper_bound(end: DateTime<Utc>) -> DateTime<Utc> {
    timestamp::ceil_second(end) + timestamp::MILLISECOND
}

impl Query {
    /// The query string.
    pub(crate) fn encode(&self) -> String {
        let (order_by, direction) = match self.sort {
            Sort::OldestFirst => (CURSOR_FIELD, "asc"),
            Sort::NewestFirst => (CURSOR_FIELD, "desc"),
            Sort::LowestId => ("id", "asc"),
            Sort::HighestId => ("id", "desc"),
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        let updated = self.selection.updated_from.map(lower_bound);
        for (name, bound) in
            [("minDraftCreatedAt", self.min), ("maxDraftCreatedAt", self.max), ("minUpdatedAt", updated)]
        {
            if let Some(at) = bound {
                query.append_pair(name, &timestamp::write(at));
            }
        }
        query.append_pair("orderBy", order_by).append_pair("direction", direction);
        query.append_pair("pageSize", &self.page_size.to_string());
        if let Some(page) = self.page {
            query.append_pair("page", &page.to_string());
        }
        if self.products {
            query.append_pair("includeProducts", "true");
        }
        if let Some(store) = self.selection.store_id {
            query.append_pair("storeId", &store.to_string());
        }
        if let Some(role) = &self.selection.customer_role {
            query.append_pair("customerRole", role);
        }
        query.finish()
    }

    /// Holds a response against the request: nothing that was not asked for, and in the order asked for.
    pub(crate) fn verify(&self, rows: &[Row]) -> Result<(), Doubt> {
        for row in rows {
            let too_early = self.min.is_some_and(|min| row.at < min - BOUNDS_TOLERANCE);
            let too_late = self.max.is_some_and(|max| row.at > max + BOUNDS_TOLERANCE);
            if too_early || too_late {
                let (what, bound) = if too_early { ("before", self.min) } else { ("after", self.max) };
                let bound = bound.map(timestamp::write).unwrap_or_default();
                let at = timestamp::write(row.at);
                let text = format!("order {} of {at} is {what} the asked bound {bound}", row.id);
                return Err(Doubt::new(FailureKind::OutOfRange, text));
            }
            if let (Some(from), Some(updated)) = (self.selection.updated_from, row.updated)
                && updated < from - BOUNDS_TOLERANCE
            {
                let text = format!("order {} was last changed before the asked minUpdatedAt", row.id);
                return Err(Doubt::new(FailureKind::UpdatedFilter, text));
            }
            if let (Some(asked), Some(store)) = (self.selection.store_id, row.store_id)
                && asked != store
            {
                let text =
                    format!("order {} belongs to store {store}, but store {asked} was asked for", row.id);
                return Err(Doubt::new(FailureKind::OutOfRange, text));
            }
        }
        let sorted = match self.sort {
            Sort::OldestFirst => rows.is_sorted_by_key(|row| row.at),
            Sort::NewestFirst => rows.is_sorted_by(|a, b| a.at >= b.at),
            // Nothing is concluded from the order of ids (some may be strings to the server).
            Sort::LowestId | Sort::HighestId => true,
        };
        if sorted {
            Ok(())
        } else {
            Err(Doubt::new(FailureKind::Unsorted, "a page is not sorted by draftCreatedAt"))
        }
    }
}

/// A request, and how often it has been made already without a response that could be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The request.
    pub query: Query,
    /// 1 for the first time.
    pub attempt: u32,
}

impl Request {
    /// For the first time.
    pub(crate) fn first(query: Query) -> Self {
        Self { query, attempt: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_request_is_spelt_with_documented_parameters_only() {
        let mut query = Query {
            min: Some(at("2025-11-01T00:00:00.5Z")),
            max: None,
            sort: Sort::OldestFirst,
            page: None,
            page_size: 200,
            products: true,
            selection: Selection {
                store_id: Some(7),
                customer_role: Some("customer".into()),
                updated_from: Some(at("2025-11-02T00:00:00Z")),
            },
        };
        assert_eq!(
            query.encode(),
            "minDraftCreatedAt=2025-11-01T00%3A00%3A00.500Z&minUpdatedAt=2025-11-01T23%3A59%3A59.999Z&orderBy=draftCreatedAt&direction=asc&pageSize=200&includeProducts=true&storeId=7&customerRole=customer"
        );
        query = Query {
            min: None,
            max: query.min,
            sort: Sort::HighestId,
            page: Some(3),
            products: false,
            selection: Selection::default(),
            ..query
        };
        assert_eq!(
            query.encode(),
            "maxDraftCreatedAt=2025-11-01T00%3A00%3A00.500Z&orderBy=id&direction=desc&pageSize=200&page=3"
        );
    }

    #[test]
    fn the_bounds_hold_every_order_of_a_slice_under_each_reading() {
        let floor = timestamp::floor_second;
        for (start, end) in [
            ("2025-11-01T08:00:00.000Z", "2025-11-01T08:00:01.000Z"),
            ("2025-11-01T08:00:00.700Z", "2025-11-01T08:00:00.702Z"),
        ] {
            let (start, end) = (at(start), at(end));
            let (min, max) = (lower_bound(start), upper_bound(end));
            for order in [start, end - timestamp::MILLISECOND] {
                assert!(min <= order && order <= max, "inclusive");
                assert!(min < order && order < max, "exclusive");
                assert!(floor(min) <= order && order <= floor(max), "bounds cut to seconds");
                assert!(
                    floor(min) <= floor(order) && floor(order) < floor(max) + TimeDelta::seconds(1),
                    "all cut to seconds"
                );
            }
        }
    }

    #[test]
    fn stores_and_roles_are_asked_one_by_one() {
        let roles = ["customer".to_owned(), "employee".to_owned()];
        assert_eq!(Selection::all_of(&[], &[]), [Selection::default()]);
        let four = Selection::all_of(&[2, 1, 2], &roles);
        let names: Vec<String> = four.iter().map(Selection::to_string).collect();
        assert_eq!((names.len(), names[3].as_str()), (4, "storeId=2&customerRole=employee"));
        assert_eq!(Selection::default().to_string(), "all");
        for one in four.iter().chain([&Selection::default()]) {
            assert_eq!(Selection::named(&one.to_string()).as_ref(), Some(one));
            assert!(one.covers(one) && Selection::default().covers(one));
            assert_eq!(one.covers(&Selection::default()), *one == Selection::default());
        }
        let store = Selection { store_id: Some(1), ..Selection::default() };
        assert!(store.covers(&four[0]) && !store.covers(&four[3]) && !four[0].covers(&store));
        assert_eq!(["", "store", "storeId=x", "storeId=1&x=2"].map(Selection::named), [const { None }; 4]);
    }
}
