//! What administrators do with the accounts of others: they start things, and never choose a password.

use serde_json::json;

use super::{AuthnError, AuthnService, Link, Purpose, lockout::Subject, store};
use crate::{
    audit::{self, Actor},
    base::{TenantId, UserId},
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

    /// Makes a link for a user, to be handed over by other means than mail: for choosing a password, or for
    /// proving the address.
    ///
    /// Errors: `UserGone`, `Storage`, `Entropy`.
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
            let link = self.make_link_in(tx, &user, purpose, &user.email).await?;
            let name = id.to_string();
            let entry = actor.does(tenant, "user_link_made", &name, json!({ "purpose": purpose.as_str() }));
            audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            Ok(link)
        })
    }
}
