//! Deletes events, by age, by size, or of one order.

use sqlx::Row;

use super::Store;

impl Store {
    /// Deletes events from the beginning of the log, and returns how many: up to the first that came after `cutoff`
    /// (microseconds since 1970), and as far as the bodies of the rest take more than `bytes`.
    ///
    /// It stops at what a named reader has not passed, and does nothing while there is none, unless `unread`.
    ///
    /// # Errors
    /// When the store does not take it; then everything is still there.
    pub(crate) async fn prune(
        &self,
        cutoff: Option<i64>,
        bytes: Option<i64>,
        unread: bool,
    ) -> sqlx::Result<u64> {
        let mut connection = self.fresh().await?;
        let mut transaction = self.numbering(&mut connection).await?;
        let row = sqlx::query(
            "SELECT head, (SELECT min(seq) FROM events WHERE last_received >= $1), \
             (SELECT min(passed) FROM readers), \
             (SELECT max(seq) FROM (SELECT seq, sum(length(body)) OVER (ORDER BY seq DESC) AS kept FROM events) \
             AS sizes WHERE kept > $2) FROM log WHERE id = 1",
        )
        .bind(cutoff.unwrap_or(i64::MIN))
        .bind(bytes.unwrap_or(i64::MAX))
        .fetch_one(&mut *transaction)
        .await?;
        let (head, younger): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        let passed = row.try_get::<Option<i64>, _>(2)?.unwrap_or(0);
        let too_much = row.try_get::<Option<i64>, _>(3)?.unwrap_or(0);
        let mut through = younger.map_or(head, |seq| seq - 1).max(too_much);
        if !unread {
            through = through.min(passed);
        }
        let deleted = sqlx::query("DELETE FROM events WHERE seq <= $1")
            .bind(through)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        sqlx::query("UPDATE log SET pruned = $1 WHERE id = 1 AND pruned < $1")
            .bind(through)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(deleted)
    }

    /// Erases all events of an order, read or not, and returns how many.
    ///
    /// Of each its SHA-256 stays, so that a reader that was there can continue.
    ///
    /// # Errors
    /// When the store does not take it; then everything is still there.
    pub(crate) async fn erase(&self, order: &str) -> sqlx::Result<u64> {
        let mut connection = self.fresh().await?;
        let mut transaction = self.numbering(&mut connection).await?;
        sqlx::query(
            "INSERT INTO erased (identity, seq) SELECT identity, seq FROM events WHERE order_id = $1 \
             ON CONFLICT (identity) DO UPDATE SET seq = excluded.seq",
        )
        .bind(order)
        .execute(&mut *transaction)
        .await?;
        let deleted = sqlx::query("DELETE FROM events WHERE order_id = $1")
            .bind(order)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        transaction.commit().await?;
        Ok(deleted)
    }
}
