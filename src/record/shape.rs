//! A stream's schema, compiled for the walk through an object.

use serde_json::Value;

/// What a value has to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// A string that holds any JSON value as text (`x-json-text` in the schema file).
    JsonText,
    /// A date-time with an offset.
    Timestamp,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An object; unknown fields are kept.
    Object(Vec<Property>),
    /// A list.
    Array(Box<Shape>),
}

/// A declared field of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    /// The field's name.
    pub name: String,
    /// The name as it is written: `"name":`.
    pub encoded: Vec<u8>,
    /// What its value has to be.
    pub shape: Shape,
}

impl Shape {
    /// Compiles a schema of the form that our schema files have: each node with one type besides null.
    ///
    /// # Panics
    /// On any other form. The files are embedded, and a test compiles each.
    pub fn compile(schema: &Value) -> Self {
        let types = match &schema["type"] {
            Value::String(one) => vec![one.as_str()],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        match types.into_iter().find(|name| *name != "null") {
            Some("string") if schema["format"] == "date-time" => Self::Timestamp,
            Some("string") if schema["x-json-text"] == true => Self::JsonText,
            Some("string") => Self::Text,
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("array") => Self::Array(Box::new(Self::compile(&schema["items"]))),
            Some("object") => {
                let fields = schema["properties"].as_object().into_iter().flatten();
                Self::Object(
                    fields.map(|(name, schema)| Property::new(name, Self::compile(schema))).collect(),
                )
            }
            other => panic!("a schema file declares a type that is not supported: {other:?}"),
        }
    }

    /// The declared fields of a stream's record.
    ///
    /// # Panics
    /// Where this is not an object, which every stream's schema is.
    pub fn fields(&self) -> &[Property] {
        let Self::Object(fields) = self else { unreachable!("every stream's schema is an object") };
        fields
    }

    /// The position of a declared field.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields().iter().position(|field| field.name == name)
    }

    /// The position of a field that is declared for certain.
    ///
    /// # Panics
    /// Where it is not: a test proves each field that we look at.
    pub fn position_of(&self, name: &str) -> usize {
        self.position(name).expect("the schema declares the fields we look at, which a test proves")
    }
}

impl Property {
    fn new(name: &str, shape: Shape) -> Self {
        Self { name: name.to_owned(), encoded: format!("{}:", Value::from(name)).into_bytes(), shape }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_becomes_its_shape() {
        let schema = json!({"type": "object", "properties": {
            "at": {"type": ["null", "string"], "format": "date-time"},
            "lines": {"type": ["null", "array"], "items": {"type": ["null", "object"], "properties": {"rate": {"type": "string", "x-json-text": true}}}}}});
        let line = Shape::Object(vec![Property::new("rate", Shape::JsonText)]);
        let expected = Shape::Object(vec![
            Property::new("at", Shape::Timestamp),
            Property::new("lines", Shape::Array(Box::new(line))),
        ]);
        assert_eq!(Shape::compile(&schema), expected);
    }
}
