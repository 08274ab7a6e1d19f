//! What is left of a limit, as answers say it (X8).
//!
//! Source: draft-ietf-httpapi-ratelimit-headers-11.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, RETRY_AFTER},
};

use super::extract::X_API_KEY;
use crate::{api_keys::Metered, authn::Reached};

/// What a limit has left.
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What it allows.
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A limit, and what it has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateLimit {
    /// Its name.
    name: &'static str,
    /// How many at once.
    quota: u32,
    /// In which time they all come back.
    window: Duration,
    left: u32,
    /// When none is left: how long until there is one. Else: how long until all are back.
    reset: Duration,
}

/// Where what is left of a limit is put on the way in, for the answer on the way out.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<OnceLock<RateLimit>>);

impl RateLimit {
    /// Adds the headers.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in self.headers() {
            headers.insert(name, value);
        }
    }

    /// The headers of an answer.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let Self { name, quota, window, left, reset } = self;
        let policy = format!("\"{name}\";q={quota};w={}", secs(*window));
        let state = format!("\"{name}\";r={left};t={}", secs(*reset));
        let both = [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)];
        both.into_iter().filter_map(|(name, text)| text.parse().ok().map(|value| (name, value)))
    }

    /// The headers of a refusal, which say when to come back too.
    pub(super) fn refusal(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let wait = HeaderValue::from(secs(self.reset).max(1));
        self.headers().chain([(RETRY_AFTER, wait)])
    }
}

impl From<&Reached> for RateLimit {
    fn from(reached: &Reached) -> Self {
        let Reached { name, allowance, wait } = *reached;
        Self { name, quota: allowance.burst, window: allowance.period, left: 0, reset: wait }
    }
}

impl From<Metered> for RateLimit {
    fn from(metered: Metered) -> Self {
        let Metered { name, burst, window, left, reset } = metered;
        Self { name, quota: burst, window, left, reset }
    }
}

impl Meter {
    /// A meter for a request whose credential may have a limit of its own: an API key.
    pub(super) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let is_key = |value: &HeaderValue| {
            let (scheme, key) = value.as_bytes().split_at_checked(7).unwrap_or_default();
            scheme.eq_ignore_ascii_case(b"apikey ") || key.starts_with(b"bwk_")
        };
        let wants = headers.contains_key(X_API_KEY) || headers.get(AUTHORIZATION).is_some_and(is_key);
        wants.then(Self::default)
    }

    /// Notes what is left.
    pub(super) fn note(&self, limit: RateLimit) {
        let _ = self.0.set(limit); // one credential a request
    }

    /// Adds the headers, if something was noted.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if let Some(limit) = self.0.get() {
            limit.write(headers);
        }
    }
}

/// Whole seconds, rounded up.
fn secs(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_draft_says() {
        let limit = RateLimit {
            name: "api-key",
            quota: 100,
            window: Duration::from_secs(10),
            left: 50,
            reset: Duration::from_millis(4_001),
        };
        let mut headers = HeaderMap::new();
        limit.write(&mut headers);
        assert_eq!(headers[RATE_LIMIT_POLICY], "\"api-key\";q=100;w=10");
        assert_eq!(headers[RATE_LIMIT], "\"api-key\";r=50;t=5");
        assert!(!headers.contains_key(RETRY_AFTER));
        let refusal: Vec<_> = limit.refusal().collect();
        assert!(refusal.contains(&(RETRY_AFTER, HeaderValue::from(5))));
    }

    #[test]
    fn only_api_keys_are_metered() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            Meter::wanted(&headers).is_some()
        };
        assert!(with("x-api-key", "anything") && with("authorization", "ApiKey x"));
        assert!(with("authorization", "Bearer bwk_prod_x") && with("authorization", "bearer bwk_prod_x"));
        assert!(
            !with("authorization", "Bearer ey.J.x")
                && !with("authorization", "Basic eDp5")
                && !with("cookie", "x")
        );
    }
}
