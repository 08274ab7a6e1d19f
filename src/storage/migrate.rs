//! Migrations: embedded, forward only, the same names for both databases.

use sqlx::migrate::{Migrate, Migrator};

use super::Db;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[error("the database schema could not be migrated")]
pub struct MigrateError(#[source] sqlx::migrate::MigrateError);

/// Migrations that this program has and the database lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending(pub usize);

impl Db {
    /// Brings the schema up to date. Safe to call from several nodes at once.
    ///
    /// Errors: [`MigrateError`]: a migration failed, or an applied one is not the one we know.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        match self {
            Db::Sqlite { write, .. } => SQLITE.run(write).await,
            Db::Postgres(pool) => POSTGRES.run(pool).await,
        }
        .map_err(MigrateError)
    }

    /// Counts what [`Db::migrate`] would apply.
    ///
    /// Errors: [`MigrateError`]: the database cannot be asked.
    pub async fn pending_migrations(&self) -> Result<Pending, MigrateError> {
        let (known, applied) = match self {
            Db::Sqlite { write, .. } => (&SQLITE, applied(&SQLITE, write).await?),
            Db::Postgres(pool) => (&POSTGRES, applied(&POSTGRES, pool).await?),
        };
        Ok(Pending(known.iter().filter(|migration| !applied.contains(&migration.version)).count()))
    }
}

async fn applied<D: sqlx::Database>(
    migrator: &Migrator,
    pool: &sqlx::Pool<D>,
) -> Result<Vec<i64>, MigrateError>
where
    D::Connection: Migrate,
{
    let mut connection = pool.acquire().await.map_err(|error| MigrateError(error.into()))?;
    connection.ensure_migrations_table(&migrator.table_name).await.map_err(MigrateError)?;
    let applied = connection.list_applied_migrations(&migrator.table_name).await.map_err(MigrateError)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}
