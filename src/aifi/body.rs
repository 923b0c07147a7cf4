//! What is taken from a response: its headers and its body, within bounds.

use reqwest::Response;
use reqwest::header::HeaderName;
use tokio::sync::{Mutex, MutexGuard};

use super::refusal::{Server, Trouble};
use super::transport_error;
use crate::failure::{Failure, FailureKind};

/// The largest response that is read: 200 orders of 60 kB each. A list is asked for in smaller pages then.
const LARGEST_BODY: usize = 12 * 1024 * 1024;
/// From this size on, one body is read at a time, so that memory holds one.
const LARGE: usize = 1024 * 1024;

/// A body, and the turn to hold a large one.
pub(super) struct Body<'a> {
    pub(super) bytes: Vec<u8>,
    _turn: Option<MutexGuard<'a, ()>>,
}

/// A header that is a text.
pub(super) fn header(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// The whole body, as long as it is not beyond all measure; or what went wrong, and whether asking again may help. Who
/// reads a large one holds `large` until it is dropped.
pub(super) async fn body(
    mut response: Response,
    server: Server,
    large: &Mutex<()>,
) -> Result<Body<'_>, Result<Trouble, Failure>> {
    let mut bytes = Vec::new();
    let mut turn = None;
    while let Some(chunk) = response.chunk().await.map_err(|error| transport_error::sort(error, server))? {
        if bytes.len() + chunk.len() > LARGEST_BODY {
            return Err(Err(Failure::new(
                FailureKind::TooLarge,
                format!(
                    "The answer is larger than {} MiB, more than the connector reads at once. Check {}.",
                    LARGEST_BODY >> 20,
                    server.url_field()
                ),
            )));
        }
        if turn.is_none() && bytes.len() + chunk.len() > LARGE {
            turn = Some(large.lock().await);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body { bytes, _turn: turn })
}
