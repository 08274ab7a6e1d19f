//! The stores that ship with the product: they compile without a finding and their tests pass.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bailiwick::{
    base::Millis,
    policy::{
        Bundle, Compiled, EntityRecord, EntitySlice, Layers, PolicyId, RequestParts, ServerContext, compile,
        decide,
    },
};
use serde_json::json;

use crate::support::raw;

/// The files of a shipped store.
pub(crate) fn files(store: &str) -> BTreeMap<String, Arc<[u8]>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(store);
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let path = entry.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(path, Arc::from(std::fs::read(entry).unwrap()));
            }
        }
    }
    files
}

/// A shipped store, compiled.
pub(crate) fn compiled(store: &str) -> Compiled {
    let bundle = Bundle::new(files(store)).unwrap();
    compile(&bundle, &store.parse().unwrap()).unwrap_or_else(|findings| panic!("{store}:\n{findings}"))
}

#[test]
fn every_store_compiles_without_a_finding_and_its_tests_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for folder in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap()) {
        let store = folder.file_name().into_string().unwrap();
        let compiled = compiled(&store);
        assert!(compiled.findings.is_empty(), "{store}:\n{}", compiled.findings);
        assert!(compiled.tests.passed >= 40, "{store}: {} cases", compiled.tests.passed);
        assert_eq!(compiled.tests.unexercised, [], "{store}: policies that no case exercises");
        assert_eq!(compiled.snapshot.unindexed(), 0, "{store}: policies that every request evaluates");
    }
}

/// The tour of README: a user who just registered views the handbook, may not edit it, and may once one line of
/// one file is edited. The store's own tests still pass then.
#[test]
fn one_edited_line_flips_the_decision_of_the_tour() {
    let user = EntityRecord {
        uid: "User::\"usr_new\"".parse().unwrap(),
        attrs: json!({
            "email": "ada@example.com", "email_verified": false, "status": "active",
            "tenant": {"__entity": {"type": "Tenant", "id": "ten_1"}},
            "created_at": {"__extn": {"fn": "datetime", "arg": "2026-11-21T01:15:48.000Z"}},
        })
        .as_object()
        .unwrap()
        .clone(),
        parents: vec!["Role::\"user\"".parse().unwrap(), "Tenant::\"ten_1\"".parse().unwrap()],
    };
    let allowed = |compiled: &Compiled, action: &str| {
        let parts = RequestParts {
            principal: &raw(&json!({"type": "User", "id": "usr_new"})),
            action: &raw(&json!(action)),
            resource: &raw(&json!({"type": "Document", "id": "handbook"})),
            context: None,
        };
        let server = ServerContext { now: Some(Millis(1_700_000_000_000)), ..ServerContext::default() };
        let query = compiled.snapshot.query(parts, &server).unwrap();
        let identity = [Arc::new(compiled.snapshot.identity_entity(&user).unwrap())];
        let layers = Layers { identity: &identity, ..Layers::default() };
        let slice = EntitySlice::new(&compiled.snapshot, layers).unwrap();
        let verdict = decide(&compiled.snapshot, &query, &slice);
        assert_eq!(verdict.errors, []);
        verdict.allow
    };
    let before = compiled("app");
    assert_eq!(["view", "edit", "comment"].map(|action| allowed(&before, action)), [true, false, false]);

    let mut files = files("app");
    let text = String::from_utf8(files["public.cedar"].to_vec()).unwrap();
    let (old, new) = ("action in [Action::\"view\"],", "action in [Action::\"view\", Action::\"edit\"],");
    assert_eq!(text.matches(old).count(), 1);
    files.insert("public.cedar".to_owned(), Arc::from(text.replace(old, new).as_bytes()));
    let after = compile(&Bundle::new(files).unwrap(), &"app".parse().unwrap()).unwrap();
    assert_eq!(["view", "edit", "comment"].map(|action| allowed(&after, action)), [true, true, false]);
}

/// A store of a size that a company has compiles in a time that is in proportion to it.
#[test]
fn many_policies_in_one_file_compile() {
    use std::fmt::Write;
    let mut text = String::new();
    for n in 0..2000 {
        let _ = writeln!(
            text,
            "@id(\"p{n}\") @reason(\"r\")\npermit(principal == User::\"{n}\", action == Action::\"view\", resource is Document);"
        );
    }
    let mut files = files("app");
    files.insert("many.cedar".to_owned(), Arc::from(text.as_bytes()));
    let compiled = compile(&Bundle::new(files).unwrap(), &"app".parse().unwrap()).unwrap();
    let record = compiled.snapshot.policy(&PolicyId::new("p1999")).unwrap();
    assert_eq!((&*record.file, record.line), ("many.cedar", 3999));
}
