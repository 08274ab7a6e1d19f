//! Reading tokens. One function, one order (identity.md §2.3), no panics.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    AccessClaims, Audience, TokenError, TokenSettings,
    keys::{ALGORITHM, Key},
};
use crate::base::Millis;

/// Longest token that is looked at, bytes.
const MAX_BYTES: usize = 8 * 1024;
/// Longest `kid`.
const MAX_KID: usize = 64;

/// A kind of token, and what it must say.
pub(super) trait Kind {
    /// `typ` of its header.
    const TYP: &'static str;
    /// Its claims, with their JSON types.
    type Claims: DeserializeOwned;
}

/// Access tokens (RFC 9068 §2.1).
pub(super) enum Access {}

impl Kind for Access {
    const TYP: &'static str = "at+jwt";
    type Claims = AccessClaims;
}

/// Why a token was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No key has this `kid`; there may be a newer one.
    UnknownKey,
    /// Not a token of ours; the word is for the log.
    Invalid(&'static str),
    /// Past its time.
    Expired,
    /// Another kind of token.
    WrongType,
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

/// The claims that every kind of token has.
#[derive(Deserialize)]
struct Registered {
    iss: String,
    aud: Audience,
    exp: i64,
    nbf: i64,
    iat: i64,
    sub: String,
    jti: String,
}

/// Verifies a token of kind `K` at `now`; `key_of` answers the key of an exact `kid`.
///
/// Errors: [`Refusal`], the first that applies in the order of identity.md §2.3.
pub(super) fn verify<'k, K: Kind>(
    token: &str,
    settings: &TokenSettings,
    now: Millis,
    key_of: impl FnOnce(&str) -> Option<&'k Key>,
) -> Result<K::Claims, Refusal> {
    if token.len() > MAX_BYTES {
        return Err(Refusal::Invalid("too long"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Invalid("not three parts"))?;
    let (header, payload) = signed.split_once('.').ok_or(Refusal::Invalid("not three parts"))?;
    if payload.contains('.') {
        return Err(Refusal::Invalid("not three parts"));
    }
    let header = object(header).ok_or(Refusal::Invalid("header"))?;
    let kid = check_header::<K>(&header)?;
    // SECURITY: no `jku`, `jwk`, `x5u` or `x5c` is ever read: keys come from our own store only.
    let key = key_of(kid).ok_or(Refusal::UnknownKey)?;
    let signature =
        BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refusal::Invalid("signature encoding"))?;
    if !key.verify(signed.as_bytes(), &signature) {
        return Err(Refusal::Invalid("signature"));
    }
    let payload = Value::Object(object(payload).ok_or(Refusal::Invalid("payload"))?.into_iter().collect());
    let registered = Registered::deserialize(&payload).map_err(|_| Refusal::Invalid("claims"))?;
    check_times(&registered, settings, now)?;
    if registered.iss != settings.issuer {
        return Err(Refusal::Invalid("iss"));
    }
    if !registered.aud.contains(&settings.audience) {
        return Err(Refusal::Invalid("aud"));
    }
    if registered.sub.is_empty() || registered.jti.is_empty() {
        return Err(Refusal::Invalid("claims"));
    }
    K::Claims::deserialize(&payload).map_err(|_| Refusal::Invalid("claims"))
}

/// Checks all of the header but the key; answers its `kid`.
fn check_header<K: Kind>(header: &BTreeMap<String, Value>) -> Result<&str, Refusal> {
    let text = |name| header.get(name).and_then(Value::as_str);
    if text("alg") != Some(ALGORITHM) {
        return Err(Refusal::Invalid("alg"));
    }
    if text("typ") != Some(K::TYP) {
        return Err(Refusal::WrongType);
    }
    if header.contains_key("crit") {
        return Err(Refusal::Invalid("crit"));
    }
    let kid = text("kid").ok_or(Refusal::Invalid("kid"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if kid.is_empty() || kid.len() > MAX_KID || !kid.bytes().all(plain) {
        return Err(Refusal::Invalid("kid"));
    }
    Ok(kid)
}

fn check_times(claims: &Registered, settings: &TokenSettings, now: Millis) -> Result<(), Refusal> {
    let at = |secs: i64| Millis(secs.saturating_mul(1000));
    if now > at(claims.exp).plus(settings.leeway) {
        return Err(Refusal::Expired);
    }
    if at(claims.nbf) > now.plus(settings.leeway) {
        return Err(Refusal::Invalid("nbf"));
    }
    if at(claims.iat) > now.plus(settings.leeway) {
        return Err(Refusal::Invalid("iat"));
    }
    Ok(())
}

/// The JSON object in a base64url part, unless a name occurs twice in it.
fn object(part: &str) -> Option<BTreeMap<String, Value>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice::<Unique>(&bytes).ok().map(|unique| unique.0)
}

/// An object without duplicate names. Two readers that keep different ones would disagree (RFC 7515 §4).
struct Unique(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("duplicate name"));
                    }
                }
                Ok(Unique(members))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

#[cfg(test)]
#[path = "tests/verify.rs"]
mod tests;
