//! Cases that run at the same time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs `each` with all cases, several at a time: they wait for the pace more than they compute. It fails when one of them does,
/// and says which, counted from 0.
pub fn side_by_side<T: Sync>(cases: &[T], each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(number) else { break };
            let tried = catch_unwind(AssertUnwindSafe(|| each(case)));
            assert!(tried.is_ok(), "case {number} of {}", cases.len());
        }
    };
    thread::scope(|scope| (0..8).for_each(|_| _ = scope.spawn(worker)));
}
