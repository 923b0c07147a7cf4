//! Who may call, compared in constant time.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Secrets, any of which opens.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<[u8; 32]>);

impl Secrets {
    /// Reads secrets that are separated by commas or white space.
    pub(crate) fn parse(text: &str) -> Self {
        let secrets = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|secret| !secret.is_empty());
        Self(secrets.map(|secret| Sha256::digest(secret).into()).collect())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is one of them. The time depends on the length of what was given alone: digests are compared, all
    /// of them, to their ends.
    pub(crate) fn hold(&self, given: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        self.0.iter().fold(Choice::from(0), |found, secret| found | secret.ct_eq(&given)).into()
    }
}

/// How a caller proves who it is.
#[derive(Clone, Default)]
pub(crate) struct Access {
    /// `Authorization: Bearer …`.
    pub(crate) bearer: Secrets,
    /// Another header, and its values.
    pub(crate) header: Option<(String, Secrets)>,
    /// A last segment of the path.
    pub(crate) path: Secrets,
    /// Anyone may.
    pub(crate) open: bool,
}

impl Access {
    /// Whether a request with these headers and this last segment may pass.
    pub(crate) fn admits(&self, headers: &HeaderMap, segment: Option<&str>) -> bool {
        let header = self.header.as_ref().is_some_and(|(name, values)| {
            headers.get(name).is_some_and(|value| values.hold(value.as_bytes()))
        });
        let path = segment.is_some_and(|segment| self.path.hold(segment.as_bytes()));
        self.open || header || path || bearer(headers).is_some_and(|token| self.bearer.hold(token))
    }

    /// Whether nobody can pass.
    pub(crate) fn is_closed(&self) -> bool {
        let header = self.header.as_ref().is_none_or(|(_, values)| values.is_empty());
        !self.open && header && self.bearer.is_empty() && self.path.is_empty()
    }
}

/// The token of an `Authorization` header; the scheme is written in any case.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn each_token_of_a_rotation_opens() {
        let access = Access { bearer: Secrets::parse("old, new"), ..Access::default() };
        assert!(access.admits(&headers("authorization", "Bearer old"), None));
        assert!(access.admits(&headers("authorization", "bearer new"), None));
        for wrong in ["Bearer ol", "Bearer olds", "Bearer ", "Basic old", "old"] {
            assert!(!access.admits(&headers("authorization", wrong), Some("old")), "{wrong}");
        }
        assert!(!access.admits(&HeaderMap::new(), None));
    }

    #[test]
    fn a_header_or_a_path_opens() {
        let header = Some(("x-key".to_owned(), Secrets::parse("k")));
        let access = Access { header, path: Secrets::parse("p"), ..Access::default() };
        assert!(access.admits(&headers("x-key", "k"), None));
        assert!(access.admits(&HeaderMap::new(), Some("p")));
        assert!(!access.admits(&headers("x-key", "p"), Some("k")));
    }

    #[test]
    fn no_secret_means_nobody() {
        assert!(Access::default().is_closed());
        assert!(!Access::default().admits(&headers("authorization", "Bearer "), Some("")));
    }
}
