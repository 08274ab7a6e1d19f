//! Changing a password, signing out, and being kept out.

use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    AuthnError, AuthnService, PasswordChange, SignedIn, UserCaller, lockout::Subject, throttle::Limit,
};
use crate::{
    audit::{self, Actor},
    base::{TenantId, UserId},
    mail::Kind,
    roles::RoleError,
    sessions::{Ended, Grant, NewSession, SessionError},
    users::{User, UserStatus},
    write_tx,
};

impl AuthnService {
    /// Changes the caller's password. Every session of the user ends, the caller's too, with the tokens
    /// issued in it; with `keep_current` the caller gets a fresh one, with a new id, in the same
    /// transaction.
    ///
    /// Errors: `TooManyAttempts`, `InvalidCredentials` (the current password is wrong, or was changed
    /// meanwhile), `LoginLocked` (too many wrong ones on this device), `Password`, `Overloaded`, `UserGone`,
    /// `Storage`, `Entropy`.
    pub async fn change_password(
        &self,
        caller: &UserCaller,
        change: &PasswordChange,
        request_id: Option<&str>,
    ) -> Result<Option<SignedIn>, AuthnError> {
        let parts = &self.parts;
        let (tenant, id) = (caller.tenant_id, caller.user_id);
        self.throttle.admit(Limit::Password, &[&caller.name], parts.clock.now(), &parts.metrics).await?;
        let known = parts.users.credentials(tenant, id).await?.ok_or(AuthnError::UserGone)?;
        let verdict = parts.passwords.verify(&change.current, known.phc.as_ref()).await?;
        let subject = Subject::Device(caller.device_id);
        let Some(old) = known.phc.as_ref().filter(|_| verdict.matches) else {
            write_tx!(parts.db, "authn.count_failure", |tx| -> Result<(), AuthnError> {
                self.count_failure_in(tx, tenant, &subject, request_id).await
            })?;
            return Err(AuthnError::InvalidCredentials);
        };
        let user = &known.user;
        parts.rules.check(change.new.expose_secret(), &user.words())?;
        let new = parts.passwords.hash(&change.new).await?;
        let name = id.to_string();
        let actor = Actor { name: &name, request_id };
        let done = write_tx!(parts.db, "authn.change_password", |tx| -> Result<
            (Ended, Option<Grant>),
            AuthnError,
        > {
            self.pass_lock_in(tx, tenant, &subject).await?;
            if !parts.users.replace_phc_in(tx, tenant, id, old, &new).await? {
                return Err(AuthnError::InvalidCredentials);
            }
            let epoch = parts.users.bump_epoch_in(tx, tenant, id).await?;
            let ended =
                parts.sessions.revoke_all_in(tx, (tenant, id), epoch, "password_changed", actor).await?;
            let entry = actor.does(tenant, "password_changed", &name, json!({}));
            audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            parts.mail.queue_in(tx, tenant, Kind::PasswordChanged, Some(id), None).await?;
            if !change.keep_current {
                return Ok((ended, None));
            }
            let fresh = NewSession { epoch, device: Some(caller.device_id), ..self.session_for(user) };
            Ok((ended, Some(parts.sessions.open_in(tx, &fresh, &change.client, actor).await?)))
        });
        let (ended, grant) = done?;
        parts.sessions.announce(&ended).await;
        let Some(grant) = grant else { return Ok(None) };
        parts.sessions.opened(&grant.session).await;
        let user = User { token_epoch: grant.session.epoch, ..known.user };
        self.signed_in(user, grant).await.map(Some)
    }

    /// Signs out whoever presents an access token, a refresh token, or both. An access token that has run
    /// out needs its refresh token beside it; one whose session is over already is no error.
    ///
    /// Errors: `Token` and `Session` when the access token is not good and no refresh token makes up for
    /// it, `Storage`, `Entropy`.
    pub async fn sign_out(
        &self,
        access: Option<&str>,
        refresh: Option<&str>,
        all: bool,
        request_id: Option<&str>,
    ) -> Result<(), AuthnError> {
        let caller = match self.identify(access).await {
            Ok(caller) => caller.user().cloned(),
            Err(AuthnError::Session(_)) => None,
            Err(AuthnError::Token(_)) if refresh.is_some() => None,
            Err(error) => return Err(error),
        };
        self.logout(caller.as_deref(), refresh, all, request_id).await
    }

    /// Signs out: ends the caller's session, and that of the refresh token, which is enough by itself
    /// when the access token has run out. With `all`, ends every session of the user. What is ended
    /// already, or was never there, is no error.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn logout(
        &self,
        caller: Option<&UserCaller>,
        refresh: Option<&str>,
        all: bool,
        request_id: Option<&str>,
    ) -> Result<(), AuthnError> {
        let mut sessions = Vec::new();
        if let Some(caller) = caller {
            sessions.push((caller.tenant_id, caller.user_id, caller.session_id));
        }
        if let Some(refresh) = refresh {
            match self.parts.sessions.session_of(refresh).await {
                Ok(session) => sessions.push((session.tenant_id, session.user_id, session.id)),
                Err(SessionError::RefreshInvalid | SessionError::Revoked) => {}
                Err(error) => return Err(error.into()),
            }
        }
        sessions.dedup();
        for (tenant, user, session) in sessions {
            let name = user.to_string();
            let actor = Actor { name: &name, request_id };
            if all {
                self.end_all(tenant, user, "signed_out_everywhere", actor).await?;
                continue;
            }
            match self.parts.sessions.revoke(tenant, user, session, "signed_out", actor).await {
                Ok(()) | Err(SessionError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Lets a user in, or keeps them out. Who is kept out loses every session and token at once.
    ///
    /// Errors: `UserGone`, `Role` (`LastAdministrator`: nobody would be left who may do everything),
    /// `Storage`, `Entropy`.
    pub async fn set_user_status(
        &self,
        tenant: TenantId,
        user: UserId,
        status: UserStatus,
        actor: Actor<'_>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        let ended = write_tx!(parts.db, "authn.set_user_status", |tx| -> Result<Ended, AuthnError> {
            let had_administrator = parts.roles.has_super_admin(tx, tenant).await?;
            parts.users.set_status_in(tx, (tenant, user), status, actor).await?;
            if had_administrator && !parts.roles.has_super_admin(tx, tenant).await? {
                return Err(RoleError::LastAdministrator.into());
            }
            if status == UserStatus::Active {
                return Ok(Ended::default());
            }
            parts.api_keys.owner_kept_out_in(tx, tenant, user).await?;
            let epoch = parts.users.bump_epoch_in(tx, tenant, user).await?;
            Ok(parts.sessions.revoke_all_in(tx, (tenant, user), epoch, status.as_str(), actor).await?)
        })?;
        parts.sessions.announce(&ended).await;
        parts.users.changed(tenant, user).await;
        Ok(())
    }

    /// Ends everything that was issued to a user, by a new epoch; answers how many sessions ended.
    ///
    /// Errors: `UserGone`, `Storage`, `Entropy`.
    pub async fn end_all(
        &self,
        tenant: TenantId,
        user: UserId,
        reason: &str,
        actor: Actor<'_>,
    ) -> Result<usize, AuthnError> {
        let parts = &self.parts;
        let ended = write_tx!(parts.db, "authn.end_all", |tx| -> Result<Ended, AuthnError> {
            let epoch = parts.users.bump_epoch_in(tx, tenant, user).await?;
            Ok(parts.sessions.revoke_all_in(tx, (tenant, user), epoch, reason, actor).await?)
        })?;
        parts.sessions.announce(&ended).await;
        Ok(ended.count())
    }
}
