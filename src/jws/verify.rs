//! The one way from a token's text to its claims.

use std::{collections::BTreeMap, fmt, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::Value;

use super::{Algorithm, VerifyingKey};

/// Longest token that is looked at, bytes.
const MAX_BYTES: usize = 8 * 1024;
/// Longest `kid`.
const MAX_KID: usize = 64;

/// A kind of token, and what it must say.
pub trait Kind {
    /// `typ` of its header.
    const TYP: &'static str;
    /// Its claims, with their JSON types.
    type Claims: DeserializeOwned;
}

/// What a token is measured by.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `iss`: exact.
    pub issuer: &'a str,
    /// What `aud` must contain; `None` only for who tells others about a token and does not act on it.
    pub audience: Option<&'a str>,
    /// Clock difference that is forgiven.
    pub leeway: Duration,
    /// The present moment, Unix milliseconds.
    pub now_ms: i64,
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No key has this `kid`; there may be a newer one.
    #[error("the token is not valid: unknown kid")]
    UnknownKey,
    /// Not a token of the issuer, or not for us; the word is for the log.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// Past its time.
    #[error("the token has expired")]
    Expired,
    /// Another kind of token.
    #[error("the token is of another type")]
    WrongType,
}

/// `aud`: one text or a list of them (RFC 7519 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

impl Audience {
    /// Whether `name` is among them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Many(many) => many.iter().any(|one| one == name),
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

/// Verifies a token of kind `K`; `key_of` answers the key of an exact `kid`.
///
/// Length → three parts → header → `alg` → `typ` → `crit` → `kid` → key → signature → times → `iss` →
/// `aud` → claims. Whether the session of the token still stands is not asked here.
///
/// Errors: [`Refusal`], the first that applies in that order.
/// Source: RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3.
pub fn verify<'k, K: Kind>(
    token: &str,
    expected: &Expected<'_>,
    key_of: impl FnOnce(&str) -> Option<&'k VerifyingKey>,
) -> Result<K::Claims, Refusal> {
    let payload = opened(
        token,
        |typ| typ == Some(K::TYP),
        |kid| {
            let kid = kid.ok_or(Refusal::Invalid("kid"))?;
            key_of(kid).ok_or(Refusal::UnknownKey)
        },
    )?;
    let registered = Registered::deserialize(&payload).map_err(|_| Refusal::Invalid("claims"))?;
    check_times(&registered, expected)?;
    if registered.iss != expected.issuer {
        return Err(Refusal::Invalid("iss"));
    }
    if expected.audience.is_some_and(|audience| !registered.aud.contains(audience)) {
        return Err(Refusal::Invalid("aud"));
    }
    if registered.sub.is_empty() || registered.jti.is_empty() {
        return Err(Refusal::Invalid("claims"));
    }
    K::Claims::deserialize(&payload).map_err(|_| Refusal::Invalid("claims"))
}

/// Verifies the signature of an assertion that a client wrote (RFC 7523 §3) and answers its claims, of which
/// nothing was checked. `key_of` answers the client's key of a `kid`, which may be missing where there is one.
///
/// Errors: [`Refusal`]; a token of another kind, such as one of ours, is none.
pub fn verify_assertion<'k>(
    token: &str,
    key_of: impl FnOnce(Option<&str>) -> Option<&'k VerifyingKey>,
) -> Result<Value, Refusal> {
    let fits = |typ: Option<&str>| {
        typ.is_none_or(|typ| {
            ["jwt", "client-authentication+jwt"].iter().any(|it| typ.eq_ignore_ascii_case(it))
        })
    };
    opened(token, fits, |kid| key_of(kid).ok_or(Refusal::UnknownKey))
}

/// A claim of a token that nobody has verified: to find out whose key verifies it, and for nothing else.
#[must_use]
pub fn unverified_claim(token: &str, name: &str) -> Option<String> {
    let payload = token.split('.').nth(1).filter(|_| token.len() <= MAX_BYTES)?;
    object(payload)?.get(name)?.as_str().map(str::to_owned)
}

/// The claims of a token whose form is right, whose `typ` fits and whose signature is of the key that `key_of`
/// answers for its `kid`.
fn opened<'k>(
    token: &str,
    typ_fits: impl FnOnce(Option<&str>) -> bool,
    key_of: impl FnOnce(Option<&str>) -> Result<&'k VerifyingKey, Refusal>,
) -> Result<Value, Refusal> {
    if token.len() > MAX_BYTES {
        return Err(Refusal::Invalid("too long"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Invalid("not three parts"))?;
    let (header, payload) = signed.split_once('.').ok_or(Refusal::Invalid("not three parts"))?;
    if payload.contains('.') {
        return Err(Refusal::Invalid("not three parts"));
    }
    let header = object(header).ok_or(Refusal::Invalid("header"))?;
    let (algorithm, kid) = check_header(&header, typ_fits)?;
    // SECURITY: no `jku`, `jwk`, `x5u` or `x5c` is ever read: the caller alone knows keys.
    let key = key_of(kid)?;
    // SECURITY: a key has its algorithm; what the header says can only agree (RFC 8725 §3.1, threat T2).
    if key.algorithm() != algorithm {
        return Err(Refusal::Invalid("alg"));
    }
    let signature =
        BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refusal::Invalid("signature encoding"))?;
    if !key.verify(signed.as_bytes(), &signature) {
        return Err(Refusal::Invalid("signature"));
    }
    Ok(Value::Object(object(payload).ok_or(Refusal::Invalid("payload"))?.into_iter().collect()))
}

/// Checks all of the header but the key; answers its `alg` and, if it has one, its `kid`.
fn check_header(
    header: &BTreeMap<String, Value>,
    typ_fits: impl FnOnce(Option<&str>) -> bool,
) -> Result<(Algorithm, Option<&str>), Refusal> {
    let text = |name| header.get(name).and_then(Value::as_str);
    let algorithm = text("alg").and_then(Algorithm::named).ok_or(Refusal::Invalid("alg"))?;
    if !typ_fits(text("typ")) {
        return Err(Refusal::WrongType);
    }
    if header.contains_key("crit") {
        return Err(Refusal::Invalid("crit"));
    }
    let Some(kid) = header.get("kid") else { return Ok((algorithm, None)) };
    let kid = kid.as_str().ok_or(Refusal::Invalid("kid"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if kid.is_empty() || kid.len() > MAX_KID || !kid.bytes().all(plain) {
        return Err(Refusal::Invalid("kid"));
    }
    Ok((algorithm, Some(kid)))
}

fn check_times(claims: &Registered, expected: &Expected<'_>) -> Result<(), Refusal> {
    let leeway = i64::try_from(expected.leeway.as_millis()).unwrap_or(i64::MAX);
    let (earliest, latest) = (expected.now_ms.saturating_sub(leeway), expected.now_ms.saturating_add(leeway));
    let at = |secs: i64| secs.saturating_mul(1000);
    if earliest > at(claims.exp) {
        return Err(Refusal::Expired);
    }
    if at(claims.nbf) > latest {
        return Err(Refusal::Invalid("nbf"));
    }
    if at(claims.iat) > latest {
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
