//! Two databases behind one SQL text: SQLite (embedded, the default) and Postgres.
//!
//! Knows no table. A statement is written once with `$1…$n`, bound, and run on whichever database
//! the [`Db`] is. Domain `store.rs` files hold the statements and take `&mut dyn Run`, so the same
//! function reads outside a transaction (`&mut &db`) and inside one (`&mut tx`).
//!
//! # The portable subset
//! - Types: ids and text `TEXT` (`COLLATE "C"` on Postgres), numbers `i64` (`INTEGER` / `BIGINT`),
//!   times [`Millis`](crate::base::Millis) in columns `*_at_ms`, bytes `Vec<u8>` (`BLOB` / `BYTEA`),
//!   `bool` (`INTEGER CHECK (x IN (0, 1))` / `BOOLEAN`). JSON is kept as `TEXT` and never queried inside.
//! - `INSERT … ON CONFLICT (cols) DO …` and `RETURNING` are common ground. No `SELECT *`, `ILIKE`,
//!   arrays, `now()`, `FOR UPDATE`, `= ANY`; sums and counts are cast (`CAST(SUM(x) AS BIGINT)`).
//! - Optional filters: `(CAST($2 AS TEXT) IS NULL OR kind = $2)`.
//! - A unique violation says *that*, never *which*: design one possible conflict per statement.
//! - INVARIANT: write transactions are serializable on both and may run more than once, so the block
//!   of [`write_tx!`](crate::write_tx) has no effect outside the database.

mod db;
mod dialect;
mod error;
mod migrate;
mod sql;
mod tx;

pub use db::{Db, PostgresOptions, SqliteOptions};
pub use error::{Fault, StorageError};
pub use migrate::{MigrateError, Pending};
pub use sql::{Bind, Cell, Row, Run, Sql};
pub use tx::{Retryable, Tx};

#[doc(hidden)]
pub use tx::{again, end};

/// What a storage call answers.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;
