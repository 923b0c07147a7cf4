//! Where events are kept: SQLite or PostgreSQL, with the same statements.

use anyhow::{Context, Result};
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, SqlStr, Transaction};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

pub(crate) mod append;
pub(crate) mod prune;
pub(crate) mod read;

/// The lock that serialises the numbering among replicas; any number that no other user of the database takes.
const NUMBERING: i64 = 0x61_6966_6931;

/// A connection that has rested for so long is tried before it is written on.
const REST: Duration = Duration::from_secs(1);

/// Which engine holds the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// One file, one process that writes.
    Sqlite,
    /// A server, several replicas.
    Postgres,
}

/// The store, open.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    engine: Engine,
    pool: AnyPool,
    /// The connection that groups are written on. It is out of the pool while it writes, and comes back only after
    /// a commit: after a failure SQLite may keep the transaction open, and the next one on it would not be durable.
    writing: Arc<Mutex<Option<Writing>>>,
}

/// A connection that groups are written on.
#[derive(Debug)]
struct Writing {
    connection: AnyConnection,
    /// When the last group was committed.
    since: Instant,
}

impl Store {
    /// Opens the store and brings its tables up to date.
    ///
    /// # Errors
    /// When the URL is of neither engine, or the store cannot be reached or migrated.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (engine, url) = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            (Engine::Postgres, url.to_owned())
        } else if let Some(path) = url.strip_prefix("sqlite://") {
            (Engine::Sqlite, format!("sqlite://{path}?mode=rwc"))
        } else {
            anyhow::bail!("The store must be a sqlite:// or a postgres:// URL.");
        };
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(3))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let statements: &[&'static str] = match engine {
                        Engine::Sqlite => &[
                            "PRAGMA busy_timeout = 5000",
                            "PRAGMA journal_mode = WAL",
                            "PRAGMA synchronous = FULL",
                            // In pages of 4 KiB: a busy group writes hundreds, and each checkpoint flushes twice more.
                            "PRAGMA wal_autocheckpoint = 8000",
                            // What is erased is overwritten, too.
                            "PRAGMA secure_delete = ON",
                        ],
                        // A stronger setting of the server stays; a weaker one would break the promise of a 2xx.
                        // A replica that hangs with the lock in hand must not stop the others.
                        Engine::Postgres => &[
                            "SELECT set_config('synchronous_commit', 'on', false) \
                             WHERE current_setting('synchronous_commit') IN ('off', 'local')",
                            "SET idle_in_transaction_session_timeout = '10s'",
                            "SET statement_timeout = '30s'",
                        ],
                    };
                    for statement in statements {
                        connection.execute(*statement).await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await
            .context("The store cannot be opened.")?;
        migrations(engine)
            .run(&pool)
            .await
            .context("The tables of the store cannot be brought up to date.")?;
        Ok(Self { engine, pool, writing: Arc::default() })
    }

    /// Begins a transaction that alone gives numbers until it has ended.
    ///
    /// PostgreSQL lets go of the lock only once the commit can be seen, so whoever sees a number sees every lower
    /// one. It also keeps two replicas that write the same events from waiting for each other. SQLite has one
    /// writer, and waits here for its turn.
    async fn numbering<'c>(&self, connection: &'c mut AnyConnection) -> sqlx::Result<Transaction<'c, Any>> {
        // One text, so one way to the server and back.
        let begin = match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE".to_owned(),
            Engine::Postgres => format!("BEGIN; SELECT pg_advisory_xact_lock({NUMBERING})"),
        };
        connection.begin_with(AssertSqlSafe(begin)).await
    }

    /// A connection to write on that no failure before has touched.
    async fn fresh(&self) -> sqlx::Result<AnyConnection> {
        Ok(self.pool.acquire().await?.detach())
    }

    /// Whether the store answers.
    pub(crate) async fn answers(&self) -> bool {
        let ping = sqlx::query("SELECT head FROM log WHERE id = 1").fetch_one(&self.pool);
        matches!(tokio::time::timeout(Duration::from_secs(2), ping).await, Ok(Ok(_)))
    }

    /// Closes the store after what is under way.
    pub(crate) async fn close(&self) {
        if let Some(writing) = self.writing.lock().await.take() {
            let _ = writing.connection.close().await;
        }
        self.pool.close().await;
    }
}

/// The changes of the tables since the first version, in order. A published one is never edited: stores remember its digest.
fn migrations(engine: Engine) -> Migrator {
    let changes = match engine {
        Engine::Sqlite => [
            ("log", include_str!("../migrations/sqlite/1_log.sql")),
            ("answer millis", include_str!("../migrations/sqlite/2_answer_millis.sql")),
        ],
        Engine::Postgres => [
            ("log", include_str!("../migrations/postgres/1_log.sql")),
            ("answer millis", include_str!("../migrations/postgres/2_answer_millis.sql")),
        ],
    };
    let migrations = (1..).zip(changes).map(|(version, (description, sql))| {
        Migration::new(version, description.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    Migrator { migrations: migrations.collect(), ..Migrator::DEFAULT }
}

/// The time as the store keeps it: microseconds since 1970.
pub(crate) fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_run() {
        for (engine, folder) in [(Engine::Sqlite, "sqlite"), (Engine::Postgres, "postgres")] {
            let run = migrations(engine).migrations;
            let folder = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(&folder).unwrap().count();
            assert_eq!(run.len(), files, "{folder}");
            for migration in run.iter() {
                let name = migration.description.replace(' ', "_");
                let file = format!("{folder}/{}_{name}.sql", migration.version);
                let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert_eq!(migration.sql.as_str(), text, "{file}");
            }
        }
    }
}
