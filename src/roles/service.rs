//! Use cases around roles.

use std::{collections::HashMap, sync::Arc};

use serde_json::json;

use super::{
    Binding, Granted, Hierarchy, NewRole, RESERVED, Role, RoleError, RoleName, SUPER_ADMIN, TENANT_ADMIN,
    hierarchy::MAX_DEPTH, store,
};
use crate::{
    audit::{self, Actor},
    base::{Clock, Cursor, Entropy, Limit, Page, RoleBindingId, TenantId, UserId},
    bus::{IdentityNews, Subject},
    storage::{Db, Fault, Result, Run, Tx},
    write_tx,
};

/// Makes, removes, grants and revokes roles. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RoleService {
    db: Db,
    news: Arc<IdentityNews>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl RoleService {
    /// The service over a database; it tells `news` what it changed.
    #[must_use]
    pub fn new(db: Db, news: Arc<IdentityNews>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { db, news, clock, entropy }
    }

    /// All roles of a tenant, by name.
    ///
    /// Errors: the database failed.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<Role>> {
        store::list(&mut &self.db, tenant).await
    }

    /// The role of this name.
    ///
    /// Errors: the database failed.
    pub async fn get(&self, tenant: TenantId, name: &RoleName) -> Result<Option<Role>> {
        store::by_name(&mut &self.db, tenant, name.as_str()).await
    }

    /// Makes a role, with its audit record.
    ///
    /// Errors: `Exists`, `Cycle` (it inherits itself), `NotFound` (what it inherits), `TooDeep`, `Storage`,
    /// `Entropy`.
    pub async fn create(&self, tenant: TenantId, new: &NewRole, actor: Actor<'_>) -> Result<Role, RoleError> {
        let name = new.name.as_str();
        if RESERVED.contains(&name) {
            return Err(RoleError::Exists);
        }
        if new.inherits.as_ref() == Some(&new.name) {
            return Err(RoleError::Cycle);
        }
        let made = write_tx!(self.db, "roles.create", |tx| -> Result<Role, RoleError> {
            let now = self.clock.now();
            if let Some(parent) = &new.inherits {
                let roles = Hierarchy::of(store::list(tx, tenant).await?);
                if roles.get(parent.as_str()).is_none() {
                    return Err(RoleError::NotFound);
                }
                if roles.chain(parent.as_str()).count() >= MAX_DEPTH {
                    return Err(RoleError::TooDeep);
                }
            }
            if !store::insert(tx, tenant, new, now).await? {
                return Err(RoleError::Exists);
            }
            let inherits = new.inherits.as_ref().map(RoleName::as_str);
            let entry = actor.does(tenant, "role_created", name, json!({ "inherits": inherits }));
            audit::record(tx, now, &*self.entropy, entry).await?;
            store::by_name(tx, tenant, name).await?.ok_or(RoleError::NotFound)
        })?;
        self.news.tell(tenant, Subject::Tenant).await;
        Ok(made)
    }

    /// Makes the roles of a new tenant, in the transaction that makes the tenant: `user`, and `tenant_admin`, which is
    /// more than that.
    ///
    /// Errors: the database failed.
    pub async fn seed_in(&self, tx: &mut Tx, tenant: TenantId) -> Result<()> {
        let now = self.clock.now();
        store::seed(tx, tenant, "user", "signs in and asks about itself", None, now).await?;
        store::seed(tx, tenant, TENANT_ADMIN, "manages the tenant", Some("user"), now).await
    }

    /// Removes a role that nobody has and none inherits, with its audit record.
    ///
    /// Errors: `NotFound`, `Builtin`, `InUse`, `Storage`, `Entropy`.
    pub async fn delete(&self, tenant: TenantId, name: &RoleName, actor: Actor<'_>) -> Result<(), RoleError> {
        let name = name.as_str();
        write_tx!(self.db, "roles.delete", |tx| -> Result<(), RoleError> {
            let role = store::by_name(tx, tenant, name).await?.ok_or(RoleError::NotFound)?;
            if role.builtin {
                return Err(RoleError::Builtin);
            }
            if store::count_uses(tx, tenant, name).await? > 0 {
                return Err(RoleError::InUse);
            }
            if !store::remove(tx, tenant, name).await? {
                return Err(RoleError::NotFound);
            }
            let entry = actor.does(tenant, "role_deleted", name, json!({}));
            Ok(audit::record(tx, self.clock.now(), &*self.entropy, entry).await?)
        })?;
        self.news.tell(tenant, Subject::Tenant).await;
        Ok(())
    }

    /// A page of the bindings of a tenant, or of one user, in the order in which they were made.
    ///
    /// Errors: the database failed.
    pub async fn bindings(
        &self,
        tenant: TenantId,
        user: Option<UserId>,
        after: Option<&Cursor>,
        limit: Limit,
    ) -> Result<Page<Binding>> {
        let after = after.map(Cursor::key);
        let rows = store::bindings(&mut &self.db, tenant, user, after, limit).await?;
        Ok(Page::cut(rows, limit, |binding| binding.id.to_string()))
    }

    /// The bindings of one user, in the order in which they were made.
    ///
    /// Errors: the database failed.
    pub async fn bindings_of(&self, tenant: TenantId, user: UserId) -> Result<Vec<Binding>> {
        store::bindings_of(&mut &self.db, tenant, &[user]).await
    }

    /// The names of the roles granted to each of some users, without what they inherit.
    ///
    /// Errors: the database failed.
    pub async fn names_of_all(
        &self,
        tenant: TenantId,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Vec<String>>> {
        let mut names: HashMap<UserId, Vec<String>> = HashMap::new();
        for binding in store::bindings_of(&mut &self.db, tenant, users).await? {
            names.entry(binding.user_id).or_default().push(binding.role);
        }
        Ok(names)
    }

    /// The binding of this id.
    ///
    /// Errors: the database failed.
    pub async fn binding(&self, tenant: TenantId, id: RoleBindingId) -> Result<Option<Binding>> {
        store::binding_by_id(&mut &self.db, tenant, id).await
    }

    /// Grants a role to a user, with its audit record. A second grant changes nothing and is not recorded.
    ///
    /// Errors: `NotFound`, `UserNotFound`, `Storage`, `Entropy`.
    pub async fn grant(
        &self,
        tenant: TenantId,
        user: UserId,
        role: &RoleName,
        actor: Actor<'_>,
    ) -> Result<Granted, RoleError> {
        let granted = write_tx!(self.db, "roles.grant", |tx| -> Result<Granted, RoleError> {
            self.grant_in(tx, tenant, user, role.as_str(), actor).await
        })?;
        self.news.tell(tenant, Subject::User(user)).await;
        Ok(granted)
    }

    /// [`RoleService::grant`] inside a transaction of the caller's, who tells the news after the commit.
    ///
    /// Errors: as there.
    pub async fn grant_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        user: UserId,
        role: &str,
        actor: Actor<'_>,
    ) -> Result<Granted, RoleError> {
        let now = self.clock.now();
        if store::by_name(tx, tenant, role).await?.is_none() {
            return Err(RoleError::NotFound);
        }
        let binding = Binding {
            id: RoleBindingId::new(now, &*self.entropy)?,
            tenant_id: tenant,
            user_id: user,
            role: role.to_owned(),
            created_by: actor.name.to_owned(),
            created_at_ms: now,
        };
        let added = store::bind(tx, &binding).await.map_err(|error| match error.fault() {
            Fault::ForeignKey => RoleError::UserNotFound,
            _ => error.into(),
        })?;
        if !added {
            let binding = store::binding(tx, tenant, user, role).await?.ok_or(RoleError::BindingNotFound)?;
            return Ok(Granted { binding, created: false });
        }
        let subject = user.to_string();
        let entry = actor.does(tenant, "role_granted", &subject, json!({ "role": role }));
        audit::record(tx, now, &*self.entropy, entry).await?;
        Ok(Granted { binding, created: true })
    }

    /// Takes a role from a user, with its audit record.
    ///
    /// Errors: `BindingNotFound`, `LastAdministrator`, `Storage`, `Entropy`.
    pub async fn revoke(
        &self,
        tenant: TenantId,
        user: UserId,
        role: &RoleName,
        actor: Actor<'_>,
    ) -> Result<(), RoleError> {
        let role = role.as_str();
        write_tx!(self.db, "roles.revoke", |tx| -> Result<(), RoleError> {
            if !store::unbind(tx, tenant, user, role).await? {
                return Err(RoleError::BindingNotFound);
            }
            // INVARIANT: counted after the removal, in the transaction that a conflict undoes.
            if role == SUPER_ADMIN && store::count_super_admins(tx, tenant).await? == 0 {
                return Err(RoleError::LastAdministrator);
            }
            let subject = user.to_string();
            let entry = actor.does(tenant, "role_revoked", &subject, json!({ "role": role }));
            Ok(audit::record(tx, self.clock.now(), &*self.entropy, entry).await?)
        })?;
        self.news.tell(tenant, Subject::User(user)).await;
        Ok(())
    }

    /// The names of the roles granted to a user, without what they inherit, by name.
    ///
    /// Errors: the database failed.
    pub async fn names_of(&self, tenant: TenantId, user: UserId) -> Result<Vec<String>> {
        store::names_of(&mut &self.db, tenant, user).await
    }

    /// The roles granted to a user and all that they inherit, each once, by name.
    ///
    /// Errors: the database failed.
    pub async fn closure_of_user(&self, tenant: TenantId, user: UserId) -> Result<Vec<Role>> {
        let granted = store::names_of(&mut &self.db, tenant, user).await?;
        if granted.is_empty() {
            return Ok(Vec::new());
        }
        let roles = Hierarchy::of(store::list(&mut &self.db, tenant).await?);
        Ok(roles.closure(&granted).into_iter().cloned().collect())
    }

    /// Whether an active user of the tenant has `super_admin`.
    ///
    /// Errors: the database failed.
    pub async fn has_super_admin(&self, run: &mut dyn Run, tenant: TenantId) -> Result<bool> {
        Ok(store::count_super_admins(run, tenant).await? > 0)
    }
}
