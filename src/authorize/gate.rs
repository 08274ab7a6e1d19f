//! The decisions about people who sign in or go on with a session, for `authn`.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{AuthorizeError, AuthorizeService, Denial, Guarded, Permission};
use crate::{
    authn::{AuthnError, Entrant, Gate, proves_second_factor},
    base::Clock,
    policy::ServerContext,
    tenants::TenantService,
};

/// Asks the system store.
#[derive(Debug)]
pub struct PolicyGate {
    /// What decides.
    pub authorize: Arc<AuthorizeService>,
    /// Whose lists are part of the question.
    pub tenants: Arc<TenantService>,
    /// The time of the question.
    pub clock: Arc<dyn Clock>,
}

impl PolicyGate {
    async fn decide(&self, entrant: Entrant<'_>) -> Result<(), AuthnError> {
        let Entrant { tenant, user, action, client, .. } = entrant;
        let settings = self.tenants.get(tenant).await?.ok_or(AuthnError::UserGone)?;
        let settings = &settings.settings;
        let session = entrant.session.map(|session| session.to_string());
        let server = ServerContext {
            now: Some(self.clock.now()),
            ip: client.ip,
            amr: Some(entrant.amr),
            auth_time: Some(entrant.auth_time),
            session_id: session.as_deref(),
            client_id: None,
            origin: client.origin.as_deref(),
            ip_allowed: settings.lists_address(client.ip),
            origin_allowed: settings.lists_origin(client.origin.as_deref()),
            mfa: Some(proves_second_factor(entrant.amr)),
            device_known: entrant.device_known,
            failed_attempts: entrant.failed_attempts,
        };
        let (user, resource) = (user.to_string(), tenant.to_string());
        let (principal, resource) = (("User", &*user), ("Tenant", &*resource));
        let guarded = Guarded { principal, action, resource, server: &server };
        let decided = self.authorize.guard(tenant, guarded).await.map_err(|error| match error {
            AuthorizeError::Storage(error) => AuthnError::Storage(error),
            AuthorizeError::Entropy(error) => AuthnError::Entropy(error),
            error => AuthnError::Undecided(error.to_string()),
        })?;
        let Permission::Denied(Denial { decision_id: decision, step_up }) = decided else { return Ok(()) };
        match step_up {
            Some(wanted) => {
                let (acr, max_age_secs) = (wanted.acr.clone(), wanted.max_age_secs);
                Err(AuthnError::ProofDemanded { decision, acr, max_age_secs })
            }
            None => Err(AuthnError::Denied { action, decision }),
        }
    }
}

impl Gate for PolicyGate {
    fn ask<'a>(&'a self, entrant: Entrant<'a>) -> BoxFuture<'a, Result<(), AuthnError>> {
        Box::pin(self.decide(entrant))
    }
}
