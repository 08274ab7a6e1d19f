//! `[tokens]`, `[sessions]`, `[passwords]` and `[registration]`.

use serde::{Deserialize, Serialize};

/// Access tokens (RFC 9068).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokensConfig {
    /// `iss` of every token; no trailing slash, never changed. Default: `server.public_url`.
    pub issuer: Option<String>,
    /// `aud` of access tokens. Default: the issuer.
    pub audience: Option<String>,
    /// Life of an access token, seconds.
    pub access_ttl_secs: u64,
    /// Clock difference that is forgiven, seconds.
    pub leeway_secs: u64,
}

impl Default for TokensConfig {
    fn default() -> Self {
        Self { issuer: None, audience: None, access_ttl_secs: 900, leeway_secs: 5 }
    }
}

/// Sessions and refresh tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// Life of an unused session, seconds; each refresh begins it anew.
    pub idle_ttl_secs: u64,
    /// Life of a session however much it is used, seconds.
    pub absolute_ttl_secs: u64,
    /// How long a refresh token that was just used gives the same successor again, seconds (0 to 600).
    pub refresh_grace_secs: u64,
    /// How often a node pulls revocations that the bus may have lost, seconds.
    pub revocation_poll_secs: u64,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            idle_ttl_secs: 604_800,
            absolute_ttl_secs: 2_592_000,
            refresh_grace_secs: 30,
            revocation_poll_secs: 5,
        }
    }
}

/// Password hashing (argon2id, RFC 9106) and rules (NIST SP 800-63B-4).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordsConfig {
    /// Memory of one hash, KiB.
    pub argon2_memory_kib: u32,
    /// Passes over the memory.
    pub argon2_passes: u32,
    /// Hashes computed at once. Default: one a core.
    pub workers: Option<usize>,
    /// Hashes that may wait for each worker before callers are told to come back.
    pub queue_per_worker: usize,
    /// Shortest password, code points.
    pub min_length: usize,
    /// Longest password, code points (512 bytes at most in any case).
    pub max_length: usize,
}

impl Default for PasswordsConfig {
    fn default() -> Self {
        Self {
            argon2_memory_kib: 19_456,
            argon2_passes: 2,
            workers: None,
            queue_per_worker: 8,
            min_length: 15,
            max_length: 128,
        }
    }
}

/// Sign-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationConfig {
    /// Whether strangers may sign up.
    pub enabled: bool,
    /// Whether sign-up says that an address is taken (409) and names the new user (201). When not, the
    /// answer is the same 202 for a new and a known address (R12, C20).
    pub reveal_duplicates: bool,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self { enabled: true, reveal_duplicates: false }
    }
}
