//! The opt-in stream `sync_audit`: a receipt for each piece of `orders` that was written, so that completeness can be
//! checked in SQL.
//!
//! It tells how the orders were read, so two reads never bring the same rows.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::aifi::counts::RequestCounts;
use crate::failure::Failure;
use crate::orders::api::totals::Totals;
use crate::protocol::catalog::Entry;
use crate::protocol::output::Output;
use crate::record::schema::Schema;
use crate::timestamp;

/// The stream's name.
pub(crate) const NAME: &str = "sync_audit";
/// The cursor field.
pub(crate) const CURSOR_FIELD: &str = "startedAt";

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::embedded(include_str!("../../../spec/sync_audit.json")));

/// The stream, as `discover` tells it.
pub(crate) fn catalog_entry() -> Value {
    Entry {
        name: NAME,
        json_schema: &SCHEMA.json,
        cursor_field: Some(CURSOR_FIELD),
        primary_key: &[CURSOR_FIELD, "slice"],
    }
    .to_json()
}

/// The receipts of one sync.
#[derive(Debug)]
pub(crate) struct Audit {
    started_at: DateTime<Utc>,
    slices: u64,
    /// What had been asked when the last slice ended.
    counts: RequestCounts,
}

impl Audit {
    /// Of a sync that starts now. A saved state from the future is a later start: then there is none.
    pub(crate) fn new(started_at: DateTime<Utc>, saved: Option<&Value>) -> Option<Self> {
        let last = saved.and_then(|state| state[CURSOR_FIELD].as_str()).and_then(timestamp::parse);
        let audit = Self { started_at, slices: 0, counts: RequestCounts::default() };
        last.is_none_or(|last| last < started_at).then_some(audit)
    }

    /// The read of the orders begins; `counts` is what was asked before it.
    pub(crate) fn begin(&mut self, counts: RequestCounts) {
        self.counts = counts;
    }

    /// Writes a receipt.
    pub(crate) fn slice(
        &mut self,
        output: &mut Output,
        tally: &Totals,
        counts: RequestCounts,
    ) -> Result<(), Failure> {
        self.slices += 1;
        let since = counts.since(self.counts);
        let record = json!({
            CURSOR_FIELD: timestamp::write(self.started_at),
            "slice": self.slices,
            "part": if tally.changes { "changes" } else { "range" },
            "fromDraftCreatedAt": tally.from.map(timestamp::write),
            "untilDraftCreatedAt": tally.until.map(timestamp::write),
            "ordersRead": tally.read,
            "ordersWritten": tally.written,
            "totalPrice": tally.total.to_string(),
            "ordersWithoutTotalPrice": tally.without_total,
            "ordersWhoseAmountsDoNotAddUp": tally.amounts_off,
            "idSum": tally.ids.to_string(),
            "digest": format!("{:016x}", tally.digest),
            "ordersVanished": tally.gone,
            "requests": since.requests,
            "refused": since.refused,
            "repeated": since.repeated,
        });
        self.counts = counts;
        output.record(NAME, record.to_string().as_bytes(), &[])
    }

    /// The stream's state.
    pub(crate) fn state(&self) -> Value {
        json!({CURSOR_FIELD: timestamp::write(self.started_at)})
    }
}
