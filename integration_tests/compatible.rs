//! What a release has promised is kept: its configurations, its tables and its states.
//!
//! `released/<version>/` holds what the binary of that version said: `spec.json`, `catalog.json` and the states of
//! [`states::SITUATIONS`]. At a release, `cargo test --test integration keep_this_release -- --ignored` writes the next
//! folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::Run;

mod states;

const CURRENT: &str = env!("CARGO_PKG_VERSION");

/// `1.2.3`, to compare.
type Version = Vec<u64>;

fn version(text: &str) -> Version {
    text.split('.').map(|number| number.parse().expect("a number of a version")).collect()
}

fn released() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration_tests/released");
    let mut folders: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort_by_key(|path| version(&name(path)));
    folders
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn json_file(path: &Path) -> Value {
    serde_json::from_str(
        &fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    )
    .unwrap()
}

/// What makes a configuration or a table of before unfit.
#[derive(Default)]
struct Breaks(Vec<String>);

impl Breaks {
    fn unless(&mut self, fine: bool, path: &str, what: &str) {
        if !fine {
            self.0.push(format!("{path}: {what}"));
        }
    }

    /// A configuration that fitted `old` has to fit `new`, and mean the same.
    fn specification(&mut self, path: &str, old: &Value, new: &Value) {
        let (was, is) = (set(&old["required"]), set(&new["required"]));
        for field in is.difference(&was) {
            self.unless(false, &format!("{path}/{}", field.trim_matches('"')), "is required now");
        }
        let widened =
            new.get("type").is_none() || types(old).is_subset(&types(new)) && old.get("type").is_some();
        self.unless(widened, path, "a type is gone");
        let kept = new.get("enum").is_none()
            || old.get("enum").is_some() && set(&old["enum"]).is_subset(&set(&new["enum"]));
        self.unless(kept, path, "a value is gone");
        for word in ["const", "format", "pattern"] {
            self.unless(
                new.get(word).is_none() || old.get(word) == new.get(word),
                path,
                &format!("another {word}"),
            );
        }
        for word in ["minimum", "minLength", "minItems", "maximum", "maxLength", "maxItems"] {
            let lowest = word.starts_with("min");
            let wider = match (old[word].as_f64(), new[word].as_f64()) {
                (_, None) => true,
                (Some(was), Some(is)) => {
                    if lowest {
                        is <= was
                    } else {
                        is >= was
                    }
                }
                (None, Some(is)) => lowest && is == 0.0,
            };
            self.unless(wider, path, &format!("a narrower {word}"));
        }
        for (field, was, is) in self.both(path, old, new) {
            self.specification(&field, was, is);
        }
        self.options(path, old, new);
        if old["items"].is_object() {
            self.specification(&format!("{path}[]"), &old["items"], &new["items"]);
        }
    }

    /// The options of a choice are known by their constant.
    fn options(&mut self, path: &str, old: &Value, new: &Value) {
        let named = |choice: &Value| -> BTreeMap<String, Value> {
            let options = choice["oneOf"].as_array().into_iter().flatten();
            let constant = |option: &Value| {
                let fields = option["properties"].as_object()?;
                Some(fields.values().find_map(|field| field["const"].as_str())?.to_owned())
            };
            options.filter_map(|option| Some((constant(option)?, option.clone()))).collect()
        };
        let now = named(new);
        for (constant, option) in named(old) {
            let path = format!("{path}|{constant}");
            match now.get(&constant) {
                Some(same) => self.specification(&path, &option, same),
                None => self.unless(false, &path, "the option is gone"),
            }
        }
    }

    /// The fields that are on both sides; those that are gone are breaks.
    fn both<'v>(
        &mut self,
        path: &str,
        old: &'v Value,
        new: &'v Value,
    ) -> Vec<(String, &'v Value, &'v Value)> {
        let mut both = Vec::new();
        for (field, was) in old["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}/{field}");
            match new["properties"].get(field) {
                Some(is) => both.push((path, was, is)),
                None => self.unless(false, &path, "is gone"),
            }
        }
        both
    }

    /// A table that was made from `old` has to take the records of `new`.
    fn catalog(&mut self, old: &Value, new: &Value) {
        let find = |name: &Value| {
            new["streams"].as_array().into_iter().flatten().find(|stream| stream["name"] == *name)
        };
        for was in old["streams"].as_array().into_iter().flatten() {
            let path = was["name"].as_str().unwrap();
            let Some(is) = find(&was["name"]) else {
                self.unless(false, path, "the stream is gone");
                continue;
            };
            let modes = |stream: &Value| set(&stream["supported_sync_modes"]);
            self.unless(modes(was).is_subset(&modes(is)), path, "a sync mode is gone");
            for word in
                ["source_defined_cursor", "default_cursor_field", "source_defined_primary_key", "namespace"]
            {
                self.unless(was[word] == is[word], path, &format!("another {word}"));
            }
            self.column(path, &was["json_schema"], &is["json_schema"]);
        }
    }

    /// Even a wider type makes another column of it.
    fn column(&mut self, path: &str, old: &Value, new: &Value) {
        self.unless(types(old) == types(new), path, "another type");
        for word in ["format", "airbyte_type"] {
            self.unless(old[word] == new[word], path, &format!("another {word}"));
        }
        for (field, was, is) in self.both(path, old, new) {
            self.column(&field, was, is);
        }
        if old["items"].is_object() {
            self.column(&format!("{path}[]"), &old["items"], &new["items"]);
        }
    }
}

/// Texts of a list, in no order.
fn set(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(Value::to_string).collect()
}

fn types(schema: &Value) -> BTreeSet<String> {
    match &schema["type"] {
        Value::String(one) => BTreeSet::from([json!(one).to_string()]),
        several => set(several),
    }
}

/// Whether metadata.yaml announces a break that comes between the two versions: under `releases.breakingChanges`, for a
/// version that says so by its number, a new first one, or with a leading 0 a new second one.
fn announced(metadata: &str, release: &str, current: &str) -> bool {
    let (release, current) = (version(release), version(current));
    let says_so = |breaking: &Version| match breaking[..] {
        [0, _, patch] => patch == 0,
        [_, minor, patch] => minor == 0 && patch == 0,
        _ => false,
    };
    let lines = metadata.lines().skip_while(|line| line.trim() != "breakingChanges:");
    let keys =
        lines.filter_map(|line| line.trim().strip_suffix(':')).map(|key| key.trim_matches(['"', '\'']));
    keys.filter(|key| key.split('.').count() == 3 && key.split('.').all(|part| part.parse::<u64>().is_ok()))
        .map(version)
        .any(|breaking| says_so(&breaking) && breaking > release && breaking <= current)
}

/// What the connector says of itself, without the message around it.
fn said(command: &str) -> Value {
    let run = Run::of(command);
    let run = if command == "spec" { run } else { run.file("config", include_str!("valid_config.json")) };
    let (kind, key) = if command == "spec" { ("SPEC", "spec") } else { ("CATALOG", "catalog") };
    run.finish().of_type(kind).next().expect("an answer")[key].clone()
}

/// A name, and what is done to a specification or a catalog.
type Breaking<'a> = (&'a str, &'a dyn Fn(&mut Value));

#[test]
fn what_was_released_is_kept_unless_a_break_is_announced() {
    let metadata = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("metadata.yaml")).unwrap();
    let (specification, catalog) = (said("spec"), said("discover"));
    assert!(!released().is_empty());
    for folder in released() {
        let mut breaks = Breaks::default();
        let old = json_file(&folder.join("spec.json"));
        breaks.specification("", &old["connectionSpecification"], &specification["connectionSpecification"]);
        let modes = |spec: &Value| set(&spec["supported_destination_sync_modes"]);
        breaks.unless(modes(&old).is_subset(&modes(&specification)), "", "a destination's sync mode is gone");
        breaks.catalog(&json_file(&folder.join("catalog.json")), &catalog);
        let announced = announced(&metadata, &name(&folder), CURRENT);
        assert!(breaks.0.is_empty() || announced, "since {}:\n{}", name(&folder), breaks.0.join("\n"));
    }
}

#[test]
fn each_kind_of_break_in_the_specification_is_refused() {
    let old = said("spec")["connectionSpecification"].clone();
    let breaks = |change: &dyn Fn(&mut Value)| {
        let (mut new, mut breaks) = (old.clone(), Breaks::default());
        change(&mut new);
        assert_ne!(new, old, "something is changed");
        breaks.specification("", &old, &new);
        breaks.0
    };
    let fields = |spec: &mut Value, change: &dyn Fn(&mut Value)| change(&mut spec["properties"]);
    let refused: [Breaking; 13] = [
        ("/end_date: is required now", &|spec| {
            spec["required"] = json!(["credentials", "start_date", "end_date"]);
        }),
        ("/region: is required now", &|spec| {
            spec["properties"]["region"] = json!({"type": "string"});
            spec["required"] = json!(["credentials", "start_date", "region"]);
        }),
        ("/changes: is gone", &|spec| {
            drop(spec["properties"].as_object_mut().unwrap().shift_remove("changes"));
        }),
        ("/changes_days: a type is gone", &|spec| {
            fields(spec, &|all| all["changes_days"]["type"] = json!("string"));
        }),
        ("/changes: a value is gone", &|spec| {
            fields(spec, &|all| all["changes"]["enum"] = json!(["updated", "off"]));
        }),
        ("/statuses[]: a value is gone", &|spec| {
            fields(spec, &|all| all["statuses"]["items"]["enum"] = json!(["paid"]));
        }),
        ("/base_url: a value is gone", &|spec| {
            fields(spec, &|all| all["base_url"]["enum"] = json!(["https://a"]));
        }),
        ("/changes_days: a narrower maximum", &|spec| {
            fields(spec, &|all| all["changes_days"]["maximum"] = json!(30));
        }),
        ("/changes_days: a narrower minimum", &|spec| {
            fields(spec, &|all| all["changes_days"]["minimum"] = json!(2));
        }),
        ("/ca_certificate: a narrower maxLength", &|spec| {
            fields(spec, &|all| all["ca_certificate"]["maxLength"] = json!(9));
        }),
        ("/start_date: another pattern", &|spec| {
            fields(spec, &|all| all["start_date"]["pattern"] = json!("^x"));
        }),
        ("/credentials|client_credentials: the option is gone", &|spec| {
            spec["properties"]["credentials"]["oneOf"].as_array_mut().unwrap().truncate(1);
        }),
        ("/credentials|client_credentials/scope: is required now", &|spec| {
            spec["properties"]["credentials"]["oneOf"][1]["required"]
                .as_array_mut()
                .unwrap()
                .push("scope".into());
        }),
    ];
    for (expected, change) in refused {
        assert_eq!(breaks(change), [expected]);
    }
    let allowed: [&dyn Fn(&mut Value); 5] = [
        &|spec| spec["properties"]["region"] = json!({"type": "string"}),
        &|spec| spec["required"] = json!(["credentials"]),
        &|spec| fields(spec, &|all| all["changes"]["enum"].as_array_mut().unwrap().push("weekly".into())),
        &|spec| fields(spec, &|all| all["changes_days"]["maximum"] = json!(365)),
        &|spec| fields(spec, &|all| all["changes_days"]["title"] = json!("Days")),
    ];
    for change in allowed {
        assert_eq!(breaks(change), [""; 0]);
    }
}

#[test]
fn each_kind_of_break_in_the_catalog_is_refused() {
    let old = said("discover");
    let breaks = |change: &dyn Fn(&mut Value)| {
        let (mut new, mut breaks) = (old.clone(), Breaks::default());
        change(&mut new);
        assert_ne!(new, old, "something is changed");
        breaks.catalog(&old, &new);
        breaks.0
    };
    fn orders(catalog: &mut Value) -> &mut Value {
        &mut catalog["streams"][0]
    }
    fn field<'c>(catalog: &'c mut Value, name: &str) -> &'c mut Value {
        &mut orders(catalog)["json_schema"]["properties"][name]
    }
    let refused: [Breaking; 11] = [
        ("orders: the stream is gone", &|catalog| drop(catalog["streams"].as_array_mut().unwrap().remove(0))),
        ("orders: a sync mode is gone", &|catalog| {
            orders(catalog)["supported_sync_modes"] = json!(["incremental"]);
        }),
        ("orders: another default_cursor_field", &|catalog| {
            orders(catalog)["default_cursor_field"] = json!(["updatedAt"]);
        }),
        ("orders: another source_defined_cursor", &|catalog| {
            orders(catalog)["source_defined_cursor"] = json!(false);
        }),
        ("orders: another source_defined_primary_key", &|catalog| {
            orders(catalog)["source_defined_primary_key"] = json!([["id"], ["version"]]);
        }),
        ("orders/status: is gone", &|catalog| {
            orders(catalog)["json_schema"]["properties"].as_object_mut().unwrap().shift_remove("status");
        }),
        ("orders/version: another type", &|catalog| {
            field(catalog, "version")["type"] = json!(["null", "number"]);
        }),
        ("orders/version: another type", &|catalog| field(catalog, "version")["type"] = json!("integer")),
        ("orders/paidAt: another format", &|catalog| field(catalog, "paidAt")["format"] = json!("date")),
        ("orders/paidAt: another airbyte_type", &|catalog| {
            field(catalog, "paidAt")["airbyte_type"] = json!("timestamp_without_timezone");
        }),
        ("orders/products[]/price: another type", &|catalog| {
            field(catalog, "products")["items"]["properties"]["price"]["type"] = json!(["null", "number"]);
        }),
    ];
    for (expected, change) in refused {
        assert_eq!(breaks(change), [expected]);
    }
    let allowed: [&dyn Fn(&mut Value); 3] = [
        &|catalog| catalog["streams"].as_array_mut().unwrap().push(json!({"name": "customers"})),
        &|catalog| *field(catalog, "shelf") = json!({"type": ["null", "string"]}),
        &|catalog| field(catalog, "status")["description"] = json!("What became of it."),
    ];
    for change in allowed {
        assert_eq!(breaks(change), [""; 0]);
    }
}

#[test]
fn a_break_is_announced_for_a_version_whose_number_says_so() {
    let metadata = |key: &str| {
        format!("data:\n  releases:\n    breakingChanges:\n      {key}:\n        message: Why.\n")
    };
    let cases = [
        ("0.3.0", "0.2.0", "0.3.0", true),
        ("\"0.3.0\"", "0.2.0", "0.3.4", true),
        ("1.0.0", "0.2.0", "1.0.0", true),
        ("0.2.1", "0.2.0", "0.2.1", false), // a patch
        ("1.1.0", "1.0.0", "1.1.0", false), // a minor version from 1.0 on
        ("0.3.0", "0.2.0", "0.2.1", false), // not yet
        ("0.2.0", "0.2.0", "0.3.0", false), // of long ago
    ];
    for (key, release, current, expected) in cases {
        assert_eq!(
            announced(&metadata(key), release, current),
            expected,
            "{key}: from {release} to {current}"
        );
    }
    assert!(!announced("data:\n  0.3.0:\n", "0.2.0", "0.3.0"), "elsewhere in the file");
}
