//! The `orders` stream: one record per order, from `GET /orders?includeProducts=true`.
//!
//! How it is read completely, in the order in which the modules do it:
//!
//! 1. The server's own clock, minus a settle delay, fixes the [`horizon`](cursor::horizon) of the sync before
//!    anything is read. Nothing at or after it is emitted, and the cursor never passes it.
//! 2. [`newest`] asks for the newest order before the horizon. It is the *witness*: as long as the walk has not
//!    reached it, an answer without further orders is known to be wrong. So an empty answer is never taken for
//!    the end, and a truly quiet API is told apart by one question.
//! 3. [`walk`] goes from the cursor to the witness by key: sorted by `draftCreatedAt`, each question starts at the
//!    last timestamp seen and must bring the order it continues from back. Page numbers are used by [`dense`]
//!    alone, inside a second in which one page cannot get on.
//! 4. [`versions`] keeps the newest version of each order.
//! 5. [`read`] drives the walks, writes the records, and says in the state what has been written: every order
//!    drafted before it.
//!
//! All of it but [`read`] and [`check`] is pure: a question goes out, a page comes in.

mod ask;
pub mod check;
pub mod cursor;
pub mod dense;
pub mod newest;
pub mod page;
pub mod query;
pub mod read;
pub mod versions;
pub mod walk;

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::failure::{Failure, FailureKind};
use crate::record::shape::Shape;

/// The stream's name.
pub const NAME: &str = "orders";
/// The primary key.
pub const PRIMARY_KEY: &str = "id";
/// The cursor field.
pub const CURSOR_FIELD: &str = "draftCreatedAt";

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../spec/orders.json"))
        .expect("the embedded schema is JSON, which a test proves")
});
static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::compile(&SCHEMA));

/// The stream's schema, compiled.
pub fn shape() -> &'static Shape {
    &SHAPE
}

/// The stream, as `discover` tells it.
pub fn catalog_entry() -> Value {
    json!({
        "name": NAME,
        "json_schema": *SCHEMA,
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": true,
        "default_cursor_field": [CURSOR_FIELD],
        "source_defined_primary_key": [[PRIMARY_KEY]],
        "is_resumable": true,
    })
}

/// An answer that cannot be believed: it contradicts what the API says of itself, or what is known already.
///
/// The same question is asked again a few times; a doubt that persists becomes a failure with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The failure it becomes.
    pub kind: FailureKind,
    /// What is doubtful, as a clause: "the page is not sorted".
    pub what: String,
}

impl Doubt {
    /// A doubt of this kind.
    pub fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    /// The failure it becomes after `looks` looks.
    pub fn into_failure(self, looks: u32) -> Failure {
        let advice = match self.kind {
            FailureKind::MissingOrder | FailureKind::Restless => {
                "Nothing was skipped: the state ends before this point, and the next sync starts there."
            }
            FailureKind::NoId | FailureKind::NoCursor => {
                "Without it the order cannot be kept apart from others. Please report this to AiFi; nothing was skipped."
            }
            _ => {
                "The API does not behave as documented, so reading on could lose orders. Check API base URL (base_url), and report this if it is right."
            }
        };
        Failure::new(
            self.kind,
            format!(
                "The orders list cannot be read completely: {} (the question was asked {looks} times). {advice}",
                self.what
            ),
        )
    }
}
