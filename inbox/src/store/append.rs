//! Writes groups of changes, each in one transaction.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection, Row, Transaction};

use super::{REST, Store, Writing};
use crate::identity::{Recognised, identity};

/// Rows of one statement; powers of two, so that few statements are prepared.
const ROWS: usize = 256;
/// Bytes of bodies in one statement: its text holds a copy of them. One body may be larger.
const STATEMENT: usize = 4 << 20;

/// One delivery of an event.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// Names this delivery, so that a spool that is drained twice counts it once.
    pub(crate) id: String,
    /// Names the event.
    pub(crate) identity: String,
    /// The body as sent.
    pub(crate) body: Bytes,
    /// What could be read of it.
    pub(crate) recognised: Recognised,
    /// Microseconds since 1970.
    pub(crate) received: i64,
    /// What is known of the relay so far.
    pub(crate) relay: Relay,
}

impl Delivery {
    /// A delivery of `body` that arrived at `received`.
    pub(crate) fn new(id: String, body: Bytes, received: i64, relay: Relay) -> Self {
        let (identity, recognised) = (identity(&body), Recognised::of(&body));
        Self { id, identity, body, recognised, received, relay }
    }
}

/// What became of forwarding an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Relay {
    /// There is no relay.
    None,
    /// It was received; whether the target got it is not known (yet).
    Unknown,
    /// The target answered.
    Answered,
    /// The target could not be reached, or broke off.
    Failed,
    /// The target took too long.
    Late,
}

impl Relay {
    /// The word in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unknown => "unknown",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Late => "late",
        }
    }
}

/// What the target of the relay made of an event.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Names the event.
    pub(crate) identity: String,
    /// What became of it.
    pub(crate) relay: Relay,
    /// The status of the answer.
    pub(crate) status: Option<u16>,
    /// How long the target took, in milliseconds; none, where an older version has written it down.
    pub(crate) millis: Option<u32>,
    /// The body of the answer.
    pub(crate) body: Option<Bytes>,
}

/// A change of the log.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// An event came, for the first time or again.
    Delivered(Delivery),
    /// The relay has ended.
    Relayed(Outcome),
}

/// What a group did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Events that are new.
    pub(crate) new: u64,
    /// Deliveries of events that were there, or came twice in this group.
    pub(crate) repeats: u64,
}

/// What is written one after the other.
enum Part<'a> {
    Delivered(Vec<Folded<'a>>),
    Relayed(Vec<&'a Outcome>),
}

impl Part<'_> {
    /// How many numbers it takes.
    fn numbers(&self) -> usize {
        match self {
            Self::Delivered(folded) => folded.len(),
            Self::Relayed(outcomes) => outcomes.len(),
        }
    }
}

/// Deliveries of one event within a group.
struct Folded<'a> {
    last: &'a Delivery,
    first_received: i64,
    count: i64,
}

impl Store {
    /// Writes the changes in one transaction; durable when this returns.
    ///
    /// # Errors
    /// When the store does not take them; then none of them is there.
    pub(crate) async fn append(&self, changes: &[Change]) -> sqlx::Result<Appended> {
        let mut writing = self.writing.lock().await;
        let mut connection = match writing.take() {
            Some(Writing { connection, since }) if since.elapsed() < REST => connection,
            // The server may have hung up since.
            Some(Writing { mut connection, .. }) => match connection.ping().await {
                Ok(()) => connection,
                Err(_) => self.fresh().await?,
            },
            None => self.fresh().await?,
        };
        let appended = self.append_on(&mut connection, changes).await?;
        *writing = Some(Writing { connection, since: Instant::now() });
        Ok(appended)
    }

    async fn append_on(&self, connection: &mut AnyConnection, changes: &[Change]) -> sqlx::Result<Appended> {
        let mut transaction = self.numbering(connection).await?;
        let parts = parts(changes);
        let numbers: usize = parts.iter().map(Part::numbers).sum();
        let row = sqlx::query("UPDATE log SET head = head + $1 WHERE id = 1 RETURNING head - $1")
            .bind(numbers as i64)
            .fetch_one(&mut *transaction)
            .await?;
        let mut head: i64 = row.try_get(0)?;
        let mut appended = Appended::default();
        for part in &parts {
            match part {
                Part::Relayed(outcomes) => {
                    let mut rest = outcomes.as_slice();
                    while !rest.is_empty() {
                        let (now, later) = rest.split_at(fitting(rest, |outcome| outcome.body.as_ref()));
                        relayed(&mut transaction, &mut head, now).await?;
                        rest = later;
                    }
                }
                Part::Delivered(folded) => {
                    let mut rest = folded.as_slice();
                    while !rest.is_empty() {
                        let (now, later) = rest.split_at(fitting(rest, |event| Some(&event.last.body)));
                        let new = insert(&mut transaction, &mut head, now).await?;
                        appended.new += new;
                        appended.repeats += now.iter().map(|event| event.count as u64).sum::<u64>() - new;
                        rest = later;
                    }
                }
            }
        }
        transaction.commit().await?;
        Ok(appended)
    }
}

/// All deliveries, then all outcomes, as far as that changes nothing: an outcome comes behind its own delivery, and before a
/// later one of the same event.
fn parts(changes: &[Change]) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut deliveries, mut outcomes): (Vec<&Delivery>, HashMap<&str, &Outcome>) = Default::default();
    let mut flush = |deliveries: &mut Vec<_>, outcomes: &mut HashMap<_, _>| {
        parts.push(Part::Delivered(fold(deliveries)));
        parts.push(Part::Relayed(outcomes.drain().map(|(_, outcome)| outcome).collect()));
        deliveries.clear();
    };
    for change in changes {
        match change {
            Change::Delivered(delivery) => {
                if outcomes.contains_key(delivery.identity.as_str()) {
                    flush(&mut deliveries, &mut outcomes);
                }
                deliveries.push(delivery);
            }
            // Of two outcomes of one event the later one stays.
            Change::Relayed(outcome) => drop(outcomes.insert(&outcome.identity, outcome)),
        }
    }
    flush(&mut deliveries, &mut outcomes);
    parts
}

fn fold<'a>(deliveries: &[&'a Delivery]) -> Vec<Folded<'a>> {
    let mut folded: Vec<Folded> = Vec::with_capacity(deliveries.len());
    let mut places = HashMap::new();
    for &delivery in deliveries {
        match places.get(delivery.identity.as_str()) {
            Some(&place) => {
                let event: &mut Folded = &mut folded[place];
                event.last = delivery;
                event.count += 1;
            }
            None => {
                places.insert(delivery.identity.as_str(), folded.len());
                folded.push(Folded { last: delivery, first_received: delivery.received, count: 1 });
            }
        }
    }
    folded
}

/// How many of these rows, at least one, the next statement takes.
fn fitting<T>(rows: &[T], body: impl Fn(&T) -> Option<&Bytes>) -> usize {
    let mut bytes = 0;
    let fit = rows.iter().take_while(|row| {
        bytes += body(row).map_or(0, Bytes::len);
        bytes <= STATEMENT
    });
    1 << fit.take(ROWS).count().max(1).ilog2()
}

/// Writes events and returns how many are new.
async fn insert(
    transaction: &mut Transaction<'_, Any>,
    head: &mut i64,
    events: &[Folded<'_>],
) -> sqlx::Result<u64> {
    let sql = format!(
        "INSERT INTO events (identity, seq, order_id, status, time_of_origin, body, first_received, \
         last_received, delivery_count, last_delivery, relay) VALUES {} \
         ON CONFLICT (identity) DO UPDATE SET seq = excluded.seq, last_received = excluded.last_received, \
         delivery_count = events.delivery_count + excluded.delivery_count, \
         last_delivery = excluded.last_delivery, relay = excluded.relay \
         WHERE events.last_delivery <> excluded.last_delivery \
         RETURNING identity, delivery_count",
        places(events.len(), 11)
    );
    // The text holds places of parameters only.
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for event in events {
        *head += 1;
        let last = event.last;
        query = query
            .bind(last.identity.as_str())
            .bind(*head)
            .bind(last.recognised.order_id.as_deref())
            .bind(last.recognised.status.as_deref())
            .bind(last.recognised.time_of_origin.as_deref())
            .bind(last.body.as_ref())
            .bind(event.first_received)
            .bind(last.received)
            .bind(event.count)
            .bind(last.id.as_str())
            .bind(last.relay.name());
    }
    let counts: HashMap<&str, i64> =
        events.iter().map(|event| (event.last.identity.as_str(), event.count)).collect();
    let mut new = 0;
    for row in query.fetch_all(&mut **transaction).await? {
        let (identity, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        new += u64::from(counts.get(identity.as_str()) == Some(&count));
    }
    Ok(new)
}

async fn relayed(
    transaction: &mut Transaction<'_, Any>,
    head: &mut i64,
    outcomes: &[&Outcome],
) -> sqlx::Result<()> {
    let sql = format!(
        "UPDATE events SET seq = told.column1, relay = told.column2, answer_status = told.column3, \
         answer_millis = told.column4, answer_body = told.column5 FROM (VALUES {}) AS told \
         WHERE identity = told.column6",
        places(outcomes.len(), 6)
    );
    // The text holds places of parameters only.
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for outcome in outcomes {
        *head += 1;
        query = query
            .bind(*head)
            .bind(outcome.relay.name())
            .bind(outcome.status.map(i64::from))
            .bind(outcome.millis.map(i64::from))
            .bind(outcome.body.as_deref())
            .bind(outcome.identity.as_str());
    }
    query.execute(&mut **transaction).await?;
    Ok(())
}

/// Places of parameters: `($1, $2), ($3, $4)` for two rows of two columns.
fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<_> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(event: &str) -> Change {
        let recognised = Recognised::default();
        let (body, received, relay) = (Bytes::new(), 0, Relay::Unknown);
        Change::Delivered(Delivery {
            id: String::new(),
            identity: event.into(),
            body,
            recognised,
            received,
            relay,
        })
    }

    fn outcome(event: &str, status: u16) -> Change {
        let identity = event.to_owned();
        Change::Relayed(Outcome {
            identity,
            relay: Relay::Answered,
            status: Some(status),
            millis: None,
            body: None,
        })
    }

    /// The parts in short: events, then statuses.
    fn told(changes: &[Change]) -> Vec<String> {
        let part = |part: &Part| match part {
            Part::Delivered(folded) => {
                folded.iter().map(|event| format!("{}{}", event.last.identity, event.count)).collect()
            }
            Part::Relayed(outcomes) => {
                outcomes.iter().map(|outcome| format!("={}", outcome.status.unwrap())).collect::<String>()
            }
        };
        parts(changes).iter().map(part).filter(|part| !part.is_empty()).collect()
    }

    #[test]
    fn deliveries_come_first_unless_an_outcome_of_the_same_event_is_before() {
        let mixed = [delivered("a"), outcome("a", 200), delivered("b"), delivered("b")];
        assert_eq!(told(&mixed), ["a1b2", "=200"]);
        let again = [delivered("a"), outcome("a", 200), delivered("a"), outcome("a", 500)];
        assert_eq!(told(&again), ["a1", "=200", "a1", "=500"]);
        assert_eq!(told(&[outcome("a", 200), outcome("a", 500)]), ["=500"], "the later one stays");
        assert!(told(&[]).is_empty());
    }
}
