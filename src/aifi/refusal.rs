//! What a response that is not a page means: to be asked again, or a failure with an instruction. Pure.

mod inbox;

use serde::Deserialize;
use std::time::Duration;

use super::retry::Hope;
use crate::config::inbox::INBOX_URL;
use crate::failure::{Failure, FailureKind};
use crate::plural::plural;
use crate::protocol::scrub::Scrubber;
use crate::timestamp;

/// A reason to ask again, and what to say should that not help.
#[derive(Debug)]
pub(crate) struct Trouble {
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
    /// How much patience it deserves.
    pub hope: Hope,
    /// What it would have been at once, had the like not been answered before.
    pub verdict: Option<Failure>,
}

impl Trouble {
    /// Trouble without a request to wait.
    pub(crate) fn new(kind: FailureKind, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            advice: advice.into(),
            retry_after: None,
            cause: None,
            hope: Hope::Passes,
            verdict: None,
        }
    }

    /// A failure that contradicts what was answered before: perhaps it passes. `what` is it in a few words.
    pub(crate) fn contradiction(failure: Failure, what: impl Into<String>) -> Self {
        let trouble = Self::new(failure.kind, what, String::new());
        Self { hope: Hope::Contradicts, verdict: Some(failure), ..trouble }
    }

    /// The same trouble for another request that waited for the same thing.
    #[must_use]
    pub(crate) fn shared(&self) -> Self {
        let verdict =
            self.verdict.as_ref().map(|failure| Failure::new(failure.kind, failure.message.clone()));
        let (kind, hope, retry_after) = (self.kind, self.hope, self.retry_after);
        Self { retry_after, hope, verdict, ..Self::new(kind, self.what.clone(), self.advice.clone()) }
    }

    /// Whether the API said that there are too many requests.
    pub(crate) fn is_refusal(&self) -> bool {
        self.kind == FailureKind::RateLimited
    }

    /// The failure it becomes when it has lasted for too long.
    pub(crate) fn into_failure(self, lasted: Duration, attempts: u32) -> Failure {
        if let Some(mut failure) = self.verdict {
            failure.message.push_str(&format!(
                " All {attempts} attempts got this response, although such requests succeeded before, so it may be temporary: the next sync resumes from the last state."
            ));
            failure.may_pass = true;
            return failure.at(format!("attempt {attempts}, {}", self.what));
        }
        let lasted = match (lasted.as_secs(), attempts) {
            (0, 1) => "in 1 attempt".to_owned(),
            (0, _) => format!("in {attempts} attempts"),
            _ => format!("for {}", duration(lasted)),
        };
        let message = format!("No usable answer {lasted}: {}. {}", self.what, self.advice);
        self.end(message, attempts)
    }

    /// The failure it becomes when the API asks for a wait, `requested`, beyond our `patience`.
    pub(crate) fn into_long_wait(self, requested: Duration, patience: Duration, attempts: u32) -> Failure {
        let message = format!(
            "The API asks to wait {} before the next request (Retry-After: {} seconds), and at most {} are waited. It answered: {}. {}",
            duration(requested),
            requested.as_secs(),
            duration(patience),
            self.what,
            self.advice
        );
        self.end(message, attempts)
    }

    fn end(self, message: String, attempts: u32) -> Failure {
        let failure = Failure::new(self.kind, message);
        let failure = match self.cause {
            Some(cause) => failure.because(cause),
            None => failure,
        };
        failure.at(format!("attempt {attempts}, {}", self.what))
    }
}

/// A length of time, in words.
fn duration(length: Duration) -> String {
    match length.as_secs() {
        seconds if seconds >= 3600 && seconds % 3600 == 0 => plural(seconds / 3600, "hour"),
        seconds @ 0..120 => plural(seconds, "second"),
        seconds => plural(seconds / 60, "minute"),
    }
}

/// Who answered, for the words of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// The Admin API with a token from the configuration.
    WithToken,
    /// The Admin API with a token that we fetched.
    AsApplication,
    /// The token endpoint.
    TokenEndpoint,
    /// The checkout inbox.
    Inbox,
}

impl Server {
    /// The setting that says where to ask, as the form has it.
    pub(crate) fn url_field(self) -> &'static str {
        match self {
            Self::TokenEndpoint => "Token URL (credentials.token_url)",
            Self::Inbox => INBOX_URL,
            Self::WithToken | Self::AsApplication => "API base URL (base_url)",
        }
    }

    /// What may be the matter where no response comes in time, as a clause.
    pub(super) fn incident(self) -> &'static str {
        if self == Self::Inbox { "the inbox and its database are well" } else { "AiFi has an incident" }
    }

    /// Whether this status is a response to read, though not a success: by it the inbox says that its log was rewound.
    pub(super) fn answers_with(self, status: u16) -> bool {
        self == Self::Inbox && status == 409
    }
}

/// A proxy that was named by `variable` lets nobody through without a name.
pub(super) fn proxy_asks_for_a_user(variable: &str) -> Failure {
    let text = format!("The proxy asks for a user name and password (407). Put them into {variable}.");
    Failure::new(FailureKind::Proxy, text)
}

/// What was answered before in this process, of what concerns a request; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precedent {
    /// Nothing.
    Nothing,
    /// Some request: address and token are right.
    Some,
    /// A request for the same thing: it is served.
    Kind,
    /// A request for the same thing with the same parameters: it is accepted.
    Form,
}

/// Whether a status that ends a request at once may pass, since the API `answered` before what it denies now.
/// `one_thing` is a request for a single thing that its path names: that it is not there is an answer.
pub(crate) fn may_pass(status: u16, answered: Precedent, one_thing: bool) -> bool {
    let denied = match status {
        404 if one_thing => return false,
        // Of the whole server: elsewhere, not signed in, a proxy, another server, too early, a security rule.
        300..=399 | 401 | 407 | 421 | 425 | 426 | 430 => Precedent::Some,
        // Of this request: its permission, its parameters, their length.
        400 | 403 | 411 | 413..=417 | 422 | 431 => Precedent::Form,
        // Of what is asked for.
        _ => Precedent::Kind,
    };
    answered >= denied
}

/// The form of a request for `what`: its parameters, with the values that the API may accept or not. Dates and places
/// in a list are of one form, but for the first ones: whether pages count from 0 or 1 is one of the things it may refuse.
pub(crate) fn form(what: &str, query: &str) -> String {
    let mut form = what.to_owned();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let place = matches!(&*name, "page" | "offset" | "after") && !matches!(&*value, "0" | "1");
        let value = if place || timestamp::parse(&value).is_some() { "..." } else { &*value };
        form.push_str(&format!("&{name}={value}"));
    }
    form
}

/// A response other than 2xx.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refused<'a> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'a str,
    /// What the body is said to be (`Content-Type`).
    pub content_type: Option<&'a str>,
    /// Where it sends us (`Location`).
    pub location: Option<&'a str>,
}

/// Sorts a response other than 2xx to a request for `what` ("orders"). What it says is quoted without the secrets.
pub(crate) fn sort(
    answer: Refused<'_>,
    server: Server,
    what: &str,
    scrubber: &Scrubber,
) -> Result<Trouble, Failure> {
    let Refused { status, body, content_type, location } = answer;
    if server == Server::Inbox {
        return inbox::sort(status);
    }
    let said = what_the_api_said(body, scrubber);
    let who = if server == Server::TokenEndpoint { "The token endpoint" } else { "The API" };
    let said_so = match content_type.map(media_type) {
        _ if !said.is_empty() => format!(" {who} said: {said}."),
        // Who answers something else is perhaps not the API: so no more than that is reported.
        Some(media_type) if !body.is_empty() && !media_type.contains("json") => {
            format!(" The answer was of the type {media_type}.")
        }
        _ => String::new(),
    };
    let url_field = server.url_field();
    let failure =
        |kind, text: String| Err(Failure::new(kind, text + &said_so).at(format!("status {status}")));
    match status {
        429 | 503 => Ok(Trouble::new(
            FailureKind::RateLimited,
            format!("{status}, the API's answer to too many requests"),
            "Other clients of your company may use up the limit. Lower Requests per second (requests_per_second), or \
             let the sync run at a quieter time. A sync resumes where it stopped.",
        )),
        408 | 500.. => Ok(Trouble::new(
            FailureKind::ServerError,
            format!("server error {status}"),
            format!("This is a fault on AiFi's side. A sync resumes where it stopped.{said_so}"),
        )),
        300..=399 => {
            let to = location.unwrap_or("another address").split(['?', '#']).next().unwrap_or_default();
            let to = shorten(&scrubber.scrub(to));
            failure(FailureKind::Redirected, format!("The server redirects to {to} ({status}), which is not followed, since the token would go there. Correct {url_field}."))
        }
        407 => Err(proxy_asks_for_a_user("HTTP_PROXY").at(format!("status {status}"))),
        404 | 405 if server == Server::TokenEndpoint => {
            failure(FailureKind::Unauthorized, format!("No tokens are issued at this address ({status}). Check {url_field}."))
        }
        _ if server == Server::TokenEndpoint => Err(no_token(&said_so, status)),
        401 if server == Server::AsApplication => {
            failure(FailureKind::Unauthorized, "The API did not accept a token that was just issued (401). Check that Token URL (credentials.token_url) and API base URL (base_url) belong together, and Scope (credentials.scope).".to_owned())
        }
        401 => failure(FailureKind::Unauthorized, "The API did not accept the access token (401). Tokens may expire after 90 days: ask AiFi for a new one and put it into Access token (credentials.access_token).".to_owned()),
        403 => {
            // Without the orders there is nothing to read.
            let or = if what == "orders" { "" } else { ", or deselect the stream" };
            failure(FailureKind::Forbidden, format!("The token is valid but not authorized to read {what} (403). Ask AiFi for that permission, or use a token that has it (credentials){or}."))
        }
        404 => failure(FailureKind::NotFound, format!("No {what} are served at this address (404). Check {url_field}; it ends in /api/admin/v2.")),
        _ => failure(FailureKind::Rejected, format!("The API did not accept the request ({status}). Check {url_field}; if it is right, report this.")),
    }
}

/// The token endpoint knows the request, but not the application.
fn no_token(said_so: &str, status: u16) -> Failure {
    let text = format!(
        "The token endpoint did not accept the application ({status}). Check Client ID (credentials.client_id), Client secret (credentials.client_secret) and, if AiFi gave you one, Scope (credentials.scope).{said_so}"
    );
    Failure::new(FailureKind::Unauthorized, text).at(format!("status {status}"))
}

/// The failure that a response of the token endpoint with 200 is, if it says `error` (RFC 6749, section 5.2).
pub(crate) fn error_in_place_of_a_token(body: &str, scrubber: &Scrubber) -> Option<Failure> {
    let ErrorBody { error, error_description, .. } = serde_json::from_str(body).ok()?;
    let error = error.filter(|error| !error.trim().is_empty())?;
    let said = ErrorBody { error: Some(error), error_description, ..ErrorBody::default() }.said(scrubber);
    Some(no_token(&format!(" The token endpoint said: {said}."), 200))
}

/// `text/html` of `text/html; charset=utf-8`, as far as it is one.
fn media_type(header: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "/+.-_".contains(*c);
    let name: String = header.trim().chars().take_while(plain).take(60).collect();
    if name.is_empty() { "unknown".to_owned() } else { name.to_ascii_lowercase() }
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

/// The API's own words, from a body in one of the documented forms of JSON. What has another form is not the API's.
fn what_the_api_said(body: &str, scrubber: &Scrubber) -> String {
    serde_json::from_str::<ErrorBody>(body).unwrap_or_default().said(scrubber)
}

impl ErrorBody {
    /// Its words. A secret is taken out before they are shortened, since the rest of one that was cut is not found.
    fn said(self, scrubber: &Scrubber) -> String {
        let fields = self.errors.unwrap_or_default().into_iter().filter_map(|error| {
            match (error.field, error.error) {
                (Some(field), Some(error)) => Some(format!("{field}: {error}")),
                (field, error) => field.or(error),
            }
        });
        let heads = [self.message, self.error, self.error_description];
        let parts = heads.into_iter().flatten().chain(fields).map(|part| shorten(&scrubber.scrub(&part)));
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        shorten(&parts.join("; "))
    }
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
        sorted(Refused { status, body, ..Refused::default() }, Server::WithToken).unwrap_err()
    }

    fn sorted(answer: Refused<'_>, server: Server) -> Result<Trouble, Failure> {
        sort(answer, server, "orders", &Scrubber::default())
    }

    #[test]
    fn every_status_has_its_place() {
        let mut places = String::new();
        for status in (300..=308).chain(400..=431).chain(500..=511) {
            let place = match sorted(Refused { status, ..Refused::default() }, Server::WithToken) {
                Ok(trouble) => format!("again, then {:?}", trouble.kind),
                Err(failure) => {
                    let all = [Precedent::Nothing, Precedent::Some, Precedent::Kind, Precedent::Form];
                    let from = all.into_iter().find(|answered| may_pass(status, *answered, false));
                    format!(
                        "{:?}; may pass after {:?}",
                        failure.kind,
                        from.expect("a status of what was accepted")
                    )
                }
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
        for (content_type, told) in [
            (None, ""),
            (Some("text/html; charset=utf-8"), " The answer was of the type text/html."),
            (Some("TEXT/plain"), " The answer was of the type text/plain."),
            (Some("application/problem+json"), ""),
            (Some("\"secret words\""), " The answer was of the type unknown."),
        ] {
            let answer = Refused { status: 404, body: "plain words", content_type, location: None };
            let message = sorted(answer, Server::WithToken).unwrap_err().message;
            assert_eq!(message, format!("{}{told}", failure(404, "").message));
        }
    }

    #[test]
    fn a_secret_is_taken_out_before_a_text_is_shortened() {
        let secret = "s3cr3t.".repeat(200);
        let mut scrubber = Scrubber::default();
        scrubber.learn(&secret);
        for before in [0, 10, 280, 296, 299] {
            let body =
                serde_json::json!({"message": format!("{}{secret}", " -".repeat(before / 2))}).to_string();
            let answer = Refused { status: 401, body: &body, ..Refused::default() };
            let message = sort(answer, Server::WithToken, "orders", &scrubber).unwrap_err().message;
            assert!(!message.contains("s3cr"), "{message}");
        }
    }

    #[test]
    fn what_was_answered_before_may_be_asked_again_and_then_ends_as_transient() {
        let refusal = failure(401, "");
        assert_eq!(refusal.failure_type().as_str(), "config_error");
        let failure = Trouble::contradiction(refusal, "status 401").into_failure(Duration::from_secs(5), 5);
        assert_eq!(failure.failure_type().as_str(), "transient_error");
        assert!(failure.message.contains("credentials.access_token"), "{}", failure.message);
        assert!(failure.message.contains("All 5 attempts"), "{}", failure.message);
        let passes = |status, answered| may_pass(status, answered, false);
        assert!(!passes(422, Precedent::Kind), "a parameter that was never accepted");
        assert!(passes(422, Precedent::Form) && passes(404, Precedent::Kind) && passes(302, Precedent::Some));
        assert!(!passes(404, Precedent::Some), "a list that was never served");
        assert!(!may_pass(404, Precedent::Form, true), "an order that has gone");
        assert!(may_pass(403, Precedent::Form, true));
    }

    #[test]
    fn requests_for_other_times_and_places_have_one_form_and_other_parameters_another() {
        let of = |query: &str| form("orders", query);
        let one = of("minDraftCreatedAt=2025-11-01T00%3A00%3A00.000Z&orderBy=id&page=2");
        assert_eq!(one, of("minDraftCreatedAt=2024-01-01T00%3A00%3A00.000Z&orderBy=id&page=17"));
        for other in [
            "minDraftCreatedAt=2025-11-01T00%3A00%3A00.000Z&orderBy=id",
            "minDraftCreatedAt=2025-11-01T00%3A00%3A00.000Z&orderBy=id&page=0",
            "minUpdatedAt=2025-11-01T00%3A00%3A00.000Z&orderBy=id&page=2",
            "minDraftCreatedAt=2025-11-01T00%3A00%3A00.000Z&orderBy=id&page=2&storeId=3",
        ] {
            assert_ne!(one, of(other), "{other}");
        }
        assert_ne!(of("pageSize=200"), of("pageSize=10"));
        assert_ne!(of(""), form("stores", ""));
    }

    #[test]
    fn a_wait_beyond_our_patience_is_told_as_such() {
        let told = |seconds, status| {
            let answer = Refused { status, ..Refused::default() };
            let trouble = sorted(answer, Server::WithToken).unwrap();
            trouble.into_long_wait(Duration::from_secs(seconds), Duration::from_secs(1_800), 1)
        };
        let failure = told(3_600, 429);
        let start = "The API asks to wait 1 hour before the next request (Retry-After: 3600 seconds), and at most 30 minutes are waited. It answered: 429";
        assert!(failure.message.starts_with(start), "{}", failure.message);
        assert_eq!(failure.failure_type().as_str(), "transient_error");
        let never = |lasted, attempts| {
            Trouble::new(FailureKind::Unreachable, "no", "Look.").into_failure(lasted, attempts).message
        };
        assert_eq!(never(Duration::from_millis(900), 3), "No usable answer in 3 attempts: no. Look.");
        assert_eq!(never(Duration::from_secs(1), 3), "No usable answer for 1 second: no. Look.");
        assert_eq!(never(Duration::from_secs(600), 9), "No usable answer for 10 minutes: no. Look.");
        assert!(told(5_400, 500).message.contains("to wait 90 minutes"));
        assert!(told(86_400, 503).message.contains("to wait 24 hours"));
    }

    #[test]
    fn an_error_of_the_token_endpoint_is_quoted_also_where_its_status_is_200() {
        let error =
            |body: &str| error_in_place_of_a_token(body, &Scrubber::default()).map(|failure| failure.message);
        let message =
            error(r#"{"error":"invalid_client","error_description":"No such client.","message":"x"}"#)
                .unwrap();
        assert!(message.contains("(200). Check Client ID (credentials.client_id)"), "{message}");
        assert!(message.ends_with("The token endpoint said: invalid_client; No such client."), "{message}");
        for other in ["", "{}", r#"{"error":null}"#, r#"{"error":" "}"#, r#"{"error":{"code":3}}"#, "<html>"]
        {
            assert_eq!(error(other), None, "{other}");
        }
    }

    #[test]
    fn a_redirect_names_the_host_without_its_query() {
        let location = Some("https://login.example/x?token=1");
        let answer = Refused { status: 302, location, ..Refused::default() };
        let failure = sorted(answer, Server::WithToken).unwrap_err();
        assert!(failure.message.contains("https://login.example/x ("), "{}", failure.message);
    }

    #[test]
    fn the_same_status_means_other_fields_at_the_token_endpoint() {
        let of = |status, body| Refused { status, body, ..Refused::default() };
        let said = r#"{"error":"invalid_client","error_description":"no"}"#;
        let failure = sorted(of(401, said), Server::TokenEndpoint).unwrap_err();
        assert!(
            failure.message.contains("client_secret") && failure.message.contains("invalid_client; no"),
            "{}",
            failure.message
        );
        assert!(sorted(of(401, ""), Server::AsApplication).unwrap_err().message.contains("token_url"));
        let nowhere = sorted(of(404, ""), Server::TokenEndpoint).unwrap_err();
        assert_eq!(
            nowhere.message,
            "No tokens are issued at this address (404). Check Token URL (credentials.token_url)."
        );
    }
}
