//! Reads the log in order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::{Store, now};

/// A page holds no more than this many bytes of bodies and answers, and at least one event.
const PAGE_BYTES: i64 = 8 << 20;
/// An answer that is larger is left out of pages, so that no event is too large to be read.
const ANSWER_BYTES: usize = 1 << 20;

/// An event as readers get it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    /// Its place in the log; a further delivery or an answer moves it to a new one.
    pub(crate) seq: i64,
    /// Names the event.
    pub(crate) event: String,
    /// Whether the body is a checkout event as documented.
    pub(crate) recognised: bool,
    /// `orderId`, as text.
    pub(crate) order_id: Option<String>,
    /// `status`.
    pub(crate) status: Option<String>,
    /// `timeOfOrigin`, as sent.
    pub(crate) time_of_origin: Option<String>,
    /// When the first delivery came.
    pub(crate) first_received_at: String,
    /// When the latest delivery came.
    pub(crate) last_received_at: String,
    /// How often it came.
    pub(crate) delivery_count: i64,
    /// `none`, `unknown`, `answered`, `failed` or `late`.
    pub(crate) relay: String,
    /// The status that the target of the relay answered last.
    pub(crate) answer_status: Option<i64>,
    /// How long the target took, in milliseconds, also where it did not answer.
    pub(crate) answer_millis: Option<i64>,
    /// The body of that answer; none, if it is larger than 1 MiB.
    #[serde(flatten, serialize_with = "answer")]
    pub(crate) answer_body: Option<Vec<u8>>,
    /// The body as sent.
    #[serde(flatten, serialize_with = "payload")]
    pub(crate) body: Vec<u8>,
}

impl<'r> FromRow<'r, AnyRow> for Event {
    fn from_row(row: &'r AnyRow) -> sqlx::Result<Self> {
        let order_id: Option<String> = row.try_get("order_id")?;
        Ok(Self {
            seq: row.try_get("seq")?,
            event: row.try_get("identity")?,
            recognised: order_id.is_some(),
            order_id,
            status: row.try_get("status")?,
            time_of_origin: row.try_get("time_of_origin")?,
            first_received_at: stamp(row.try_get("first_received")?),
            last_received_at: stamp(row.try_get("last_received")?),
            delivery_count: row.try_get("delivery_count")?,
            relay: row.try_get("relay")?,
            answer_status: row.try_get("answer_status")?,
            answer_millis: row.try_get("answer_millis")?,
            answer_body: row
                .try_get::<Option<Vec<u8>>, _>("answer_body")?
                .filter(|body| body.len() <= ANSWER_BYTES),
            body: row.try_get("body")?,
        })
    }
}

fn stamp(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn payload<S: serde::Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    text_or_base64(Some(body), "payload", "payloadBase64", serializer)
}

fn answer<S: serde::Serializer>(body: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    text_or_base64(body.as_deref(), "answerBody", "answerBodyBase64", serializer)
}

/// Bytes that are a text come as it; others in Base64, under a name of their own. Control characters are none of a text:
/// escaped, each would take six bytes.
fn text_or_base64<S: serde::Serializer>(
    bytes: Option<&[u8]>,
    text: &'static str,
    base64: &'static str,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let mut map = serializer.serialize_map(Some(1))?;
    let is_control = |c: char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t');
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => map.serialize_entry(text, &None::<&str>)?,
        Some((_, Ok(value))) if !value.contains(is_control) => map.serialize_entry(text, value)?,
        Some((bytes, _)) => map.serialize_entry(base64, &STANDARD.encode(bytes))?,
    }
    map.end()
}

/// A part of the log.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    /// The events come after this number.
    pub(crate) after: i64,
    /// Events in order.
    pub(crate) events: Vec<Event>,
    /// Every event that there was up to this number is in this page or in those before it.
    pub(crate) through: i64,
    /// The highest number given when the page was read.
    pub(crate) head: i64,
    /// Events up to this number may have been deleted by age or size.
    pub(crate) pruned: i64,
    /// Whether more events follow.
    pub(crate) more: bool,
}

/// Where the log and a reader stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The reader has seen what this log holds.
    Agreed,
    /// Numbers were given again: both agree only up to this one.
    Rewound(i64),
}

/// A named reader.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reader {
    /// The name that it gives itself.
    pub(crate) name: String,
    /// It came back with this number, so everything up to it has arrived.
    pub(crate) passed: i64,
    /// How many numbers it stands behind the head.
    pub(crate) lag: i64,
}

/// What the store holds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    /// The highest number given.
    pub(crate) head: i64,
    /// Events up to this number were pruned.
    pub(crate) pruned: i64,
    /// How many events there are.
    pub(crate) events: i64,
    /// How many of them were not recognised.
    pub(crate) unrecognised: i64,
    /// The named readers.
    pub(crate) readers: Vec<Reader>,
}

impl Store {
    /// The highest number given, and up to which one events were pruned.
    ///
    /// # Errors
    /// When the store does not answer; so for all functions here.
    pub(crate) async fn bounds(&self) -> sqlx::Result<(i64, i64)> {
        let row = sqlx::query("SELECT head, pruned FROM log WHERE id = 1").fetch_one(&self.pool).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Up to `limit` events after the number `after`.
    pub(crate) async fn page(&self, after: i64, limit: i64) -> sqlx::Result<Page> {
        let (head, pruned) = self.bounds().await?;
        let sizes = sqlx::query(
            "SELECT seq, length(body) + coalesce(length(answer_body), 0) FROM events WHERE seq > $1 \
             ORDER BY seq LIMIT $2",
        )
        .bind(after)
        .bind(limit + 1)
        .fetch_all(&self.pool)
        .await?;
        let (mut last, mut bytes, mut taken) = (after, 0, 0);
        for row in &sizes {
            // SQLite counts in one type, PostgreSQL in another.
            let size = row.try_get::<i64, _>(1).or_else(|_| row.try_get::<i32, _>(1).map(i64::from))?;
            if taken == limit || (taken > 0 && bytes + size > PAGE_BYTES) {
                break;
            }
            (last, bytes, taken) = (row.try_get(0)?, bytes + size, taken + 1);
        }
        let more = (taken as usize) < sizes.len();
        // An event that moves in between is not missed: it comes later under its new number.
        let events = sqlx::query_as("SELECT * FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq")
            .bind(after)
            .bind(last)
            .fetch_all(&self.pool)
            .await?;
        // Whoever sees a number sees every lower one, so up to the head of before nothing can come any more.
        let through = if more { last } else { head.max(last) };
        Ok(Page { after, events, through, head, pruned, more })
    }

    /// Whether this log still holds what a reader saw at `after`.
    pub(crate) async fn standing(
        &self,
        after: i64,
        seen: Option<&str>,
        reader: Option<&str>,
    ) -> sqlx::Result<Standing> {
        let (head, pruned) = self.bounds().await?;
        let agreed = match seen {
            _ if after > head => false,
            None => true,
            Some(_) if after <= pruned => true,
            Some(event) => {
                // An event moves to higher numbers only, and what was erased left its name behind.
                let known = sqlx::query(
                    "SELECT seq FROM events WHERE identity = $1 UNION ALL SELECT seq FROM erased WHERE identity = $1",
                )
                .bind(event)
                .fetch_all(&self.pool)
                .await?;
                let mut stands = false;
                for row in known {
                    stands |= row.try_get::<i64, _>(0)? >= after;
                }
                let other = sqlx::query("SELECT 1 FROM events WHERE seq = $1 AND identity <> $2")
                    .bind(after)
                    .bind(event)
                    .fetch_optional(&self.pool)
                    .await?;
                stands && other.is_none()
            }
        };
        if agreed {
            return Ok(Standing::Agreed);
        }
        // What this log remembers of the reader was true on both sides before they parted.
        let passed = match reader {
            None => None,
            Some(name) => {
                sqlx::query("SELECT passed FROM readers WHERE name = $1")
                    .bind(name)
                    .fetch_optional(&self.pool)
                    .await?
            }
        };
        let passed: i64 = passed.map_or(Ok(0), |row| row.try_get(0))?;
        Ok(Standing::Rewound(if passed < after { passed.min(head) } else { 0 }))
    }

    /// Notes that a reader has come back with the number `after`.
    pub(crate) async fn passed(&self, reader: &str, after: i64, seen: Option<&str>) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO readers (name, passed, event, read_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET passed = excluded.passed, event = excluded.event, \
             read_at = excluded.read_at WHERE readers.passed <> excluded.passed",
        )
        .bind(reader)
        .bind(after)
        .bind(seen)
        .bind(now())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The named readers, by name.
    pub(crate) async fn readers(&self) -> sqlx::Result<Vec<Reader>> {
        let (head, _) = self.bounds().await?;
        let rows =
            sqlx::query("SELECT name, passed FROM readers ORDER BY name").fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                let passed: i64 = row.try_get(1)?;
                Ok(Reader { name: row.try_get(0)?, passed, lag: (head - passed).max(0) })
            })
            .collect()
    }

    /// What the store holds.
    pub(crate) async fn status(&self) -> sqlx::Result<Status> {
        let (head, pruned) = self.bounds().await?;
        let row = sqlx::query("SELECT count(*), count(*) - count(order_id) FROM events")
            .fetch_one(&self.pool)
            .await?;
        let (events, unrecognised) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Status { head, pruned, events, unrecognised, readers: self.readers().await? })
    }
}
