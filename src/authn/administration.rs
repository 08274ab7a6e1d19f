//! What administrators do with the accounts of others: they start things, and never choose a password. And what ends
//! with an API key.

use serde_json::json;

use super::{AuthnError, AuthnService, Link, Purpose, lockout::Subject, store};
use crate::{
    audit::{self, Actor},
    base::{ApiKeyId, TenantId, UserId},
    sessions::Ended,
    users::{User, UserStatus},
    write_tx,
};

impl AuthnService {
    /// Lifts a lock, by an administrator or by wrong passwords. Whoever is disabled stays so.
    ///
    /// Errors: `UserGone`, `Storage`, `Entropy`.
    pub async fn unlock_user(
        &self,
        tenant: TenantId,
        id: UserId,
        actor: Actor<'_>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        write_tx!(parts.db, "authn.unlock_user", |tx| -> Result<(), AuthnError> {
            let user = parts.users.get_in(tx, tenant, id).await?.ok_or(AuthnError::UserGone)?;
            if user.status == UserStatus::Locked {
                parts.users.set_status_in(tx, (tenant, id), UserStatus::Active, actor).await?;
            }
            store::clear_failures(tx, tenant, &Subject::User(id).to_string()).await?;
            let name = id.to_string();
            let entry = actor.does(tenant, "login_unlocked", &name, json!({}));
            Ok(audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?)
        })?;
        parts.users.changed(tenant, id).await;
        Ok(())
    }

    /// Revokes an API key, which ends the sessions that it opened: whoever had the key may have their tokens. A key
    /// that makes way for the next one leaves them (`ApiKeyService::promote`).
    ///
    /// Errors: `ApiKey` (`NotFound`), `Storage`, `Entropy`.
    pub async fn revoke_api_key(
        &self,
        tenant: TenantId,
        id: ApiKeyId,
        reason: &str,
        actor: Actor<'_>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        let ended = write_tx!(parts.db, "authn.revoke_api_key", |tx| -> Result<Ended, AuthnError> {
            parts.api_keys.revoke_in(tx, tenant, id, reason, actor).await?;
            Ok(parts.sessions.revoke_of_key_in(tx, tenant, id, "api_key_revoked", actor).await?)
        })?;
        parts.api_keys.changed(tenant, id).await;
        parts.sessions.announce(&ended).await;
        Ok(())
    }

    /// Makes a link for a user, to be handed over by other means than mail: for choosing a password, or for
    /// proving the address.
    ///
    /// Errors: `UserGone`, `NoAddress` (their tenant's own server signs them in), `Storage`, `Entropy`.
    pub async fn user_link(
        &self,
        tenant: TenantId,
        id: UserId,
        purpose: Purpose,
        actor: Actor<'_>,
    ) -> Result<Link, AuthnError> {
        let parts = &self.parts;
        write_tx!(parts.db, "authn.user_link", |tx| -> Result<Link, AuthnError> {
            let user: User = parts.users.get_in(tx, tenant, id).await?.ok_or(AuthnError::UserGone)?;
            let address = user.email.as_deref().ok_or(AuthnError::NoAddress)?;
            let link = self.make_link_in(tx, &user, purpose, address).await?;
            let name = id.to_string();
            let entry = actor.does(tenant, "user_link_made", &name, json!({ "purpose": purpose.as_str() }));
            audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            Ok(link)
        })
    }
}
