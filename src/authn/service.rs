//! Signing up, in and on.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{
    AuthnError, Login, PasswordRules, Passwords, Registered, Registration, SignedIn, UserCaller,
    callers::Callers,
};
use crate::{
    audit::Actor,
    base::{Clock, Entropy, Millis, TenantId},
    config::RegistrationConfig,
    roles::{RoleError, RoleService},
    sessions::{ClientInfo, Grant, LiveSession, NewSession, SessionError, SessionService},
    storage::Db,
    telemetry::metrics::Metrics,
    tokens::{AccessSubject, AccessToken, TokenService},
    users::{Credentials, Email, NewUser, User, UserError, UserService, UserStatus, Username},
    write_tx,
};

/// The role of everyone who signs up.
const FIRST_ROLE: &str = "user";
/// How a password is named in `amr` (RFC 8176 §2).
pub(super) const BY_PASSWORD: &str = "pwd";

/// What the service is made of.
#[derive(Debug)]
pub struct AuthnParts {
    /// The database.
    pub db: Db,
    /// People.
    pub users: UserService,
    /// Their roles.
    pub roles: RoleService,
    /// Their sessions.
    pub sessions: Arc<SessionService>,
    /// Their tokens.
    pub tokens: Arc<TokenService>,
    /// The hashing pool.
    pub passwords: Arc<Passwords>,
    /// What a password may be.
    pub rules: PasswordRules,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who may sign up.
    pub registration: RegistrationConfig,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Signs people up, in, on and out.
#[derive(Debug)]
pub struct AuthnService {
    pub(super) parts: AuthnParts,
    pub(super) callers: Callers,
}

impl AuthnService {
    /// The service.
    #[must_use]
    pub fn new(parts: AuthnParts) -> Self {
        Self { parts, callers: Callers::new() }
    }

    /// Signs a stranger up. Costs one hash whether the address is known or not, and says which only where
    /// the configuration lets it.
    ///
    /// Errors: `RegistrationClosed`, `Password`, `EmailTaken` and `UsernameTaken` (only when revealed),
    /// `Overloaded`, `Storage`, `Entropy`.
    pub async fn register(
        &self,
        tenant: TenantId,
        registration: &Registration,
        request_id: Option<&str>,
    ) -> Result<Registered, AuthnError> {
        let parts = &self.parts;
        if !parts.registration.enabled {
            return Err(AuthnError::RegistrationClosed);
        }
        let context = [
            registration.email.address(),
            registration.username.as_ref().map_or("", Username::text),
            registration.name.as_ref().map_or("", |name| name.as_str()),
        ];
        parts.rules.check(registration.password.expose_secret(), &context)?;
        let new = NewUser {
            email: registration.email.clone(),
            username: registration.username.clone(),
            name: registration.name.clone(),
            status: UserStatus::Active,
            email_verified: false,
            phc: Some(parts.passwords.hash(&registration.password).await?),
        };
        let actor = Actor { name: "anonymous", request_id };
        let made = write_tx!(parts.db, "authn.register", |tx| -> Result<User, AuthnError> {
            let user = parts.users.create_in(tx, tenant, &new, actor).await?;
            match parts.roles.grant_in(tx, tenant, user.id, FIRST_ROLE, actor).await {
                Ok(_) | Err(RoleError::NotFound) => Ok(user), // a tenant may do without the role
                Err(error) => Err(error.into()),
            }
        });
        if let Ok(user) = &made {
            parts.users.changed(tenant, user.id).await;
        }
        match made {
            Ok(user) if parts.registration.reveal_duplicates => Ok(Registered::Created(Box::new(user))),
            Err(AuthnError::EmailTaken | AuthnError::UsernameTaken)
                if !parts.registration.reveal_duplicates =>
            {
                Ok(Registered::Accepted)
            }
            Ok(_) => Ok(Registered::Accepted),
            Err(error) => Err(error),
        }
    }

    /// Signs a user in by password. Costs exactly one hash on every path; one more after a success when
    /// the stored hash has parameters of former times.
    ///
    /// Errors: `InvalidCredentials`; after the right password `AccountLocked`, `AccountDisabled` and
    /// `EmailUnverified`; `Overloaded`, `Storage`, `Entropy`.
    pub async fn login(
        &self,
        tenant: TenantId,
        login: &Login,
        request_id: Option<&str>,
    ) -> Result<SignedIn, AuthnError> {
        let parts = &self.parts;
        let known = match norm_of(&login.identifier) {
            Some(norm) => parts.users.credentials_of(tenant, &norm).await?,
            None => None,
        };
        let stored = known.as_ref().and_then(|known| known.phc.as_ref());
        let verdict = parts.passwords.verify(&login.password, stored).await?;
        let Some(known) = known.filter(|_| verdict.matches) else {
            return Err(AuthnError::InvalidCredentials);
        };
        match known.user.status {
            UserStatus::Active => {}
            UserStatus::Locked => return Err(AuthnError::AccountLocked),
            UserStatus::Disabled => return Err(AuthnError::AccountDisabled),
            UserStatus::Pending => return Err(AuthnError::EmailUnverified),
        }
        let new = self.session_for(&known.user);
        let name = known.user.id.to_string();
        let actor = Actor { name: &name, request_id };
        let grant = match parts.sessions.open(&new, &login.client, actor).await {
            // The password, the status or the tenant changed since it was read: it is not right any more.
            Err(SessionError::Outdated) => return Err(AuthnError::InvalidCredentials),
            grant => grant?,
        };
        if verdict.is_outdated {
            self.rehash(&known, login).await;
        }
        self.signed_in(known.user, grant).await
    }

    /// Exchanges a refresh token for the next one and a new access token.
    ///
    /// Errors: `Session` (`RefreshInvalid`, `RefreshExpired`, `RefreshReused`, `Revoked`), `UserGone`,
    /// `Storage`, `Entropy`.
    pub async fn refresh(
        &self,
        presented: &str,
        client: &ClientInfo,
        request_id: Option<&str>,
    ) -> Result<SignedIn, AuthnError> {
        let grant = self.parts.sessions.rotate(presented, client, request_id).await?;
        let (tenant, user) = (grant.session.tenant_id, grant.session.user_id);
        let user = self.parts.users.get(tenant, user).await?.ok_or(AuthnError::UserGone)?;
        self.signed_in(user, grant).await
    }

    /// The caller's own user.
    ///
    /// Errors: `UserGone`, `Storage`.
    pub async fn me(&self, caller: &UserCaller) -> Result<User, AuthnError> {
        self.parts.users.get(caller.tenant_id, caller.user_id).await?.ok_or(AuthnError::UserGone)
    }

    /// A session for a user whose password was right a moment ago.
    pub(super) fn session_for(&self, user: &User) -> NewSession {
        NewSession {
            tenant_id: user.tenant_id,
            user_id: user.id,
            epoch: user.token_epoch,
            amr: vec![BY_PASSWORD.to_owned()],
            auth_time: self.parts.clock.now(),
        }
    }

    /// The answer to who was just signed in.
    pub(super) async fn signed_in(&self, user: User, grant: Grant) -> Result<SignedIn, AuthnError> {
        let roles = self.parts.roles.names_of(user.tenant_id, user.id).await?;
        let access = self.issue(&grant.session, roles.clone(), self.parts.clock.now())?;
        Ok(SignedIn { user, roles, access, session: grant.session, refresh: grant.refresh })
    }

    fn issue(
        &self,
        session: &LiveSession,
        roles: Vec<String>,
        now: Millis,
    ) -> Result<AccessToken, AuthnError> {
        let subject = AccessSubject {
            tenant_id: session.tenant_id,
            user_id: session.user_id,
            session_id: session.id,
            device_id: session.device_id,
            version: session.version,
            epoch: session.epoch,
            auth_time: session.auth_time,
            amr: session.amr.clone(),
            roles,
            scope: String::new(),
        };
        Ok(self.parts.tokens.issue(subject, now)?)
    }

    /// Stores the password with today's parameters, unless it was changed meanwhile. Failing is no error:
    /// the next login tries again.
    async fn rehash(&self, known: &Credentials, login: &Login) {
        let (Some(old), Ok(new)) = (&known.phc, self.parts.passwords.hash(&login.password).await) else {
            return;
        };
        let user = &known.user;
        let done = write_tx!(self.parts.db, "authn.rehash", |tx| -> Result<bool, UserError> {
            Ok(self.parts.users.replace_phc_in(tx, user.tenant_id, user.id, old, &new).await?)
        });
        if let Err(error) = done {
            tracing::warn!(error = &error as &dyn std::error::Error, "a password was not hashed again");
        }
    }
}

/// The norm by which a typed identifier is looked up; none when it can be nobody's.
fn norm_of(identifier: &str) -> Option<String> {
    if identifier.contains('@') {
        identifier.parse::<Email>().ok().map(|email| email.norm().to_owned())
    } else {
        identifier.parse::<Username>().ok().map(|name| name.norm().to_owned())
    }
}
