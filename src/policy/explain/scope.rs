//! The scope of a policy, part by part.

use cedar_policy::{ActionConstraint, Entities, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

use super::model::{ClauseView, NamedValue};
use crate::policy::Query;

/// The parts of a policy's scope that a request misses, in the order principal, action, resource.
pub(super) fn missed(policy: &Policy, query: &Query, entities: &Entities) -> Vec<ClauseView> {
    let within =
        |entity: &EntityUid, group: &EntityUid| entity == group || entities.is_ancestor_of(group, entity);
    let principal = query.principal();
    let (principal_fits, principal_text) = match policy.principal_constraint() {
        PrincipalConstraint::Any => (true, String::new()),
        PrincipalConstraint::Eq(one) => (*principal == one, format!("principal == {one}")),
        PrincipalConstraint::In(group) => (within(principal, &group), format!("principal in {group}")),
        PrincipalConstraint::Is(of) => (*principal.type_name() == of, format!("principal is {of}")),
        PrincipalConstraint::IsIn(of, group) => (
            *principal.type_name() == of && within(principal, &group),
            format!("principal is {of} in {group}"),
        ),
    };
    let resource = query.resource();
    let (resource_fits, resource_text) = match policy.resource_constraint() {
        ResourceConstraint::Any => (true, String::new()),
        ResourceConstraint::Eq(one) => (*resource == one, format!("resource == {one}")),
        ResourceConstraint::In(group) => (within(resource, &group), format!("resource in {group}")),
        ResourceConstraint::Is(of) => (*resource.type_name() == of, format!("resource is {of}")),
        ResourceConstraint::IsIn(of, group) => {
            (*resource.type_name() == of && within(resource, &group), format!("resource is {of} in {group}"))
        }
    };
    let action = query.action();
    let (action_fits, action_text) = match policy.action_constraint() {
        ActionConstraint::Any => (true, String::new()),
        ActionConstraint::Eq(one) => (*action == one, format!("action == {one}")),
        ActionConstraint::In(groups) => {
            let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
            (groups.iter().any(|group| within(action, group)), format!("action in [{}]", names.join(", ")))
        }
    };
    let parts = [
        (principal_fits, principal_text, "principal", principal),
        (action_fits, action_text, "action", action),
        (resource_fits, resource_text, "resource", resource),
    ];
    let missed = parts.into_iter().filter(|(fits, ..)| !fits);
    let view = missed.map(|(_, text, variable, entity)| ClauseView {
        text,
        values: vec![NamedValue { expression: variable.to_owned(), value: entity.to_string() }],
        error: None,
    });
    view.collect()
}
