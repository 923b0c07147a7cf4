//! Runs a program and measures it from outside.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use wait4::Wait4;

use crate::received::Received;

/// How often the peak memory is looked at. It only grows, so only the last moments can be missed.
const LOOK: Duration = Duration::from_millis(50);

/// A program that has ended well.
pub(crate) struct Measured {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Largest resident memory in bytes; 0 where no `/proc` tells it.
    pub(crate) peak: u64,
    /// What came out of it.
    pub(crate) received: Received,
}

/// Runs a program to its end and takes what it prints.
pub(crate) fn measure(command: &mut Command) -> Result<Measured> {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let id = child.id();
    let stdout = child.stdout.take().context("a pipe was asked for")?;
    thread::scope(|scope| {
        let reader = scope.spawn(|| Received::read(stdout));
        let (ended, until) = mpsc::channel::<()>();
        let watcher = scope.spawn(move || {
            let mut peak = 0;
            while until.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                peak = peak_memory(id).unwrap_or(0).max(peak);
            }
            peak
        });
        let end = child.wait4()?;
        let wall = started.elapsed();
        drop(ended);
        let peak = watcher.join().map_err(|_| anyhow!("the watcher of the memory has panicked"))?;
        let received = reader.join().map_err(|_| anyhow!("the reader of stdout has panicked"))??;
        ensure!(end.status.success(), "{}, after the line {}", end.status, received.last_line);
        Ok(Measured { wall, cpu: end.rusage.utime + end.rusage.stime, peak, received })
    })
}

/// `VmHWM` of a process. The kernel's other figure, `ru_maxrss`, is of no use here: a child begins with its parent's,
/// and the parent holds the sandbox.
fn peak_memory(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(kibibytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
