//! What an access token says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    base::{DeviceId, Millis, PlainToken, SessionId, TenantId, UserId},
    config::TokensConfig,
    jws::Audience,
};

/// `client_id` of tokens that were issued to no other client.
pub const CLIENT: &str = "bailiwick";

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
        }
    }
}

/// Whom and what an access token is issued for.
#[derive(Debug, Clone)]
pub struct AccessSubject {
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
    /// The client it was issued to; [`CLIENT`] for our own.
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
}
