//! A schema file in both forms: as `discover` tells it, and compiled.

use serde_json::Value;

pub use super::shape::PERSONAL;
use super::shape::{AIFI_NAME, Shape};

/// A stream's schema.
#[derive(Debug)]
pub struct Schema {
    /// The file, without the keywords that are ours alone.
    pub json: Value,
    /// The same, compiled.
    pub shape: Shape,
}

impl Schema {
    /// From an embedded file.
    ///
    /// # Panics
    /// If it is not JSON, or no schema that `Shape::compile` takes. A test proves it of each file.
    pub fn embedded(text: &str) -> Self {
        let mut json = serde_json::from_str(text).expect("the embedded schema is JSON, which a test proves");
        let shape = Shape::compile(&json);
        drop_keywords(&mut json);
        Self { json, shape }
    }
}

/// Takes our own keywords out of a schema; a field may have such a name all the same.
fn drop_keywords(schema: &mut Value) {
    let Value::Object(keywords) = schema else { return };
    keywords.retain(|name, _| ![AIFI_NAME, PERSONAL].contains(&name.as_str()));
    if let Some(items) = keywords.get_mut("items") {
        drop_keywords(items);
    }
    if let Some(Value::Object(fields)) = keywords.get_mut("properties") {
        fields.values_mut().for_each(drop_keywords);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn our_keywords_are_not_told() {
        let field = json!({"type": "integer", "aifiName": "order", "personal": true});
        let text = json!({"type": "object", "properties": {"aifiName": field, "lines": {"type": "array", "items": {"type": "object", "properties": {"a": field}}}}});
        let schema = Schema::embedded(&text.to_string());
        assert_eq!(
            schema.json,
            json!({"type": "object", "properties": {"aifiName": {"type": "integer"}, "lines": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}}}})
        );
        assert_eq!(schema.shape.fields()[0].aifi_name, "order");
    }
}
