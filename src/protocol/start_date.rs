//! From which start date on a state speaks. Pure.
//!
//! A state says that everything before its cursor is written; it means everything from the start date on. So a state carries
//! the start date. If that is moved to an earlier day afterwards, an incremental sync reads what lies between, and a full
//! refresh that was cut off begins anew.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::generation::is_of_full_refresh;
use crate::timestamp;

/// Where a state says from which start date on it speaks.
pub(crate) const START_DATE: &str = "startDate";

/// From which start date on a state speaks. None in states of version 0.3.0 and before.
pub(crate) fn of(state: &Value) -> Option<DateTime<Utc>> {
    state[START_DATE].as_str().and_then(timestamp::parse)
}

/// From which start date on the next state speaks, after one that spoke `from`. A later one says less, which is true as well.
pub(crate) fn next(from: Option<DateTime<Utc>>, configured: DateTime<Utc>) -> DateTime<Utc> {
    from.map_or(configured, |from| from.max(configured))
}

/// Whether a saved state may be resumed from. That of a full refresh cannot be, if it speaks from a later start date than the
/// `configured` one.
pub(crate) fn counts(state: &Value, configured: DateTime<Utc>) -> bool {
    !is_of_full_refresh(state) || of(state).is_none_or(|from| from <= configured)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::generation::{FULL_REFRESH, FULL_REFRESH_COMPLETE};

    const MAY: &str = "2025-05-01T00:00:00.000Z";
    const JUNE: &str = "2025-06-01T00:00:00.000Z";

    #[test]
    fn a_full_refresh_from_a_later_start_date_begins_anew() {
        let configured = timestamp::parse(MAY).unwrap();
        for (state, is_resumed) in [
            (json!({FULL_REFRESH: true, START_DATE: JUNE}), false),
            (json!({FULL_REFRESH_COMPLETE: true, START_DATE: JUNE}), false),
            (json!({FULL_REFRESH: true, START_DATE: MAY}), true),
            (json!({FULL_REFRESH: true}), true),
            (json!({"draftCreatedAt": JUNE, START_DATE: JUNE}), true),
        ] {
            assert_eq!(counts(&state, configured), is_resumed, "{state}");
        }
    }

    #[test]
    fn a_later_start_date_says_less() {
        let [may, june] = [MAY, JUNE].map(|text| timestamp::parse(text).unwrap());
        assert_eq!(of(&json!({START_DATE: MAY})), Some(may));
        assert_eq!(of(&json!({START_DATE: "soon"})), None);
        assert_eq!([None, Some(may), Some(june)].map(|from| next(from, may)), [may, may, june]);
        assert_eq!(next(Some(may), june), june);
    }
}
