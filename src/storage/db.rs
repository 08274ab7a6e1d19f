//! The two databases and how each is opened.

use std::{path::PathBuf, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Connection, Database, Pool, Postgres, Sqlite,
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{Result, Sql, Tx};

/// How long a call waits for a free connection before it is [`Fault::Busy`](super::Fault::Busy).
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is trusted before it is pinged: a restarted server drops them all.
const TRUST_IDLE: Duration = Duration::from_secs(1);
/// How long a connection may take to show that it lives, where it is asked.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How long a statement may run on Postgres before the server ends it.
const STATEMENT_TIMEOUT: &str = "15s";

/// An embedded database in one file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file; made when missing.
    pub path: PathBuf,
    /// Connections that read.
    pub readers: u32,
}

/// A database server.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?options`.
    pub url: SecretString,
    /// Connections at most.
    pub connections: u32,
}

/// A database, open. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// One writer and several readers on one file (WAL).
    Sqlite {
        /// Read-only connections.
        read: Pool<Sqlite>,
        /// The one connection that writes.
        write: Pool<Sqlite>,
    },
    /// A pool of connections to a server.
    Postgres(Pool<Postgres>),
}

fn pool<D: Database>(size: u32) -> PoolOptions<D> {
    PoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false) // a round trip each time; the hook asks only the long idle
        .before_acquire(|connection: &mut D::Connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUST_IDLE { show_life(connection).await } else { Ok(true) }
            })
        })
}

/// Asks a connection to answer in time. A network that drops packets tells nobody that it does: without
/// a limit the wait is TCP's, many minutes, and the connection's place in the pool is lost meanwhile.
///
/// Without TLS the place is free at once then; sqlx 0.9 ends a TLS connection by waiting for the other
/// side's farewell, so there TCP's time still rules.
async fn show_life<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(SIGN_OF_LIFE, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

impl Db {
    /// Opens the file, making it when missing. Every commit reaches the disk before it is
    /// acknowledged (`synchronous = FULL`): a revocation must not be lost with the power.
    ///
    /// Errors: the file cannot be opened or is not a database.
    pub async fn sqlite(options: &SqliteOptions) -> Result<Self> {
        let base = SqliteConnectOptions::new()
            .filename(&options.path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(ACQUIRE_TIMEOUT)
            .foreign_keys(true)
            .pragma("case_sensitive_like", "ON") // LIKE as Postgres means it
            .pragma("trusted_schema", "OFF");
        // The writer first: it makes the file and turns on WAL, readers only join.
        let writer = base.clone().create_if_missing(true).optimize_on_close(true, None);
        let write = pool(1).idle_timeout(None).max_lifetime(None).connect_with(writer).await?;
        let read = pool(options.readers).connect_with(base.read_only(true)).await?;
        Ok(Self::Sqlite { read, write })
    }

    /// Connects to the server.
    ///
    /// Errors: the URL is not one, or the server cannot be reached.
    pub async fn postgres(options: &PostgresOptions) -> Result<Self> {
        let connect = PgConnectOptions::from_str(options.url.expose_secret())?
            .application_name("bailiwick")
            .options([("statement_timeout", STATEMENT_TIMEOUT)]);
        // sqlx asks a connection that comes back as well, but waits for ever; this is asked first.
        let pool = pool(options.connections).after_release(|connection, _| Box::pin(show_life(connection)));
        Ok(Self::Postgres(pool.connect_with(connect).await?))
    }

    /// The name of the database kind: `sqlite` or `postgres`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Begins a write transaction, serializable on both databases. SQLite holds its one write lock
    /// from here on; Postgres may ask for another try at any statement and at commit, so use
    /// [`write_tx!`](crate::write_tx).
    ///
    /// Errors: no connection, or the write lock stayed taken.
    pub async fn begin_write(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => {
                Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await?)
            }
        })
    }

    /// Begins a read transaction: all its reads see one moment.
    ///
    /// Errors: no connection.
    pub async fn begin_read(&self) -> Result<Tx> {
        let repeatable = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(match self {
            Self::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with(repeatable).await?),
        })
    }

    /// A read that stands alone. On SQLite it runs on a read-only connection.
    pub fn sql(&self, text: &'static str) -> Sql<'_> {
        match self {
            Self::Sqlite { read, .. } => Sql::on_sqlite_pool(text, read),
            Self::Postgres(pool) => Sql::on_postgres_pool(text, pool),
        }
    }

    /// Closes every connection. Readers first: the last one to go folds the log into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}
