//! Signs of life while the API is waited for: a line in the log, and the last state for the platform's heartbeat.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::aifi::http::Waiting;
use crate::clock;
use crate::failure::Failure;
use crate::protocol::message::Level;
use crate::protocol::output::Output;

/// While requests are refused one after the other, the state is repeated this often, so that the platform's heartbeat
/// sees that we live.
const REPEAT_STATE: Duration = Duration::from_secs(30);

/// What was logged and repeated, in one sync of one stream.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    last_repeated: Option<Instant>,
}

impl Heartbeat {
    /// Logs a wait, and repeats the last state where it is due. `stream` is the stream that waits.
    pub(crate) fn observe(
        &mut self,
        Waiting { wait, rate_limited, what, attempt, .. }: Waiting,
        output: &mut Output,
        stream: &str,
        last_state: impl FnOnce() -> Value,
    ) -> Result<(), Failure> {
        // A single repetition is everyday life; from the third on somebody may want to know.
        if attempt == 3 || (attempt > 3 && wait.as_secs() >= 1) {
            let text =
                format!("{stream}: {what}; attempt {attempt}, asking again in {:.1} s", wait.as_secs_f64());
            output.log(Level::Warn, &text)?;
        }
        let now = clock::instant();
        if self.last_repeated.is_none_or(|last| now - last >= REPEAT_STATE) {
            self.last_repeated = Some(now);
            if rate_limited {
                let until = clock::now() + wait;
                output.rate_limited(stream, until.timestamp_millis())?;
            }
            output.state(stream, &last_state())?;
        }
        Ok(())
    }
}
