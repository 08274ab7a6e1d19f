//! Configuration: one file per section, each a struct with its defaults, units and checks.
//!
//! Layers, each over the one before: the defaults, `bailiwick.toml`, the environment
//! (`BAILIWICK__SECTION__KEY`; a secret also as `…_FILE`, which names a file that holds it). An empty
//! variable is as good as none. A name that is not a setting is refused in the file and in the
//! environment alike, and every problem is reported at once, with the line or variable it comes from.
//!
//! Only `app`, `cli` and `worker` see [`Config`] whole; a service is given its own section. Sections are
//! declared by one macro, so the struct, its defaults, `config print-default` and README's table are
//! one text.

mod data;
mod environment;
mod file;
mod http;
mod identity;
mod keyring;
mod limits;
mod load;
mod log;
mod mail;
mod origin;
mod policy;
mod problem;
mod reference;
mod root;
mod secrets;
mod section;
mod storage;
#[cfg(test)]
mod tests;

pub use data::DataConfig;
pub use http::{DocsConfig, ServerConfig};
pub use identity::{
    ApiKeysConfig, FingerprintPolicy, MOST_ARGON2_MEMORY_KIB, MOST_ARGON2_PASSES, PasswordsConfig,
    RegistrationConfig, SessionsConfig, TenantsConfig, TokensConfig,
};
pub use keyring::{KeyringError, RootSecrets, make_data_folder};
pub use limits::LimitsConfig;
pub use load::{Loaded, load};
pub use log::{LogConfig, LogFormat};
pub use mail::{MailConfig, MailTls};
pub use policy::PolicyConfig;
pub use problem::{ConfigError, Origin, Problem};
pub use reference::{Reference, default_toml, markdown_table, reference};
pub use root::Config;
pub use secrets::SecretsConfig;
pub use section::{Key, Kind, Section};
pub use storage::{BusKind, RedisConfig, StorageConfig};

use problem::Problems;
