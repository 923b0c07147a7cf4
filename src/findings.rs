//! Logs what a stream's responses held that its schema does not expect, each name once.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;
use crate::protocol::message::Level;
use crate::protocol::output::{Change, Output};
use crate::record::findings::{self, Findings};

/// What was logged in one sync of one stream.
#[derive(Debug, Default)]
pub(crate) struct FindingsLog {
    unknown: BTreeSet<String>,
    misfits: BTreeSet<String>,
    /// How many values of records that were written do not fit their columns.
    written: BTreeMap<String, u64>,
    repaired: bool,
}

impl FindingsLog {
    /// Logs what was not logged yet of `findings`, all that there are so far.
    pub(crate) fn observe(
        &mut self,
        output: &mut Output,
        stream: &str,
        findings: &Findings,
    ) -> Result<(), Failure> {
        if findings.unknown.len() > self.unknown.len() {
            let new = findings.unknown.difference(&self.unknown);
            let text = format!(
                "{stream}: the API sends fields that this version's schema does not know; they are kept (at the top level in additionalFields): {}",
                joined(new.cloned())
            );
            output.log(Level::Info, &text)?;
            self.unknown.clone_from(&findings.unknown);
        }
        if findings.misfits.len() > self.misfits.len() {
            let new = findings.misfits.keys().filter(|name| !self.misfits.contains(*name));
            let text = format!(
                "{stream}: The API sends values that do not fit their columns. The columns are null there, and the values are kept in additionalFields: {}",
                joined(new.cloned())
            );
            output.log(Level::Warn, &text)?;
            self.misfits = findings.misfits.keys().cloned().collect();
        }
        if findings.repaired > 0 && !std::mem::replace(&mut self.repaired, true) {
            let text = format!(
                "{stream}: The API sends answers that are not valid JSON. They are read all the same: bytes that are not UTF-8 become U+FFFD, and NaN and Infinity become null. Please report this to AiFi."
            );
            output.log(Level::Warn, &text)?;
        }
        Ok(())
    }

    /// Counts what does not fit in a record that is written.
    pub(crate) fn count(&mut self, changes: &[Change]) {
        for Change { field, .. } in changes {
            // Of a list all items count as one column.
            let steps = field.split('[').enumerate().map(|(number, step)| match step.split_once(']') {
                Some((_, rest)) if number > 0 => format!("[]{rest}"),
                _ => step.to_owned(),
            });
            let column: String = steps.collect();
            findings::count(&mut self.written, &column);
        }
    }

    /// Logs at the end of the sync how many values were concerned.
    pub(crate) fn finish(
        &self,
        output: &mut Output,
        stream: &str,
        findings: &Findings,
    ) -> Result<(), Failure> {
        if let Some(counts) = counted(&self.written) {
            let text = format!(
                "{stream}: Values that did not fit their columns, by column: {counts}. They are kept in additionalFields."
            );
            output.log(Level::Warn, &text)?;
        }
        if let Some(counts) = counted(&findings.wide) {
            let text = format!(
                "{stream}: Whole numbers beyond 64 bits, which some destinations do not take, by column: {counts}."
            );
            output.log(Level::Warn, &text)?;
        }
        Ok(())
    }
}

/// The names with their counts; none, if there are none.
pub(crate) fn counted(counts: &BTreeMap<String, u64>) -> Option<String> {
    let named = counts.iter().map(|(name, count)| format!("{name} ({count})"));
    (!counts.is_empty()).then(|| joined(named))
}

fn joined(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
