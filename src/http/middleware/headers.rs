//! Headers that every answer carries, and headers that no stranger may send.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Context headers that only a trusted gateway sets (identity.md §2.8), with `_` read as `-`.
const CONTEXT: [&str; 7] = [
    "x-internal-request",
    "x-user-id",
    "x-tenant-id",
    "x-roles",
    "x-session-id",
    "x-context-token",
    "x-gateway-trusted",
];

/// Security headers, where an answer does not set them itself.
const SECURE: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::VARY, HeaderValue::from_static("origin")), // so that no cache gives one origin's answer to another
];

/// Insists on HTTPS, for where that is how callers come.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Removes context headers in every spelling (T24).
pub(super) fn strip_context(headers: &mut HeaderMap) {
    if headers.keys().any(is_context) {
        let smuggled: Vec<HeaderName> = headers.keys().filter(|name| is_context(name)).cloned().collect();
        for name in smuggled {
            headers.remove(name);
        }
    }
}

/// The security headers.
pub(super) fn secure(is_https: bool) -> HeaderMap {
    let https_only = is_https.then_some((header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY));
    SECURE.into_iter().chain(https_only).collect()
}

fn is_context(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    let spells = |context: &str| {
        let read = name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte });
        context.len() == name.len() && read.eq(context.bytes())
    };
    name.first() == Some(&b'x') && CONTEXT.into_iter().any(spells)
}
