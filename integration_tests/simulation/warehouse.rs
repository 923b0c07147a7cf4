//! The table that a destination would hold, and how late changes arrive in it.

use std::collections::{BTreeMap, HashMap};

use aifi_sandbox::Expected;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use source_aifi::orders::streams::OrderStream;
use source_aifi::orders::sync::Effect;

/// A change that has not arrived yet: when it happened, and what the row has then.
#[derive(Clone, Debug)]
struct Pending {
    at: DateTime<Utc>,
    status: &'static str,
}

/// Records upserted by key, and the last state.
#[derive(Default)]
pub struct Warehouse {
    table: BTreeMap<u64, Value>,
    pub state: Option<Value>,
    pub written: u64,
    pending: HashMap<u64, Vec<Pending>>,
    pub delays: Vec<TimeDelta>,
}

impl Warehouse {
    /// Takes what a sync has written.
    pub fn take(&mut self, steps: &[Effect], now: DateTime<Utc>) {
        for step in steps {
            match step {
                Effect::Record(row) => {
                    self.written += 1;
                    let record: Value = serde_json::from_slice(&row.data).unwrap();
                    if let Some(pending) = self.pending.get_mut(&row.id) {
                        // A change that another one has overtaken arrives with it.
                        let arrived = pending.iter().rposition(|change| record["status"] == change.status);
                        if let Some(arrived) = arrived {
                            let times = pending.drain(..=arrived).map(|change| now - change.at);
                            self.delays.extend(times);
                        }
                    }
                    self.table.insert(row.id, record);
                }
                Effect::State(state) => self.state = Some(state.write(OrderStream::Orders)),
                _ => (),
            }
        }
    }

    /// An order has changed to this status. Only what was written before can become stale.
    pub fn changed(&mut self, id: u64, status: &'static str, at: DateTime<Utc>) {
        self.pending.entry(id).or_default().push(Pending { at, status });
    }

    /// The current row of each order: of one session the one with the highest version. It is the view that the user page
    /// recommends.
    fn current(&self) -> BTreeMap<String, &Value> {
        let mut of_session: HashMap<&str, &Value> = HashMap::new();
        for row in self.table.values() {
            let session = row["sessionId"].as_str().expect("each order of the sandbox has a session");
            let newest = of_session.entry(session).or_insert(row);
            if row["version"].as_u64() > newest["version"].as_u64() {
                *newest = row;
            }
        }
        of_session.into_values().map(|row| (row["id"].to_string(), row)).collect()
    }

    /// The current rows are what the API holds: none missing, none more, none stale, the sum equal to the cent.
    #[track_caller]
    pub fn assert_holds(&self, expected: &[Expected], name: &str) {
        let current = self.current();
        let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
        for order in expected {
            let Some(row) = current.get(&order.id) else {
                panic!("{name}: order {} of {} is missing", order.id, order.draft_created_at);
            };
            let found = (
                row["version"].as_u64(),
                text(row, "status"),
                text(row, "totalPrice"),
                text(row, "updatedAt"),
            );
            let truth = (
                Some(u64::from(order.version)),
                order.status.clone(),
                order.total_price.clone(),
                order.updated_at.clone(),
            );
            assert_eq!(found, truth, "{name}: order {} of {} is stale", order.id, order.draft_created_at);
        }
        assert_eq!(current.len(), expected.len(), "{name}: more current rows than orders");
    }
}
