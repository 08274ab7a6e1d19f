//! Tenants from beginning to end: made with a first user and a first key, suspended with all that was issued.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};

use super::{
    AuthnError, AuthnService,
    throttle::{Limit, network_of},
};
use crate::{
    api_keys::{CreatedKey, KeyLimits, KeyName, NewApiKey, Rate, Scopes, Slot},
    audit::Actor,
    base::TenantId,
    roles::TENANT_ADMIN,
    sessions::Ended,
    storage::Tx,
    tenants::{CompanyName, NewTenant, Plan, Tenant, TenantStatus},
    users::{Email, NewUser, User, UserStatus},
    write_tx,
};

/// What a tenant's own keys are for.
const SCOPES: [&str; 4] = ["decisions", "sessions", "client.read", "client.keys"];

/// A company that registers.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Its name.
    pub company: CompanyName,
    /// What it books.
    pub plan: String,
    /// The address of its first user.
    pub email: Email,
    /// The password of its first user.
    pub password: SecretString,
    /// Where the request came from.
    pub ip: Option<IpAddr>,
}

/// A company that has registered.
#[derive(Debug, Clone)]
pub struct RegisteredClient {
    /// Its tenant.
    pub tenant: Tenant,
    /// Its first user, who manages it.
    pub owner: User,
    /// Its primary API key, with the only copy of its text.
    pub key: CreatedKey,
}

impl AuthnService {
    /// Makes a tenant with its first user, who manages it, and its primary API key, all or nothing.
    ///
    /// Errors: `TooManyAttempts`, `Tenant` (`UnknownPlan`), `Password`, `Overloaded`, `Storage`, `Entropy`.
    /// Source: R95.
    pub async fn register_client(
        &self,
        new: &NewClient,
        actor: Actor<'_>,
    ) -> Result<RegisteredClient, AuthnError> {
        let parts = &self.parts;
        let key = Self::tenant_key("primary", parts.tenants.plan(&new.plan)?);
        if let Some(network) = new.ip.map(network_of) {
            let (now, metrics) = (parts.clock.now(), &parts.metrics);
            self.throttle.admit(Limit::RegisterAddress, &[&network], now, metrics).await?;
        }
        parts.rules.check(new.password.expose_secret(), &[new.email.address(), new.company.as_str()])?;
        let owner = NewUser {
            email: new.email.clone(),
            username: None,
            name: None,
            status: UserStatus::Active,
            email_verified: false,
            phc: Some(parts.passwords.hash(&new.password).await?),
        };
        let tenant = NewTenant { name: new.company.clone(), plan: new.plan.clone() };
        write_tx!(parts.db, "authn.register_client", |tx| -> Result<RegisteredClient, AuthnError> {
            let tenant = self.create_tenant_in(tx, &tenant, actor).await?;
            let owner = parts.users.create_in(tx, tenant.id, &owner, actor).await?;
            parts.roles.grant_in(tx, tenant.id, owner.id, TENANT_ADMIN, actor).await?;
            let key = parts.api_keys.create_in_slot(tx, tenant.id, Slot::Primary, &key, actor).await?;
            Ok(RegisteredClient { tenant, owner, key })
        })
    }

    /// Makes a tenant without users or keys.
    ///
    /// Errors: `Tenant` (`UnknownPlan`), `Storage`, `Entropy`.
    pub async fn create_tenant(&self, new: &NewTenant, actor: Actor<'_>) -> Result<Tenant, AuthnError> {
        write_tx!(self.parts.db, "authn.create_tenant", |tx| -> Result<Tenant, AuthnError> {
            self.create_tenant_in(tx, new, actor).await
        })
    }

    async fn create_tenant_in(
        &self,
        tx: &mut Tx,
        new: &NewTenant,
        actor: Actor<'_>,
    ) -> Result<Tenant, AuthnError> {
        let tenant = self.parts.tenants.create_in(tx, new, actor).await?;
        self.parts.roles.seed_in(tx, tenant.id).await?;
        Ok(tenant)
    }

    /// Suspends a tenant, which ends all that was issued to its users, or lets it go on.
    ///
    /// Errors: `Tenant` (`NotFound`, `OwnTenant`), `Storage`, `Entropy`.
    pub async fn set_tenant_status(
        &self,
        tenant: TenantId,
        status: TenantStatus,
        actor: Actor<'_>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        let ended = write_tx!(parts.db, "authn.set_tenant_status", |tx| -> Result<Ended, AuthnError> {
            parts.tenants.set_status_in(tx, tenant, status, actor).await?;
            if status == TenantStatus::Active {
                return Ok(Ended::default());
            }
            Ok(parts.sessions.revoke_tenant_in(tx, tenant, "tenant_suspended", actor).await?)
        })?;
        parts.sessions.announce(&ended).await;
        parts.tenants.changed(tenant).await;
        Ok(())
    }

    /// A tenant's own key, as its plan has it.
    #[must_use]
    pub fn tenant_key(name: &'static str, plan: &Plan) -> NewApiKey {
        let rate = plan.rate.map(|rate| Rate { per_second: rate, burst: rate.saturating_mul(2) });
        let scopes = Scopes::new(SCOPES).unwrap_or_default();
        NewApiKey {
            name: KeyName::known(name),
            roles: None,
            limits: KeyLimits { scopes, rate, ..KeyLimits::default() },
            ttl: None,
        }
    }
}
