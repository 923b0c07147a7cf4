//! Finds the declaration of a key.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, Visitor};

use super::shape::Property;

/// A key of an object.
pub(super) enum Key {
    /// It is declared: the position of its declaration.
    Known(usize),
    /// It is not.
    Unknown(String),
}

/// Finds a key among the properties. The API sends keys in one order, so the search starts behind the last hit.
pub(super) struct KeySeed<'s> {
    properties: &'s [Property],
    hint: usize,
}

impl<'s> KeySeed<'s> {
    /// Searches `properties`, from the position `hint` on.
    pub(super) fn new(properties: &'s [Property], hint: usize) -> Self {
        Self { properties, hint }
    }
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
        let (before, after) = self.properties.split_at(self.hint);
        let find = |properties: &[Property]| properties.iter().position(|one| one.aifi_name == key);
        let position = find(after).map(|place| self.hint + place).or_else(|| find(before));
        Ok(position.map_or_else(|| Key::Unknown(key.to_owned()), Key::Known))
    }
}
