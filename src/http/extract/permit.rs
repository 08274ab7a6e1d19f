//! Permission as a type: a handler that takes a permit runs only after our own engine said yes.

use std::{marker::PhantomData, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};

use secrecy::SecretString;

use super::{
    checks::{Checks, ask, denied, is_issuing},
    client::Client,
    credential::{Credential, bearer, credential},
    path::parameter,
};
use crate::{
    api_keys::KeyUse,
    audit::Actor,
    authn::{Caller, UserCaller},
    authorize::{Denial, EntityRef, Guarded, Permission},
    base::{Millis, TenantId},
    http::{
        actions::{Action, ResourceOf, UseApiKey},
        arrival::Arrival,
        codes::Code,
        cookies::{self, cookie},
        problem::{Problem, Result},
        rate_limit::Meter,
        state::AppState,
    },
    policy::ServerContext,
    tenants::Tenant,
};

/// What the audit log calls a stranger.
pub(super) const ANONYMOUS: &str = "anonymous";

/// A caller whose credentials are good, before anything was permitted; never [`Caller::Anonymous`]. For the
/// operations whose resource stands in the body: they must ask for a [`Permit`] before they do anything.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who is calling.
    pub caller: Caller,
    /// Where from.
    pub client: Client,
    /// When it came.
    pub at: Millis,
}

/// Proof that the caller, of whatever kind, may do `A`.
#[derive(Debug)]
pub struct Permit<A> {
    /// Who is calling.
    pub caller: Caller,
    /// Where from.
    pub client: Client,
    action: PhantomData<A>,
}

/// Proof that the caller is a person and may do `A`: for what has to do with an account or a session.
#[derive(Debug)]
pub struct UserPermit<A> {
    /// Who is calling.
    pub user: Arc<UserCaller>,
    /// Where from.
    pub client: Client,
    action: PhantomData<A>,
}

/// Proof that anyone may do `A` here and now, signed in or not.
#[derive(Debug)]
pub struct OpenPermit<A> {
    /// Where the request comes from.
    pub client: Client,
    /// The access token, unverified, if the request brought one.
    pub bearer: Option<SecretString>,
    action: PhantomData<A>,
}

impl Authenticated {
    /// Asks the engine whether the caller may do several things to `resource`, which [`Checks::may`] names. `server`:
    /// [`Authenticated::server`].
    pub async fn checks<'a>(
        &'a self,
        app: &'a AppState,
        server: &'a ServerContext<'a>,
        resource: (&'a str, &'a str),
    ) -> Result<Checks<'a>> {
        Checks::new(app, &self.caller, server, resource).await
    }

    /// Asks the engine whether the caller may do `A` to `resource`, a type and an id.
    pub async fn may<A: Action>(&self, app: &AppState, resource: (&str, &str)) -> Result<()> {
        ask::<A>(app, &self.caller, &self.server(), resource).await
    }

    /// As [`Authenticated::may`] of something that is done to a tenant, with what its lists say of the request (R98).
    pub async fn may_in<A: Action>(&self, app: &AppState, tenant: &Tenant) -> Result<()> {
        let server = self.client.server_context_in(tenant, self.at);
        ask::<A>(app, &self.caller, &server, ("Tenant", &tenant.id.to_string())).await
    }

    /// What the server knows of the request.
    pub fn server(&self) -> ServerContext<'_> {
        let known = self.client.server_context(self.caller.user().map(|user| &**user), self.at);
        match &self.caller {
            Caller::Service(service) => ServerContext { client_id: Some(&service.name), ..known },
            Caller::Anonymous | Caller::User(_) | Caller::Key(_) => known,
        }
    }

    /// What it knows where the question is not about the caller: how somebody signed in says nothing about anybody
    /// else. `user` is who the question is about, if they said so by a token of theirs.
    pub fn server_for<'a>(&'a self, user: Option<&'a UserCaller>) -> ServerContext<'a> {
        self.client.server_context(user, self.at)
    }

    /// As [`Authenticated::may`], with a proof of it.
    pub async fn permit<A: Action>(self, app: &AppState, resource: EntityRef) -> Result<Permit<A>> {
        let tenant = if is_issuing(A::NAME) { app.tenants.get(self.caller.tenant()).await? } else { None };
        let server = match &tenant {
            Some(tenant) => self.client.listed(self.server(), tenant),
            None => self.server(),
        };
        ask::<A>(app, &self.caller, &server, (&resource.type_name, &resource.id)).await?;
        Ok(Permit { caller: self.caller, client: self.client, action: PhantomData })
    }
}

impl<A: Action> Permit<A> {
    /// The tenant that the caller belongs to; never taken from a body.
    pub fn tenant(&self) -> TenantId {
        self.caller.tenant()
    }

    /// The caller as the audit log names them.
    pub fn actor(&self) -> Actor<'_> {
        Actor { name: self.caller.name(), request_id: Some(&self.client.request_id) }
    }

    /// Asks the engine whether the caller may do `A` to this `resource` too.
    pub async fn also(&self, app: &AppState, resource: EntityRef) -> Result<()> {
        self.may::<A>(app, resource).await
    }

    /// Asks the engine whether the caller may do something else, which this comes down to.
    pub async fn may<B: Action>(&self, app: &AppState, resource: EntityRef) -> Result<()> {
        let server = self.client.server_context(self.caller.user().map(|user| &**user), app.clock.now());
        ask::<B>(app, &self.caller, &server, (&resource.type_name, &resource.id)).await
    }
}

impl<A: Action> UserPermit<A> {
    /// The tenant that the caller belongs to; never taken from a body.
    pub fn tenant(&self) -> TenantId {
        self.user.tenant_id
    }

    /// The caller as the audit log names them.
    pub fn actor(&self) -> Actor<'_> {
        Actor { name: &self.user.name, request_id: Some(&self.client.request_id) }
    }
}

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let Ok(client) = Client::from_request_parts(parts, app).await;
        let caller = match credential(parts)? {
            Some(Credential::Bearer(token)) => app.authn.identify_from(Some(token), client.ip).await?,
            Some(Credential::Key(key)) => Box::pin(holder_of(app, &client, key, meter(parts))).await?,
            None => app.authn.identify_from(in_cookie(parts, app)?, client.ip).await?,
        };
        match &caller {
            Caller::Anonymous => return Err(Problem::new(Code::TokenMissing)),
            Caller::User(user) if user.is_vouched_for() && client.has_origin() => {
                Box::pin(check_origin(app, &client, user)).await?;
            }
            Caller::User(_) | Caller::Key(_) | Caller::Service(_) => {}
        }
        Ok(Self { caller, client, at: app.clock.now() })
    }
}

impl<A: Action> FromRequestParts<AppState> for Permit<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let caller = Authenticated::from_request_parts(parts, app).await?;
        let resource = resource_of::<A>(&caller.caller, parts, app).await?;
        caller.permit(app, resource).await
    }
}

impl<A: Action> FromRequestParts<AppState> for UserPermit<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let caller = Authenticated::from_request_parts(parts, app).await?;
        // A credential of another kind is good for nothing here, whatever its holder may do (R73).
        let user = caller.caller.user().cloned().ok_or_else(|| Problem::new(Code::WrongTokenType))?;
        let resource = resource_of::<A>(&caller.caller, parts, app).await?;
        let Permit { client, action, .. } = caller.permit::<A>(app, resource).await?;
        Ok(Self { user, client, action })
    }
}

async fn resource_of<A: Action>(caller: &Caller, parts: &mut Parts, app: &AppState) -> Result<EntityRef> {
    Ok(match A::RESOURCE {
        ResourceOf::Tenant => EntityRef::new("Tenant", caller.tenant().to_string()),
        ResourceOf::Installation => EntityRef::new("Tenant", TenantId::DEFAULT.to_string()),
        ResourceOf::Caller => {
            let (kind, id) = caller.entity();
            EntityRef::new(kind, id)
        }
        ResourceOf::User => {
            let id = parameter(parts, app, "user_id").await?;
            let is_known = match id.parse() {
                Ok(id) => app.users.get(caller.tenant(), id).await?.is_some(),
                Err(_) => false,
            };
            // Whoever may not ask about a user of the tenant is refused alike for one that there is not.
            if is_known {
                EntityRef::new("User", id)
            } else {
                EntityRef::new("Tenant", caller.tenant().to_string())
            }
        }
        ResourceOf::ApiKey => EntityRef::new("ApiKey", parameter(parts, app, "key_id").await?),
        ResourceOf::PolicyStore => EntityRef::new("PolicyStore", parameter(parts, app, "store").await?),
    })
}

impl<A: Action> FromRequestParts<AppState> for OpenPermit<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let Ok(client) = Client::from_request_parts(parts, app).await;
        let server = client.server_context(None, app.clock.now());
        ask::<A>(app, &Caller::Anonymous, &server, ("Tenant", &TenantId::DEFAULT.to_string())).await?;
        // Credentials of another kind, such as a proxy's, are no reason to refuse who needs none.
        let bearer = bearer(&parts.headers).or_else(|| in_cookie(parts, app).unwrap_or_default());
        let bearer = bearer.map(SecretString::from);
        Ok(Self { client, bearer, action: PhantomData })
    }
}

impl<A: Action> OpenPermit<A> {
    /// The tenant that a body names, by its id or as a client, if anyone may do `A` there; the installation's own when
    /// none is named.
    ///
    /// Errors: the tenant's lists, or other policies, forbid it; what is named is no tenant's id.
    pub async fn enter(&self, app: &AppState, named: Option<&str>) -> Result<TenantId> {
        let unknown = || Problem::new(Code::ValidationFailed).at("/tenant", "is not the id of a tenant");
        let id = match named {
            None => TenantId::DEFAULT,
            Some(named) => Tenant::named(named).ok_or_else(unknown)?,
        };
        let tenant = app.tenants.get(id).await?.ok_or_else(unknown)?;
        let server = self.client.server_context_in(&tenant, app.clock.now());
        let was_asked =
            id == TenantId::DEFAULT && server.ip_allowed.is_none() && server.origin_allowed.is_none();
        if !was_asked {
            ask::<A>(app, &Caller::Anonymous, &server, ("Tenant", &id.to_string())).await?;
        }
        Ok(id)
    }

    /// The stranger as the audit log names them.
    pub fn actor(&self) -> Actor<'_> {
        Actor { name: ANONYMOUS, request_id: Some(&self.client.request_id) }
    }
}

/// The access token in a cookie, if the request brought one. SECURITY: it counts for what changes something only if a
/// page of ours sent it (threat T17).
fn in_cookie<'p>(parts: &'p Parts, app: &AppState) -> Result<Option<&'p str>> {
    let sent = cookie(&parts.headers, cookies::ACCESS);
    if sent.is_some() && !cookies::is_safe(&parts.method) && !cookies::is_from_our_page(app, &parts.headers) {
        return Err(Problem::new(Code::CrossSite));
    }
    Ok(sent)
}

/// What a tenant's own server handed on to a page is for pages of one origin, and of those that are on the tenant's
/// list now (R103, threat T46). A program that sends no origin is not a page.
async fn check_origin(app: &AppState, client: &Client, user: &UserCaller) -> Result<()> {
    let Some(origin) = client.origin() else { return Ok(()) };
    let is_bound = user.claims.origin.as_deref().is_none_or(|bound| bound == origin);
    let tenant = app.tenants.get(user.tenant_id).await?;
    let is_listed = tenant.is_some_and(|tenant| {
        let listed = &tenant.settings.allowed_origins;
        listed.is_empty() || listed.iter().any(|known| known.as_str() == origin)
    });
    if is_bound && is_listed { Ok(()) } else { Err(Problem::new(Code::OriginNotAllowed)) }
}

fn meter(parts: &Parts) -> Option<&Meter> {
    parts.extensions.get::<Arrival>()?.meter.as_ref()
}

/// Who uses an API key. Its use is a decision, which is asked for when the key was not known a moment ago from
/// this address.
async fn holder_of(app: &AppState, client: &Client, key: &str, meter: Option<&Meter>) -> Result<Caller> {
    let used = app.api_keys.verify(key, client.ip).await?;
    if let (Some(meter), Some(metered)) = (meter, used.metered) {
        meter.note(metered.into());
    }
    match refused_use(app, client, &used).await? {
        Some(refused) => Err(denied(Code::PolicyViolation, UseApiKey::NAME, &refused.denial)),
        None => Ok(Caller::Key(used.caller)),
    }
}

/// A use of an API key that the policies forbid.
#[derive(Debug)]
pub struct RefusedUse {
    /// What the tenant's networks say of it, where it has a list of them.
    pub ip_allowed: Option<bool>,
    /// What its origins say.
    pub origin_allowed: Option<bool>,
    denial: Denial,
}

/// Asks the engine whether a key may be used by this client, unless it said so a moment ago.
pub async fn refused_use(app: &AppState, client: &Client, used: &KeyUse) -> Result<Option<RefusedUse>> {
    // Pages of several origins may share an address.
    if used.is_permitted() && !client.has_origin() {
        return Ok(None);
    }
    let (key, now) = (&used.caller, app.clock.now());
    let server = match app.tenants.get(key.tenant_id).await? {
        Some(tenant) => client.server_context_in(&tenant, now),
        None => client.server_context(None, now),
    };
    let tenant = key.tenant_id.to_string();
    let (principal, resource) = (("ApiKey", &*key.name), ("Tenant", &*tenant));
    let guarded = Guarded { principal, action: UseApiKey::NAME, resource, server: &server };
    if let Permission::Denied(denial) = app.authorize.guard(key.tenant_id, guarded).await? {
        let ServerContext { ip_allowed, origin_allowed, .. } = server;
        return Ok(Some(RefusedUse { ip_allowed, origin_allowed, denial }));
    }
    used.permitted();
    Ok(None)
}
