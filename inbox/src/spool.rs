//! Keeps events on the local disk while the store does not take them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::store::append::{Change, Delivery, Outcome, Relay};
use crate::writer::Writer;

/// How many changes, and about how many bytes of bodies, are handed to the store at once.
const PART: usize = 256;
const PART_BYTES: usize = 8 << 20;

/// Changes as they are read from a file.
type Changes = Box<dyn Iterator<Item = io::Result<Change>> + Send>;

/// One line of the spool.
#[derive(Serialize, Deserialize)]
enum Line {
    Delivered { id: String, body: String, received: i64, relay: Relay },
    Relayed { identity: String, relay: Relay, status: Option<u16>, millis: Option<u32>, body: Option<String> },
}

/// Lines in files of one directory: one grows, one is being drained.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    directory: PathBuf,
    /// Held while a file is written or takes another name.
    lock: Arc<Mutex<()>>,
    depth: Arc<AtomicU64>,
}

impl Spool {
    /// Opens the spool with what an earlier run left in it.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let spool = Self { directory, lock: Arc::default(), depth: Arc::default() };
        let mut depth = 0;
        for name in [spool.growing(), spool.draining()] {
            for change in read(&name)? {
                change?;
                depth += 1;
            }
        }
        spool.depth.store(depth, Ordering::Relaxed);
        Ok(spool)
    }

    fn growing(&self) -> PathBuf {
        self.directory.join("growing.jsonl")
    }

    fn draining(&self) -> PathBuf {
        self.directory.join("draining.jsonl")
    }

    /// How many changes wait for the store.
    pub(crate) fn depth(&self) -> u64 {
        self.depth.load(Ordering::Relaxed)
    }

    /// Appends a change; it is on the disk when this returns.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) async fn keep(&self, change: Change) -> io::Result<()> {
        let spool = self.clone();
        tokio::task::spawn_blocking(move || spool.append(&change)).await.map_err(io::Error::other)?
    }

    fn append(&self, change: &Change) -> io::Result<()> {
        // The line break in front ends a line that a crash or a full disk has torn.
        let mut line = b"\n".to_vec();
        serde_json::to_writer(&mut line, &encode(change)).map_err(io::Error::other)?;
        line.push(b'\n');
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let created = !self.growing().exists();
        let mut file = OpenOptions::new().create(true).append(true).open(self.growing())?;
        file.write_all(&line)?;
        file.sync_data()?;
        if created {
            // A new name lasts only once its directory does.
            File::open(&self.directory)?.sync_all()?;
        }
        self.depth.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Hands what was kept to the store, once it takes events again. Runs until it is aborted; a change that was
    /// handed over twice then counts once.
    pub(crate) async fn drain(self, writer: Writer) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            metrics::gauge!("aifi_inbox_spool_depth").set(self.depth() as f64);
            if self.depth() > 0
                && let Err(error) = self.drain_once(&writer).await
            {
                tracing::warn!(%error, depth = self.depth(), "The spool waits for the store.");
            }
        }
    }

    async fn drain_once(&self, writer: &Writer) -> io::Result<()> {
        let mut changes = self.take()?;
        let mut count = 0;
        loop {
            let part;
            (changes, part) = tokio::task::spawn_blocking(move || {
                let part = next_part(&mut changes);
                (changes, part)
            })
            .await
            .map_err(io::Error::other)?;
            let part = part?;
            if part.is_empty() {
                break;
            }
            count += part.len() as u64;
            // All of a part at once, in order: the writer makes one group of it.
            let writing: Vec<_> = part.into_iter().map(|change| writer.start_write(change)).collect();
            for written in writing {
                written.await.map_err(|_| io::Error::other("The store does not take events."))?;
            }
        }
        fs::remove_file(self.draining())?;
        self.depth.fetch_sub(count, Ordering::Relaxed);
        tracing::info!(count, "The spool was drained into the store.");
        Ok(())
    }

    /// What is to be drained: what was left of the last time, or else what has grown.
    fn take(&self) -> io::Result<Changes> {
        if !self.draining().exists() {
            let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            fs::rename(self.growing(), self.draining())?;
        }
        read(&self.draining())
    }
}

/// The next changes, up to a bound in number and bytes.
fn next_part(changes: &mut Changes) -> io::Result<Vec<Change>> {
    let (mut part, mut bytes) = (Vec::new(), 0);
    while part.len() < PART
        && bytes < PART_BYTES
        && let Some(change) = changes.next().transpose()?
    {
        bytes += match &change {
            Change::Delivered(delivery) => delivery.body.len(),
            Change::Relayed(outcome) => outcome.body.as_ref().map_or(0, Bytes::len),
        };
        part.push(change);
    }
    Ok(part)
}

/// The changes of a file, one after the other; none when it is not there.
fn read(path: &Path) -> io::Result<Changes> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Box::new(std::iter::empty())),
        file => file?,
    };
    let lines = BufReader::new(file).split(b'\n').filter(|line| !matches!(line, Ok(line) if line.is_empty()));
    Ok(Box::new(lines.filter_map(|line| match line {
        Err(error) => Some(Err(error)),
        Ok(line) => {
            let change = serde_json::from_slice(&line).ok().and_then(decode);
            if change.is_none() {
                tracing::error!("A line of the spool is torn: it was never acknowledged as kept.");
            }
            change.map(Ok)
        }
    })))
}

fn encode(change: &Change) -> Line {
    match change {
        Change::Delivered(delivery) => Line::Delivered {
            id: delivery.id.clone(),
            body: STANDARD.encode(&delivery.body),
            received: delivery.received,
            relay: delivery.relay,
        },
        Change::Relayed(outcome) => Line::Relayed {
            identity: outcome.identity.clone(),
            relay: outcome.relay,
            status: outcome.status,
            millis: outcome.millis,
            body: outcome.body.as_deref().map(|body| STANDARD.encode(body)),
        },
    }
}

fn decode(line: Line) -> Option<Change> {
    Some(match line {
        Line::Delivered { id, body, received, relay } => {
            Change::Delivered(Delivery::new(id, STANDARD.decode(body).ok()?.into(), received, relay))
        }
        Line::Relayed { identity, relay, status, millis, body } => {
            let body = match body {
                None => None,
                Some(body) => Some(STANDARD.decode(body).ok()?.into()),
            };
            Change::Relayed(Outcome { identity, relay, status, millis, body })
        }
    })
}
