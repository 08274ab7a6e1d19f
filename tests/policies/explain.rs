//! Explanations over the example store, and over policies as deep as they may be.

use bailiwick::policy::{
    EntitySlice, Explanation, Layers, RequestParts, ServerContext, Snapshot, decide, explain,
};
use serde_json::{Value, json};

use crate::{findings::store, shipped::compiled, support::raw};

fn explained(
    snapshot: &Snapshot,
    action: &str,
    resource: &str,
    context: &Value,
    entities: &Value,
) -> Explanation {
    let parts = RequestParts {
        principal: &raw(&json!("User::\"u\"")),
        action: &raw(&json!(action)),
        resource: &raw(&json!(resource)),
        context: Some(&raw(context)),
    };
    let query = snapshot.query(parts, &ServerContext::default()).unwrap();
    let inline = raw(entities);
    let layers = Layers { inline: Some(&inline), ..Layers::default() };
    let slice = EntitySlice::new(snapshot, layers).unwrap();
    explain(snapshot, &query, &slice, &decide(snapshot, &query, &slice))
}

fn user(attrs: Value, parents: Value) -> Value {
    let mut all =
        json!({"email_verified": false, "status": "active", "tenant": {"type": "Tenant", "id": "t"}});
    all.as_object_mut().unwrap().extend(attrs.as_object().unwrap().clone());
    json!([{"uid": "User::\"u\"", "attrs": all, "parents": parents}])
}

#[test]
fn an_allow_names_its_policy_and_the_clauses_that_held() {
    let app = compiled("app").snapshot;
    let view = explained(&app, "view", "Document::\"handbook\"", &json!({}), &user(json!({}), json!([])));
    let json = serde_json::to_value(&view).unwrap();
    let one = &json["determining"][0];
    assert_eq!(one["policy_id"], "public-documents");
    assert_eq!(
        (&one["file"], &one["line"], &one["effect"]),
        (&json!("public.cedar"), &json!(3), &json!("permit"))
    );
    assert_eq!(one["annotations"]["reason"], "public documents are for everyone");
    let clause = json!({"text": "when resource.visibility == \"public\"",
        "values": [{"expression": "resource.visibility", "value": "\"public\""}]});
    assert_eq!(one["clauses"][0], clause);
    assert_eq!(view.reason_user, "public documents are for everyone");
    assert_eq!(json["nearest_misses"], json!([]));
}

#[test]
fn a_forbid_tells_the_clause_that_fired() {
    let app = compiled("app").snapshot;
    let entities = user(json!({}), json!(["Role::\"editor\""]));
    let edit = explained(&app, "edit", "Document::\"archive-2019\"", &json!({}), &entities);
    assert_eq!(edit.determining.len(), 1);
    assert_eq!(edit.determining[0].policy.policy_id.as_str(), "archived-is-frozen");
    assert_eq!(edit.determining[0].clauses[0].text, "when resource.archived");
    assert_eq!(edit.reason_user, "the document is archived");
    assert!(
        edit.reason_admin.starts_with("denied by forbid `archived-is-frozen` (guards.cedar:3)"),
        "{}",
        edit.reason_admin
    );
    assert!(edit.nearest_misses.is_empty(), "what a forbid denied is not for want of a permit");
}

#[test]
fn a_denial_by_default_tells_the_nearest_misses() {
    let app = compiled("app").snapshot;
    let edit = explained(&app, "edit", "Document::\"handbook\"", &json!({}), &user(json!({}), json!([])));
    assert!(edit.determining.is_empty());
    let first = &edit.nearest_misses[0];
    assert_eq!((first.policy.policy_id.as_str(), first.scope_matches), ("document-owner", true));
    assert_eq!((first.held, first.conjuncts), (0, 2));
    assert_eq!(first.failing.text, "when resource has owner");
    assert_eq!(first.advice.as_deref(), Some("only the owner of the document may do this"));
    assert_eq!(edit.reason_user, "only the owner of the document may do this");
    let scopes: Vec<bool> = edit.nearest_misses.iter().map(|miss| miss.scope_matches).collect();
    assert!(scopes.is_sorted_by(|a, b| a >= b), "those out of scope come last: {scopes:?}");
    let public = edit.nearest_misses.iter().find(|miss| miss.policy.policy_id.as_str() == "public-documents");
    assert_eq!(public.unwrap().failing.text, "action in [Action::\"view\"]");
}

#[test]
fn an_unless_is_taken_apart_and_values_are_told() {
    let policies = "@id(\"a\") @advice(\"no\")\npermit(principal, action, resource) when { principal.name == \"x\" } \
                    unless { principal == resource.owner || principal.name == \"y\" };";
    let compiled = store(&[("p.cedar", policies.as_bytes())]).unwrap();
    let owner = json!([
        {"uid": "User::\"u\"", "attrs": {"name": "x"}},
        {"uid": "Doc::\"d\"", "attrs": {"owner": {"type": "User", "id": "u"}}},
    ]);
    let view = explained(&compiled.snapshot, "view", "Doc::\"d\"", &json!({}), &owner);
    let miss = &view.nearest_misses[0];
    assert_eq!((miss.held, miss.conjuncts), (2, 3));
    assert_eq!(miss.failing.text, "unless principal == resource.owner");
    let values: Vec<_> =
        miss.failing.values.iter().map(|one| (one.expression.as_str(), one.value.as_str())).collect();
    assert_eq!(values, [("principal", "User::\"u\""), ("resource.owner", "User::\"u\"")]);
    assert_eq!(view.reason_user, "no");
}

#[test]
fn an_erring_forbid_is_told() {
    let policies = "@id(\"a\") permit(principal, action, resource);\n\
                    @id(\"b\") forbid(principal, action, resource) when { resource.owner == principal };";
    let compiled = store(&[("p.cedar", policies.as_bytes())]).unwrap();
    let view = explained(&compiled.snapshot, "view", "Doc::\"gone\"", &json!({}), &json!([]));
    assert!(!view.allow);
    assert_eq!(view.erring[0].0.policy_id.as_str(), "b");
    assert!(
        view.reason_admin.starts_with("denied: a forbid erred\nforbid `b` (p.cedar:2) erred: "),
        "{}",
        view.reason_admin
    );
    assert_eq!(view.reason_user, "nothing allows this");
}

#[test]
fn the_deepest_policy_that_compiles_is_decided_and_explained_on_an_ordinary_stack() {
    for (deep, closing, times) in
        [("(true && ", ")", 160), ("true || ", "", 400), ("if true then true else ", "", 12)]
    {
        let text = format!(
            "@id(\"p\") permit(principal, action, resource) when {{ !({}false{}) && false }};",
            deep.repeat(times),
            closing.repeat(times)
        );
        let compiled = store(&[("p.cedar", text.as_bytes())]).unwrap();
        let view = explained(&compiled.snapshot, "view", "Doc::\"d\"", &json!({}), &json!([]));
        assert!(!view.allow);
        drop(compiled);
    }
}
