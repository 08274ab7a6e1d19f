//! Requests and their entities: strict checking with pointers, the server's context, layers, failing closed.

use std::{collections::BTreeMap, sync::Arc};

use bailiwick::{
    base::Millis,
    policy::{
        Bundle, EntityRecord, EntitySlice, Layers, Query, QueryProblem, QueryProblemKind, RequestParts,
        ServerContext, Snapshot, VersionNumber, compile, decide, evaluate,
    },
};
use serde_json::{Value, json};

use crate::support::raw;

const SCHEMA: &str = "
entity Role in [Role];
entity User in [Role] = { status: String, level?: Long, boss?: User, born?: datetime };
entity Color enum [\"red\"];
entity Doc in [Doc] = { owner: User, n: Long } tags String;
action reads;
action view in [reads] appliesTo { principal: [User], resource: [Doc, Color], context: {
  mfa: Bool, from?: ipaddr, bailiwick?: { now: datetime, ip?: ipaddr, amr?: Set<String>, client_id?: String } } };
action edit in [reads] appliesTo { principal: [User], resource: [Doc], context: {} };
namespace App { entity Thing; action go, same appliesTo { principal: [User], resource: [Thing], context: {} }; }
namespace Other { action same appliesTo { principal: [User], resource: [Doc], context: {} }; }
";

fn snapshot(policies: &str) -> Snapshot {
    let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
    files.insert("schema/s.cedarschema".to_owned(), Arc::from(SCHEMA.as_bytes()));
    files.insert("p.cedar".to_owned(), Arc::from(policies.as_bytes()));
    let roles = br#"[{"uid": {"type": "Role", "id": "admin"}, "attrs": {}, "parents": [{"type": "Role", "id": "staff"}]},
        {"uid": {"type": "Doc", "id": "d"}, "attrs": {"owner": {"type": "User", "id": "o"}, "n": 1}, "parents": [],
         "tags": {"a": "static", "b": "static"}}]"#;
    files.insert("entities/e.json".to_owned(), Arc::from(&roles[..]));
    files.insert("manifest.toml".to_owned(), Arc::from(&b"level = 2\n[aliases]\nperson = \"User\""[..]));
    compile(&Bundle::new(files).unwrap(), &"t".parse().unwrap()).unwrap().snapshot
}

fn ask(
    snapshot: &Snapshot,
    principal: Value,
    action: Value,
    resource: Value,
    context: Value,
) -> Result<Query, QueryProblem> {
    let [principal, action, resource, context] =
        [principal, action, resource, context].map(|part| raw(&part));
    let parts =
        RequestParts { principal: &principal, action: &action, resource: &resource, context: Some(&context) };
    snapshot.query(parts, &ServerContext { now: Some(Millis(0)), ..ServerContext::default() })
}

#[track_caller]
fn wrong(outcome: Result<Query, QueryProblem>, pointer: &str, kind: QueryProblemKind) {
    let problem = outcome.unwrap_err();
    assert_eq!((problem.pointer.as_str(), problem.kind), (pointer, kind), "{problem}");
}

const ANY: &str = "@id(\"any\") permit(principal, action, resource is Doc);";

#[test]
fn a_wrong_request_is_refused_with_a_pointer() {
    use QueryProblemKind::{Context, Malformed, NotApplicable, ReservedContext, UnknownAction, UnknownType};
    let snapshot = snapshot(ANY);
    let user = || json!({"type": "User", "id": "u"});
    let doc = || json!("Doc::\"d\"");
    let good = || json!({"mfa": true});
    let with = |principal: Value, action: Value, resource: Value, context: Value| {
        ask(&snapshot, principal, action, resource, context)
    };
    with(user(), json!("view"), doc(), good()).unwrap();
    with(user(), json!({"type": "Action", "id": "view"}), doc(), good()).unwrap();
    with(user(), json!("Action::\"view\""), doc(), good()).unwrap();
    with(json!("person::\"u\""), json!("view"), doc(), good()).unwrap();
    with(user(), json!("view"), json!("Color::\"red\""), good()).unwrap();
    assert_eq!(
        with(user(), json!("go"), json!("App::Thing::\"x\""), json!({})).unwrap().action().to_string(),
        "App::Action::\"go\""
    );

    wrong(with(user(), json!("same"), doc(), good()), "/action", UnknownAction); // two of that name
    wrong(with(user(), json!("fly"), doc(), good()), "/action", UnknownAction);
    wrong(with(user(), json!("Action::\"fly\""), doc(), good()), "/action", UnknownAction);
    wrong(with(user(), json!("reads"), doc(), good()), "/action", UnknownAction); // a group
    wrong(with(user(), json!("Action::\"reads\""), doc(), good()), "/action", UnknownAction);
    wrong(with(user(), json!(3), doc(), good()), "/action", Malformed);
    wrong(with(json!("User::u"), json!("view"), doc(), good()), "/principal", Malformed);
    wrong(with(json!({"type": "User"}), json!("view"), doc(), good()), "/principal/id", Malformed);
    wrong(
        with(json!({"type": "Us er", "id": ""}), json!("view"), doc(), good()),
        "/principal/type",
        Malformed,
    );
    wrong(
        with(json!({"type": "User", "id": "", "x": 1}), json!("view"), doc(), good()),
        "/principal/x",
        Malformed,
    );
    wrong(with(json!("Usr::\"u\""), json!("view"), doc(), good()), "/principal", UnknownType);
    wrong(with(json!("Doc::\"u\""), json!("view"), doc(), good()), "/principal", NotApplicable);
    wrong(with(user(), json!("view"), json!("Dok::\"u\""), good()), "/resource", UnknownType);
    wrong(with(user(), json!("view"), user(), good()), "/resource", NotApplicable);
    wrong(with(user(), json!("view"), json!("Color::\"blue\""), good()), "/resource", UnknownType);
    wrong(with(user(), json!("view"), doc(), json!([])), "/context", Malformed);
    wrong(with(user(), json!("view"), doc(), json!({})), "/context/mfa", Context);
    wrong(with(user(), json!("view"), doc(), json!({"mfa": "yes"})), "/context/mfa", Context);
    wrong(with(user(), json!("view"), doc(), json!({"mfa": true, "a/b": 1})), "/context/a~1b", Context);
    wrong(with(user(), json!("view"), doc(), json!({"mfa": true, "from": "home"})), "/context/from", Context);
    wrong(
        with(user(), json!("view"), doc(), json!({"mfa": true, "bailiwick": {}})),
        "/context/bailiwick",
        ReservedContext,
    );
    wrong(
        with(user(), json!("Action::\"edit\""), doc(), json!({"bailiwick": {}})),
        "/context/bailiwick",
        ReservedContext,
    );
}

#[test]
fn any_id_is_legal() {
    let snapshot = snapshot(ANY);
    for id in ["", "\"", "\\", "a\"b\\c\n\u{0}\u{7}\u{202e}", "\u{1f600}", &"x".repeat(100_000)] {
        let query = ask(
            &snapshot,
            json!({"type": "User", "id": id}),
            json!("view"),
            json!("Doc::\"d\""),
            json!({"mfa": true}),
        );
        let query = query.unwrap();
        assert_eq!(query.principal().id().unescaped(), id);
        // What Cedar prints is what Cedar reads.
        let text = query.principal().to_string();
        let again =
            ask(&snapshot, json!(text), json!("view"), json!("Doc::\"d\""), json!({"mfa": true})).unwrap();
        assert_eq!(again.principal(), query.principal());
    }
}

#[test]
fn the_server_adds_what_the_schema_declares() {
    let (snapshot, amr) = (snapshot(ANY), ["pwd".to_owned()]);
    let server = ServerContext {
        now: Some(Millis(1_700_000_000_123)),
        ip: Some("10.1.2.3".parse().unwrap()),
        amr: Some(&amr),
        session_id: Some("not declared"),
        ..ServerContext::default()
    };
    let [user, doc, context, view] =
        [json!("User::\"u\""), json!("Doc::\"d\""), json!({"mfa": true}), json!("view")]
            .map(|part| raw(&part));
    let parts = RequestParts { principal: &user, action: &view, resource: &doc, context: Some(&context) };
    let query = snapshot.query(parts, &server).unwrap();
    let expected = json!({
        "now": {"__extn": {"fn": "datetime", "arg": "2023-11-14T22:13:20.123Z"}},
        "ip": {"__extn": {"fn": "ip", "arg": "10.1.2.3"}},
        "amr": ["pwd"],
    });
    assert_eq!(query.context().unwrap()["bailiwick"], expected);
    assert_eq!(snapshot.server_context_of(query.action()), ["amr", "client_id", "ip", "now"]);
    let edit = raw(&json!("Action::\"edit\""));
    let parts = RequestParts { action: &edit, context: None, ..parts };
    assert_eq!(snapshot.query(parts, &server).unwrap().context().unwrap(), json!({}));
    // What the schema requires and the server does not know is said, not made up.
    let parts = RequestParts { action: &view, context: Some(&context), ..parts };
    wrong(
        snapshot.query(parts, &ServerContext::default()),
        "/context/bailiwick/now",
        QueryProblemKind::Context,
    );
    // Recorded as it was evaluated, and read back.
    let recorded = raw(&query.context().unwrap());
    let parts = RequestParts { context: Some(&recorded), ..parts };
    assert_eq!(snapshot.query_as_given(parts).unwrap().context(), query.context());
}

#[test]
fn a_question_of_our_own_is_the_same_as_in_json() {
    use QueryProblemKind::{Context, NotApplicable, UnknownAction, UnknownType};
    let snapshot = snapshot(ANY);
    let server = ServerContext { now: Some(Millis(5)), ..ServerContext::default() };
    let named = |principal, action, resource| snapshot.query_named(principal, action, resource, &server);
    let (user, doc) = (("User", "a\"b"), ("Doc", ""));
    for (type_name, action) in [("User", "edit"), ("person", "edit")] {
        let ours = named((type_name, user.1), action, doc).unwrap();
        // In any order, with escapes of JSON.
        let texts = [
            format!("{{\"id\": \"a\\\"b\", \"\\u0074ype\": \"{type_name}\"}}"),
            format!("{{\"type\": \"Action\", \"id\": \"{action}\"}}"),
            "\"\\u0044oc::\\\"\\\"\"".to_owned(),
        ];
        let [principal, action, resource] =
            texts.map(|text| serde_json::value::RawValue::from_string(text).unwrap());
        let parts =
            RequestParts { principal: &principal, action: &action, resource: &resource, context: None };
        let theirs = snapshot.query(parts, &server).unwrap();
        assert_eq!(ours.principal().to_string(), r#"User::"a\"b""#);
        assert_eq!(
            (ours.principal(), ours.action(), ours.resource(), ours.context()),
            (theirs.principal(), theirs.action(), theirs.resource(), theirs.context())
        );
    }
    wrong(named(user, "view", doc), "/context/mfa", Context); // it needs more than the server knows
    wrong(named(user, "fly", doc), "/action", UnknownAction);
    wrong(named(user, "reads", doc), "/action", UnknownAction);
    wrong(named(user, "same", doc), "/action", UnknownAction);
    wrong(named(("Usr", ""), "edit", doc), "/principal", UnknownType);
    wrong(named(("Doc", ""), "edit", doc), "/principal", NotApplicable);
    wrong(named(user, "edit", ("Color", "blue")), "/resource", UnknownType);
    wrong(named(user, "edit", ("Color", "red")), "/resource", NotApplicable);
}

#[test]
fn one_slice_serves_many_queries() {
    let snapshot = snapshot(
        "@id(\"p\") permit(principal in Role::\"staff\", action, resource is Doc) when { resource.n > 0 };",
    );
    let identity = [Arc::new(snapshot.identity_entity(&user("active", &["admin"])).unwrap())];
    let docs = (0..20).map(|n| {
        json!({"uid": {"type": "Doc", "id": n.to_string()}, "attrs": {"owner": {"type": "User", "id": "u"}, "n": n % 2}})
    });
    let inline = raw(&docs.collect());
    let layers = Layers { identity: &identity, inline: Some(&inline), ..Layers::default() };
    let slice = EntitySlice::new(&snapshot, layers).unwrap();
    for n in 0..20 {
        let (id, server) = (n.to_string(), ServerContext::default());
        let query = snapshot.query_named(("User", "u"), "edit", ("Doc", &id), &server).unwrap();
        assert_eq!(decide(&snapshot, &query, &slice).allow, n % 2 == 1, "{n}");
    }
}

/// A view of `d` by `u`, with these entities.
fn verdict(snapshot: &Snapshot, identity: &[EntityRecord], inline: &Value) -> Result<bool, QueryProblem> {
    let query = ask(snapshot, json!("User::\"u\""), json!("view"), json!("Doc::\"d\""), json!({"mfa": true}))
        .unwrap();
    let identity: Vec<_> =
        identity.iter().map(|record| Arc::new(snapshot.identity_entity(record).unwrap())).collect();
    let inline = raw(inline);
    let layers = Layers { identity: &identity, inline: Some(&inline), ..Layers::default() };
    let slice = EntitySlice::new(snapshot, layers)?;
    Ok(decide(snapshot, &query, &slice).allow)
}

fn user(status: &str, roles: &[&str]) -> EntityRecord {
    let attrs = json!({"status": status, "email": "undeclared@example.com", "level": 1});
    EntityRecord {
        uid: "User::\"u\"".parse().unwrap(),
        attrs: attrs.as_object().unwrap().clone(),
        parents: roles.iter().map(|role| format!("Role::\"{role}\"").parse().unwrap()).collect(),
    }
}

#[test]
fn later_layers_win_attribute_by_attribute_and_parents_add_up() {
    let snapshot = snapshot(
        "@id(\"p\") permit(principal in Role::\"staff\", action, resource is Doc)
         when { principal.status == \"active\" && principal has level && principal.level > 1 && resource.n == 1 };",
    );
    let of = |inline: Value| verdict(&snapshot, &[user("active", &["admin"])], &inline).unwrap();
    let uid = json!({"type": "User", "id": "u"});
    assert!(!of(json!([])), "level 1 only");
    assert!(
        of(json!([{"uid": uid, "attrs": {"level": 2}}])),
        "role by identity, group of the role by static entities"
    );
    assert!(!of(json!([{"uid": uid, "attrs": {"level": 2, "status": "locked"}}])));
    assert!(!of(json!([{"uid": uid, "attrs": {"level": 2}}, {"uid": "Doc::\"d\"", "attrs": {"n": 2}}])));
    assert!(
        !verdict(&snapshot, &[user("active", &[])], &json!([{"uid": uid, "attrs": {"level": 2}}])).unwrap()
    );
    let granted = json!([{"uid": uid, "attrs": {"level": 2}, "parents": [{"__entity": {"type": "Role", "id": "staff"}}]}]);
    assert!(verdict(&snapshot, &[user("active", &[])], &granted).unwrap());
    // A role of the request that is in a static role's place in the hierarchy.
    let chain = json!([
        {"uid": uid, "attrs": {"level": 2}, "parents": ["Role::\"temp\""]},
        {"uid": "Role::\"temp\"", "parents": ["Role::\"admin\""]},
    ]);
    assert!(verdict(&snapshot, &[user("active", &[])], &chain).unwrap());
}

#[test]
fn entities_of_a_request_are_checked_with_a_pointer() {
    let snapshot = snapshot(ANY);
    let refused = |inline: Value, pointer: &str| {
        let problem = verdict(&snapshot, &[user("active", &[])], &inline).unwrap_err();
        assert_eq!(problem.pointer, pointer, "{problem}");
    };
    let doc = |attrs: Value| json!([{"uid": {"type": "Doc", "id": "new"}, "attrs": attrs, "parents": []}]);
    let owner = json!({"type": "User", "id": "o"});
    verdict(&snapshot, &[], &doc(json!({"owner": owner, "n": 1}))).unwrap();
    refused(json!([3]), "/entities/0");
    refused(json!([{"uid": "x"}]), "/entities/0/uid");
    refused(json!([{"uid": {"type": "Doc", "id": "d"}, "attr": {}}]), "/entities/0/attr");
    refused(json!([{"uid": {"type": "Nope", "id": "d"}}]), "/entities/0");
    refused(json!([{"uid": "Action::\"view\"", "parents": []}]), "/entities/0/uid");
    refused(json!([{"uid": "Doc::\"d\""}, {"uid": {"type": "Doc", "id": "d"}}]), "/entities/1/uid");
    refused(json!([{"uid": "Doc::\"d\"", "attrs": 1}]), "/entities/0/attrs");
    refused(json!([{"uid": "Doc::\"d\"", "parents": [{"type": 1}]}]), "/entities/0/parents/0/type");
    refused(doc(json!({"owner": owner})), "/entities/0/attrs/n");
    refused(doc(json!({"owner": "me", "n": 1})), "/entities/0/attrs/owner");
    refused(doc(json!({"owner": owner, "n": "1"})), "/entities/0/attrs/n");
    refused(doc(json!({"owner": owner, "n": 1, "color": 1})), "/entities/0/attrs/color");
    refused(json!([{"uid": "Role::\"a\"", "parents": ["User::\"u\""]}]), "/entities/0/parents");
    let cycle = json!([{"uid": "Role::\"a\"", "parents": ["Role::\"b\""]}, {"uid": "Role::\"b\"", "parents": ["Role::\"a\""]}]);
    refused(cycle, "/entities/0/parents");
    refused(json!([{"uid": "Role::\"staff\"", "parents": ["Role::\"admin\""]}]), "/entities/0/parents");
    refused(json!([{"uid": "Role::\"a\"", "parents": ["Role::\"a\""]}]), "/entities/0/parents");
    let many: Vec<Value> =
        (0..10_001).map(|n| json!({"uid": {"type": "Role", "id": n.to_string()}})).collect();
    refused(Value::Array(many), "/entities");
    let parents: Vec<Value> = (0..10_001).map(|n| json!({"type": "Role", "id": n.to_string()})).collect();
    refused(json!([{"uid": "User::\"u\"", "parents": parents}]), "/entities");
}

#[test]
fn a_long_chain_of_parents_is_no_danger() {
    let snapshot = snapshot("@id(\"p\") permit(principal in Role::\"2999\", action, resource is Doc);");
    let mut chain = vec![json!({"uid": "User::\"u\"", "parents": ["Role::\"0\""]})];
    chain.extend((0..2999).map(|n| {
        json!({"uid": {"type": "Role", "id": n.to_string()}, "parents": [{"type": "Role", "id": (n + 1).to_string()}]})
    }));
    assert!(verdict(&snapshot, &[user("active", &[])], &Value::Array(chain)).unwrap());
}

#[test]
fn a_slice_reaches_the_validated_level_and_no_further() {
    let snapshot = snapshot(
        "@id(\"p\") permit(principal, action, resource is Doc) when { resource.owner has boss && resource.owner.boss == principal };",
    );
    assert_eq!(snapshot.level(), 2);
    let inline = json!([
        {"uid": "User::\"o\"", "attrs": {"status": "", "boss": {"type": "User", "id": "b"}}},
        {"uid": "User::\"b\"", "attrs": {"status": "", "boss": {"type": "User", "id": "far"}}, "parents": ["Role::\"admin\""]},
        {"uid": "User::\"far\"", "attrs": {"status": ""}},
    ]);
    let query =
        ask(&snapshot, json!("User::\"u\""), json!("view"), json!("Doc::\"d\""), json!({"mfa": true}))
            .unwrap();
    let inline = raw(&inline);
    let layers = Layers { inline: Some(&inline), ..Layers::default() };
    let slice = EntitySlice::new(&snapshot, layers).unwrap().owned(&snapshot, &query).unwrap();
    let json = slice.to_json().unwrap();
    let names: Vec<&str> =
        json.as_array().unwrap().iter().map(|one| one["uid"]["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["d", "o"], "the boss is a name only: looking into it would be a third step");
}

#[test]
fn an_erring_forbid_denies_and_an_erring_permit_is_skipped() {
    let overflow = "when { 9223372036854775807 + resource.n > 0 }";
    let permit = "@id(\"ok\") permit(principal, action, resource is Doc);";
    let erring = |effect: &str| {
        format!("{permit} @id(\"bad\") {effect}(principal, action, resource is Doc) {overflow};")
    };
    for (effect, cedar, ours) in [("permit", true, true), ("forbid", true, false)] {
        let snapshot = snapshot(&erring(effect));
        let query =
            ask(&snapshot, json!("User::\"u\""), json!("view"), json!("Doc::\"d\""), json!({"mfa": true}))
                .unwrap();
        let slice = EntitySlice::new(&snapshot, Layers::default()).unwrap();
        let (as_cedar, verdict) = (evaluate(&snapshot, &query, &slice), decide(&snapshot, &query, &slice));
        assert_eq!((as_cedar.allow, verdict.allow), (cedar, ours), "{effect}");
        let ids: Vec<&str> = verdict.errors.iter().map(|error| error.policy_id.as_str()).collect();
        assert_eq!(ids, ["bad"]);
        assert!(verdict.errors[0].message.contains("overflow"), "{}", verdict.errors[0].message);
        assert_eq!(verdict.determining.is_empty(), !ours);
    }
}

#[test]
fn a_snapshot_knows_its_policies_and_its_version() {
    let snapshot = snapshot(&format!(
        "// two\n{ANY}\n\n@id(\"b\") @reason(\"x\")\nforbid(principal, action, resource) when {{ false }};"
    ));
    assert_eq!(snapshot.version(), VersionNumber(0));
    let published = snapshot.clone().with_version(VersionNumber(7));
    assert_eq!((published.version(), snapshot.version()), (VersionNumber(7), VersionNumber(0)));
    let listed: Vec<_> = published.policies().map(|one| (one.id.as_str(), &*one.file, one.line)).collect();
    assert_eq!(listed, [("any", "p.cedar", 2), ("b", "p.cedar", 4)]);
    assert_eq!(published.unindexed(), 1);
}
