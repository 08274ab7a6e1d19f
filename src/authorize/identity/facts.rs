//! What SQL says of a user, of an API key, of a client, and of the roles of a tenant; in memory for seconds.

use std::{hash::Hash, sync::Arc, time::Duration};

use quick_cache::sync::Cache;

use crate::{
    api_keys::{ApiKey, ApiKeyService},
    base::{ApiKeyId, ClientId, Clock, Millis, TenantId, UserId},
    bus::{IdentityNews, Stamp, Subject},
    clients::{Client, ClientService},
    roles::{Hierarchy, RoleService},
    storage::StorageError,
    tenants::{Tenant, TenantService},
    users::{User, UserService},
};

/// How old a fact may be.
const TTL: Duration = Duration::from_secs(5);
/// The same while no news of other nodes come.
const DEGRADED_TTL: Duration = Duration::from_secs(1);
/// Users that are held, and keys.
const MAX_USERS: usize = 50_000;
/// Tenants whose roles are held.
const MAX_TENANTS: usize = 1_000;

/// One user; `None` when the tenant has no such user.
#[derive(Debug)]
pub(super) struct UserFacts {
    pub(super) user: Option<User>,
    /// Names of the roles granted, without what they inherit.
    pub(super) roles: Vec<String>,
}

/// When and at which stamp something was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Age {
    stamp: Stamp,
    at: Millis,
}

impl Age {
    /// The age of something made of two facts: as old as the older one, and this one's stamp.
    pub(super) fn with(self, other: Self) -> Self {
        Self { at: self.at.min(other.at), ..self }
    }
}

/// A fact with its age.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub(super) fact: T,
    pub(super) age: Age,
}

/// The facts of this node.
#[derive(Debug)]
pub(super) struct Facts {
    from: (UserService, RoleService, Arc<ApiKeyService>, Arc<TenantService>, Arc<ClientService>),
    news: Arc<IdentityNews>,
    clock: Arc<dyn Clock>,
    users: Cache<(TenantId, UserId), Arc<Held<UserFacts>>>,
    keys: Cache<(TenantId, ApiKeyId), Arc<Held<Option<ApiKey>>>>,
    clients: Cache<(TenantId, ClientId), Arc<Held<Option<Client>>>>,
    roles: Cache<TenantId, Arc<Held<Hierarchy>>>,
}

impl Facts {
    /// Nothing was read yet.
    pub(super) fn new(
        from: (UserService, RoleService, Arc<ApiKeyService>, Arc<TenantService>, Arc<ClientService>),
        news: Arc<IdentityNews>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (users, keys, clients) = (Cache::new(MAX_USERS), Cache::new(MAX_USERS), Cache::new(MAX_USERS));
        Self { from, news, clock, users, keys, clients, roles: Cache::new(MAX_TENANTS) }
    }

    /// Whether what is so old still counts.
    pub(super) fn counts(&self, age: Age, tenant: TenantId, subject: Subject) -> bool {
        let now = self.clock.now();
        let old = now.since(age.at);
        let is_young = old < DEGRADED_TTL || (old < TTL && !self.news.is_degraded());
        // A clock that jumped back does not make a fact count for longer.
        is_young && age.at <= now && self.news.stamp(tenant, subject) == age.stamp
    }

    /// What is known of a user.
    ///
    /// Errors: it is not in memory and the database failed.
    pub(super) async fn user(
        &self,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Arc<Held<UserFacts>>, StorageError> {
        let (users, roles, ..) = &self.from;
        self.held(&self.users, &(tenant, id), (tenant, Subject::User(id)), async {
            let user = users.get(tenant, id).await?;
            let roles = if user.is_some() { roles.names_of(tenant, id).await? } else { Vec::new() };
            Ok(UserFacts { user, roles })
        })
        .await
    }

    /// What is known of a key; `None` when the tenant has no such key.
    ///
    /// Errors: as [`Facts::user`].
    pub(super) async fn key(
        &self,
        tenant: TenantId,
        id: ApiKeyId,
    ) -> Result<Arc<Held<Option<ApiKey>>>, StorageError> {
        let (_, _, keys, ..) = &self.from;
        self.held(&self.keys, &(tenant, id), (tenant, Subject::Key(id)), keys.get(tenant, id)).await
    }

    /// The tenant itself. As old as what is made of it, since its stamp is part of every stamp in it.
    ///
    /// Errors: as [`Facts::user`].
    pub(super) async fn tenant(&self, tenant: TenantId) -> Result<Option<Arc<Tenant>>, StorageError> {
        let (_, _, _, tenants, _) = &self.from;
        tenants.get(tenant).await
    }

    /// What is known of a client; `None` when the tenant has no such client, or it may do nothing.
    ///
    /// Errors: as [`Facts::user`].
    pub(super) async fn client(
        &self,
        tenant: TenantId,
        id: ClientId,
    ) -> Result<Arc<Held<Option<Client>>>, StorageError> {
        let (.., clients) = &self.from;
        self.held(&self.clients, &(tenant, id), (tenant, Subject::Client(id)), clients.active(tenant, id))
            .await
    }

    /// The roles of a tenant.
    ///
    /// Errors: as [`Facts::user`].
    pub(super) async fn roles(&self, tenant: TenantId) -> Result<Arc<Held<Hierarchy>>, StorageError> {
        let (_, roles, ..) = &self.from;
        let read = async { Ok(Hierarchy::of(roles.list(tenant).await?)) };
        self.held(&self.roles, &tenant, (tenant, Subject::Tenant), read).await
    }

    /// A fact from memory if it still counts, else from `read`.
    async fn held<K: Eq + Hash + Clone, T>(
        &self,
        cache: &Cache<K, Arc<Held<T>>>,
        key: &K,
        (tenant, subject): (TenantId, Subject),
        read: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<Arc<Held<T>>, StorageError> {
        if let Some(held) = cache.get(key).filter(|held| self.counts(held.age, tenant, subject)) {
            return Ok(held);
        }
        // INVARIANT: the stamp is taken before the read, so what a change overtook never counts.
        let age = Age { stamp: self.news.stamp(tenant, subject), at: self.clock.now() };
        let held = Arc::new(Held { fact: read.await?, age });
        cache.insert(key.clone(), Arc::clone(&held));
        Ok(held)
    }
}
