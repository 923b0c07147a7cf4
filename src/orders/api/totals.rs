//! Sums of what was written between two states: what a receipt is made of. Pure.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::orders::api::page::{Amounts, Row};

/// Sums of the records between two states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Of orders drafted at or after it
    pub from: Option<DateTime<Utc>>,
    /// and before it:
    pub until: Option<DateTime<Utc>>,
    /// those that have changed, and not all of them.
    pub changes: bool,
    /// Orders that were read.
    pub read: u64,
    /// Orders that were written.
    pub written: u64,
    /// The exact sum of their `totalPrice`.
    pub total: Decimal,
    /// Orders without a `totalPrice` that is a decimal number.
    pub without_total: u64,
    /// Orders whose `subtotalPrice` and `totalTax` do not add up to `totalPrice`.
    pub amounts_off: u64,
    /// The sum of their `id`.
    pub ids: u128,
    /// The sum of the digests of the records.
    pub digest: u64,
    /// Orders that were written before and are no longer listed.
    pub gone: u64,
}

impl Totals {
    /// Notes an order that was read.
    pub(crate) fn observe(&mut self, row: &Row) {
        self.read += 1;
        if let Amounts { subtotal: Some(subtotal), tax: Some(tax), total: Some(total) } = row.amounts {
            // An overflow is not arithmetic that holds.
            self.amounts_off += u64::from(subtotal.checked_add(tax) != Some(total));
        }
    }

    /// Notes an order that is written, and its digest.
    pub(crate) fn write(&mut self, row: &Row, digest: u64) {
        self.written += 1;
        match row.amounts.total.and_then(|total| self.total.checked_add(total)) {
            Some(total) => self.total = total,
            None => self.without_total += 1,
        }
        self.ids += u128::from(row.id);
        self.digest = self.digest.wrapping_add(digest);
    }

    /// Both together.
    #[must_use]
    pub(crate) fn and(self, other: &Self) -> Self {
        Self {
            from: self.from.or(other.from),
            until: other.until,
            changes: other.changes,
            read: self.read + other.read,
            written: self.written + other.written,
            total: self.total.checked_add(other.total).unwrap_or(self.total),
            without_total: self.without_total + other.without_total,
            amounts_off: self.amounts_off + other.amounts_off,
            ids: self.ids + other.ids,
            digest: self.digest.wrapping_add(other.digest),
            gone: self.gone + other.gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::api::page::digest;
    use crate::orders::api::testing::row;

    fn order(id: u64, subtotal: &str, tax: &str, total: &str) -> Row {
        let amount = |text: &str| Decimal::from_str_exact(text).ok();
        let amounts = Amounts { subtotal: amount(subtotal), tax: amount(tax), total: amount(total) };
        Row { amounts, data: format!("{id} {total}").into(), ..row(0, id) }
    }

    fn tally(orders: &[Row]) -> Totals {
        let mut tally = Totals::default();
        for order in orders {
            tally.observe(order);
            tally.write(order, digest(order));
        }
        tally
    }

    #[test]
    fn sums_are_exact() {
        let orders: Vec<Row> = (0..1_000).map(|id| order(id, "0.09", "0.01", "0.10")).collect();
        let tally = tally(&orders);
        assert_eq!(
            (tally.total.to_string().as_str(), tally.written, tally.amounts_off),
            ("100.00", 1_000, 0)
        );
        assert_eq!(tally.ids, 499_500);
    }

    #[test]
    fn arithmetic_that_does_not_hold_is_counted() {
        let tally = tally(&[
            order(1, "1.80", "0.35", "2.15"),
            order(2, "1.80", "0.35", "2.16"),
            order(3, "x", "0.35", ""),
        ]);
        assert_eq!((tally.amounts_off, tally.without_total, tally.written), (1, 1, 3));
        assert_eq!(tally.total.to_string(), "4.31");
    }

    #[test]
    fn a_digest_does_not_depend_on_the_order_and_two_parts_make_a_whole() {
        let orders = [order(1, "1", "1", "2"), order(2, "1", "1", "2"), order(3, "1", "1", "3")];
        let turned: Vec<Row> = orders.iter().rev().cloned().collect();
        assert_eq!(tally(&orders).digest, tally(&turned).digest);
        assert_ne!(tally(&orders).digest, tally(&orders[1..]).digest);
        assert_eq!(tally(&orders[..1]).and(&tally(&orders[1..])), tally(&orders));
    }
}
