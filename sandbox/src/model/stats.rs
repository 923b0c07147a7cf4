//! What the sandbox counts and remembers of its requests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// Counts of requests and answers since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// All requests to the API and the token address.
    pub requests: u64,
    /// Pages of orders answered with 200 and without a fault (a slow one counts).
    pub orders: u64,
    /// Answers with 200 and without a fault (a slow one counts) by resource, named as in
    /// [`resources`](crate::resources).
    pub pages: BTreeMap<&'static str, u64>,
    /// Refusals of the limiter (503).
    pub refused: u64,
    /// Faults, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Tokens issued.
    pub tokens: u64,
    /// Answers with 401, without those of a fault.
    pub unauthorized: u64,
    /// Answers with 422.
    pub invalid: u64,
    /// Pages of 200 rows among `orders`.
    pub full_pages: u64,
    /// Pages among `orders` with as many rows as were asked for.
    pub filled_pages: u64,
}

impl Stats {
    /// How often a resource was answered.
    pub fn answered(&self, resource: &str) -> u64 {
        self.pages.get(resource).copied().unwrap_or(0)
    }

    /// How often a fault was met.
    pub fn fault(&self, name: &str) -> u64 {
        self.faults.get(name).copied().unwrap_or(0)
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLog {
    /// The path without query.
    pub path: String,
    /// The decoded pairs of the query.
    pub query: Vec<(String, String)>,
    /// The status sent; 0 when the connection was closed without one.
    pub status: u16,
    /// Real time from the start of the sandbox to the request.
    pub at: Duration,
}
