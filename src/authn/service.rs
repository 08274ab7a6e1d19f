//! Signing up, in and on.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{
    AuthnError, Entrant, Gate, PasswordRules, Passwords, Registered, Registration, SignedIn, UserCaller,
    anomaly::Anomaly,
    callers::Callers,
    shared_claims::SharedClaims,
    throttle::{Limit, Throttle, network_of},
};
use crate::{
    api_keys::ApiKeyService,
    audit::Actor,
    base::{Clock, Entropy, MacKey, MasterKey, Millis, SealingKey, TenantId},
    clients::ClientService,
    config::{LimitsConfig, RegistrationConfig},
    kv::Kv,
    mail::{Kind, MailError, MailService, Pages},
    roles::{RoleError, RoleService},
    sessions::{ClientInfo, Grant, LiveSession, NewSession, OpenedBy, SessionError, SessionService},
    storage::Db,
    telemetry::metrics::Metrics,
    tenants::{TenantService, TenantStatus},
    tokens::{AccessSubject, AccessToken, TokenService},
    users::{NewUser, User, UserService, UserStatus, Username},
    write_tx,
};

/// The role of everyone who signs up.
pub(super) const FIRST_ROLE: &str = "user";
/// How a password is named in `amr` (RFC 8176 §2).
pub(super) const BY_PASSWORD: &str = "pwd";

/// What the service is made of.
#[derive(Debug)]
pub struct AuthnParts {
    /// The database.
    pub db: Db,
    /// What limits are counted in, and what is kept of sockets.
    pub kv: Kv,
    /// People.
    pub users: UserService,
    /// Their roles.
    pub roles: RoleService,
    /// Their sessions.
    pub sessions: Arc<SessionService>,
    /// Whom they belong to.
    pub tenants: Arc<TenantService>,
    /// Keys of programs.
    pub api_keys: Arc<ApiKeyService>,
    /// Their tokens.
    pub tokens: Arc<TokenService>,
    /// The hashing pool.
    pub passwords: Arc<Passwords>,
    /// What a password may be.
    pub rules: PasswordRules,
    /// Mail to users.
    pub mail: Arc<MailService>,
    /// Where its links lead.
    pub pages: Pages,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who may sign up.
    pub registration: RegistrationConfig,
    /// How old a proof of who one is may be for sensitive changes, seconds.
    pub sudo_secs: u64,
    /// How often strangers may try.
    pub limits: LimitsConfig,
    /// Who asks the policies.
    pub gate: Arc<dyn Gate>,
    /// Programs that call with tokens of their own.
    pub clients: Arc<ClientService>,
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
    pub(super) shared: SharedClaims,
    pub(super) throttle: Throttle,
    pub(super) anomaly: Anomaly,
    pub(super) device_key: MacKey,
    pub(super) mfa_key: SealingKey,
    pub(super) external_key: SealingKey,
}

impl AuthnService {
    /// The service; its keys derive from `master`.
    #[must_use]
    pub fn new(parts: AuthnParts, master: &MasterKey) -> Self {
        let throttle = Throttle::new(parts.kv.clone(), parts.limits.clone(), master.mac_key("limits"));
        let anomaly = Anomaly::new(&parts.limits);
        let device_key = master.mac_key("known-device");
        let (mfa_key, external_key) =
            (master.sealing_key("second-factor"), master.sealing_key("external-users"));
        let shared = SharedClaims::new(parts.kv.clone(), master.mac_key("claims"));
        let callers = Callers::new();
        Self { parts, callers, shared, throttle, anomaly, device_key, mfa_key, external_key }
    }

    /// Signs a stranger up. Costs one hash whether the address is known or not, and says which only where
    /// the configuration lets it.
    ///
    /// Errors: `RegistrationClosed`, `TooManyAttempts`, `Password`, `EmailTaken` and `UsernameTaken` (only when revealed),
    /// `Overloaded`, `Storage`, `Entropy`.
    pub async fn register(
        &self,
        tenant: TenantId,
        registration: &Registration,
        request_id: Option<&str>,
    ) -> Result<Registered, AuthnError> {
        let parts = &self.parts;
        let is_open = match parts.tenants.get(tenant).await? {
            Some(_) if tenant == TenantId::DEFAULT => parts.registration.enabled,
            Some(tenant) => tenant.settings.open_registration && tenant.status == TenantStatus::Active,
            None => false,
        };
        if !is_open {
            return Err(AuthnError::RegistrationClosed);
        }
        if let Some(network) = registration.client.ip.map(network_of) {
            self.throttle
                .admit(Limit::RegisterAddress, &[&network], parts.clock.now(), &parts.metrics)
                .await?;
        }
        let context = [
            registration.email.address(),
            registration.username.as_ref().map_or("", Username::text),
            registration.name.as_ref().map_or("", |name| name.as_str()),
        ];
        parts.rules.check(registration.password.expose_secret(), &context)?;
        let _place = parts.passwords.enter()?;
        let new = NewUser {
            email: registration.email.clone(),
            username: registration.username.clone(),
            name: registration.name.clone(),
            status: if parts.registration.verify_email { UserStatus::Pending } else { UserStatus::Active },
            email_verified: false,
            phc: Some(parts.passwords.hash(&registration.password).await?),
        };
        let actor = Actor { name: "anonymous", request_id };
        let made = write_tx!(parts.db, "authn.register", |tx| -> Result<(User, Option<Grant>), AuthnError> {
            let user = parts.users.create_in(tx, tenant, &new, actor).await?;
            parts.mail.queue_in(tx, tenant, Kind::VerifyEmail, Some(user.id), None).await?;
            match parts.roles.grant_in(tx, tenant, user.id, FIRST_ROLE, actor).await {
                Ok(_) | Err(RoleError::NotFound) => {} // a tenant may do without the role
                Err(error) => return Err(error.into()),
            }
            if !parts.registration.auto_login {
                return Ok((user, None));
            }
            let (session, name) = (self.session_for(&user), user.id.to_string());
            let actor = Actor { name: &name, request_id };
            let grant = parts.sessions.open_in(tx, &session, &registration.client, actor).await?;
            Ok((user, Some(grant)))
        });
        match &made {
            Ok((user, grant)) => {
                parts.users.changed(tenant, user.id).await;
                if let Some(grant) = grant {
                    parts.sessions.warm(&grant.session).await;
                }
            }
            Err(AuthnError::EmailTaken) => {
                let norm = Some(registration.email.norm());
                write_tx!(parts.db, "authn.already_registered", |tx| -> Result<(), MailError> {
                    parts.mail.queue_in(tx, tenant, Kind::AlreadyRegistered, None, norm).await
                })?;
            }
            Err(_) => {}
        }
        match made {
            Ok((user, Some(grant))) => Ok(Registered::SignedIn(Box::new(self.signed_in(user, grant).await?))),
            Ok((user, None)) if parts.registration.reveal_duplicates => {
                Ok(Registered::Created(Box::new(user)))
            }
            Err(AuthnError::EmailTaken | AuthnError::UsernameTaken)
                if !parts.registration.reveal_duplicates =>
            {
                Ok(Registered::Accepted)
            }
            Ok(_) => Ok(Registered::Accepted),
            Err(error) => Err(error),
        }
    }

    /// Exchanges a refresh token for the next one and a new access token.
    ///
    /// The policies are asked first, about the user of the session; where they say no, the token is not used up and
    /// the session goes on. A token that is of no session, or was used before, is for the exchange itself to judge.
    ///
    /// Errors: `Denied`, `ProofDemanded`, `Undecided`, `Session` (`RefreshInvalid`, `RefreshExpired`, `RefreshReused`,
    /// `Revoked`), `UserGone`, `Storage`, `Entropy`.
    pub async fn refresh(
        &self,
        presented: &str,
        client: &ClientInfo,
        request_id: Option<&str>,
    ) -> Result<SignedIn, AuthnError> {
        match self.parts.sessions.session_of(presented).await {
            Ok(session) => {
                let entrant = Entrant {
                    tenant: session.tenant_id,
                    user: session.user_id,
                    action: "refresh",
                    client,
                    amr: &session.amr,
                    auth_time: session.auth_time,
                    session: Some(session.id),
                    device_known: None,
                    failed_attempts: None,
                };
                self.parts.gate.ask(entrant).await?;
            }
            Err(SessionError::RefreshInvalid | SessionError::Revoked) => {}
            Err(error) => return Err(error.into()),
        }
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

    /// Asks the policies whether a user may begin the session `new`.
    ///
    /// Errors: as [`Gate::ask`].
    pub(super) async fn ask_to_enter(
        &self,
        new: &NewSession,
        client: &ClientInfo,
        failed_attempts: Option<i64>,
    ) -> Result<(), AuthnError> {
        let entrant = Entrant {
            tenant: new.tenant_id,
            user: new.user_id,
            action: "login",
            client,
            amr: &new.amr,
            auth_time: new.auth_time,
            session: None,
            device_known: Some(new.device.is_some()),
            failed_attempts,
        };
        self.parts.gate.ask(entrant).await
    }

    /// A session for a user whose password was right a moment ago.
    pub(super) fn session_for(&self, user: &User) -> NewSession {
        NewSession {
            tenant_id: user.tenant_id,
            user_id: user.id,
            epoch: user.token_epoch,
            amr: vec![BY_PASSWORD.to_owned()],
            auth_time: self.parts.clock.now(),
            device: None,
            by: OpenedBy::User,
        }
    }

    /// The answer to who was just signed in.
    pub(super) async fn signed_in(&self, user: User, grant: Grant) -> Result<SignedIn, AuthnError> {
        let roles = self.parts.roles.names_of(user.tenant_id, user.id).await?;
        let access = self.issue(&grant.session, roles.clone(), self.parts.clock.now())?;
        let device = self.device_token(&grant.session);
        Ok(SignedIn { user, roles, access, session: grant.session, refresh: grant.refresh, device })
    }

    fn issue(
        &self,
        session: &LiveSession,
        roles: Vec<String>,
        now: Millis,
    ) -> Result<AccessToken, AuthnError> {
        let subject = AccessSubject {
            client_id: session.client_id(),
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
            origin: session.by.origin().map(ToOwned::to_owned),
        };
        Ok(self.parts.tokens.issue(subject, now)?)
    }
}
