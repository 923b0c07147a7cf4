//! One sync after the other, in virtual time: the whole `read` as it ships, but for the network below it.

use std::cell::{RefCell, RefMut};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aifi_sandbox::{Expected, Filter, Model, Options};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use source_aifi::aifi::transport::Servers;
use source_aifi::clock;
use source_aifi::config::Config;
use source_aifi::failure::{Failure, FailureKind};
use source_aifi::protocol::catalog::{self, ConfiguredStream};
use source_aifi::protocol::output::Output;
use source_aifi::protocol::state::SavedStates;
use source_aifi::record::personal::Personal;
use source_aifi::run;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::Destination;
use super::api::{Api, InProcess};
use crate::harness::{Outcome, TOKEN};

/// What happens to a sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Nothing: it comes to its own end.
    #[default]
    Own,
    /// It is killed with this answer, and what was on its way to the platform is lost from some byte on.
    Killed { answer: usize },
    /// It is killed at this poll of its future, wherever it waits then.
    KilledAtPoll(usize),
    /// Nobody reads its output any more from this byte on.
    Unread { from: usize },
    /// It is asked to stop after so long.
    Stopped(Duration),
}

/// What a sync has written, and how it ended.
#[derive(Debug)]
pub struct Run {
    /// The messages that reached the platform.
    pub messages: Vec<Value>,
    /// How it ended; none where it was killed.
    pub result: Option<Result<(), Failure>>,
}

/// The API, the connector's configuration, and the time.
pub struct World {
    runtime: Runtime,
    api: Rc<RefCell<Api>>,
    config: Config,
    settings: Value,
    streams: Vec<ConfiguredStream>,
    /// How far the connector's own clock is ahead of the API's.
    pub clock_ahead: TimeDelta,
    /// Whether a sync may bring each order once only.
    pub once: bool,
    /// How many bytes the syncs have written that reached the platform, and a digest of them.
    pub bytes: usize,
    pub digest: u64,
    /// What the syncs draw from.
    rng: fastrand::Rng,
}

impl World {
    /// With the stream `orders` selected. `changes` are settings beside the smallest configuration.
    pub fn new(options: Options, changes: &Value) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let seed = options.seed;
        let settings = json!({
            "credentials": {"auth_type": "access_token", "access_token": TOKEN},
            "start_date": options.first.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "requests_per_second": 20,
        });
        let api = {
            let _inside = runtime.enter();
            Rc::new(RefCell::new(Api::new(Model::new(options), seed)))
        };
        let mut world = Self {
            runtime,
            api,
            config: Config::parse(&settings.to_string()).unwrap(),
            settings,
            streams: Vec::new(),
            clock_ahead: TimeDelta::zero(),
            once: true,
            bytes: 0,
            digest: 0,
            rng: fastrand::Rng::with_seed(seed),
        };
        world.configure(changes);
        world.select(&["orders"], "incremental");
        world
    }

    /// The user changes these settings; a null takes one out.
    pub fn configure(&mut self, changes: &Value) {
        let settings = self.settings.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            settings.insert(name.clone(), value.clone());
        }
        settings.retain(|_, value| !value.is_null());
        self.config = Config::parse(&self.settings.to_string()).unwrap();
    }

    /// The user selects these streams.
    pub fn select(&mut self, names: &[&str], sync_mode: &str) {
        self.select_generation(names, sync_mode, 0);
    }

    /// The same in a generation of the destination's tables.
    pub fn select_generation(&mut self, names: &[&str], sync_mode: &str, generation: u64) {
        let entries = run::streams(&Personal::Keep, self.config.deletions);
        let configured = |entry: &Value| {
            json!({"stream": entry, "sync_mode": sync_mode, "destination_sync_mode": "append_dedup",
                "generation_id": generation, "minimum_generation_id": 0, "sync_id": 1})
        };
        let is_selected = |entry: &&Value| names.iter().any(|name| entry["name"] == *name);
        let streams: Vec<Value> = entries.iter().filter(is_selected).map(configured).collect();
        self.streams = catalog::parse(&json!({"streams": streams}).to_string(), names).unwrap();
    }

    /// The servers.
    pub fn api(&self) -> RefMut<'_, Api> {
        self.api.borrow_mut()
    }

    /// Lets time pass, and what happens in it.
    pub fn pass(&mut self, time: Duration) {
        self.runtime.block_on(async {
            tokio::time::advance(time).await;
            self.api.borrow_mut().catch_up();
        });
    }

    /// Plans so many orders and changes of orders within `time`. Orders that are older than `changeable` stay as they are.
    pub fn stir(&mut self, times: usize, changeable: TimeDelta, time: Duration) {
        let from = Some(self.clock() - changeable);
        let mut api = self.api.borrow_mut();
        let young = api.model.expected(&Filter { from, ..Filter::default() });
        let young: Vec<u64> = young.iter().map(|order| order.id.parse().unwrap()).collect();
        let now = api.elapsed();
        api.life.stir(times, &young, now, time);
    }

    /// The time of the API.
    pub fn clock(&self) -> DateTime<Utc> {
        self.api.borrow().model.now()
    }

    /// The orders that a sync may have written by now: those drafted before the horizon.
    pub fn settled(&self) -> Vec<Expected> {
        let until = Some(self.clock() - TimeDelta::minutes(2));
        self.api.borrow().model.expected(&Filter { until, ..Filter::default() })
    }

    /// How much virtual time has passed.
    pub fn elapsed(&self) -> Duration {
        self.api.borrow().elapsed()
    }

    /// Runs a sync from the states that the platform keeps, into its destination. The failure, if it failed; what was written
    /// before counts.
    pub fn sync(&mut self, destination: &mut Destination, end: End) -> Result<(), Failure> {
        let Run { messages, result } = self.read(&destination.saved(), end);
        for (id, status, at) in std::mem::take(&mut self.api.borrow_mut().life.changes) {
            destination.changed(id, status, at);
        }
        destination.take(messages, self.clock());
        result.unwrap_or(Ok(()))
    }

    /// Runs a sync from the states that these messages say, one for each stream: what it wrote, as the harness holds the binary's
    /// output to the protocol.
    pub fn outcome(&mut self, states: &[&Value]) -> Outcome {
        let states: Vec<&Value> = states.iter().map(|state| &state["state"]).collect();
        let (bytes, result) =
            self.written(&SavedStates::parse(&json!(states).to_string()).unwrap(), End::Own);
        let code = i32::from(result.expect("it is not killed").is_err());
        // The status of a process that ended with this code.
        Outcome::new(ExitStatus::from_raw(code << 8), &bytes, b"")
    }

    /// Runs a sync from some states.
    pub fn read(&mut self, states: &SavedStates, end: End) -> Run {
        let (bytes, result) = self.written(states, end);
        // A reader takes whole lines only.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let messages: Vec<Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        self.assert_sound(&messages, result.as_ref());
        Run { messages, result }
    }

    /// What a sync has written when it ends, and its result; none where it was killed.
    fn written(&mut self, states: &SavedStates, end: End) -> (Vec<u8>, Option<Result<(), Failure>>) {
        let written = Written::default();
        let unread = if let End::Unread { from } = end { Some(from) } else { None };
        let mut output = Output::to(Sink { written: written.clone(), unread });
        let (stop, stopped) = watch::channel(false);
        let servers = Servers::InProcess(Rc::new(InProcess(self.api.clone())));
        let killed = self.api.borrow().killed.clone();
        self.api.borrow_mut().came.clear();
        self.api.borrow_mut().killed_after =
            if let End::Killed { answer } = end { Some(answer) } else { None };
        fastrand::seed(self.rng.u64(..));
        let wall = self.clock() + self.clock_ahead;
        let result = self.runtime.block_on(async {
            clock::set_wall(wall);
            let sync = run::read(&self.config, &self.streams, states, &servers, &mut output, stopped);
            let stopping = async {
                if let End::Stopped(after) = end {
                    tokio::time::sleep(after).await;
                    stop.send_replace(true);
                }
                std::future::pending::<()>().await;
            };
            let polls = if let End::KilledAtPoll(polls) = end { polls } else { usize::MAX };
            let result = tokio::select! {
                biased;
                result = until_poll(polls, sync) => result,
                () = killed.notified() => None,
                () = stopping => None,
            };
            self.api.borrow_mut().catch_up();
            result
        });
        drop(output);
        let Piped { mut bytes, closed } = std::mem::take(&mut *written.0.lock().unwrap());
        if closed {
            let kind = result.as_ref().and_then(|result| result.as_ref().err()).map(|failure| failure.kind);
            assert_eq!(kind, Some(FailureKind::OutputClosed), "nobody reads what is written");
        }
        if result.is_none() {
            bytes.truncate(self.rng.usize(..=bytes.len()));
        }
        self.bytes += bytes.len();
        let mut hasher = DefaultHasher::new();
        (self.digest, &bytes).hash(&mut hasher);
        self.digest = hasher.finish();
        (bytes, result)
    }
}

impl World {
    /// What holds of any sync, whatever goes wrong.
    fn assert_sound(&self, messages: &[Value], result: Option<&Result<(), Failure>>) {
        if let Some(Err(failure)) = result {
            assert_ne!(failure.kind, FailureKind::Internal, "{failure:?}");
        }
        let mut since_state: HashMap<&str, u64> = HashMap::new();
        let mut orders = HashSet::new();
        for message in messages {
            if let Some(stream) = message["record"]["stream"].as_str() {
                *since_state.entry(stream).or_default() += 1;
                let id = &message["record"]["data"]["id"];
                assert!(
                    stream != "orders" || orders.insert(id.to_string()) || !self.once,
                    "order {id} twice in one sync"
                );
            }
            if let Some(stream) = message["state"]["stream"]["stream_descriptor"]["name"].as_str() {
                let count = since_state.remove(stream).unwrap_or(0);
                assert_eq!(
                    message["state"]["sourceStats"]["recordCount"].as_f64(),
                    Some(count as f64),
                    "{stream}"
                );
            }
        }
        // However many requests are under way: at most twenty start in a second.
        let api = self.api.borrow();
        let came = &api.came;
        for (first, last) in came.iter().zip(came.iter().skip(20)) {
            assert!(*last - *first >= Duration::from_secs(1), "21 requests from {first:?} to {last:?}");
        }
    }
}

/// Runs `work` until it is polled for the `polls`-th time: then it is dropped, and nothing comes of it.
async fn until_poll<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| {
        left -= 1;
        if left == 0 { std::task::Poll::Ready(None) } else { work.as_mut().poll(context).map(Some) }
    })
    .await
}

/// What went through a pipe.
#[derive(Default)]
struct Piped {
    bytes: Vec<u8>,
    /// More was written behind the point from which nobody reads.
    closed: bool,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Piped>>);

/// Where the output goes.
struct Sink {
    written: Written,
    unread: Option<usize>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.written.0.lock().unwrap();
        let room = self.unread.map_or(bytes.len(), |unread| unread.saturating_sub(written.bytes.len()));
        if room == 0 {
            written.closed = true;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = room.min(bytes.len());
        written.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
