//! The files around the code agree with it and with Airbyte's rules for a specification and a catalog.

use std::path::Path;

use serde_json::Value;

fn file(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&file(path)).unwrap()
}

/// Every object below a value that stands for a schema, with its path.
fn schemas<'v>(value: &'v Value, path: String, found: &mut Vec<(String, &'v Value)>) {
    found.push((path.clone(), value));
    for (name, below) in value["properties"].as_object().into_iter().flatten() {
        schemas(below, format!("{path}/{name}"), found);
    }
    if value["items"].is_object() {
        schemas(&value["items"], format!("{path}[]"), found);
    }
    for option in value["oneOf"].as_array().into_iter().flatten() {
        schemas(option, format!("{path}|"), found);
    }
}

fn all_schemas(value: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    schemas(value, String::new(), &mut found);
    found
}

#[test]
fn one_version_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(file("metadata.yaml").contains(&format!("dockerImageTag: {version}\n")));
    let (changelog, page) = (file("CHANGELOG.md"), file("docs/aifi.md"));
    let versions: Vec<&str> = changelog.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(versions[0].starts_with(&format!("{version} - ")), "{versions:?}");
    for of_changelog in versions {
        let (version, date) = of_changelog.split_once(" - ").expect("a version has its date");
        assert!(page.contains(&format!("| {version} | {date} |")), "docs/aifi.md: {of_changelog}");
    }
    assert!(file("acceptance-test-config.yml").contains("airbyte/source-aifi:dev"));
    assert!(file("Dockerfile").contains(&format!("ARG VERSION={version}\n")));
}

/// What a script of the gate prints, or nothing if it refuses.
fn script(name: &str, arguments: &[&str]) -> Option<String> {
    let path = format!("{}/.ci/{name}", env!("CARGO_MANIFEST_DIR"));
    let output = std::process::Command::new("bash").arg(path).args(arguments).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_release_is_made_of_one_version_and_its_notes() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(script("version", &[]).as_deref(), Some(version));
    assert_eq!(script("version", &[&format!("v{version}")]).as_deref(), Some(version));
    for tag in ["v9.9.9", &format!("v{version}0")] {
        assert_eq!(script("version", &[tag]), None, "{tag}");
    }
    let notes = script("release-notes", &[]).unwrap();
    assert!(file("CHANGELOG.md").contains(&notes) && !notes.contains("## "), "{notes}");
    let places = file(".ci/version");
    for place in ["Cargo.toml", "metadata.yaml", "Dockerfile", "CHANGELOG.md"] {
        assert!(places.contains(place), "{place}");
    }
    let release = file(".github/workflows/release.yml");
    for step in [".ci/version \"$GITHUB_REF_NAME\"", ".ci/release-notes", "bash .ci/run", "bash .ci/image"] {
        assert!(release.contains(step), "{step}");
    }
}

#[test]
fn workflows_trust_commits_and_not_tags() {
    for workflow in ["audit", "ci", "release"] {
        let text = file(&format!(".github/workflows/{workflow}.yml"));
        for (_, action) in text.lines().filter_map(|line| line.split_once("uses: ")) {
            let commit = action.split(['@', ' ']).nth(1).unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
        }
    }
}

#[test]
fn the_toolchain_of_the_project_is_the_oldest_supported_one_and_builds_the_images() {
    let toolchain = file("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).unwrap();
    let minor = channel.rsplit_once('.').unwrap().0;
    assert_eq!(env!("CARGO_PKG_RUST_VERSION"), minor);
    for image in ["Dockerfile", "inbox/Dockerfile"] {
        assert!(file(image).contains(&format!("ARG RUST_IMAGE=rust:{minor}-slim-")), "{image}: {channel}");
    }
}

#[test]
fn every_form_field_has_a_title_a_description_and_its_own_place() {
    let spec = json("spec/spec.json");
    let connection = &spec["connectionSpecification"];
    assert_eq!(connection["additionalProperties"], true);
    for (path, schema) in all_schemas(connection) {
        for word in ["$ref", "allOf", "anyOf", "not", "if", "then", "else", "patternProperties"] {
            assert!(schema.get(word).is_none(), "{path}: {word}");
        }
        assert!(schema["additionalProperties"] != false, "{path}");
        let mut orders = Vec::new();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            orders.push(field["order"].as_u64().unwrap_or_else(|| panic!("{path}/{name} has no order")));
            if field.get("const").is_none() {
                assert!(field["title"].is_string(), "{path}/{name}");
                assert!(field["description"].as_str().unwrap().ends_with('.'), "{path}/{name}");
            }
            let secret = name.ends_with("_token") || name.ends_with("_secret") || name == "salt";
            assert_eq!(field["airbyte_secret"] == true, secret, "{path}/{name}");
        }
        let count = orders.len();
        orders.sort_unstable();
        orders.dedup();
        assert_eq!(orders.len(), count, "{path}: each order once");
    }
    let required = connection["required"].as_array().unwrap();
    assert_eq!(
        required,
        &["credentials", "start_date"],
        "a new required field breaks every connection there is"
    );
}

#[test]
fn every_field_of_a_stream_is_typed_nullable_and_described() {
    for stream in source_aifi::run::streams(&source_aifi::record::personal::Personal::Keep, false) {
        let name = stream["name"].as_str().unwrap();
        fields_are_typed_nullable_and_described(&json(&format!("spec/{name}.json")));
    }
    let schema = json("spec/orders.json");
    assert_eq!(schema["properties"]["id"]["type"][1], "integer");
    assert_eq!(schema["properties"]["draftCreatedAt"]["format"], "date-time");
}

fn fields_are_typed_nullable_and_described(schema: &Value) {
    let fields = all_schemas(schema);
    for (path, field) in &fields[1..] {
        assert_eq!(field["type"].as_array().map(Vec::len), Some(2), "{path}");
        assert!(field["type"].as_array().unwrap().contains(&Value::from("null")), "{path}");
        assert!(field["description"].as_str().unwrap().ends_with('.'), "{path}");
        assert!(field["additionalProperties"] != false, "{path}");
    }
    for (path, object) in fields.iter().filter(|(_, schema)| schema["properties"].is_object()) {
        let mut names: Vec<String> =
            object["properties"].as_object().unwrap().keys().map(|name| name.to_lowercase()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{path}: no two names differ in case only");
    }
}

/// Four files say what an order is made of.
#[test]
fn the_streams_of_an_order_declare_its_fields_alike() {
    let types = |properties: &Value| -> Vec<(String, String)> {
        let mut found = Vec::new();
        let object = serde_json::json!({"properties": properties});
        schemas(&object, String::new(), &mut found);
        let told = |field: &Value| {
            ["type", "format", "airbyte_type", "x-json-text"].map(|key| field[key].to_string()).join(" ")
        };
        found[1..].iter().map(|(path, field)| (path.clone(), told(field))).collect()
    };
    let of = |stream: &str| json(&format!("spec/{stream}.json"))["properties"].clone();
    let orders = of("orders");
    assert_eq!(types(&orders), types(&of("order_versions")));
    let details = types(&of("order_details"));
    for field in types(&orders) {
        assert!(details.contains(&field), "order_details: {field:?}");
    }
    let lines = types(&of("order_line_items"));
    for field in types(&orders["products"]["items"]["properties"]) {
        assert!(lines.contains(&field), "order_line_items: {field:?}");
    }
}

#[test]
fn the_sample_files_of_the_connector_fit() {
    use crate::harness::Run;
    let discover = |path: &str| Run::of("discover").file("config", &file(path)).finish();
    discover("integration_tests/valid_config.json").succeeded();
    discover("integration_tests/invalid_config.json").succeeded();
    for path in ["integration_tests/sample_state.json", "integration_tests/future_state.json"] {
        assert!(json(path)[0]["stream"]["stream_state"]["draftCreatedAt"].is_string(), "{path}");
    }
}

#[test]
fn the_future_state_names_every_incremental_stream_by_its_cursor() {
    let future = json("integration_tests/future_state.json");
    let cursor = |stream: &Value| {
        Some((stream["name"].clone(), stream["default_cursor_field"][0].as_str()?.to_owned()))
    };
    let streams = source_aifi::run::streams(&source_aifi::record::personal::Personal::Keep, false);
    // The stream of an inbox is not there without one, and its cursor is a number.
    let of_the_api = streams.iter().filter(|stream| stream["name"] != "checkout_events");
    let incremental: Vec<_> = of_the_api.filter_map(cursor).collect();
    let states = future.as_array().unwrap().iter().map(|state| &state["stream"]);
    let named: Vec<_> = states.clone().map(|state| state["stream_descriptor"]["name"].clone()).collect();
    assert_eq!(named, incremental.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    for (state, (name, cursor)) in states.zip(&incremental) {
        assert_eq!(state["stream_state"][cursor], "2999-12-31T23:59:59.999Z", "{name}");
    }
}

/// The two arrows of the architecture that clippy cannot see.
#[test]
fn only_the_doors_name_what_is_behind_them() {
    let sources = sources();
    for file in &sources {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let ends = |names: &[&str]| names.iter().any(|name| path.ends_with(name));
        // `reqwest::Url` is a value; the client is the network.
        let network = ["reqwest::Client", "Client::builder", "RequestBuilder"];
        let network = network.iter().any(|name| code.contains(name));
        assert!(!network || ends(&["aifi/transport.rs"]), "{}: the network has one door", path.display());
        let runtime = code.contains("tokio::");
        let may = [
            "aifi/body.rs",
            "aifi/http.rs",
            "aifi/http/turn.rs",
            "engine/driver.rs",
            "run.rs",
            "aifi/dns.rs",
            "run/check.rs",
            "run/doctor.rs",
            "run/read.rs",
            "main.rs",
            "clock.rs",
            "signals.rs",
        ];
        assert!(!runtime || ends(&may), "{}: what decides does not wait", path.display());
    }
    assert!(sources.len() > 30, "{} files", sources.len());
}

/// The sources, but for those of tests alone.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut files) = (vec![root.join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files
}

#[test]
fn every_source_is_on_the_map() {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md")).unwrap();
    let tests = ["/simulated.rs", "/simulated/vanished.rs", "/tests.rs", "/traps.rs"];
    let on_the_map = |file: &str| map.lines().any(|line| line.split_whitespace().next() == Some(file));
    let mut sources = sources();
    sources.retain(|file| !tests.iter().any(|name| file.ends_with(name)));
    assert!(sources.len() > 60, "{} files", sources.len());
    let missing: Vec<&String> = sources.iter().filter(|file| !on_the_map(file)).collect();
    assert!(missing.is_empty(), "not on the map in CONTRIBUTING.md: {missing:?}");
    let named = map.lines().filter_map(|line| line.split_whitespace().next()).filter(|word| {
        word.starts_with("src/") && Path::new(word).extension().is_some_and(|extension| extension == "rs")
    });
    let gone: Vec<&str> = named.filter(|name| !sources.iter().any(|file| file == name)).collect();
    assert!(gone.is_empty(), "on the map, but not there: {gone:?}");
}

#[test]
fn rooms_of_the_orders_import_one_way() {
    // Each room may use those that it names.
    let rooms: [(&str, &[&str]); 6] = [
        ("streams", &[]),
        ("api", &["streams"]),
        ("slice", &["streams", "api"]),
        ("state", &["streams", "api"]),
        ("sync", &["streams", "api", "slice", "state"]),
        ("records", &["streams", "api", "state"]),
    ];
    let mut imports = 0;
    for file in sources() {
        let Some(inside) = file.strip_prefix("src/orders/") else { continue };
        let room = inside.split(['/', '.']).next().unwrap();
        let Some((_, allowed)) = rooms.iter().find(|(name, _)| *name == room) else { continue };
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap();
        // Simulations drive what is above them.
        if file.contains("/simulated") || file.ends_with("/traps.rs") {
            continue;
        }
        for used in text.split("crate::orders::").skip(1) {
            let used = used.split(|sign: char| !sign.is_ascii_lowercase()).next().unwrap();
            if rooms.iter().any(|(name, _)| *name == used) && used != room {
                imports += 1;
                assert!(allowed.contains(&used), "{file} imports {used}");
            }
        }
    }
    assert!(imports > 40, "{imports} imports");
}

#[test]
fn each_link_of_the_form_leads_to_a_heading_of_the_user_page() {
    let (spec, page) = (file("spec/spec.json"), file("docs/aifi.md"));
    let slug = |heading: &str| -> String {
        let kept = heading.to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .collect::<String>()
            .replace(' ', "-")
    };
    let headings: Vec<String> =
        page.lines().filter_map(|line| Some(slug(line.trim_start_matches('#').strip_prefix(' ')?))).collect();
    let address = "https://docs.airbyte.com/integrations/sources/aifi";
    let links: Vec<&str> = spec.split(address).skip(1).collect();
    assert!(links.len() >= 5, "{} links", links.len());
    for link in links {
        let anchor = link.split(['"', '\\']).next().unwrap();
        assert!(
            anchor.is_empty() || headings.iter().any(|heading| anchor == format!("#{heading}")),
            "{anchor}"
        );
    }
    assert!(file("metadata.yaml").contains(&format!("documentationUrl: {address}\n")));
}

/// What the check of the words says of a file: whether it passes, and its output.
fn style_of(text: &str, name: &str) -> (bool, String) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, text).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/style");
    let output = std::process::Command::new("bash").arg(script).arg(&file).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn the_check_of_the_words_finds_each_phrase_of_the_word_list_and_takes_the_better_one() {
    let style = file("STYLE.md");
    let (_, list) = style.split_once("| not | but |\n").unwrap();
    let rows: Vec<(&str, &str)> = list
        .lines()
        .skip(1)
        .map(|row| row.trim_matches(['|', ' ']).split_once(" | ").unwrap_or_else(|| panic!("{row}")))
        .collect();
    assert!(rows.len() > 10, "{} rows", rows.len());
    let lines = |side: fn(&(&str, &str)) -> String| rows.iter().map(side).collect::<Vec<_>>().join("\n");
    let (passes, found) = style_of(&lines(|(not, _)| format!("// {not}")), "planted.rs");
    assert!(!passes);
    for (number, (not, _)) in (1..).zip(&rows) {
        assert!(found.contains(&format!("planted.rs:{number}: ")), "{not}: {found}");
    }
    assert_eq!(style_of(&lines(|(_, but)| (*but).to_owned()), "better.md"), (true, String::new()));
    assert!(file(".ci/run").contains("\n.ci/style\n"));
}
