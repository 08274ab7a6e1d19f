//! Who calls.

use std::{net::IpAddr, sync::Arc};

use super::{AuthnError, AuthnService, Caller, UserCaller, shared_claims::Shared};
use crate::{
    base::{Digest32, Millis},
    clients::ClientError,
    sessions::{SessionError, View},
    telemetry::metrics::CallerLookup,
    tokens::{AccessClaims, Presented},
};

/// Longest token that is looked up; longer ones are refused by the verifier anyway.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

impl AuthnService {
    /// [`AuthnService::identify_from`], of a token that came from nobody knows where.
    ///
    /// Errors: as there.
    pub async fn identify(&self, bearer: Option<&str>) -> Result<Caller, AuthnError> {
        self.identify_from(bearer, None).await
    }

    /// Says who calls, by the bearer token of the request, and notes that its session is used. No token is nobody; a
    /// token that is not accepted is an error, never nobody. Verified callers are remembered for a while; see
    /// `callers`.
    ///
    /// Errors: `Token`, `Session` (`Revoked`, `Expired`), `Client` (`Revoked`), `Storage`.
    /// Source: identity.md §2.6.
    pub async fn identify_from(
        &self,
        bearer: Option<&str>,
        ip: Option<IpAddr>,
    ) -> Result<Caller, AuthnError> {
        let Some(bearer) = bearer else { return Ok(Caller::Anonymous) };
        let now = self.parts.clock.now();
        let token = (bearer.len() <= MAX_TOKEN_BYTES).then(|| Digest32::of(bearer));
        if let Some(token) = &token
            && let Some(known) = self.remembered(token, now).await?
        {
            self.parts.metrics.caller_looked_up(CallerLookup::Hit);
            return Ok(self.seen(known, ip, now));
        }
        // Boxed, so that the many who are remembered do not carry the room that this takes.
        Box::pin(self.look_up(bearer, token, ip, now)).await
    }

    /// Who presents a token that this node does not remember.
    async fn look_up(
        &self,
        bearer: &str,
        token: Option<Digest32>,
        ip: Option<IpAddr>,
        now: Millis,
    ) -> Result<Caller, AuthnError> {
        let dropped_keys = self.parts.tokens.dropped_keys(); // before the verification
        if let Some(token) = &token
            && let Some(known) = self.shared(token, now, dropped_keys).await
        {
            self.parts.metrics.caller_looked_up(CallerLookup::Shared);
            return Ok(self.seen(Caller::User(known), ip, now));
        }
        self.parts.metrics.caller_looked_up(CallerLookup::Miss);
        match self.parts.tokens.verify_presented(bearer).await? {
            Presented::User(claims) => {
                let caller = self.let_in((bearer, claims), token, now, dropped_keys).await?;
                Ok(self.seen(Caller::User(caller), ip, now))
            }
            Presented::Service(claims) => {
                let expires = ends(claims.exp);
                let caller = Caller::Service(self.parts.clients.caller(claims).await?);
                if let Some(token) = token {
                    self.callers.keep(token, caller.clone(), (now, expires), dropped_keys);
                }
                Ok(caller)
            }
        }
    }

    fn seen(&self, caller: Caller, ip: Option<IpAddr>, now: Millis) -> Caller {
        if let Caller::User(user) = &caller {
            self.parts.sessions.note_use(&user.claims, &user.noted_at, ip, now);
        }
        caller
    }

    /// How many callers were verified in full since the start.
    #[must_use]
    pub fn verifications(&self) -> u64 {
        self.callers.misses()
    }

    /// How many passwords were hashed since the start.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.parts.passwords.hashes()
    }

    /// The caller who presented this token before, unless something speaks against taking their word.
    async fn remembered(&self, token: &Digest32, now: Millis) -> Result<Option<Caller>, AuthnError> {
        let (sessions, dropped_keys) = (&self.parts.sessions, self.parts.tokens.dropped_keys());
        let Some(caller) = self.callers.get(token, now, dropped_keys, || sessions.is_bus_degraded()) else {
            return Ok(None);
        };
        // SECURITY: asked on every hit; without it a revoked token would work until its entry ends.
        let ended: AuthnError = match &caller {
            Caller::Service(service) => match self.parts.clients.check_caller(service).await {
                Ok(()) => return Ok(Some(caller)),
                Err(error @ ClientError::Revoked) => error.into(),
                Err(nobody_knows) => return Err(nobody_knows.into()),
            },
            Caller::User(user) => match sessions.view(&user.claims, now) {
                View::Trust => return Ok(Some(caller)),
                View::Ask => return Ok(None),
                View::Ended => SessionError::Revoked.into(),
            },
            Caller::Key(_) | Caller::Anonymous => return Ok(None), // never kept
        };
        self.callers.forget(token);
        self.parts.metrics.caller_looked_up(CallerLookup::Refused);
        Err(ended)
    }

    /// The caller whom another node verified a moment ago, unless something speaks against taking its word.
    async fn shared(&self, token: &Digest32, now: Millis, dropped_keys: u64) -> Option<Arc<UserCaller>> {
        let (sessions, tokens) = (&self.parts.sessions, &self.parts.tokens);
        // While the bus is down, what is not in memory is asked of SQL (identity.md §2.6).
        if !self.shared.is_used() || sessions.is_bus_degraded() {
            return None;
        }
        let Shared { claims, kid, at_ms, until_ms } = self.shared.get(token, now).await?;
        // SECURITY: both are asked every time; without them a revoked token, or one of a dropped key, would work.
        if sessions.view(&claims, now) != View::Trust || !tokens.knows_key(&kid) {
            self.shared.forget(token).await;
            return None;
        }
        let caller = Arc::new(UserCaller::of(claims));
        self.callers.adopt(*token, Caller::User(Arc::clone(&caller)), (at_ms, until_ms), dropped_keys);
        Some(caller)
    }

    async fn let_in(
        &self,
        (bearer, claims): (&str, AccessClaims),
        token: Option<Digest32>,
        now: Millis,
        dropped_keys: u64,
    ) -> Result<Arc<UserCaller>, AuthnError> {
        let session_ends = self.parts.sessions.check_live(&claims).await?;
        let mut caller = UserCaller::of(claims);
        if let Some(known) = token.as_ref().and_then(|token| self.callers.noted_at(token)) {
            caller.noted_at = known;
        }
        let caller = Arc::new(caller);
        let Some(token) = token else { return Ok(caller) };
        let ends = ends(caller.claims.exp).min(session_ends);
        let until_ms = self.callers.keep(token, Caller::User(Arc::clone(&caller)), (now, ends), dropped_keys);
        if self.shared.is_used()
            && let Some(kid) = self.parts.tokens.signer_of(bearer)
        {
            let shared = Shared { claims: caller.claims.clone(), kid, at_ms: now, until_ms };
            self.shared.put(&token, &shared, now).await;
        }
        Ok(caller)
    }
}

/// The end of a token that ends at `exp`, seconds.
fn ends(exp: i64) -> Millis {
    Millis(exp.saturating_mul(1000))
}
