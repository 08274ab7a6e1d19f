//! Write transactions, and running one again when the database asks.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use sqlx::{Postgres, Sqlite, Transaction};

use super::{Fault, Result, StorageError};

/// How often a transaction is tried before its conflict is reported. With the pauses below that is some
/// four seconds of conflict after conflict: more means overload.
const MAX_TRIES: u32 = 20;
/// The longest pause between two tries is drawn from 2 to this power milliseconds.
const MAX_PAUSE_POWER: u32 = 9;

/// A transaction. Dropped without [`Tx::commit`] it leaves nothing behind.
#[derive(Debug)]
pub enum Tx {
    /// On the embedded database.
    Sqlite(Transaction<'static, Sqlite>),
    /// On a server.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Makes all of it last.
    ///
    /// Errors: on Postgres the conflict that makes a retry necessary may show only here.
    pub async fn commit(self) -> Result<()> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await?,
            Tx::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes all of it.
    ///
    /// Errors: the connection is gone; the database undoes it then by itself.
    pub async fn rollback(self) -> Result<()> {
        match self {
            Tx::Sqlite(tx) => tx.rollback().await?,
            Tx::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}

/// An error type that may hold a database failure, so that [`write_tx!`](crate::write_tx) can see a conflict in it.
pub trait Retryable: From<StorageError> {
    /// The database failure in this error, if it is one.
    fn storage(&self) -> Option<&StorageError>;
}

impl Retryable for StorageError {
    fn storage(&self) -> Option<&StorageError> {
        Some(self)
    }
}

/// Runs a block in a write transaction: committed when it answers `Ok`, undone when `Err`, run again
/// from its start when the database finds a conflict with another transaction.
///
/// ```text
/// write_tx!(db, "sessions.revoke", |tx| -> Result<bool, SessionError> { … })
/// ```
///
/// A macro because its block may borrow what it likes while the future stays `Send`. The block may
/// run more than once: nothing in it may have an effect outside `tx`. The name labels the span.
#[macro_export]
macro_rules! write_tx {
    ($db:expr, $name:literal, |$tx:ident| -> $result:ty $body:block) => {{
        let span = ::tracing::debug_span!("write_tx", name = $name);
        let attempts = async {
            let mut attempt = 0_u32;
            loop {
                let done: $result = match $db.begin_write().await {
                    Ok(mut tx) => {
                        let done: $result = async {
                            let $tx = &mut tx;
                            $body
                        }
                        .await;
                        $crate::storage::end(tx, done).await
                    }
                    Err(error) => Err(error.into()),
                };
                match $crate::storage::again(&done, &mut attempt) {
                    Some(pause) => ::tokio::time::sleep(pause).await,
                    None => break done,
                }
            }
        };
        ::tracing::Instrument::instrument(attempts, span).await
    }};
}

#[doc(hidden)]
pub async fn end<T, E: Retryable>(tx: Tx, done: Result<T, E>) -> Result<T, E> {
    match done {
        Ok(value) => Ok(tx.commit().await.map(|()| value)?),
        Err(error) => {
            let _ = tx.rollback().await; // the first error is the one that matters
            Err(error)
        }
    }
}

#[doc(hidden)]
pub fn again<T, E: Retryable>(done: &Result<T, E>, attempt: &mut u32) -> Option<Duration> {
    let error = done.as_ref().err()?.storage()?;
    *attempt += 1;
    let window = 1_u64 << (*attempt + 1).min(MAX_PAUSE_POWER);
    let pause = RandomState::new().hash_one(()) % window; // at random: competitors must not meet again
    (error.fault() == Fault::Retry && *attempt < MAX_TRIES).then(|| Duration::from_millis(pause + 1))
}
