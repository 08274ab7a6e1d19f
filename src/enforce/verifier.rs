//! Verification with keys that are kept fresh.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    claims::{Claims, verify},
    jwks::{JwksError, KeySet},
};
use crate::jws::{Expected, Refusal};

/// Clock difference that is forgiven unless the service says otherwise.
const LEEWAY: Duration = Duration::from_secs(5);

/// Why there are no claims.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The token is at fault: 401.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its key is unknown and newer keys cannot be had: 503.
    #[error(transparent)]
    KeysUnavailable(#[from] JwksError),
}

/// Verifies access tokens of one issuer for one audience.
pub struct Verifier {
    issuer: String,
    audience: String,
    leeway: Duration,
    keys: KeySet,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Verifier {
    /// A verifier of tokens that `issuer` issued (exactly as in `iss`: no trailing slash) for `audience`,
    /// by the machine's clock, forgiving 5 seconds.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, keys: KeySet) -> Self {
        let (issuer, audience) = (issuer.into(), audience.into());
        Self { issuer, audience, leeway: LEEWAY, keys, clock: Arc::new(unix_millis) }
    }

    /// Forgives this much clock difference.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Takes the time from `clock`: Unix milliseconds.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Verifies an access token; looks for new keys if it names an unknown one, at most every 30 seconds.
    ///
    /// Errors: `Refused`, `KeysUnavailable`.
    pub async fn verify(&self, token: &str) -> Result<Claims, VerifyError> {
        match self.verify_now(token) {
            Err(Refusal::UnknownKey) => {
                self.keys.refresh_if_due((self.clock)()).await?;
                Ok(self.verify_now(token)?)
            }
            answer => Ok(answer?),
        }
    }

    /// Verifies an access token with the keys that are known now.
    ///
    /// Errors: [`Refusal`].
    pub fn verify_now(&self, token: &str) -> Result<Claims, Refusal> {
        let expected = Expected {
            issuer: &self.issuer,
            audience: Some(&self.audience),
            leeway: self.leeway,
            now_ms: (self.clock)(),
        };
        verify(token, &expected, &self.keys.keys())
    }

    /// Looks for new keys now: at the start of a service, and every few minutes.
    ///
    /// Errors: [`JwksError`]; the known keys stay.
    pub async fn refresh(&self) -> Result<(), JwksError> {
        self.keys.refresh((self.clock)()).await
    }

    /// The keys.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Verifier");
        out.field("issuer", &self.issuer).field("audience", &self.audience).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "a service without a clock of its own gets the machine's")]
fn unix_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
