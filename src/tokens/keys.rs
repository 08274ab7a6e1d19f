//! Signing keys: made, sealed, opened and held in memory.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, KeyAlgorithm, OctetKeyPairParameters,
    OctetKeyPairType, PublicKeyUse, ThumbprintHash,
};
use zeroize::Zeroizing;

use super::{TokenError, store::KeyRow};
use crate::{
    base::{Digest32, Entropy, SealingKey},
    jws::{ALGORITHM, VerifyingKey},
};

/// A key in memory, parsed.
pub(super) struct Key {
    pub(super) kid: String,
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl Key {
    /// The 64-byte signature of `message`.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// What verifies its signatures.
    pub(super) fn public(&self) -> &VerifyingKey {
        &self.public
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The public keys as served at `/.well-known/jwks.json` (RFC 7517 §5).
#[derive(Debug, Clone)]
pub struct JwkSet {
    /// The document.
    pub json: Arc<str>,
    /// Its entity tag, quoted (RFC 9110 §8.8.3).
    pub etag: Arc<str>,
}

/// All keys of one moment.
#[derive(Debug)]
pub(super) struct Ring {
    active: Option<Arc<Key>>,
    keys: HashMap<String, Arc<Key>>,
    jwks: JwkSet,
}

impl Ring {
    /// Opens stored keys. The first `active` one signs.
    ///
    /// Errors: `KeyUnusable` when one of them does not open.
    pub(super) fn open(rows: &[KeyRow], sealing: &SealingKey) -> Result<Self, TokenError> {
        let mut ring = Self { active: None, keys: HashMap::new(), jwks: document(rows) };
        for row in rows.iter().filter(|row| row.alg == ALGORITHM) {
            let unusable = || TokenError::KeyUnusable { kid: row.kid.clone() };
            let key = Arc::new(open(row, sealing).ok_or_else(unusable)?);
            if row.state == "active" && ring.active.is_none() {
                ring.active = Some(Arc::clone(&key));
            }
            ring.keys.insert(row.kid.clone(), key);
        }
        Ok(ring)
    }

    /// The key that signs.
    pub(super) fn active(&self) -> Option<&Key> {
        self.active.as_deref()
    }

    /// The key of this exact id.
    pub(super) fn get(&self, kid: &str) -> Option<&Key> {
        self.keys.get(kid).map(Arc::as_ref)
    }

    /// The public keys.
    pub(super) fn jwks(&self) -> &JwkSet {
        &self.jwks
    }
}

/// A new key, ready to store.
///
/// Errors: [`TokenError::Entropy`] when there is no randomness.
pub(super) fn generate(sealing: &SealingKey, entropy: &dyn Entropy) -> Result<KeyRow, TokenError> {
    let seed = Zeroizing::new(entropy.bytes::<32>()?);
    let unusable = || TokenError::KeyUnusable { kid: "new".to_owned() };
    let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| unusable())?;
    let jwk = public_jwk(BASE64_URL_SAFE_NO_PAD.encode(pair.public_key())).ok_or_else(unusable)?;
    let kid = jwk.common.key_id.clone().ok_or_else(unusable)?;
    Ok(KeyRow {
        private_sealed: sealing.seal(&place(&kid), &*seed, entropy)?,
        public_jwk: serde_json::to_string(&jwk).map_err(|_| unusable())?,
        alg: ALGORITHM.to_owned(),
        state: "active".to_owned(),
        kid,
    })
}

/// The public Ed25519 key whose base64url form is `x` as JWK (RFC 8037 §2), named by its thumbprint (RFC 7638).
fn public_jwk(x: String) -> Option<Jwk> {
    let common = CommonParameters {
        public_key_use: Some(PublicKeyUse::Signature),
        key_algorithm: Some(KeyAlgorithm::EdDSA),
        ..CommonParameters::default()
    };
    let key =
        OctetKeyPairParameters { key_type: OctetKeyPairType::OctetKeyPair, curve: EllipticCurve::Ed25519, x };
    let mut jwk = Jwk { common, algorithm: AlgorithmParameters::OctetKeyPair(key) };
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).ok()?);
    Some(jwk)
}

/// What the sealed private part of key `kid` is bound to.
fn place(kid: &str) -> String {
    format!("signing_keys:private_sealed:{kid}")
}

/// Opens one stored key, if its parts belong together.
fn open(row: &KeyRow, sealing: &SealingKey) -> Option<Key> {
    let jwk: Jwk = serde_json::from_str(&row.public_jwk).ok()?;
    let AlgorithmParameters::OctetKeyPair(key) = &jwk.algorithm else { return None };
    let x = BASE64_URL_SAFE_NO_PAD.decode(&key.x).ok().filter(|x| x.len() == 32)?;
    let seed = Zeroizing::new(sealing.open(&place(&row.kid), &row.private_sealed).ok()?);
    let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &x).ok()?;
    let public = VerifyingKey::from_base64url(&key.x)?;
    let named = jwk.thumbprint(ThumbprintHash::SHA256).is_ok_and(|thumbprint| thumbprint == row.kid);
    named.then(|| Key { kid: row.kid.clone(), pair, public })
}

fn document(rows: &[KeyRow]) -> JwkSet {
    let mut keys: Vec<Jwk> = rows
        .iter()
        .filter(|row| row.alg == ALGORITHM)
        .filter_map(|row| serde_json::from_str(&row.public_jwk).ok())
        .collect();
    keys.sort_by(|left, right| left.common.key_id.cmp(&right.common.key_id));
    let json = serde_json::json!({ "keys": keys }).to_string();
    let etag = format!("\"{:.16}\"", Digest32::of(&json).to_string());
    JwkSet { json: json.into(), etag: etag.into() }
}
