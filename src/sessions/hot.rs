//! The hot copy: what spares most requests a query.
//!
//! Key (R106): `session:` and the lower-case hexadecimal SHA-256 of `<userId>:<deviceUUID>:<salt>`, both
//! ids as bare hyphenated UUIDs. With the device's prefix `auth:` that is the seed's `auth:session:<hash>`.
//! Value: a tag, a dot, and JSON. The tag covers the key, so a value neither can be made up nor moved to
//! another user's key by who can write to the device.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::LiveSession;
use crate::base::{DeviceId, Digest32, MacKey, Millis, SessionId, UserId};

/// Shortest salt, bytes (R106).
const MIN_SALT: usize = 32;

/// A salt that is too short to hide what it salts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the salt of session keys has at least {MIN_SALT} bytes")]
pub struct SaltError;

/// The salt of session keys (`REDIS_KEY_SALT`). Without it nobody can tell whose session a key is (R108).
#[derive(Debug, Clone)]
pub struct KeySalt(SecretString);

impl KeySalt {
    /// The salt made of this text.
    ///
    /// Errors: [`SaltError`] when it has under 32 bytes.
    pub fn new(text: SecretString) -> Result<Self, SaltError> {
        if text.expose_secret().len() < MIN_SALT { Err(SaltError) } else { Ok(Self(text)) }
    }
}

/// The key of a session's hot copy.
#[must_use]
pub fn session_key(user: UserId, device: DeviceId, salt: &KeySalt) -> String {
    let raw = format!("{}:{}:{}", user.as_uuid(), device.as_uuid(), salt.0.expose_secret());
    format!("session:{}", Digest32::of(zeroize::Zeroizing::new(raw).as_bytes()))
}

/// What the copy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HotSession {
    pub(super) sid: SessionId,
    pub(super) version: i64,
    pub(super) epoch: i64,
    pub(super) rotated_at_ms: Millis,
    pub(super) idle_expires_at_ms: Millis,
    pub(super) abs_expires_at_ms: Millis,
}

impl HotSession {
    /// The copy of a session that is live.
    pub(super) fn of(session: &LiveSession) -> Self {
        Self {
            sid: session.id,
            version: session.version,
            epoch: session.epoch,
            rotated_at_ms: session.rotated_at,
            idle_expires_at_ms: session.idle_expires_at,
            abs_expires_at_ms: session.abs_expires_at,
        }
    }

    /// How long the copy is worth keeping from `now` on.
    pub(super) fn ttl(&self, now: Millis) -> Duration {
        self.idle_expires_at_ms.min(self.abs_expires_at_ms).since(now)
    }

    /// Whether it is past its time at `now`.
    pub(super) fn is_over(&self, now: Millis) -> bool {
        self.ttl(now).is_zero()
    }

    /// The bytes to put under `key`.
    pub(super) fn encode(&self, key: &str, mac: &MacKey) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = BASE64_URL_SAFE_NO_PAD.encode(mac.tag(&[key.as_bytes(), &json])).into_bytes();
        bytes.push(b'.');
        bytes.extend(json);
        bytes
    }

    /// Reads the bytes found under `key`, if their tag is ours.
    pub(super) fn decode(key: &str, bytes: &[u8], mac: &MacKey) -> Option<Self> {
        let (tag, json) = bytes.split_at_checked(43)?;
        let json = json.strip_prefix(b".")?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok().filter(|tag| tag.len() == 32)?;
        if !mac.verify(&[key.as_bytes(), json], &tag) {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn r106_the_key_is_byte_exact() {
        let user: UserId = "usr_018f4d2e7c3a7b1e9a550c1d2e3f4a5b".parse().unwrap();
        let device: DeviceId = "dev_018f4d2e7c3a7b1e9a550c1d2e3f4a5c".parse().unwrap();
        let salt = KeySalt::new("0123456789abcdef0123456789abcdef".into()).unwrap();
        // printf '%s' '018f4d2e-7c3a-7b1e-9a55-0c1d2e3f4a5b:018f4d2e-7c3a-7b1e-9a55-0c1d2e3f4a5c:0123456789abcdef0123456789abcdef' | sha256sum
        assert_eq!(
            session_key(user, device, &salt),
            "session:275c7911da9629d8c25d82e30a85df0f39c99554979294aed5fa8c60b594a0a6"
        );
        let other = KeySalt::new("0123456789abcdef0123456789abcdeg".into()).unwrap();
        assert_ne!(session_key(user, device, &salt), session_key(user, device, &other));
        assert_eq!(KeySalt::new("0123456789abcdef0123456789abcde".into()).unwrap_err(), SaltError);
    }

    #[test]
    fn a_copy_that_is_not_ours_says_nothing() {
        let mac = MacKey::new([1; 32]);
        let copy = HotSession {
            sid: SessionId::new(Millis(1), &SeededEntropy::new(1)).unwrap(),
            version: 1,
            epoch: 0,
            rotated_at_ms: Millis(1),
            idle_expires_at_ms: Millis(2),
            abs_expires_at_ms: Millis(3),
        };
        let bytes = copy.encode("session:a", &mac);
        assert_eq!(HotSession::decode("session:a", &bytes, &mac), Some(copy));
        assert_eq!(HotSession::decode("session:b", &bytes, &mac), None, "moved to another key");
        assert_eq!(HotSession::decode("session:a", &bytes, &MacKey::new([2; 32])), None);
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert_eq!(HotSession::decode("session:a", &forged, &mac), None);
            assert_eq!(HotSession::decode("session:a", &bytes[..at], &mac), None);
        }
    }
}
