//! What a token tells of itself. Pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::config::secret::Secret;

/// When a token ends, if it says so: a JSON web token does (RFC 7519, `exp`). It is read, not verified.
pub(crate) fn ends_at(token: &Secret) -> Option<DateTime<Utc>> {
    let claims = token.expose().split('.').nth(1)?;
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()?;
    DateTime::from_timestamp(claims["exp"].as_i64()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_web_token_tells_its_end_and_another_one_nothing() {
        let token = |claims: &str| Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)));
        assert_eq!(ends_at(&token(r#"{"exp":1767225600}"#)), crate::timestamp::parse("2026-01-01T00:00:00Z"));
        for other in [token("{}"), token("[]"), token(r#"{"exp":"soon"}"#), token(r#"{"exp":1e30}"#)] {
            assert_eq!(ends_at(&other), None);
        }
        for other in ["", "sandbox-token-0123456789", "a.b.c", "..", "a.e30"] {
            assert_eq!(ends_at(&Secret::new(other.to_owned())), None, "{other}");
        }
    }
}
