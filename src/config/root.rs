//! The whole configuration, and what follows from it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    ApiKeysConfig, BusKind, ConfigError, DataConfig, DocsConfig, LimitsConfig, LogConfig, MailConfig,
    PasswordsConfig, PolicyConfig, Problem, Problems, RedisConfig, RegistrationConfig, SecretsConfig,
    Section, ServerConfig, SessionsConfig, StorageConfig, TenantsConfig, TokensConfig,
};

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
    /// Tenants.
    pub tenants: TenantsConfig,
    /// API keys.
    pub api_keys: ApiKeysConfig,
    /// How often strangers may try.
    pub limits: LimitsConfig,
    /// Mail to users.
    pub mail: MailConfig,
    /// Root secrets; generated into the data folder when absent.
    pub secrets: SecretsConfig,
    /// Log output.
    pub log: LogConfig,
}

impl Config {
    /// Every section, in the order of the struct.
    pub const SECTIONS: &'static [Section] = &[
        DataConfig::SECTION,
        ServerConfig::SECTION,
        DocsConfig::SECTION,
        StorageConfig::SECTION,
        RedisConfig::SECTION,
        PolicyConfig::SECTION,
        TokensConfig::SECTION,
        SessionsConfig::SECTION,
        PasswordsConfig::SECTION,
        RegistrationConfig::SECTION,
        TenantsConfig::SECTION,
        ApiKeysConfig::SECTION,
        LimitsConfig::SECTION,
        MailConfig::SECTION,
        SecretsConfig::SECTION,
        LogConfig::SECTION,
    ];

    /// Whether every value makes sense, alone and beside the others.
    ///
    /// Errors: [`ConfigError`] with all that does not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let found = self.problems();
        if found.is_empty() { Ok(()) } else { Err(ConfigError(found.located(&BTreeMap::new()))) }
    }

    /// What may be used but should not be in production.
    pub fn warnings(&self) -> Vec<Problem> {
        self.weaknesses().located(&BTreeMap::new())
    }

    pub(super) fn problems(&self) -> Problems {
        let mut found = Problems::default();
        self.data.check(&mut found);
        self.server.check(&mut found);
        self.storage.check(&mut found);
        self.redis.check(&mut found, &self.storage);
        self.policy.check(&mut found);
        self.tokens.check(&mut found);
        self.sessions.check(&mut found);
        self.passwords.check(&mut found);
        self.registration.check(&mut found);
        self.tenants.check(&mut found);
        self.api_keys.check(&mut found);
        self.limits.check(&mut found);
        self.mail.check(&mut found);
        self.secrets.check(&mut found);
        self.log.check(&mut found);
        found
    }

    pub(super) fn weaknesses(&self) -> Problems {
        let mut found = Problems::default();
        self.server.weaknesses(&mut found);
        self.redis.weaknesses(&mut found, &self.storage);
        if self.policy.watch && self.storage.postgres_url.is_some() {
            let text = "each node publishes what its own folder holds, into a database that others share";
            found.add("policy.watch", text);
        }
        self.tokens.weaknesses(&mut found);
        self.sessions.weaknesses(&mut found);
        self.passwords.weaknesses(&mut found);
        self.registration.weaknesses(&mut found);
        self.limits.weaknesses(&mut found);
        self.mail.weaknesses(&mut found);
        self.secrets.weaknesses(&mut found);
        found
    }

    /// How callers reach the public listener, without a trailing slash.
    pub fn public_url(&self) -> String {
        let address = self.server.public_addr;
        self.server.public_url.clone().unwrap_or_else(|| {
            if address.ip().is_unspecified() {
                format!("http://localhost:{}", address.port())
            } else {
                format!("http://{address}")
            }
        })
    }

    /// `iss` of every token.
    pub fn issuer(&self) -> String {
        self.tokens.issuer.clone().unwrap_or_else(|| self.public_url())
    }

    /// `aud` of access tokens.
    pub fn audience(&self) -> String {
        self.tokens.audience.clone().unwrap_or_else(|| self.issuer())
    }

    /// How nodes hear of each other's changes.
    pub fn bus_kind(&self) -> BusKind {
        self.redis.bus.unwrap_or({
            if self.redis.url.is_some() {
                BusKind::Redis
            } else if self.storage.postgres_url.is_some() {
                BusKind::Postgres
            } else {
                BusKind::Local
            }
        })
    }

    /// The file of the embedded database; of no meaning when Postgres is the database.
    pub fn database_path(&self) -> PathBuf {
        self.data.dir.join("bailiwick.db")
    }

    /// Password hashes computed at once.
    pub fn password_workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.passwords.workers.unwrap_or_else(cores)
    }
}
