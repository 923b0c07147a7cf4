//! A list in the body of a response, written as records in one walk.

use std::fmt;

use bytes::Bytes;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::object::Fields;
use super::repair::repaired;
use super::transcode::{Transcoder, Written};
use crate::doubt::{Doubt, Unusable};
use crate::failure::{FailureKind, why_not_json};

/// The records of a list, all in one buffer; none for an item that is not an object.
pub(crate) type Records = (Bytes, Vec<Option<Written>>);

/// Why a body is not a list of records.
#[derive(Debug)]
pub(crate) enum Unlisted {
    /// It is not whole JSON.
    Unreadable(anyhow::Error),
    /// It is JSON, but not an object with such a list, or nothing in the list is an object: why, in words.
    NotAList(String),
}

impl Unlisted {
    /// In the words of a response that should have a list of these `things` under `name`.
    pub(crate) fn of(self, things: &str, name: &str) -> Unusable {
        match self {
            Unlisted::Unreadable(error) => Unusable::Unreadable(error),
            Unlisted::NotAList(why) => {
                let text = format!("a response has no list of {things} in `{name}` ({why})");
                Doubt::new(FailureKind::NotAPage, text).into()
            }
        }
    }
}

/// Reads the list that is under `name` in the object that the body is.
pub(crate) fn read(
    body: &[u8],
    name: &str,
    transcoder: &mut Transcoder<'static>,
) -> Result<Records, Unlisted> {
    match strict(body, name, transcoder) {
        // The response as it came says what is wrong, should the repair not help.
        Err(Unlisted::Unreadable(error)) => {
            match repaired(body).map(|text| strict(text.as_bytes(), name, transcoder)) {
                Some(Err(Unlisted::Unreadable(_))) | None => Err(Unlisted::Unreadable(error)),
                Some(repaired) => {
                    transcoder.findings.repaired += 1;
                    repaired
                }
            }
        }
        records => records,
    }
}

/// The items of the list at these positions, as they came. For a body that [`read`] takes.
pub(crate) fn raw_items(body: &[u8], name: &str, positions: &[usize]) -> Vec<String> {
    let strict = std::str::from_utf8(body).ok().and_then(|text| items(text, name, positions));
    strict.or_else(|| items(&repaired(body)?, name, positions)).unwrap_or_default()
}

fn items(text: &str, name: &str, positions: &[usize]) -> Option<Vec<String>> {
    let Fields(fields) = serde_json::from_str(text).ok()?;
    let (_, list) = fields.into_iter().find(|(field, _)| field == name)?;
    let items: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
    Some(
        positions
            .iter()
            .filter_map(|position| items.get(*position))
            .map(|item| item.get().to_owned())
            .collect(),
    )
}

fn strict(body: &[u8], name: &str, transcoder: &mut Transcoder<'static>) -> Result<Records, Unlisted> {
    let unreadable = |error: anyhow::Error| Unlisted::Unreadable(error);
    let text = std::str::from_utf8(body).map_err(|error| unreadable(error.into()))?;
    let mut out = Vec::with_capacity(body.len() + body.len() / 8);
    let mut written = Vec::new();
    let envelope = Envelope { name, transcoder, out: &mut out, written: &mut written };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let result = deserializer.deserialize_map(envelope).and_then(|()| deserializer.end());
    match result {
        Err(error) if error.classify() == Category::Data => Err(Unlisted::NotAList(why_not_json(&error))),
        Err(error) => Err(unreadable(error.into())),
        Ok(()) if !written.is_empty() && written.iter().all(Option::is_none) => {
            Err(Unlisted::NotAList("no item of the list is an object".to_owned()))
        }
        Ok(()) => Ok((Bytes::from(out), written)),
    }
}

/// The object around the list. Only the list's name is known of it; everything else is passed over.
struct Envelope<'a> {
    name: &'a str,
    transcoder: &'a mut Transcoder<'static>,
    out: &'a mut Vec<u8>,
    written: &'a mut Vec<Option<Written>>,
}

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a list in `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { name, transcoder, out, written } = self;
        let mut found = false;
        while let Some(key) = map.next_key::<Box<str>>()? {
            if *key == *name && !found {
                found = true;
                map.next_value_seed(List { transcoder, out, written })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::custom(format_args!("missing field `{name}`"))) }
    }
}

struct List<'a> {
    transcoder: &'a mut Transcoder<'static>,
    out: &'a mut Vec<u8>,
    written: &'a mut Vec<Option<Written>>,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(written) = items.next_element_seed(self.transcoder.seed(self.out))? {
            self.written.push(written);
        }
        Ok(())
    }
}
