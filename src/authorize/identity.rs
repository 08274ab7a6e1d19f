//! Identity as entities (authorize.md §3): users, their roles with the hierarchy, and their tenant.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value, json};

use super::Ask;
use crate::{
    base::TenantId,
    policy::{EntityRecord, EntityUid, IdentityTypes, entity_uid},
    roles::{Role, RoleService},
    storage::StorageError,
    users::{User, UserService},
};

/// Most users that one question may name; what is over is unknown to it, as a stranger is.
const MAX_USERS: usize = 64;

/// Reads the users that a question names, and what they belong to.
///
/// Users of other tenants are not seen. Ids that are none of ours are left out: an entity that does
/// not exist has no attributes and no parents.
pub(super) async fn records(
    users: &UserService,
    roles: &RoleService,
    tenant: TenantId,
    types: &IdentityTypes,
    ask: &Ask,
) -> Result<Vec<EntityRecord>, StorageError> {
    let mut records = Records { types, found: Vec::new(), seen: HashSet::new() };
    if let Some(user_type) = &types.user {
        for id in named(ask, user_type).iter().filter_map(|id| id.parse().ok()).take(MAX_USERS) {
            if let Some(user) = users.get(tenant, id).await? {
                let granted = roles.names_of(tenant, id).await?;
                records.user(user_type, &user, &granted);
                for role in roles.closure_of_user(tenant, id).await? {
                    records.role(&role);
                }
                records.tenant(user.tenant_id);
            }
        }
    }
    // A role that is itself spoken of, as when it is granted, comes with what it inherits.
    if types.role.as_ref().is_some_and(|role_type| !named(ask, role_type).is_empty()) {
        roles.list(tenant).await?.iter().for_each(|role| records.role(role));
    }
    Ok(records.found)
}

struct Records<'a> {
    types: &'a IdentityTypes,
    found: Vec<EntityRecord>,
    seen: HashSet<EntityUid>,
}

impl Records<'_> {
    fn user(&mut self, user_type: &str, user: &User, roles: &[String]) {
        let mut attributes = Map::new();
        attributes.insert("email".to_owned(), json!(user.email));
        attributes.insert("email_verified".to_owned(), json!(user.email_verified));
        attributes.insert("status".to_owned(), json!(user.status.as_str()));
        attributes.insert(
            "created_at".to_owned(),
            json!({"__extn": {"fn": "datetime", "arg": user.created_at_ms.to_string()}}),
        );
        if let Some(name) = &user.username {
            attributes.insert("username".to_owned(), json!(name));
        }
        let tenant = self.types.tenant.as_deref().and_then(|kind| uid(kind, &user.tenant_id.to_string()));
        if let Some(kind) = &self.types.tenant {
            attributes.insert(
                "tenant".to_owned(),
                json!({"__entity": {"type": kind, "id": user.tenant_id.to_string()}}),
            );
        }
        let roles = roles.iter().filter_map(|name| uid(self.types.role.as_deref()?, name));
        self.add(user_type, &user.id.to_string(), attributes, roles.chain(tenant).collect());
    }

    fn role(&mut self, role: &Role) {
        if let Some(kind) = self.types.role.as_deref() {
            let parents = role.inherits.as_deref().and_then(|parent| uid(kind, parent)).into_iter().collect();
            self.add(kind, &role.name, Map::new(), parents);
        }
    }

    fn tenant(&mut self, tenant: TenantId) {
        if let Some(kind) = self.types.tenant.as_deref() {
            self.add(kind, &tenant.to_string(), Map::new(), Vec::new());
        }
    }

    fn add(&mut self, kind: &str, id: &str, attributes: Map<String, Value>, parents: Vec<EntityUid>) {
        if let Some(uid) = uid(kind, id).filter(|uid| self.seen.insert(uid.clone())) {
            self.found.push(EntityRecord { uid, attrs: attributes, parents });
        }
    }
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    entity_uid(&json!({"type": kind, "id": id}), "").ok()
}

/// The ids of the entities of one type that stand anywhere in the question: as principal or resource, in
/// the context, or in an entity of the request.
fn named(ask: &Ask, kind: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let parts = [&ask.principal, &ask.resource].into_iter().chain(&ask.context).chain(&ask.entities);
    for part in parts {
        collect(part, kind, &mut ids);
    }
    ids
}

fn collect(value: &Value, kind: &str, ids: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let id = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix("::\""));
            ids.extend(id.and_then(|rest| rest.strip_suffix('"')).map(ToOwned::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, kind, ids)),
        Value::Object(members) => match (members.get("type"), members.get("id")) {
            (Some(Value::String(found)), Some(Value::String(id))) if found == kind => {
                ids.insert(id.clone());
            }
            _ => members.values().for_each(|member| collect(member, kind, ids)),
        },
        _ => {}
    }
}
