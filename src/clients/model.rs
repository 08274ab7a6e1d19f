//! A client, as it is made and kept.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    base::{ClientId, Millis, PlainToken, TenantId},
    jws::VerifyingKey,
    roles::RoleName,
};

/// Longest name of a client, characters.
const MAX_NAME: usize = 100;
/// Longest scope, bytes.
const MAX_SCOPE: usize = 64;
/// Longest audience, bytes.
const MAX_AUDIENCE: usize = 256;
/// Most keys of a client.
const MAX_KEYS: usize = 10;

/// A text that cannot be what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WordError(&'static str);

/// What people call a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName(String);

impl ClientName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let fits = (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let wrong = WordError("must have 1 to 100 characters, none of them a control character");
        fits.then(|| Self(text.to_owned())).ok_or(wrong)
    }
}

/// A word that may stand in a scope (RFC 6749 §3.3).
///
/// Errors: [`WordError`].
pub fn scope_word(text: &str) -> Result<String, WordError> {
    let plain = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let fits = (1..=MAX_SCOPE).contains(&text.len()) && text.bytes().all(plain);
    fits.then(|| text.to_owned())
        .ok_or(WordError("must have 1 to 64 printable characters without spaces, quotes and backslashes"))
}

/// A name of whom a token is for.
///
/// Errors: [`WordError`].
pub fn audience(text: &str) -> Result<String, WordError> {
    let fits = (1..=MAX_AUDIENCE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned()).ok_or(WordError("must have 1 to 256 printable characters without spaces"))
}

/// The public keys of a client (RFC 7517 §5), as they are kept.
///
/// Errors: [`WordError`]: a key that cannot be used, or one that should not have been shown.
pub fn jwks(set: &Value) -> Result<String, WordError> {
    let keys = set["keys"].as_array().ok_or(WordError("must have `keys`"))?;
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(WordError("must have 1 to 10 keys"));
    }
    let mut names = std::collections::BTreeSet::new();
    for key in keys {
        if key.get("d").is_some() {
            return Err(WordError("holds a private key, which is not secret any more: make another one"));
        }
        let (kid, _) = VerifyingKey::from_jwk(key)
            .ok_or(WordError("each key must be an Ed25519 or P-256 key for signatures, with a `kid`"))?;
        if !names.insert(kid) {
            return Err(WordError("two keys have one `kid`"));
        }
    }
    Ok(set.to_string())
}

/// How a client proves who it is (RFC 7591 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A secret in the `Authorization` header (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// An assertion signed by a key of the client's (RFC 7523).
    PrivateKeyJwt,
}

impl AuthMethod {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// What a client may get tokens by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// For itself (RFC 6749 §4.4).
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// For the holder of a refresh token (RFC 6749 §6).
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// For the holder of an access token, narrowed (RFC 8693).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

impl Grant {
    /// Every grant.
    pub const ALL: [Self; 3] = [Self::ClientCredentials, Self::RefreshToken, Self::TokenExchange];

    /// Its name as `grant_type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// The grant of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name)
    }
}

/// Whether a client may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientStatus {
    /// It may.
    Active,
    /// An administrator keeps it out.
    Disabled,
}

impl ClientStatus {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// What a client is made from.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// What people call it.
    pub name: ClientName,
    /// Its public keys, if it proves itself by them; else it gets a secret.
    pub jwks: Option<String>,
    /// What it may get tokens by.
    pub grants: Vec<Grant>,
    /// The scopes that it may ask for.
    pub scopes: Vec<String>,
    /// Whom its tokens may be for, besides us.
    pub audiences: Vec<String>,
    /// Its roles.
    pub roles: Vec<RoleName>,
}

/// What of a client is to change; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ClientChange {
    /// What people call it.
    pub name: Option<ClientName>,
    /// Its public keys, for a client that has some.
    pub jwks: Option<String>,
    /// What it may get tokens by.
    pub grants: Option<Vec<Grant>>,
    /// The scopes that it may ask for.
    pub scopes: Option<Vec<String>>,
    /// Whom its tokens may be for, besides us.
    pub audiences: Option<Vec<String>>,
    /// Its roles.
    pub roles: Option<Vec<RoleName>>,
    /// Whether it may do anything.
    pub status: Option<ClientStatus>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id: `client_id`.
    pub id: ClientId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What people call it.
    pub name: String,
    /// How it proves who it is.
    pub auth_method: AuthMethod,
    /// Its public keys as JSON, if it proves itself by them.
    pub jwks: Option<String>,
    /// What it may get tokens by.
    pub grants: Vec<Grant>,
    /// The scopes that it may ask for.
    pub scopes: Vec<String>,
    /// Whom its tokens may be for, besides us.
    pub audiences: Vec<String>,
    /// Its roles.
    pub roles: Vec<String>,
    /// Whether it may do anything.
    pub status: ClientStatus,
    /// How often everything issued to it was withdrawn.
    pub epoch: i64,
    /// Until when the secret before the present one is good too.
    pub previous_until: Option<Millis>,
    /// Who made it: a user id or a fixed word.
    pub created_by: String,
    /// When it was made.
    pub created_at: Millis,
}

/// A client that was just made, with the only copy of its secret if it has one.
#[derive(Debug, Clone)]
pub struct Made {
    /// The client.
    pub client: Client,
    /// Its secret.
    pub secret: Option<PlainToken>,
}
