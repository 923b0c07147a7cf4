//! The setting `personal_data`: values are planted in every personal field of every stream, also where no schema knows them,
//! and then looked for in everything that leaves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{JSON, Nulls, OF_THE_API, Outcome, Rules, Run, Server, api};

/// With the rows that could not be read.
fn streams() -> Vec<&'static str> {
    [&OF_THE_API[..], &["unreadable_rows"]].concat()
}

const SALT: &str = "a salt that nobody knows";
const AT: &str = "2025-11-01T08:00:00.000Z";

/// Values that belong to a person, each another one.
#[derive(Default)]
struct Planted(Vec<String>, u64);

impl Planted {
    fn text(&mut self) -> Value {
        self.1 += 1;
        self.0.push(format!("planted{:03}x", self.1));
        json!(self.0.last())
    }

    fn number(&mut self) -> Value {
        self.1 += 1;
        let number = 7_340_000_000 + self.1;
        self.0.push(number.to_string());
        json!(number)
    }

    /// A row with a value in each personal field that the schema declares.
    fn row(&mut self, schema: &Value) -> Value {
        let mut row = json!({});
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let name = field["aifiName"].as_str().unwrap_or(name);
            let kind = field["type"].to_string();
            if field["personal"] == true {
                row[name] = if kind.contains("integer") {
                    self.number()
                } else if kind.contains("object") {
                    json!({"of the person": [self.text(), {"deeper": self.text()}]})
                } else {
                    self.text()
                };
            } else if kind.contains("object") && !field["properties"].is_null() {
                row[name] = self.row(field);
            } else if kind.contains("array") && !field["items"]["properties"].is_null() {
                row[name] = json!([self.row(&field["items"])]);
            }
        }
        // What no schema knows: a text, an object, and a name that is data itself.
        row["loyaltyCard"] = self.text();
        row["loyalty"] = json!({"card": self.number(), "notes": [self.text()]});
        let address = self.text();
        row[format!("{}@example.com", address.as_str().unwrap())] = json!(true);
        row
    }

    /// A row of a stream: what is planted, and what the stream needs.
    fn of_stream(&mut self, stream: &str, needed: &Value) -> Value {
        let path = format!("{}/spec/{stream}.json", env!("CARGO_MANIFEST_DIR"));
        let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut row = self.row(&schema);
        for (name, value) in needed.as_object().into_iter().flatten() {
            self.set(&mut row, name, value);
        }
        row
    }

    /// Sets a field, instead of what is planted there.
    fn set(&mut self, row: &mut Value, name: &str, value: &Value) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let before = text(&row[name]);
        self.0.retain(|planted| *planted != before);
        row[name] = value.clone();
    }

    /// What is found in a text.
    fn found_in<'p>(&'p self, text: &str) -> BTreeSet<&'p str> {
        self.0.iter().map(String::as_str).filter(|value| text.contains(*value)).collect()
    }
}

/// An API with a row of each list, and an item that is not a row.
fn planted_api() -> (Server, Planted) {
    let mut planted = Planted::default();
    // The same person everywhere, as an id that is a number here and a text there.
    let of_order = json!({"id": 7, "version": 1, "isLatest": true, "draftCreatedAt": AT, "updatedAt": AT, "status": "paid",
        "totalPrice": "12.30", "sessionId": "s7", "customerId": 734_111_222});
    let mut order = planted.of_stream("orders", &of_order);
    // These do not fit their columns, and hold what they should not.
    order["storeId"] = planted.text();
    order["products"][0]["id"] = json!(1);
    order["products"][0]["weight"] = json!({"scale": planted.text()});
    let detail = planted.of_stream("order_details", &of_order);
    let dated = json!({"id": 5, "createdAt": AT, "updatedAt": AT});
    let mut session = planted.of_stream("sessions", &dated);
    planted.set(&mut session, "customerId", &json!("734111222"));
    planted.0.push("734111222".to_owned());
    let lists = json!({
        "sessions": [session],
        "contests": [planted.of_stream("contests", &dated), {"updatedAt": AT, "message": planted.text()}],
        "stores": [planted.of_stream("stores", &json!({"id": 3}))],
        "products": [planted.of_stream("products", &json!({"id": "9"})), {"name": planted.text()}],
        "details": {"7": detail},
    });
    (api(vec![order], Nulls::First, lists), planted)
}

fn config(server: &Server, personal_data: &Value) -> Value {
    let mut config = server.config();
    config["personal_data"] = personal_data.clone();
    config
}

fn hash(salt: &str) -> Value {
    json!({"mode": "hash", "salt": salt})
}

fn read(config: &Value, rules: Rules) -> Outcome {
    Run::of_streams(config, "incremental", &streams()).finish_under(rules).succeeded()
}

/// Everything that leaves: records, states, logs, verdicts, the doctor's report and failures.
fn everything(config: &Value, rules: Rules) -> String {
    let mut text = read(config, rules).stdout;
    for variables in [&[][..], &[("LOG_LEVEL", "debug")], &[("LOG_LEVEL", "trace")]] {
        for command in ["check", "doctor", "discover"] {
            let run = Run::of(command).file("config", &config.to_string());
            let run = variables.iter().fold(run, |run, (name, value)| run.variable(name, value));
            text.push_str(&run.text().1);
        }
        let run = Run::of_streams(config, "full_refresh", &streams());
        text.push_str(&variables.iter().fold(run, |run, (name, value)| run.variable(name, value)).text().1);
    }
    text
}

#[test]
fn nothing_planted_leaves_when_it_is_hashed_or_left_out() {
    let (server, planted) = planted_api();
    let all: BTreeSet<&str> = planted.0.iter().map(String::as_str).collect();
    assert!(all.len() > 60, "{}", all.len());
    let kept = everything(&config(&server, &json!({"mode": "keep"})), Rules::Whole);
    assert_eq!(planted.found_in(&kept), all, "the API has them all, and so has a read that keeps them");
    for (setting, rules) in [(hash(SALT), Rules::Hashed), (json!({"mode": "leave_out"}), Rules::Whole)] {
        let text = everything(&config(&server, &setting), rules);
        assert_eq!(planted.found_in(&text), BTreeSet::new(), "{setting}");
        assert!(!text.contains(SALT));
        assert!(text.contains("\"totalPrice\":\"12.30\""), "amounts stay");
    }
}

#[test]
fn a_failure_holds_nothing_of_a_person() {
    let body = r#"{"message": "customer planted000x (ann.planted000x@example.com) is unknown"}"#;
    for status in ["400 Bad Request", "403 Forbidden", "404 Not Found", "200 OK"] {
        let server = Server::start(move |_, _| (status, JSON, body.to_owned()));
        for setting in [hash(SALT), json!({"mode": "leave_out"})] {
            let config = config(&server, &setting);
            let (_, read) = Run::of_streams(&config, "incremental", &["orders", "sessions"]).text();
            let (_, check) = Run::check(&config).text();
            assert!(read.contains("TRACE") && check.contains("FAILED"), "{status}");
            assert!(!format!("{read}{check}").contains("planted000x"), "{status}: {read}{check}");
        }
    }
}

#[test]
fn equal_values_have_equal_hashes_in_all_streams_and_syncs() {
    let (server, _) = planted_api();
    let config = config(&server, &hash(SALT));
    let first = read(&config, Rules::Hashed);
    let customer = |stream: &str, path: &str| {
        let value = first.records_of(stream)[0].pointer(path).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("{stream}{path}")).to_owned()
    };
    let hashed = customer("orders", "/customerId");
    assert_eq!(hashed.len(), 64);
    for (stream, path) in
        [("order_versions", "/customerId"), ("order_details", "/customerId"), ("sessions", "/customerId")]
    {
        assert_eq!(customer(stream, path), hashed, "{stream}{path}");
    }
    let unknown = &first.records_of("orders")[0]["additionalFields"];
    assert_eq!(unknown["loyaltyCard"].as_str().map(str::len), Some(64));
    assert_eq!(unknown["loyalty"].as_str().map(str::len), Some(64));
    let second = read(&config, Rules::Hashed);
    assert_eq!(first.records_of("orders"), second.records_of("orders"));
}

fn states(outcome: &Outcome) -> Vec<&Value> {
    OF_THE_API.iter().map(|stream| outcome.last_state_of(stream)).collect()
}

#[test]
fn another_setting_is_logged_once_and_writes_what_is_read_again_anew() {
    let (server, _) = planted_api();
    let warned = |outcome: &Outcome| {
        outcome.logs().iter().any(|line| line.contains("(personal_data), or its salt, was changed"))
    };
    let resumed = |setting: &Value, before: &Outcome| {
        Run::of_streams(&config(&server, setting), "incremental", &streams())
            .resuming_all(&states(before))
            .finish_under(if setting["mode"] == "hash" { Rules::Hashed } else { Rules::Whole })
            .succeeded()
    };
    let keep = json!({"mode": "keep"});
    let kept = read(&server.config(), Rules::Whole);
    assert!(!warned(&resumed(&keep, &kept)), "keep is the default");
    let hashed = resumed(&hash(SALT), &kept);
    assert!(warned(&hashed));
    let same = resumed(&hash(SALT), &hashed);
    assert!(!warned(&same));
    let other = resumed(&hash("another salt, which is long"), &same);
    assert!(warned(&other));
    let left_out = resumed(&json!({"mode": "leave_out"}), &other);
    assert!(warned(&left_out));
    assert!(warned(&resumed(&keep, &left_out)));
}

#[test]
fn a_hash_needs_a_salt_that_is_long_enough() {
    let (server, _) = planted_api();
    for (setting, words) in [
        (json!({"mode": "hash"}), "Salt (personal_data.salt): is required"),
        (json!({"mode": "hash", "salt": ""}), "Salt (personal_data.salt): must have at least 16 characters"),
        (hash("short"), "Salt (personal_data.salt): must have at least 16 characters"),
        (json!({"mode": "mask"}), "Personal data (personal_data): \"mode\" must be one of"),
        (json!({}), "Personal data (personal_data): \"mode\" must be one of"),
    ] {
        let outcome = Run::check(&config(&server, &setting)).finish();
        let (verdict, message) = outcome.verdict();
        assert_eq!(verdict, "FAILED");
        assert!(message.contains(words), "{setting}: {message}");
    }
}
