//! Reading tokens: the kinds, and what this server expects of them. The order is of [`jws::verify`].

use super::{AccessClaims, TokenError, TokenSettings, keys::Key};
use crate::{
    base::Millis,
    jws::{self, Expected, Kind, Refusal},
};

/// Access tokens (RFC 9068 §2.1).
pub(super) enum Access {}

impl Kind for Access {
    const TYP: &'static str = "at+jwt";
    type Claims = AccessClaims;
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownKey => Self::Invalid("unknown kid"),
            Refusal::Invalid(why) => Self::Invalid(why),
            Refusal::Expired => Self::Expired,
            Refusal::WrongType => Self::WrongType,
        }
    }
}

/// Verifies a token of kind `K` at `now`; `key_of` answers the key of an exact `kid`.
///
/// Errors: [`Refusal`], the first that applies in the order of identity.md §2.3.
pub(super) fn verify<'k, K: Kind>(
    token: &str,
    settings: &TokenSettings,
    audience: Option<&str>,
    now: Millis,
    key_of: impl FnOnce(&str) -> Option<&'k Key>,
) -> Result<K::Claims, Refusal> {
    let expected = Expected { issuer: &settings.issuer, audience, leeway: settings.leeway, now_ms: now.0 };
    jws::verify::<K>(token, &expected, |kid| key_of(kid).map(Key::public))
}

#[cfg(test)]
#[path = "tests/verify.rs"]
mod tests;
