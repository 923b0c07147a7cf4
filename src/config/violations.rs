//! What is wrong with a configuration, in the words of the form: every violation at once, each with the title
//! and the path of its field.
//!
//! The rules themselves are those of `spec/spec.json`, checked by the `jsonschema` crate, so the form and the
//! check cannot drift apart. Only the sentences are ours. A value is never quoted: it may be a secret in the
//! wrong field.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use super::connection_specification;

static RULES: LazyLock<Validator> = LazyLock::new(|| validator(connection_specification()));

const MUST_LOOK: &str = ": must look like ";

/// Checks `config` against the connection specification. An empty list means that it holds.
pub(super) fn violations(config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(&RULES, connection_specification(), config, "", &mut found);
    once(found)
}

/// One sentence for each field: a text that does not even look like a date is not a real date either, and what must be one
/// of a few texts must be a text. The sentence that tells more stays.
fn once(found: Vec<String>) -> Vec<String> {
    let label = |text: &str| text.split_once(": ").map_or(text, |(label, _)| label).to_owned();
    let tells_more = |text: &str| text.contains(MUST_LOOK) || text.contains(" must be one of ");
    let mut kept: Vec<String> = Vec::new();
    for text in found {
        match kept.iter_mut().find(|other| label(other) == label(&text)) {
            Some(other) if tells_more(&text) && !tells_more(other) => *other = text,
            Some(_) => (),
            None => kept.push(text),
        }
    }
    kept
}

fn collect(rules: &Validator, schema: &Value, config: &Value, base: &str, found: &mut Vec<String>) {
    for error in rules.iter_errors(config) {
        let path = format!("{base}{}", error.instance_path().as_str());
        match error.kind() {
            ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::OneOfMultipleValid { .. } => {
                one_of(schema, config, &error, &path, found);
            }
            // Then the format says what is wrong, or the value's reader.
            ValidationErrorKind::Pattern { .. } if is_date_in_shape(error.instance()) => (),
            kind => found.push(sentence(field_schema(schema, error.instance_path().as_str()), &path, kind)),
        }
    }
}

/// Whether a text looks like a date and time of the form, so that only the calendar can be against it.
fn is_date_in_shape(value: &Value) -> bool {
    let digits = |sign: char| if sign.is_ascii_digit() { '0' } else { sign };
    let shape: String = value.as_str().unwrap_or_default().chars().map(digits).collect();
    let rest = shape.strip_prefix("0000-00-00T00:00:00").and_then(|rest| rest.strip_suffix('Z'));
    rest.is_some_and(|rest| rest.is_empty() || (rest.len() <= 7 && rest.trim_end_matches('0') == "."))
}

/// A `oneOf` alone would only say "none fits". The option that the user chose is known by its `const`, and is
/// then checked on its own.
fn one_of(schema: &Value, config: &Value, error: &ValidationError<'_>, path: &str, found: &mut Vec<String>) {
    let pointer = error.instance_path().as_str();
    let field = field_schema(schema, pointer);
    let options = field.and_then(|field| field["oneOf"].as_array()).map_or(&[][..], Vec::as_slice);
    let value = config.pointer(pointer).unwrap_or(&Value::Null);
    let constants = |option: &Value| -> Option<(String, Value)> {
        option["properties"]
            .as_object()?
            .iter()
            .find_map(|(name, rule)| Some((name.clone(), rule.get("const")?.clone())))
    };
    if let Some(option) = options
        .iter()
        .find(|option| constants(option).is_some_and(|(name, constant)| value.get(&name) == Some(&constant)))
    {
        return collect(&validator(option), option, value, path, found);
    }
    let known: Vec<(String, Value)> = options.iter().filter_map(constants).collect();
    let name = known.first().map_or("", |(name, _)| name);
    let choices: Vec<String> = known.iter().map(|(_, constant)| constant.to_string()).collect();
    found.push(format!("{}: \"{name}\" must be one of {}.", label(field, path), choices.join(", ")));
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .should_validate_formats(true)
        .build(schema)
        .expect("the embedded specification is a valid schema, which a test proves")
}

/// The schema of the field at a JSON pointer into the configuration.
fn field_schema<'s>(schema: &'s Value, pointer: &str) -> Option<&'s Value> {
    pointer.split('/').skip(1).try_fold(schema, |schema, part| match part.parse::<usize>() {
        Ok(_) => schema.get("items"),
        Err(_) => schema.get("properties")?.get(part),
    })
}

fn label(field: Option<&Value>, path: &str) -> String {
    let path = path.trim_start_matches('/').replace('/', ".");
    match field.and_then(|field| field["title"].as_str()) {
        _ if path.is_empty() => "The configuration".to_owned(),
        Some(title) => format!("{title} ({path})"),
        None => path,
    }
}

fn sentence(field: Option<&Value>, path: &str, kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as K;
    if let K::Required { property } = kind {
        let name = property.as_str().unwrap_or_default();
        let field = field.and_then(|field| field.get("properties")?.get(name));
        return format!("{}: is required.", label(field, &format!("{path}/{name}")));
    }
    let must = match kind {
        K::Type { .. } => format!("must be {}", type_words(field)),
        K::Pattern { .. } => match field.and_then(|field| field["pattern_descriptor"].as_str()) {
            Some(shape) => format!("must look like {shape}"),
            None => "has a form that is not accepted".to_owned(),
        },
        K::Format { format } => format!("must be a real {}", format.replace('-', " and ")),
        K::Enum { options } => format!("must be one of {}", list(options)),
        K::Constant { expected_value } => format!("must be {expected_value}"),
        K::Minimum { limit } => format!("must be at least {limit}"),
        K::Maximum { limit } => format!("must be at most {limit}"),
        K::MinLength { limit: 1 } => "must not be empty".to_owned(),
        K::MinLength { limit } => format!("must have at least {limit} characters"),
        kind => format!("violates the rule \"{}\"", kind.keyword()),
    };
    format!("{}: {must}.", label(field, path))
}

fn type_words(field: Option<&Value>) -> &'static str {
    match field.and_then(|field| field["type"].as_str()) {
        Some("string") => "a text",
        Some("integer") => "a whole number",
        Some("array") => "a list",
        Some("object") => "an object",
        _ => "of another type",
    }
}

fn list(options: &Value) -> String {
    options
        .as_array()
        .map(|options| options.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(config: &Value) -> Vec<String> {
        violations(config)
    }

    #[test]
    fn a_whole_configuration_holds() {
        let token = json!({"credentials": {"auth_type": "access_token", "access_token": "t"}, "start_date": "2025-11-01T00:00:00Z"});
        assert_eq!(check(&token), Vec::<String>::new());
        let client = json!({"credentials": {"auth_type": "client_credentials", "client_id": "i", "client_secret": "s"},
            "start_date": "2025-11-01T00:00:00.5Z", "store_ids": [1], "statuses": ["paid"], "unknown": true});
        assert_eq!(check(&client), Vec::<String>::new());
    }

    #[test]
    fn every_violation_is_told_at_once_with_title_and_path() {
        let config = json!({"credentials": {"auth_type": "client_credentials", "client_id": ""}, "start_date": "2025-02-30T00:00:00Z",
            "store_ids": [0, "x"], "statuses": ["gone"], "base_url": "ftp://x", "requests_per_second": 21});
        let mut found = check(&config);
        found.sort();
        assert_eq!(
            found,
            [
                "API base URL (base_url): must look like https://host/path.",
                "Client ID (credentials.client_id): must not be empty.",
                "Client secret (credentials.client_secret): is required.",
                "Requests per second (requests_per_second): must be at most 20.",
                "Start date (start_date): must be a real date and time.",
                "Status (statuses.0): must be one of \"draft\", \"paid\", \"unpaid\", \"completed_so_far\", \"paymentProcessing\", \"contested\", \"reviewed\".",
                "Store ID (store_ids.0): must be at least 1.",
                "Store ID (store_ids.1): must be a whole number.",
            ]
        );
    }

    #[test]
    fn an_unknown_way_to_sign_in_names_the_ways_there_are() {
        for credentials in [json!({"auth_type": "password"}), json!({}), json!(3)] {
            let found = check(&json!({"credentials": credentials, "start_date": "2025-11-01T00:00:00Z"}));
            assert!(found.iter().any(|text| text.starts_with("Authentication (credentials)")), "{found:?}");
        }
    }

    #[test]
    fn no_value_is_quoted() {
        let found = check(
            &json!({"credentials": "tok-12345678", "start_date": "tok-12345678", "base_url": "tok-12345678"}),
        );
        assert!(!found.join(" ").contains("tok-12345678"), "{found:?}");
    }

    #[test]
    fn something_that_is_no_object_is_told_too() {
        assert_eq!(check(&json!([])), ["The configuration: must be an object."]);
    }
}
