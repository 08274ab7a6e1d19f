//! `[storage]` and `[redis]`.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Problems, secrets::masked, section::section};

section! {
    /// The database: SQLite in the data folder, or Postgres when a URL is given.
    struct StorageConfig in "storage" {
        /// `postgres://…`; absent: the embedded database `bailiwick.db` in the data folder.
        #[serde(serialize_with = "masked")]
        postgres_url: Option<SecretString> = None,
        /// Connections to Postgres, or readers of the embedded database.
        connections: u32 = 8,
        /// Whether `serve` brings the schema up to date by itself.
        auto_migrate: bool = true,
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

section! {
    /// Shared short-lived state and messages between nodes.
    struct RedisConfig in "redis" {
        /// `redis://…` or `rediss://…`; absent: short-lived state is kept in this process.
        #[serde(serialize_with = "masked")]
        url: Option<SecretString> = None,
        /// What every key and channel begins with.
        prefix: String = "auth:".to_owned(),
        /// Time to connect and time of one operation, milliseconds.
        timeout_ms: u64 = 50,
        /// How changes are announced: `local`, `redis` or `postgres`. Default: Redis when it is set, else
        /// Postgres when it is the database, else local.
        bus: Option<BusKind> = None,
    }
}

impl StorageConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        let schemes = ["postgres://", "postgresql://"];
        check_scheme(found, "storage.postgres_url", self.postgres_url.as_ref(), schemes);
        found.within("storage.connections", u64::from(self.connections), 1..=1000);
    }
}

impl RedisConfig {
    pub(super) fn check(&self, found: &mut Problems, storage: &StorageConfig) {
        check_scheme(found, "redis.url", self.url.as_ref(), ["redis://", "rediss://"]);
        if self.prefix.is_empty()
            || self.prefix.len() > 64
            || !self.prefix.bytes().all(|b| b.is_ascii_graphic())
        {
            found.add("redis.prefix", "wants 1 to 64 printable ASCII characters without spaces");
        }
        found.within("redis.timeout_ms", self.timeout_ms, 1..=60_000);
        match self.bus {
            Some(BusKind::Redis) if self.url.is_none() => {
                found.add("redis.bus", "`redis` wants `redis.url`");
            }
            Some(BusKind::Postgres) if storage.postgres_url.is_none() => {
                found.add("redis.bus", "`postgres` wants `storage.postgres_url`");
            }
            _ => {}
        }
    }

    pub(super) fn weaknesses(&self, found: &mut Problems, storage: &StorageConfig) {
        if self.bus == Some(BusKind::Local) && storage.postgres_url.is_some() {
            found.add(
                "redis.bus",
                "`local` reaches no other node: they hear of changes at the next poll only",
            );
        }
    }
}

/// The URL itself is never part of the message: it may hold a password.
fn check_scheme(found: &mut Problems, key: &'static str, url: Option<&SecretString>, schemes: [&str; 2]) {
    let Some(url) = url else { return };
    let rest = schemes.iter().find_map(|scheme| url.expose_secret().strip_prefix(scheme));
    if rest.is_none_or(|rest| rest.trim().is_empty()) {
        found.add(key, format!("wants a URL that begins with `{}` or `{}`", schemes[0], schemes[1]));
    }
}
