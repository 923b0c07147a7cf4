//! What tests of all rooms need.

use super::page::{Amounts, Row};
use crate::timestamp;

/// A row for tests: of the `second`-th second, with this id.
pub(crate) fn row(second: i64, id: u64) -> Row {
    Row {
        at: timestamp::parse("2025-11-01T00:00:00Z").unwrap() + chrono::TimeDelta::seconds(second),
        id,
        version: 1,
        is_latest: Some(true),
        session: Some(format!("s{id}").into()),
        status: None,
        store_id: None,
        updated: None,
        superseded: false,
        replaced: false,
        alone: false,
        amounts: Amounts::default(),
        data: bytes::Bytes::new(),
        changes: Vec::new(),
    }
}
