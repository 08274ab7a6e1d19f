//! Use cases around users.

use std::sync::Arc;

use serde_json::json;
use unicode_normalization::UnicodeNormalization;

use super::{Credentials, Email, NewUser, Phc, User, UserChange, UserError, UserStatus, store};
use crate::{
    audit::{self, Actor},
    base::{Clock, Cursor, Entropy, Limit, Page, TenantId, UserId},
    bus::{IdentityNews, Subject},
    storage::{Db, Fault, Result, Tx},
    write_tx,
};

/// Makes, finds and changes users. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UserService {
    db: Db,
    news: Arc<IdentityNews>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl UserService {
    /// The service over a database; it tells `news` what it changed.
    #[must_use]
    pub fn new(db: Db, news: Arc<IdentityNews>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { db, news, clock, entropy }
    }

    /// The user with this id, if the tenant has one.
    ///
    /// Errors: the database failed.
    pub async fn get(&self, tenant: TenantId, id: UserId) -> Result<Option<User>> {
        store::by_id(&mut &self.db, tenant, id).await
    }

    /// [`UserService::get`] inside a transaction of the caller's.
    ///
    /// Errors: the database failed.
    pub async fn get_in(&self, tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<Option<User>> {
        store::by_id(tx, tenant, id).await
    }

    /// The users of a tenant in the order in which they were made; with `search` only those whose address or
    /// user name begins with it, in whatever spelling.
    ///
    /// Errors: the database failed.
    pub async fn search(
        &self,
        tenant: TenantId,
        search: Option<&str>,
        after: Option<&Cursor>,
        limit: Limit,
    ) -> Result<Page<User>> {
        let pattern = search.map(prefix_pattern);
        let after = after.map_or("", Cursor::key);
        let rows = store::search(&mut &self.db, tenant, pattern.as_deref(), after, limit).await?;
        Ok(Page::cut(rows, limit, |user| user.id.to_string()))
    }

    /// Makes a user, with its audit record.
    ///
    /// Errors: `EmailTaken`, `UsernameTaken`, `Storage`, `Entropy`.
    pub async fn create(&self, tenant: TenantId, new: &NewUser, actor: Actor<'_>) -> Result<User, UserError> {
        let made = write_tx!(self.db, "users.create", |tx| -> Result<User, UserError> {
            self.create_in(tx, tenant, new, actor).await
        })?;
        self.changed(tenant, made.id).await;
        Ok(made)
    }

    /// Makes a committed change of a user, or of their roles, known to this node and then to the others:
    /// after a transaction with `…_in`, before its outcome is answered.
    pub async fn changed(&self, tenant: TenantId, id: UserId) {
        self.news.tell(tenant, Subject::User(id)).await;
    }

    /// [`UserService::create`] inside a transaction of the caller's, who calls [`UserService::changed`].
    ///
    /// Errors: as there.
    pub async fn create_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        new: &NewUser,
        actor: Actor<'_>,
    ) -> Result<User, UserError> {
        let now = self.clock.now();
        let id = UserId::new(now, &*self.entropy)?;
        if !store::insert(tx, tenant, id, new, now).await? {
            return Err(if store::has_email(tx, tenant, new.email.norm()).await? {
                UserError::EmailTaken
            } else {
                UserError::UsernameTaken
            });
        }
        let subject = id.to_string();
        let entry = actor.does(tenant, "user_created", &subject, json!({ "status": new.status.as_str() }));
        audit::record(tx, now, &*self.entropy, entry).await?;
        store::by_id(tx, tenant, id).await?.ok_or(UserError::NotFound)
    }

    /// Changes the names of a user, with its audit record.
    ///
    /// Errors: `UsernameTaken`, `NotFound`, `Storage`, `Entropy`.
    pub async fn change(
        &self,
        tenant: TenantId,
        id: UserId,
        change: &UserChange,
        actor: Actor<'_>,
    ) -> Result<User, UserError> {
        let changed = write_tx!(self.db, "users.change", |tx| -> Result<User, UserError> {
            let now = self.clock.now();
            match store::change(tx, tenant, id, change, now).await {
                Ok(true) => {}
                Ok(false) => return Err(UserError::NotFound),
                Err(error) if error.fault() == Fault::Unique => return Err(UserError::UsernameTaken),
                Err(error) => return Err(error.into()),
            }
            // What it was and is does not stand in the log: that is kept when the user is erased.
            let (subject, detail) = (
                id.to_string(),
                json!({ "username": change.username.is_some(), "name": change.name.is_some() }),
            );
            let entry = actor.does(tenant, "user_changed", &subject, detail);
            audit::record(tx, now, &*self.entropy, entry).await?;
            store::by_id(tx, tenant, id).await?.ok_or(UserError::NotFound)
        })?;
        self.changed(tenant, id).await;
        Ok(changed)
    }

    /// Removes a user, and all that hangs on them in the database. The caller has ended their sessions, records it,
    /// and calls [`UserService::changed`] after the transaction.
    ///
    /// Errors: `NotFound`, `Storage`.
    pub async fn delete_in(&self, tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<(), UserError> {
        if store::delete(tx, tenant, id).await? { Ok(()) } else { Err(UserError::NotFound) }
    }

    /// The user with this id and their password hash.
    ///
    /// Errors: the database failed.
    pub async fn credentials(&self, tenant: TenantId, id: UserId) -> Result<Option<Credentials>> {
        store::credentials_by_id(&mut &self.db, tenant, id).await
    }

    /// The users of a tenant with their password hashes, in the order in which they were made: for the host alone.
    ///
    /// Errors: the database failed.
    pub async fn credentials_page(
        &self,
        tenant: TenantId,
        after: Option<&Cursor>,
        limit: Limit,
    ) -> Result<Page<Credentials>> {
        let rows =
            store::credentials_page(&mut &self.db, tenant, after.map_or("", Cursor::key), limit).await?;
        Ok(Page::cut(rows, limit, |known| known.user.id.to_string()))
    }

    /// The user whose address or user name has this norm, and their password hash.
    ///
    /// Errors: the database failed.
    pub async fn credentials_of(&self, tenant: TenantId, norm: &str) -> Result<Option<Credentials>> {
        store::credentials_by_norm(&mut &self.db, tenant, norm).await
    }

    /// Replaces the password hash if it is still `old`; answers whether it was.
    ///
    /// Errors: the database failed.
    pub async fn replace_phc_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        id: UserId,
        old: &Phc,
        new: &Phc,
    ) -> Result<bool> {
        store::replace_phc(tx, tenant, id, old, new, self.clock.now()).await
    }

    /// Sets the password hash, whatever it was.
    ///
    /// Errors: the database failed.
    pub async fn set_phc_in(&self, tx: &mut Tx, tenant: TenantId, id: UserId, phc: &Phc) -> Result<()> {
        store::set_phc(tx, tenant, id, phc, self.clock.now()).await
    }

    /// Raises the user's epoch: every token and session issued before is dead once `tx` commits.
    /// The caller announces it; see `sessions`.
    ///
    /// Errors: `NotFound`, `Storage`.
    pub async fn bump_epoch_in(&self, tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<i64, UserError> {
        store::bump_epoch(tx, tenant, id, self.clock.now()).await?.ok_or(UserError::NotFound)
    }

    /// Gives the user another address, which is known to be theirs. The caller records it, and calls
    /// [`UserService::changed`] after the transaction.
    ///
    /// Errors: `EmailTaken`, `NotFound`, `Storage`.
    pub async fn set_email_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        id: UserId,
        email: &Email,
    ) -> Result<(), UserError> {
        match store::set_email(tx, tenant, id, email, self.clock.now()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(UserError::NotFound),
            Err(error) if error.fault() == Fault::Unique => Err(UserError::EmailTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Says that the address is known to be the user's; whoever waited for that may sign in. The caller records
    /// it, and calls [`UserService::changed`] after the transaction.
    ///
    /// Errors: `NotFound`, `Storage`.
    pub async fn set_verified_in(&self, tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<(), UserError> {
        if store::set_verified(tx, tenant, id, self.clock.now()).await? {
            Ok(())
        } else {
            Err(UserError::NotFound)
        }
    }

    /// Sets whether the user may sign in, with its audit record. Tokens that are out are not the concern of
    /// this: `authn` ends them in the same transaction, and calls [`UserService::changed`] after it.
    ///
    /// Errors: `NotFound`, `Storage`, `Entropy`.
    pub async fn set_status_in(
        &self,
        tx: &mut Tx,
        (tenant, id): (TenantId, UserId),
        status: UserStatus,
        actor: Actor<'_>,
    ) -> Result<(), UserError> {
        let now = self.clock.now();
        if !store::set_status(tx, tenant, id, status, now).await? {
            return Err(UserError::NotFound);
        }
        let subject = id.to_string();
        let action = match status {
            UserStatus::Active => "user_unlocked",
            UserStatus::Locked => "user_locked",
            UserStatus::Disabled => "user_disabled",
            UserStatus::Pending => "user_made_pending",
        };
        let entry = actor.does(tenant, action, &subject, json!({}));
        Ok(audit::record(tx, now, &*self.entropy, entry).await?)
    }
}

/// A pattern of `LIKE` for what begins with a text, whatever stands in it.
fn prefix_pattern(search: &str) -> String {
    let mut pattern = String::new();
    for c in search.trim().chars().flat_map(char::to_lowercase).nfc() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
