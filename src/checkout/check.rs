//! Whether the checkout inbox can be read: the request of a sync, for one event.

use super::page::{PageReader, Response};
use super::query::{Place, Query};
use super::{NAME, PATH, log};
use crate::aifi::http::{ApiRequest, Http};
use crate::config::inbox::INBOX_URL;
use crate::failure::{Failure, FailureKind};
use crate::record::personal::Personal;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The highest number that the inbox has given.
    pub head: u64,
}

/// It took longer than somebody waits.
pub(crate) fn too_slow() -> Failure {
    let text = format!(
        "The checkout inbox does not answer in time. See that it runs (its /health/ready), that this machine can reach it, and check {INBOX_URL}."
    );
    Failure::new(FailureKind::NoAnswer, text)
}

/// Proves that the stream can be read. It gives no name, so the inbox notes nothing of it.
pub(crate) async fn check(http: &Http, personal: &Personal) -> Result<Found, Failure> {
    let query = Query { after: Place::default(), limit: 1, consumer: None };
    let encoded = query.encode();
    let request = ApiRequest { what: NAME, path: PATH, query: &encoded, guess: false };
    let mut pages = PageReader::new(personal);
    let response = http.get(request, None, |body| pages.read(&query, body)).await?;
    match response.value {
        Ok(Response::Page(page)) => Ok(Found { head: page.head }),
        // Nothing was seen that it could not hold.
        Ok(Response::TooOld | Response::Rewound(_)) => Err(log::too_old()),
        Err(doubt) => Err(log::failure(doubt, 1)),
    }
}
