//! Threat T36: the database goes away and comes back.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::{Client, PASSWORD, handbook},
    nodes::{installation, shared_settings},
    proxy::{Wire, place},
    server::Server,
    turn::Turn,
    wait,
};

/// How long a caller may be kept waiting for "come back later".
const ANSWER: Duration = Duration::from_secs(7);
/// How long recovery may take.
const RECOVERY: Duration = Duration::from_secs(30);

#[test]
fn t36_without_the_database_the_answer_is_come_back_later() {
    let _turn = Turn::alone();
    let Some(mut settings) = shared_settings() else { return };
    let (_, url) = settings.iter_mut().find(|(key, _)| *key == "storage.postgres_url").unwrap();
    let wire = Wire::to(place(url));
    *url = wire.url(url);
    let mut server = installation(&settings, &[]).start();
    let alice = server.public.user("alice");
    assert_eq!(server.public.may_view_handbook(&alice.token).expect(200)["decision"], "allow");
    assert_eq!(server.admin.get("/readyz").expect(200)["database"], "ok");

    wire.cut();
    forgets(&server, &alice.token);
    let login = json!({"identifier": "alice@example.com", "password": PASSWORD});
    let calls: [(&str, &str, Option<&str>, Option<Value>); 7] = [
        ("POST", "/v1/authorize", Some(&alice.token), Some(handbook("view"))),
        ("GET", "/v1/users/me", Some(&alice.token), None),
        ("GET", "/v1/sessions", Some(&alice.token), None),
        ("POST", "/v1/auth/login", None, Some(login)),
        ("POST", "/v1/auth/refresh", None, Some(json!({"refresh_token": alice.refresh}))),
        ("POST", "/v1/auth/register", None, Some(json!({"email": "bob@example.com", "password": PASSWORD}))),
        ("POST", "/v1/auth/logout", Some(&alice.token), Some(json!({}))),
    ];
    // Twice: the first time connections break, the second time there are none.
    for _ in 0..2 {
        thread::scope(|scope| {
            for (method, path, token, body) in &calls {
                scope.spawn(|| come_back_later(&server.public, method, path, *token, body.as_ref()));
            }
        });
    }
    let ready = server.admin.get("/readyz").expect(503);
    assert_eq!((&ready["status"], &ready["database"]), (&json!("unready"), &json!("down")), "{ready}");
    server.admin.get("/healthz").expect(200);
    server.public.get("/.well-known/jwks.json").expect(200);
    server.public.get_as("not-a-token", "/v1/users/me").expect_problem(401, "token_invalid");

    wire.mend();
    recovers(&server, &alice.token);
    server.public.post("/v1/auth/refresh", &json!({"refresh_token": alice.refresh})).expect(200);
    server.public.user("bob");
    server.terminate();
    assert_eq!(server.ended(RECOVERY).code(), Some(0), "{}", server.log());
}

/// Neither a 401, which would sign people out, nor an allow, nor a 500, nor a wait.
fn come_back_later(public: &Client, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) {
    let began = Instant::now();
    let reply = public.try_send(method, path, token, body).unwrap();
    let took = began.elapsed();
    assert_eq!(reply.status, 503, "{method} {path}: {}", reply.text);
    assert_eq!(reply.body["code"], "store_unavailable", "{method} {path}: {}", reply.text);
    assert!(reply.headers.contains_key("retry-after"), "{method} {path}");
    assert!(took < ANSWER, "{method} {path} took {took:?}");
}

/// Who was known a moment ago is answered for some seconds; then the answer is that nobody knows.
fn forgets(server: &Server, token: &str) {
    wait::until_true("what is remembered runs out", RECOVERY, || {
        let reply = server.public.may_view_handbook(token);
        assert!([200, 503].contains(&reply.status), "{}", reply.text);
        reply.status == 503
    });
}

fn recovers(server: &Server, token: &str) {
    let took = wait::until_true("the server recovers", RECOVERY, || {
        let reply = server.public.may_view_handbook(token);
        assert!([200, 503].contains(&reply.status), "{}", reply.text);
        assert!(reply.status != 200 || reply.body["decision"] == "allow", "{}", reply.text);
        reply.status == 200
    });
    println!("recovered after {took:?}");
    wait::until_true("the server is ready", RECOVERY, || server.admin.get("/readyz").status == 200);
}

/// The wire to the database carries nothing any more, and nobody is told: worse than a server that is down.
#[test]
fn t36_a_database_that_falls_silent_is_given_up_and_found_again() {
    let _turn = Turn::alone();
    let Some(mut settings) = shared_settings() else { return };
    let (_, url) = settings.iter_mut().find(|(key, _)| *key == "storage.postgres_url").unwrap();
    let wire = Wire::to(place(url));
    // Without TLS: sqlx ends a TLS connection by waiting for the other side, and there is none.
    let separator = if url.contains('?') { '&' } else { '?' };
    *url = format!("{}{separator}sslmode=disable", wire.url(url));
    let server = installation(&settings, &[("server.request_timeout_secs", "5".to_owned())]).start();
    let alice = server.public.user("alice");

    // Many at once, so that all connections are open, and young enough to be trusted when they fall silent.
    let ask_all = |status: u16| {
        thread::scope(|scope| {
            for _ in 0..24 {
                scope.spawn(|| server.public.may_view_handbook(&alice.token).expect(status));
            }
        });
    };
    ask_all(200);
    wire.silence();
    forgets(&server, &alice.token);
    ask_all(503);
    ask_all(503);
    server.admin.get("/readyz").expect(503);
    server.admin.get("/healthz").expect(200);

    wire.mend();
    recovers(&server, &alice.token);
    server.public.login("alice@example.com");
    ask_all(200);
}

/// Threat T35: a Redis that takes its time costs callers almost none.
#[test]
fn t35_a_redis_that_falls_silent_holds_nobody_up() {
    let _turn = Turn::alone();
    let Some(mut settings) = shared_settings() else { return };
    let (_, url) = settings.iter_mut().find(|(key, _)| *key == "redis.url").unwrap();
    let wire = Wire::to(place(url));
    *url = wire.url(url);
    let server = installation(&settings, &[("redis.timeout_ms", "50".to_owned())]).start();
    let alice = server.public.user("alice");

    wire.silence();
    for _ in 0..50 {
        let began = Instant::now();
        assert_eq!(server.public.may_view_handbook(&alice.token).expect(200)["decision"], "allow");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    let fresh = server.public.login("alice@example.com");
    server
        .public
        .send("DELETE", &format!("/v1/sessions/{}", fresh.session), Some(&alice.token), None)
        .expect(204);
    server.public.get_as(&fresh.token, "/v1/users/me").expect_problem(401, "token_revoked");
    assert_eq!(server.admin.get("/readyz").expect(200)["status"], "ready");

    wire.mend();
    wait::until_true("the bus is found again", RECOVERY, || {
        server.admin.get("/readyz").expect(200)["bus"] == "ok"
    });
}
