//! Requests start one after the other, each when the pace has room for it.

use std::time::Instant;

use super::Http;
use crate::aifi::lock;
use crate::clock;

impl Http {
    /// Waits for the turn of one more request. It is nobody else's until the request has started, or the turn is dropped.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        let queue = self.turns.lock().await;
        let next = lock(&self.pace).next(clock::instant());
        clock::sleep_until(next).await;
        Turn { http: self, _queue: queue }
    }
}

/// The turn of one request: see [`Http::turn`].
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    http: &'a Http,
    _queue: tokio::sync::MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Takes the moment at which the request starts, which is now, unless a refusal has moved it meanwhile.
    pub(super) async fn start(self) -> Instant {
        loop {
            let now = clock::instant();
            let next = {
                let mut pace = lock(&self.http.pace);
                if pace.take(now) {
                    return now;
                }
                pace.next(now)
            };
            clock::sleep_until(next).await;
        }
    }
}
