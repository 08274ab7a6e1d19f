//! Facts as entities of a store. Each names all that it is in, not only what it is in directly: an entity that is
//! complete in itself is shared by decisions, and one that is not is put together for each.

use serde_json::{Map, json};

use super::facts::UserFacts;
use crate::{
    api_keys::ApiKey,
    base::TenantId,
    clients::Client,
    policy::{EntityRecord, EntityUid, IdentityTypes, entity_uid},
    roles::{Hierarchy, Role},
    tenants::{Tenant, TenantStatus},
    users::User,
};

/// A user, the roles that they have by themselves or by inheritance, and their tenant. Nothing for a user
/// whom the tenant has not.
pub(super) fn of_user(
    facts: &UserFacts,
    roles: &Hierarchy,
    tenant: Option<&Tenant>,
    types: &IdentityTypes,
) -> Vec<EntityRecord> {
    let (Some(user), Some(user_type)) = (&facts.user, &types.user) else { return Vec::new() };
    let mut records = Vec::new();
    let granted = roles.closure(&facts.roles);
    records.extend(user_record(user_type, user, &granted, tenant, types));
    records.extend(granted.into_iter().filter_map(|role| role_record(role, roles, types)));
    records.extend(tenant_record(user.tenant_id, tenant, types));
    records
}

/// An API key, the roles that it was given and that its owner still has, and its tenant. Nothing for a key that
/// the tenant has not.
pub(super) fn of_key(
    key: Option<&ApiKey>,
    owner: Option<&UserFacts>,
    (roles, tenant): (&Hierarchy, Option<&Tenant>),
    types: &IdentityTypes,
) -> Vec<EntityRecord> {
    let (Some(key), Some(key_type)) = (key, &types.api_key) else { return Vec::new() };
    let mut granted = roles.closure(&key.roles);
    if key.owner.is_some() {
        let held = owner.map(|owner| roles.closure(&owner.roles)).unwrap_or_default();
        granted.retain(|role| held.iter().any(|known| known.name == role.name));
    }
    let mut records = Vec::new();
    records.extend(key_record(key_type, key, &granted, types));
    records.extend(granted.into_iter().filter_map(|role| role_record(role, roles, types)));
    records.extend(tenant_record(key.tenant_id, tenant, types));
    records
}

/// A client as a service, its roles and its tenant. Nothing for one that the tenant has not.
pub(super) fn of_service(
    client: Option<&Client>,
    (roles, tenant): (&Hierarchy, Option<&Tenant>),
    types: &IdentityTypes,
) -> Vec<EntityRecord> {
    let (Some(client), Some(kind)) = (client, &types.service) else { return Vec::new() };
    let granted = roles.closure(&client.roles);
    let mut attrs = Map::new();
    attrs.insert("name".to_owned(), json!(client.name));
    attrs.insert("scopes".to_owned(), json!(client.scopes));
    let home = types.tenant.as_deref().and_then(|kind| uid(kind, &client.tenant_id.to_string()));
    if let Some(kind) = &types.tenant {
        let reference = json!({"__entity": {"type": kind, "id": client.tenant_id.to_string()}});
        attrs.insert("tenant".to_owned(), reference);
    }
    let parents = granted.iter().filter_map(|role| uid(types.role.as_deref()?, &role.name)).chain(home);
    let parents = parents.collect();
    let service = uid(kind, &client.id.to_string()).map(|uid| EntityRecord { uid, attrs, parents });
    let mut records: Vec<EntityRecord> = service.into_iter().collect();
    records.extend(granted.into_iter().filter_map(|role| role_record(role, roles, types)));
    records.extend(tenant_record(client.tenant_id, tenant, types));
    records
}

/// The roles of a tenant.
pub(super) fn of_roles(roles: &Hierarchy, types: &IdentityTypes) -> Vec<EntityRecord> {
    roles.iter().filter_map(|role| role_record(role, roles, types)).collect()
}

fn user_record(
    user_type: &str,
    user: &User,
    roles: &[&Role],
    tenant: Option<&Tenant>,
    types: &IdentityTypes,
) -> Option<EntityRecord> {
    let mut attrs = Map::new();
    if let Some(email) = &user.email {
        attrs.insert("email".to_owned(), json!(email));
    }
    if let Some(external) = &user.external_id {
        attrs.insert("external_id".to_owned(), json!(external));
    }
    attrs.insert("email_verified".to_owned(), json!(user.email_verified));
    // Who is of a suspended tenant is kept out with it.
    let is_kept_out = tenant.is_some_and(|tenant| tenant.status == TenantStatus::Suspended);
    let status = if is_kept_out { "suspended" } else { user.status.as_str() };
    attrs.insert("status".to_owned(), json!(status));
    attrs.insert(
        "created_at".to_owned(),
        json!({"__extn": {"fn": "datetime", "arg": user.created_at_ms.to_string()}}),
    );
    if let Some(name) = &user.username {
        attrs.insert("username".to_owned(), json!(name));
    }
    let parent = types.tenant.as_deref().and_then(|kind| uid(kind, &user.tenant_id.to_string()));
    if let Some(kind) = &types.tenant {
        let reference = json!({"__entity": {"type": kind, "id": user.tenant_id.to_string()}});
        attrs.insert("tenant".to_owned(), reference);
    }
    let roles = roles.iter().filter_map(|role| uid(types.role.as_deref()?, &role.name));
    let uid = uid(user_type, &user.id.to_string())?;
    Some(EntityRecord { uid, attrs, parents: roles.chain(parent).collect() })
}

fn key_record(key_type: &str, key: &ApiKey, roles: &[&Role], types: &IdentityTypes) -> Option<EntityRecord> {
    let mut attrs = Map::new();
    attrs.insert("name".to_owned(), json!(key.name));
    attrs.insert("scopes".to_owned(), json!(key.limits.scopes.names().collect::<Vec<_>>()));
    attrs.insert("slot".to_owned(), json!(key.slot.as_str()));
    if let (Some(owner), Some(kind)) = (key.owner, &types.user) {
        let reference = json!({"__entity": {"type": kind, "id": owner.to_string()}});
        attrs.insert("owner".to_owned(), reference);
    }
    let tenant = types.tenant.as_deref().and_then(|kind| uid(kind, &key.tenant_id.to_string()));
    if let Some(kind) = &types.tenant {
        let reference = json!({"__entity": {"type": kind, "id": key.tenant_id.to_string()}});
        attrs.insert("tenant".to_owned(), reference);
    }
    let roles = roles.iter().filter_map(|role| uid(types.role.as_deref()?, &role.name));
    let uid = uid(key_type, &key.id.to_string())?;
    Some(EntityRecord { uid, attrs, parents: roles.chain(tenant).collect() })
}

fn role_record(role: &Role, roles: &Hierarchy, types: &IdentityTypes) -> Option<EntityRecord> {
    let kind = types.role.as_deref()?;
    let inherited = roles.chain(&role.name).skip(1);
    let parents = inherited.filter_map(|parent| uid(kind, &parent.name)).collect();
    Some(EntityRecord { uid: uid(kind, &role.name)?, attrs: Map::new(), parents })
}

fn tenant_record(id: TenantId, tenant: Option<&Tenant>, types: &IdentityTypes) -> Option<EntityRecord> {
    let uid = uid(types.tenant.as_deref()?, &id.to_string())?;
    let mut attrs = Map::new();
    if let Some(tenant) = tenant {
        attrs.insert("name".to_owned(), json!(tenant.name));
        attrs.insert("plan".to_owned(), json!(tenant.plan));
        attrs.insert("status".to_owned(), json!(tenant.status.as_str()));
    }
    Some(EntityRecord { uid, attrs, parents: Vec::new() })
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    entity_uid(&json!({"type": kind, "id": id}), "").ok()
}
