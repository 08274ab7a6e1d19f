//! Leaving: an account that is closed for now, and one that is erased.
//!
//! What is erased, kept, or kept under the bare id is written down column by column in `docs/personal-data.md`, and a
//! test compares that with the schema (threat T60).

use serde_json::json;

use super::{AuthnError, AuthnService, UserCaller, lockout::Subject, store};
use crate::{
    audit::{self, Actor},
    base::{TenantId, UserId},
    roles::RoleError,
    sessions::Ended,
    users::{Email, UserStatus},
    write_tx,
};

impl AuthnService {
    /// Closes the caller's own account, until an administrator opens it again. Everything that was issued ends.
    ///
    /// Errors: `StepUpRequired`, `Role` (`LastAdministrator`), `UserGone`, `Storage`, `Entropy`.
    pub async fn deactivate(&self, caller: &UserCaller, actor: Actor<'_>) -> Result<(), AuthnError> {
        self.require_recent(caller)?;
        self.set_user_status(caller.tenant_id, caller.user_id, UserStatus::Disabled, actor).await
    }

    /// Erases the caller's own account.
    ///
    /// Errors: `StepUpRequired`, and as [`AuthnService::delete_user`].
    pub async fn delete_own_account(&self, caller: &UserCaller, actor: Actor<'_>) -> Result<(), AuthnError> {
        self.require_recent(caller)?;
        self.delete_user(caller.tenant_id, caller.user_id, actor).await
    }

    /// Erases an account: every session, key, link, second factor, device and role with it, and every word about the
    /// person. The id stays behind in the audit log and in the news of ended sessions, and is nobody's any more.
    ///
    /// Errors: `UserGone`, `Role` (`LastAdministrator`: nobody would be left who may do everything), `Storage`,
    /// `Entropy`.
    /// Source: R53; Regulation (EU) 2016/679, article 17.
    pub async fn delete_user(
        &self,
        tenant: TenantId,
        id: UserId,
        actor: Actor<'_>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        let name = id.to_string();
        let ended = write_tx!(parts.db, "authn.delete_user", |tx| -> Result<Ended, AuthnError> {
            let user = parts.users.get_in(tx, tenant, id).await?.ok_or(AuthnError::UserGone)?;
            let had_administrator = parts.roles.has_super_admin(tx, tenant).await?;
            // The epoch of what is gone is the news by which other nodes refuse its tokens at once.
            let epoch = parts.users.bump_epoch_in(tx, tenant, id).await?;
            let ended = parts.sessions.revoke_all_in(tx, (tenant, id), epoch, "user_deleted", actor).await?;
            parts.api_keys.owner_kept_out_in(tx, tenant, id).await?;
            for subject in [Subject::User(id), Subject::SecondFactor(id)] {
                store::clear_failures(tx, tenant, &subject.to_string()).await?;
            }
            let address = user.email.unwrap_or_default();
            let norm = address.parse::<Email>().map(|email| email.norm().to_owned()).unwrap_or_default();
            parts.mail.forget_user_in(tx, tenant, id, &[&address, &norm]).await?;
            parts.users.delete_in(tx, tenant, id).await?;
            // INVARIANT: counted after the removal, in the transaction that a conflict undoes (threat T50).
            if had_administrator && !parts.roles.has_super_admin(tx, tenant).await? {
                return Err(RoleError::LastAdministrator.into());
            }
            let entry = actor.does(tenant, "user_deleted", &name, json!({}));
            audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            Ok(ended)
        })?;
        parts.sessions.announce(&ended).await;
        parts.users.changed(tenant, id).await;
        Ok(())
    }
}
