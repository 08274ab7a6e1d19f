//! Clients that others wrote: a library of OAuth 2.0 and one of JWT, from their package index, against the server.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{server::Installation, support::skip, turn::Turn};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/system/oauth_client.py");
const PACKAGES: [&str; 4] = ["authlib", "requests", "pyjwt", "cryptography"];

/// A Python with the libraries, made once; what keeps us from it otherwise.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oauth-client");
    let python = folder.join("bin/python");
    let run = |program: &Path, arguments: &[&str]| -> Result<Output, String> {
        let output = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(output)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    };
    if run(&python, &["-c", "import authlib, requests, jwt, cryptography"]).is_err() {
        let place = folder.to_str().ok_or("a folder that is no text")?;
        run(Path::new("python3"), &["-m", "venv", place])?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(&python, &[&install[..], &PACKAGES[..]].concat())?;
    }
    Ok(python)
}

#[test]
fn libraries_of_others_work_with_it() {
    let _turn = Turn::shared();
    let python = match python() {
        Ok(python) => python,
        Err(why) => return skip(&format!("there is no Python with {}: {why}", PACKAGES.join(", "))),
    };
    for algorithm in ["EdDSA", "ES256"] {
        let mut installation = Installation::new(&[("tokens.signing_alg", algorithm)]);
        installation.unset("tokens.issuer"); // so that it is the server's own address
        let server = installation.start();
        let root = server.administrator();
        let arguments = [SCRIPT, &server.public.url, algorithm, &root.token];
        let output = Command::new(&python).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), "good", "{algorithm}: {}", String::from_utf8_lossy(&output.stderr));
        server.stop();
    }
}

#[test]
fn clients_are_made_on_the_host() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[]);
    let server = installation.start();
    let run = |words: &[&str]| {
        let output = installation.command(crate::server::PROGRAM).arg("client").args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let made = run(&[
        "create",
        "--name",
        "Gateway",
        "--scope",
        "decisions",
        "--audience",
        "https://photos.example.com",
    ]);
    let (id, secret) = made.trim_end().split_once('\n').unwrap();
    assert!(run(&["list"]).contains(&format!("{id}  active    Gateway")));
    let token = |secret: &str| {
        let body = "grant_type=client_credentials";
        server.public.form("/v1/oauth/token", (id, secret), body)
    };
    token(secret).expect(200);
    let rotated = run(&["rotate-secret", id, "--keep-secs", "0"]);
    assert_eq!(token(secret).status, 401);
    token(rotated.trim_end().split_once('\n').unwrap().1).expect(200);
    run(&["delete", id]);
    assert_eq!(token(secret).status, 401);
    assert_eq!(run(&["list"]), "");
}
