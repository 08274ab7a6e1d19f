//! The scope index: which policies can apply to a request at all. Pure.
//!
//! Every policy is filed under what its scope says of action, resource and principal. A request
//! looks up every combination of keys that a scope could have and still match it, so the index
//! never misses a policy whose scope matches; it may name one whose scope does not, which the
//! evaluation then finds false.
//!
//! | scope | filed under | looked up by a request for entity `e` |
//! |---|---|---|
//! | any | `Any` | always |
//! | `is T` | `Type(T)` | the type of `e` |
//! | `== x` | `Eq(x)` | `e` |
//! | `in x`, `is T in x` | `In(x)` | `e` and each of its ancestors |
//!
//! Actions are expanded over the schema's hierarchy when the index is built: a policy for a group
//! is filed under each action in it.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

use super::{EntitySlice, Query, engine::cedar::Entity};

/// What a scope says of the principal or of the resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Any,
    Type(EntityTypeName),
    Eq(EntityUid),
    In(EntityUid),
}

/// What a scope says of the action.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ActionKey {
    Any,
    One(EntityUid),
}

/// Policies by action, then resource, then principal, so that an empty branch ends the search early.
#[derive(Debug, Default)]
pub(super) struct Index {
    postings: HashMap<ActionKey, HashMap<Key, HashMap<Key, Vec<u32>>>>,
    unindexed: usize,
}

impl Index {
    /// Files the policies under their numbers, which are their places in `policies`.
    ///
    /// `actions` are the action entities of the schema, each with all groups that it is in.
    pub(super) fn new<'a>(policies: impl Iterator<Item = &'a Policy>, actions: &Entities) -> Self {
        let groups = members(actions);
        let mut index = Self::default();
        for (number, policy) in (0_u32..).zip(policies) {
            let (principal, resource) = (principal_key(policy), resource_key(policy));
            let action_keys = action_keys(policy, &groups);
            if principal == Key::Any && resource == Key::Any && action_keys.contains(&ActionKey::Any) {
                index.unindexed += 1;
            }
            for action in action_keys {
                let resources = index.postings.entry(action).or_default();
                let principals = resources.entry(resource.clone()).or_default();
                principals.entry(principal.clone()).or_default().push(number);
            }
        }
        index
    }

    /// How many policies have a scope that says nothing, so that every request evaluates them.
    pub(super) fn unindexed(&self) -> usize {
        self.unindexed
    }

    /// The numbers of the policies that may apply, ascending, each once.
    pub(super) fn candidates(&self, query: &Query, slice: &EntitySlice<'_>) -> Vec<u32> {
        let principals = probes(query.principal(), slice);
        let resources = probes(query.resource(), slice);
        let mut found = Vec::new();
        for action in [ActionKey::Any, ActionKey::One(query.action().clone())] {
            let Some(by_resource) = self.postings.get(&action) else { continue };
            for by_principal in resources.iter().filter_map(|key| by_resource.get(key)) {
                found.extend(principals.iter().filter_map(|key| by_principal.get(key)).flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Every key under which a policy can be filed that matches `entity`.
fn probes(entity: &EntityUid, slice: &EntitySlice<'_>) -> Vec<Key> {
    let own =
        [Key::Any, Key::Type(entity.type_name().clone()), Key::Eq(entity.clone()), Key::In(entity.clone())];
    let above = slice.entity(entity.as_ref()).into_iter().flat_map(Entity::ancestors);
    own.into_iter().chain(above.map(|ancestor| Key::In(ancestor.clone().into()))).collect()
}

/// For each action and action group: the actions in it, itself among them.
fn members(actions: &Entities) -> HashMap<EntityUid, BTreeSet<EntityUid>> {
    let mut groups: HashMap<EntityUid, BTreeSet<EntityUid>> = HashMap::new();
    for action in actions.iter().map(cedar_policy::Entity::uid) {
        for group in actions.ancestors(&action).into_iter().flatten() {
            groups.entry(group.clone()).or_default().insert(action.clone());
        }
    }
    groups
}

fn action_keys(policy: &Policy, groups: &HashMap<EntityUid, BTreeSet<EntityUid>>) -> Vec<ActionKey> {
    let named = match policy.action_constraint() {
        ActionConstraint::Any => return vec![ActionKey::Any],
        ActionConstraint::Eq(action) => BTreeSet::from([action]),
        ActionConstraint::In(named) => {
            let inside = named.iter().filter_map(|group| groups.get(group)).flatten().cloned();
            inside.chain(named.iter().cloned()).collect()
        }
    };
    named.into_iter().map(ActionKey::One).collect()
}

fn principal_key(policy: &Policy) -> Key {
    match policy.principal_constraint() {
        PrincipalConstraint::Any => Key::Any,
        PrincipalConstraint::Eq(entity) => Key::Eq(entity),
        PrincipalConstraint::Is(entity_type) => Key::Type(entity_type),
        PrincipalConstraint::In(entity) | PrincipalConstraint::IsIn(_, entity) => Key::In(entity),
    }
}

fn resource_key(policy: &Policy) -> Key {
    match policy.resource_constraint() {
        ResourceConstraint::Any => Key::Any,
        ResourceConstraint::Eq(entity) => Key::Eq(entity),
        ResourceConstraint::Is(entity_type) => Key::Type(entity_type),
        ResourceConstraint::In(entity) | ResourceConstraint::IsIn(_, entity) => Key::In(entity),
    }
}
