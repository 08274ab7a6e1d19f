//! `bailiwick keys` beside a running server, and a change of the master key.

use std::{process::Output, time::Duration};

use bailiwick::base::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::{
    client::{Client, PASSWORD},
    server::{Installation, PROGRAM, ROOT},
    support::unique,
    totp::AuthenticatorApp,
    turn::Turn,
    wait,
};

/// What a running server promises to have noticed after, and some.
const LIMIT: Duration = Duration::from_secs(10);

fn keys(installation: &Installation, words: &[&str]) -> Output {
    installation.command(PROGRAM).arg("keys").args(words).output().unwrap()
}

#[track_caller]
fn good(installation: &Installation, words: &[&str]) -> String {
    let output = keys(installation, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn published(public: &Client) -> Vec<String> {
    let set = public.get("/.well-known/jwks.json").expect(200);
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    set["keys"].as_array().unwrap().iter().map(kid).collect()
}

#[test]
fn keys_are_managed_on_the_host() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[]);
    let server = installation.start();
    let root = server.administrator();
    let listed = good(&installation, &["list"]);
    let signing = listed.split_whitespace().next().unwrap().to_owned();
    assert_eq!(published(&server.public), std::slice::from_ref(&signing));
    assert!(listed.contains("EdDSA  active"), "{listed}");

    let ordered = good(&installation, &["rotate"]);
    let next = ordered.split_whitespace().next().unwrap().to_owned();
    assert!(ordered.contains("signs from 20"), "{ordered}");
    wait::until_true("the server publishes the next key", LIMIT, || {
        published(&server.public).contains(&next)
    });

    good(&installation, &["revoke", &signing]);
    wait::until_true("the server refuses tokens of the revoked key", LIMIT, || {
        server.public.get_as(&root.token, "/v1/users/me").status == 401
    });
    let root = server.public.login(ROOT);
    server.public.get_as(&root.token, "/v1/users/me").expect(200);
    assert_eq!(published(&server.public), std::slice::from_ref(&next));
    let again = keys(&installation, &["revoke", &signing]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is no such key in use"));
}

#[test]
fn a_new_master_key_takes_over() {
    let _turn = Turn::shared();
    let master = || format!("{}{}", unique(), unique()).repeat(2);
    let (old, new) = (master(), master());
    let mut installation = Installation::new(&[("secrets.master_key", &old)]);
    let server = installation.start();
    let root = server.administrator();
    let (ann, app) = enrolled(&server.public);
    let me = server.public.get_as(&root.token, "/v1/users/me").expect(200);
    let profile = format!("/v1/users/{}/profile", me["id"].as_str().unwrap());
    let nickname = json!({"nickname": "Root"});
    server.public.send("PATCH", &profile, Some(&root.token), Some(&nickname)).expect(200);
    server.stop();

    installation.set(&[("secrets.master_key", &new)]);
    let refused = installation.try_start().expect_err("the keys are sealed by another master key");
    assert!(refused.err.contains("hint: give the master key that sealed it"), "{}", refused.err);

    installation.set(&[("secrets.previous_master_key", &old)]);
    // Both users have a profile from the beginning.
    let each = |told: fn(u32) -> String| {
        let kinds = [("signing keys", 1), ("second factors", 1), ("profiles", 2), ("data of users", 0)];
        kinds.map(|(what, count)| format!("{what}: {}\n", told(count))).concat()
    };
    let (anew, already) = (
        each(|count| format!("{count} sealed anew, 0 already were")),
        each(|count| format!("0 sealed anew, {count} already were")),
    );
    assert_eq!(good(&installation, &["rewrap"]), anew);
    assert_eq!(good(&installation, &["rewrap"]), already);
    let server = installation.start();
    server.public.get_as(&root.token, "/v1/users/me").expect(200);
    let refreshed = json!({"refresh_token": root.refresh});
    server.public.post("/v1/auth/refresh", &refreshed).expect(200);
    server.stop();

    installation.unset("secrets.previous_master_key");
    let server = installation.start();
    server.public.get_as(&root.token, "/v1/users/me").expect(200);
    assert_eq!(server.public.get_as(&root.token, &profile).expect(200)["nickname"], "Root");
    let half = server.public.post("/v1/auth/login", &json!({"identifier": ann, "password": PASSWORD}));
    assert_eq!((half.status, &half.body["code"]), (401, &json!("mfa_required")), "{}", half.text);
    // The code of the next step: the one of this step may be used up.
    let second =
        json!({"mfa_token": half.body["mfa_token"], "code": app.shows(SystemClock.now().as_secs() + 30)});
    server.public.post("/v1/auth/login/mfa", &second).expect(200);
}

/// A user with a second factor: the address, and the app.
fn enrolled(public: &Client) -> (String, AuthenticatorApp) {
    let ann = public.user("ann");
    let secret = public.send("POST", "/v1/auth/mfa/totp", Some(&ann.token), None).expect(200);
    let app = AuthenticatorApp::reading(secret["secret"].as_str().unwrap());
    let code = json!({"code": app.shows(SystemClock.now().as_secs())});
    public.post_as(&ann.token, "/v1/auth/mfa/totp/confirm", &code).expect(200);
    ("ann@example.com".to_owned(), app)
}
