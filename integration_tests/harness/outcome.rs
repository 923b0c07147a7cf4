//! What a run said, validated.

use std::collections::{BTreeSet, HashMap};
use std::process::ExitStatus;
use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use serde_json::Value;
use source_aifi::record::personal::Personal;

static PROTOCOL: LazyLock<Validator> = LazyLock::new(|| validator(include_str!("../airbyte_protocol.json")));
/// The schema of a stream, its validator, and the fields that are never null: its key, and its cursor, which comes last.
type Stream = (Value, Validator, Vec<String>);
static STREAMS: LazyLock<HashMap<String, Stream>> = LazyLock::new(|| {
    let schema = |name: &str, _: &Value| {
        let path = format!("{}/spec/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).expect("a schema file")).expect("JSON")
    };
    streams(&Personal::Keep, false, schema)
});
/// The streams of a configuration that has personal data hashed.
static HASHED: LazyLock<HashMap<String, Stream>> =
    LazyLock::new(|| streams(&Personal::hash("any salt"), false, |_, entry| entry["json_schema"].clone()));
/// The streams of a configuration that has tombstones.
static WITH_TOMBSTONES: LazyLock<HashMap<String, Stream>> =
    LazyLock::new(|| streams(&Personal::Keep, true, |_, entry| entry["json_schema"].clone()));

fn streams(
    personal: &Personal,
    deletions: bool,
    schema: impl Fn(&str, &Value) -> Value,
) -> HashMap<String, Stream> {
    let stream = |entry: Value| {
        let name = entry["name"].as_str().expect("a name").to_owned();
        let fields = entry["source_defined_primary_key"].as_array().into_iter().flatten();
        let fields = fields.chain([&entry["default_cursor_field"]]);
        let never_null = fields.filter_map(|path| Some(path[0].as_str()?.to_owned())).collect();
        let schema = schema(&name, &entry);
        let validator = validator(&schema.to_string());
        (name, (schema, validator, never_null))
    };
    source_aifi::run::streams(personal, deletions).into_iter().map(stream).collect()
}

/// What records are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The schema files; key and cursor are there.
    Whole,
    /// The same, of a server that sends rows without a cursor.
    Undated,
    /// What `discover` says where personal data are hashed.
    Hashed,
    /// What `discover` says where there are tombstones.
    WithTombstones,
}

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema")
}

/// The end of a run. Each line of stdout was valid, and the rules between lines were kept.
#[derive(Debug)]
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub messages: Vec<Value>,
}

impl Outcome {
    pub fn new(status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Self {
        Self::under(Rules::Whole, status, stdout, stderr)
    }

    /// Under these rules.
    pub fn under(rules: Rules, status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Self {
        let stdout = String::from_utf8(stdout.to_vec()).expect("UTF-8 on stdout");
        let stderr = String::from_utf8_lossy(stderr).into_owned();
        assert!(stdout.is_empty() || stdout.ends_with('\n'), "the last line is whole");
        let messages: Vec<Value> = stdout.lines().map(|line| valid(line, rules)).collect();
        let outcome = Self { status, stdout, stderr, messages };
        outcome.assert_counts();
        outcome.assert_emitted_at();
        outcome
    }

    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The run did what it was asked, and its stream went through its statuses.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code(), Some(0), "{}{}", self.stderr, self.last_lines());
        assert_eq!(self.stderr, "");
        for stream in self.streams() {
            let mut statuses = self.statuses_of(&stream);
            statuses.dedup();
            assert_eq!(statuses, ["STARTED", "RUNNING", "COMPLETE"], "{stream}");
            let of_stream = |state: &&Value| state["state"]["stream"]["stream_descriptor"]["name"] == *stream;
            assert!(self.of_type("STATE").any(|state| of_stream(&state)), "a state for each stream");
        }
        self
    }

    fn streams(&self) -> BTreeSet<String> {
        let names = self.of_type("TRACE").filter_map(|message| stream_of(message)?.as_str());
        names.map(str::to_owned).collect()
    }

    pub fn statuses_of(&self, stream: &str) -> Vec<String> {
        let traces =
            self.of_type("TRACE").filter(|message| stream_of(message).is_some_and(|name| name == stream));
        let statuses = traces.filter_map(|message| message["trace"]["stream_status"]["status"].as_str());
        statuses.map(str::to_owned).collect()
    }

    /// The run failed with one ERROR trace of this type, and closed nothing.
    #[track_caller]
    pub fn failed(self, failure_type: &str) -> Self {
        assert_eq!(self.code(), Some(1), "{}{}", self.stderr, self.last_lines());
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "{}", self.last_lines());
        assert_eq!(errors[0]["failure_type"], failure_type, "{}", errors[0]);
        assert!(!self.statuses().contains(&"COMPLETE".to_owned()));
        self
    }

    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.messages.iter().filter(move |message| message["type"] == kind)
    }

    pub fn records(&self) -> Vec<&Value> {
        self.records_of("orders")
    }

    pub fn records_of(&self, stream: &str) -> Vec<&Value> {
        let of_stream = self.of_type("RECORD").filter(|message| message["record"]["stream"] == stream);
        of_stream.map(|message| &message["record"]["data"]).collect()
    }

    pub fn states(&self) -> Vec<&Value> {
        let of_orders = |state: &&Value| state["state"]["stream"]["stream_descriptor"]["name"] == "orders";
        self.of_type("STATE").filter(of_orders).collect()
    }

    pub fn cursors(&self) -> Vec<&str> {
        self.states()
            .into_iter()
            .filter_map(|state| state["state"]["stream"]["stream_state"]["draftCreatedAt"].as_str())
            .collect()
    }

    pub fn last_state(&self) -> &Value {
        self.states().last().expect("a state")
    }

    /// The last state message of a stream.
    #[track_caller]
    pub fn last_state_of(&self, stream: &str) -> &Value {
        let is_it = |state: &&Value| state["state"]["stream"]["stream_descriptor"]["name"] == stream;
        self.of_type("STATE").filter(is_it).last().expect("a state")
    }

    /// Those of the orders.
    pub fn statuses(&self) -> Vec<String> {
        self.statuses_of("orders")
    }

    pub fn errors(&self) -> Vec<&Value> {
        self.of_type("TRACE")
            .map(|message| &message["trace"]["error"])
            .filter(|error| !error.is_null())
            .collect()
    }

    /// The one failure's message for the user.
    pub fn message(&self) -> &str {
        self.errors()[0]["message"].as_str().expect("a text")
    }

    /// The verdict of `check`.
    #[track_caller]
    pub fn verdict(&self) -> (&str, &str) {
        assert_eq!((self.messages.len(), self.code()), (1, Some(0)), "{}{}", self.stdout, self.stderr);
        let status = &self.messages[0]["connectionStatus"];
        (status["status"].as_str().expect("a verdict"), status["message"].as_str().expect("a text"))
    }

    pub fn logs(&self) -> Vec<&str> {
        self.of_type("LOG").filter_map(|message| message["log"]["message"].as_str()).collect()
    }

    fn last_lines(&self) -> String {
        let lines: Vec<&str> = self.stdout.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// Each state counts exactly the records of its stream since the one before.
    fn assert_counts(&self) {
        let mut since: HashMap<&str, u64> = HashMap::new();
        for message in &self.messages {
            match message["type"].as_str() {
                Some("RECORD") => {
                    *since.entry(message["record"]["stream"].as_str().expect("a name")).or_default() += 1;
                }
                Some("STATE") => {
                    let count = message["state"]["sourceStats"]["recordCount"].to_string();
                    let stream =
                        message["state"]["stream"]["stream_descriptor"]["name"].as_str().expect("a name");
                    let written = since.remove(stream).unwrap_or(0);
                    assert_eq!(count, format!("{written}.0"), "with a decimal point");
                }
                _ => (),
            }
        }
    }

    fn assert_emitted_at(&self) {
        let times = self.of_type("RECORD").filter_map(|message| message["record"]["emitted_at"].as_i64());
        assert!(times.is_sorted(), "emitted_at never goes back");
    }
}

/// The stream that a status is about.
fn stream_of(message: &Value) -> Option<&Value> {
    Some(&message["trace"]["stream_status"]["stream_descriptor"]["name"]).filter(|name| name.is_string())
}

fn valid(line: &str, rules: Rules) -> Value {
    let message: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    if let Some(error) = PROTOCOL.iter_errors(&message).next() {
        panic!("not a message of the protocol: {error}: {line}");
    }
    if message["type"] == "RECORD" {
        let data = &message["record"]["data"];
        let stream = message["record"]["stream"].as_str().expect("a name");
        let (schema, validator, never_null) = match rules {
            Rules::Hashed => &HASHED[stream],
            Rules::WithTombstones => &WITH_TOMBSTONES[stream],
            Rules::Whole | Rules::Undated => &STREAMS[stream],
        };
        if let Some(error) = validator.iter_errors(data).next() {
            panic!("a record does not fit the schema: {} {error}: {line}", error.instance_path().as_str());
        }
        let fields = &never_null[..never_null.len() - usize::from(rules == Rules::Undated)];
        assert!(fields.iter().all(|field| !data[field].is_null()), "key and cursor are there: {line}");
        for name in data.as_object().expect("an object").keys() {
            assert!(!schema["properties"][name].is_null(), "{name} is not declared");
        }
    }
    message
}
