//! Signing in by password.
//!
//! ```text
//!  limits ─► a place ─► look up ─► one hash ─► right? ─ no ─► count it ──────────────► 401
//!                                         └ yes ─► status (403) ─► lock (403) ─► policies (403) ─► second factor? ─ no ─► session
//!                                                                                                     └ yes ─► 401 with a token
//! ```

use super::{
    AuthnError, AuthnService, Login, SignedIn,
    lockout::Subject,
    throttle::{Limit, network_of},
};
use crate::{
    audit::Actor,
    base::{DeviceId, Digest32, PlainToken, TenantId},
    sessions::{Grant, NewSession, SessionError},
    telemetry::metrics::LoginResult,
    users::{Credentials, Email, User, UserError, UserStatus, Username},
    write_tx,
};

/// What a right password opens.
enum Opened {
    Session(Box<Grant>),
    /// The user has a second factor: the token to go on with.
    SecondStep(PlainToken),
}

impl AuthnService {
    /// Signs a user in by password. Costs exactly one hash on every path that is not refused before; one
    /// more after a success when the stored hash is not as new ones are.
    ///
    /// Errors: `TooManyAttempts`; `InvalidCredentials`; after the right password `MfaRequired`, `LoginLocked`,
    /// `AccountLocked`, `AccountDisabled`, `EmailUnverified`, `Denied`, `ProofDemanded` and `Undecided`; `Overloaded`, `Storage`, `Entropy`.
    pub async fn login(
        &self,
        tenant: TenantId,
        login: &Login,
        request_id: Option<&str>,
    ) -> Result<SignedIn, AuthnError> {
        let norm = norm_of(&login.identifier);
        let identifier = norm.as_deref().unwrap_or(&login.identifier);
        self.admit_login(tenant, identifier, login).await?;
        let _place = self.parts.passwords.enter()?;
        let known = match &norm {
            Some(norm) => self.parts.users.credentials_of(tenant, norm).await?,
            None => None,
        };
        let device = match &known {
            Some(known) => self.device_of(&known.user, login).await?,
            None => None,
        };
        let subject = match (&known, device) {
            (_, Some(device)) => Subject::Device(device),
            (Some(known), None) => Subject::User(known.user.id),
            (None, None) => Subject::Nobody(Digest32::of(identifier)),
        };
        self.ration(device).await?;
        let stored = known.as_ref().and_then(|known| known.phc.as_ref());
        let verdict = self.parts.passwords.verify(&login.password, stored).await?;
        if verdict.is_unusable {
            self.parts.metrics.hash_refused();
            tracing::error!("a stored password hash has a form or a cost that is not computed here");
        }
        self.watch_for_anomaly(tenant, !verdict.matches).await;
        let Some(known) = known.filter(|_| verdict.matches) else {
            self.parts.metrics.login_ended(LoginResult::Failed);
            write_tx!(self.parts.db, "authn.count_failure", |tx| -> Result<(), AuthnError> {
                self.count_failure_in(tx, tenant, &subject, request_id).await
            })?;
            return Err(AuthnError::InvalidCredentials);
        };
        let opened = self.open_after_password(&known, login, &subject, request_id).await;
        if !matches!(opened, Ok(Opened::SecondStep(_))) {
            let result = if opened.is_ok() { LoginResult::Good } else { LoginResult::Refused };
            self.parts.metrics.login_ended(result);
        }
        let grant = match opened? {
            Opened::Session(grant) => *grant,
            Opened::SecondStep(token) => return Err(AuthnError::MfaRequired { token }),
        };
        self.parts.sessions.opened(&grant.session).await;
        self.tell_of_new_device(&grant.session, subject.device()).await;
        if verdict.is_outdated {
            self.rehash(&known, login).await;
        }
        self.signed_in(known.user, grant).await
    }

    /// The device that a sign-in comes from, if it can prove it and its user did not remove it.
    async fn device_of(&self, user: &User, login: &Login) -> Result<Option<DeviceId>, AuthnError> {
        let Some(device) = login.device_token().and_then(|token| self.known_device(user, token)) else {
            return Ok(None);
        };
        let is_kept = self.parts.sessions.has_device(user.tenant_id, user.id, device).await?;
        Ok(is_kept.then_some(device))
    }

    /// The user whom an identifier names, as at a sign-in.
    ///
    /// Errors: `Storage`.
    pub async fn user_of(&self, tenant: TenantId, identifier: &str) -> Result<Option<User>, AuthnError> {
        let Some(norm) = norm_of(identifier) else { return Ok(None) };
        Ok(self.parts.users.credentials_of(tenant, &norm).await?.map(|known| known.user))
    }

    /// The limits of the address, and of the identifier from that address (identity.md §2.10).
    async fn admit_login(&self, tenant: TenantId, identifier: &str, login: &Login) -> Result<(), AuthnError> {
        let (parts, now) = (&self.parts, self.parts.clock.now());
        let network = login.client.ip.map(network_of).unwrap_or_default();
        if !network.is_empty() {
            self.throttle.admit(Limit::LoginAddress, &[&network], now, &parts.metrics).await?;
        }
        // With the address, so that nobody uses up what another has (threat T44).
        let who = [&tenant.to_string(), identifier, &network];
        self.throttle.admit(Limit::LoginIdentifier, &who, now, &parts.metrics).await
    }

    /// While there is an anomaly, lets only some through that come without a known device.
    async fn ration(&self, device: Option<DeviceId>) -> Result<(), AuthnError> {
        let now = self.parts.clock.now();
        if device.is_some() || !self.anomaly.is_on(now) {
            return Ok(());
        }
        self.throttle.admit(Limit::LoginUnknownDevice, &[], now, &self.parts.metrics).await
    }

    /// What the right password is good for.
    async fn open_after_password(
        &self,
        known: &Credentials,
        login: &Login,
        subject: &Subject,
        request_id: Option<&str>,
    ) -> Result<Opened, AuthnError> {
        let user = &known.user;
        check_status(user)?;
        let new = NewSession { device: subject.device(), ..self.session_for(user) };
        let failed = self.failures_of(&mut &self.parts.db, user.tenant_id, subject).await?;
        let demanded = match self.ask_to_enter(&new, &login.client, Some(failed.unwrap_or(0))).await {
            // Who has a second factor is asked for it now, and the policies about it then.
            Err(error @ AuthnError::ProofDemanded { .. }) => Some(error),
            answer => {
                answer?;
                None
            }
        };
        let name = user.id.to_string();
        let actor = Actor { name: &name, request_id };
        let opened = write_tx!(self.parts.db, "authn.login", |tx| -> Result<Option<Opened>, AuthnError> {
            self.pass_lock_in(tx, user.tenant_id, subject).await?;
            if let Some(token) = self.second_step_in(tx, user, subject.device()).await? {
                return Ok(Some(Opened::SecondStep(token)));
            }
            if demanded.is_some() {
                return Ok(None);
            }
            match self.parts.sessions.open_in(tx, &new, &login.client, actor).await {
                // The password, the status or the tenant changed since it was read: it is not right any more.
                Err(SessionError::Outdated) => Err(AuthnError::InvalidCredentials),
                grant => Ok(Some(Opened::Session(Box::new(grant?)))),
            }
        })?;
        opened.ok_or_else(|| demanded.unwrap_or(AuthnError::InvalidCredentials))
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

/// Whether a user may sign in, as far as their status says.
pub(super) fn check_status(user: &User) -> Result<(), AuthnError> {
    match user.status {
        UserStatus::Active => Ok(()),
        UserStatus::Locked => Err(AuthnError::AccountLocked),
        UserStatus::Disabled => Err(AuthnError::AccountDisabled),
        UserStatus::Pending => Err(AuthnError::EmailUnverified),
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
