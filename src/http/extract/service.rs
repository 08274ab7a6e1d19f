//! Permission for programs inside the trusted network.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Authenticated, Permit};
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
