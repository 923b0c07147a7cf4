//! A stream's schema, compiled for the walk through an object.

use serde_json::Value;

/// Keyword of a schema file: what the API calls a field whose column has another name.
pub(crate) const AIFI_NAME: &str = "aifiName";

/// Keyword of a schema file: the field holds, or may hold, what belongs to a person.
pub const PERSONAL: &str = "personal";

/// The top-level field that keeps what the schema does not know, and what does not fit its column.
pub(crate) const ADDITIONAL_FIELDS: &str = "additionalFields";

/// What a value has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The column's name.
    pub name: String,
    /// What the API calls the field: the column's name, unless the schema file has an [`AIFI_NAME`].
    pub aifi_name: String,
    /// The name as it is written: `"name":`.
    pub encoded: Vec<u8>,
    /// What its value has to be.
    pub shape: Shape,
    /// It holds, or may hold, what belongs to a person (see [`super::personal`]).
    pub personal: bool,
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
                let fields: Vec<Property> =
                    fields.map(|(name, schema)| Property::declared(name, schema)).collect();
                // Which of them have come is noted in the bits of a number.
                assert!(fields.len() <= 64, "an object with more than 64 fields is not supported");
                Self::Object(fields)
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
    fn declared(name: &str, schema: &Value) -> Self {
        let aifi_name = schema[AIFI_NAME].as_str().unwrap_or(name).to_owned();
        let encoded = format!("{}:", Value::from(name)).into_bytes();
        Self {
            name: name.to_owned(),
            aifi_name,
            encoded,
            shape: Shape::compile(schema),
            personal: schema[PERSONAL] == true,
        }
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
        let property = |name: &str, shape| Property {
            name: name.to_owned(),
            aifi_name: name.to_owned(),
            encoded: format!("\"{name}\":").into_bytes(),
            shape,
            personal: false,
        };
        let line = Shape::Object(vec![property("rate", Shape::JsonText)]);
        let expected = Shape::Object(vec![
            property("at", Shape::Timestamp),
            property("lines", Shape::Array(Box::new(line))),
        ]);
        assert_eq!(Shape::compile(&schema), expected);
    }
}
