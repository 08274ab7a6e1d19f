//! Versions of a thousand policies go live under a stream of questions, and nobody notices.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use crate::{client::Client, server::Installation, turn::Turn};

/// Policies of a version.
const POLICIES: u32 = 1_000;
/// Versions that go live while questions are asked.
const SWAPS: i64 = 3;
/// Who asks at once.
const ASKERS: usize = 4;

/// A version whose policies carry its number in their ids; one of them decides every question.
fn files(version: i64) -> Value {
    let mut policies =
        format!("@id(\"everyone-v{version}\")\npermit (principal, action == Action::\"view\", resource);\n");
    for number in 1..POLICIES {
        write!(
            policies,
            "@id(\"p{number}-v{version}\")\npermit (principal == User::\"u{number}\", action, resource in Folder::\"f{number}\")\n\
             when {{ resource.size < {number} }};\n"
        )
        .unwrap();
    }
    json!({
        "manifest.toml": "semver = \"1.0.0\"\n",
        "schema/files.cedarschema": "entity User; entity Folder; entity File in [Folder] = { size: Long };\n\
            action view, edit appliesTo { principal: User, resource: File };",
        "files.cedar": policies,
    })
}

/// Asks until it is told to stop; answers how often each version answered.
fn ask_on(client: &Client, token: &str, stop: &AtomicBool) -> BTreeMap<i64, u64> {
    let question = json!({"policy_store": "files", "principal": {"type": "User", "id": "someone"},
        "action": "view", "resource": {"type": "File", "id": "a"}});
    let mut answered = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = client.post_as(token, "/v1/authorize", &question).expect(200);
        let version = answer["policy_version"].as_i64().unwrap();
        let policies = json!([{"policy_id": format!("everyone-v{version}"), "effect": "permit"}]);
        assert_eq!(
            (&answer["decision"], &answer["determining_policies"]),
            (&json!("allow"), &policies),
            "a policy of another version, or none: {answer}"
        );
        *answered.entry(version).or_default() += 1;
    }
    answered
}

#[test]
fn versions_go_live_under_load_without_a_failure_or_a_mixture() {
    let _turn = Turn::shared();
    let server = Installation::new(&[("policy.watch", "false"), ("log.filter", "warn")]).start();
    let root = server.administrator();
    let go_live = |version: i64| {
        let published = server.public.post_as(
            &root.token,
            "/v1/policy-stores/files/versions",
            &json!({"files": files(version)}),
        );
        assert_eq!(published.expect(201)["version"], version);
        let activate = json!({"version": version});
        server.public.post_as(&root.token, "/v1/policy-stores/files/activate", &activate).expect(200);
    };
    go_live(1);
    let stop = AtomicBool::new(false);
    let answered = thread::scope(|scope| {
        let askers: Vec<_> =
            (0..ASKERS).map(|_| scope.spawn(|| ask_on(&server.public, &root.token, &stop))).collect();
        let swapping = scope.spawn(|| {
            (2..2 + SWAPS).for_each(go_live);
            go_live_is_seen(&server.public, &root.token, 1 + SWAPS);
            stop.store(true, Ordering::Relaxed);
        });
        let swapped = swapping.join();
        stop.store(true, Ordering::Relaxed); // a failed swap must not leave the others asking for ever
        swapped.unwrap();
        let mut all: BTreeMap<i64, u64> = BTreeMap::new();
        for counted in askers.into_iter().map(|asker| asker.join().unwrap()) {
            for (version, count) in counted {
                *all.entry(version).or_default() += count;
            }
        }
        all
    });
    println!("answers by version: {answered:?}");
    assert!(answered.len() >= 2, "there were answers before and after a swap: {answered:?}");
}

/// Asks once more, now that the last version is active.
fn go_live_is_seen(client: &Client, token: &str, version: i64) {
    let question = json!({"policy_store": "files", "principal": {"type": "User", "id": "someone"},
        "action": "view", "resource": {"type": "File", "id": "a"}});
    assert_eq!(client.post_as(token, "/v1/authorize", &question).expect(200)["policy_version"], version);
}
