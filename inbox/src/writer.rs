//! One task that writes what all requests bring, a group at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::store::Store;
use crate::store::append::{Appended, Change};

/// How many changes may wait; beyond that the service is overloaded. What their bodies take is bounded by the room.
const WAITING: usize = 16_384;
/// How many changes one transaction holds at most.
const GROUP: usize = 512;
/// How long the answers of a relay wait for a delivery to be written with: a commit of their own would hold the next
/// delivery up, and nobody waits for them.
const COMPANY: Duration = Duration::from_millis(20);
/// A commit that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

struct Job {
    change: Change,
    done: oneshot::Sender<()>,
}

/// Hands changes to the task that writes.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    healthy: Arc<AtomicBool>,
}

/// Why a change is not known to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotStored {
    /// Too many wait already.
    Overloaded,
    /// The store did not take it.
    Failed,
}

impl Writer {
    /// Starts the task. It ends once all writers are dropped and everything is written.
    pub(crate) fn start(store: Store) -> (Self, JoinHandle<()>) {
        let (jobs, queue) = mpsc::channel(WAITING);
        let healthy = Arc::new(AtomicBool::new(true));
        let task = tokio::spawn(run(store, queue, healthy.clone()));
        (Self { jobs, healthy }, task)
    }

    /// Writes a change; it is durable when this returns. If the caller stops waiting before its group has begun,
    /// the change is dropped.
    ///
    /// # Errors
    /// When it is not known to be stored.
    pub(crate) async fn write(&self, change: Change) -> Result<(), NotStored> {
        self.start_write(change).await
    }

    /// The same, of which the change is in line when this returns, before it is waited for.
    pub(crate) fn start_write(&self, change: Change) -> impl Future<Output = Result<(), NotStored>> + use<> {
        let (done, written) = oneshot::channel();
        let sent = self.jobs.try_send(Job { change, done }).map_err(|_| NotStored::Overloaded);
        async move {
            sent?;
            written.await.map_err(|_| NotStored::Failed)
        }
    }

    /// Whether the last group was stored.
    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("Job")
    }
}

async fn run(store: Store, mut queue: mpsc::Receiver<Job>, healthy: Arc<AtomicBool>) {
    let mut jobs = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut jobs, GROUP).await > 0 {
        let until = tokio::time::Instant::now() + COMPANY;
        while jobs.len() < GROUP && jobs.iter().all(|job| matches!(job.change, Change::Relayed(_))) {
            let more = queue.recv_many(&mut jobs, GROUP);
            if tokio::time::timeout_at(until, more).await.unwrap_or(0) == 0 {
                break;
            }
        }
        let (changes, waiting): (Vec<_>, Vec<_>) =
            jobs.drain(..).filter(|job| !job.done.is_closed()).map(|job| (job.change, job.done)).unzip();
        if changes.is_empty() {
            continue;
        }
        let begun = Instant::now();
        let result = tokio::time::timeout(PATIENCE, store.append(&changes)).await;
        metrics::histogram!("aifi_inbox_store_seconds").record(begun.elapsed());
        let stored = match result {
            Ok(Ok(appended)) => {
                count(appended);
                waiting.into_iter().for_each(|done| done.send(()).unwrap_or_default());
                true
            }
            // Dropping the senders tells those who wait.
            Ok(Err(error)) => {
                tracing::error!(%error, changes = changes.len(), "The store did not take a group.");
                false
            }
            Err(_) => {
                tracing::error!(changes = changes.len(), "The store took too long for a group.");
                false
            }
        };
        if !stored {
            metrics::counter!("aifi_inbox_store_failures_total").increment(1);
        }
        if healthy.swap(stored, Ordering::Relaxed) != stored && stored {
            tracing::info!("The store takes events again.");
        }
    }
    store.close().await;
}

fn count(appended: Appended) {
    metrics::counter!("aifi_inbox_stored_total").increment(appended.new);
    metrics::counter!("aifi_inbox_repeats_total").increment(appended.repeats);
}
