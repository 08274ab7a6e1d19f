//! Permission for programs inside the trusted network.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use secrecy::{ExposeSecret, SecretString};

use super::{Authenticated, Permit, credential::bearer};
use crate::{
    authn::Caller,
    authorize::EntityRef,
    base::TenantId,
    clients::{self, ServiceCaller, WordError},
    http::{
        actions::Action,
        codes::Code,
        problem::{Problem, Result},
        state::AppState,
    },
    tokens::Onward,
};

/// Proof that the caller is a program with a token of its own (RFC 6749 §4.4) and may do `A` in its tenant.
#[derive(Debug)]
pub struct ServicePermit<A> {
    /// The program.
    pub service: Arc<ServiceCaller>,
    /// The permission.
    pub permit: Permit<A>,
}

impl<A> ServicePermit<A> {
    /// The one tenant of which the program may know; none for the installation's own programs, which know of all.
    pub fn within(&self) -> Option<TenantId> {
        Some(self.service.tenant_id).filter(|tenant| *tenant != TenantId::DEFAULT)
    }

    /// The service of the name `audience` that the program's request goes on to.
    ///
    /// Errors: `validation_failed`: it is no name.
    pub fn onward(&self, audience: Option<&str>) -> Result<Option<Onward<'_>>> {
        let wrong =
            |error: WordError| Problem::new(Code::ValidationFailed).at("/audience", error.to_string());
        let audience = audience.map(clients::audience).transpose().map_err(wrong)?;
        let request_id = &self.permit.client.request_id;
        Ok(audience.map(|audience| Onward { audience, request_id }))
    }
}

impl<A: Action> FromRequestParts<AppState> for ServicePermit<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let caller = Authenticated::from_request_parts(parts, app).await?;
        // A credential of another kind is good for nothing here, whatever its holder may do (R73).
        let Caller::Service(service) = &caller.caller else { return Err(Problem::new(Code::WrongTokenType)) };
        let service = Arc::clone(service);
        let resource = EntityRef::new("Tenant", service.tenant_id.to_string());
        Ok(Self { service, permit: caller.permit(app, resource).await? })
    }
}

/// A [`ServicePermit`] that is looked at again and again, for an answer that lasts (threat T59).
#[derive(Debug)]
pub struct StandingPermit<A> {
    /// As it was when the answer began.
    pub by: ServicePermit<A>,
    token: SecretString,
}

impl<A: Action> StandingPermit<A> {
    /// Whether the program would be let in now too: its token has not ended, and nothing has ended its token. At the
    /// token's end that is over at once, without leeway; while nobody knows, it is over as well.
    pub async fn stands(&self, app: &AppState) -> bool {
        let ServicePermit { service, permit } = &self.by;
        if service.claims.exp <= app.clock.now().as_secs() {
            return false;
        }
        let caller = app.authn.identify_from(Some(self.token.expose_secret()), permit.client.ip).await;
        matches!(caller, Ok(Caller::Service(_)))
    }

    /// Whether the policies still permit it.
    pub async fn is_permitted(&self, app: &AppState) -> bool {
        let ServicePermit { service, permit } = &self.by;
        let (caller, client) = (permit.caller.clone(), permit.client.clone());
        let again = Authenticated { caller, client, at: app.clock.now() };
        again.may::<A>(app, ("Tenant", &service.tenant_id.to_string())).await.is_ok()
    }
}

impl<A: Action> FromRequestParts<AppState> for StandingPermit<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let by = ServicePermit::from_request_parts(parts, app).await?;
        let token = bearer(&parts.headers).ok_or_else(|| Problem::new(Code::TokenMissing))?;
        Ok(Self { by, token: SecretString::from(token) })
    }
}
