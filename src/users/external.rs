//! Users whom a tenant's own server names, by its own id of them (R100).
//!
//! - INVARIANT: they are found by that id and by nothing else. An address that the server tells stands among what it
//!   tells; it is no address to sign in with, to send links to, or to find an account by. So nobody comes into an
//!   account that exists, and the address stays free for its owner.
//! - They have no password, and so nobody signs in as one of them.

use std::str::FromStr;

use serde_json::json;

use super::{DisplayName, User, UserError, UserService, UserStatus, external_store, store};
use crate::{
    audit::{self, Actor},
    base::{TenantId, UserId},
    storage::{Result, Tx},
};

/// Longest id, bytes.
const MAX_BYTES: usize = 255;

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 255 bytes, none of them a control character")]
pub struct ExternalIdError;

/// What a tenant's own server calls a user. Compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ExternalId {
    type Err = ExternalIdError;

    fn from_str(text: &str) -> Result<Self, ExternalIdError> {
        let fits = (1..=MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned())).ok_or(ExternalIdError)
    }
}

/// A user with what was told of them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ExternalUser {
    /// The user.
    #[sqlx(flatten)]
    pub user: User,
    /// What was told besides the name, sealed.
    pub data: Option<Vec<u8>>,
}

/// What a tenant's own server tells of a user.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// A name to show.
    pub name: Option<&'a DisplayName>,
    /// The rest, sealed.
    pub data: Option<&'a [u8]>,
}

/// What was told of somebody, as it is kept.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ToldOfUser {
    /// The user.
    pub id: UserId,
    /// Their tenant.
    pub tenant_id: TenantId,
    /// What its server calls them.
    pub external_id: String,
    /// What it told, sealed.
    pub data: Vec<u8>,
}

impl UserService {
    /// The user whom the tenant's own server calls so.
    ///
    /// Errors: the database failed.
    pub async fn external_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        external: &ExternalId,
    ) -> Result<Option<ExternalUser>> {
        external_store::by_external_id(tx, tenant, external).await
    }

    /// Makes a user, with its audit record, unless the tenant's own server has named them in the meantime; answers
    /// the user and whether it was made. The caller calls [`UserService::changed`].
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn create_external_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        external: &ExternalId,
        told: Told<'_>,
        actor: Actor<'_>,
    ) -> Result<(User, bool), UserError> {
        let now = self.clock.now();
        let new = UserId::new(now, &*self.entropy)?;
        let id = external_store::insert_external(tx, tenant, new, external, told, now).await?;
        if id == new {
            let subject = id.to_string();
            let detail = json!({ "status": UserStatus::Active.as_str(), "external": true });
            let entry = actor.does(tenant, "user_created", &subject, detail);
            audit::record(tx, now, &*self.entropy, entry).await?;
        }
        let user = store::by_id(tx, tenant, id).await?.ok_or(UserError::NotFound)?;
        Ok((user, id == new))
    }

    /// Keeps what is told of a user now, in the place of what was told before. The caller calls
    /// [`UserService::changed`].
    ///
    /// Errors: the database failed.
    pub async fn set_external_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        id: UserId,
        told: Told<'_>,
    ) -> Result<()> {
        external_store::set_external(tx, tenant, id, told, self.clock.now()).await
    }

    /// What was told of the next so many users after one, of whatever tenant, in the order of their ids.
    ///
    /// Errors: the database failed.
    pub async fn told_after_in(
        &self,
        tx: &mut Tx,
        after: Option<UserId>,
        most: i64,
    ) -> Result<Vec<ToldOfUser>> {
        external_store::told_after(tx, after, most).await
    }

    /// Puts what was told, sealed anew, in the place of what was read.
    ///
    /// Errors: the database failed.
    pub async fn reseal_told_in(
        &self,
        tx: &mut Tx,
        of: (TenantId, UserId),
        old: &[u8],
        sealed: &[u8],
    ) -> Result<()> {
        external_store::reseal_told(tx, of, old, sealed).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_as_it_is() {
        for (text, good) in [
            ("42", true),
            (" Ann@Example.com ", true),
            ("\u{fc}ber/1?x=y", true),
            (&*"x".repeat(255), true),
            ("", false),
            (&*"x".repeat(256), false),
            ("a\nb", false),
            ("a\u{85}b", false),
        ] {
            assert_eq!(text.parse::<ExternalId>().is_ok(), good, "{text:?}");
            assert!(!good || text.parse::<ExternalId>().unwrap().as_str() == text);
        }
    }
}
