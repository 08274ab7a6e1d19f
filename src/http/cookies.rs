//! Tokens in cookies, for browsers (R26, identity.md §2.1).
//!
//! | cookie | holds | sent to |
//! |---|---|---|
//! | `__Host-at` | the access token | every path of this host |
//! | `__Secure-rt` | the refresh token | `/v1/auth` |
//! | `__Secure-dt` | the device token | `/v1/auth` |
//!
//! All are `HttpOnly`, `Secure` and `SameSite=Lax`: no script reads them, no other host sets the first.
//!
//! SECURITY: a browser sends cookies by itself, so what changes something and is carried by them must come from a
//! page that may do so ([`is_from_our_page`], threat T17). A request with an `Authorization` header never looks at a
//! cookie.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{COOKIE, ORIGIN, SET_COOKIE},
};

use super::state::AppState;

/// The cookie of the access token.
pub(super) const ACCESS: &str = "__Host-at";
/// The cookie of the refresh token.
pub(super) const REFRESH: &str = "__Secure-rt";
/// The cookie of the device token.
pub(super) const DEVICE: &str = "__Secure-dt";

/// Where refresh and device token are needed.
const AUTH_PATH: &str = "/v1/auth";
/// How long a browser keeps a device token: the longest that browsers keep anything, seconds (RFC 6265bis §5.5).
const DEVICE_SECS: u64 = 400 * 24 * 3600;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// One cookie of a request. One that is there twice is none: nobody knows which of them is ours.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

/// Whether a page may have sent this: one of this host, by what browsers say of it themselves, or one of an origin
/// that the configuration names.
///
/// Older browsers send no `Sec-Fetch-Site` but always `Origin` with what changes something (Fetch §3.1); who sends
/// neither is no browser and has no need of cookies.
pub(super) fn is_from_our_page(app: &AppState, headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if matches!(text(&SEC_FETCH_SITE), Some("same-origin" | "none")) {
        return true;
    }
    let server = &app.config.server;
    let is_known = |origin: &str| {
        app.config.public_url() == origin || server.cors_origins.iter().any(|known| known == origin)
    };
    headers.get_all(ORIGIN).iter().count() == 1 && text(&ORIGIN).is_some_and(is_known)
}

/// Whether a method only reads (RFC 9110 §9.2.1).
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Tokens for a browser to keep; each lives for so many seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) access: (&'a str, u64),
    pub(super) refresh: (&'a str, u64),
    pub(super) device: &'a str,
}

/// Hands tokens to a browser.
pub(super) fn keep(headers: &mut HeaderMap, tokens: Kept<'_>) {
    set(headers, ACCESS, tokens.access.0, "/", tokens.access.1);
    set(headers, REFRESH, tokens.refresh.0, AUTH_PATH, tokens.refresh.1);
    set(headers, DEVICE, tokens.device, AUTH_PATH, DEVICE_SECS);
}

/// Has a browser forget access and refresh token. The device it stays.
pub(super) fn forget(headers: &mut HeaderMap) {
    set(headers, ACCESS, "", "/", 0);
    set(headers, REFRESH, "", AUTH_PATH, 0);
}

fn set(headers: &mut HeaderMap, name: &str, value: &str, path: &str, secs: u64) {
    let cookie = format!("{name}={value}; Path={path}; Max-Age={secs}; HttpOnly; Secure; SameSite=Lax");
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        headers.append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_never_guessed() {
        let cases: &[(&[&str], Option<&str>)] = &[
            (&["__Host-at=x"], Some("x")),
            (&["a=b; __Host-at=x.y_z; c=d"], Some("x.y_z")),
            (&["a=b", " __Host-at=x"], Some("x")),
            (&["__Host-at=x; __Host-at=y"], None),
            (&["__Host-at=x", "__Host-at=x"], None),
            (&["__host-at=x"], None),
            (&["X__Host-at=x"], None),
            (&["__Host-at"], None),
            (&[], None),
        ];
        for (lines, found) in cases {
            let mut headers = HeaderMap::new();
            lines.iter().for_each(|line| {
                headers.append(COOKIE, HeaderValue::from_static(line));
            });
            assert_eq!(cookie(&headers, ACCESS), *found, "{lines:?}");
        }
    }
}
