//! A schema file in both forms: as `discover` tells it, and compiled.

use serde_json::Value;

use super::shape::Shape;

/// A stream's schema.
#[derive(Debug)]
pub struct Schema {
    /// The file.
    pub json: Value,
    /// The same, compiled.
    pub shape: Shape,
}

impl Schema {
    /// From an embedded file.
    ///
    /// # Panics
    /// If it is not JSON, or no schema that [`Shape::compile`] takes. A test proves it of each file.
    pub fn embedded(text: &str) -> Self {
        let json = serde_json::from_str(text).expect("the embedded schema is JSON, which a test proves");
        let shape = Shape::compile(&json);
        Self { json, shape }
    }
}
