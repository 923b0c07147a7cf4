//! Starts the program as a user would, and talks to it over HTTP.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::postgres;

/// A store of one test, empty at first.
pub(crate) struct Store {
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
}

/// Built together with the connector, the test's HTTP client leaves this choice to us.
pub(crate) fn install_crypto() {
    // Another test may have been first.
    _ = rustls::crypto::ring::default_provider().install_default();
}

impl Store {
    pub(crate) fn sqlite(_name: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Some(Self { url: format!("sqlite://{}", folder.path().join("inbox.db").display()), folder })
    }

    pub(crate) fn postgres(name: &str) -> Option<Self> {
        Some(Self::at(postgres::database(name)?))
    }

    pub(crate) fn at(url: String) -> Self {
        Self { url, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn start(&self, options: &[&str]) -> Service {
        self.run_program(program(), "127.0.0.1:0", options)
    }

    /// Starts it where it listened before.
    pub(crate) fn start_at(&self, address: &str) -> Service {
        self.run_program(program(), address, &[])
    }

    /// Starts it with these tokens for senders.
    pub(crate) fn start_for(&self, tokens: &str) -> Service {
        Service::start(program(), &self.url, self.folder.path(), "127.0.0.1:0", tokens, &[])
    }

    fn run_program(&self, program: Command, address: &str, options: &[&str]) -> Service {
        Service::start(program, &self.url, self.folder.path(), address, "old,new", options)
    }

    /// Starts it with a limit of the shell's `ulimit`: `-f 1000` is a disk on which no file grows beyond 1000 KiB.
    pub(crate) fn start_limited(&self, limit: &str) -> Service {
        let mut shell = Command::new("bash");
        // Ignored, the signal becomes an error of the write.
        shell.args(["-c", r#"trap '' XFSZ; ulimit $1; shift; exec "$@""#, "bash"]);
        shell.arg(limit).arg(path());
        self.run_program(shell, "127.0.0.1:0", &[])
    }

    /// Runs the program until it ends, and returns what it wrote.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = program().args(arguments).args(["--store", &self.url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Keeps the store from taking events until the returned transaction is dropped.
    pub(crate) async fn block(&self) -> sqlx::Transaction<'static, sqlx::Any> {
        let pool = self.pool().await;
        let mut transaction = pool.begin().await.unwrap();
        sqlx::query("UPDATE log SET head = head").execute(&mut *transaction).await.unwrap();
        transaction
    }

    pub(crate) async fn pool(&self) -> sqlx::AnyPool {
        sqlx::any::install_default_drivers();
        sqlx::AnyPool::connect(&self.url).await.unwrap()
    }
}

/// The program that is tested: what was built with the tests, or another by `AIFI_INBOX_PROGRAM`.
fn path() -> String {
    let other = std::env::var("AIFI_INBOX_PROGRAM").ok();
    // Tests run in the folder of their package, people in that of the workspace.
    let there = |path: String| Path::new("..").join(path).canonicalize().unwrap().display().to_string();
    other.map_or(env!("CARGO_BIN_EXE_aifi-inbox").to_owned(), there)
}

pub(crate) fn program() -> Command {
    Command::new(path())
}

/// The program at work.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: String,
    pub(crate) client: Client,
}

impl Service {
    fn start(
        mut program: Command,
        store: &str,
        folder: &Path,
        address: &str,
        tokens: &str,
        options: &[&str],
    ) -> Self {
        let mut child = program
            .args(["serve", "--listen", address, "--tokens", tokens, "--read-tokens", "reader"])
            .args(["--store", store])
            .args(options)
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, address) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let fields: Value = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "text": line }));
                match fields["fields"]["address"].as_str() {
                    Some(address) => drop(told.send(address.to_owned())),
                    None => println!("{line}"),
                }
            }
        });
        let address = address.recv_timeout(Duration::from_secs(30)).expect("the program does not listen");
        install_crypto();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { child, address, client }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn try_send(&self, body: impl Into<reqwest::Body>) -> reqwest::Result<Response> {
        self.client.post(self.url("/checkout")).bearer_auth("new").body(body).send().await
    }

    pub(crate) async fn send(&self, body: impl Into<reqwest::Body>) -> Response {
        self.try_send(body).await.unwrap()
    }

    /// Sends an event again until it is taken, as a sender does that retries.
    pub(crate) async fn insist(&self, body: String) {
        for _ in 0..300 {
            if self.try_send(body.clone()).await.is_ok_and(|response| response.status() == StatusCode::OK) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the service does not take events again");
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).bearer_auth("reader").send().await.unwrap()
    }

    /// A page of events.
    pub(crate) async fn read(&self, query: &str) -> Value {
        let response = self.get(&format!("/v1/events{query}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// All events, in order.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let (mut events, mut after) = (Vec::new(), 0);
        loop {
            let page = self.read(&format!("?after={after}")).await;
            events.extend(page["events"].as_array().unwrap().iter().cloned());
            after = events.last().map_or(0, |event| event["seq"].as_i64().unwrap());
            if page["more"] == false {
                return events;
            }
        }
    }

    /// The processor time that it has taken, in steps of 10 ms.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    /// The memory that it has, in MiB.
    pub(crate) fn memory(&self) -> u64 {
        self.mebibytes("VmRSS:")
    }

    /// The most memory that it has had, in MiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.mebibytes("VmHWM:")
    }

    fn mebibytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.terminate();
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn terminate(&self) {
        run("kill", &["-TERM", &self.id()]);
    }

    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command that has to succeed.
pub(crate) fn run(command: &str, arguments: &[&str]) {
    assert!(Command::new(command).args(arguments).status().unwrap().success(), "{command} {arguments:?}");
}

/// A checkout event.
pub(crate) fn event(order: impl std::fmt::Display, issue: &str) -> String {
    format!(
        r#"{{"orderId": {order}, "status": "draft", "timeOfOrigin": "2024-05-01T12:00:00Z", "timeOfIssue": "{issue}"}}"#
    )
}

/// Makes each function a test on SQLite and one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::harness::Store::sqlite(stringify!($name)).unwrap()).await;
            }
        )*}
        mod postgres {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(store) = $crate::harness::Store::postgres(stringify!($name)) {
                    super::$name(store).await;
                }
            }
        )*}
    };
}
pub(crate) use on_both;
