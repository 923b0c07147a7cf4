//! The tokens of an application: fetched once for all requests that need one.

use std::sync::atomic::Ordering;
use std::time::Instant;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use super::{ApiRequest, Event, Http, Outcome, Sent, prepare};
use crate::aifi::body::{Body, body};
use crate::aifi::lock;
use crate::aifi::refusal::{self, Precedent, Server, Trouble};
use crate::aifi::{retry, sign_in};
use crate::clock;
use crate::config::secret::Secret;
use crate::config::{Client, Credentials};
use crate::failure::FailureKind;

/// How fetching tokens went.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    /// Whether the endpoint has issued one.
    issued: bool,
    /// How often in a row it has not.
    failures: u32,
    /// The last failure, for all who waited for the same token.
    failed: Option<Outcome>,
    /// When it may be asked again.
    not_before: Option<Instant>,
}

impl Http {
    /// The token of this attempt; fetched, when there is none that is still good.
    pub(super) async fn token(&self) -> Result<Secret, Outcome> {
        if let Some(token) = lock(&self.sign_in).token(clock::instant()) {
            return Ok(token);
        }
        let failed_before = self.failed_fetches.load(Ordering::Relaxed);
        let mut fetching = self.fetching.lock().await;
        // Another request may have fetched it meanwhile.
        let (token, credentials) = {
            let sign_in = lock(&self.sign_in);
            (sign_in.token(clock::instant()), sign_in.credentials().clone())
        };
        match (token, credentials) {
            (Some(token), _) | (None, Credentials::AccessToken(token)) => Ok(token),
            (None, Credentials::Client(client)) => {
                // One failure is the failure of all who waited for it.
                if let Some(failed) = &fetching.failed
                    && self.failed_fetches.load(Ordering::Relaxed) != failed_before
                {
                    return Err(failed.shared());
                }
                if let Some(not_before) = fetching.not_before {
                    clock::sleep_until(not_before).await;
                }
                let fetched = self.fetch_token(&client, fetching.issued, fetching.failures + 1).await;
                if let Err(failed) = &fetched {
                    fetching.failures += 1;
                    fetching.failed = Some(failed.shared());
                    let wait = retry::backoff(fetching.failures, fastrand::f64());
                    fetching.not_before = Some(clock::instant() + wait);
                    self.failed_fetches.fetch_add(1, Ordering::Relaxed);
                } else {
                    *fetching = Fetching { issued: true, ..Fetching::default() };
                }
                fetched
            }
        }
    }

    /// Fetches a token. `issued`: it has worked before; `attempt` counts from 1.
    async fn fetch_token(&self, client: &Client, issued: bool, attempt: u32) -> Result<Secret, Outcome> {
        let mut sent = Sent::default();
        let fetched = self.ask_for_token(client, issued, &mut sent).await;
        self.attempted(&sent, attempt, || "POST to the token endpoint".to_owned());
        fetched
    }

    async fn ask_for_token(
        &self,
        client: &Client,
        issued: bool,
        noted: &mut Sent,
    ) -> Result<Secret, Outcome> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        form.append_pair("client_id", &client.id).append_pair("client_secret", client.secret.expose());
        if let Some(scope) = &client.scope {
            form.append_pair("scope", scope);
        }
        let coded = "application/x-www-form-urlencoded";
        let mut request = prepare(Method::POST, client.token_url.as_str(), CONTENT_TYPE, coded)?;
        *request.body_mut() = Some(form.finish().into());
        let asked_at = self.turn().await.start().await;
        noted.at = Some(asked_at);
        let precedent = || if issued { Precedent::Form } else { Precedent::Nothing };
        let response = self.send(request, Server::TokenEndpoint, precedent).await?;
        noted.status = Some(response.status().as_u16());
        if !response.status().is_success() {
            let request = ApiRequest { what: "tokens", path: "", query: "", guess: false };
            return Err(self.refused(response, Server::TokenEndpoint, request, asked_at, precedent).await);
        }
        let Body { bytes: body, .. } = &body(response, Server::TokenEndpoint, &self.large).await?;
        let fetched = sign_in::read(body, asked_at).map_err(|why| {
            let text = String::from_utf8_lossy(body);
            match refusal::error_in_place_of_a_token(&text, &lock(&self.scrubber)) {
                Some(failure) if issued => {
                    Outcome::Again(Trouble::contradiction(failure, "the token endpoint answers an error"))
                }
                Some(failure) => Outcome::Fail(failure),
                // Not shown and not quoted: it may hold a token.
                None => Outcome::Again(Trouble::new(
                    FailureKind::Garbled,
                    why,
                    "Check Token URL (credentials.token_url).",
                )),
            }
        })?;
        lock(&self.scrubber).learn(fetched.token.expose());
        _ = self.events.send(Event::Fetched(fetched.token.clone()));
        let token = fetched.token.clone();
        lock(&self.sign_in).keep(fetched);
        Ok(token)
    }
}
