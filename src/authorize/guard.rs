//! Guarding our own API, on the `system` store.
//!
//! Each request asks once or more, mostly what the same caller asked a moment ago. A verdict is a function of the
//! snapshot, the entities and the query; where no policy that was looked at names the context
//! ([`Verdict::reads_context`]), one that is held still stands as long as everything else is the same:
//!
//! ```text
//! held for  principal, action, resource, tenant, and which facts of the context are known at all
//! stands if the policies are the same (digest), the pushed entities are (revision), and what is known of the
//!           principal is (the very same entities, which identity's cache has just called current)
//! ```
//! SECURITY: nothing here has a lifetime of its own. A grant, a revocation, a new version or a pushed entity makes
//! one of the three differ, and the engine is asked again. Verdicts with errors, and those of a store that verifies
//! its index, are not held.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use quick_cache::{Equivalent, sync::Cache};
use tracing::Level;

use super::{
    AuthorizeError, AuthorizeService, Denial, Guarded, Permission, Pinned,
    identity::{IdentityEntities, Made, Named},
    service::Decided,
};
use crate::{
    base::{DecisionId, Digest32, TenantId},
    policy::{EntityTable, Revision, ServerContext, StepUp, StoreName, Verdict},
    telemetry::metrics::Outcome,
};

static SYSTEM: LazyLock<StoreName> = LazyLock::new(StoreName::system);

/// Verdicts that are held.
const MAX_HELD: usize = 16_384;

/// What is asked, as it is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    tenant: TenantId,
    action: &'static str,
    known: u16,
    principal: (String, String),
    resource: (String, String),
}

/// What is asked, as it comes. Hashes as [`Asked`] does.
#[derive(Debug, Clone, Copy, Hash)]
struct Asking<'a> {
    tenant: TenantId,
    action: &'static str,
    known: u16,
    principal: (&'a str, &'a str),
    resource: (&'a str, &'a str),
}

/// All that a verdict depends on besides what is asked.
///
/// INVARIANT: these are the layers of entities that a guard is decided on; another layer is another ground.
#[derive(Debug, Clone)]
struct Grounds {
    policies: Digest32,
    entities: Option<Revision>,
    /// Held, not only pointed to, so that its address is nobody else's.
    principal: Option<Arc<Made>>,
}

/// What the engine said.
#[derive(Debug, Clone)]
struct Said {
    allow: bool,
    candidates: u32,
    step_up: Option<Arc<StepUp>>,
}

/// Verdicts that stand as long as their grounds do.
#[derive(Debug)]
pub struct GuardMemo(Cache<Asked, (Grounds, Said)>);

impl Default for GuardMemo {
    fn default() -> Self {
        Self(Cache::new(MAX_HELD))
    }
}

impl Equivalent<Asked> for Asking<'_> {
    fn equivalent(&self, held: &Asked) -> bool {
        let same = |held: &(String, String), asked: (&str, &str)| held.0 == asked.0 && held.1 == asked.1;
        (self.tenant, self.action, self.known) == (held.tenant, held.action, held.known)
            && same(&held.principal, self.principal)
            && same(&held.resource, self.resource)
    }
}

impl Asking<'_> {
    fn held(self) -> Asked {
        let owned = |(kind, id): (&str, &str)| (kind.to_owned(), id.to_owned());
        let Self { tenant, action, known, .. } = self;
        Asked { tenant, action, known, principal: owned(self.principal), resource: owned(self.resource) }
    }
}

impl Grounds {
    fn are(&self, now: &Self) -> bool {
        let same = match (&self.principal, &now.principal) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same && self.policies == now.policies && self.entities == now.entities
    }
}

/// One principal and one resource, on one snapshot: what is asked of them one action after the other.
#[derive(Debug)]
pub struct Guard<'a> {
    service: &'a AuthorizeService,
    tenant: TenantId,
    principal: (&'a str, &'a str),
    resource: (&'a str, &'a str),
    server: &'a ServerContext<'a>,
    pinned: Pinned,
    identity: IdentityEntities,
    /// `None` when no verdict of these is held.
    grounds: Option<Grounds>,
    /// When it was asked for, until the first action was.
    asked_at: Option<Instant>,
}

impl AuthorizeService {
    /// Decides whether our own API may go on, by the `system` store.
    ///
    /// Errors: as [`AuthorizeService::pin`] and [`AuthorizeService::check`].
    /// Source: authorize.md §4.
    pub async fn guard(&self, tenant: TenantId, guarded: Guarded<'_>) -> Result<Permission, AuthorizeError> {
        let Guarded { principal, action, resource, server } = guarded;
        self.guarding(tenant, principal, resource, server).await?.may(action).await
    }

    /// Everything that guards of one principal and one resource have in common.
    ///
    /// Errors: as [`AuthorizeService::guard`].
    pub async fn guarding<'a>(
        &'a self,
        tenant: TenantId,
        principal: (&'a str, &'a str),
        resource: (&'a str, &'a str),
        server: &'a ServerContext<'a>,
    ) -> Result<Guard<'a>, AuthorizeError> {
        let pinned = self.pin(&SYSTEM).await?;
        let asked_at = Some(Instant::now());
        let snapshot = &pinned.snapshot;
        let named = Named::of([principal, resource], snapshot.identity());
        let identity = self.identity.entities(snapshot, tenant, &named).await;
        let identity = identity.inspect_err(|_| self.metrics.undecided(pinned.store().as_str()))?;
        let verifies = !self.sampling.is_off() || self.policies.live().is_distrusted(pinned.store());
        let grounds = (!verifies && !identity.are_mixed()).then(|| Grounds {
            policies: snapshot.digest(),
            entities: pinned.entities.as_ref().map(EntityTable::revision),
            principal: identity.one().cloned(),
        });
        Ok(Guard { service: self, tenant, principal, resource, server, pinned, identity, grounds, asked_at })
    }
}

impl Guard<'_> {
    /// Decides whether the principal may do `action` to the resource.
    ///
    /// Errors: as [`AuthorizeService::guard`].
    pub async fn may(&mut self, action: &'static str) -> Result<Permission, AuthorizeError> {
        let started = self.asked_at.take().unwrap_or_else(Instant::now);
        let said = self.said(action).await;
        let (service, store) = (self.service, self.pinned.store().as_str());
        let (allow, step_up) = match said {
            Ok(Said { allow, candidates, step_up }) => {
                service.metrics.decided(store, Outcome::of(allow), started.elapsed(), candidates);
                (allow, step_up)
            }
            // What the schema does not provide for, such as an action for callers of another kind, nobody may.
            Err(AuthorizeError::Query(problem)) => {
                service.metrics.undecided(store);
                tracing::debug!(action, %problem, "own api guarded: not provided for");
                (false, None)
            }
            Err(error) => {
                service.metrics.undecided(store);
                return Err(error);
            }
        };
        if allow && !tracing::enabled!(Level::DEBUG) {
            return Ok(Permission::Allowed); // nobody is told its id
        }
        let decision_id = DecisionId::new(service.clock.now(), &*service.entropy)?;
        let policy_version = self.pinned.version().0;
        tracing::debug!(%decision_id, action, allow, policy_version, "own api guarded");
        Ok(if allow { Permission::Allowed } else { Permission::Denied(Denial { decision_id, step_up }) })
    }

    async fn said(&self, action: &'static str) -> Result<Said, AuthorizeError> {
        let Self { service, tenant, principal, resource, server, .. } = *self;
        let asking = Asking { tenant, action, known: server.known(), principal, resource };
        if let Some(grounds) = &self.grounds
            && let Some((held, said)) = service.guards.0.get(&asking)
            && held.are(grounds)
        {
            return Ok(said);
        }
        let snapshot = &self.pinned.snapshot;
        let query = snapshot.query_named(principal, action, resource, server)?;
        let decided = service.decide_once(&self.pinned, &query, &self.identity, None, false)?;
        let Decided { verdict, walk, .. } = decided;
        let verdict = match walk {
            Some(walk) => Box::pin(service.settle(verdict, walk)).await,
            None => verdict,
        };
        let step_up = snapshot.step_up(&verdict).map(Arc::new);
        let Verdict { allow, candidates, .. } = verdict;
        let said = Said { allow, candidates, step_up };
        if let Some(grounds) = &self.grounds
            && !verdict.reads_context
            && verdict.errors.is_empty()
        {
            service.guards.0.insert(asking.held(), (grounds.clone(), said.clone()));
        }
        Ok(said)
    }
}
