//! `bailiwick serve` on an empty folder, again on the same one, and where it must refuse.

use std::{
    collections::BTreeSet, fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    client::{Client, PASSWORD, Reply},
    server::{Installation, PROGRAM, ROOT, Server, setup},
    turn::Turn,
    wait,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o777
}

#[test]
fn an_empty_folder_becomes_a_server() {
    let _turn = Turn::shared();
    let installation = Installation::bare(&[]);
    let server = installation.start();

    let data = installation.data();
    assert_eq!(mode(&data), 0o700, "the data folder is for its owner");
    for key in ["master.key", "redis.salt"] {
        assert_eq!(mode(&data.join(key)), 0o600, "`{key}` is for its owner");
    }
    assert_eq!(server.docs, format!("{}/docs", server.public.url));

    assert_eq!(server.admin.get("/healthz").expect(200)["status"], "ok");
    let ready = server.admin.get("/readyz").expect(200);
    assert_eq!(ready["status"], "ready", "{ready}");
    let keys = server.public.get("/.well-known/jwks.json").expect(200);
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1), "{keys}");

    let root = server.administrator();
    let stores = server.public.get_as(&root.token, "/v1/policy-stores").expect(200);
    let summary: Vec<_> = stores["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|store| {
            (
                store["store"].as_str().unwrap(),
                store["active_version"].as_i64(),
                store["health"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(summary, [("app", Some(1), "ok"), ("system", Some(1), "ok")]);
    let decision = server.public.may_view_handbook(&root.token).expect(200);
    assert_eq!((&decision["decision"], &decision["policy_version"]), (&json!("allow"), &json!(1)));

    let log = server.log();
    let setup_token = server.setup_token.as_deref().unwrap();
    assert!(!log.contains(setup_token), "the set-up token is on standard output only");
    assert!(!log.contains(PASSWORD) && !log.contains(&root.token));
}

/// Threat T51.
#[test]
fn t51_each_path_answers_on_its_own_listener_only() {
    let _turn = Turn::shared();
    let server = Installation::new(&[]).start();
    let document = server.public.get("/openapi.json").expect(200);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let is_admin = [json!(["health"]), json!(["metrics"])].contains(&operation["tags"]);
            let is_inside = operation["tags"] == json!(["internal"]);
            let wanted = match (is_admin, is_inside) {
                (true, _) => [false, false, true],
                (_, true) => [false, true, false],
                _ => [true, true, false],
            };
            assert_eq!(
                found_on(&server, &method.to_ascii_uppercase(), &concrete(path)),
                wanted,
                "{method} {path}"
            );
        }
    }
    for (path, wanted) in [
        ("/openapi.json", [true, false, false]),
        ("/docs", [true, false, false]),
        ("/docs/", [true, false, false]),
        ("/docs/swagger-ui.css", [true, false, false]),
        ("/", [false; 3]),
        ("/debug", [false; 3]),
        ("/internal", [false; 3]),
        ("/admin", [false; 3]),
        ("/v1/internal", [false; 3]),
        ("/.env", [false; 3]),
        ("/bailiwick.db", [false; 3]),
        ("/docs/../bailiwick-data/master.key", [false; 3]),
        ("/docs/%2e%2e/%2e%2e/etc/passwd", [false; 3]),
    ] {
        assert_eq!(found_on(&server, "GET", path), wanted, "{path}");
    }
}

/// The path with something in the place of its parameters.
fn concrete(path: &str) -> String {
    let segment = |segment: &str| match segment {
        "{store}" => "app".to_owned(),
        "{number}" => "1".to_owned(),
        "{session_id}" => "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47".to_owned(),
        other if other.starts_with('{') => "anything".to_owned(),
        other => other.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// On which of the listeners (public, internal, admin) there is such an operation. Callers without a
/// token are refused before anything is looked up, so a 404 means that there is none.
fn found_on(server: &Server, method: &str, path: &str) -> [bool; 3] {
    [&server.public, &server.internal, &server.admin].map(|listener| {
        let reply = listener.send(method, path, None, None);
        assert!(reply.status < 500, "{method} {path} on {}: {}", listener.url, reply.text);
        if reply.status == 404 {
            let from_router = reply.body["code"] == "not_found"
                || path.starts_with("/docs")
                || reply.body["error"] == "invalid_request" && path.starts_with("/v1/oauth/"); // RFC 6749 §5.2
            assert!(from_router, "{}", reply.text);
        }
        reply.status != 404
    })
}

#[test]
fn the_setup_token_works_once() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[]);
    let server = installation.start();
    let token = server.setup_token.clone().expect("an empty installation prints a set-up token");
    let wrong = format!("{}x", &token[..token.len() - 1]);
    server.public.post("/v1/setup", &setup(&wrong)).expect_problem(401, "setup_token_invalid");
    let user = server.public.post("/v1/setup", &setup(&token)).expect(201);
    assert_eq!(user["roles"], json!(["super_admin"]), "{user}");

    assert_spent(&server.public, &token);
    server.stop();
    let again = installation.start();
    assert_eq!(again.setup_token, None, "there is an administrator already");
    assert_spent(&again.public, &token);
}

#[track_caller]
fn assert_spent(public: &Client, token: &str) {
    let mut other = setup(token);
    other["email"] = json!("mallory@example.com");
    public.post("/v1/setup", &other).expect_problem(409, "setup_completed");
}

#[test]
fn a_setup_token_that_nobody_used_outlives_a_restart() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[]);
    let first = installation.start();
    let token = first.setup_token.clone().unwrap();
    first.kill();
    let second = installation.start();
    assert_eq!(second.setup_token, None, "it was printed once; only its digest is known");
    second.public.post("/v1/setup", &setup(&token)).expect(201);
    second.public.login(ROOT);
}

#[test]
fn a_restart_keeps_users_sessions_and_keys() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[]);
    let server = installation.start();
    let root = server.administrator();
    let alice = server.public.user("alice");
    let keys = server.public.get("/.well-known/jwks.json").text;
    server.stop();

    let server = installation.start();
    assert_eq!(server.public.get("/.well-known/jwks.json").text, keys);
    let me = server.public.get_as(&alice.token, "/v1/users/me").expect(200);
    assert_eq!(me["email"], "alice@example.com");
    assert_eq!(server.public.may_view_handbook(&alice.token).expect(200)["decision"], "allow");
    let sessions = server.public.get_as(&alice.token, "/v1/sessions").expect(200);
    assert_eq!(sessions["data"][0]["id"], alice.session.as_str(), "{sessions}");
    let refreshed =
        server.public.post("/v1/auth/refresh", &json!({"refresh_token": alice.refresh})).expect(200);
    assert_eq!(refreshed["token_version"], 2, "{refreshed}");
    server.public.login("alice@example.com");
    server.public.get_as(&root.token, "/v1/policy-stores").expect(200);
    let versions = server.public.get_as(&root.token, "/v1/policy-stores/app/versions").expect(200);
    assert_eq!(numbers(&versions), BTreeSet::from([1]), "a restart publishes nothing");
}

fn numbers(versions: &Value) -> BTreeSet<i64> {
    versions["data"].as_array().unwrap().iter().map(|version| version["version"].as_i64().unwrap()).collect()
}

#[test]
fn a_busy_port_is_named_and_nothing_is_left_running() {
    let _turn = Turn::shared();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["server.public_addr", "server.internal_addr", "server.admin_addr"] {
        let ended = Installation::new(&[(key, &address)]).try_start().expect_err("the port is taken");
        assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
        assert!(ended.err.contains(&address), "{key}: {}", ended.err);
        assert!(ended.err.contains("hint: another process listens there"), "{}", ended.err);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
}

#[test]
fn an_unknown_setting_is_named() {
    let _turn = Turn::shared();
    let ended =
        Installation::new(&[("server.public_adr", "127.0.0.1:0")]).try_start().expect_err("a wrong key");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
    assert!(ended.err.contains("BAILIWICK__SERVER__PUBLIC_ADR"), "{}", ended.err);
    assert!(ended.err.contains("did you mean `BAILIWICK__SERVER__PUBLIC_ADDR`?"), "{}", ended.err);

    let installation = Installation::new(&[]);
    fs::write(installation.folder().join("bailiwick.toml"), "[sessions]\nidle_ttl_secs = 60\nidle_tl = 3\n")
        .unwrap();
    let ended = installation.try_start().expect_err("a wrong key");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
    assert!(ended.err.contains("bailiwick.toml:3") && ended.err.contains("idle_tl"), "{}", ended.err);
    assert!(!installation.data().exists(), "nothing is made before the configuration is read");
}

/// T53: without policies of its own a server would issue nothing and say nothing useful. It does not begin.
#[test]
fn t53_policies_that_cannot_be_used_stop_the_start() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[]);
    let system = installation.folder().join("policies/system");
    fs::create_dir_all(&system).unwrap();
    fs::write(system.join("all.cedar"), "permit (principal, action, resource").unwrap();
    for _ in 0..2 {
        let ended = installation.try_start().expect_err("nothing to decide by");
        assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
        assert!(ended.err.contains("`bailiwick policy restore-system`"), "{}", ended.err);
    }
    let restored = installation.command(PROGRAM).args(["policy", "restore-system"]).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let server = installation.start();
    let root = server.administrator();
    server.public.get_as(&root.token, "/v1/users/me").expect(200);
}

#[test]
fn a_key_that_others_can_read_stops_the_start() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[]);
    installation.start().stop();
    let key = installation.data().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = installation.try_start().expect_err("an exposed key");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
    assert!(ended.err.contains("master.key") && ended.err.contains("0644"), "{}", ended.err);
}

#[test]
fn every_answer_has_an_id_and_says_nothing_of_the_program() {
    let _turn = Turn::shared();
    let server = Installation::new(&[]).start();
    let replies: [Reply; 3] =
        [server.public.get("/nothing"), server.admin.get("/readyz"), server.internal.get("/v1/users/me")];
    for reply in replies {
        assert!(reply.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        assert!(!reply.headers.contains_key("server") && !reply.headers.contains_key("x-powered-by"));
    }
}

#[test]
fn the_command_line_works_beside_a_server() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[]);
    let server = installation.start();
    let health = |url: &str| {
        let url = format!("{url}/readyz");
        installation.command(PROGRAM).args(["health", "--url", &url]).output().unwrap().status.code()
    };
    assert_eq!(health(&server.admin.url), Some(0));
    assert_eq!(health(&server.public.url), Some(1), "the public listener knows nothing of health");

    fs::write(installation.folder().join("password"), format!("{PASSWORD}\n")).unwrap();
    let create = ["admin", "create", "--email", ROOT, "--password-file", "password"];
    let made = installation.command(PROGRAM).args(create).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let root = server.public.login(ROOT);
    server.public.get_as(&root.token, "/v1/policy-stores").expect(200);
    let token = server.setup_token.as_deref().unwrap();
    assert_spent(&server.public, token);
}

/// Whatever a start had come to when it was killed, the next one takes it up.
#[test]
fn a_start_that_was_cut_short_is_taken_up_again() {
    let _turn = Turn::shared();
    for sign in ["", "master.key", "bailiwick.db", "bailiwick.db-wal"] {
        let installation = Installation::new(&[]);
        let path = installation.data().join(sign);
        let mut process = installation.command(PROGRAM).arg("serve").stdout(Stdio::null()).spawn().unwrap();
        wait::until_true(sign, Duration::from_mins(1), || {
            path.exists() || process.try_wait().unwrap().is_some()
        });
        process.kill().unwrap();
        process.wait().unwrap();

        let server = installation.start();
        server.admin.get("/readyz").expect(200);
        let root = server.administrator();
        let stores = server.public.get_as(&root.token, "/v1/policy-stores").expect(200);
        let active: Vec<_> =
            stores["data"].as_array().unwrap().iter().map(|store| &store["active_version"]).collect();
        assert_eq!(active, [&json!(1), &json!(1)], "{sign}: {stores}");
        assert_eq!(mode(&installation.data()), 0o700);
        assert_eq!(mode(&installation.data().join("master.key")), 0o600);
    }
}
