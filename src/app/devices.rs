//! Opening the devices that the configuration names: the database, short-lived state, the bus.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    base::{Clock, Entropy},
    bus::{self, Bus},
    config::{BusKind, Config},
    kv::{self, Kv},
    storage::{Db, Pending, PostgresOptions, SqliteOptions},
};

/// Memory that short-lived state may take when there is no Redis, bytes.
const MEMORY_KV_BYTES: usize = 64 * 1024 * 1024;

/// Opens the configured database and brings its schema up to date, or refuses when it may not.
///
/// Errors: it cannot be opened, or it lacks migrations and `storage.auto_migrate` is off.
pub async fn open_database(config: &Config) -> Result<Db> {
    let db = connect(config).await?;
    if config.storage.auto_migrate {
        db.migrate().await?;
    } else {
        let Pending(count) = db.pending_migrations().await?;
        if count > 0 {
            bail!("the database lacks {count} migrations; run `bailiwick migrate`");
        }
    }
    Ok(db)
}

/// Opens the configured database as it is.
///
/// Errors: it cannot be opened.
pub async fn connect(config: &Config) -> Result<Db> {
    let connections = config.storage.connections;
    if let Some(url) = &config.storage.postgres_url {
        return Db::postgres(&PostgresOptions { url: url.clone(), connections })
            .await
            .context("the Postgres of `storage.postgres_url` cannot be reached");
    }
    let path = config.database_path();
    let options = SqliteOptions { path: path.clone(), readers: connections };
    Db::sqlite(&options).await.with_context(|| format!("the database `{}` cannot be opened", path.display()))
}

pub(super) async fn open_kv(config: &Config, clock: &Arc<dyn Clock>) -> Result<Kv> {
    let Some(url) = &config.redis.url else { return Ok(Kv::memory(clock.clone(), MEMORY_KV_BYTES)) };
    let timeout = Duration::from_millis(config.redis.timeout_ms);
    let options = kv::RedisOptions { url: url.clone(), prefix: config.redis.prefix.clone(), timeout };
    Kv::redis(&options, clock.clone()).await.context("the Redis of `redis.url` cannot be used")
}

pub(super) fn open_bus(
    config: &Config,
    db: &Db,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Bus> {
    match (config.bus_kind(), &config.redis.url, db) {
        (BusKind::Local, _, _) => Ok(Bus::local()),
        (BusKind::Redis, Some(url), _) => {
            let timeout = Duration::from_millis(config.redis.timeout_ms);
            let options =
                bus::RedisOptions { url: url.clone(), prefix: config.redis.prefix.clone(), timeout };
            Ok(Bus::redis(&options, clock.clone(), entropy.clone())?)
        }
        (BusKind::Postgres, _, Db::Postgres(pool)) => {
            Ok(Bus::postgres(pool.clone(), clock.clone(), entropy.clone()))
        }
        (BusKind::Redis, None, _) => bail!("`redis.bus` is `redis` and `redis.url` is not set"),
        (BusKind::Postgres, _, Db::Sqlite { .. }) => {
            bail!("`redis.bus` is `postgres` and the database is not Postgres")
        }
    }
}
