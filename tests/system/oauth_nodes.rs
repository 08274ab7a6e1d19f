//! T29 for OAuth 2.0: two servers on one Postgres and one Redis, and a client that ends on one of them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    client::{Actor, Client, handbook},
    nodes::{AT_ONCE, POLL, bus_becomes, installation, shared_settings, start_both},
    proxy::{Wire, place},
    support::unique,
    turn::Turn,
    wait,
};

/// What the bus takes when nothing else does: the best of some tries is below it.
const BUS: Duration = Duration::from_millis(100);
const CLIENTS: &str = "/v1/admin/oauth-clients";
const OWN: &str = "grant_type=client_credentials";

/// How a client, or what it was given, ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Deleted,
    Disabled,
    /// The session of a user whose token the client revokes.
    TokenRevoked,
}

/// A client made on a node: its id and its secret.
fn client(on: &Client, root: &Actor) -> (String, String) {
    let about =
        json!({"name": format!("c {}", unique()), "grants": ["client_credentials"], "scopes": ["decisions"]});
    let made = on.post_as(&root.token, CLIENTS, &about).expect(201);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("client_secret"))
}

/// What a node says of a token: to whoever uses it, and to a client that asks.
fn counts(on: &Client, (id, secret): (&str, &str), token: &str) -> (bool, Value) {
    let mut question = handbook("view");
    question["principal"] = json!({"type": "User", "id": "somebody"});
    let used = on.post_as(token, "/v1/authorize", &question);
    assert!([200, 401, 403].contains(&used.status), "{}", used.text); // a user may not ask about others
    let told = on.form("/v1/oauth/introspect", (id, secret), &format!("token={token}")).expect(200);
    (used.status != 401, told["active"].clone())
}

/// Has something end on one node and waits until the other refuses it; answers how long it took.
#[track_caller]
fn arrives(at: &Client, from: &Client, root: &Actor, end: End, limit: Duration) -> Duration {
    let (ending, other) = (client(from, root), client(from, root));
    let (ending, other) = ((&*ending.0, &*ending.1), (&*other.0, &*other.1));
    let own =
        at.form("/v1/oauth/token", ending, OWN).expect(200)["access_token"].as_str().unwrap().to_owned();
    let token = match end {
        End::TokenRevoked => from.login("alice@example.com").token,
        End::Deleted | End::Disabled => own,
    };
    assert_eq!(counts(at, other, &token), (true, json!(true)), "{end:?}: it counts before");
    let path = format!("{CLIENTS}/{}", ending.0);
    match end {
        End::Deleted => from.send("DELETE", &path, Some(&root.token), None).expect(204),
        End::Disabled => {
            from.send("PATCH", &path, Some(&root.token), Some(&json!({"status": "disabled"}))).expect(200)
        }
        End::TokenRevoked => from.form("/v1/oauth/revoke", ending, &format!("token={token}")).expect(200),
    };
    assert_eq!(counts(from, other, &token), (false, json!(false)), "{end:?}: at once where it ended");
    let took =
        wait::until_true("the end arrives", limit, || counts(at, other, &token) == (false, json!(false)));
    if !matches!(end, End::TokenRevoked) {
        at.form("/v1/oauth/token", ending, OWN).expect(401);
    }
    took
}

const ENDS: [End; 3] = [End::Deleted, End::Disabled, End::TokenRevoked];

#[test]
fn t29_what_ends_for_a_client_ends_on_every_node() {
    let _turn = Turn::alone();
    let Some(settings) = shared_settings() else { return };
    let redis = settings.iter().find(|(key, _)| *key == "redis.url").unwrap().1.clone();
    let wires = [Wire::to(place(&redis)), Wire::to(place(&redis))];
    let [a, b] = [0, 1].map(|at: usize| installation(&settings, &[("redis.url", wires[at].url(&redis))]));
    let (a, b, root) = start_both(&a, &b);
    a.public.user("alice");
    bus_becomes(&a.admin, "ok");
    bus_becomes(&b.admin, "ok");
    for end in ENDS {
        let tries: Vec<_> = [(&a, &b), (&b, &a), (&a, &b), (&b, &a)]
            .map(|(from, at)| arrives(&at.public, &from.public, &root, end, AT_ONCE))
            .to_vec();
        println!("{end:?} with the bus: {tries:?}");
        assert!(tries.iter().min().unwrap() < &BUS, "{end:?}: {tries:?}");
    }
    wires[1].cut();
    for end in ENDS {
        println!("{end:?} with one bus cut: {:?}", arrives(&b.public, &a.public, &root, end, POLL));
    }
    wires[0].cut();
    bus_becomes(&a.admin, "degraded");
    bus_becomes(&b.admin, "degraded");
    for end in ENDS {
        println!("{end:?} without Redis: {:?}", arrives(&a.public, &b.public, &root, end, POLL));
    }
}
