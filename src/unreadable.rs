//! The opt-in stream `unreadable_rows`: items of lists that no record can be made of, as the API sent them.
//!
//! A record needs its primary key. An item without one is passed over, so that the others arrive and the state moves on;
//! it is logged by its place, and kept raw here for those who select the stream.

use std::collections::HashSet;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::failure::Failure;
use crate::protocol::catalog::Entry;
use crate::protocol::message::Level;
use crate::protocol::output::Output;
use crate::record::personal::Personal;
use crate::record::schema::Schema;
use crate::timestamp;

/// The stream's name.
pub(crate) const NAME: &str = "unreadable_rows";
/// The cursor field: when the sync began that met the item.
const CURSOR_FIELD: &str = "seenAt";

/// So many items are logged one by one; of the others, the number.
const LOGGED: u64 = 5;

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::embedded(include_str!("../spec/unreadable_rows.json")));

/// The stream, as `discover` describes it. `personal` says what is done to personal values.
pub(crate) fn catalog_entry(personal: &Personal) -> Value {
    Entry {
        name: NAME,
        json_schema: &personal.declared(&SCHEMA),
        cursor_field: Some(CURSOR_FIELD),
        primary_key: &["id"],
    }
    .to_json()
}

/// Why no record can be made of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is not an object.
    NotAnObject,
    /// It has no primary key that can be read.
    NoId,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::NoId => "no_id",
        }
    }

    fn clause(self) -> &'static str {
        match self {
            Self::NotAnObject => "is not an object",
            Self::NoId => "has no id that can be read",
        }
    }
}

/// An item of a response that no record can be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its number in the response, from 0.
    pub position: usize,
    /// Why.
    pub reason: Reason,
    /// The key of the record before it in the response.
    pub previous: Option<String>,
    /// The key of the record behind it in the response.
    pub next: Option<String>,
    /// The JSON that the API sent.
    pub raw: String,
}

/// The unreadable rows of one sync, of all streams.
#[derive(Debug)]
pub(crate) struct UnreadableRows {
    selected: bool,
    seen_at: DateTime<Utc>,
    personal: Personal,
    /// Digests of those that were written or logged: an item comes with each response that covers its place.
    seen: HashSet<u64>,
}

impl UnreadableRows {
    /// Of a sync that begins at `seen_at`; `selected` says whether the stream is, `personal` what is done to the items, which
    /// may hold anything.
    pub(crate) fn new(selected: bool, seen_at: DateTime<Utc>, personal: Personal) -> Self {
        Self { selected, seen_at, personal, seen: HashSet::new() }
    }

    /// Whether the stream is selected.
    pub(crate) fn is_selected(&self) -> bool {
        self.selected
    }

    /// Writes what was not met before in this sync, with a state, so that it is kept before the state of its stream moves on.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub(crate) fn write(
        &mut self,
        output: &mut Output,
        stream: &str,
        request: &str,
        items: Vec<Item>,
    ) -> Result<(), Failure> {
        let mut written = false;
        for item in items {
            let digest = xxh3_64(format!("{stream}\n{}", item.raw).as_bytes());
            if !self.seen.insert(digest) {
                continue;
            }
            if self.seen.len() as u64 <= LOGGED {
                output.log(Level::Warn, &self.line(stream, request, &item))?;
            }
            if self.selected {
                let raw = self.personal.text(item.raw);
                // A digest of what is hidden could be tried out.
                let id = match &raw {
                    Some(raw) => xxh3_64(format!("{stream}\n{raw}").as_bytes()),
                    None => xxh3_64(format!("{request}\n{}", item.position).as_bytes()),
                };
                let record = json!({
                    "id": format!("{id:016x}"),
                    CURSOR_FIELD: timestamp::write(self.seen_at),
                    "stream": stream,
                    "request": request,
                    "position": item.position,
                    "reason": item.reason.name(),
                    "previousId": item.previous,
                    "nextId": item.next,
                    "rawItem": raw,
                });
                output.record(NAME, record.to_string().as_bytes(), &[])?;
                written = true;
            }
        }
        if written { output.state(NAME, &self.state()) } else { Ok(()) }
    }

    fn line(&self, stream: &str, request: &str, item: &Item) -> String {
        let Item { position, reason, previous, next, .. } = item;
        let near = match (previous, next) {
            (Some(previous), Some(next)) => format!(", between the ids {previous} and {next}"),
            (Some(previous), None) => format!(", after the id {previous}"),
            (None, Some(next)) => format!(", before the id {next}"),
            (None, None) => String::new(),
        };
        let kept = if self.selected {
            "It is kept in the stream unreadable_rows."
        } else {
            "Select the stream unreadable_rows to keep such items, and report them to AiFi."
        };
        format!(
            "{stream}: An item of a list {} (item {} of the answer to {request}{near}). The others are read. {kept}",
            reason.clause(),
            position + 1
        )
    }

    /// The end of the sync: how many there were, if not all were logged, and the stream's state.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub(crate) fn finish(&self, output: &mut Output) -> Result<(), Failure> {
        let count = self.seen.len();
        if count as u64 > LOGGED {
            let text = format!(
                "{count} items of lists could not be made records; the first {LOGGED} are logged above."
            );
            output.log(Level::Warn, &text)?;
        }
        if self.selected { output.state(NAME, &self.state()) } else { Ok(()) }
    }

    fn state(&self) -> Value {
        json!({CURSOR_FIELD: timestamp::write(self.seen_at)})
    }
}

/// The unreadable items of a response. `keys` are those of all its items, or the reason why there is none; `raw` gives the
/// items at these positions as they came.
pub(crate) fn items(keys: &[Result<String, Reason>], raw: impl Fn(&[usize]) -> Vec<String>) -> Vec<Item> {
    let key = |position: usize| keys.get(position).and_then(|key| key.as_ref().ok()).cloned();
    let unreadable =
        keys.iter().enumerate().filter_map(|(position, key)| Some((position, *key.as_ref().err()?)));
    let (positions, reasons): (Vec<usize>, Vec<Reason>) = unreadable.unzip();
    let raw = raw(&positions);
    positions
        .into_iter()
        .zip(reasons)
        .zip(raw)
        .map(|((position, reason), raw)| Item {
            position,
            reason,
            previous: (0..position).rev().find_map(key),
            next: (position + 1..keys.len()).find_map(key),
            raw,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_placed_between_the_records_around_it() {
        let keys = [
            Err(Reason::NoId),
            Ok("5".to_owned()),
            Err(Reason::NotAnObject),
            Err(Reason::NoId),
            Ok("7".to_owned()),
        ];
        let found = items(&keys, |positions| {
            assert_eq!(positions, [0, 2, 3]);
            vec!["{}".into(), "3".into(), "{\"a\":1}".into()]
        });
        let places: Vec<_> = found
            .iter()
            .map(|item| (item.position, item.previous.as_deref(), item.next.as_deref(), item.raw.as_str()))
            .collect();
        assert_eq!(
            places,
            [
                (0, None, Some("5"), "{}"),
                (2, Some("5"), Some("7"), "3"),
                (3, Some("5"), Some("7"), "{\"a\":1}")
            ]
        );
    }
}
