//! The AiFi Admin API, as a thing to ask: connection, signing in, pace and patience.
//!
//! What is known of it (from AiFi's data-integration guide and reference pages; nothing was tried against the live
//! API) and what the modules here do about it:
//!
//! | known | done |
//! | --- | --- |
//! | 20 requests a second for all clients, above it 503; whether counted by the second or by even spacing is unknown | [`pace`]: evenly spaced, below the limit, yielding when refused |
//! | back-off is recommended; `Retry-After` is mentioned nowhere | [`retry`]: exponential, with jitter; the header is honoured if it comes |
//! | error bodies: `{message, type, errors: [{field, error, rule}]}`, or empty | `refusal`: quoted if there, never needed |
//! | tokens: issued by AiFi (90 days), or by OAuth client credentials | `sign_in` |
//!
//! Nothing here knows of orders.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) mod attempt;
mod body;
pub(crate) mod counts;
pub(crate) mod dns;
pub(crate) mod http;
pub mod pace;
pub(crate) mod refusal;
pub mod retry;
pub(crate) mod sign_in;
mod tls;
pub(crate) mod token;
pub mod transport;
mod transport_error;

/// What a mutex holds, also after a panic of another holder: all that is kept in one is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
