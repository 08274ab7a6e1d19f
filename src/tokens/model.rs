//! What an access token says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Act, store::KeyRow};
use crate::{
    base::{DeviceId, Millis, PlainToken, SessionId, TenantId, UserId},
    config::TokensConfig,
    jws::{Algorithm, Audience},
};

/// `client_id` of tokens that were issued to no other client.
pub const CLIENT: &str = "bailiwick";

/// How long verifiers may keep the public keys (RFC 9111 §5.2.2.1).
pub const JWKS_MAX_AGE: Duration = Duration::from_mins(5);

/// What is the same in all tokens.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// `iss`: exact, no trailing slash.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Life of an access token.
    pub access_ttl: Duration,
    /// Clock difference that is forgiven.
    pub leeway: Duration,
    /// What keys that are made from now on sign with.
    pub signing_alg: Algorithm,
    /// How long a key signs before the next one takes its place.
    pub key_life: Duration,
}

impl TokenSettings {
    /// The settings that `config` gives; `public_url` is the issuer unless it names one.
    #[must_use]
    pub fn new(config: &TokensConfig, public_url: &str) -> Self {
        let issuer = config.issuer.as_deref().unwrap_or(public_url).trim_end_matches('/').to_owned();
        Self {
            audience: config.audience.clone().unwrap_or_else(|| issuer.clone()),
            issuer,
            access_ttl: Duration::from_secs(config.access_ttl_secs),
            leeway: Duration::from_secs(config.leeway_secs),
            signing_alg: config.signing_alg,
            key_life: Duration::from_hours(24).saturating_mul(config.key_life_days),
        }
    }
}

/// Whom and what an access token is issued for.
#[derive(Debug, Clone)]
pub struct AccessSubject {
    /// `client_id`, where the token is not for our own client.
    pub client_id: Option<String>,
    /// `tid`.
    pub tenant_id: TenantId,
    /// `sub`.
    pub user_id: UserId,
    /// `sid`.
    pub session_id: SessionId,
    /// `did`.
    pub device_id: DeviceId,
    /// `ver`: how often the session was rotated.
    pub version: i64,
    /// `ep`: the user's epoch that the session was opened in.
    pub epoch: i64,
    /// When the user proved who they are.
    pub auth_time: Millis,
    /// `amr`: how, as the words of RFC 8176.
    pub amr: Vec<String>,
    /// Names of the roles granted to the user; left out of the token when over 20.
    pub roles: Vec<String>,
    /// `scope`: words separated by spaces, or empty.
    pub scope: String,
    /// `origin`: the one web origin whose pages may use the token.
    pub origin: Option<String>,
}

/// A token that was just issued.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token itself.
    pub token: PlainToken,
    /// When it ends.
    pub expires_at: Millis,
    /// What it says.
    pub claims: AccessClaims,
}

/// The claims of an access token (RFC 9068 §2.2 and ours). Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: Audience,
    /// The user.
    pub sub: UserId,
    /// The client it was issued to; [`CLIENT`] for our own, a tenant as a client where its own server asked for it.
    pub client_id: String,
    /// The user's tenant.
    pub tid: TenantId,
    /// The session.
    pub sid: SessionId,
    /// The device of the session.
    pub did: DeviceId,
    /// The token's own id.
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// When it begins.
    pub nbf: i64,
    /// When it ends.
    pub exp: i64,
    /// When the user proved who they are.
    pub auth_time: i64,
    /// How, as the words of RFC 8176.
    pub amr: Vec<String>,
    /// How strongly: `aal1` for one factor, `aal2` for two (NIST SP 800-63B).
    pub acr: String,
    /// How often the session had been rotated.
    pub ver: i64,
    /// The user's epoch.
    pub ep: i64,
    /// Words separated by spaces, or empty.
    pub scope: String,
    /// Names of roles; absent when there are over 20. A hint: decisions ask the role store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Who acts for the user, where the token was exchanged (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// The one web origin whose pages may use the token, where there is one (R103).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// What a signing key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that verifiers know it before it signs.
    Pending,
    /// Signs and verifies.
    Active,
    /// Verifies what it signed, until the last of that has ended.
    Retiring,
    /// Of no use any more.
    Retired,
}

impl KeyState {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }
}

/// A stored word that is no state.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not a state of a key")]
pub struct KeyStateError(String);

impl TryFrom<String> for KeyState {
    type Error = KeyStateError;

    fn try_from(word: String) -> Result<Self, KeyStateError> {
        [Self::Pending, Self::Active, Self::Retiring, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(KeyStateError(word))
    }
}

/// A signing key, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SigningKey {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// `EdDSA` or `ES256`.
    pub alg: String,
    /// What it is good for.
    #[sqlx(try_from = "String")]
    pub state: KeyState,
    /// When it was made, and published.
    pub created_at_ms: Millis,
    /// When it was to begin to sign, unless it is the first key.
    pub not_before_ms: Option<Millis>,
    /// Since when it signs, or signed.
    pub activated_at_ms: Option<Millis>,
    /// When the last token that it signed has ended.
    pub retire_after_ms: Option<Millis>,
    /// When it was dropped before its time.
    pub revoked_at_ms: Option<Millis>,
}

impl From<KeyRow> for SigningKey {
    fn from(row: KeyRow) -> Self {
        Self {
            kid: row.kid,
            alg: row.alg,
            state: row.state,
            created_at_ms: row.created_at_ms,
            not_before_ms: row.not_before_ms,
            activated_at_ms: row.activated_at_ms,
            retire_after_ms: row.retire_after_ms,
            revoked_at_ms: None,
        }
    }
}

/// What sealing keys anew came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewrapped {
    /// Keys that are sealed by the present master key now.
    pub resealed: usize,
    /// Keys that were already.
    pub kept: usize,
}
