//! Entities of identity, made once for each version and fact.

use std::{collections::HashSet, ops::Deref, sync::Arc};

use quick_cache::sync::Cache;

use super::{
    facts::{Age, Facts},
    named::Named,
    records,
};
use crate::{
    api_keys::ApiKeyService,
    authorize::AuthorizeError,
    base::{ApiKeyId, Clock, Digest32, TenantId, UserId},
    bus::{IdentityNews, Subject},
    clients::ClientService,
    policy::{Entity, EntityUid, Snapshot},
    roles::RoleService,
    storage::StorageError,
    tenants::TenantService,
    users::UserService,
};

/// Users, keys and tenants, for each version that asks, whose entities are held.
const MAX_MADE: usize = 50_000;

/// A version, and whom its entities are of; of a tenant, all its roles.
type Key = (Digest32, TenantId, Subject);

/// Entities, and how old the facts are that they were made of.
#[derive(Debug)]
pub(in crate::authorize) struct Made {
    entities: Vec<Arc<Entity>>,
    age: Age,
    /// The owner of a key: what the key may do hangs on it.
    owner: Option<(UserId, Age)>,
}

/// The entities of a question, shared where they are of one user.
#[derive(Debug)]
pub(in crate::authorize) enum IdentityEntities {
    None,
    One(Arc<Made>),
    Many(Vec<Arc<Entity>>),
}

impl Deref for IdentityEntities {
    type Target = [Arc<Entity>];

    fn deref(&self) -> &[Arc<Entity>] {
        match self {
            Self::None => &[],
            Self::One(made) => &made.entities,
            Self::Many(entities) => entities,
        }
    }
}

impl IdentityEntities {
    /// The one set that these are, if there are any.
    pub(in crate::authorize) fn one(&self) -> Option<&Arc<Made>> {
        match self {
            Self::One(made) => Some(made),
            Self::None | Self::Many(_) => None,
        }
    }

    /// Whether they were put together of several sets.
    pub(in crate::authorize) fn are_mixed(&self) -> bool {
        matches!(self, Self::Many(_))
    }
}

/// Users, API keys, roles and tenants as entities; see the module.
#[derive(Debug)]
pub struct IdentityCache {
    facts: Facts,
    made: Cache<Key, Arc<Made>>,
}

impl IdentityCache {
    /// Nothing was read yet. Copies live by `clock` and `news`.
    #[must_use]
    pub fn new(
        from: (UserService, RoleService, Arc<ApiKeyService>, Arc<TenantService>, Arc<ClientService>),
        news: Arc<IdentityNews>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { facts: Facts::new(from, news, clock), made: Cache::new(MAX_MADE) }
    }

    /// Names of the roles that an API key has now, inherited ones included.
    ///
    /// Errors: facts are not in memory and cannot be read.
    pub async fn roles_of_key(&self, tenant: TenantId, id: ApiKeyId) -> Result<Vec<String>, StorageError> {
        let (roles, key) = (self.facts.roles(tenant).await?, self.facts.key(tenant, id).await?);
        let Some(key) = &key.fact else { return Ok(Vec::new()) };
        let owner = match key.owner {
            Some(owner) => Some(self.facts.user(tenant, owner).await?),
            None => None,
        };
        let owner = owner.as_ref().map(|held| &held.fact);
        let held = records::roles_of_key(key, owner, &roles.fact);
        Ok(held.into_iter().map(|role| role.name.clone()).collect())
    }

    /// The entities of those who are named, each once.
    ///
    /// Errors: `Storage` when facts are not in memory and cannot be read.
    pub(in crate::authorize) async fn entities(
        &self,
        snapshot: &Snapshot,
        tenant: TenantId,
        named: &Named,
    ) -> Result<IdentityEntities, AuthorizeError> {
        match (&*named.users, named.roles) {
            ([], false) => return Ok(IdentityEntities::None),
            ([user], false) => {
                return self.made(snapshot, tenant, *user).await.map(IdentityEntities::One);
            }
            _ => {}
        }
        let (mut all, mut seen): (Vec<Arc<Entity>>, HashSet<EntityUid>) = (Vec::new(), HashSet::new());
        let whole_tenant = named.roles.then_some(Subject::Tenant);
        for user in named.users.iter().copied().chain(whole_tenant) {
            let made = self.made(snapshot, tenant, user).await?;
            all.extend(made.entities.iter().filter(|entity| seen.insert(entity.uid())).cloned());
        }
        Ok(IdentityEntities::Many(all))
    }

    async fn made(
        &self,
        snapshot: &Snapshot,
        tenant: TenantId,
        subject: Subject,
    ) -> Result<Arc<Made>, AuthorizeError> {
        let key = (snapshot.digest(), tenant, subject);
        if let Some(made) = self.made.get(&key).filter(|made| self.counts(made, tenant, subject)) {
            return Ok(made);
        }
        Box::pin(self.make(snapshot, key)).await // seldom: it has no room in the futures of all requests
    }

    async fn make(&self, snapshot: &Snapshot, key: Key) -> Result<Arc<Made>, AuthorizeError> {
        let (_, tenant, subject) = key;
        let types = snapshot.identity();
        let roles = self.facts.roles(tenant).await?;
        let known_tenant = self.facts.tenant(tenant).await?;
        let known_tenant = known_tenant.as_deref();
        let mut key_owner = None;
        let (records, age) = match subject {
            Subject::Tenant => (records::of_roles(&roles.fact, types), roles.age),
            // The stamp of a user, and of a key, moves with the tenant's roles too.
            Subject::User(user) => {
                let user = self.facts.user(tenant, user).await?;
                (records::of_user(&user.fact, &roles.fact, known_tenant, types), user.age.with(roles.age))
            }
            Subject::Key(id) => {
                let key = self.facts.key(tenant, id).await?;
                let owner = match key.fact.as_ref().and_then(|key| key.owner) {
                    Some(user) => Some((user, self.facts.user(tenant, user).await?)),
                    None => None,
                };
                key_owner = owner.as_ref().map(|(user, held)| (*user, held.age));
                let owner = owner.as_ref().map(|(_, held)| &held.fact);
                (
                    records::of_key(key.fact.as_ref(), owner, (&roles.fact, known_tenant), types),
                    key.age.with(roles.age),
                )
            }
            Subject::Client(id) => {
                let client = self.facts.client(tenant, id).await?;
                (
                    records::of_service(client.fact.as_ref(), (&roles.fact, known_tenant), types),
                    client.age.with(roles.age),
                )
            }
        };
        let entities = records.iter().map(|record| snapshot.identity_entity(record).map(Arc::new));
        let entities = entities.collect::<Result<_, _>>()?;
        let made = Arc::new(Made { entities, age, owner: key_owner });
        self.made.insert(key, Arc::clone(&made));
        Ok(made)
    }

    fn counts(&self, made: &Made, tenant: TenantId, subject: Subject) -> bool {
        let of_owner = |(user, age)| self.facts.counts(age, tenant, Subject::User(user));
        self.facts.counts(made.age, tenant, subject) && made.owner.is_none_or(of_owner)
    }
}
