//! Headers that every answer carries, and headers that no stranger may send.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::http::state::AppState;

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

/// Removes context headers in every spelling (T24).
pub(super) async fn strip_context(mut request: Request, next: Next) -> Response {
    let smuggled: Vec<HeaderName> = request
        .headers()
        .keys()
        .filter(|name| CONTEXT.contains(&name.as_str().replace('_', "-").as_str()))
        .cloned()
        .collect();
    for name in smuggled {
        request.headers_mut().remove(name);
    }
    next.run(request).await
}

/// Adds the security headers that an answer does not set itself.
pub(super) async fn secure(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, header::REFERRER_POLICY, "no-referrer");
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    set(headers, header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(headers, header::CACHE_CONTROL, "no-store");
    if app.config.public_url().starts_with("https://") {
        set(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
