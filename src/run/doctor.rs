//! `doctor`: what keeps this machine from reading the orders, for people. Says what was found, and what it means.
//!
//! Each step says `ok`, `note` (worth knowing) or `FAIL` (a sync would fail). The report names hosts, fields and counts, and
//! neither secrets nor orders, so it can be pasted.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;

use super::check::{self, InboxReach, Reach, Reachable};
use super::configuration;
use crate::aifi::counts::RequestCounts;
use crate::aifi::http::{Event, Http};
use crate::aifi::retry::CHECK_PATIENCE;
use crate::aifi::transport::Servers;
use crate::aifi::{dns, token};
use crate::config::secret::Secret;
use crate::config::{Changes, Config, Credentials};
use crate::failure::{Failure, FailureKind, FailureType};
use crate::orders::diagnose::{self, ApiBehaviour};
use crate::orders::streams::OrderStream;
use crate::orders::sync::filter_probe::UpdatedFilter;
use crate::protocol::output::Output;
use crate::{checkout, cli, clock, horizon, orders, timestamp};

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ok,
    Note,
    Fail,
}

/// A clock that is further off than this is worth knowing of.
const CLOCK_OFF: i64 = 60;

/// What is said of a stream that the token is not authorized to read.
const FORBIDDEN: &str = "the token is not authorized to read it (403)";

/// For all requests together.
const LONGEST: Duration = Duration::from_secs(120);

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
    match check::inbox(&config, stop.clone()).await? {
        InboxReach::Readable(text) => say(output, Mark::Ok, checkout::NAME, &text)?,
        InboxReach::Failed(why) => say(output, Mark::Note, checkout::NAME, &why)?,
        InboxReach::None => (),
    }
    let (http, mut events) = match Http::new(&Servers::OnNetwork, &config, CHECK_PATIENCE, stop) {
        Ok(made) => made,
        Err(failure) => return fail(output, "connection", failure),
    };
    output.text("      asking; where the answers are slow, this takes up to two minutes")?;
    let deadline = clock::instant() + LONGEST;
    let found = clock::before(deadline, orders::check::check(&config, &http)).await;
    let found = found.unwrap_or_else(|| Err(check::too_slow()));
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
    say(output, Mark::Ok, "orders", &found.orders)?;
    if found.newest.is_none() {
        say(output, Mark::Note, OrderStream::Details.name(), "there is no order to try it with")?;
    }
    let others = deadline.min(clock::instant() + CHECK_PATIENCE);
    for Reachable { stream, how } in check::others(&config, &http, &found, others).await? {
        match how {
            Reach::Readable => say(output, Mark::Ok, stream, "can be read")?,
            Reach::Forbidden => say(output, Mark::Note, stream, FORBIDDEN)?,
            Reach::Failed(why) => say(output, Mark::Note, stream, &why)?,
        }
    }
    // What was waited for the other streams is not held against these requests.
    http.progressed();
    let behaviour = clock::before(deadline, diagnose::behaviour(&config, &http)).await;
    if let Some(text) = refusals(http.counts().total()) {
        say(output, Mark::Note, "limit", &text)?;
    }
    let unknown = match behaviour {
        Some(Ok(Some(behaviour))) => {
            return readings(&behaviour, &config)
                .into_iter()
                .try_for_each(|(mark, step, text)| say(output, mark, step, &text));
        }
        Some(Ok(None)) => "there is no order yet, so how the API behaves could not be found out".to_owned(),
        Some(Err(failure)) if !passes_by(&failure) => return fail(output, "readings", failure),
        Some(Err(failure)) if failure.kind != FailureKind::NoAnswer => {
            format!("how the API behaves could not be found out now. {}", failure.message)
        }
        Some(Err(_)) | None => "how the API behaves could not be found out in time".to_owned(),
    };
    let mark = if found.changes.all_well { Mark::Ok } else { Mark::Note };
    say(output, mark, "changes", &found.changes.text)?;
    say(output, Mark::Note, "readings", &unknown)
}

/// A trouble that a sync waits out.
fn passes_by(failure: &Failure) -> bool {
    failure.kind != FailureKind::Interrupted && failure.failure_type() == FailureType::Transient
}

/// How often the API said that there are too many requests.
fn refusals(counts: RequestCounts) -> Option<String> {
    let RequestCounts { requests, refused, .. } = counts;
    (refused > 0).then(|| {
        format!(
            "{refused} of {requests} requests were refused as too many. If it stays so, lower Requests per second (requests_per_second)"
        )
    })
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
        K::Certificate | K::NoTls | K::Proxy | K::Unreachable => "connection",
        K::NoAnswer | K::Redirected | K::Garbled => "connection",
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
    let proxy = match cli::proxy(config.base_url.scheme()) {
        // As for the requests themselves: a proxy is never asked for the machine's own addresses.
        _ if matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]") => None,
        Ok(proxy) => proxy,
        Err(failure) => return fail(output, "proxy", failure),
    };
    if let Some((variable, proxy)) = proxy {
        let text = format!("{variable} names {proxy}; what NO_PROXY excepts does not go through it");
        return say(output, Mark::Note, "proxy", &text);
    }
    say(output, Mark::Ok, "proxy", "none is set")?;
    match dns::addresses(host.trim_matches(['[', ']'])).await {
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
    let fetched = matches!(config.credentials, Credentials::Client(_));
    let Some(end) = token.and_then(token::ends_at) else {
        let text = if fetched {
            format!("{kind} is accepted; the connector fetches a new one by itself")
        } else {
            format!("{kind} is accepted; it does not say when it expires (AiFi's may expire after 90 days)")
        };
        return (Mark::Ok, text);
    };
    let left = end - clock::now();
    let soon = left.num_days() < 14 && !fetched;
    let left = if left.num_days() > 1 {
        format!("{} days", left.num_days())
    } else {
        format!("{} minutes", left.num_minutes())
    };
    let then = if fetched { "; the connector fetches a new one by itself" } else { "" };
    let text = format!("{kind} is accepted and ends at {}, in {left}{then}", timestamp::write(end));
    (if soon { Mark::Note } else { Mark::Ok }, text)
}

/// What the API behaviour, and what its latency means.
fn readings(behaviour: &ApiBehaviour, config: &Config) -> Vec<(Mark, &'static str, String)> {
    let included = |yes: bool| if yes { "in" } else { "not in" };
    let clock = match behaviour.clock_ahead {
        None => (Mark::Note, "the server sends no Date header; this machine's clock is used".to_owned()),
        Some(ahead) if ahead.abs() < CLOCK_OFF => {
            (Mark::Ok, "this machine's clock and the server's agree".to_owned())
        }
        Some(ahead) => {
            let side = if ahead > 0 { "ahead of" } else { "behind" };
            (
                Mark::Note,
                format!(
                    "this machine's clock is {} {side} the server's; {}",
                    timestamp::about(TimeDelta::seconds(ahead)),
                    horizon::followed(TimeDelta::seconds(ahead))
                ),
            )
        }
    };
    let pages = match behaviour.first_page {
        Some(first) => format!("pages count from {first}"),
        None => "whether pages count from 0 or 1 could not be found out".to_owned(),
    };
    let changes = changes(behaviour.updated, config);
    vec![
        (clock.0, "clock", clock.1),
        (
            Mark::Ok,
            "readings",
            format!(
                "{pages}; an order drafted exactly at minDraftCreatedAt is {} the answer, at maxDraftCreatedAt {} it; {} orders came of 200 asked for",
                included(behaviour.min_included),
                included(behaviour.max_included),
                behaviour.page
            ),
        ),
        (changes.0, "changes", changes.1),
        (Mark::Ok, "latency", latency(behaviour, config.requests_per_second)),
    ]
}

/// How changes are followed: what is configured, and what the API makes of it.
fn changes(filter: UpdatedFilter, config: &Config) -> (Mark, String) {
    let days = config.changes_days;
    let within = format!("changes are found within the last {days} days only (changes_days)");
    match (config.changes, filter) {
        (Changes::Off, _) => {
            (Mark::Note, "changes are not followed: Changed orders (changes) is off".to_owned())
        }
        (Changes::Window, _) => (Mark::Note, format!("{within}: Changed orders (changes) is window")),
        (Changes::Updated, UpdatedFilter::Honoured) => {
            (Mark::Ok, "minUpdatedAt filters: changes of any age are found".to_owned())
        }
        (Changes::Updated, UpdatedFilter::Ignored) => {
            (Mark::Note, format!("minUpdatedAt is ignored: {within}"))
        }
        (Changes::Updated, UpdatedFilter::Refused) => {
            (Mark::Note, format!("minUpdatedAt is refused: {within}"))
        }
    }
}

fn latency(behaviour: &ApiBehaviour, rate: u32) -> String {
    let ApiBehaviour { took, page, .. } = behaviour;
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    let takes = match median.as_millis() {
        0 => "less than 1 ms".to_owned(),
        millis => format!("{millis} ms"),
    };
    if *page == 0 {
        return format!(
            "an answer takes {takes}; there is no order from the start date on, so how fast orders are read is not known"
        );
    }
    let under_way = (median.as_secs_f64() * f64::from(rate)).ceil().max(1.0);
    format!(
        "a page of {page} orders takes {takes}; at {rate} requests a second about {under_way} of them are under way at a time, and a backfill reads up to {} orders a second (their details up to {rate})",
        u64::from(rate) * *page as u64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviour() -> ApiBehaviour {
        ApiBehaviour {
            first_page: Some(0),
            min_included: true,
            max_included: false,
            page: 200,
            updated: UpdatedFilter::Honoured,
            took: [250, 300, 900].map(Duration::from_millis).into(),
            clock_ahead: Some(-3),
        }
    }

    fn config() -> Config {
        let token = r#"{"auth_type": "access_token", "access_token": "t"}"#;
        Config::parse(&format!(r#"{{"credentials": {token}, "start_date": "2025-11-01T00:00:00Z"}}"#))
            .unwrap()
    }

    #[test]
    fn what_a_backfill_reads_is_reckoned_with_the_pages_that_came() {
        let of_page = |page| latency(&ApiBehaviour { page, ..behaviour() }, 15);
        assert!(of_page(50).contains("up to 750 orders a second"), "{}", of_page(50));
        assert!(!of_page(0).contains("a second"), "{}", of_page(0));
    }

    #[test]
    fn readings_are_told_in_words() {
        let lines: Vec<String> = readings(&behaviour(), &config())
            .iter()
            .map(|(mark, step, text)| entry(*mark, step, text))
            .collect();
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
        let off = ApiBehaviour {
            clock_ahead: Some(4_000),
            updated: UpdatedFilter::Ignored,
            first_page: None,
            ..behaviour()
        };
        let marks: Vec<Mark> = readings(&off, &config()).iter().map(|(mark, ..)| *mark).collect();
        assert_eq!(marks, [Mark::Note, Mark::Ok, Mark::Note, Mark::Ok]);
    }
}
