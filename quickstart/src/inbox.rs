//! The checkout inbox, in this process, on SQLite.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use aifi_inbox::Server;
use aifi_inbox::cli::Serve;
use aifi_sandbox::{Push, Sandbox};
use clap::Parser;

use crate::Failed;

/// What AiFi proves itself with.
const SENDER: &str = "sender-token-0123456789";
/// What the connector proves itself with.
pub(crate) const READER: &str = "reader-token-0123456789";

/// An inbox that listens until the program ends.
pub(crate) struct Inbox {
    /// Its address, as the connector is configured with it.
    pub(crate) url: String,
}

impl Inbox {
    /// Starts it with an empty store in this folder.
    pub(crate) fn start(folder: &Path) -> Result<Self, Failed> {
        let file = folder.join("inbox.db");
        for suffix in ["", "-wal", "-shm"] {
            let mut path = file.clone().into_os_string();
            path.push(suffix);
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let options = Serve::try_parse_from([
            "aifi-inbox",
            "--listen",
            "127.0.0.1:0",
            "--tokens",
            SENDER,
            "--read-tokens",
            READER,
        ])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let server = runtime.block_on(Server::open(&format!("sqlite://{}", file.display()), options))?;
        let url = format!("http://{}", server.address());
        thread::spawn(move || runtime.block_on(server.run(std::future::pending())));
        Ok(Self { url })
    }

    /// How AiFi calls it.
    pub(crate) fn push(&self) -> Result<Push, Failed> {
        let push = Push::to(&format!("{}/checkout", self.url))?;
        Ok(Push { token: Some(SENDER.to_owned()), ..push })
    }
}

/// Waits until AiFi has the answer to all its calls.
pub(crate) fn wait_for_pushes(sandbox: &Sandbox) -> Result<(), Failed> {
    for _ in 0..1000 {
        if sandbox.pushed().waiting == 0 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err("the inbox does not answer".into())
}
