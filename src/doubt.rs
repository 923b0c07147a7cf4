//! An answer that cannot be believed: it contradicts what the API says of itself, or what is known already.
//!
//! The same question is asked again a few times; a doubt that persists becomes a failure with a name.

use crate::failure::{Failure, FailureKind};

/// How often a question is asked whose answer is doubtful, before the doubt becomes a failure.
pub const MAX_ATTEMPTS: u32 = 6;

/// What is doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The failure it becomes.
    pub kind: FailureKind,
    /// As a clause: "the page is not sorted".
    pub what: String,
}

impl Doubt {
    /// A doubt of this kind.
    pub fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    /// The failure that a doubt about a list becomes after so many attempts.
    pub fn into_failure(self, list: &str, looks: u32) -> Failure {
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
