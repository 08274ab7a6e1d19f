//! Secrets as types: none of them prints, and none can be compared with `==`.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Entropy, EntropyError, MacKey, SealingKey};

/// Whether two byte strings are equal, in time that does not tell where they differ.
#[must_use]
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// A SHA-256 digest: what is stored of a secret, or what names a content. Not itself a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest32([u8; 32]);

impl Digest32 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest that was computed elsewhere, if `bytes` are 32.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest32 {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret that was just made and is shown once. What stays behind is its [`Digest32`].
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PlainToken(String);

impl PlainToken {
    /// Takes over a secret text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// 256 random bits as 43 base64url characters.
    ///
    /// Errors: [`EntropyError`] when there is no randomness.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        entropy.bytes::<32>().map(|bytes| Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret itself, for the one answer that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be stored.
    #[must_use]
    pub fn digest(&self) -> Digest32 {
        Digest32::of(&self.0)
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken(…)")
    }
}

/// The root secret of an installation; everything else that is keyed derives from it by HKDF (RFC 5869).
///
/// While it is being replaced it knows the one before it: what that one tagged is recognised and what it
/// sealed opens, and everything new is of this one.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey {
    key: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl MasterKey {
    /// The key made of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { key: bytes, previous: None }
    }

    /// The same key as the successor of `previous`.
    #[must_use]
    pub fn replacing(self, previous: &Self) -> Self {
        Self { key: self.key, previous: Some(previous.key) }
    }

    /// The key that tags messages of `purpose`, a fixed word such as `refresh-tag`.
    #[must_use]
    pub fn mac_key(&self, purpose: &'static str) -> MacKey {
        let info = ["mac", purpose];
        MacKey::new(derive(&self.key, &info)).or_previous(self.previous.map(|key| derive(&key, &info)))
    }

    /// The key that seals values of `purpose`, a fixed word such as `signing-keys`.
    #[must_use]
    pub fn sealing_key(&self, purpose: &'static str) -> SealingKey {
        let info = ["seal", purpose];
        SealingKey::new(derive(&self.key, &info)).or_previous(self.previous.map(|key| derive(&key, &info)))
    }
}

#[expect(clippy::expect_used, reason = "HKDF-SHA256 refuses only outputs over 8160 bytes")]
fn derive(master: &[u8; 32], info: &[&str]) -> [u8; 32] {
    let mut key = [0; 32];
    let info = info.join("/");
    Hkdf::<Sha256>::new(None, master).expand(info.as_bytes(), &mut key).expect("32 bytes");
    key
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn nothing_secret_prints() {
        let token = PlainToken::random(&SeededEntropy::new(3)).unwrap();
        assert_eq!(token.expose().len(), 43);
        let printed = format!("{token:?} {:?} {:?}", MasterKey::new([1; 32]), MacKey::new([1; 32]));
        assert_eq!(printed, "PlainToken(…) MasterKey(…) MacKey(…)");
    }

    #[test]
    fn purposes_get_keys_of_their_own() {
        let master = MasterKey::new([1; 32]);
        let tag = master.mac_key("a").tag(&[b"x"]);
        assert!(master.mac_key("a").verify(&[b"x"], &tag));
        assert!(!master.mac_key("b").verify(&[b"x"], &tag));
    }

    #[test]
    fn a_successor_knows_what_the_key_before_it_did() {
        let (old, entropy) = (MasterKey::new([1; 32]), SeededEntropy::new(4));
        let new = MasterKey::new([2; 32]).replacing(&old);
        let tag = old.mac_key("a").tag(&[b"x"]);
        assert!(new.mac_key("a").verify(&[b"x"], &tag) && !new.mac_key("b").verify(&[b"x"], &tag));
        assert_ne!(new.mac_key("a").tag(&[b"x"]), tag, "everything new is of the new key");

        let sealed = old.sealing_key("a").seal("row", b"value", &entropy).unwrap();
        let key = new.sealing_key("a");
        assert_eq!(key.open("row", &sealed).unwrap(), b"value");
        let again = key.seal("row", b"value", &entropy).unwrap();
        let alone = MasterKey::new([2; 32]).sealing_key("a");
        assert_eq!(alone.open("row", &again).unwrap(), b"value");
        assert!(alone.open("row", &sealed).is_err() && old.sealing_key("a").open("row", &again).is_err());
    }
}
