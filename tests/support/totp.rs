//! An authenticator app (RFC 6238), for tests.
#![allow(dead_code, reason = "each binary uses a part")]
#![allow(clippy::allow_attributes, reason = "`expect` would fail in the binaries that use all of it")]

use aws_lc_rs::hmac;

/// The app of somebody, with one secret.
pub(crate) struct AuthenticatorApp {
    secret: Vec<u8>,
}

impl AuthenticatorApp {
    /// The app after it has read the base32 text of a secret (RFC 4648 §6).
    pub(crate) fn reading(secret: &str) -> Self {
        let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
        for c in secret.bytes() {
            let digit = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == c).unwrap();
            held = (held << 5) | u32::try_from(digit).unwrap();
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push(u8::try_from((held >> bits) & 255).unwrap());
            }
        }
        Self { secret: bytes }
    }

    /// The bytes of the secret.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// What it shows at a second since the epoch.
    pub(crate) fn shows(&self, at_secs: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &(at_secs / 30).to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 15);
        let word = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }
}
