//! Policies and requests made to hurt: decided in bounded time and stack, or refused with a finding.

use std::fmt::Write as _;

use bailiwick::policy::{EntitySlice, Query, Snapshot, Verdict, decide, evaluate, evaluate_all};
use cedar_policy::{Context, Entities, EntityUid, PolicySet, Schema};
use serde_json::{Value, json};

use crate::findings::store;

const SCHEMA: &str = "entity G; entity User in [G] = { n: Long, friends: Set<User> }; entity F; entity Doc in [F];\n\
                      action view appliesTo { principal: User, resource: Doc };";

/// Does work on a thread with a stack of so many bytes. A server's worker has 8 MiB.
fn on_a_stack<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(bytes).spawn(work).unwrap().join().unwrap()
}

fn walked(snapshot: &Snapshot) -> Verdict {
    let query = query("User::\"u\"", "Doc::\"d\"");
    evaluate_all(snapshot, &query, &EntitySlice::whole(Entities::empty()))
}

fn query(principal: &str, resource: &str) -> Query {
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    Query::new(uid(principal), uid("Action::\"view\""), uid(resource), Context::empty(), None).unwrap()
}

fn snapshot(policies: &str) -> Snapshot {
    let policies: PolicySet = policies.parse().unwrap();
    let schema = Schema::from_cedarschema_str(SCHEMA).unwrap().0;
    Snapshot::from_policy_set("hostile".parse().unwrap(), &policies, schema).unwrap()
}

#[test]
fn the_deepest_conditions_that_compile_are_decided_on_a_workers_stack() {
    // What repeats, what closes it, and what stands in the middle.
    let forms = [
        ("!", "", "true"),
        ("(", ")", "true"),
        ("true && ", "", "true"),
        ("principal.name == \"x\" || ", "", "true"),
        ("(true && ", ")", "true"),
        ("if false then true else ", "", "true"),
        ("if true then ", " else true", "true"),
        ("(if ", " then true else false)", "true"),
        ("[[1]].contains([", "])", "1"),
        ("{a: ", "}.a", "true"),
        ("principal.boss.name == \"x\" || principal has boss && ", "", "principal.boss.name == \"y\""),
    ];
    let mut compiled_deepest = 0;
    for (deep, closing, middle) in forms {
        for times in [5, 12, 60, 70, 120, 160, 240, 490, 5_000] {
            let condition = format!("{}{middle}{}", deep.repeat(times), closing.repeat(times));
            let text =
                format!("@id(\"p\") permit(principal is User, action, resource) when {{ {condition} }};");
            let compiled = match store(&[("p.cedar", text.as_bytes())]) {
                Ok(compiled) => compiled,
                Err(findings) => {
                    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
                    let known = ["too_deep", "parse", "validation", "level"];
                    assert!(codes.iter().all(|code| known.contains(code)), "{deep} {times}: {findings}");
                    assert!(times < 5_000 || codes == ["too_deep"], "{deep}: {findings}");
                    continue;
                }
            };
            compiled_deepest = compiled_deepest.max(times);
            let case = format!("{deep} {times}");
            let (worker, ample) = (8 << 20, 256 << 20);
            let snapshot = compiled.snapshot.clone();
            let expected = on_a_stack(ample, move || walked(&snapshot));
            on_a_stack(worker, move || {
                let query = query("User::\"u\"", "Doc::\"d\"");
                let verdict = evaluate(&compiled.snapshot, &query, &EntitySlice::whole(Entities::empty()));
                // Cedar minds its stack, and so may give up; that is an error, and errors fail closed.
                let gave_up = verdict.errors.iter().any(|error| error.message == "recursion limit reached");
                assert!(gave_up || verdict == expected, "{case}: {verdict:?}, not {expected:?}");
                drop(compiled);
            });
        }
    }
    assert!(compiled_deepest >= 240, "{compiled_deepest}");
}

#[test]
fn sets_of_ten_thousand_are_looked_into() {
    let numbers = (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let users = (0..10_000).map(|n| format!("User::\"{n}\"")).collect::<Vec<_>>().join(", ");
    let snapshot = snapshot(&format!(
        "permit(principal, action, resource) when {{ principal in [{users}] }};\n\
         permit(principal, action, resource) when {{ [{users}].contains(principal) }};\n\
         permit(principal, action, resource) when {{ [{numbers}].contains(principal.n) }};\n\
         permit(principal, action, resource) when {{ principal.friends.containsAny([{users}]) }};\n\
         permit(principal, action, resource) when {{ principal in principal.friends }};"
    ));
    let friends: Vec<Value> =
        (0..10_000).map(|n| json!({"__entity": {"type": "User", "id": (5_000 + n).to_string()}})).collect();
    let entities = json!([{"uid": {"type": "User", "id": "9999"}, "attrs": {"n": 9_999, "friends": friends}, "parents": []}]);
    let slice = EntitySlice::whole(Entities::from_json_value(entities, None).unwrap());
    for (user, holds) in [("9999", 5), ("77777", 0)] {
        let query = query(&format!("User::\"{user}\""), "Doc::\"d\"");
        let verdict = evaluate(&snapshot, &query, &slice);
        assert_eq!(verdict.determining.len(), if holds == 5 { 5 } else { 0 }, "{verdict:?}");
        assert_eq!(verdict, evaluate_all(&snapshot, &query, &slice));
    }
}

/// Ten thousand groups above each side, and policies that pair them: a hundred million pairs, ten thousand policies.
#[test]
fn a_request_with_ten_thousand_ancestors_on_each_side_costs_what_it_matches() {
    let mut policies = String::new();
    for n in 0..10_000 {
        writeln!(policies, "permit(principal in G::\"{n}\", action, resource in F::\"{n}\");").unwrap();
    }
    let snapshot = snapshot(&policies);
    let above =
        |of: &str| -> Vec<Value> { (0..10_000).map(|n| json!({"type": of, "id": n.to_string()})).collect() };
    let entities = json!([
        {"uid": {"type": "User", "id": "u"}, "attrs": {}, "parents": above("G")},
        {"uid": {"type": "Doc", "id": "d"}, "attrs": {}, "parents": above("F")},
    ]);
    let slice = EntitySlice::whole(Entities::from_json_value(entities, None).unwrap());
    let query = query("User::\"u\"", "Doc::\"d\"");
    for _ in 0..20 {
        let verdict = decide(&snapshot, &query, &slice);
        assert_eq!((verdict.allow, verdict.candidates, verdict.determining.len()), (true, 10_000, 10_000));
    }
}
