//! What an answer that is no page means: to be asked again, or a failure with an instruction. Pure.

use serde::Deserialize;
use std::time::Duration;

use crate::failure::{Failure, FailureKind};

/// A reason to ask again, and what to say should that not help.
#[derive(Debug)]
pub struct Trouble {
    /// What it is.
    pub kind: FailureKind,
    /// In a few words, for the log: "503", "the connection was cut".
    pub what: String,
    /// For the user, after it has lasted for too long: what to do.
    pub advice: String,
    /// How long the API asked us to wait.
    pub retry_after: Option<Duration>,
    /// The error below it.
    pub cause: Option<anyhow::Error>,
}

impl Trouble {
    /// Trouble without a request to wait.
    pub fn new(kind: FailureKind, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind, what: what.into(), advice: advice.into(), retry_after: None, cause: None }
    }

    /// Whether the API said that there are too many requests.
    pub fn is_refusal(&self) -> bool {
        self.kind == FailureKind::RateLimited
    }

    /// The failure it becomes when it has lasted for too long.
    pub fn into_failure(self, lasted: Duration, attempts: u32) -> Failure {
        let lasted = match lasted.as_secs() {
            seconds @ 0..120 => format!("{seconds} seconds"),
            seconds => format!("{} minutes", seconds / 60),
        };
        let message = format!("No usable answer for {lasted}: {}. {}", self.what, self.advice);
        let failure = Failure::new(self.kind, message);
        let failure = match self.cause {
            Some(cause) => failure.because(cause),
            None => failure,
        };
        failure.at(format!("attempt {attempts}, {}", self.what))
    }
}

/// Who answered, for the words of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The Admin API with a token from the configuration.
    WithToken,
    /// The Admin API with a token that we fetched.
    AsApplication,
    /// The token endpoint.
    TokenEndpoint,
}

impl Asked {
    /// The setting that says where to ask, as the form has it.
    pub fn url_field(self) -> &'static str {
        match self {
            Self::TokenEndpoint => "Token URL (credentials.token_url)",
            Self::WithToken | Self::AsApplication => "API base URL (base_url)",
        }
    }
}

/// A proxy that was named by `variable` lets nobody through without a name.
pub(super) fn proxy_asks_for_a_user(variable: &str) -> Failure {
    let text = format!("The proxy asks for a user name and password (407). Put them into {variable}.");
    Failure::new(FailureKind::Proxy, text)
}

/// Sorts a status other than 2xx of a question for `what` ("orders"). `body` is the start of the answer, `location` its
/// header.
pub fn sort(
    status: u16,
    body: &str,
    location: Option<&str>,
    asked: Asked,
    what: &str,
) -> Result<Trouble, Failure> {
    let said = what_the_api_said(body);
    let who = if asked == Asked::TokenEndpoint { "The token endpoint" } else { "The API" };
    let said_so = if said.is_empty() { String::new() } else { format!(" {who} said: {said}.") };
    let url_field = asked.url_field();
    let failure =
        |kind, text: String| Err(Failure::new(kind, text + &said_so).at(format!("status {status}")));
    match status {
        429 | 503 => Ok(Trouble::new(
            FailureKind::RateLimited,
            format!("{status}, the API's answer to too many requests"),
            "Other clients of your company may use up the limit. Lower Requests per second (requests_per_second), or \
             let the sync run at a quieter time. A sync goes on from where it stopped.",
        )),
        408 | 500.. => Ok(Trouble::new(
            FailureKind::ServerError,
            format!("server error {status}"),
            format!("This is a fault on AiFi's side. A sync goes on from where it stopped.{said_so}"),
        )),
        300..=399 => {
            let to = location.unwrap_or("another address").split(['?', '#']).next().unwrap_or_default();
            failure(FailureKind::Redirected, format!("The server redirects to {to} ({status}), which is not followed, since the token would go there. Correct {url_field}."))
        }
        407 => Err(proxy_asks_for_a_user("HTTP_PROXY").at(format!("status {status}"))),
        404 | 405 if asked == Asked::TokenEndpoint => {
            failure(FailureKind::Unauthorized, format!("No tokens are issued at this address ({status}). Check {url_field}."))
        }
        _ if asked == Asked::TokenEndpoint => {
            failure(FailureKind::Unauthorized, format!("The token endpoint did not accept the application ({status}). Check Client ID (credentials.client_id), Client secret (credentials.client_secret) and, if AiFi gave you one, Scope (credentials.scope)."))
        }
        401 if asked == Asked::AsApplication => {
            failure(FailureKind::Unauthorized, "The API did not accept a token that was just issued (401). Check that Token URL (credentials.token_url) and API base URL (base_url) belong together, and Scope (credentials.scope).".to_owned())
        }
        401 => failure(FailureKind::Unauthorized, "The API did not accept the access token (401). Tokens may end after 90 days: ask AiFi for a new one and put it into Access token (credentials.access_token).".to_owned()),
        403 => {
            // Without the orders there is nothing to read.
            let or = if what == "orders" { "" } else { ", or deselect the stream" };
            failure(FailureKind::Forbidden, format!("The token is valid, but may not read {what} (403). Ask AiFi for that permission, or use a token that has it (credentials){or}."))
        }
        404 => failure(FailureKind::NotFound, format!("No {what} are served at this address (404). Check {url_field}; it ends in /api/admin/v2.")),
        _ => failure(FailureKind::Rejected, format!("The API did not accept the request ({status}). Check {url_field}; if it is right, report this.")),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    message: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    errors: Option<Vec<FieldError>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FieldError {
    field: Option<String>,
    error: Option<String>,
}

/// The API's own words, from a body that may be JSON in one of two forms, text, a web page, or nothing.
fn what_the_api_said(body: &str) -> String {
    let Ok(body) = serde_json::from_str::<ErrorBody>(body) else {
        return if body.trim_start().starts_with(['<', '{', '[']) {
            String::new()
        } else {
            shorten(body.trim())
        };
    };
    let fields =
        body.errors.unwrap_or_default().into_iter().filter_map(|error| match (error.field, error.error) {
            (Some(field), Some(error)) => Some(format!("{field}: {error}")),
            (field, error) => field.or(error),
        });
    let heads = [body.message, body.error, body.error_description];
    let parts: Vec<String> = heads.into_iter().flatten().chain(fields).map(|part| shorten(&part)).collect();
    shorten(&parts.join("; "))
}

/// At most 300 characters, on one line, without an end that ours would double.
fn shorten(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        sort(status, body, None, Asked::WithToken, "orders").unwrap_err()
    }

    #[test]
    fn every_status_has_its_place() {
        let mut places = String::new();
        for status in (300..=308).chain(400..=431).chain(500..=511) {
            let place = match sort(status, "", None, Asked::WithToken, "orders") {
                Ok(trouble) => format!("again, then {:?}", trouble.kind),
                Err(failure) => format!("{:?}", failure.kind),
            };
            places.push_str(&format!("{status} {place}\n"));
        }
        insta::assert_snapshot!(places);
    }

    #[test]
    fn the_apis_own_field_and_error_are_quoted() {
        let body = r#"{"message":"Invalid query.","type":"E_INVALID_QUERY","errors":[{"error":"must be a number","rule":"number.base","field":"storeId"}]}"#;
        let failure = failure(422, body);
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert_eq!(
            failure.message,
            "The API did not accept the request (422). Check API base URL (base_url); if it is right, report this. The API said: Invalid query; storeId: must be a number."
        );
    }

    #[test]
    fn a_body_that_is_no_error_of_the_api_is_not_needed_and_not_quoted() {
        for body in ["", "<html><body>Nope</body></html>", "{\"cut", "[]", "{}", r#"{"errors":[{}]}"#] {
            assert!(!failure(404, body).message.contains("said"), "{body}");
        }
        assert!(failure(400, "plain words\nhere").message.ends_with("The API said: plain words here."));
    }

    #[test]
    fn a_redirect_names_the_host_without_its_query() {
        let failure =
            sort(302, "", Some("https://login.example/x?token=1"), Asked::WithToken, "orders").unwrap_err();
        assert!(failure.message.contains("https://login.example/x ("), "{}", failure.message);
    }

    #[test]
    fn the_same_status_means_other_fields_at_the_token_endpoint() {
        let failure = sort(
            401,
            r#"{"error":"invalid_client","error_description":"no"}"#,
            None,
            Asked::TokenEndpoint,
            "orders",
        )
        .unwrap_err();
        assert!(
            failure.message.contains("client_secret") && failure.message.contains("invalid_client; no"),
            "{}",
            failure.message
        );
        assert!(
            sort(401, "", None, Asked::AsApplication, "orders").unwrap_err().message.contains("token_url")
        );
        let nowhere = sort(404, "", None, Asked::TokenEndpoint, "tokens").unwrap_err();
        assert_eq!(
            nowhere.message,
            "No tokens are issued at this address (404). Check Token URL (credentials.token_url)."
        );
    }
}
