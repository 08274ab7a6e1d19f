//! Public keys, and the algorithm that each of them has.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037 §3.1).
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    #[serde(rename = "ES256")]
    Es256,
}

impl Algorithm {
    /// Every algorithm that is accepted.
    pub const ALL: [Self; 2] = [Self::EdDsa, Self::Es256];

    /// Its name as `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// The algorithm of this exact name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// A public key, parsed once.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// The members of a JWK that matter here; any of them may be missing in a key that is not for us.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
}

impl VerifyingKey {
    /// The name and key of a JWK; `None` when it has no name, or is of another type, curve, algorithm or use.
    ///
    /// Source: RFC 7517 §4, RFC 7518 §6.2, RFC 8037 §2.
    #[must_use]
    pub fn from_jwk(jwk: &Value) -> Option<(String, Self)> {
        let jwk = Jwk::deserialize(jwk).ok()?;
        let algorithm = match (jwk.kty.as_str(), jwk.crv.as_deref()?) {
            ("OKP", "Ed25519") => Algorithm::EdDsa,
            ("EC", "P-256") => Algorithm::Es256,
            _ => return None,
        };
        let fits = jwk.alg.is_none_or(|alg| alg == algorithm.name());
        if !fits || jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let x = jwk.x?;
        let key = match algorithm {
            Algorithm::EdDsa => Self::ed25519(&x),
            Algorithm::Es256 => Self::p256(&x, &jwk.y?),
        };
        Some((jwk.kid?, key?))
    }

    /// The Ed25519 key whose base64url form is `x` (RFC 8037 §2); `None` when it is not one.
    #[must_use]
    pub fn ed25519(x: &str) -> Option<Self> {
        Self::parse(Algorithm::EdDsa, &ED25519, &member(x)?)
    }

    /// The P-256 key with these base64url coordinates (RFC 7518 §6.2.1); `None` when they are no point.
    #[must_use]
    pub fn p256(x: &str, y: &str) -> Option<Self> {
        let point = [&[4][..], &member(x)?, &member(y)?].concat(); // uncompressed (SEC 1 §2.3.3)
        Self::parse(Algorithm::Es256, &ECDSA_P256_SHA256_FIXED, &point)
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's on `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }

    fn parse(
        algorithm: Algorithm,
        verification: &'static dyn VerificationAlgorithm,
        bytes: &[u8],
    ) -> Option<Self> {
        let key = ParsedPublicKey::new(verification, bytes).ok()?;
        Some(Self { algorithm, key })
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.algorithm.name())
    }
}

/// The 32 bytes that `text` spells.
fn member(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 32)
}
