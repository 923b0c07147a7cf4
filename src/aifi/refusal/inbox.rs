//! What a status of the checkout inbox means, or of a proxy in front of it. Pure.

use super::{Trouble, proxy_asks_for_a_user};
use crate::config::inbox::{INBOX_READ_TOKEN, INBOX_URL};
use crate::failure::{Failure, FailureKind};

/// What a status means that the inbox's reading side does not document as a response (docs/inbox.md, *Reading*).
pub(super) fn sort(status: u16) -> Result<Trouble, Failure> {
    let failure = |kind, text: String| Err(Failure::new(kind, text).at(format!("status {status}")));
    match status {
        429 => {
            let what = "429, the answer to too many requests";
            let advice = "A proxy in front of the checkout inbox limits the requests: raise its limit.";
            Ok(Trouble::new(FailureKind::RateLimited, what, advice))
        }
        408 | 500.. => Ok(Trouble::new(
            FailureKind::ServerError,
            format!("server error {status} of the checkout inbox"),
            "It cannot read its database, or is being restarted: see its log and /health/ready. The next sync resumes from the last state.",
        )),
        300..=399 => failure(
            FailureKind::Redirected,
            format!(
                "The checkout inbox redirects ({status}), which is not followed, since the read token would go there. Correct {INBOX_URL}."
            ),
        ),
        407 => Err(proxy_asks_for_a_user("HTTP_PROXY").at("status 407")),
        401 => failure(
            FailureKind::Unauthorized,
            format!(
                "The checkout inbox did not accept the read token (401). Put one of its AIFI_INBOX_READ_TOKENS into {INBOX_READ_TOKEN}."
            ),
        ),
        403 => failure(
            FailureKind::Forbidden,
            format!(
                "A proxy in front of the checkout inbox refuses the request (403). Allow GET /v1/events there, or correct {INBOX_URL}."
            ),
        ),
        404 | 405 => failure(
            FailureKind::NotFound,
            format!(
                "No checkout inbox answers at this address ({status}). Correct {INBOX_URL}: the inbox serves /v1/events below it."
            ),
        ),
        _ => failure(
            FailureKind::Rejected,
            format!(
                "The checkout inbox did not accept the request ({status}). Check {INBOX_URL}, and run the aifi-inbox that was released with this connector."
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_says_what_to_change() {
        let told = |status| match sort(status) {
            Ok(trouble) => format!("again, then {:?}", trouble.kind),
            Err(failure) => format!("{:?}", failure.kind),
        };
        for (status, place) in [
            (302, "Redirected"),
            (400, "Rejected"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "NotFound"),
            (407, "Proxy"),
            (429, "again, then RateLimited"),
            (500, "again, then ServerError"),
            (503, "again, then ServerError"),
        ] {
            assert_eq!(told(status), place, "{status}");
        }
        for status in [302, 400, 401, 403, 404] {
            let message = sort(status).unwrap_err().message;
            assert!(message.contains("(inbox_"), "{message}");
            assert!(!message.contains("AiFi "), "{message}");
        }
    }
}
