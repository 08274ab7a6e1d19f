//! Sealing: XChaCha20-Poly1305 whose associated data names the row that holds the value.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Digest32, Entropy, EntropyError};

const NONCE_BYTES: usize = 24;

/// A value could not be opened: another key, another row, or altered bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open with this key in this place")]
pub struct SealError;

/// A 256-bit key that seals values and opens what it sealed, or what the key before it sealed. Does not print.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SealingKey {
    key: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl SealingKey {
    /// The key made of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { key: bytes, previous: None }
    }

    /// The same key, which opens what `previous` sealed too.
    pub(super) fn or_previous(self, previous: Option<[u8; 32]>) -> Self {
        Self { key: self.key, previous }
    }

    /// Seals `plain` for `place`, a text that names table, column and row.
    ///
    /// Shape: out is a 24-byte nonce, then the ciphertext, 16 bytes longer than `plain`.
    /// Errors: [`EntropyError`] when there is no randomness for the nonce.
    pub fn seal(&self, place: &str, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, EntropyError> {
        let nonce = entropy.bytes::<NONCE_BYTES>()?;
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let sealed = cipher(&self.key).encrypt(&XNonce::from(nonce), payload).map_err(|_| EntropyError)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`SealingKey::seal`] made for the same `place`.
    ///
    /// Errors: [`SealError`] for every other input, without saying why.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError)?;
        let with = |key: &[u8; 32]| {
            let payload = Payload { msg: sealed, aad: place.as_bytes() };
            cipher(key).decrypt(&XNonce::from(*nonce), payload).ok()
        };
        with(&self.key).or_else(|| self.previous.as_ref().and_then(with)).ok_or(SealError)
    }

    /// A name of this key that tells nothing of it: 16 hexadecimal digits, stored beside what it sealed.
    #[must_use]
    pub fn id(&self) -> String {
        id_of(&self.key)
    }

    /// Whether what the key of this name sealed can be opened: it is this one, or the one before it.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        id == self.id() || self.previous.as_ref().is_some_and(|key| id == id_of(key))
    }

    /// Whether a value opens with this key, without the help of the key before it.
    #[must_use]
    pub fn has_sealed(&self, place: &str, sealed: &[u8]) -> bool {
        Self::new(self.key).open(place, sealed).map(Zeroizing::new).is_ok()
    }
}

fn id_of(key: &[u8; 32]) -> String {
    let named = Zeroizing::new([&b"sealing-key-id/"[..], key].concat());
    format!("{:.16}", Digest32::of(&*named).to_string())
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key).into())
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn a_key_is_known_by_its_name() {
        let (old, new) = (SealingKey::new([8; 32]), SealingKey::new([9; 32]).or_previous(Some([8; 32])));
        assert_eq!((new.id().len(), new.id()), (16, SealingKey::new([9; 32]).id()));
        assert!(new.knows(&new.id()) && new.knows(&old.id()) && !old.knows(&new.id()));
        assert!(!new.knows(""));
    }

    #[test]
    fn opens_only_in_its_place() {
        let (key, entropy) = (SealingKey::new([9; 32]), SeededEntropy::new(2));
        let sealed = key.seal("signing_keys:private:k1", b"secret", &entropy).unwrap();
        assert_eq!(key.open("signing_keys:private:k1", &sealed).unwrap(), b"secret");
        assert!(key.open("signing_keys:private:k2", &sealed).is_err());
        assert!(SealingKey::new([8; 32]).open("signing_keys:private:k1", &sealed).is_err());
        for cut in 0..sealed.len() {
            assert!(key.open("signing_keys:private:k1", &sealed[..cut]).is_err());
        }
    }
}
