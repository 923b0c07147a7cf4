//! Who is let in: a fixed token, or tokens issued to a client.

use std::time::Duration;

use tokio::time::Instant;

use crate::random::mix;

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Whoever shows this token.
    Token(String),
    /// Nobody: this token is known but not allowed to list orders (403), any other is not known (401).
    Forbidden(String),
    /// Whoever shows a token issued for these client credentials.
    Client {
        /// The client's id.
        id: String,
        /// The client's secret.
        secret: String,
        /// How long an issued token lives, in real time.
        token_life: Duration,
        /// The `scope` that a request for a token must name.
        scope: Option<String>,
    },
}

/// What a bearer token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Granted,
    Unauthorized,
    Forbidden,
}

/// Why no token was issued: a status, and the two texts of an OAuth error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
}

/// The tokens issued and still alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    live: Vec<(String, Instant)>,
    issued: u64,
}

impl Tokens {
    /// What the token of a request allows at `now`.
    pub(crate) fn check(&self, auth: &Auth, bearer: Option<&str>, now: Instant) -> Access {
        let Some(bearer) = bearer else { return Access::Unauthorized };
        match auth {
            Auth::Token(token) if token == bearer => Access::Granted,
            Auth::Forbidden(token) if token == bearer => Access::Forbidden,
            Auth::Client { .. } if self.live.iter().any(|(token, end)| token == bearer && now < *end) => {
                Access::Granted
            }
            _ => Access::Unauthorized,
        }
    }

    /// Issues a token for a form, with its life.
    pub(crate) fn issue(
        &mut self,
        auth: &Auth,
        form: &[(String, String)],
        seed: u64,
        now: Instant,
    ) -> Result<(String, Duration), Refusal> {
        let Auth::Client { id, secret, token_life, scope } = auth else {
            return Err(Refusal::new(401, "invalid_client", "This sandbox has no clients"));
        };
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        if field("grant_type").map(String::as_str) != Some("client_credentials") {
            return Err(Refusal::new(400, "unsupported_grant_type", "Unsupported grant_type"));
        }
        if field("client_id") != Some(id) || field("client_secret") != Some(secret) {
            return Err(Refusal::new(401, "invalid_client", "Invalid client or Invalid client credentials"));
        }
        if let Some(scope) = scope
            && !field("scope").is_some_and(|asked| asked.split(' ').any(|one| one == scope))
        {
            return Err(Refusal::new(400, "invalid_scope", "Invalid scopes"));
        }
        self.issued += 1;
        let token = format!("sandbox.{:016x}.{:04}", mix(seed ^ mix(self.issued)), self.issued);
        self.live.retain(|(_, end)| now < *end);
        self.live.push((token.clone(), now + *token_life));
        Ok((token, *token_life))
    }

    /// Ends the life of all issued tokens.
    pub(crate) fn revoke(&mut self) {
        self.live.clear();
    }
}

impl Refusal {
    const fn new(status: u16, error: &'static str, description: &'static str) -> Refusal {
        Refusal { status, error, description }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(scope: Option<&str>) -> Auth {
        Auth::Client {
            id: "me".to_owned(),
            secret: "s3cret".to_owned(),
            token_life: Duration::from_secs(60),
            scope: scope.map(str::to_owned),
        }
    }

    fn form(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    const GOOD: [(&str, &str); 3] =
        [("grant_type", "client_credentials"), ("client_id", "me"), ("client_secret", "s3cret")];

    #[test]
    fn a_token_lives_its_time_and_no_longer() {
        let (mut tokens, auth, start) = (Tokens::default(), client(None), Instant::now());
        let (token, life) = tokens.issue(&auth, &form(&GOOD), 1, start).unwrap();
        assert_eq!(life, Duration::from_secs(60));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(tokens.check(&auth, Some(&token), at(59)), Access::Granted);
        assert_eq!(tokens.check(&auth, Some(&token), at(60)), Access::Unauthorized);
        assert_eq!(tokens.check(&auth, Some("other"), start), Access::Unauthorized);
        assert_eq!(tokens.check(&auth, None, start), Access::Unauthorized);
    }

    #[test]
    fn revoked_tokens_are_dead_and_new_ones_differ() {
        let (mut tokens, auth, now) = (Tokens::default(), client(None), Instant::now());
        let (first, _) = tokens.issue(&auth, &form(&GOOD), 1, now).unwrap();
        tokens.revoke();
        let (second, _) = tokens.issue(&auth, &form(&GOOD), 1, now).unwrap();
        assert_ne!(first, second);
        assert_eq!(tokens.check(&auth, Some(&first), now), Access::Unauthorized);
        assert_eq!(tokens.check(&auth, Some(&second), now), Access::Granted);
    }

    #[test]
    fn wrong_forms_are_refused() {
        let now = Instant::now();
        let refused = |auth: &Auth, pairs: &[(&str, &str)]| {
            Tokens::default().issue(auth, &form(pairs), 1, now).map_err(|refusal| refusal.error)
        };
        let wrong = [GOOD[0], GOOD[1], ("client_secret", "guess")];
        assert_eq!(refused(&client(None), &wrong), Err("invalid_client"));
        assert_eq!(refused(&client(None), &GOOD[1..]), Err("unsupported_grant_type"));
        assert_eq!(refused(&client(Some("orders")), &GOOD), Err("invalid_scope"));
        let scoped = [GOOD[0], GOOD[1], GOOD[2], ("scope", "openid orders")];
        assert!(refused(&client(Some("orders")), &scoped).is_ok());
        assert_eq!(refused(&Auth::Token("t".to_owned()), &GOOD), Err("invalid_client"));
    }

    #[test]
    fn a_forbidden_token_is_known() {
        let (tokens, auth, now) = (Tokens::default(), Auth::Forbidden("t".to_owned()), Instant::now());
        assert_eq!(tokens.check(&auth, Some("t"), now), Access::Forbidden);
        assert_eq!(tokens.check(&auth, Some("u"), now), Access::Unauthorized);
    }
}
