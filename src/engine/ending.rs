//! How streams ended: what is said of each, and the failure that the sync ends with.

use crate::failure::{Failure, FailureKind};
use crate::protocol::message::{Level, Status};
use crate::protocol::output::Output;

/// How the streams ended so far.
#[derive(Debug)]
pub(crate) struct Endings {
    /// The first failure of a stream.
    pub failed: Result<(), Failure>,
    /// That we were asked to stop has been logged.
    stopped: bool,
}

impl Default for Endings {
    fn default() -> Self {
        Self { failed: Ok(()), stopped: false }
    }
}

impl Endings {
    /// Says how a stream ended. Being asked to stop is not an error, and whoever closed our output cannot read it.
    pub(crate) fn end(
        &mut self,
        output: &mut Output,
        stream: &str,
        result: &Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Err(failure) = result else { return output.status(stream, Status::Complete) };
        if failure.kind == FailureKind::OutputClosed {
            return Ok(());
        }
        let interrupted = failure.kind == FailureKind::Interrupted;
        if interrupted && !std::mem::replace(&mut self.stopped, true) {
            output.log(Level::Info, &failure.message)?;
        }
        output.status(stream, Status::Incomplete)?;
        if interrupted { Ok(()) } else { output.failure(failure, Some(stream)) }
    }

    /// Says how a stream ended that shares its reading with no other, and keeps its failure.
    pub(crate) fn close(
        &mut self,
        output: &mut Output,
        stream: &str,
        result: Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.end(output, stream, &result)?;
        self.keep(result)
    }

    /// Keeps the first failure. One that the other streams would share comes back: it ends the sync.
    pub(crate) fn keep(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        match result {
            Err(failure) if failure.kind.ends_the_sync() => Err(failure),
            Err(failure) if self.failed.is_ok() => {
                self.failed = Err(failure);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
