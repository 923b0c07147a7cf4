//! What happens in the shops while the syncs run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use aifi_sandbox::Model;
use chrono::{DateTime, TimeDelta, Utc};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A visit ends; its order is listed so many seconds later.
    Draft {
        listed_after: u64,
    },
    Pay(u64),
    Contest(u64),
    Review(u64),
    Remove(u64),
}

/// Visits, payments, contests and reviews, as they come.
pub struct Life {
    due: BinaryHeap<Reverse<(Duration, u64, Happening)>>,
    rng: fastrand::Rng,
    count: u64,
    /// Of a hundred orders, so many are removed up to nine days after the visit.
    pub removed_percent: u32,
    /// When orders were removed.
    pub removed: HashMap<u64, DateTime<Utc>>,
    /// Changes since the last look: the row's id, its new status.
    pub changes: Vec<(u64, &'static str, DateTime<Utc>)>,
}

impl Life {
    pub fn new(seed: u64) -> Self {
        Self {
            due: BinaryHeap::new(),
            rng: fastrand::Rng::with_seed(seed),
            count: 0,
            removed_percent: 0,
            removed: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// Plans `visits` until `until`. Contests come up to seven days after the visit, reviews up to three days later, and
    /// nothing after `quiet`.
    pub fn plan(&mut self, visits: usize, until: Duration) {
        for _ in 0..visits {
            let at = Duration::from_secs_f64(self.rng.f64() * until.as_secs_f64());
            // One in a hundred surfaces later than the connector waits for.
            let listed_after = if self.rng.u32(..100) == 0 {
                self.rng.u64(3 * MINUTE..20 * MINUTE)
            } else {
                self.rng.u64(0..90)
            };
            self.push(at + Duration::from_secs(listed_after), Happening::Draft { listed_after });
        }
    }

    /// Plans so many visits, and payments, contests and reviews of these orders, within `time` from `now` on.
    pub fn stir(&mut self, times: usize, orders: &[u64], now: Duration, time: Duration) {
        for _ in 0..times {
            let at = now + time.mul_f64(self.rng.f64());
            let happening = match self.rng.choice(orders) {
                Some(id) if self.rng.u32(..5) < 3 => {
                    let of = [Happening::Pay(*id), Happening::Contest(*id), Happening::Review(*id)];
                    self.rng.choice(of).expect("one of them")
                }
                // One in ten surfaces late.
                _ if self.rng.u32(..10) == 0 => Happening::Draft { listed_after: self.rng.u64(0..1_800) },
                _ => Happening::Draft { listed_after: self.rng.u64(0..2) },
            };
            self.push(at, happening);
        }
    }

    /// Nothing of what is planned happens.
    pub fn end(&mut self) {
        self.due.clear();
    }

    fn push(&mut self, at: Duration, happening: Happening) {
        self.count += 1;
        self.due.push(Reverse((at, self.count, happening)));
    }

    /// When something happens next.
    pub fn next(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// What is due at `at` happens.
    pub fn happen(&mut self, model: &mut Model, at: Duration) {
        let Some(Reverse((_, _, happening))) = self.due.pop() else { return };
        let now = model.now();
        let later =
            |rng: &mut fastrand::Rng, range: std::ops::Range<u64>| at + Duration::from_secs(rng.u64(range));
        match happening {
            Happening::Draft { listed_after } => {
                let id = model.add_order_at(now - TimeDelta::seconds(listed_after.cast_signed()));
                match self.rng.u32(..100) {
                    0..80 => {
                        let at = later(&mut self.rng, 20..3 * MINUTE);
                        self.push(at, Happening::Pay(id));
                    }
                    80..95 => {
                        let at = later(&mut self.rng, 2 * HOUR..20 * HOUR);
                        self.push(at, Happening::Pay(id));
                    }
                    _ => (),
                }
                if self.removed_percent > 0 && self.rng.u32(..100) < self.removed_percent {
                    let at = later(&mut self.rng, HOUR..9 * DAY);
                    self.push(at, Happening::Remove(id));
                }
                if self.rng.u32(..100) < 8 {
                    let at = later(&mut self.rng, 21 * HOUR..7 * DAY);
                    self.push(at, Happening::Contest(id));
                }
            }
            Happening::Pay(id) => self.changes.extend(model.pay(id).map(|id| (id, "paid", now))),
            Happening::Contest(id) => {
                self.changes.extend(model.contest(id).map(|id| (id, "contested", now)));
                let at = later(&mut self.rng, HOUR..3 * DAY);
                self.push(at, Happening::Review(id));
            }
            Happening::Remove(id) => {
                if model.remove_order(id) {
                    self.removed.insert(id, now);
                }
            }
            Happening::Review(id) => self.changes.extend(model.review(id).map(|id| (id, "reviewed", now))),
        }
    }
}
