//! Cases that run at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs `each` with all cases, several at a time: they wait for the pace more than they compute. It fails when one of them does.
pub fn side_by_side<T: Sync>(cases: &[T], each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(case);
        }
    };
    thread::scope(|scope| (0..8).for_each(|_| _ = scope.spawn(worker)));
}
