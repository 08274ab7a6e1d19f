//! Verification with keys that are kept fresh.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    claims::Claims,
    context::ContextClaims,
    jwks::{JwksError, KeySet},
};
use crate::jws::{self, Expected, Kind, Refusal};

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

/// Verifies tokens of one kind and one issuer for one audience: access tokens, or with [`ContextVerifier`] context tokens.
pub struct Verifier<K = Claims> {
    issuer: String,
    audience: String,
    leeway: Duration,
    keys: Arc<KeySet>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    kind: PhantomData<fn() -> K>,
}

/// Verifies context tokens: what a gateway, having asked the server, tells a service in `X-Context-Token`.
pub type ContextVerifier = Verifier<ContextClaims>;

impl Verifier {
    /// A verifier of access tokens that `issuer` issued (exactly as in `iss`: no trailing slash) for `audience`,
    /// by the machine's clock, forgiving 5 seconds.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, keys: impl Into<Arc<KeySet>>) -> Self {
        Self::of_kind(issuer.into(), audience.into(), keys.into())
    }
}

impl ContextVerifier {
    /// A verifier of context tokens that `issuer` issued for the service of the name `service`, as the gateway gives
    /// it in `audience`; otherwise as [`Verifier::new`].
    pub fn for_service(
        issuer: impl Into<String>,
        service: impl Into<String>,
        keys: impl Into<Arc<KeySet>>,
    ) -> Self {
        Self::of_kind(issuer.into(), service.into(), keys.into())
    }
}

impl<K: Kind> Verifier<K> {
    fn of_kind(issuer: String, audience: String, keys: Arc<KeySet>) -> Self {
        Self { issuer, audience, leeway: LEEWAY, keys, clock: Arc::new(unix_millis), kind: PhantomData }
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

    /// Verifies a token; looks for new keys if it names an unknown one, at most every 30 seconds.
    ///
    /// Errors: `Refused`, `KeysUnavailable`.
    pub async fn verify(&self, token: &str) -> Result<K::Claims, VerifyError> {
        match self.verify_now(token) {
            Err(Refusal::UnknownKey) => {
                self.keys.refresh_if_due((self.clock)()).await?;
                Ok(self.verify_now(token)?)
            }
            answer => Ok(answer?),
        }
    }

    /// Verifies a token with the keys that are known now.
    ///
    /// Errors: [`Refusal`].
    pub fn verify_now(&self, token: &str) -> Result<K::Claims, Refusal> {
        let expected = Expected {
            issuer: &self.issuer,
            audience: Some(&self.audience),
            leeway: self.leeway,
            now_ms: (self.clock)(),
        };
        let keys = self.keys.keys();
        jws::verify::<K>(token, &expected, |kid| keys.get(kid))
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

impl<K> fmt::Debug for Verifier<K> {
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
