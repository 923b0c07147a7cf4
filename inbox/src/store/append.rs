//! Writes groups of changes, each in one transaction.

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection, Row, Transaction};

use super::Store;
use crate::identity::{Recognised, identity};

/// Rows of one statement; powers of two, so that few statements are prepared.
const ROWS: usize = 64;
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
            Some(connection) => connection,
            None => self.fresh().await?,
        };
        // The server may have hung up since.
        if connection.ping().await.is_err() {
            connection = self.fresh().await?;
        }
        let appended = self.append_on(&mut connection, changes).await?;
        *writing = Some(connection);
        Ok(appended)
    }

    async fn append_on(&self, connection: &mut AnyConnection, changes: &[Change]) -> sqlx::Result<Appended> {
        let mut transaction = self.numbering(connection).await?;
        let row = sqlx::query("SELECT head FROM log WHERE id = 1").fetch_one(&mut *transaction).await?;
        let mut head: i64 = row.try_get(0)?;
        let mut appended = Appended::default();
        // An outcome follows its delivery, so those before it are written first.
        for part in changes
            .chunk_by(|one, other| matches!((one, other), (Change::Delivered(_), Change::Delivered(_))))
        {
            match part {
                [Change::Relayed(outcome)] => {
                    head += 1;
                    relayed(&mut transaction, head, outcome).await?;
                }
                deliveries => {
                    let folded = fold(deliveries);
                    let mut rest = folded.as_slice();
                    while !rest.is_empty() {
                        let (now, later) = rest.split_at(rows(rest));
                        let new = insert(&mut transaction, &mut head, now).await?;
                        appended.new += new;
                        appended.repeats += now.iter().map(|event| event.count as u64).sum::<u64>() - new;
                        rest = later;
                    }
                }
            }
        }
        sqlx::query("UPDATE log SET head = $1 WHERE id = 1").bind(head).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(appended)
    }
}

fn fold(changes: &[Change]) -> Vec<Folded<'_>> {
    let mut folded: Vec<Folded> = Vec::with_capacity(changes.len());
    let mut places = HashMap::new();
    for change in changes {
        let Change::Delivered(delivery) = change else { continue };
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

/// How many of these events, at least one, the next statement takes.
fn rows(events: &[Folded<'_>]) -> usize {
    let mut bytes = 0;
    let fit = events.iter().take_while(|event| {
        bytes += event.last.body.len();
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
    let places: Vec<String> = (0..events.len())
        .map(|row| {
            let place = |column| format!("${}", row * 11 + column);
            format!("({})", (1..=11).map(place).collect::<Vec<_>>().join(", "))
        })
        .collect();
    let sql = format!(
        "INSERT INTO events (identity, seq, order_id, status, time_of_origin, body, first_received, \
         last_received, delivery_count, last_delivery, relay) VALUES {} \
         ON CONFLICT (identity) DO UPDATE SET seq = excluded.seq, last_received = excluded.last_received, \
         delivery_count = events.delivery_count + excluded.delivery_count, \
         last_delivery = excluded.last_delivery, relay = excluded.relay \
         WHERE events.last_delivery <> excluded.last_delivery \
         RETURNING identity, delivery_count",
        places.join(", ")
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

async fn relayed(transaction: &mut Transaction<'_, Any>, seq: i64, outcome: &Outcome) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE events SET seq = $1, relay = $2, answer_status = $3, answer_body = $4 WHERE identity = $5",
    )
    .bind(seq)
    .bind(outcome.relay.name())
    .bind(outcome.status.map(i64::from))
    .bind(outcome.body.as_deref())
    .bind(outcome.identity.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
