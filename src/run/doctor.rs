//! `doctor`: what stands between this machine and the orders, for people. Says what was found, and what it means.
//!
//! Each step says `ok`, `note` (worth knowing) or `FAIL` (a sync would fail). The report names hosts, fields and counts, and
//! neither secrets nor orders, so it can be pasted.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;

use super::check::{self, Reachable};
use super::configuration;
use crate::aifi::http::{Event, Http};
use crate::aifi::retry::CHECK_PATIENCE;
use crate::aifi::{line, token};
use crate::config::secret::Secret;
use crate::config::{Config, Credentials};
use crate::failure::{Failure, FailureKind};
use crate::orders::honours::{self, Honours};
use crate::orders::probe::UpdatedFilter;
use crate::protocol::output::Output;
use crate::{cli, clock, orders, timestamp};

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ok,
    Note,
    Fail,
}

/// A clock that is further off than this is worth knowing of.
const CLOCK_OFF: i64 = 60;

/// Runs all steps, as far as one allows the next. The first that fails is the failure.
pub(super) async fn doctor(
    path: &Path,
    output: &mut Output,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    output.text(&format!("source-aifi {} doctor", env!("CARGO_PKG_VERSION")))?;
    let config = match configuration(path, output) {
        Ok(config) => config,
        Err(failure) => return fail(output, "configuration", failure),
    };
    say(output, Mark::Ok, "configuration", &settings(&config))?;
    if let Some(warning) = config.warning() {
        say(output, Mark::Note, "settings", &warning)?;
    }
    network(&config, output).await?;
    let (http, mut events) = match Http::new(&config, CHECK_PATIENCE, stop) {
        Ok(made) => made,
        Err(failure) => return fail(output, "connection", failure),
    };
    output.text("      asking; where nothing answers, this takes up to 45 seconds")?;
    let found = orders::check::check(&config, &http).await;
    let mut fetched = None;
    while let Ok(event) = events.try_recv() {
        if let Event::Fetched(token) = event {
            output.keep_secret(token.expose());
            fetched = Some(token);
        }
    }
    let found = match found {
        Ok(found) => found,
        Err(failure) => return fail(output, step_of(failure.kind), failure),
    };
    say(output, Mark::Ok, "connection", connection(&config))?;
    let (mark, text) = life(&config, fetched.as_ref());
    say(output, mark, "token", &text)?;
    say(output, Mark::Ok, "orders", &found.text)?;
    for Reachable { stream, why } in check::others(&http, &found, clock::instant() + CHECK_PATIENCE).await? {
        let text = why.unwrap_or_else(|| "can be read".to_owned());
        let mark = if text == "can be read" { Mark::Ok } else { Mark::Note };
        say(output, mark, stream, &text)?;
    }
    match honours::honours(&config, &http).await {
        Ok(Some(honours)) => {
            for (mark, step, text) in readings(&honours, config.requests_per_second) {
                say(output, mark, step, &text)?;
            }
            Ok(())
        }
        Ok(None) => say(
            output,
            Mark::Note,
            "readings",
            "there is no order yet, so what the API honours could not be found out",
        ),
        Err(failure) => fail(output, "readings", failure),
    }
}

fn say(output: &mut Output, mark: Mark, step: &str, text: &str) -> Result<(), Failure> {
    output.text(&entry(mark, step, text))
}

fn entry(mark: Mark, step: &str, text: &str) -> String {
    let mark = match mark {
        Mark::Ok => "ok",
        Mark::Note => "note",
        Mark::Fail => "FAIL",
    };
    format!("{mark:<5} {step:<17} {text}")
}

fn fail(output: &mut Output, step: &str, failure: Failure) -> Result<(), Failure> {
    if failure.kind != FailureKind::Interrupted {
        say(output, Mark::Fail, step, &failure.message)?;
        say(output, Mark::Note, "for a report", &failure.internal())?;
    }
    Err(failure)
}

fn connection(config: &Config) -> &'static str {
    if config.base_url.scheme() == "https" {
        "the server answers, and its certificate is trusted"
    } else {
        "the server answers (plain http, so there is no certificate)"
    }
}

/// Where in the report a failure to read the orders belongs.
fn step_of(kind: FailureKind) -> &'static str {
    use FailureKind as K;
    match kind {
        K::Certificate | K::Unreachable | K::NoAnswer | K::Redirected | K::Garbled => "connection",
        K::Unauthorized => "token",
        _ => "orders",
    }
}

fn settings(config: &Config) -> String {
    let sign_in = match &config.credentials {
        Credentials::AccessToken(_) => "an access token".to_owned(),
        Credentials::Client(client) => {
            format!("an application at {}", client.token_url.host_str().unwrap_or_default())
        }
    };
    format!(
        "{}, signed in by {sign_in}, from {}, {} requests a second at most{}",
        config.base_url,
        timestamp::write(config.start_date),
        config.requests_per_second,
        match config.ca_certificates.len() {
            0 => String::new(),
            count => format!(", {count} certificates of your own are trusted"),
        }
    )
}

/// The name and the proxy. A name that does not resolve fails only where no proxy resolves it.
async fn network(config: &Config, output: &mut Output) -> Result<(), Failure> {
    let host = config.base_url.host_str().unwrap_or_default().to_owned();
    if let Some((variable, proxy)) = cli::proxy() {
        let text = format!("{variable} names {proxy}; what NO_PROXY excepts does not go through it");
        return say(output, Mark::Note, "proxy", &text);
    }
    say(output, Mark::Ok, "proxy", "none is set")?;
    match line::addresses(host.trim_matches(['[', ']'])).await {
        Ok(addresses) => {
            let literal = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let text = if literal {
                format!("{host} is an address, so no name has to be found")
            } else {
                format!("{host} is {}", addresses.join(", "))
            };
            say(output, Mark::Ok, "name", &text)
        }
        Err(error) => {
            let text =
                format!("{host} cannot be resolved. Check API base URL (base_url) and this machine's DNS.");
            fail(output, "name", Failure::new(FailureKind::Unreachable, text).because(error))
        }
    }
}

/// How long the token lives.
fn life(config: &Config, fetched: Option<&Secret>) -> (Mark, String) {
    let (token, kind) = match (&config.credentials, fetched) {
        (Credentials::AccessToken(token), _) => (Some(token), "the access token"),
        (Credentials::Client(_), fetched) => (fetched, "the token that was fetched"),
    };
    let Some(end) = token.and_then(token::ends_at) else {
        let text = format!("{kind} is accepted; it does not say when it ends (AiFi's may end after 90 days)");
        return (Mark::Ok, text);
    };
    let left = end - clock::now();
    let soon = left.num_days() < 14 && matches!(config.credentials, Credentials::AccessToken(_));
    let left = if left.num_days() > 1 {
        format!("{} days", left.num_days())
    } else {
        format!("{} minutes", left.num_minutes())
    };
    let text = format!("{kind} is accepted and ends at {}, in {left}", timestamp::write(end));
    (if soon { Mark::Note } else { Mark::Ok }, text)
}

/// What the API honours, and what its latency means.
fn readings(honours: &Honours, rate: u32) -> Vec<(Mark, &'static str, String)> {
    let included = |yes: bool| if yes { "in" } else { "not in" };
    let clock = match honours.clock_ahead {
        None => (Mark::Note, "the server does not tell its time; this machine's clock is used".to_owned()),
        Some(ahead) if ahead.abs() < CLOCK_OFF => {
            (Mark::Ok, "this machine's clock and the server's agree".to_owned())
        }
        Some(ahead) => {
            let side = if ahead > 0 { "ahead of" } else { "behind" };
            (
                Mark::Note,
                format!(
                    "this machine's clock is {} {side} the server's; syncs follow the server's",
                    timestamp::about(TimeDelta::seconds(ahead))
                ),
            )
        }
    };
    let pages = match honours.first_page {
        Some(first) => format!("pages count from {first}"),
        None => "whether pages count from 0 or 1 could not be found out".to_owned(),
    };
    let updated = match honours.updated {
        UpdatedFilter::Honoured => (Mark::Ok, "minUpdatedAt filters: changes of any age are found"),
        UpdatedFilter::Ignored => {
            (Mark::Note, "minUpdatedAt is ignored: changes are found within Days to read again only")
        }
        UpdatedFilter::Refused => {
            (Mark::Note, "minUpdatedAt is refused: changes are found within Days to read again only")
        }
    };
    vec![
        (clock.0, "clock", clock.1),
        (
            Mark::Ok,
            "readings",
            format!(
                "{pages}; an order drafted exactly at minDraftCreatedAt is {} the answer, at maxDraftCreatedAt {} it; {} orders came of 200 asked for",
                included(honours.min_included),
                included(honours.max_included),
                honours.page
            ),
        ),
        (updated.0, "changes", updated.1.to_owned()),
        (Mark::Ok, "latency", latency(&honours.took, rate)),
    ]
}

fn latency(took: &[Duration], rate: u32) -> String {
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    let under_way = (median.as_secs_f64() * f64::from(rate)).ceil().max(1.0);
    format!(
        "a page of 200 orders takes {} ms; at {rate} requests a second about {under_way} of them are under way at a time, and a backfill reads up to {} orders a second (their details up to {rate})",
        median.as_millis(),
        rate * 200,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn honours() -> Honours {
        Honours {
            first_page: Some(0),
            min_included: true,
            max_included: false,
            page: 200,
            updated: UpdatedFilter::Honoured,
            took: [250, 300, 900].map(Duration::from_millis).into(),
            clock_ahead: Some(-3),
        }
    }

    #[test]
    fn readings_are_told_in_words() {
        let lines: Vec<String> =
            readings(&honours(), 15).iter().map(|(mark, step, text)| entry(*mark, step, text)).collect();
        assert_eq!(
            lines.join("\n"),
            "\
ok    clock             this machine's clock and the server's agree
ok    readings          pages count from 0; an order drafted exactly at minDraftCreatedAt is in the answer, at maxDraftCreatedAt not in it; 200 orders came of 200 asked for
ok    changes           minUpdatedAt filters: changes of any age are found
ok    latency           a page of 200 orders takes 300 ms; at 15 requests a second about 5 of them are under way at a time, and a backfill reads up to 3000 orders a second (their details up to 15)"
        );
    }

    #[test]
    fn what_is_worth_knowing_is_marked() {
        let off = Honours {
            clock_ahead: Some(4_000),
            updated: UpdatedFilter::Ignored,
            first_page: None,
            ..honours()
        };
        let marks: Vec<Mark> = readings(&off, 15).iter().map(|(mark, ..)| *mark).collect();
        assert_eq!(marks, [Mark::Note, Mark::Ok, Mark::Note, Mark::Ok]);
    }
}
