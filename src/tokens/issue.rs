//! Writing tokens: JWS compact serialisation (RFC 7515 §7.1) with a key that is parsed already.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

use super::{AccessClaims, AccessSubject, CLIENT, TokenSettings, keys::Key};
use crate::{
    base::{Entropy, EntropyError, Millis},
    jws::Audience,
};

/// Most roles that a token names.
const MAX_ROLES: usize = 20;

/// The claims of a token issued at `now`.
///
/// Errors: [`EntropyError`] when there is no randomness for `jti`.
pub(super) fn claims(
    subject: AccessSubject,
    settings: &TokenSettings,
    now: Millis,
    entropy: &dyn Entropy,
) -> Result<AccessClaims, EntropyError> {
    let factors = ["pwd", "otp", "hwk", "swk", "sms"];
    let proven = factors.iter().filter(|factor| subject.amr.iter().any(|word| word == **factor)).count();
    let strong = proven > 1 || subject.amr.iter().any(|word| word == "mfa");
    Ok(AccessClaims {
        iss: settings.issuer.clone(),
        aud: Audience::One(settings.audience.clone()),
        sub: subject.user_id,
        client_id: subject.client_id.unwrap_or_else(|| CLIENT.to_owned()),
        tid: subject.tenant_id,
        sid: subject.session_id,
        did: subject.device_id,
        jti: token_id(entropy)?,
        iat: now.as_secs(),
        nbf: now.as_secs(),
        exp: now.plus(settings.access_ttl).as_secs(),
        auth_time: subject.auth_time.as_secs(),
        amr: subject.amr,
        acr: if strong { "aal2" } else { "aal1" }.to_owned(),
        ver: subject.version,
        ep: subject.epoch,
        scope: subject.scope,
        roles: listed(subject.roles),
        act: None,
        origin: subject.origin,
    })
}

/// Roles, unless there are too many to name.
pub(super) fn listed(roles: Vec<String>) -> Option<Vec<String>> {
    (roles.len() <= MAX_ROLES).then_some(roles)
}

/// The id of a new token.
///
/// Errors: [`EntropyError`] when there is no randomness.
pub(super) fn token_id(entropy: &dyn Entropy) -> Result<String, EntropyError> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(entropy.bytes::<16>()?))
}

/// The token of type `typ` with these claims, signed by `key`.
///
/// Errors: [`EntropyError`] when the signature needs randomness and there is none.
pub(super) fn sign(key: &Key, typ: &str, claims: &impl Serialize) -> Result<String, EntropyError> {
    let alg = key.public().algorithm().name();
    let header = format!(r#"{{"alg":"{alg}","typ":"{typ}","kid":"{}"}}"#, key.kid);
    let payload = serde_json::to_vec(claims).unwrap_or_default();
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
