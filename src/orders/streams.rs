//! The streams that one read of the orders feeds: from the same responses, at the same price. `order_details` asks for
//! each order besides.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::orders::{CURSOR_FIELD, PRIMARY_KEY};
use crate::protocol::catalog::Entry;
use crate::record::personal::Personal;
use crate::record::schema::Schema;

/// The column that says when a row was deleted. Airbyte's destinations delete a row, or mark it, by a record that has it.
pub(crate) const DELETED_AT: &str = "_ab_cdc_deleted_at";

/// A stream of the orders' family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderStream {
    /// One record for each order: its newest version.
    Orders,
    /// One for each product line of it.
    LineItems,
    /// One for each version that the API lists.
    Versions,
    /// One for each order, from its own page.
    Details,
}

static ORDERS: LazyLock<Schema> = LazyLock::new(|| Schema::embedded(include_str!("../../spec/orders.json")));
static LINE_ITEMS: LazyLock<Schema> =
    LazyLock::new(|| Schema::embedded(include_str!("../../spec/order_line_items.json")));
static VERSIONS: LazyLock<Schema> =
    LazyLock::new(|| Schema::embedded(include_str!("../../spec/order_versions.json")));
static DETAILS: LazyLock<Schema> =
    LazyLock::new(|| Schema::embedded(include_str!("../../spec/order_details.json")));

impl OrderStream {
    /// All of them, those first that others belong to.
    pub(crate) const ALL: [Self; 4] = [Self::Orders, Self::LineItems, Self::Versions, Self::Details];

    /// The stream with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.name() == name)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Orders => crate::orders::NAME,
            Self::LineItems => "order_line_items",
            Self::Versions => "order_versions",
            Self::Details => "order_details",
        }
    }

    /// Its cursor: when the order was drafted.
    pub(crate) fn cursor_field(self) -> &'static str {
        match self {
            Self::LineItems => "orderDraftCreatedAt",
            _ => CURSOR_FIELD,
        }
    }

    /// Its schema.
    pub(crate) fn schema(self) -> &'static Schema {
        match self {
            Self::Orders => &ORDERS,
            Self::LineItems => &LINE_ITEMS,
            Self::Versions => &VERSIONS,
            Self::Details => &DETAILS,
        }
    }

    /// Whether rows of it can be deleted. Versions are history.
    pub(crate) fn has_tombstones(self) -> bool {
        self != Self::Versions
    }

    /// The stream, as `discover` describes it. `personal` says what is done to personal values, `deletions` whether there are
    /// tombstones.
    pub(crate) fn catalog_entry(self, personal: &Personal, deletions: bool) -> Value {
        let primary_key: &[&str] = match self {
            Self::Orders | Self::Details => &[PRIMARY_KEY],
            Self::LineItems => &["orderId", "id"],
            Self::Versions => &[PRIMARY_KEY, "version"],
        };
        let mut schema = personal.declared(self.schema());
        if deletions && self.has_tombstones() {
            schema.to_mut()["properties"][DELETED_AT] = json!({
                "type": ["null", "string"],
                "format": "date-time",
                "airbyte_type": "timestamp_with_timezone",
                "description": "When the connector found that AiFi no longer lists the row, by the server's clock. Null in any other record.",
            });
        }
        Entry {
            name: self.name(),
            json_schema: &schema,
            cursor_field: Some(self.cursor_field()),
            primary_key,
        }
        .to_json()
    }
}
