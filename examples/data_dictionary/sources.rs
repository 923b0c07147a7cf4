//! What is known of the streams beside their schemas: where their rows come from, and what they say for themselves.

use std::borrow::Cow;

use serde_json::Value;
use source_aifi::lists::declared::ALL;

/// A stream, in the words of the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where its rows come from.
    pub(crate) endpoint: Cow<'static, str>,
    /// What there is one row for.
    pub(crate) row: Cow<'static, str>,
    /// What its state says; a list has the same words as any other.
    pub(crate) state: &'static str,
    /// Whether Airbyte should suggest it.
    pub(crate) suggested: bool,
}

/// The streams of the orders' family, which the settings treat alike.
pub(crate) const ORDERS: [&str; 4] = ["orders", "order_line_items", "order_versions", "order_details"];

/// Streams that are not lists.
static OTHERS: [Source; 7] = [
    Source {
        name: "orders",
        endpoint: Cow::Borrowed("`GET /orders?includeProducts=true`"),
        row: Cow::Borrowed("order, in its newest version"),
        state: "as above",
        suggested: true,
    },
    Source {
        name: "order_line_items",
        endpoint: Cow::Borrowed("`GET /orders?includeProducts=true`, the answers of `orders`"),
        row: Cow::Borrowed("product line of an order"),
        state: "as above, with `orderDraftCreatedAt` in place of `draftCreatedAt`",
        suggested: true,
    },
    Source {
        name: "order_versions",
        endpoint: Cow::Borrowed("`GET /orders?includeProducts=true`, the answers of `orders`"),
        row: Cow::Borrowed("version of an order"),
        state: "as above",
        suggested: false,
    },
    Source {
        name: "order_details",
        endpoint: Cow::Borrowed("`GET /orders/{orderId}`, one request for each order"),
        row: Cow::Borrowed("order, with everything the API has on it"),
        state: "as above",
        suggested: false,
    },
    Source {
        name: "checkout_events",
        endpoint: Cow::Borrowed("`GET /v1/events` of the checkout inbox"),
        row: Cow::Borrowed("event that AiFi pushed to your checkout inbox"),
        state: "`{\"seq\": N, \"eventId\": E}`: every event up to number N of the inbox's log is written, where the event E stood. To read again from a number, set `seq` to it and take `eventId` out",
        suggested: false,
    },
    Source {
        name: "sync_audit",
        endpoint: Cow::Borrowed("none: the connector's own receipts"),
        row: Cow::Borrowed("part of `orders` that was read"),
        state: "`{\"startedAt\": S}`: the start of the last sync, which keeps the receipts of two syncs apart",
        suggested: false,
    },
    Source {
        name: "unreadable_rows",
        endpoint: Cow::Borrowed("items of all lists above that no record can be made of"),
        row: Cow::Borrowed("item of a list that is not a valid record"),
        state: "`{\"seenAt\": S}`: the start of the last sync",
        suggested: false,
    },
];

impl Source {
    /// What is known of a stream that `discover` describes. A list is known by its declaration and its schema.
    ///
    /// # Errors
    /// When it is neither a list nor in [`OTHERS`], or a list whose description does not begin with `One row per`.
    pub(crate) fn of(stream: &Value) -> Result<Source, String> {
        let name = stream["name"].as_str().unwrap_or_default();
        if let Some(list) = ALL.iter().find(|list| list.name == name) {
            let description = stream["json_schema"]["description"].as_str().unwrap_or_default();
            let row = description
                .strip_prefix("One row per ")
                .and_then(|rest| rest.split([':', '.', ';']).next())
                .ok_or_else(|| {
                    format!("{name}: let the description in spec/{name}.json begin with `One row per`")
                })?;
            return Ok(Source {
                name: list.name,
                endpoint: format!("`GET {}`", list.path).into(),
                row: row.to_owned().into(),
                state: "",
                suggested: true,
            });
        }
        OTHERS.iter().find(|known| known.name == name).cloned().ok_or_else(|| {
            format!("{name}: name its endpoint in OTHERS of examples/data_dictionary/sources.rs")
        })
    }
}
