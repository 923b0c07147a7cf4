//! Names the fields that the API sends and a stream's schema does not know, each once.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::protocol::message::Level;
use crate::protocol::output::Output;

/// The unknown fields that were named, in one sync of one stream.
#[derive(Debug, Default)]
pub struct UnknownFields {
    named: BTreeSet<String>,
    repair_is_logged: bool,
}

impl UnknownFields {
    /// Names those of `unknown`, all that were met so far, that were not named yet.
    pub fn tell(
        &mut self,
        output: &mut Output,
        stream: &str,
        unknown: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        if unknown.len() == self.named.len() {
            return Ok(());
        }
        let new: Vec<&str> = unknown.difference(&self.named).map(String::as_str).collect();
        let text = format!(
            "{stream}: the API sends fields that this version's schema does not know; they are kept (at the top level in additionalFields): {}",
            new.join(", ")
        );
        output.log(Level::Info, &text)?;
        self.named.clone_from(unknown);
        Ok(())
    }

    /// Warns, once, of answers that are not strict JSON: so many were repaired so far.
    pub fn warn_of_repairs(
        &mut self,
        output: &mut Output,
        stream: &str,
        repaired: u64,
    ) -> Result<(), Failure> {
        if repaired == 0 || std::mem::replace(&mut self.repair_is_logged, true) {
            return Ok(());
        }
        let text = format!(
            "{stream}: The API sends answers that are not valid JSON. They are read all the same: bytes that are not UTF-8 become U+FFFD, and NaN and Infinity become null. Please report this to AiFi."
        );
        output.log(Level::Warn, &text)
    }
}
