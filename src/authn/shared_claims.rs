//! What another node verified a moment ago: the second level under [`callers`](super::callers) (R33, R34, R109).
//!
//! Key: `claims:` and the lower-case hexadecimal SHA-256 of the token; with the device's prefix that is
//! `auth:claims:<sha256>`. Value: a tag, a dot, and JSON. It ends after five minutes, or with the token or its session.
//!
//! It spares a node a signature and a look-up for tokens that others verified: so it is used only where
//! [`Kv`] is shared. In the memory of one process it would say what the first level says.
//!
//! - SECURITY: the tag covers the key, so a value that somebody else wrote or moved says nothing (threat T35).
//! - SECURITY: what is read here counts as a verification of this node does, and not for longer: the news of ended
//!   sessions are asked about it, the key that signed the token must still be one of ours, and while the bus is down it
//!   is not read at all.
//! - A token is nowhere in it; its claims are, as they are in the token.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    base::{Digest32, MacKey, Millis},
    kv::Kv,
    tokens::AccessClaims,
};

/// Characters of a tag.
const TAG: usize = 43;

/// A verification.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shared {
    pub(super) claims: AccessClaims,
    /// The key that signed the token.
    pub(super) kid: String,
    /// When it was made.
    pub(super) at_ms: Millis,
    /// Until when it counts.
    pub(super) until_ms: Millis,
}

/// The verifications of all nodes.
#[derive(Debug)]
pub(super) struct SharedClaims {
    kv: Kv,
    mac: MacKey,
}

impl SharedClaims {
    pub(super) fn new(kv: Kv, mac: MacKey) -> Self {
        Self { kv, mac }
    }

    /// Whether there is anybody to share with.
    pub(super) fn is_used(&self) -> bool {
        self.kv.is_shared()
    }

    /// What was verified of a token. When the device is away nothing was.
    pub(super) async fn get(&self, token: &Digest32, now: Millis) -> Option<Shared> {
        let key = key_of(token);
        let bytes = self.kv.get(&key).await.ok()??;
        let shared = self.decode(&key, &bytes)?;
        // A clock that jumped back behind the verification does not make it count for longer.
        (shared.at_ms <= now && now < shared.until_ms).then_some(shared)
    }

    /// Tells the other nodes. When that fails they verify for themselves: no error.
    pub(super) async fn put(&self, token: &Digest32, shared: &Shared, now: Millis) {
        let (key, ttl) = (key_of(token), shared.until_ms.since(now));
        if !ttl.is_zero()
            && let Err(error) = self.kv.put(&key, &self.encode(&key, shared), ttl).await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "a verification was not shared");
        }
    }

    /// Forgets a token.
    pub(super) async fn forget(&self, token: &Digest32) {
        if let Err(error) = self.kv.delete(&key_of(token)).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a verification was not forgotten");
        }
    }

    fn encode(&self, key: &str, shared: &Shared) -> Vec<u8> {
        let json = serde_json::to_vec(shared).unwrap_or_default();
        let tag = BASE64_URL_SAFE_NO_PAD.encode(self.mac.tag(&[key.as_bytes(), &json]));
        [tag.as_bytes(), b".", &json].concat()
    }

    fn decode(&self, key: &str, bytes: &[u8]) -> Option<Shared> {
        let (tag, json) = bytes.split_at_checked(TAG)?;
        let json = json.strip_prefix(b".")?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok().filter(|tag| tag.len() == 32)?;
        if !self.mac.verify(&[key.as_bytes(), json], &tag) {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}

fn key_of(token: &Digest32) -> String {
    format!("claims:{token}")
}
