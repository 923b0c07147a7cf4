//! What a sandbox is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::settings::{Auth, Behaviour, Faults, Limit, Push, RetryAfter};

/// What a sandbox is started with. The same options give the same orders.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of the orders.
    pub seed: u64,
    /// How many orders there are at the start (not counting further versions).
    pub orders: usize,
    /// `draftCreatedAt` of the first order, exactly. The last one is drafted before `now` minus three minutes.
    pub first: DateTime<Utc>,
    /// What the sandbox's clock shows at the start.
    pub now: DateTime<Utc>,
    /// Whether the clock stands still unless it is advanced; else it runs on in real time.
    pub frozen: bool,
    /// Sizes of groups of orders that share one exact `draftCreatedAt`.
    pub ties: Vec<usize>,
    /// Number of stores.
    pub stores: u32,
    /// Whether orders have one to six product lines; else they have none.
    pub products: bool,
    /// How many of a hundred orders were contested, hence have a version 2. Half of these were reviewed.
    pub contested_percent: u8,
    /// How the API reads what is not documented.
    pub behaviour: Behaviour,
    /// What goes wrong.
    pub faults: Faults,
    /// The rate limit.
    pub limit: Limit,
    /// A `Retry-After` header on answers with 503 and 429.
    pub retry_after: Option<RetryAfter>,
    /// How long each answer of the API takes.
    pub latency: Duration,
    /// Who is let in.
    pub auth: Auth,
    /// What is answered with 403, while all else works: names out of [`resources`](crate::resources).
    pub forbidden: Vec<String>,
    /// Ids of orders whose detail is answered with 404, while the list has them.
    pub vanished: Vec<u64>,
    /// Ids of orders whose detail shows the first version still, while the list has the newest.
    pub lagging: Vec<u64>,
    /// Whether answers are compressed for clients that accept gzip.
    pub gzip: bool,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The webhook that is called as orders are drafted, completed and reviewed, from the start on.
    pub push: Option<Push>,
}

impl Default for Options {
    /// A thousand orders of November 2025, a clock that stands still, and no trouble.
    fn default() -> Options {
        Options {
            seed: 1,
            orders: 1_000,
            first: day(2025, 11, 1),
            now: day(2025, 12, 1),
            frozen: true,
            ties: vec![3],
            stores: 5,
            products: true,
            contested_percent: 3,
            behaviour: Behaviour::default(),
            faults: Faults::default(),
            limit: Limit::None,
            retry_after: None,
            latency: Duration::ZERO,
            auth: Auth::Token("sandbox-token-0123456789".to_owned()),
            forbidden: Vec::new(),
            vanished: Vec::new(),
            lagging: Vec::new(),
            gzip: true,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            push: None,
        }
    }
}

fn day(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    let day = chrono::NaiveDate::from_ymd_opt(year, month, day).expect("a day of the calendar");
    day.and_hms_opt(0, 0, 0).expect("midnight").and_utc()
}
