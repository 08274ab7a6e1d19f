//! What can go wrong in a database, by what the caller can do about it.

use sqlx::error::ErrorKind;

/// What a failed statement means, alike on both databases.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Fault {
    /// One row was wanted and there is none.
    NoRow,
    /// A unique key exists already.
    Unique,
    /// A referenced row is missing, or a row is still referenced.
    ForeignKey,
    /// A column must have a value.
    NotNull,
    /// A check constraint does not hold.
    Check,
    /// Nothing is wrong; the whole transaction must run again.
    Retry,
    /// No connection came free in time: overload, or a `begin` inside a `begin`.
    Busy,
    /// The database cannot be reached, or failed.
    Other,
}

/// A failed database call. Its text is for the log, never for a caller.
#[derive(Debug, thiserror::Error)]
#[error("the database failed")]
pub struct StorageError(#[source] sqlx::Error);

impl StorageError {
    /// What the failure means.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match &self.0 {
            sqlx::Error::RowNotFound => Fault::NoRow,
            sqlx::Error::PoolTimedOut => Fault::Busy,
            sqlx::Error::Database(inner) => match (inner.kind(), inner.code().as_deref()) {
                (ErrorKind::UniqueViolation, _) => Fault::Unique,
                (ErrorKind::ForeignKeyViolation, _) => Fault::ForeignKey,
                (ErrorKind::NotNullViolation, _) => Fault::NotNull,
                (ErrorKind::CheckViolation, _) => Fault::Check,
                // Postgres: serialization failure, deadlock. SQLite: BUSY and LOCKED with their details.
                (_, Some("40001" | "40P01" | "5" | "261" | "517" | "773" | "6" | "262")) => Fault::Retry,
                _ => Fault::Other,
            },
            _ => Fault::Other,
        }
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}
