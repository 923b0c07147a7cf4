//! Names the fields that the API sends and a stream's schema does not know, each once.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::protocol::message::Level;
use crate::protocol::output::Output;

/// The unknown fields that were named, in one sync of one stream.
#[derive(Debug, Default)]
pub struct UnknownFields {
    named: BTreeSet<String>,
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
}
