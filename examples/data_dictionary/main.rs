//! The data dictionary, made from the catalog that `discover` tells: `cargo run --example data_dictionary` prints it.
//! With `-- --write` it goes to `docs/data-dictionary.md`; the page of personal data, the tables of other pages that name the
//! streams, and the sample files of the catalog and of a future state are made anew.

#![allow(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use source_aifi::lists::declared::UPDATED_FIELD;
use source_aifi::record::schema::PERSONAL;
use source_aifi::run;

mod sources;
mod tables;

use sources::Source;

const HEAD: &str = "\
# Data dictionary

The streams and their columns. This page is made from the schema files: change those, then run
`cargo run --example data_dictionary -- --write`.

Any column may be null, unless its description says never. How the tables belong together is in [model](model.md),
what the types become in a warehouse in the [type map](aifi.md#data-type-map).

| type | meaning |
| --- | --- |
| integer | a whole number; where the API sends it as a text, its digits |
| number | a number with all its digits |
| boolean | true or false; where the API sends 0 or 1, what they mean |
| string | a text; an amount is a decimal number as text, exactly as the API sent it |
| timestamp | a moment with its time zone, RFC 3339 |
| object | named fields; those that are not declared are kept as well |
| array of objects | a list of such |
| text holding JSON | a text as it is, or anything else as JSON text |
";

fn main() -> Result<(), Box<dyn Error>> {
    let catalog = catalog();
    if std::env::args().any(|argument| argument == "--write") {
        for (path, text) in made(&catalog)? {
            std::fs::write(file(path), text)?;
            println!("written: {path}");
        }
    } else {
        print!("{}", dictionary(&sources(&catalog)?));
    }
    Ok(())
}

/// All files that are made from the schemas, by path.
fn made(catalog: &Value) -> Result<Vec<(&'static str, String)>, String> {
    let streams = sources(catalog)?;
    let mut files = vec![
        (PAGE, dictionary(&streams)),
        (PERSONAL_PAGE, personal_data(&streams)),
        (SAMPLE, sample(catalog)),
        (FUTURE, future(&streams)),
    ];
    files.extend(tables::pages(&streams)?);
    Ok(files)
}

/// The streams that `discover` describes, with what is known of them besides.
fn sources(catalog: &Value) -> Result<Vec<(Source, &Value)>, String> {
    let streams = catalog["streams"].as_array().into_iter().flatten();
    streams.map(|stream| Ok((Source::of(stream)?, stream))).collect()
}

const PAGE: &str = "docs/data-dictionary.md";
const PERSONAL_PAGE: &str = "docs/personal-data.md";
const SAMPLE: &str = "integration_tests/configured_catalog.json";
/// A moment after every cursor.
const NEVER: &str = "2999-12-31T23:59:59.999Z";
const FUTURE: &str = "integration_tests/future_state.json";
/// Not in the sample: a request for each order, what needs an inbox, and receipts that never repeat.
const BESIDE: [&str; 3] = ["order_details", "checkout_events", "sync_audit"];

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A configured catalog of almost all streams, incremental where they can be.
fn sample(catalog: &Value) -> String {
    let wanted = |stream: &&Value| !BESIDE.iter().any(|name| stream["name"] == *name);
    let configured = |stream: &Value| {
        let incremental = stream["default_cursor_field"].is_array();
        json!({
            "stream": stream,
            "sync_mode": if incremental { "incremental" } else { "full_refresh" },
            "cursor_field": stream["default_cursor_field"],
            "destination_sync_mode": if incremental { "append_dedup" } else { "overwrite" },
            "primary_key": stream["source_defined_primary_key"],
        })
    };
    let streams: Vec<Value> =
        catalog["streams"].as_array().into_iter().flatten().filter(wanted).map(configured).collect();
    format!("{:#}\n", json!({"streams": streams}))
}

/// The streams, as `discover` tells them.
fn catalog() -> Value {
    json!({"streams": run::streams(&source_aifi::record::personal::Personal::Keep, false)})
}

/// States of a time that never comes, for Airbyte's tests: of each stream of the API that has a cursor.
fn future(streams: &[(Source, &Value)]) -> String {
    let with_cursor = streams.iter().filter_map(|(source, stream)| {
        let cursor = stream["default_cursor_field"][0].as_str()?;
        // An inbox is not there without being configured, and its cursor is a number.
        let of_the_api = source.name != source_aifi::checkout::NAME;
        of_the_api.then_some((source.name, cursor))
    });
    let states = with_cursor.map(|(name, cursor)| {
        let mut state = serde_json::Map::new();
        state.insert(cursor.to_owned(), NEVER.into());
        if sources::ORDERS.contains(&name) {
            state.insert(UPDATED_FIELD.to_owned(), NEVER.into());
        }
        json!({"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": state}})
    });
    format!("{:#}\n", Value::Array(states.collect()))
}

/// The page of the columns.
fn dictionary(streams: &[(Source, &Value)]) -> String {
    let sections = streams.iter().map(|(source, stream)| section(stream, &source.endpoint));
    std::iter::once(HEAD.to_owned()).chain(sections).collect::<Vec<_>>().join("\n")
}

const PERSONAL_HEAD: &str = "\
# Personal data

Every column that holds, or may hold, what belongs to a person. This page is made from the marker `personal` in the schema
files: change those, then run `cargo run --example data_dictionary -- --write`.

A column of unknown fields or of rows kept raw is listed, since nobody knows what AiFi will send there. A field that no schema
declares is treated as personal wherever it is, and so is a value that does not fit its column.

## The setting

*Personal data* (`personal_data`) says what is written of them, in every stream:

| setting | a personal value | a field that no schema declares |
| --- | --- | --- |
| keep (default) | as AiFi sent it | as AiFi sent it |
| hash | its hash: a text of 64 hexadecimal digits | its name, and its hash |
| leave out | null | nothing, not even its name |

A hash is HMAC-SHA-256 of the value under your salt. Equal values have equal hashes in all streams and syncs, also if AiFi sends
an id as a number here and as a text there, so hashed columns can be joined and counted. An object or a list is hashed as a whole.
Names of unknown fields are kept where they look like names; one that may be data, such as an address or a number, is hashed or
left out, in the log too. `sessionId` is kept, since it joins orders and sessions; it names a visit, not a person. Where
AiFi sends the same text as `sessionToken`, which its documentation suggests, that text stays readable there.

With *hash* or *leave out*, what the API says of a refused request is not quoted in messages either. Amounts stay as they are.

After a change of the setting or the salt:

1. Refresh the source schema of the connection: a hashed column is a text, also where AiFi sends a number
   (`sessions.customerPaymentInstrumentId`).
2. Clear the streams. Rows that were written before stay as they are otherwise: values that were kept remain readable in the
   destination, and hashes under another salt do not join with new ones. The log of the next sync says so, once.

Keep the salt as you keep a password, and use a random one: whoever has it can try out whose a hash is. To leave out a whole column,
you can also deselect it in the connection; fields within a column (those with a dot) can only be reached by the setting.
";

/// The page of personal columns.
fn personal_data(streams: &[(Source, &Value)]) -> String {
    let mut page = PERSONAL_HEAD.to_owned();
    for (Source { name: stream, .. }, _) in streams {
        let mut columns = Vec::new();
        personal(&schema_file(stream), "", &mut columns);
        if !columns.is_empty() {
            page +=
                &format!("\n## {stream}\n\n| column | description |\n| --- | --- |\n{}", columns.concat());
        }
    }
    page
}

fn schema_file(stream: &str) -> Value {
    let path = format!("spec/{stream}.json");
    let text = std::fs::read_to_string(file(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A row for each field with the marker, also in lists and objects.
fn personal(object: &Value, path: &str, out: &mut Vec<String>) {
    for (name, field) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}{name}");
        if field[PERSONAL] == true {
            out.push(format!(
                "| `{path}` | {} |\n",
                field["description"].as_str().unwrap_or_default().replace('|', "\\|")
            ));
        }
        personal(field, &format!("{path}."), out);
        personal(&field["items"], &format!("{path}[]."), out);
    }
}

fn section(stream: &Value, source: &str) -> String {
    let schema = &stream["json_schema"];
    let description = schema["description"].as_str().or(schema["title"].as_str()).unwrap_or_default();
    let mut columns = Vec::new();
    rows(schema, "", &mut columns);
    format!(
        "## {}\n\n{}.\n\n* Endpoint: {source}\n* Primary key: {}\n* Cursor: {}\n* Sync modes: {}\n\n\
         | column | type | description |\n| --- | --- | --- |\n{}",
        stream["name"].as_str().unwrap_or_default(),
        description.trim_end_matches('.'),
        names(&stream["source_defined_primary_key"]),
        names(&stream["default_cursor_field"]),
        modes(&stream["supported_sync_modes"]),
        columns.concat(),
    )
}

/// Fields of a key or cursor, each a name or a path: `id`, `version`.
fn names(fields: &Value) -> String {
    let fields = fields.as_array().into_iter().flatten();
    let path = |field: &Value| match field {
        Value::Array(steps) => steps.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."),
        field => field.as_str().unwrap_or_default().to_owned(),
    };
    let names: Vec<String> = fields.map(|field| format!("`{}`", path(field))).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn modes(modes: &Value) -> String {
    let modes = modes.as_array().into_iter().flatten().filter_map(Value::as_str);
    modes.map(|mode| mode.replace('_', " ")).collect::<Vec<_>>().join(", ")
}

/// A row for each field of an object, and behind it the rows of the fields below.
fn rows(object: &Value, path: &str, out: &mut Vec<String>) {
    for (name, field) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}{name}");
        let description = field["description"].as_str().unwrap_or_default().replace('|', "\\|");
        out.push(format!("| `{path}` | {} | {description} |\n", kind(field)));
        rows(field, &format!("{path}."), out);
        rows(&field["items"], &format!("{path}[]."), out);
    }
}

/// The type of a field in a reader's words.
fn kind(field: &Value) -> String {
    let types = field["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match types.into_iter().find(|name| *name != "null").unwrap_or("any") {
        "string" if field["format"] == "date-time" => "timestamp".to_owned(),
        "string" if field["x-json-text"] == true => "text holding JSON".to_owned(),
        "array" => format!("array of {}s", kind(&field["items"])),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_becomes_a_table_with_its_nested_fields() {
        let field = |kind: &str, text: &str| json!({"type": ["null", kind], "description": text});
        let lines = json!({"type": ["null", "array"], "description": "Lines.", "items": {"type": ["null", "object"], "properties": {"price": field("string", "A | B.")}}});
        let moment = json!({"type": ["null", "string"], "format": "date-time", "description": "When."});
        let catalog = json!({"streams": [{
            "name": "orders",
            "json_schema": {"title": "An order", "properties": {"id": field("integer", "Key."), "lines": lines, "at": moment}},
            "source_defined_primary_key": [["id"], ["at"]],
            "default_cursor_field": [],
            "supported_sync_modes": ["full_refresh"],
        }]});
        let expected = "\
## orders

An order.

* Endpoint: `GET /orders?includeProducts=true`
* Primary key: `id`, `at`
* Cursor: none
* Sync modes: full refresh

| column | type | description |
| --- | --- | --- |
| `id` | integer | Key. |
| `lines` | array of objects | Lines. |
| `lines[].price` | string | A \\| B. |
| `at` | timestamp | When. |
";
        assert_eq!(dictionary(&sources(&catalog).unwrap()), format!("{HEAD}\n{expected}"));
    }

    #[test]
    fn a_personal_field_is_marked_wherever_it_stands() {
        fn fields(object: &Value, out: &mut Vec<(String, bool)>) {
            for (name, field) in object["properties"].as_object().into_iter().flatten() {
                out.push((name.clone(), field[PERSONAL] == true));
                fields(field, out);
                fields(&field["items"], out);
            }
        }
        let mut all = Vec::new();
        for stream in catalog()["streams"].as_array().unwrap() {
            fields(&schema_file(stream["name"].as_str().unwrap()), &mut all);
        }
        let marked: std::collections::BTreeSet<_> =
            all.iter().filter(|(_, marked)| *marked).map(|(name, _)| name.as_str()).collect();
        for name in
            ["customerId", "sessionToken", "code", "customerPaymentInstrumentId", "message", "rawItem"]
        {
            assert!(marked.contains(name), "{name}");
        }
        // The facts of a session have the name of an event's facts, and are listed one by one.
        for (name, is_marked) in all.iter().filter(|(name, _)| name != "metadata") {
            assert_eq!(*is_marked, marked.contains(name.as_str()), "{name} is marked here and not there");
        }
        assert!(!catalog().to_string().contains("\"personal\""), "the marker is ours alone");
    }

    #[test]
    fn a_stream_without_an_endpoint_is_refused() {
        let catalog = json!({"streams": [{"name": "orders"}, {"name": "unheard_of"}]});
        let refused = sources(&catalog).unwrap_err();
        assert_eq!(refused, "unheard_of: name its endpoint in OTHERS of examples/data_dictionary/sources.rs");
    }

    #[test]
    fn a_table_is_replaced_between_its_comments_alone() {
        let catalog = catalog();
        let streams = sources(&catalog).unwrap();
        let table = &tables::TABLES[0];
        let page = "head\n<!-- generated: supported streams -->\nold\n<!-- generated: end -->\ntail\n";
        let written = table.written(page, &streams).unwrap();
        assert!(
            written.starts_with("head\n<!-- generated: supported streams -->\n\n| stream | one row per |")
        );
        assert!(written.ends_with("|\n\n<!-- generated: end -->\ntail\n") && !written.contains("old"));
        assert_eq!(table.written(&written, &streams), Ok(written.clone()));
        for broken in ["head\n", "<!-- generated: supported streams -->\nold\n"] {
            assert!(table.written(broken, &streams).unwrap_err().contains("is missing"), "{broken}");
        }
    }

    #[test]
    fn the_files_are_those_of_the_catalog() {
        for (path, made) in made(&catalog()).unwrap_or_else(|error| panic!("{error}")) {
            let kept = std::fs::read_to_string(file(path)).unwrap();
            assert!(
                kept == made,
                "{path} is not that of the schemas: run `cargo run --example data_dictionary -- --write`"
            );
        }
    }
}
