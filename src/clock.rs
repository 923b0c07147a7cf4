//! The only reader of time, and the only sleeper.
//!
//! Everything that decides by time takes the time as an argument. All waiting is on tokio's clock, so that in a runtime whose
//! clock is paused a sync of hours takes no time: see [`set_wall`].

#![expect(clippy::disallowed_methods, reason = "this is the door of time")]

use std::cell::Cell;
use std::time::Instant;

use chrono::{DateTime, Utc};

thread_local! {
    /// What a wall clock showed that was set, and when.
    static WALL: Cell<Option<(DateTime<Utc>, Instant)>> = const { Cell::new(None) };
}

/// The wall clock, for `emitted_at` and the life of a token. What is read of the API follows the server's clock.
pub fn now() -> DateTime<Utc> {
    WALL.get().map_or_else(Utc::now, |(at, since)| at + (instant() - since))
}

/// From now on the wall clock of this thread shows `at` and goes on with tokio's clock. For simulations in virtual time.
pub fn set_wall(at: DateTime<Utc>) {
    WALL.set(Some((at, instant())));
}

/// A clock that never goes back, for waiting: tokio's.
pub fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
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
