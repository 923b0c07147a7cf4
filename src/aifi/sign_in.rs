//! The token of the next request: given, or fetched and renewed in time.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::config::Credentials;
use crate::config::secret::Secret;

/// A token that was fetched.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// The token.
    pub token: Secret,
    /// From then on a new one is fetched before the next request.
    pub renew_at: Option<Instant>,
}

/// The credentials and what was fetched with them.
#[derive(Debug)]
pub(crate) struct SignIn {
    credentials: Credentials,
    fetched: Option<Fetched>,
}

impl SignIn {
    /// Nothing is fetched yet.
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, fetched: None }
    }

    /// The configured credentials.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The token to use now, or none if one has to be fetched first.
    pub(crate) fn token(&self, now: Instant) -> Option<Secret> {
        match &self.credentials {
            Credentials::AccessToken(token) => Some(token.clone()),
            Credentials::Client(_) => {
                let fetched = self.fetched.as_ref()?;
                fetched.renew_at.is_none_or(|renew_at| now < renew_at).then(|| fetched.token.clone())
            }
        }
    }

    /// Keeps a token that was fetched.
    pub(crate) fn keep(&mut self, fetched: Fetched) {
        self.fetched = Some(fetched);
    }

    /// The API refused `token`: if it was a fetched one, a new one is fetched next. Answers whether that helps.
    pub(crate) fn refuse(&mut self, token: &Secret) -> bool {
        if self.fetched.as_ref().is_some_and(|fetched| fetched.token == *token) {
            self.fetched = None;
        }
        matches!(self.credentials, Credentials::Client(_))
    }
}

/// Reads the token endpoint's response (RFC 6749, section 5.1). What is wrong with anything else is said without quoting
/// it, since it may hold a token.
pub(crate) fn read(body: &[u8], now: Instant) -> Result<Fetched, &'static str> {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Err("the token endpoint's answer is not JSON");
    };
    let token = match &answer["access_token"] {
        Value::String(token) if token.trim().is_empty() => {
            return Err("the access_token in the token endpoint's answer is empty");
        }
        Value::String(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => token.clone(),
        Value::String(_) => {
            return Err(
                "the access_token in the token endpoint's answer holds blanks or letters that no header takes",
            );
        }
        Value::Null => return Err("the token endpoint's answer holds no access_token"),
        _ => return Err("the access_token in the token endpoint's answer is not a text"),
    };
    let life = lifetime(&answer["expires_in"]);
    // A minute early, so that no request is under way when the token ends; of a short life, a fifth.
    let renew_at = life.and_then(|life| now.checked_add(life - (life / 5).min(Duration::from_secs(60))));
    Ok(Fetched { token: Secret::new(token), renew_at })
}

/// How long a token lives. Some servers write the seconds as a text; what makes no sense counts as not said.
fn lifetime(seconds: &Value) -> Option<Duration> {
    let seconds = match seconds {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Shorter than a request takes, a token would be fetched before each one.
    Duration::try_from_secs_f64(seconds).ok().filter(|life| life.as_secs() >= 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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
    fn what_is_not_a_token_answer_is_told_without_quoting_it() {
        let now = crate::clock::instant();
        for (body, told) in [
            ("", "not JSON"),
            ("<html>", "not JSON"),
            ("{}", "no access_token"),
            ("[]", "no access_token"),
            ("7", "no access_token"),
            (r#"{"access_token":null}"#, "no access_token"),
            (r#"{"access_token":3}"#, "not a text"),
            (r#"{"access_token":["t"]}"#, "not a text"),
            (r#"{"access_token":" "}"#, "is empty"),
            (r#"{"access_token":"a b"}"#, "blanks"),
            (r#"{"access_token":"a\n"}"#, "blanks"),
            (r#"{"access_token":"ä"}"#, "no header takes"),
        ] {
            let why = read(body.as_bytes(), now).unwrap_err();
            assert!(why.contains(told), "{body}: {why}");
        }
    }

    #[test]
    fn a_lifetime_is_read_in_each_spelling_and_an_odd_one_counts_as_none() {
        let now = crate::clock::instant();
        let renew_at = |life: &str| {
            read(format!(r#"{{"access_token":"t","expires_in":{life}}}"#).as_bytes(), now).unwrap().renew_at
        };
        for life in ["300", "300.0", "3e2", r#""300""#, r#"" 300 ""#, r#""300.0""#] {
            assert_eq!(renew_at(life), Some(now + Duration::from_secs(240)), "{life}");
        }
        let odd = [
            "null",
            "0",
            "-1",
            "0.2",
            "1e300",
            "true",
            "[]",
            "{}",
            r#""soon""#,
            r#"" ""#,
            r#""NaN""#,
            r#""inf""#,
            r#""-3""#,
        ];
        for life in odd {
            assert_eq!(renew_at(life), None, "{life}");
        }
    }

    proptest! {
        #[test]
        fn untrusted_token_answers_bring_a_token_or_words(
            body in crate::untrusted::mangled(r#"{"access_token":"tok-12345678","token_type":"Bearer","expires_in":"3600","error":null}"#.to_owned()),
        ) {
            match read(&body, crate::clock::instant()) {
                Ok(fetched) => prop_assert!(fetched.token.expose().bytes().all(|byte| byte.is_ascii_graphic())),
                Err(why) => prop_assert!(why.contains("token endpoint")),
            }
        }
    }
}
