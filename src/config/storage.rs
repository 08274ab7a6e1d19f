//! `[storage]` and `[redis]`.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::secrets::masked;

/// The database: SQLite in the data folder, or Postgres when a URL is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// `postgres://…`; absent: the embedded database `bailiwick.db` in the data folder.
    #[serde(serialize_with = "masked")]
    pub postgres_url: Option<SecretString>,
    /// Connections to Postgres, or readers of the embedded database.
    pub connections: u32,
    /// Whether `serve` brings the schema up to date by itself.
    pub auto_migrate: bool,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { postgres_url: None, connections: 8, auto_migrate: true }
    }
}

/// How nodes hear of each other's changes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusKind {
    /// Within this process only.
    Local,
    /// Redis pub/sub.
    Redis,
    /// Postgres LISTEN and NOTIFY.
    Postgres,
}

/// Shared short-lived state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://…` or `rediss://…`; absent: short-lived state is kept in this process.
    #[serde(serialize_with = "masked")]
    pub url: Option<SecretString>,
    /// What every key and channel begins with.
    pub prefix: String,
    /// Time to connect and time of one operation, milliseconds.
    pub timeout_ms: u64,
    /// How changes are announced. Default: Redis when it is set, else Postgres when it is the database, else local.
    pub bus: Option<BusKind>,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self { url: None, prefix: "auth:".to_owned(), timeout_ms: 50, bus: None }
    }
}
