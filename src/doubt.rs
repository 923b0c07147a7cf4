//! A response that cannot be believed: it contradicts what the API says of itself, or what is known already.
//!
//! The same request is repeated a few times; a doubt that persists becomes a failure with a name.

use crate::failure::{Failure, FailureKind};

/// How often a request is made whose response is doubtful, before the doubt becomes a failure.
pub(crate) const MAX_ATTEMPTS: u32 = 6;

/// What is doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// The failure it becomes.
    pub kind: FailureKind,
    /// As a clause: "the page is not sorted".
    pub what: String,
}

impl Doubt {
    /// A doubt of this kind.
    pub(crate) fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    /// The failure that a doubt about a list becomes after so many attempts.
    pub(crate) fn into_failure(self, list: &str, looks: u32) -> Failure {
        let advice = match self.kind {
            FailureKind::MissingOrder | FailureKind::Restless => {
                "Nothing was skipped: the state ends before this point, and the next sync starts there."
            }
            FailureKind::NoId | FailureKind::NoCursor => {
                "Without it the record cannot be kept apart from others. Please report this to AiFi; nothing was skipped."
            }
            _ => {
                "The API does not behave as documented, so reading on could lose records. Check API base URL (base_url), and report this if it is right."
            }
        };
        Failure::new(
            self.kind,
            format!(
                "The {list} list cannot be read completely: {} (after {looks} attempts). {advice}",
                self.what
            ),
        )
    }
}

/// Why nothing can be used of a body.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It is not whole JSON, as after a connection that broke: the request is retried like one without a response.
    Unreadable(anyhow::Error),
    /// It is JSON that cannot be believed: the family that asked decides.
    Doubtful(Doubt),
}

impl From<Doubt> for Unusable {
    fn from(doubt: Doubt) -> Self {
        Self::Doubtful(doubt)
    }
}

impl From<anyhow::Error> for Unusable {
    fn from(error: anyhow::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<std::str::Utf8Error> for Unusable {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::Unreadable(error.into())
    }
}

#[cfg(test)]
impl Unusable {
    /// The doubt. Panics where there is none.
    pub(crate) fn into_doubt(self) -> Doubt {
        match self {
            Self::Doubtful(doubt) => doubt,
            Self::Unreadable(error) => panic!("unreadable: {error}"),
        }
    }
}

/// How often the same request is asked, and why it is repeated.
#[derive(Debug)]
pub(crate) struct Attempts {
    number: u32,
    doubted: String,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { number: 1, doubted: String::new() }
    }
}

impl Attempts {
    /// The attempt that is due or under way, from 1.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Whether no response was doubted since the last one that was believed.
    pub(crate) fn is_first(&self) -> bool {
        self.number == 1
    }

    /// What was wrong with the response before, as a clause; it is given once.
    pub(crate) fn take_doubted(&mut self) -> String {
        std::mem::take(&mut self.doubted)
    }

    /// The next request is another one.
    pub(crate) fn begin_anew(&mut self) {
        self.number = 1;
    }

    /// The response is doubtful, so the request is repeated.
    ///
    /// # Errors
    /// The doubt, where that was done often enough.
    pub(crate) fn again(&mut self, doubt: Doubt) -> Result<(), Doubt> {
        if self.number >= MAX_ATTEMPTS {
            return Err(doubt);
        }
        self.number += 1;
        self.doubted = doubt.what;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_is_taken_back_or_becomes_final() {
        let mut attempts = Attempts::default();
        let doubt = || Doubt::new(FailureKind::NotAPage, "odd");
        for number in 1..MAX_ATTEMPTS {
            assert_eq!((attempts.number(), attempts.is_first()), (number, number == 1));
            attempts.again(doubt()).unwrap();
            assert_eq!((attempts.take_doubted(), attempts.take_doubted()), ("odd".into(), String::new()));
        }
        assert_eq!(attempts.again(doubt()), Err(doubt()));
        attempts.begin_anew();
        assert!(attempts.is_first());
    }
}
