//! What is waited for between two attempts, with a sign of life now and then.

use std::time::Duration;

use super::{ApiRequest, Event, Http};
use crate::aifi::refusal::Trouble;
use crate::aifi::retry::{self, Decision};
use crate::clock;
use crate::failure::Failure;

/// While we wait, a sign of life at least this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// A wait before a request is repeated.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// What is asked for, as in [`ApiRequest::what`].
    pub of: &'static str,
    /// For how long from now.
    pub wait: Duration,
    /// Whether the API refused the request as one too many.
    pub rate_limited: bool,
    /// What happened, in a few words.
    pub what: String,
    /// Which attempt it was, from 1; 0 for a further sign of life during one wait.
    pub attempt: u32,
}

impl Http {
    /// Waits before a request is repeated that had a response which cannot be believed. `look` counts from 1.
    /// `of` is what it asked for.
    pub(crate) async fn wait_before_look(
        &self,
        of: &'static str,
        look: u32,
        what: &str,
    ) -> Result<(), Failure> {
        self.counts.count(of, |counts| counts.repeated += 1);
        self.wait(of, retry::backoff(look, fastrand::f64()), false, what, look).await
    }

    /// Waits as [`retry`] decides, or gives up.
    pub(super) async fn wait_or_give_up(
        &self,
        trouble: Trouble,
        attempt: u32,
        counted: u32,
        ApiRequest { what, path, .. }: ApiRequest<'_>,
    ) -> Result<(), Failure> {
        let refused = trouble.is_refusal();
        self.counts.count(what, |counts| if refused { counts.refused += 1 } else { counts.repeated += 1 });
        let since = self.since_progress();
        let (hope, requested) = (trouble.hope, trouble.retry_after);
        match retry::decide(hope, counted, since, requested, self.patience, fastrand::f64()) {
            Decision::GiveUp => Err(trouble.into_failure(since, attempt).at(format!("GET {path}"))),
            Decision::AskedTooLong(requested) => {
                Err(trouble.into_long_wait(requested, self.patience, attempt).at(format!("GET {path}")))
            }
            Decision::Wait(wait) => self.wait(what, wait, refused, &trouble.what, attempt).await,
        }
    }

    async fn wait(
        &self,
        of: &'static str,
        wait: Duration,
        rate_limited: bool,
        what: &str,
        attempt: u32,
    ) -> Result<(), Failure> {
        let until = clock::instant() + wait;
        let mut attempt = attempt;
        loop {
            let left = until.saturating_duration_since(clock::instant());
            if left.is_zero() {
                return Ok(());
            }
            // Nobody listens when the reader has gone; then nobody needs to know.
            _ = self.events.send(Event::Waiting(Waiting {
                of,
                wait: left,
                rate_limited,
                what: what.to_owned(),
                attempt,
            }));
            attempt = 0;
            self.unless_stopped(clock::sleep_until(until.min(clock::instant() + SIGN_OF_LIFE))).await?;
        }
    }
}
