//! A line that shows that a sync is at work.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use aifi_sandbox::Sandbox;

use crate::Failed;

/// A file that counts the records written to it.
pub(crate) struct Counted {
    file: File,
    records: Arc<AtomicUsize>,
}

impl Write for Counted {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.file.write_all(lines)?;
        let is_record = |line: &&[u8]| line.starts_with(br#"{"type":"RECORD""#);
        self.records
            .fetch_add(lines.split(|byte| *byte == b'\n').filter(is_record).count(), Ordering::Relaxed);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Runs a sync into a file, and shows meanwhile how far it is: at a terminal one line that changes, else one every five
/// seconds.
pub(crate) fn shown(
    sandbox: &Sandbox,
    file: File,
    sync: impl FnOnce(Counted) -> Result<(), Failed>,
) -> Result<(), Failed> {
    sandbox.reset_stats();
    let records = Arc::new(AtomicUsize::new(0));
    let sink = Counted { file, records: records.clone() };
    let started = Instant::now();
    let is_terminal = io::stdout().is_terminal();
    let (start, interval, end) =
        if is_terminal { ("\r", Duration::from_millis(200), "") } else { ("", Duration::from_secs(5), "\n") };
    let show = |end: &str| {
        let (requests, records) = (sandbox.stats().requests, records.load(Ordering::Relaxed));
        let seconds = started.elapsed().as_secs_f64();
        print!("{start}          {requests} requests, {records} records, {seconds:.0} s{end}");
        let _ = io::stdout().flush();
    };
    let (working, ended) = mpsc::channel::<()>();
    let progress = &show;
    let result = thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                progress(end);
            }
        });
        // The channel closes with this, also on panic.
        let _working = working;
        sync(sink)
    });
    show("\n");
    result
}
