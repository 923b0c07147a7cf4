//! One run of the connector, or of the bare loop, against a sandbox of its own.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use aifi_sandbox::{Auth, Limit, Options, Sandbox, Stats};
use anyhow::Result;
use serde_json::{Value, json};

use crate::process::{Measured, measure};

/// What the sandbox lets in.
pub(crate) const TOKEN: &str = "sandbox-token-0123456789";
/// What the connector is configured to, and what AiFi documents.
pub(crate) const REQUESTS_PER_SECOND: u32 = 20;
/// How many orders one answer holds at most.
const PAGE_SIZE: usize = 200;
const CONNECTOR: &str = env!("CARGO_BIN_EXE_source-aifi");

/// An API to read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// How many orders it holds.
    pub(crate) orders: usize,
    /// How long each of its answers takes.
    pub(crate) latency: Duration,
    /// What it accepts.
    pub(crate) limit: Limit,
}

/// A read of the connector.
pub(crate) struct Run {
    /// From outside.
    pub(crate) measured: Measured,
    /// As the API saw it.
    pub(crate) stats: Stats,
}

impl Case {
    /// So many orders, and nothing to wait for.
    pub(crate) fn without_waits(orders: usize) -> Self {
        Self { orders, latency: Duration::ZERO, limit: Limit::None }
    }

    /// How many pages hold all orders.
    pub(crate) fn pages(&self) -> usize {
        self.orders.div_ceil(PAGE_SIZE)
    }

    /// Seconds that full pages take at the limit, with no other request beside them.
    pub(crate) fn ideal(&self) -> f64 {
        self.pages() as f64 / f64::from(REQUESTS_PER_SECOND)
    }

    /// A sandbox for one run: a limit remembers the requests of its last second. Of a hundred orders so many are contested.
    pub(crate) fn sandbox(self, contested_percent: u8) -> Result<Sandbox> {
        let Self { orders, latency, limit } = self;
        let auth = Auth::Token(TOKEN.to_owned());
        let ties = vec![3];
        let options = Options { orders, latency, limit, auth, ties, contested_percent, ..Options::default() };
        Ok(Sandbox::start(options)?)
    }

    /// A first incremental read; an error unless each order comes exactly once.
    pub(crate) fn connector(self) -> Result<Run> {
        let sandbox = self.sandbox(0)?;
        let mut measured = read(&sandbox, &[("orders", "incremental")], None)?;
        measured.received.verify(self.orders)?;
        Ok(Run { measured, stats: sandbox.stats() })
    }

    /// The same orders with the bare loop.
    pub(crate) fn bare_loop(self) -> Result<Measured> {
        let sandbox = self.sandbox(0)?;
        let mut command = program(env::current_exe()?);
        command.arg("--bare-loop").arg(sandbox.base_url()).arg(self.pages().to_string());
        let mut measured = measure(&mut command)?;
        measured.received.verify(self.orders)?;
        Ok(measured)
    }
}

/// A program to measure, with the allocator as it is in the image: cargo tunes it for the tests.
fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command.env_remove("GLIBC_TUNABLES");
    command
}

/// Reads these streams, in these modes, from the states of an earlier sync on.
pub(crate) fn read(
    sandbox: &Sandbox,
    streams: &[(&str, &str)],
    states: Option<&[&Value]>,
) -> Result<Measured> {
    let stream = |(name, mode): &(&str, &str)| json!({"stream": {"name": name}, "sync_mode": mode});
    let config = json!({
        "credentials": {"auth_type": "access_token", "access_token": TOKEN},
        "start_date": "2025-11-01T00:00:00Z",
        "base_url": sandbox.base_url(),
        "requests_per_second": REQUESTS_PER_SECOND,
    });
    let mut command = program(CONNECTOR);
    command.arg("read").arg("--config").arg(file("config", &config)?);
    let catalog = json!({"streams": streams.iter().map(stream).collect::<Vec<_>>()});
    command.arg("--catalog").arg(file("catalog", &catalog)?);
    if let Some(states) = states {
        command.arg("--state").arg(file("state", &json!(states))?);
    }
    measure(&mut command)
}

/// Writes a file for the connector; where.
fn file(name: &str, content: &Value) -> Result<PathBuf> {
    let name = format!("benchmark-{}-{name}.json", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content.to_string())?;
    Ok(path)
}

/// How long `spec` takes.
pub(crate) fn spec() -> Result<Duration> {
    let started = Instant::now();
    program(CONNECTOR).arg("spec").output()?;
    Ok(started.elapsed())
}
