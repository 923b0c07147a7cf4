//! `check`: whether the orders can be read, which is fatal if not, and which of the other streams cannot.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::configuration;
use crate::aifi::http::{Event, Http};
use crate::aifi::retry::CHECK_PATIENCE;
use crate::aifi::transport::Servers;
use crate::checkout;
use crate::clock;
use crate::config::Config;
use crate::failure::{Failure, FailureKind};
use crate::lists;
use crate::orders;
use crate::orders::streams::OrderStream;
use crate::protocol::message::{CheckStatus, Level};
use crate::protocol::output::Output;

/// For the requests to all streams but the orders, together.
const OTHERS: Duration = Duration::from_secs(10);

/// A connection that does not work is a result, not a failure of the command.
pub(super) async fn check(
    path: &Path,
    output: &mut Output,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let verdict = async {
        let config = configuration(path, output)?;
        let (http, mut events) = Http::new(&Servers::OnNetwork, &config, CHECK_PATIENCE, stop.clone())?;
        let of_api = async {
            let deadline = clock::instant() + CHECK_PATIENCE + CHECK_PATIENCE / 4;
            let found = clock::before(deadline, orders::check::check(&config, &http)).await;
            let found = found.unwrap_or_else(|| Err(too_slow()))?;
            let others = others(&config, &http, &found, deadline.min(clock::instant() + OTHERS)).await?;
            Ok::<_, Failure>((found, others))
        };
        // It is asked meanwhile, so a slow API does not keep what is found of it.
        let (of_api, inbox) = tokio::join!(of_api, inbox(&config, stop));
        let found = match of_api {
            Ok((found, mut others)) => {
                let inbox = match inbox? {
                    InboxReach::Readable(text) => format!(" {text}"),
                    InboxReach::Failed(why) => {
                        others.push(Reachable { stream: checkout::NAME, how: Reach::Failed(why) });
                        String::new()
                    }
                    InboxReach::None => String::new(),
                };
                let warning = config.warning().map(|warning| format!(" {warning}")).unwrap_or_default();
                Ok(format!("{} {}{inbox}{}{warning}", found.orders, found.changes.text, told(&others)))
            }
            Err(failure) => Err(failure),
        };
        // The API may quote a token that was fetched.
        while let Ok(event) = events.try_recv() {
            match event {
                Event::Fetched(token) => output.keep_secret(token.expose()),
                Event::Attempted(attempt) => output.log_lazily(Level::Debug, || attempt.to_string())?,
                Event::Waiting(_) => (),
            }
        }
        found
    }
    .await;
    match verdict {
        Ok(found) => output.connection_status(CheckStatus::Succeeded, &found),
        Err(failure) if failure.kind == FailureKind::Interrupted => Err(failure),
        Err(failure) => output.connection_status(CheckStatus::Failed, &failure.message),
    }
}

/// The orders took longer than somebody waits.
pub(super) fn too_slow() -> Failure {
    let text = "The API answers so slowly that the check was given up. See whether AiFi has an incident, and check API base URL (base_url).";
    Failure::new(FailureKind::NoAnswer, text)
}

/// Whether a stream other than the orders can be read.
pub(super) struct Reachable {
    pub(super) stream: &'static str,
    pub(super) how: Reach,
}

/// How the request for a stream went.
pub(super) enum Reach {
    /// It can be read.
    Readable,
    /// The token is not authorized to read it.
    Forbidden,
    /// It cannot be read now: why not, in a sentence.
    Failed(String),
}

/// What is known of the checkout inbox.
pub(super) enum InboxReach {
    /// None is configured.
    None,
    /// It can be read: what was found, in a sentence.
    Readable(String),
    /// It cannot be read now: why not, in a sentence.
    Failed(String),
}

/// Whether the streams besides the orders can be read now.
pub(super) async fn others(
    config: &Config,
    http: &Http,
    found: &orders::check::Found,
    deadline: Instant,
) -> Result<Vec<Reachable>, Failure> {
    let mut others = Vec::new();
    if let Some(newest) = &found.newest {
        let asked = clock::before(deadline, orders::check::details(config, http, newest)).await;
        others.push(sort(OrderStream::Details.name(), asked)?);
    }
    for list in lists::declared::ALL {
        let asked = clock::before(deadline, lists::check::check(list, config, http)).await;
        others.push(sort(list.name, asked)?);
    }
    Ok(others)
}

/// Whether the checkout inbox can be read now.
pub(super) async fn inbox(config: &Config, stop: watch::Receiver<bool>) -> Result<InboxReach, Failure> {
    let Some(inbox) = &config.inbox else { return Ok(InboxReach::None) };
    let asked = async {
        let (http, _events) = Http::to_inbox(&Servers::OnNetwork, inbox, config, CHECK_PATIENCE, stop)?;
        checkout::check::check(&http, &config.personal).await
    };
    let asked = clock::before(clock::instant() + OTHERS, asked).await;
    let asked = asked.unwrap_or_else(|| Err(checkout::check::too_slow()));
    match asked {
        Ok(found) => {
            let text = format!("The checkout inbox can be read: its newest number is {}.", found.head);
            Ok(InboxReach::Readable(text))
        }
        Err(failure) if failure.kind == FailureKind::Interrupted => Err(failure),
        Err(failure) => Ok(InboxReach::Failed(failure.message)),
    }
}

/// What the response for a stream says.
fn sort(stream: &'static str, asked: Option<Result<(), Failure>>) -> Result<Reachable, Failure> {
    let how = match asked {
        Some(Ok(())) => Reach::Readable,
        Some(Err(failure)) if failure.kind == FailureKind::Interrupted => return Err(failure),
        Some(Err(failure)) if failure.kind == FailureKind::Forbidden => Reach::Forbidden,
        Some(Err(failure)) => Reach::Failed(failure.message),
        None => Reach::Failed("There was no answer in time.".to_owned()),
    };
    Ok(Reachable { stream, how })
}

/// What cannot be read, in sentences. Only the orders are fatal.
fn told(others: &[Reachable]) -> String {
    let mut text = String::new();
    let forbidden: Vec<&str> = others
        .iter()
        .filter(|other| matches!(other.how, Reach::Forbidden))
        .map(|other| other.stream)
        .collect();
    if !forbidden.is_empty() {
        text.push_str(&format!(
            " The token is not authorized to read {} (403). This is not fatal: do not select {}, or ask AiFi for the permission; the other streams can be read.",
            forbidden.join(", "),
            if forbidden.len() == 1 { "this stream" } else { "these streams" },
        ));
    }
    for Reachable { stream, how } in others {
        if let Reach::Failed(why) = how {
            text.push_str(&format!(
                " {stream} cannot be read now, which is not fatal for the other streams. {why}"
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_and_said_not_to_be_fatal() {
        assert_eq!(told(&[]), "");
        let other = |stream, how| Reachable { stream, how };
        let text = told(&[
            other("contests", Reach::Forbidden),
            other("stores", Reach::Failed("Too slow.".to_owned())),
            other("sessions", Reach::Forbidden),
            other("products", Reach::Readable),
        ]);
        assert_eq!(
            text,
            " The token is not authorized to read contests, sessions (403). This is not fatal: do not select these streams, or ask AiFi for the permission; the other streams can be read. stores cannot be read now, which is not fatal for the other streams. Too slow."
        );
    }
}
