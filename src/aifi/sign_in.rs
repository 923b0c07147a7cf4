//! The token of the next request: given, or fetched and renewed in time.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::config::Credentials;
use crate::config::secret::Secret;

/// A token that was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The token.
    pub token: Secret,
    /// From then on a new one is fetched before the next request.
    pub renew_at: Option<Instant>,
}

/// What the token endpoint answers (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Secret,
    expires_in: Option<f64>,
}

/// The credentials and what was fetched with them.
#[derive(Debug)]
pub struct SignIn {
    credentials: Credentials,
    fetched: Option<Fetched>,
}

impl SignIn {
    /// Nothing is fetched yet.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, fetched: None }
    }

    /// The configured credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The token to use now, or none if one has to be fetched first.
    pub fn token(&self, now: Instant) -> Option<Secret> {
        match &self.credentials {
            Credentials::AccessToken(token) => Some(token.clone()),
            Credentials::Client(_) => {
                let fetched = self.fetched.as_ref()?;
                fetched.renew_at.is_none_or(|renew_at| now < renew_at).then(|| fetched.token.clone())
            }
        }
    }

    /// Keeps a token that was fetched.
    pub fn keep(&mut self, fetched: Fetched) {
        self.fetched = Some(fetched);
    }

    /// The API refused `token`: if it was a fetched one, a new one is fetched next. Answers whether that helps.
    pub fn refuse(&mut self, token: &Secret) -> bool {
        if self.fetched.as_ref().is_some_and(|fetched| fetched.token == *token) {
            self.fetched = None;
        }
        matches!(self.credentials, Credentials::Client(_))
    }
}

/// Reads the token endpoint's answer. None for anything else.
pub fn read(body: &[u8], now: Instant) -> Option<Fetched> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let life = answer.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // A minute early, so that no request is under way when the token ends; of a short life, a fifth.
    let renew_at = life.and_then(|life| now.checked_add(life - (life / 5).min(Duration::from_secs(60))));
    Some(Fetched { token: answer.access_token, renew_at })
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::config::Client;

    fn client() -> SignIn {
        let token_url = Url::parse("https://example.com/token").unwrap();
        SignIn::new(Credentials::Client(Client {
            id: "i".into(),
            secret: Secret::new("s".into()),
            token_url,
            scope: None,
        }))
    }

    #[test]
    fn a_fetched_token_is_renewed_before_it_ends() {
        let now = crate::clock::instant();
        let mut sign_in = client();
        assert_eq!(sign_in.token(now), None);
        sign_in.keep(read(br#"{"access_token":"t","expires_in":300,"token_type":"Bearer"}"#, now).unwrap());
        assert!(sign_in.token(now + Duration::from_secs(239)).is_some());
        assert_eq!(sign_in.token(now + Duration::from_secs(240)), None);
        sign_in.keep(read(br#"{"access_token":"t","expires_in":5}"#, now).unwrap());
        assert!(sign_in.token(now + Duration::from_millis(3999)).is_some());
        assert_eq!(sign_in.token(now + Duration::from_secs(4)), None);
    }

    #[test]
    fn without_a_life_a_token_is_used_until_it_is_refused() {
        let now = crate::clock::instant();
        let mut sign_in = client();
        sign_in.keep(read(br#"{"access_token":"t"}"#, now).unwrap());
        let token = sign_in.token(now + Duration::from_secs(1 << 30)).unwrap();
        assert!(sign_in.refuse(&Secret::new("an older one".into())));
        assert!(sign_in.token(now).is_some(), "another request has renewed it meanwhile");
        assert!(sign_in.refuse(&token));
        assert_eq!(sign_in.token(now), None);
    }

    #[test]
    fn a_given_token_cannot_be_renewed() {
        let mut sign_in = SignIn::new(Credentials::AccessToken(Secret::new("t".into())));
        let token = sign_in.token(crate::clock::instant()).unwrap();
        assert!(!sign_in.refuse(&token));
    }

    #[test]
    fn what_is_no_token_answer_is_none() {
        let now = crate::clock::instant();
        for body in ["", "<html>", "{}", r#"{"access_token":3}"#] {
            assert!(read(body.as_bytes(), now).is_none(), "{body}");
        }
    }
}
