//! The form of refresh tokens: `bwk_rt_<sid22>.<gen6><secret43><tag22>_<crc6>`.
//!
//! | part | is |
//! |---|---|
//! | `sid` | the session's UUID, base64url |
//! | `gen` | the session's version for which it was issued, base62 |
//! | `secret` | 256 random bits, base64url; its digest is stored |
//! | `tag` | HMAC-SHA256/128 of the three under a server key, base64url: proves that we issued it |
//! | `crc` | CRC-32 of all before `_`, base62: typing errors and junk cost no look-up |

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base::{
    Digest32, Entropy, EntropyError, MacKey, PlainToken, SealingKey, SessionId, from_base62, to_base62,
};

const PREFIX: &str = "bwk_rt_";
/// Digits of `gen` and `crc`.
const DIGITS: usize = 6;
/// Bytes of the tag that are sent.
const TAG_BYTES: usize = 16;

/// A refresh token whose tag we made.
#[derive(Debug)]
pub(super) struct RefreshToken {
    pub(super) session: SessionId,
    pub(super) generation: i64,
    secret: PlainToken,
}

impl RefreshToken {
    /// A new token for a generation of a session.
    pub(super) fn new(
        session: SessionId,
        generation: i64,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyError> {
        Ok(Self { session, generation, secret: PlainToken::random(entropy)? })
    }

    /// The text to hand out.
    pub(super) fn encode(&self, key: &MacKey) -> PlainToken {
        let tag = self.tag(key);
        let (tag, _) = tag.split_at(TAG_BYTES);
        let body = format!(
            "{PREFIX}{}.{}{}{}",
            BASE64_URL_SAFE_NO_PAD.encode(self.session.as_uuid().as_bytes()),
            to_base62(self.generation.to_be_bytes(), DIGITS),
            self.secret.expose(),
            BASE64_URL_SAFE_NO_PAD.encode(tag),
        );
        let crc = checksum(&body);
        PlainToken::new(format!("{body}_{crc}"))
    }

    /// Reads what [`RefreshToken::encode`] gave, if the checksum fits and the tag is ours.
    pub(super) fn parse(text: &str, key: &MacKey) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        let (body, crc) = text.split_at_checked(text.len().checked_sub(DIGITS)?)?;
        let body = body.strip_suffix('_')?;
        if crc != checksum(body) {
            return None;
        }
        let (sid, rest) = body.strip_prefix(PREFIX)?.split_once('.')?;
        let (generation, rest) = rest.split_at_checked(DIGITS)?;
        let (secret, tag) = rest.split_at_checked(43)?;
        let session = session_of(sid)?;
        BASE64_URL_SAFE_NO_PAD.decode(secret).ok().filter(|bytes| bytes.len() == 32)?;
        let generation = i64::from_be_bytes(from_base62(generation)?);
        let token = Self { session, generation, secret: PlainToken::new(secret.to_owned()) };
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok().filter(|tag| tag.len() == TAG_BYTES)?;
        let (sid, generation) = token.tagged();
        key.verify(&[b"rt1", &sid, &generation, token.secret.expose().as_bytes()], &tag).then_some(token)
    }

    /// What is stored of the secret.
    pub(super) fn digest(&self) -> Digest32 {
        self.secret.digest()
    }

    /// The key that seals this token's successor: only who holds this token has it.
    pub(super) fn grace_key(&self) -> SealingKey {
        let digest =
            Digest32::of(Zeroizing::new(format!("refresh grace key:{}", self.secret.expose())).as_bytes());
        SealingKey::new(MacKey::new(*digest.as_bytes()).tag(&[b"grace", self.secret.expose().as_bytes()]))
    }

    /// What the sealed successor is bound to.
    pub(super) fn grace_place(&self) -> String {
        format!("sessions:grace_blob:{}:{}", self.session, self.generation)
    }

    fn tagged(&self) -> ([u8; 16], [u8; 8]) {
        (*self.session.as_uuid().as_bytes(), self.generation.to_be_bytes())
    }

    fn tag(&self, key: &MacKey) -> [u8; 32] {
        let (sid, generation) = self.tagged();
        key.tag(&[b"rt1", &sid, &generation, self.secret.expose().as_bytes()])
    }
}

fn session_of(sid: &str) -> Option<SessionId> {
    let bytes: [u8; 16] = BASE64_URL_SAFE_NO_PAD.decode(sid).ok()?.try_into().ok()?;
    format!("{}_{}", SessionId::PREFIX, Uuid::from_bytes(bytes).as_simple()).parse().ok()
}

/// The checksum of a text, as it stands at its end.
fn checksum(text: &str) -> String {
    to_base62(crc32fast::hash(text.as_bytes()).to_be_bytes(), DIGITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{Millis, SeededEntropy};

    fn token() -> (RefreshToken, MacKey, String) {
        let (entropy, key) = (SeededEntropy::new(5), MacKey::new([1; 32]));
        let session = SessionId::new(Millis(1_795_223_748_000), &entropy).unwrap();
        let token = RefreshToken::new(session, 7, &entropy).unwrap();
        let text = token.encode(&key).expose().to_owned();
        (token, key, text)
    }

    #[test]
    fn the_form_is_fixed() {
        let (token, key, text) = token();
        assert_eq!(text.len(), 7 + 22 + 1 + 6 + 43 + 22 + 1 + 6);
        assert!(text.starts_with("bwk_rt_") && text.as_bytes()[29] == b'.' && &text[30..36] == "000007");
        let read = RefreshToken::parse(&text, &key).unwrap();
        assert_eq!((read.session, read.generation, read.digest()), (token.session, 7, token.digest()));
    }

    #[test]
    fn only_our_tag_is_taken() {
        let (token, key, text) = token();
        assert!(RefreshToken::parse(&text, &MacKey::new([2; 32])).is_none());
        // Another generation or secret, with a right checksum.
        let body = &text[..text.len() - 7];
        for forged in [
            body.replacen("000007", "000006", 1),
            format!("{}{}{}", &body[..36], "A".repeat(43), &body[79..]),
            format!("{}{}", &body[..79], "A".repeat(22)),
        ] {
            let crc = checksum(&forged);
            assert!(RefreshToken::parse(&format!("{forged}_{crc}"), &key).is_none());
        }
        let sealed = token.grace_key().seal(&token.grace_place(), b"next", &SeededEntropy::new(1)).unwrap();
        let read = RefreshToken::parse(&text, &key).unwrap();
        assert_eq!(read.grace_key().open(&read.grace_place(), &sealed).unwrap(), b"next");
    }

    proptest! {
        #[test]
        fn t08_any_text_is_answered(text in "\\PC{0,150}|bwk_rt_[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{71}_[0-9A-Za-z]{6}") {
            prop_assert!(RefreshToken::parse(&text, &MacKey::new([1; 32])).is_none());
        }

        #[test]
        fn t08_any_changed_byte_is_noticed(at in 0_usize..108, byte in 0_u8..128) {
            let (_, key, text) = token();
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assume!(changed != text);
            prop_assert!(RefreshToken::parse(&changed, &key).is_none());
        }
    }
}
