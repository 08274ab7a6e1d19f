//! Keys, attempts and what became of them.

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};

use crate::base::{Millis, SealingKey, TenantId};

/// Longest key, characters (identity.md §2.1).
const MAX_KEY: usize = 128;

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_KEY} printable characters without spaces")]
pub struct RepeatKeyError;

/// An `Idempotency-Key`, as the caller made it up. Does not print: with it, an answer can be read again.
#[derive(Clone)]
pub struct RepeatKey(SecretString);

impl RepeatKey {
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl FromStr for RepeatKey {
    type Err = RepeatKeyError;

    fn from_str(text: &str) -> Result<Self, RepeatKeyError> {
        let fits = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(SecretString::from(text))).ok_or(RepeatKeyError)
    }
}

impl fmt::Debug for RepeatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RepeatKey(…)")
    }
}

/// One request with a key.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The key.
    pub key: &'a RepeatKey,
    /// Method and path.
    pub place: &'a str,
    /// The body as it came.
    pub body: &'a [u8],
    /// The tenant in which the caller acts.
    pub tenant: TenantId,
    /// Who calls; none for a stranger.
    pub principal: Option<&'a str>,
    /// The request, as the audit log names it.
    pub request_id: &'a str,
}

/// An answer that is given again.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON text of the body. It may hold a secret.
    pub body: Vec<u8>,
}

impl Answer {
    /// Two bytes of status, then the body.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [&self.status.to_be_bytes()[..], &self.body].concat()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (status, body) = bytes.split_first_chunk()?;
        Some(Self { status: u16::from_be_bytes(*status), body: body.to_vec() })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// What became of an attempt.
#[derive(Debug)]
pub enum Claim {
    /// The request is to be carried out now, and by nobody else.
    Ours(Ticket),
    /// It was carried out before.
    Answered(Answer),
}

/// The right to carry a request out, until its lease is over.
#[derive(Debug)]
#[must_use = "a claim that is not settled keeps its key busy until the lease is over"]
pub struct Ticket {
    pub(super) tenant: TenantId,
    pub(super) id: Vec<u8>,
    pub(super) request_id: String,
    pub(super) sealing: SealingKey,
}

/// A claim, as it is kept.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Kept {
    pub(super) body_tag: Vec<u8>,
    pub(super) request_id: String,
    pub(super) claimed_at_ms: Millis,
    pub(super) lease_ends_at_ms: Millis,
    pub(super) expires_at_ms: Millis,
    pub(super) answer: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_printable_and_short() {
        for fits in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", &"k".repeat(128), "\"quoted\""] {
            assert!(fits.parse::<RepeatKey>().is_ok(), "{fits}");
        }
        for wrong in ["", " ", "a b", "é", "a\n", &"k".repeat(129)] {
            assert_eq!(wrong.parse::<RepeatKey>().unwrap_err(), RepeatKeyError, "{wrong:?}");
        }
        assert_eq!(format!("{:?}", "secret".parse::<RepeatKey>().unwrap()), "RepeatKey(…)");
    }

    #[test]
    fn an_answer_reads_back() {
        let answer = Answer { status: 201, body: b"{}".to_vec() };
        assert_eq!(Answer::read(&answer.bytes()), Some(answer));
        assert_eq!(Answer::read(&[1]), None);
    }
}
