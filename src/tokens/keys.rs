//! Signing keys: made, sealed, opened and held in memory.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType,
    Jwk, KeyAlgorithm, OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse, ThumbprintHash,
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{KeyState, TokenError, store::KeyRow};
use crate::{
    base::{Digest32, Entropy, EntropyError, Millis, SealingKey},
    jws::{Algorithm, VerifyingKey},
};

/// How often a scalar is drawn before that is given up; one in four billion does not fit.
const SCALAR_TRIES: usize = 4;

/// A key in memory, parsed.
pub(super) struct Key {
    pub(super) kid: String,
    pair: Pair,
    public: VerifyingKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Key {
    /// The 64-byte signature of `message`.
    ///
    /// Errors: [`EntropyError`] when ECDSA gets no randomness.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, EntropyError> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| EntropyError)?;
                Ok(signature.as_ref().to_vec())
            }
        }
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
    /// What it was made of, to see whether anything changed.
    rows: Vec<(String, KeyState)>,
}

impl Ring {
    /// Opens stored keys. The first `active` one signs. One that does not open is left out and named:
    /// who can write to the table but has no master key must not add a key that verifies.
    pub(super) fn open(rows: &[KeyRow], sealing: &SealingKey) -> (Self, Vec<String>) {
        let (mut active, mut keys, mut unusable) = (None, HashMap::new(), Vec::new());
        for row in rows {
            let Some(key) = open(row, sealing).map(Arc::new) else {
                unusable.push(row.kid.clone());
                continue;
            };
            if row.state == KeyState::Active && active.is_none() {
                active = Some(Arc::clone(&key));
            }
            keys.insert(row.kid.clone(), key);
        }
        let jwks = document(rows.iter().filter(|row| keys.contains_key(&row.kid)));
        (Self { active, keys, jwks, rows: seen(rows) }, unusable)
    }

    /// Whether it is of these rows.
    pub(super) fn is_of(&self, rows: &[KeyRow]) -> bool {
        self.rows == seen(rows)
    }

    /// Whether every key of it is also in `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.keys.keys().all(|kid| other.keys.contains_key(kid))
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

fn seen(rows: &[KeyRow]) -> Vec<(String, KeyState)> {
    rows.iter().map(|row| (row.kid.clone(), row.state)).collect()
}

/// A new key in `state`, ready to store.
///
/// Errors: [`TokenError::Entropy`] when there is no randomness.
pub(super) fn generate(
    algorithm: Algorithm,
    state: KeyState,
    now: Millis,
    sealing: &SealingKey,
    entropy: &dyn Entropy,
) -> Result<KeyRow, TokenError> {
    let unusable = || TokenError::KeyUnusable { kid: "new".to_owned() };
    let (private, parameters) = match algorithm {
        Algorithm::EdDsa => ed25519(entropy)?,
        Algorithm::Es256 => p256(entropy)?,
    };
    let jwk = public_jwk(algorithm, parameters).ok_or_else(unusable)?;
    let kid = jwk.common.key_id.clone().ok_or_else(unusable)?;
    Ok(KeyRow {
        private_sealed: sealing.seal(&place(&kid), &*private, entropy)?,
        public_jwk: serde_json::to_string(&jwk).map_err(|_| unusable())?,
        alg: algorithm.name().to_owned(),
        kid,
        state,
        created_at_ms: now,
        not_before_ms: None,
        activated_at_ms: (state == KeyState::Active).then_some(now),
        retire_after_ms: None,
    })
}

type Made = (Zeroizing<[u8; 32]>, AlgorithmParameters);

fn ed25519(entropy: &dyn Entropy) -> Result<Made, EntropyError> {
    let seed = Zeroizing::new(entropy.bytes::<32>()?);
    let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| EntropyError)?;
    let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
    let parameters =
        OctetKeyPairParameters { key_type: OctetKeyPairType::OctetKeyPair, curve: EllipticCurve::Ed25519, x };
    Ok((seed, AlgorithmParameters::OctetKeyPair(parameters)))
}

fn p256(entropy: &dyn Entropy) -> Result<Made, EntropyError> {
    for _ in 0..SCALAR_TRIES {
        let scalar = Zeroizing::new(entropy.bytes::<32>()?);
        let Ok(private) = PrivateKey::from_private_key(&ECDH_P256, &*scalar) else { continue };
        let point = private.compute_public_key().map_err(|_| EntropyError)?;
        let (_, coordinates) = point.as_ref().split_at_checked(1).ok_or(EntropyError)?;
        let (x, y) = coordinates.split_at_checked(32).ok_or(EntropyError)?;
        let parameters = EllipticCurveKeyParameters {
            key_type: EllipticCurveKeyType::EC,
            curve: EllipticCurve::P256,
            x: BASE64_URL_SAFE_NO_PAD.encode(x),
            y: BASE64_URL_SAFE_NO_PAD.encode(y),
        };
        return Ok((scalar, AlgorithmParameters::EllipticCurve(parameters)));
    }
    Err(EntropyError)
}

/// A public key as JWK (RFC 7517 §4), named by its thumbprint (RFC 7638).
fn public_jwk(algorithm: Algorithm, parameters: AlgorithmParameters) -> Option<Jwk> {
    let common = CommonParameters {
        public_key_use: Some(PublicKeyUse::Signature),
        key_algorithm: Some(match algorithm {
            Algorithm::EdDsa => KeyAlgorithm::EdDSA,
            Algorithm::Es256 => KeyAlgorithm::ES256,
        }),
        ..CommonParameters::default()
    };
    let mut jwk = Jwk { common, algorithm: parameters };
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).ok()?);
    Some(jwk)
}

/// What the sealed private part of key `kid` is bound to.
pub(super) fn place(kid: &str) -> String {
    format!("signing_keys:private_sealed:{kid}")
}

/// Whether a stored key can be used.
pub(super) fn opens(row: &KeyRow, sealing: &SealingKey) -> bool {
    open(row, sealing).is_some()
}

/// Opens one stored key, if its parts belong together.
fn open(row: &KeyRow, sealing: &SealingKey) -> Option<Key> {
    let value: Value = serde_json::from_str(&row.public_jwk).ok()?;
    let (kid, public) = VerifyingKey::from_jwk(&value)?;
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let named = jwk.thumbprint(ThumbprintHash::SHA256).is_ok_and(|thumbprint| thumbprint == row.kid);
    if !named || kid != row.kid || public.algorithm().name() != row.alg {
        return None;
    }
    let private = Zeroizing::new(sealing.open(&place(&kid), &row.private_sealed).ok()?);
    let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let pair = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) => {
            Pair::Ed25519(Ed25519KeyPair::from_seed_and_public_key(&private, &bytes(&key.x)?).ok()?)
        }
        AlgorithmParameters::EllipticCurve(key) => {
            let point = [&[4][..], &bytes(&key.x)?, &bytes(&key.y)?].concat();
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            Pair::P256(EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, &point).ok()?)
        }
        _ => return None,
    };
    Some(Key { kid, pair, public })
}

fn document<'r>(rows: impl Iterator<Item = &'r KeyRow>) -> JwkSet {
    let mut keys: Vec<Jwk> = rows.filter_map(|row| serde_json::from_str(&row.public_jwk).ok()).collect();
    keys.sort_by(|left, right| left.common.key_id.cmp(&right.common.key_id));
    let json = serde_json::json!({ "keys": keys }).to_string();
    let etag = format!("\"{:.16}\"", Digest32::of(&json).to_string());
    JwkSet { json: json.into(), etag: etag.into() }
}
