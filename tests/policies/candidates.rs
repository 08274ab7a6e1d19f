//! Which policies the index names: all whose scope matches, and no other.

use bailiwick::policy::{EntitySlice, Query, Snapshot, evaluate};
use cedar_policy::{Context, Entities, EntityUid, PolicySet, Schema};
use serde_json::json;

/// How many of these policies are looked at when `User::"u"` of the groups `a` and `b` asks to `view` `Doc::"d"` of
/// the folder `f`.
fn candidates(policies: &str) -> u32 {
    let actions: String = (0..100)
        .map(|n| format!("action a{n} in many appliesTo {{ principal: User, resource: Doc }};\n"))
        .collect();
    let schema = format!(
        "entity Group in [Group]; entity User in [Group]; entity Folder; entity Doc in [Folder];\n\
         action all; action many in [all]; action view in [all] appliesTo {{ principal: User, resource: Doc }};\n{actions}"
    );
    let schema = Schema::from_cedarschema_str(&schema).unwrap().0;
    let policies: PolicySet = policies.parse().unwrap();
    let entities = json!([
        {"uid": {"type": "User", "id": "u"}, "attrs": {}, "parents": [{"type": "Group", "id": "a"}]},
        {"uid": {"type": "Group", "id": "a"}, "attrs": {}, "parents": [{"type": "Group", "id": "b"}]},
        {"uid": {"type": "Doc", "id": "d"}, "attrs": {}, "parents": [{"type": "Folder", "id": "f"}]},
    ]);
    let slice = EntitySlice::whole(Entities::from_json_value(entities, Some(&schema)).unwrap());
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    let (principal, action, resource) = (uid("User::\"u\""), uid("Action::\"view\""), uid("Doc::\"d\""));
    let query = Query::new(principal, action, resource, Context::empty(), Some(&schema)).unwrap();
    let snapshot = Snapshot::from_policy_set("index".parse().unwrap(), &policies, schema).unwrap();
    evaluate(&snapshot, &query, &slice).candidates
}

#[track_caller]
fn named(policies: &[&str], expected: u32) {
    for policy in policies {
        assert_eq!(candidates(policy), expected, "{policy}");
    }
}

#[test]
fn a_policy_is_named_when_its_whole_scope_matches() {
    named(
        &[
            "permit(principal, action, resource);",
            "permit(principal is User, action, resource is Doc);",
            "permit(principal == User::\"u\", action == Action::\"view\", resource == Doc::\"d\");",
            "permit(principal in User::\"u\", action in Action::\"view\", resource in Doc::\"d\");",
            "permit(principal in Group::\"b\", action in Action::\"all\", resource in Folder::\"f\");",
            "permit(principal is User in Group::\"a\", action in [Action::\"many\", Action::\"view\"], resource is Doc in Folder::\"f\");",
        ],
        1,
    );
    named(
        &[
            "permit(principal is Group, action, resource);",
            "permit(principal, action, resource is Folder);",
            "permit(principal is Group in Group::\"b\", action, resource);",
            "permit(principal, action, resource is Folder in Folder::\"f\");",
            "permit(principal == Group::\"b\", action, resource);",
            "permit(principal in Group::\"c\", action, resource);",
            "permit(principal, action == Action::\"all\", resource);",
            "permit(principal, action in Action::\"many\", resource);",
            "permit(principal, action in [Action::\"a70\", Action::\"a99\"], resource);",
            "permit(principal, action in [], resource);",
        ],
        0,
    );
}

#[test]
fn a_condition_that_begins_like_a_scope_narrows_a_policy_down() {
    named(
        &[
            "permit(principal, action, resource) when { principal in Group::\"c\" };",
            "permit(principal, action, resource) when { principal is Group && principal.name == 1 };",
            "permit(principal, action, resource) when { User::\"v\" == principal };",
            "permit(principal, action, resource) when { principal is User && resource is Folder };",
            "permit(principal is User, action, resource) when { action in Action::\"all\" && principal in Group::\"c\" };",
            "permit(principal, action, resource) when { principal in Group::\"a\" } when { resource is Doc in Folder::\"g\" };",
            "permit(principal in Group::\"a\", action, resource) when { principal is Group };",
        ],
        0,
    );
    // An error must be told: what may err keeps what follows from being looked at beforehand.
    named(
        &[
            "permit(principal, action, resource) when { principal in Group::\"b\" };",
            "permit(principal, action, resource) when { principal.name == 1 && principal is Group };",
            "permit(principal, action, resource) when { principal is Group || true };",
            "permit(principal, action, resource) unless { principal is User };",
            "permit(principal, action, resource) when { !(principal is User) };",
            "permit(principal in Group::\"a\", action, resource) when { principal == User::\"v\" };",
        ],
        1,
    );
}

#[test]
fn a_group_met_on_two_ways_names_its_policies_once() {
    let policies = "permit(principal in Group::\"a\", action, resource);\n\
                    permit(principal in Group::\"b\", action, resource);\n\
                    permit(principal in Group::\"b\", action, resource in Folder::\"f\");\n\
                    permit(principal in Group::\"c\", action, resource in Folder::\"f\");";
    assert_eq!(candidates(policies), 3);
}
