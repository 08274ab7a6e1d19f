//! Where the two databases differ: queues, which several nodes claim from.

use super::{Db, Sql};

impl Db {
    /// One writing statement in a transaction of its own. On Postgres it is read committed: it takes what is there
    /// now, and conflicts with nobody. For queues, whose claims hold by the locks on their rows; what must agree
    /// with something else it read belongs into [`write_tx!`](crate::write_tx).
    pub fn lone_write(&self, text: &'static str) -> Sql<'_> {
        match self {
            Self::Sqlite { write, .. } => Sql::on_sqlite_pool(text, write),
            Self::Postgres(pool) => Sql::on_postgres_pool(text, pool),
        }
    }

    /// What ends a `SELECT` that claims rows: rows that another node is claiming are passed over. Where there is
    /// only one writer nobody else is.
    #[must_use]
    pub fn skip_locked(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "",
            Self::Postgres(_) => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// The beginning of a statement: a common table expression `turn` of one row. Who reads it in a [`Db::lone_write`] waits until no other node is
    /// in a statement that does. Where there is only one writer nobody else is.
    #[must_use]
    pub fn turn(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "WITH turn AS (SELECT 1 AS mine)",
            // The number is this program's own choice, and the lock is of this one database.
            Self::Postgres(_) => {
                "WITH turn AS MATERIALIZED (SELECT 1 AS mine, pg_advisory_xact_lock(2810512608))"
            }
        }
    }
}
