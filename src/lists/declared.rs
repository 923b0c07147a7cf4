//! The lists, one declaration each. Facts are those of the API's reference pages; what they do not tell is marked.

use std::sync::LazyLock;

use serde_json::Value;

use crate::protocol::catalog::Entry;
use crate::record::personal::Personal;
use crate::record::schema::Schema;

/// The field that says when a record was changed last, in the API and in the state.
pub const UPDATED_FIELD: &str = "updatedAt";

/// The field that says when a record was made.
pub const CREATED_FIELD: &str = "createdAt";

/// A list endpoint that is a stream.
#[derive(Debug)]
pub struct List {
    /// The stream's name.
    pub name: &'static str,
    /// The stream's schema.
    pub schema: &'static LazyLock<Schema>,
    /// The path below the base URL.
    pub path: &'static str,
    /// The name of the list in the object that a response is.
    pub rows: &'static str,
    /// The field that is the primary key.
    pub key: &'static str,
    /// How a part of the list is asked for.
    pub paging: Paging,
    /// The parameter that sorts the list by its key, where one is documented.
    pub sort: Option<(&'static str, &'static str)>,
    /// Whether changes can be asked for (`minUpdatedAt`, and records have [`UPDATED_FIELD`]).
    pub incremental: bool,
    /// Where the id of the store is in a record; empty, if nowhere.
    pub store: &'static [&'static str],
}

/// How a part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// `after`, the id of a row, and `count`.
    After,
    /// `offset`, a number of rows, and `count`.
    Offset,
    /// `page`, a number of pages, and `pageSize`.
    Page,
}

macro_rules! schema {
    ($name:literal) => {{
        static SCHEMA: LazyLock<Schema> =
            LazyLock::new(|| Schema::embedded(include_str!(concat!("../../spec/", $name, ".json"))));
        &SCHEMA
    }};
}

/// Contested orders. No sort order is documented, and no largest page.
pub static CONTESTS: List = List {
    name: "contests",
    schema: schema!("contests"),
    path: "/contests",
    rows: "contestedOrders",
    key: "id",
    paging: Paging::Page,
    sort: None,
    incremental: true,
    store: &["contestedOrder", "storeId"],
};

/// Stores. Nothing says when one was changed, so they are read as a whole.
pub static STORES: List = List {
    name: "stores",
    schema: schema!("stores"),
    path: "/stores",
    rows: "stores",
    key: "id",
    paging: Paging::After,
    sort: Some(("orderBy", "id")),
    incremental: false,
    store: &["id"],
};

/// Shopping sessions.
pub static SESSIONS: List = List {
    name: "sessions",
    schema: schema!("sessions"),
    path: "/sessions",
    rows: "data",
    key: "id",
    paging: Paging::After,
    sort: Some(("orderBy", "id")),
    incremental: true,
    store: &["storeId"],
};

/// Products. That they have [`UPDATED_FIELD`] is a guess, so they are read as a whole.
pub static PRODUCTS: List = List {
    name: "products",
    schema: schema!("products"),
    path: "/products",
    rows: "products",
    key: "id",
    paging: Paging::Offset,
    sort: Some(("sort", "id")),
    incremental: false,
    store: &[],
};

/// All lists, as `discover` tells them.
pub static ALL: &[&List] = &[&CONTESTS, &STORES, &SESSIONS, &PRODUCTS];

impl List {
    /// The stream, as `discover` describes it. `personal` says what is done to personal values.
    pub fn catalog_entry(&self, personal: &Personal) -> Value {
        Entry {
            name: self.name,
            json_schema: &personal.declared(self.schema),
            cursor_field: self.incremental.then_some(UPDATED_FIELD),
            primary_key: &[self.key],
        }
        .to_json()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_field_stands_in_the_schema() {
        for list in ALL {
            let has = |name: &str| list.schema.json["properties"][name].is_object();
            assert!(has(list.key), "{}", list.name);
            assert!(!list.incremental || has(UPDATED_FIELD), "{}", list.name);
            assert!(list.store.first().is_none_or(|name| has(name)), "{}", list.name);
        }
    }

    #[test]
    fn only_what_can_be_asked_for_by_change_is_incremental() {
        for list in ALL {
            let entry = list.catalog_entry(&Personal::Keep);
            let modes = entry["supported_sync_modes"].as_array().map(Vec::len);
            assert_eq!(modes, Some(if list.incremental { 2 } else { 1 }), "{}", list.name);
        }
    }
}
