//! Configuration: one file per section, each a struct with its defaults, units and checks.
//!
//! Only `app`, `cli` and `worker` see [`Config`] whole; a service is given its own section.

mod http;
mod identity;
mod log;
mod policy;
mod secrets;
mod storage;

pub use http::{DocsConfig, ServerConfig};
pub use identity::{PasswordsConfig, RegistrationConfig, SessionsConfig, TokensConfig};
pub use log::{LogConfig, LogFormat};
pub use policy::PolicyConfig;
pub use secrets::SecretsConfig;
pub use storage::{BusKind, RedisConfig, StorageConfig};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the embedded database and generated keys live.
    pub data: DataConfig,
    /// Listeners, limits, proxies.
    pub server: ServerConfig,
    /// The page at `/docs`.
    pub docs: DocsConfig,
    /// The database.
    pub storage: StorageConfig,
    /// Shared short-lived state and messages between nodes.
    pub redis: RedisConfig,
    /// Policy stores.
    pub policy: PolicyConfig,
    /// Access tokens.
    pub tokens: TokensConfig,
    /// Sessions and refresh.
    pub sessions: SessionsConfig,
    /// Password hashing and rules.
    pub passwords: PasswordsConfig,
    /// Sign-up.
    pub registration: RegistrationConfig,
    /// Root secrets; generated into the data folder when absent.
    pub secrets: SecretsConfig,
    /// Log output.
    pub log: LogConfig,
}

/// The data folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Folder for the embedded database and generated keys; made with mode 0700 when missing.
    pub dir: PathBuf,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { dir: PathBuf::from("bailiwick-data") }
    }
}
