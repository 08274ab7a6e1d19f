//! Two servers on one Postgres and one Redis, and what they hear of each other.

use std::{thread, time::Duration};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::runtime::Runtime;

use crate::{
    client::{Actor, Client},
    proxy::{Wire, place},
    server::{Installation, Server},
    support::{fresh_postgres, postgres_url, redis_url, unique},
    turn::Turn,
    wait,
};

/// What the bus promises.
const AT_ONCE: Duration = Duration::from_secs(1);
/// What the poll promises when the bus is down.
const POLL: Duration = Duration::from_secs(6);
/// For what has no promise.
const LIMIT: Duration = Duration::from_secs(30);
/// A store that is small, so that what is measured is the way between the nodes.
const STORE: &str = "/v1/policy-stores/doors";

/// A database without any table.
async fn empty_postgres(server: &str) -> String {
    let url = fresh_postgres(server).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    url
}

/// Settings that two nodes share: an empty database, secrets, and a Redis prefix of their own. None when a
/// service is not there, which has been said.
pub(crate) fn shared_settings() -> Option<Vec<(&'static str, String)>> {
    let (postgres, redis) = (postgres_url()?, redis_url()?);
    Some(vec![
        ("storage.postgres_url", Runtime::new().unwrap().block_on(empty_postgres(&postgres))),
        ("redis.url", redis),
        ("redis.prefix", format!("test:{}:", unique())),
        // The default of 50 ms is for a server that has a processor to itself.
        ("redis.timeout_ms", "1000".to_owned()),
        ("secrets.master_key", format!("{}{}", unique(), unique()).repeat(2)),
        ("secrets.redis_key_salt", format!("{}{}", unique(), unique())),
    ])
}

/// An installation with `settings`, of which some are replaced.
pub(crate) fn installation(
    settings: &[(&'static str, String)],
    replaced: &[(&'static str, String)],
) -> Installation {
    let all: Vec<_> = settings.iter().chain(replaced).map(|(key, value)| (*key, value.as_str())).collect();
    Installation::new(&all)
}

/// Both nodes, started at the same moment on an empty database, and the first administrator.
pub(crate) fn start_both(a: &Installation, b: &Installation) -> (Server, Server, Actor) {
    let (a, b) = thread::scope(|scope| {
        let b = scope.spawn(|| b.start());
        (a.start(), b.join().unwrap())
    });
    let root = match (&a.setup_token, &b.setup_token) {
        (Some(_), None) => a.administrator(),
        (None, Some(_)) => b.administrator(),
        tokens => panic!("one of them prints the set-up token, not: {tokens:?}"),
    };
    (a, b, root)
}

/// Publishes a version in which doors open or do not, and activates it; answers its number.
#[track_caller]
fn activate(public: &Client, root: &Actor, opens: bool, note: &str) -> i64 {
    let effect = if opens { "permit" } else { "forbid" };
    let files = json!({
        "manifest.toml": format!("description = \"{note}\"\n"),
        "schema/doors.cedarschema": "entity User; entity Door; action open appliesTo { principal: User, resource: Door };",
        "doors.cedar": format!("@id(\"doors\")\n{effect} (principal, action == Action::\"open\", resource);\n"),
    });
    let published =
        public.post_as(&root.token, &format!("{STORE}/versions"), &json!({"files": files})).expect(201);
    let version = json!({"version": published["version"]});
    let activated = public.post_as(&root.token, &format!("{STORE}/activate"), &version).expect(200);
    assert_eq!(activated["changed"], true, "{activated}");
    activated["active_version"].as_i64().unwrap()
}

fn question() -> Value {
    json!({"policy_store": "doors", "action": "open", "resource": {"type": "Door", "id": "d"}})
}

/// Whether the holder may open a door, and which version says so.
#[track_caller]
fn ask(public: &Client, actor: &Actor) -> (Value, Value) {
    let answer = public.post_as(&actor.token, "/v1/authorize", &question()).expect(200);
    (answer["decision"].clone(), answer["policy_version"].clone())
}

/// Activates the first version of the store on one node and waits until the other knows the store.
fn first_activation_arrives(at: &Client, from: &Client, root: &Actor) {
    let version = activate(from, root, true, "first");
    wait::until_true("the first version arrives", LIMIT, || {
        at.post_as(&root.token, "/v1/authorize", &question()).body["policy_version"] == version
    });
}

/// Activates on one node and waits for the other; answers how long it took.
#[track_caller]
fn activation_arrives(
    at: &Client,
    from: &Client,
    root: &Actor,
    opens: bool,
    note: &str,
    limit: Duration,
) -> Duration {
    let version = activate(from, root, opens, note);
    let decision = if opens { "allow" } else { "deny" };
    assert_eq!(ask(from, root), (json!(decision), json!(version)), "at once where it was activated");
    wait::until_true("the activation arrives", limit, || {
        let (said, by) = ask(at, root);
        let arrived = by == version;
        assert!(!arrived || said == decision, "version {by} says {said}");
        arrived
    })
}

/// Ends a session on one node and waits until the other refuses it; answers how long it took.
#[track_caller]
fn revocation_arrives(at: &Client, from: &Client, name: &str, limit: Duration) -> Duration {
    let (ending, lasting) =
        (from.login(&format!("{name}@example.com")), from.login(&format!("{name}@example.com")));
    at.get_as(&ending.token, "/v1/users/me").expect(200);
    let path = format!("/v1/sessions/{}", ending.session);
    from.send("DELETE", &path, Some(&lasting.token), None).expect(204);
    from.get_as(&ending.token, "/v1/users/me").expect_problem(401, "token_revoked");
    let took = wait::until_true("the revocation arrives", limit, || {
        let reply = at.get_as(&ending.token, "/v1/users/me");
        assert!([200, 401].contains(&reply.status), "{}", reply.text);
        reply.status == 401
    });
    at.get_as(&ending.token, "/v1/users/me").expect_problem(401, "token_revoked");
    at.get_as(&lasting.token, "/v1/users/me").expect(200);
    took
}

pub(crate) fn bus_becomes(admin: &Client, wanted: &str) {
    wait::until_true(&format!("the bus is {wanted}"), LIMIT, || {
        let ready = admin.get("/readyz").expect(200);
        assert_eq!(ready["status"], "ready", "a node without its bus still serves");
        ready["bus"] == wanted
    });
}

#[test]
fn what_one_node_does_the_other_knows_within_a_second() {
    let _turn = Turn::alone();
    let Some(settings) = shared_settings() else { return };
    let (a, b) = (installation(&settings, &[]), installation(&settings, &[]));
    let (a, b, root) = start_both(&a, &b);
    let jwks = |server: &Server| server.public.get("/.well-known/jwks.json").text;
    assert_eq!(jwks(&a), jwks(&b), "one set of keys");
    bus_becomes(&a.admin, "ok");
    bus_becomes(&b.admin, "ok");

    first_activation_arrives(&b.public, &a.public, &root);
    for (opens, from, at) in [(false, &a, &b), (true, &b, &a), (false, &a, &b)] {
        let note = format!("from {}", from.public.url);
        let took = activation_arrives(
            &at.public,
            &from.public,
            &root,
            opens,
            &format!("{note} {opens} {}", unique()),
            AT_ONCE,
        );
        println!("activation: {took:?}");
    }
    for server in [&a, &b] {
        wait::until_true("both nodes are seen", LIMIT, || {
            let status = server.public.get_as(&root.token, &format!("{STORE}/status")).expect(200);
            let nodes = status["nodes"].as_array().unwrap();
            assert!(nodes.len() <= 2, "{status}");
            nodes.len() == 2 && nodes.iter().all(|node| node["version"] == status["active"]["version"])
        });
    }

    a.public.user("alice");
    for (from, at) in [(&a, &b), (&b, &a)] {
        let took = revocation_arrives(&at.public, &from.public, "alice", AT_ONCE);
        println!("revocation: {took:?}");
    }
    b.stop();
    let status = a.public.get_as(&root.token, &format!("{STORE}/status")).expect(200);
    assert_eq!(
        status["nodes"].as_array().map(Vec::len),
        Some(1),
        "a node that stops says good-bye: {status}"
    );
    a.stop();
}

/// Threat T35.
#[test]
fn t35_without_redis_the_database_is_the_truth_and_the_poll_carries_the_news() {
    let _turn = Turn::alone();
    let Some(settings) = shared_settings() else { return };
    let redis = settings.iter().find(|(key, _)| *key == "redis.url").unwrap().1.clone();
    let wires = [Wire::to(place(&redis)), Wire::to(place(&redis))];
    let [a, b] = [0, 1].map(|at: usize| installation(&settings, &[("redis.url", wires[at].url(&redis))]));
    let (a, b, root) = start_both(&a, &b);
    let alice = a.public.user("alice");
    bus_becomes(&a.admin, "ok");
    bus_becomes(&b.admin, "ok");
    first_activation_arrives(&b.public, &a.public, &root);

    wires[1].cut();
    let took = revocation_arrives(&b.public, &a.public, "alice", POLL);
    println!("revocation with one bus cut: {took:?}");
    let took = activation_arrives(&b.public, &a.public, &root, false, "one cut", POLL);
    println!("activation with one bus cut: {took:?}");
    bus_becomes(&b.admin, "degraded");
    bus_becomes(&a.admin, "ok");

    wires[0].cut();
    bus_becomes(&a.admin, "degraded");
    for server in [&a, &b] {
        server.public.get_as(&alice.token, "/v1/users/me").expect(200);
        assert_eq!(server.public.may_view_handbook(&alice.token).expect(200)["decision"], "allow");
        let fresh = server.public.login("alice@example.com");
        let refreshed =
            server.public.post("/v1/auth/refresh", &json!({"refresh_token": fresh.refresh})).expect(200);
        let refreshed = Actor::from(refreshed);
        server.public.get_as(&refreshed.token, "/v1/users/me").expect(200);
    }
    for (from, at) in [(&a, &b), (&b, &a)] {
        let took = revocation_arrives(&at.public, &from.public, "alice", POLL);
        println!("revocation without Redis: {took:?}");
    }
    let took = activation_arrives(&a.public, &b.public, &root, true, "both cut", POLL);
    println!("activation without Redis: {took:?}");

    wires.iter().for_each(Wire::mend);
    bus_becomes(&a.admin, "ok");
    bus_becomes(&b.admin, "ok");
    activation_arrives(&b.public, &a.public, &root, false, "mended", AT_ONCE);
    revocation_arrives(&a.public, &b.public, "alice", AT_ONCE);
    server_kept_its_sessions(&a.public, &alice);
}

fn server_kept_its_sessions(public: &Client, alice: &Actor) {
    public.get_as(&alice.token, "/v1/users/me").expect(200);
    public.post("/v1/auth/refresh", &json!({"refresh_token": alice.refresh})).expect(200);
}
