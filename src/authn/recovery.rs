//! Proving an address, changing it, and choosing a password that was forgotten.
//!
//! Who asks for mail is answered the same for every address, known or not: one row is queued, and whether there
//! is somebody to write to is found out later (threat T9).

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    AuthnError, AuthnService, Purpose, UserCaller,
    lockout::Subject,
    store,
    throttle::{Limit, network_of},
};
use crate::{
    audit::{self, Actor},
    base::{Digest32, TenantId},
    mail::{Kind, MailError},
    sessions::Ended,
    users::{Email, User},
    write_tx,
};

impl AuthnService {
    /// Asks for a link to choose a new password.
    ///
    /// Errors: `TooManyAttempts`, `Storage`, `Entropy`.
    pub async fn forgot_password(
        &self,
        tenant: TenantId,
        email: &Email,
        ip: Option<IpAddr>,
    ) -> Result<(), AuthnError> {
        self.ask_for_mail(tenant, Kind::ResetPassword, email, ip).await
    }

    /// Asks for another link to prove the address of an account.
    ///
    /// Errors: `TooManyAttempts`, `Storage`, `Entropy`.
    pub async fn resend_verification(
        &self,
        tenant: TenantId,
        email: &Email,
        ip: Option<IpAddr>,
    ) -> Result<(), AuthnError> {
        self.ask_for_mail(tenant, Kind::VerifyEmail, email, ip).await
    }

    async fn ask_for_mail(
        &self,
        tenant: TenantId,
        kind: Kind,
        email: &Email,
        ip: Option<IpAddr>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        self.admit_mail(tenant, email, ip).await?;
        Ok(write_tx!(parts.db, "authn.ask_for_mail", |tx| -> Result<(), MailError> {
            parts.mail.queue_in(tx, tenant, kind, None, Some(email.norm())).await
        })?)
    }

    /// The limits of mail (identity.md §2.10).
    async fn admit_mail(&self, tenant: TenantId, to: &Email, ip: Option<IpAddr>) -> Result<(), AuthnError> {
        let (parts, now) = (&self.parts, self.parts.clock.now());
        if let Some(network) = ip.map(network_of) {
            self.throttle.admit(Limit::MailAddress, &[&network], now, &parts.metrics).await?;
        }
        let who = [&*tenant.to_string(), to.norm()];
        self.throttle.admit(Limit::MailRecipient, &who, now, &parts.metrics).await
    }

    /// Takes the token of a link that proves an address: that of the account, or the one it is to have.
    ///
    /// Errors: `LinkInvalid`, `Storage`, `Entropy`.
    pub async fn verify_email(&self, token: &str, request_id: Option<&str>) -> Result<User, AuthnError> {
        let parts = &self.parts;
        let user = write_tx!(parts.db, "authn.verify_email", |tx| -> Result<User, AuthnError> {
            let purposes = [Purpose::VerifyEmail, Purpose::ChangeEmail];
            let (link, user) = self.redeem_in(tx, token, &purposes).await?;
            let name = user.id.to_string();
            let actor = Actor { name: &name, request_id };
            let action = if link.purpose == Purpose::ChangeEmail {
                let email: Email = link.address.parse().map_err(|_| AuthnError::LinkInvalid)?;
                match parts.users.set_email_in(tx, user.tenant_id, user.id, &email).await {
                    // Somebody else has it by now: said to nobody, as at sign-up.
                    Err(crate::users::UserError::EmailTaken) => return Err(AuthnError::LinkInvalid),
                    done => done?,
                }
                store::drop_links(tx, user.tenant_id, user.id).await?;
                let (kind, old) = (Kind::EmailChanged, user.email.as_deref());
                parts.mail.queue_in(tx, user.tenant_id, kind, Some(user.id), old).await?;
                "email_changed"
            } else {
                parts.users.set_verified_in(tx, user.tenant_id, user.id).await?;
                "email_verified"
            };
            let entry = actor.does(user.tenant_id, action, &name, json!({}));
            audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            Ok(user)
        })?;
        parts.users.changed(user.tenant_id, user.id).await;
        Ok(user)
    }

    /// Chooses a new password by a link. Every session ends, and a lock by wrong passwords with them; nobody is
    /// signed in by it.
    ///
    /// Errors: `LinkInvalid`, `Password`, `Overloaded`, `Storage`, `Entropy`.
    pub async fn reset_password(
        &self,
        token: &str,
        password: &SecretString,
        request_id: Option<&str>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        // Looked at before the hash, which strangers must not have for nothing; used up in the transaction.
        let purposes = [Purpose::ResetPassword];
        let link = store::link(&mut &parts.db, &Digest32::of(token), parts.clock.now()).await?;
        let link = link.ok_or(AuthnError::LinkInvalid)?;
        let user = parts.users.get(link.tenant_id, link.user_id).await?;
        let user = user.filter(|user| link.fits(user, &purposes)).ok_or(AuthnError::LinkInvalid)?;
        parts.rules.check(password.expose_secret(), &user.words())?;
        let phc = parts.passwords.hash(password).await?;
        let name = user.id.to_string();
        let actor = Actor { name: &name, request_id };
        let ended = write_tx!(parts.db, "authn.reset_password", |tx| -> Result<Ended, AuthnError> {
            let (link, user) = self.redeem_in(tx, token, &purposes).await?;
            let (tenant, id) = (user.tenant_id, user.id);
            let epoch = parts.users.bump_epoch_in(tx, tenant, id).await?;
            if epoch != link.epoch + 1 {
                return Err(AuthnError::LinkInvalid); // a change of password came between
            }
            parts.users.set_phc_in(tx, tenant, id, &phc).await?;
            store::clear_failures(tx, tenant, &Subject::User(id).to_string()).await?;
            let ended =
                parts.sessions.revoke_all_in(tx, (tenant, id), epoch, "password_reset", actor).await?;
            parts.mail.queue_in(tx, tenant, Kind::PasswordChanged, Some(id), None).await?;
            let entry = actor.does(tenant, "password_reset", &name, json!({}));
            audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            Ok(ended)
        })?;
        parts.sessions.announce(&ended).await;
        Ok(())
    }

    /// Asks for a link to another address, which becomes that of the caller's account when it is used.
    ///
    /// Errors: `StepUpRequired` (the caller proved too long ago who they are), `TooManyAttempts`, `Storage`,
    /// `Entropy`.
    pub async fn change_email(
        &self,
        caller: &UserCaller,
        email: &Email,
        ip: Option<IpAddr>,
        actor: Actor<'_>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        self.require_recent(caller)?;
        self.admit_mail(caller.tenant_id, email, ip).await?;
        let (tenant, user) = (caller.tenant_id, caller.user_id);
        write_tx!(parts.db, "authn.change_email", |tx| -> Result<(), AuthnError> {
            parts.mail.queue_in(tx, tenant, Kind::ChangeEmail, Some(user), Some(email.address())).await?;
            let entry = actor.does(tenant, "email_change_asked", &caller.name, json!({}));
            Ok(audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?)
        })
    }
}
