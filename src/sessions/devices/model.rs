//! A device, as it is kept and changed.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::base::{DeviceId, Millis};

/// What a user signs in from.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// What its user calls it.
    pub name: Option<String>,
    /// What it runs on, as it said.
    pub platform: Option<String>,
    /// A JWK, as it said.
    pub public_key: Option<String>,
    /// Since when its user trusts it.
    pub trusted_at_ms: Option<Millis>,
    /// When it was first used.
    pub created_at_ms: Millis,
    /// When it was last used, to the minute.
    pub last_seen_at_ms: Millis,
    /// Live sessions on it.
    pub sessions: i64,
}

/// What a user changes of a device. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct DeviceChange {
    /// Another name; an inner `None` takes it away.
    pub name: Option<DeviceName>,
    /// Whether it is trusted.
    pub is_trusted: Option<bool>,
}

/// A name to give, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceName(pub Option<String>);

/// The public half of a device's key: an Ed25519 (RFC 8037) or P-256 (RFC 7518 §6.2) JWK, in its shortest form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(String);

/// A text that is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the JWK of an Ed25519 or P-256 public key")]
pub struct PublicKeyError;

/// The members that such a key has. A private part (`d`) is refused with everything else that is unknown.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    crv: String,
    kty: String,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl PublicKey {
    /// The JWK as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let jwk: Jwk = serde_json::from_str(text).map_err(|_| PublicKeyError)?;
        let is_number = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32);
        let fits = match (&*jwk.kty, &*jwk.crv, &jwk.y) {
            ("OKP", "Ed25519", None) => is_number(&jwk.x),
            ("EC", "P-256", Some(y)) => is_number(&jwk.x) && is_number(y),
            _ => false,
        };
        if !fits {
            return Err(PublicKeyError);
        }
        serde_json::to_string(&jwk).map(Self).map_err(|_| PublicKeyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_keys_of_the_two_kinds_are_kept() {
        let x = BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
        let okp = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        let ec = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}"}}"#);
        for good in [&okp, &ec] {
            let key: PublicKey = good.parse().unwrap();
            assert_eq!(key.as_str().parse::<PublicKey>().unwrap(), key);
        }
        let private = okp.replace('}', &format!(r#","d":"{x}"}}"#));
        let short = okp.replace(&x, "AAAA");
        for bad in
            [&private, &short, &ec.replace("P-256", "P-384"), &okp.replace("OKP", "oct"), "null", "{}", ""]
        {
            assert_eq!(bad.parse::<PublicKey>(), Err(PublicKeyError), "{bad}");
        }
    }
}
