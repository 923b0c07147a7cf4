//! The only reader of time, and the only sleeper.
//!
//! Everything that decides by time takes the time as an argument.

#![expect(clippy::disallowed_methods, reason = "this is the door of time")]

use std::time::Instant;

use chrono::{DateTime, Utc};

/// The wall clock, for `emitted_at` and the life of a token. What is read of the API follows the server's clock.
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A clock that never goes back, for waiting.
pub fn instant() -> Instant {
    Instant::now()
}

/// Returns at `until` or later.
pub async fn sleep_until(until: Instant) {
    tokio::time::sleep_until(until.into()).await;
}

/// Runs `work`, but no longer than until `until`: `None` when it was cut short.
pub async fn before<T>(until: Instant, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(until.into(), work).await.ok()
}

/// Blocks the thread. For the thread that waits for signals only.
pub fn pause(duration: std::time::Duration) {
    std::thread::sleep(duration);
}
