//! An order: one compact row for each version. What is not stored is drawn from the order's seed again.

use crate::random::{below, mix};
use crate::settings::{Behaviour, Superseded, UpdatedAt, VersionIds};
use crate::shop::catalogue::Line;
use crate::time::{HOUR, MINUTE, SECOND};

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// The states of an order (KNOWN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    Draft,
    Paid,
    Unpaid,
    CompletedSoFar,
    PaymentProcessing,
    Contested,
    Reviewed,
}

/// Names of [`Status`], in its order.
pub(crate) const STATUSES: [&str; 7] =
    ["draft", "paid", "unpaid", "completed_so_far", "paymentProcessing", "contested", "reviewed"];
/// Names of [`Row::external`] (KNOWN).
pub(crate) const EXTERNAL_STATUSES: [&str; 3] = ["ok", "failedObtainingPrice", "failedSendingWebhook"];
/// Names of [`Row::role`] (KNOWN). The role is a filter, no field of the order.
pub(crate) const ROLES: [&str; 5] = ["customer", "employee", "tester", "untracked", "unknown"];

/// What is drawn from the seed of an order; each draw has a salt of its own.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Draw {
    Status = 1,
    External,
    Role,
    Store,
    Customer,
    Lines,
    Times,
    Contest,
    Session,
    Transaction,
    ExternalId,
    Card,
    Text,
    Mistyped,
    Payment,
    OutOfOrder,
    Visit,
}

/// One version of an order. Moments are microseconds since 1970, amounts are cents.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Id of the order's first version.
    pub(crate) id: u64,
    /// Id of this version where versions have ids of their own.
    pub(crate) own_id: u64,
    /// Source of all draws, equal in all versions.
    pub(crate) seed: u64,
    pub(crate) draft: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    /// 0: not yet.
    pub(crate) paid: i64,
    /// When a newer version came; 0: this is the newest.
    pub(crate) superseded: i64,
    pub(crate) subtotal: u32,
    pub(crate) tax: u32,
    pub(crate) customer: u32,
    pub(crate) store: u32,
    /// Rows of the newer and the older version.
    pub(crate) newer: u32,
    pub(crate) older: u32,
    pub(crate) quantity: u32,
    pub(crate) version: u16,
    pub(crate) status: Status,
    pub(crate) external: u8,
    pub(crate) role: u8,
    pub(crate) lines: u8,
    /// Whether a contest of this version was reviewed.
    pub(crate) reviewed: bool,
    /// Pieces that contests added to an order without lines.
    extra: u8,
}

impl Row {
    /// A first version with the state that an order of its age has at `now`.
    pub(crate) fn new(seed: u64, id: u64, draft: i64, now: i64, stores: u32, products: bool) -> Row {
        let mut row = Row {
            id,
            own_id: id,
            seed,
            draft,
            created: draft,
            updated: draft,
            paid: 0,
            superseded: 0,
            subtotal: 0,
            tax: 0,
            customer: 1_000,
            store: 1,
            newer: NONE,
            older: NONE,
            quantity: 0,
            version: 1,
            status: Status::Draft,
            external: 0,
            role: 0,
            lines: 0,
            reviewed: false,
            extra: 0,
        };
        row.customer += below(row.draw(Draw::Customer), 50_000);
        row.role = share(row.draw(Draw::Role), [900, 940, 970, 990]);
        row.external = share(row.draw(Draw::External), [980, 990]);
        // Two draws: stores with low numbers sell more.
        let places = row.draw(Draw::Store);
        row.store += below(places, stores.max(1)).min(below(places >> 32, stores.max(1)));
        row.lines = if products { 1 + below(row.draw(Draw::Lines), 6) as u8 } else { 0 };
        row.add_up();
        row.live(now);
        row
    }

    /// Gives the order the state and the moments of its age.
    fn live(&mut self, now: i64) {
        use Status::{CompletedSoFar, Draft, Paid, PaymentProcessing, Unpaid};
        let young = now - self.draft < 10 * MINUTE;
        let shares = if young { [350, 450, 600, 950] } else { [930, 965, 980, 990] };
        let order = if young {
            [Paid, Draft, CompletedSoFar, PaymentProcessing, Unpaid]
        } else {
            [Paid, Unpaid, PaymentProcessing, CompletedSoFar, Draft]
        };
        self.status = order[usize::from(share(self.draw(Draw::Status), shares))];
        let times = self.draw(Draw::Times);
        let until = now.max(self.draft);
        self.created = (self.draft + i64::from(below(times, 900_000))).min(until);
        self.updated = match self.status {
            Draft => self.created,
            _ => (self.draft + 2 * SECOND + i64::from(below(times >> 20, 150_000_000))).min(until),
        };
        self.created = (self.created / 1_000 * 1_000).max(self.draft);
        self.updated = (self.updated / 1_000 * 1_000).max(self.created);
        if self.status == Paid {
            self.paid = self.updated;
        }
    }

    /// A number of this order, always the same for the same draw.
    pub(crate) fn draw(&self, draw: Draw) -> u64 {
        mix(self.seed ^ (draw as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Line> {
        self.lines_to(self.lines)
    }

    /// The first so many lines, some of which may belong to another version.
    pub(crate) fn lines_to(&self, count: u8) -> impl Iterator<Item = Line> {
        let seed = self.seed;
        (0..count).map(move |place| Line::new(seed, place))
    }

    /// Sets the amounts from the lines.
    fn add_up(&mut self) {
        let (mut subtotal, mut tax, mut quantity) = (0, 0, 0);
        for line in self.lines() {
            subtotal += line.subtotal;
            tax += line.tax;
            quantity += line.quantity;
        }
        if self.lines == 0 {
            subtotal = 100 + below(self.draw(Draw::Lines), 5_000) + 50 * u32::from(self.extra);
            tax = (subtotal * 70 + 500) / 1_000;
            quantity = 1 + u32::from(self.extra);
        }
        (self.subtotal, self.tax, self.quantity) = (subtotal, tax, quantity);
    }

    pub(crate) fn total(&self) -> u32 {
        self.subtotal + self.tax
    }

    /// The next version, contested at `now`: without its last line, or with a second one. `at` is the row of
    /// this one.
    pub(crate) fn contested(&self, own_id: u64, at: u32, now: i64) -> Row {
        let mut next = self.clone();
        next.own_id = own_id;
        next.version = next.version.saturating_add(1);
        (next.created, next.updated) = (now, now);
        (next.older, next.newer) = (at, NONE);
        next.superseded = 0;
        next.status = Status::Contested;
        next.reviewed = false;
        match next.lines {
            0 => next.extra = next.extra.saturating_add(1),
            1 => next.lines = 2,
            _ => next.lines -= 1,
        }
        next.add_up();
        next
    }

    /// When an order of the history is contested and, for half of them, reviewed.
    pub(crate) fn history(&self, now: i64) -> (i64, Option<i64>) {
        let draw = self.draw(Draw::Contest);
        let half = |from: i64| from + (now - from).max(0) / 2;
        let round = |moment: i64| moment / 1_000 * 1_000;
        let delay = HOUR + i64::from(below(draw >> 8, 96 * 3_600)) * SECOND;
        let contested = (self.updated + delay).min(half(self.updated));
        let reviewed = (contested + delay).min(half(contested));
        (round(contested), (draw.is_multiple_of(2)).then_some(round(reviewed)))
    }

    /// The id on the wire.
    pub(crate) fn shown_id(&self, ids: VersionIds) -> u64 {
        match ids {
            VersionIds::Same => self.id,
            VersionIds::New => self.own_id,
        }
    }

    pub(crate) fn shown_updated(&self, behaviour: &Behaviour) -> i64 {
        match (behaviour.updated_at, behaviour.superseded) {
            (UpdatedAt::StandsStill, _) => self.draft,
            (UpdatedAt::Moves, Superseded::Updated) => self.updated.max(self.superseded),
            (UpdatedAt::Moves, Superseded::Stale) => self.updated,
        }
    }

    pub(crate) fn is_latest(&self) -> bool {
        self.newer == NONE
    }

    pub(crate) fn shown_latest(&self, superseded: Superseded) -> bool {
        self.is_latest() || superseded == Superseded::Stale
    }

    pub(crate) fn status_name(&self) -> &'static str {
        STATUSES[self.status as usize]
    }
}

/// The place of a draw among shares of a thousand, given as rising limits.
fn share<const N: usize>(draw: u64, limits: [u32; N]) -> u8 {
    let point = below(draw, 1_000);
    limits.iter().take_while(|limit| point >= **limit).count() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> impl Iterator<Item = Row> {
        (1..2_000).map(|n| Row::new(mix(n), n, 0, 30 * 24 * HOUR, 5, true))
    }

    #[test]
    fn a_row_is_small() {
        assert!(size_of::<Row>() <= 150, "{}", size_of::<Row>());
    }

    #[test]
    fn amounts_are_the_sums_of_the_lines() {
        for row in rows() {
            assert_eq!(row.subtotal, row.lines().map(|line| line.subtotal).sum::<u32>());
            assert_eq!(row.tax, row.lines().map(|line| line.tax).sum::<u32>());
            assert!((1..=6).contains(&row.lines));
        }
    }

    #[test]
    fn a_contest_changes_the_total() {
        for row in rows() {
            let next = row.contested(9, 0, HOUR);
            assert_ne!(row.total(), next.total());
            assert_eq!((next.version, next.draft, next.seed), (2, row.draft, row.seed));
            assert_ne!(next.total(), next.contested(10, 0, HOUR).total());
        }
    }

    #[test]
    fn every_state_occurs_and_most_orders_are_paid_by_customers() {
        let all: Vec<Row> = rows().collect();
        for status in [Status::Draft, Status::Unpaid, Status::CompletedSoFar, Status::PaymentProcessing] {
            assert!(all.iter().any(|row| row.status == status), "{status:?}");
        }
        assert!(all.iter().filter(|row| row.status == Status::Paid).count() > 1_700);
        let customers = all.iter().filter(|row| row.role == 0).count();
        assert!((1_740..1_860).contains(&customers), "{customers}");
        assert!((0..5).all(|role| all.iter().any(|row| row.role == role)));
        assert!((1..=5).all(|store| all.iter().any(|row| row.store == store)));
    }

    #[test]
    fn moments_follow_each_other() {
        for row in rows() {
            assert!(row.draft <= row.created && row.created <= row.updated);
            assert_eq!(row.paid != 0, row.status == Status::Paid);
            let (contested, reviewed) = row.history(30 * 24 * HOUR);
            assert!(row.updated <= contested && reviewed.is_none_or(|reviewed| reviewed >= contested));
        }
    }
}
