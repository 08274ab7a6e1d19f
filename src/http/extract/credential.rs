//! What a request brings to say who sends it: one credential, in a header (R87).

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header::AUTHORIZATION, request::Parts};

use crate::{
    api_keys::PresentedKey,
    http::{
        codes::Code,
        problem::{Problem, Result},
    },
};

/// The header of API keys.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Names under which people put API keys into a query, with `_` and `-` left out.
const IN_QUERY: [&str; 2] = ["apikey", "xapikey"];

/// A credential, unverified.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    /// A token (RFC 6750 §2.1).
    Bearer(&'a str),
    /// An API key.
    Key(&'a str),
}

/// The credential of a request, if it brought one.
///
/// Errors: it brought more than one, one that cannot be read, or one in its query, where logs and histories of
/// others keep it (threat T20).
pub(super) fn credential(parts: &Parts) -> Result<Option<Credential<'_>>> {
    if names_credential(&parts.uri) {
        let said = "credentials are taken from headers only; this one is not a secret any more";
        return Err(Problem::new(Code::ApiKeyInvalid).detail(said));
    }
    let key = single(&parts.headers, &X_API_KEY)?;
    match (single(&parts.headers, &AUTHORIZATION)?, key) {
        (None, None) => Ok(None),
        (None, Some(key)) => Ok(Some(Credential::Key(text(key)?))),
        (Some(authorization), None) => authorization_of(authorization).map(Some),
        (Some(_), Some(_)) => Err(invalid().detail("there is more than one credential")),
    }
}

/// The bearer token of a request, if that is what it brought.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    match single(headers, &AUTHORIZATION).ok()?.map(authorization_of)? {
        Ok(Credential::Bearer(token)) => Some(token),
        _ => None,
    }
}

fn authorization_of(value: &HeaderValue) -> Result<Credential<'_>> {
    let (scheme, value) = text(value)?.split_once(' ').ok_or_else(invalid)?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("apikey") {
        return Ok(Credential::Key(value));
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid());
    }
    Ok(if PresentedKey::is_meant(value) { Credential::Key(value) } else { Credential::Bearer(value) })
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(invalid()) } else { Ok(first) }
}

fn text(value: &HeaderValue) -> Result<&str> {
    // As `HeaderValue::to_str`, which looks at each byte by itself; tokens are long.
    let ascii = Some(value.as_bytes()).filter(|bytes| bytes.is_ascii());
    ascii.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(invalid)
}

fn invalid() -> Problem {
    Problem::new(Code::TokenInvalid)
}

/// Whether the query names a credential.
fn names_credential(uri: &Uri) -> bool {
    let named = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default().bytes();
        let name =
            || name.clone().filter(|byte| !matches!(byte, b'_' | b'-')).map(|byte| byte.to_ascii_lowercase());
        IN_QUERY.iter().any(|known| name().eq(known.bytes()))
    };
    uri.query().is_some_and(|query| query.split('&').any(named))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn read(uri: &str, headers: &[(&str, &str)]) -> std::result::Result<Option<(char, String)>, Code> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        match credential(&parts) {
            Ok(None) => Ok(None),
            Ok(Some(Credential::Bearer(token))) => Ok(Some(('b', token.to_owned()))),
            Ok(Some(Credential::Key(key))) => Ok(Some(('k', key.to_owned()))),
            Err(problem) => Err(problem.code()),
        }
    }

    #[test]
    fn a_credential_has_one_place() {
        let (bearer, key) =
            (|text: &str| Ok(Some(('b', text.to_owned()))), |text: &str| Ok(Some(('k', text.to_owned()))));
        for (headers, expected) in [
            (&[][..], Ok(None)),
            (&[("authorization", "Bearer a.b.c")], bearer("a.b.c")),
            (&[("authorization", "bearer  a.b.c")], bearer("a.b.c")),
            (&[("authorization", "Bearer bwk_rt_x")], bearer("bwk_rt_x")),
            (&[("authorization", "Bearer bwk_prod_x")], key("bwk_prod_x")),
            (&[("authorization", "ApiKey bwk_prod_x")], key("bwk_prod_x")),
            (&[("authorization", "APIKEY anything")], key("anything")),
            (&[("x-api-key", "bwk_prod_x")], key("bwk_prod_x")),
            (&[("X-Api-Key", "anything")], key("anything")),
            (&[("authorization", "Basic eDp5")], Err(Code::TokenInvalid)),
            (&[("authorization", "a.b.c")], Err(Code::TokenInvalid)),
            (&[("authorization", "Bearer a"), ("authorization", "Bearer a")], Err(Code::TokenInvalid)),
            (&[("x-api-key", "a"), ("x-api-key", "a")], Err(Code::TokenInvalid)),
            (&[("x-api-key", "a"), ("authorization", "Bearer a.b.c")], Err(Code::TokenInvalid)),
        ] {
            assert_eq!(read("/", headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn t20_a_query_is_no_place_for_a_key() {
        for query in ["api_key=x", "a=b&api_key=x", "API-Key=x", "apikey", "x-api-key=x"] {
            let key = [("x-api-key", "good")];
            assert_eq!(read(&format!("/?{query}"), &key), Err(Code::ApiKeyInvalid), "{query}");
        }
        assert_eq!(read("/?limit=2&cursor=api_key", &[]), Ok(None));
    }
}
