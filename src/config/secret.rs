//! A text that cannot be printed by mistake.

use std::fmt;

use serde::Deserialize;

/// A secret of the configuration. It has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that did not come from the configuration: a token that was fetched.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself. The boundary: called where it is sent, and where the output learns what to redact.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2".into()))), "Some(Secret)");
    }
}
