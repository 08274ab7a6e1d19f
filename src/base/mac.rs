//! Message authentication: HMAC-SHA256 (RFC 2104) under a key of our own.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A 256-bit key that tags messages and recognises its own tags, and perhaps those of the key before it.
/// Does not print.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MacKey {
    key: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl MacKey {
    /// The key made of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { key: bytes, previous: None }
    }

    /// The same key, which knows the tags of `previous` too.
    pub(super) fn or_previous(self, previous: Option<[u8; 32]>) -> Self {
        Self { key: self.key, previous }
    }

    /// The tag of the message whose parts, in order, are `parts`.
    ///
    /// Each part is preceded by its length, so no two lists of parts share a message.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.key, parts).finalize().into_bytes().into()
    }

    /// Whether `tag` begins the tag of `parts`. Constant time. A tag under 16 bytes never fits.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        let fits = |key: &[u8; 32]| mac(key, parts).verify_truncated_left(tag).is_ok();
        tag.len() >= 16 && (fits(&self.key) || self.previous.as_ref().is_some_and(fits))
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §2)")]
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_tags_only() {
        let key = MacKey::new([7; 32]);
        let tag = key.tag(&[b"ab", b"c"]);
        assert!(key.verify(&[b"ab", b"c"], &tag) && key.verify(&[b"ab", b"c"], &tag[..16]));
        assert!(!key.verify(&[b"a", b"bc"], &tag), "parts must not run together");
        assert!(!key.verify(&[b"ab", b"c"], &tag[..15]) && !key.verify(&[b"ab", b"c"], &[]));
        assert!(!MacKey::new([8; 32]).verify(&[b"ab", b"c"], &tag));
    }
}
