//! `check`: whether the orders can be read, which is fatal if not, and which of the other streams cannot.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::configuration;
use crate::aifi::http::{Event, Http};
use crate::aifi::retry::CHECK_PATIENCE;
use crate::clock;
use crate::failure::{Failure, FailureKind};
use crate::orders;
use crate::orders::streams::OrderStream;
use crate::protocol::message::CheckStatus;
use crate::protocol::output::Output;

/// For the questions to all streams but the orders, together.
const OTHERS: Duration = Duration::from_secs(10);

/// A connection that does not work is an answer, not a failure of the command.
pub(super) async fn check(
    path: &Path,
    output: &mut Output,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let verdict = async {
        let config = configuration(path, output)?;
        let (http, mut events) = Http::new(&config, CHECK_PATIENCE, stop)?;
        let deadline = clock::instant() + CHECK_PATIENCE + CHECK_PATIENCE / 4;
        let found = clock::before(deadline, orders::check::check(&config, &http)).await.unwrap_or_else(|| {
            let text = "The API answers so slowly that the check was given up. See whether AiFi has an incident, and check API base URL (base_url).";
            Err(Failure::new(FailureKind::NoAnswer, text))
        });
        let found = match found {
            Ok(found) => {
                let others = others(&http, &found, deadline.min(clock::instant() + OTHERS)).await?;
                Ok(found.text + &told(&others))
            }
            Err(failure) => Err(failure),
        };
        // The API may quote a token that was fetched.
        while let Ok(event) = events.try_recv() {
            if let Event::Fetched(token) = event {
                output.keep_secret(token.expose());
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

/// A stream that cannot be read, and why.
type Unreadable = (&'static str, String);

/// The streams besides the orders that cannot be read now.
async fn others(
    http: &Http,
    found: &orders::check::Found,
    deadline: Instant,
) -> Result<Vec<Unreadable>, Failure> {
    let mut unreadable = Vec::new();
    if let Some(newest) = &found.newest {
        let asked = clock::before(deadline, orders::check::details(http, newest)).await;
        unreadable.extend(sort(OrderStream::Details.name(), asked)?);
    }
    Ok(unreadable)
}

/// What the answer for a stream says: nothing, if it can be read.
fn sort(stream: &'static str, asked: Option<Result<(), Failure>>) -> Result<Option<Unreadable>, Failure> {
    match asked {
        Some(Ok(())) => Ok(None),
        Some(Err(failure)) if failure.kind == FailureKind::Interrupted => Err(failure),
        Some(Err(failure)) if failure.kind == FailureKind::Forbidden => Ok(Some((stream, String::new()))),
        Some(Err(failure)) => Ok(Some((stream, failure.message))),
        None => Ok(Some((stream, "There was no answer in time.".to_owned()))),
    }
}

/// What cannot be read, in sentences. Only the orders are fatal.
fn told(unreadable: &[Unreadable]) -> String {
    let names = |forbidden: bool| {
        let some = unreadable.iter().filter(move |(_, why)| why.is_empty() == forbidden);
        some.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let mut text = String::new();
    let forbidden = names(true);
    if !forbidden.is_empty() {
        text.push_str(&format!(
            " The token may not read {} (403). This is not fatal: do not select {}, or ask AiFi for the permission; the other streams can be read.",
            forbidden.join(", "),
            if forbidden.len() == 1 { "this stream" } else { "these streams" },
        ));
    }
    for (name, why) in unreadable.iter().filter(|(_, why)| !why.is_empty()) {
        text.push_str(&format!(
            " {name} cannot be read now, which is not fatal for the other streams. {why}"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_and_said_not_to_be_fatal() {
        assert_eq!(told(&[]), "");
        let text =
            told(&[("contests", String::new()), ("stores", "Too slow.".into()), ("sessions", String::new())]);
        assert_eq!(
            text,
            " The token may not read contests, sessions (403). This is not fatal: do not select these streams, or ask AiFi for the permission; the other streams can be read. stores cannot be read now, which is not fatal for the other streams. Too slow."
        );
    }
}
