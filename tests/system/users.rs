//! `bailiwick user` beside a running server: what each command does.

use std::{fs, process::Output, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::Actor,
    server::{Installation, PROGRAM, ROOT, Server},
    turn::Turn,
    wait,
};

/// What a running server promises to have noticed after, and some.
const LIMIT: Duration = Duration::from_secs(10);

fn user(installation: &Installation, words: &[&str]) -> Output {
    installation.command(PROGRAM).arg("user").args(words).output().unwrap()
}

#[track_caller]
fn good(installation: &Installation, words: &[&str]) -> String {
    let output = user(installation, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn fails(installation: &Installation, words: &[&str], with: &str) {
    let output = user(installation, words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains(with), "{words:?}: {said}");
}

fn refused(server: &Server, token: &str) {
    wait::until_true("the server refuses the token", LIMIT, || {
        server.public.get_as(token, "/v1/users/me").status == 401
    });
}

fn begin() -> (Installation, Server, Actor) {
    let installation = Installation::new(&[]);
    let server = installation.start();
    let ann = server.public.user("ann");
    (installation, server, ann)
}

#[test]
fn users_are_listed_and_shown_on_the_host() {
    let _turn = Turn::shared();
    let (installation, server, ann) = begin();
    server.public.user("bob");
    let listed = good(&installation, &["list"]);
    assert!(
        listed.contains("\tactive\tann@example.com\t-\n") && listed.contains("bob@example.com"),
        "{listed}"
    );
    assert_eq!(good(&installation, &["list", "AN"]).lines().count(), 1);
    let shown = good(&installation, &["show", "ann@example.com"]);
    for fact in [
        "email\tann@example.com\n",
        "status\tactive\n",
        "roles\tuser\n",
        "sessions\t1\n",
        "last_active_at\t20",
    ] {
        assert!(shown.contains(fact), "no `{fact}` in {shown}");
    }
    let me = server.public.get_as(&ann.token, "/v1/users/me").expect(200);
    let id = me["id"].as_str().unwrap();
    assert_eq!(good(&installation, &["show", id]), shown);
    fails(&installation, &["show", "nobody"], "there is no user `nobody`");
}

#[test]
fn users_are_locked_and_unlocked_on_the_host() {
    let _turn = Turn::shared();
    let (installation, server, ann) = begin();
    good(&installation, &["lock", "ann@example.com"]);
    refused(&server, &ann.token);
    assert!(good(&installation, &["show", "ann@example.com"]).contains("status\tlocked\n"));
    good(&installation, &["unlock", "ann@example.com"]);
    server.public.login("ann@example.com");
    fails(&installation, &["lock", "nobody"], "there is no user `nobody`");
}

#[test]
fn links_are_made_on_the_host() {
    let _turn = Turn::shared();
    let (installation, server, ann) = begin();
    let link = good(&installation, &["reset-link", "ann@example.com"]);
    let token = link.trim_end().split_once("#token=").unwrap().1;
    let password = "another long pass phrase";
    let body = json!({"token": token, "new_password": password});
    assert_eq!(server.public.post("/v1/auth/password/reset", &body).status, 204);
    refused(&server, &ann.token);
    let body = json!({"identifier": "ann@example.com", "password": password});
    server.public.post("/v1/auth/login", &body).expect(200);
    let link = good(&installation, &["reset-link", "ann@example.com", "--purpose", "verify-email"]);
    let token = link.trim_end().split_once("#token=").unwrap().1;
    assert!(server.public.post("/v1/auth/verify-email", &json!({"token": token})).status < 300);
    assert!(good(&installation, &["show", "ann@example.com"]).contains("email_verified\ttrue\n"));
}

#[test]
fn users_are_erased_on_the_host() {
    let _turn = Turn::shared();
    let (installation, server, ann) = begin();
    server.administrator();
    good(&installation, &["delete", "ann@example.com"]);
    refused(&server, &ann.token);
    assert!(!good(&installation, &["list"]).contains("ann@example.com"));
    fails(&installation, &["delete", "ann@example.com"], "there is no user");
    fails(&installation, &["delete", ROOT], "the last active super administrator cannot be removed");
}

#[test]
fn users_move_with_their_passwords_on_the_host() {
    let _turn = Turn::shared();
    let (installation, server, _) = begin();
    let plain = good(&installation, &["export"]);
    assert!(plain.contains("ann@example.com") && !plain.contains("password_hash"), "{plain}");
    let whole = good(&installation, &["export", "--with-hashes"]);
    let line: Value = serde_json::from_str(whole.lines().next().unwrap()).unwrap();
    assert!(line["password_hash"].as_str().unwrap().starts_with("$argon2id$"));
    server.stop();

    let other = Installation::new(&[]);
    let server = other.start();
    let file = other.folder().join("users.ndjson");
    fs::write(&file, &whole).unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(good(&other, &["import", path, "--dry-run"]), "1\tcreated\n");
    assert_eq!(good(&other, &["list"]), "");
    assert!(good(&other, &["import", path]).starts_with("1\tcreated\tusr_"));
    assert_eq!(good(&other, &["import", path]), "1\texists\n");
    server.public.login("ann@example.com");
    // What is refused is a finding.
    fs::write(&file, "{\"email\":\"x\"}\n{\"email\":\"eve@example.com\"}\n").unwrap();
    let output = user(&other, &["import", path]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("1\trefused\tvalidation_failed: ") && said.contains("\n2\tcreated\tusr_"),
        "{said}"
    );
    fails(&other, &["import", "/absent/users.ndjson"], "cannot be opened");
}
