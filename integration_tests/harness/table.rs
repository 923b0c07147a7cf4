//! The table that a destination would hold, against what the sandbox says it should.

use std::collections::{BTreeMap, HashSet};

use aifi_sandbox::Expected;
use serde_json::Value;

/// One row, as far as it is compared.
type Row = (u64, String, String, String, u64, String, String);

fn row(record: &Value) -> Row {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| record[name].as_u64().unwrap_or_default();
    (
        number("version"),
        text("draftCreatedAt"),
        text("status"),
        text("updatedAt"),
        number("storeId"),
        text("totalPrice"),
        record["products"].as_array().map_or(0, Vec::len).to_string(),
    )
}

fn expected_row(expected: &Expected) -> (String, Row) {
    let Expected { id, version, draft_created_at, status, store_id, total_price, updated_at, products } =
        expected.clone();
    (
        id,
        (
            version.into(),
            draft_created_at,
            status,
            updated_at,
            store_id.into(),
            total_price,
            products.to_string(),
        ),
    )
}

/// The ids of records, in the order in which they came.
pub fn ids(records: &[&Value]) -> Vec<String> {
    records.iter().map(|record| record["id"].to_string()).collect()
}

/// The sum of the exact totals, in hundredths.
pub fn total<'a>(prices: impl Iterator<Item = &'a str>) -> i128 {
    let hundredths = |price: &str| -> i128 {
        let (whole, fraction) = price.split_once('.').unwrap_or((price, "00"));
        assert_eq!(fraction.len(), 2, "{price}");
        format!("{whole}{fraction}").parse().expect("digits")
    };
    prices.map(hundredths).sum()
}

/// The records, upserted by key in the order in which they came, are exactly what is expected: none missing, none more,
/// none stale; and the totals are equal to the cent. With `once`, no order came twice.
#[track_caller]
pub fn assert_holds(records: &[&Value], expected: &[Expected], once: bool) {
    let mut table = BTreeMap::new();
    let mut seen = HashSet::new();
    for record in records {
        let id = record["id"].to_string();
        assert!(seen.insert(id.clone()) || !once, "order {id} came twice");
        table.insert(id, row(record));
    }
    let expected_table: BTreeMap<String, Row> = expected.iter().map(expected_row).collect();
    let missing: Vec<_> = expected_table.keys().filter(|id| !table.contains_key(*id)).take(5).collect();
    assert!(
        missing.is_empty(),
        "missing, of {} expected and {} read: {missing:?}",
        expected_table.len(),
        table.len()
    );
    let more: Vec<_> = table.keys().filter(|id| !expected_table.contains_key(*id)).take(5).collect();
    assert!(more.is_empty(), "not expected: {more:?}");
    for (id, row) in &expected_table {
        assert_eq!(&table[id], row, "order {id}");
    }
    let sum = total(table.values().map(|row| row.5.as_str()));
    assert_eq!(sum, total(expected.iter().map(|expected| expected.total_price.as_str())));
}
