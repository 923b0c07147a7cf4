//! Being asked to stop, and dying as the platform expects.
//!
//! A thread of its own waits for SIGTERM, SIGINT and SIGHUP, so a stop is heard even while a write to a full pipe blocks. The
//! sync is asked to stop and has a moment to write its last state. Then the process ends by the signal itself, never
//! with status 0: whoever started it must not take a partial read for a complete one.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use tokio::sync::watch;

use crate::clock;

/// The signal that asked us to stop.
static ASKED_BY: AtomicI32 = AtomicI32::new(SIGTERM);

/// What a sync has for its last state.
const GRACE: Duration = Duration::from_secs(3);

/// Becomes true when the process was asked to stop.
pub fn watch() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    // Without signals we can still read; the platform then has to kill us.
    if let Ok(mut signals) = Signals::new([SIGTERM, SIGINT, SIGHUP]) {
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                ASKED_BY.store(signal, Ordering::Relaxed);
                sender.send_replace(true);
                clock::pause(GRACE);
                die_of(signal);
            }
        });
    } else {
        // Keeps the channel open, so that nobody takes its end for a stop.
        std::mem::forget(sender);
    }
    receiver
}

/// Ends the process as the signal does that asked us to stop.
pub fn die_stopped() -> ! {
    die_of(ASKED_BY.load(Ordering::Relaxed))
}

/// Ends the process as a closed pipe does: quietly, and not with status 0.
pub fn die_of_closed_output() -> ! {
    die_of(SIGPIPE)
}

fn die_of(signal: i32) -> ! {
    // The first process of a container does not die of a signal it does not handle.
    if std::process::id() != 1 && signal != SIGPIPE {
        _ = low_level::emulate_default_handler(signal);
    }
    low_level::exit(128 + signal)
}
