//! The form of keys: `bwk_<env>_<id22><secret43><crc6>`, all base62.
//!
//! | part | is |
//! |---|---|
//! | `env` | a word of the operator's, such as `prod` |
//! | `id` | the key's UUID: what it is looked up by, and safe to log |
//! | `secret` | 256 random bits; its digest is stored |
//! | `crc` | CRC-32 of all before: typing errors and junk cost no look-up, and secret scanners find a key for sure |

use std::fmt;

use uuid::Uuid;

use crate::base::{
    ApiKeyId, Digest32, Entropy, EntropyError, PlainToken, constant_time_eq, from_base62, to_base62,
};

const PREFIX: &str = "bwk_";
const ID_DIGITS: usize = 22;
const SECRET_DIGITS: usize = 43;
const CRC_DIGITS: usize = 6;
/// The `env` that refresh tokens use.
const RESERVED_ENV: &str = "rt";

/// A key as a request presents it: its form and checksum are right, nothing else is known. Does not print.
pub struct PresentedKey<'a> {
    pub(super) id: ApiKeyId,
    secret: &'a str,
}

impl fmt::Debug for PresentedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<'a> PresentedKey<'a> {
    /// Whether a bearer credential means to be a key, and not a token of another kind.
    #[must_use]
    pub fn is_meant(credential: &str) -> bool {
        let env = credential.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        env.is_some_and(|(env, _)| env != RESERVED_ENV)
    }

    /// Reads a key; none when the form or the checksum is wrong.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (env, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_word = env.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_word || rest.len() != ID_DIGITS + SECRET_DIGITS + CRC_DIGITS || !rest.is_ascii() {
            return None;
        }
        let (body, crc) = text.split_at_checked(text.len().checked_sub(CRC_DIGITS)?)?;
        if crc != checksum(body) {
            return None;
        }
        let (id, secret) = rest.split_at_checked(ID_DIGITS)?;
        let secret = secret.get(..SECRET_DIGITS)?;
        let id = ApiKeyId::from_uuid(Uuid::from_bytes(from_base62(id)?));
        Some(Self { id, secret })
    }

    /// Whether this is the secret that `stored` is the digest of. Constant time.
    pub(super) fn has_secret(&self, stored: &[u8]) -> bool {
        constant_time_eq(Digest32::of(self.secret).as_bytes(), stored)
    }
}

/// A new secret for a key: the text to hand out, and the digest to store.
pub(super) fn issue(
    env: &str,
    id: ApiKeyId,
    entropy: &dyn Entropy,
) -> Result<(PlainToken, Digest32), EntropyError> {
    let secret = PlainToken::new(to_base62(entropy.bytes::<32>()?, SECRET_DIGITS));
    let id = to_base62(*id.as_uuid().as_bytes(), ID_DIGITS);
    let body = format!("{PREFIX}{env}_{id}{}", secret.expose());
    let crc = checksum(&body);
    Ok((PlainToken::new(body + &crc), secret.digest()))
}

fn checksum(text: &str) -> String {
    to_base62(crc32fast::hash(text.as_bytes()).to_be_bytes(), CRC_DIGITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{Millis, SeededEntropy};

    fn issued() -> (ApiKeyId, String, Digest32) {
        let entropy = SeededEntropy::new(5);
        let id = ApiKeyId::new(Millis(1_795_223_748_000), &entropy).unwrap();
        let (text, digest) = issue("prod", id, &entropy).unwrap();
        (id, text.expose().to_owned(), digest)
    }

    #[test]
    fn the_form_is_fixed() {
        let (id, text, digest) = issued();
        assert_eq!(text.len(), "bwk_prod_".len() + 22 + 43 + 6);
        assert!(text["bwk_prod_".len()..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let read = PresentedKey::parse(&text).unwrap();
        assert_eq!(read.id, id);
        assert!(read.has_secret(digest.as_bytes()) && !read.has_secret(&[0; 32]) && !read.has_secret(&[]));
        assert!(PresentedKey::is_meant(&text));
        for other in ["bwk_rt_x", "bwk_", "ey.J.x", ""] {
            assert!(!PresentedKey::is_meant(other), "{other}");
        }
        assert!(!format!("{read:?}").contains(read.secret), "the secret does not print");
    }

    proptest! {
        #[test]
        fn t08_any_text_is_answered(text in "\\PC{0,100}|bwk_[a-z]{0,4}_[0-9A-Za-z]{71}") {
            prop_assert!(PresentedKey::parse(&text).is_none());
        }

        #[test]
        fn t08_any_changed_byte_is_noticed(at in 0_usize..80, byte in 0_u8..128) {
            let (_, text, _) = issued();
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assume!(changed != text);
            prop_assert!(PresentedKey::parse(&changed).is_none());
        }
    }
}
