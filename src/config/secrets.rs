//! `[secrets]`.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::{Problems, section::section};
use crate::base::MasterKey;

/// Fewest different bytes that 32 random ones can plausibly have: fewer is a typed or repeated pattern.
const LEAST_VARIETY: usize = 12;
/// Fewest bytes of a salt.
pub(super) const SALT_BYTES: usize = 32;

section! {
    /// Root secrets. Each may be given here, in the environment, or as `*_FILE`; what is absent is
    /// generated once into the data folder with mode 0600.
    struct SecretsConfig in "secrets" {
        /// 32 bytes, base64url or hex: seals private keys, keys every tag. Nodes on one database share it.
        #[serde(serialize_with = "masked")]
        master_key: Option<SecretString> = None,
        /// The master key before this one: what it sealed opens and what it tagged is known, until
        /// `bailiwick keys rewrap` has run and the refresh tokens of its time have ended.
        #[serde(serialize_with = "masked")]
        previous_master_key: Option<SecretString> = None,
        /// At least 32 bytes of text: salt of the session keys in Redis (R106). Nodes on one Redis share it.
        #[serde(serialize_with = "masked")]
        redis_key_salt: Option<SecretString> = None,
    }
}

impl SecretsConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        for (key, text) in [
            ("secrets.master_key", &self.master_key),
            ("secrets.previous_master_key", &self.previous_master_key),
        ] {
            if text.as_ref().is_some_and(|text| parse_master_key(text.expose_secret()).is_none()) {
                found.add(key, "wants 32 bytes: 43 characters of base64url or 64 of hexadecimal");
            }
        }
        if self.redis_key_salt.as_ref().is_some_and(|salt| salt.expose_secret().len() < SALT_BYTES) {
            found.add("secrets.redis_key_salt", format!("wants at least {SALT_BYTES} bytes"));
        }
    }

    pub(super) fn weaknesses(&self, found: &mut Problems) {
        let key = self.master_key.as_ref().and_then(|text| decode(text.expose_secret()));
        if key.is_some_and(|bytes| variety(&*bytes) < LEAST_VARIETY) {
            found.add("secrets.master_key", "does not look random");
        }
        let salt = self.redis_key_salt.as_ref();
        if salt.is_some_and(|salt| variety(salt.expose_secret().as_bytes()) < LEAST_VARIETY) {
            found.add("secrets.redis_key_salt", "does not look random");
        }
    }
}

/// The key that `text` spells: 32 bytes in base64url, padded or not, or in hexadecimal.
pub(super) fn parse_master_key(text: &str) -> Option<MasterKey> {
    decode(text).map(|bytes| MasterKey::new(*bytes))
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    if text.len() == 64 {
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| pair.get(at).and_then(|b| char::from(*b).to_digit(16));
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        return Some(bytes);
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = Zeroizing::new(GeneralPurpose::new(&URL_SAFE, config).decode(text).ok()?);
    bytes.copy_from_slice(decoded.get(..32).filter(|_| decoded.len() == 32)?);
    Some(bytes)
}

fn variety(bytes: &[u8]) -> usize {
    bytes.iter().collect::<std::collections::BTreeSet<_>>().len()
}

/// Writes that a secret is set, never the secret.
#[expect(clippy::ref_option, reason = "the form that serde calls")]
pub(super) fn masked<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "[hidden]").serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_has_32_bytes_in_either_spelling() {
        let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 7).unwrap_or(1));
        let hex = crate::base::Digest32::from_slice(&bytes).unwrap().to_string();
        let base64 = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let tag = MasterKey::new(bytes).mac_key("t").tag(&[b"x"]);
        for text in [&hex, &hex.to_uppercase(), &base64, &format!("{base64}=")] {
            let key = parse_master_key(text).unwrap();
            assert!(key.mac_key("t").verify(&[b"x"], &tag), "`{text}`");
        }
        for text in ["", &hex[..62], &base64[..42], &format!("{base64}AA"), "é".repeat(32).as_str()] {
            assert!(parse_master_key(text).is_none(), "`{text}`");
        }
    }
}
