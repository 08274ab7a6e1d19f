//! Requests made to be expensive: they are answered, or refused with a pointer, in a time that is bounded.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bailiwick::policy::{
    Bundle, EntitySlice, Layers, Query, QueryProblem, QueryProblemKind, RequestParts, ServerContext,
    Snapshot, compile, decide, explain,
};
use serde_json::{Value, json, value::RawValue};

use crate::support::raw;

const SCHEMA: &str = "
entity Group in [Group];
entity User in [Group] = { n?: Long, names?: Set<String> } tags Group;
action view appliesTo { principal: [User], resource: [User],
  context: { names?: Set<String>, groups?: Set<Group>, r?: { x?: Long } } };
";

/// Far above what an unoptimized build takes, far below what a hostile request would cost without bounds.
const BOUND: Duration = Duration::from_secs(20);

fn store(policies: &str) -> Snapshot {
    let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
    files.insert("schema/s.cedarschema".to_owned(), Arc::from(SCHEMA.as_bytes()));
    files.insert("p.cedar".to_owned(), Arc::from(policies.as_bytes()));
    files.insert("manifest.toml".to_owned(), Arc::from(&b"level = 2"[..]));
    compile(&Bundle::new(files).unwrap(), &"t".parse().unwrap()).unwrap().snapshot
}

fn text(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap()
}

fn ask(snapshot: &Snapshot, context: &RawValue) -> Result<Query, QueryProblem> {
    let (user, view) = (raw(&json!("User::\"u\"")), raw(&json!("view")));
    let parts = RequestParts { principal: &user, action: &view, resource: &user, context: Some(context) };
    snapshot.query(parts, &ServerContext::default())
}

fn judged(snapshot: &Snapshot, query: &Query, inline: &RawValue) -> Result<bool, QueryProblem> {
    let layers = Layers { inline: Some(inline), ..Layers::default() };
    let slice = EntitySlice::new(snapshot, layers)?;
    Ok(decide(snapshot, query, &slice).allow)
}

#[track_caller]
fn timed<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let outcome = work();
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
    outcome
}

const IN_LAST: &str = "@id(\"p\") permit(principal in Group::\"last\", action, resource);";

fn chain(length: usize) -> Vec<Value> {
    let group = |n: usize| json!({"type": "Group", "id": if n == length { "last".to_owned() } else { n.to_string() }});
    let mut chain: Vec<Value> =
        (0..length).map(|n| json!({"uid": group(n), "parents": [group(n + 1)]})).collect();
    chain.push(json!({"uid": "User::\"u\"", "parents": ["Group::\"0\""]}));
    chain
}

#[test]
fn nesting_is_refused_with_a_pointer() {
    let snapshot = store("@id(\"p\") permit(principal, action, resource);");
    for depth in [200, 1_000, 100_000] {
        for (open, close) in [("[", "]"), ("{\"r\":", "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let deep = |place: &str| text(place.replace('@', &nested));
            for (context, pointer) in
                [("@", "/context"), ("{\"names\": @}", "/context"), ("{\"r\": {\"x\": @}}", "/context")]
            {
                let problem = timed(|| ask(&snapshot, &deep(context))).unwrap_err();
                assert_eq!((problem.pointer.as_str(), problem.kind), (pointer, QueryProblemKind::Malformed));
                assert_eq!(problem.message, "the value is nested too deeply");
            }
            let query = ask(&snapshot, &text("{}".to_owned())).unwrap();
            for entity in [
                "@",
                "{\"uid\": @}",
                "{\"uid\": \"User::\\\"u\\\"\", \"attrs\": @}",
                "{\"attrs\": {\"n\": @}, \"uid\": \"User::\\\"u\\\"\"}",
                "{\"uid\": \"User::\\\"u\\\"\", \"parents\": [@]}",
            ] {
                let problem = timed(|| judged(&snapshot, &query, &deep(&format!("[{entity}]")))).unwrap_err();
                assert_eq!(problem.pointer, "/entities/0", "{entity}");
            }
            let (user, view, nested) = (raw(&json!("User::\"u\"")), raw(&json!("view")), deep("@"));
            let parts = RequestParts { principal: &user, action: &view, resource: &user, context: None };
            for (parts, pointer) in [
                (RequestParts { principal: &nested, ..parts }, "/principal"),
                (RequestParts { action: &nested, ..parts }, "/action"),
                (RequestParts { resource: &nested, ..parts }, "/resource"),
            ] {
                let problem = snapshot.query_as_given(parts).unwrap_err();
                assert_eq!((problem.pointer.as_str(), problem.kind), (pointer, QueryProblemKind::Malformed));
            }
        }
    }
}

#[test]
fn huge_sets_are_read() {
    let snapshot = store(
        "@id(\"p\") permit(principal, action, resource)
         when { context has names && context.names.contains(\"99999\") && principal has names && principal.names.contains(\"99998\") };",
    );
    let names: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let context = raw(&json!({ "names": names }));
    let inline = raw(&json!([{"uid": "User::\"u\"", "attrs": {"names": names}}]));
    assert!(timed(|| judged(&snapshot, &ask(&snapshot, &context).unwrap(), &inline).unwrap()));
}

#[test]
fn as_many_entities_as_may_be_are_read() {
    let snapshot = store(IN_LAST);
    let query = ask(&snapshot, &text("{}".to_owned())).unwrap();
    let users = |count: usize, attrs: Value| -> Box<RawValue> {
        let listed =
            (0..count).map(|n| json!({"uid": {"type": "User", "id": n.to_string()}, "attrs": attrs}));
        raw(&listed.collect())
    };
    assert!(!timed(|| judged(&snapshot, &query, &users(10_000, json!({"n": 1}))).unwrap()));
    let problem = timed(|| judged(&snapshot, &query, &users(10_001, json!({"n": 1})))).unwrap_err();
    assert_eq!((problem.pointer.as_str(), problem.kind), ("/entities", QueryProblemKind::TooLarge));
    // Each of them wrong: the first is told.
    let problem = timed(|| judged(&snapshot, &query, &users(10_000, json!({"n": "1"})))).unwrap_err();
    assert_eq!(problem.pointer, "/entities/0/attrs/n");
}

#[test]
fn as_many_parents_as_may_be_are_followed() {
    let snapshot = store(IN_LAST);
    let query = ask(&snapshot, &text("{}".to_owned())).unwrap();
    let mut parents: Vec<Value> = (0..9_999).map(|n| json!({"type": "Group", "id": n.to_string()})).collect();
    parents.push(json!("Group::\"last\""));
    let inline = raw(&json!([{"uid": "User::\"u\"", "parents": parents}]));
    assert!(timed(|| judged(&snapshot, &query, &inline).unwrap()));
    let inline = raw(&Value::Array(chain(9_999)));
    assert!(timed(|| judged(&snapshot, &query, &inline).unwrap()));
    // Every group of the chain in a set, which no policy takes apart.
    let groups: Vec<Value> = (0..9_999).map(|n| json!({"type": "Group", "id": n.to_string()})).collect();
    let query = ask(&snapshot, &raw(&json!({ "groups": groups }))).unwrap();
    assert!(timed(|| judged(&snapshot, &query, &inline).unwrap()));
    timed(|| {
        let layers = Layers { inline: Some(&inline), ..Layers::default() };
        let slice = EntitySlice::new(&snapshot, layers).unwrap();
        let verdict = decide(&snapshot, &query, &slice);
        let owned = slice.owned(&snapshot, &query).unwrap();
        assert!(explain(&snapshot, &query, &owned, &verdict).allow);
    });
    // Every one of them by a tag, which a policy reads by any name.
    let mut tagged = chain(9_000);
    let tags: serde_json::Map<_, _> =
        (0..9_000).map(|n| (n.to_string(), json!({"type": "Group", "id": n.to_string()}))).collect();
    tagged.last_mut().unwrap()["tags"] = Value::Object(tags);
    let problem = timed(|| judged(&snapshot, &query, &raw(&Value::Array(tagged)))).unwrap_err();
    assert_eq!((problem.pointer.as_str(), problem.kind), ("/entities", QueryProblemKind::TooLarge));
}
