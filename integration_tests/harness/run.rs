//! The binary, with its files.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aifi_sandbox::{Auth, Options, Sandbox};
use serde_json::{Value, json};

use super::{Outcome, Rules};

/// The sandbox's token.
pub const TOKEN: &str = "sandbox-token-0123456789";

/// A sandbox that is started, or the test fails.
pub fn sandbox(options: Options) -> Sandbox {
    Sandbox::start(options).expect("a free port on loopback")
}

/// The smallest configuration for a sandbox, at the full rate.
pub fn config(sandbox: &Sandbox) -> Value {
    json!({
        "credentials": {"auth_type": "access_token", "access_token": TOKEN},
        "start_date": "2025-01-01T00:00:00Z",
        "base_url": sandbox.base_url(),
        "requests_per_second": 20,
    })
}

/// A sandbox for applications, and a configuration with one.
pub fn application() -> (Sandbox, Value) {
    let auth = Auth::Client {
        id: "app-1".into(),
        secret: "secret-0123456789".into(),
        token_life: Duration::from_secs(60),
        scope: None,
    };
    let sandbox = sandbox(Options { auth, ..Options::default() });
    let mut config = config(&sandbox);
    config["credentials"] = json!({"auth_type": "client_credentials", "client_id": "app-1", "client_secret": "secret-0123456789", "token_url": sandbox.token_url()});
    (sandbox, config)
}

/// A catalog that selects `orders`.
pub fn configured_catalog(sync_mode: &str) -> Value {
    catalog_of(sync_mode, &["orders"])
}

/// A catalog that selects these streams.
fn catalog_of(sync_mode: &str, streams: &[&str]) -> Value {
    let stream = |name: &&str| {
        json!({
            "stream": {"name": name, "json_schema": {"type": "object", "properties": {}}, "supported_sync_modes": ["full_refresh", "incremental"]},
            "sync_mode": sync_mode, "destination_sync_mode": "append_dedup",
            "generation_id": 1, "minimum_generation_id": 0, "sync_id": 1})
    };
    json!({"streams": streams.iter().map(stream).collect::<Vec<_>>()})
}

/// The state file a platform makes of one emitted state message.
pub fn state_file(state: &Value) -> Value {
    json!([state["state"]])
}

/// One run of the binary.
pub struct Run {
    folder: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Run {
    /// A run of a command, without files.
    pub fn of(command: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).expect("a folder for the files of a run");
        Self { folder, arguments: vec![command.to_owned()], environment: Vec::new() }
    }

    /// `check` with a configuration.
    pub fn check(config: &Value) -> Self {
        Self::of("check").file("config", &config.to_string())
    }

    /// An incremental `read`.
    pub fn incremental(config: &Value) -> Self {
        Self::read(config, "incremental")
    }

    /// A `read` in a sync mode.
    pub fn read(config: &Value, sync_mode: &str) -> Self {
        let catalog = configured_catalog(sync_mode).to_string();
        Self::of("read").file("config", &config.to_string()).file("catalog", &catalog)
    }

    /// A `read` of these streams in a sync mode.
    pub fn of_streams(config: &Value, sync_mode: &str, streams: &[&str]) -> Self {
        let catalog = catalog_of(sync_mode, streams).to_string();
        Self::of("read").file("config", &config.to_string()).file("catalog", &catalog)
    }

    /// Resumes from emitted state messages, one for each stream.
    pub fn resuming_all(self, states: &[&Value]) -> Self {
        let states: Vec<&Value> = states.iter().map(|state| &state["state"]).collect();
        self.file("state", &json!(states).to_string())
    }

    /// Resumes from an emitted state message.
    pub fn resuming(self, state: &Value) -> Self {
        self.file("state", &state_file(state).to_string())
    }

    /// Passes a file. Its name says nothing, as some clients have it.
    pub fn file(mut self, option: &str, content: &str) -> Self {
        let path = self.folder.join(format!("{option}.txt"));
        std::fs::write(&path, content).expect("a file of a run");
        self.arguments.extend([format!("--{option}"), path.display().to_string()]);
        self
    }

    /// Passes an argument as it is.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it.
    pub fn spawn(&self) -> Child {
        self.command().spawn().expect("the binary starts")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_source-aifi"));
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, and takes what it wrote as it is: the status, stdout and stderr together.
    pub fn text(self) -> (Option<i32>, String) {
        let output = self.command().output().expect("the binary starts");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("UTF-8"))
    }

    /// Runs it to its end.
    pub fn finish(self) -> Outcome {
        let output = self.command().output().expect("the binary starts");
        Outcome::new(output.status, &output.stdout, &output.stderr)
    }

    /// Runs it to its end, at a server that sends rows without a cursor.
    pub fn finish_with_undated(self) -> Outcome {
        self.finish_under(Rules::Undated)
    }

    /// Runs it to its end, and holds its records to these rules.
    pub fn finish_under(self, rules: Rules) -> Outcome {
        let output = self.command().output().expect("the binary starts");
        Outcome::under(rules, output.status, &output.stdout, &output.stderr)
    }

    /// Runs it until it has written `bytes`, then kills it. What it had written up to then is what counts.
    pub fn killed_after(self, bytes: usize) -> Outcome {
        let mut child = self.spawn();
        let mut written = vec![0; bytes];
        let mut length = 0;
        let mut stdout = child.stdout.take().expect("a piped stdout");
        while length < bytes {
            match stdout.read(&mut written[length..]).expect("a readable pipe") {
                0 => break,
                read => length += read,
            }
        }
        child.kill().expect("a process to kill");
        let status = child.wait().expect("a process to wait for");
        // A reader sees whole lines; the rest of the last one is lost with the process.
        let whole = written[..length].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        Outcome::new(status, &written[..whole], b"")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A folder left behind is not a reason to fail.
        _ = std::fs::remove_dir_all(&self.folder);
    }
}
