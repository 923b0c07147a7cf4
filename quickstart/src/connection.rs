//! The connector's commands, as a platform runs them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use aifi_sandbox::Sandbox;
use serde_json::{Value, json};
use source_aifi::cli::Command;
use source_aifi::protocol::output::Output;
use source_aifi::{run, signals};

use crate::inbox::{self, Inbox};
use crate::table::{self, EVENTS, Tables};
use crate::{Failed, progress};

const CATALOG: &str = "configured_catalog.json";
const EVENTS_CATALOG: &str = "events_catalog.json";

/// What a user of Airbyte calls a connection: its configuration, its configured catalog and its states, in a folder.
pub(crate) struct Connection {
    folder: PathBuf,
    config: PathBuf,
}

impl Connection {
    pub(crate) fn new(folder: &Path, sandbox: &Sandbox, inbox: &Inbox) -> Result<Self, Failed> {
        let config = folder.join("config.json");
        let content = json!({
            "credentials": {"auth_type": "access_token", "access_token": "sandbox-token-0123456789"},
            "start_date": "2020-01-01T00:00:00Z",
            "base_url": sandbox.base_url(),
            "inbox_url": inbox.url,
            "inbox_read_token": inbox::READER,
        });
        fs::write(&config, serde_json::to_string_pretty(&content)?)?;
        Ok(Self { folder: folder.to_owned(), config })
    }

    /// The verdict of `check`.
    pub(crate) fn check(&self) -> Result<String, Failed> {
        let file = self.folder.join("check.jsonl");
        execute(&Command::Check { config: self.config.clone() }, File::create(&file)?)?;
        let messages = messages(&file)?;
        let verdict = messages.iter().find(|message| message["type"] == "CONNECTION_STATUS");
        let verdict = &verdict.ok_or("check gave no verdict")?["connectionStatus"];
        Ok(format!("{} {}", table::text(&verdict["status"]), table::text(&verdict["message"])))
    }

    /// The streams of `discover`, all of them selected: incremental where they can be.
    pub(crate) fn discover(&self) -> Result<Value, Failed> {
        let file = self.folder.join("discover.jsonl");
        execute(&Command::Discover { config: self.config.clone() }, File::create(&file)?)?;
        let messages = messages(&file)?;
        let catalog = messages.iter().find(|message| message["type"] == "CATALOG");
        let streams = catalog.and_then(|message| message["catalog"]["streams"].as_array());
        let selected = streams.ok_or("discover gave no catalog")?.iter().map(|stream| {
            let modes = stream["supported_sync_modes"].as_array();
            let incremental = modes.is_some_and(|modes| modes.contains(&json!("incremental")));
            let (sync_mode, destination) = if incremental {
                ("incremental", "append_dedup")
            } else {
                ("full_refresh", "overwrite_dedup")
            };
            json!({"stream": stream, "sync_mode": sync_mode, "destination_sync_mode": destination})
        });
        let selected: Vec<Value> = selected.collect();
        let events: Vec<&Value> = selected.iter().filter(|one| one["stream"]["name"] == EVENTS).collect();
        let (catalog, events) = (json!({"streams": selected}), json!({"streams": events}));
        for (name, catalog) in [(CATALOG, &catalog), (EVENTS_CATALOG, &events)] {
            fs::write(self.folder.join(name), serde_json::to_string_pretty(catalog)?)?;
        }
        Ok(catalog)
    }

    /// One sync of all streams into the tables, from the states that they hold.
    pub(crate) fn read(&self, sandbox: &Sandbox, name: &str, tables: &mut Tables) -> Result<(), Failed> {
        let command = self.command(CATALOG, tables)?;
        let file = self.folder.join(format!("{name}.jsonl"));
        progress::shown(sandbox, File::create(&file)?, |sink| execute(&command, sink))?;
        tables.take(&messages(&file)?)
    }

    /// The same of the checkout events alone.
    pub(crate) fn read_events(&self, tables: &mut Tables) -> Result<(), Failed> {
        let command = self.command(EVENTS_CATALOG, tables)?;
        let file = self.folder.join("events.jsonl");
        execute(&command, File::create(&file)?)?;
        tables.take(&messages(&file)?)
    }

    fn command(&self, catalog: &str, tables: &Tables) -> Result<Command, Failed> {
        let state = self.folder.join("state.json");
        fs::write(&state, serde_json::to_string_pretty(&tables.states())?)?;
        let (config, catalog) = (self.config.clone(), self.folder.join(catalog));
        Ok(Command::Read { config, catalog, state: Some(state) })
    }
}

fn execute(command: &Command, sink: impl std::io::Write + Send + 'static) -> Result<(), Failed> {
    let mut output = Output::to(sink);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(run::run(command, &mut output, signals::watch()))?)
}

fn messages(file: &Path) -> Result<Vec<Value>, Failed> {
    fs::read_to_string(file)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
