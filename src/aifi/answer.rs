//! What is taken from an answer: its headers and its body, within bounds.

use reqwest::Response;
use reqwest::header::HeaderName;

use super::refusal::{Asked, Trouble};
use super::transport;
use crate::failure::{Failure, FailureKind};

/// The largest answer: 200 orders of 160 kB each. Anything beyond is no page of orders.
const LARGEST_BODY: usize = 32 * 1024 * 1024;

/// A header that is a text.
pub(super) fn header(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// The whole body, as long as it is not beyond all measure; or what went wrong, and whether asking again may help.
pub(super) async fn body(mut response: Response, asked: Asked) -> Result<Vec<u8>, Result<Trouble, Failure>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport::sort(error, asked))? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(Err(Failure::new(
                FailureKind::TooLarge,
                format!(
                    "The answer is larger than {} MiB, which no page of the API is. Check {}.",
                    LARGEST_BODY >> 20,
                    asked.url_field()
                ),
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
