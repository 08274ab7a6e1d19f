//! Tag `auth`: sign-up, sign-in and sign-out. Refresh and passwords have files of their own.

use std::time::Duration;

use axum::http::Method;
use bailiwick::{base::Clock, storage::Run, users::UserStatus};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, START, TestApp},
    both,
};

/// The body without what differs between any two answers.
fn without_ids(reply: &Reply) -> Value {
    let mut body = reply.body.clone();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

/// Puts a table where the server does not find it.
async fn rename(test: &TestApp, table: &str, to: &str) {
    let mut tx = test.app.db.begin_write().await.unwrap();
    tx.sql(format!("ALTER TABLE {table} RENAME TO {to}").leak()).run().await.unwrap();
    tx.commit().await.unwrap();
}

fn register(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD})
}

both! {
    async fn sign_up_does_not_say_who_has_an_account(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let new = test.post_open("/v1/auth/register", register("ann@example.com")).await;
        for known in ["ann@example.com", "ANN@Example.com", "ann@\u{ff45}xample.com"] {
            let again = test.post_open("/v1/auth/register", register(known)).await;
            assert_eq!((again.status, &again.text), (new.status, &new.text));
            let names = |reply: &Reply| reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(names(&again), names(&new));
            assert!(!again.headers.contains_key("location"));
        }
        assert_eq!(new.expect(202), json!({"status": "accepted"}));
        let other = json!({"email": "ann@example.com", "password": "quite another pass phrase"});
        test.post_open("/v1/auth/register", other).await.expect(202);
        test.login("ann@example.com", PASSWORD).await;
        test.try_login("ann@example.com", "quite another pass phrase").await.expect_problem(401, "invalid_credentials");
    }

    async fn sign_up_says_it_where_the_configuration_lets_it(backend: Backend) {
        let reveal = |config: &mut bailiwick::config::Config| config.registration.reveal_duplicates = true;
        let Some(test) = TestApp::spawn_with(backend, reveal).await else { return };
        let body = json!({"email": "Ann@Example.com", "password": PASSWORD, "username": "ann", "name": "Ann"});
        let made = test.post_open("/v1/auth/register", body).await;
        let location = made.header("location").to_owned();
        let user = made.expect(201);
        assert_eq!(location, format!("/v1/users/{}", user["id"].as_str().unwrap()));
        assert_eq!((&user["email"], &user["username"], &user["name"]), (&json!("Ann@Example.com"), &json!("ann"), &json!("Ann")));
        assert_eq!((&user["status"], &user["email_verified"]), (&json!("active"), &json!(false)));
        assert_eq!(user["created_at"], START.to_string());
        test.post_open("/v1/auth/register", register("ann@example.com")).await.expect_problem(409, "email_taken");
        let name = json!({"email": "other@example.com", "password": PASSWORD, "username": "ANN"});
        test.post_open("/v1/auth/register", name).await.expect_problem(409, "email_taken");
        assert_eq!(test.login("ann", PASSWORD).await.id, user["id"].as_str().unwrap());
        assert_eq!(test.login("ANN", PASSWORD).await.id, user["id"].as_str().unwrap());
    }

    /// R18: whom a failure keeps from being told of is not there either, and may try again.
    async fn sign_up_leaves_nothing_half_made(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for part in ["outbox", "role_bindings"] {
            rename(&test, part, "elsewhere").await;
            test.post_open("/v1/auth/register", register("ann@example.com")).await.expect_problem(503, "store_unavailable");
            rename(&test, "elsewhere", part).await;
            let users: i64 = test.app.db.sql("SELECT CAST(COUNT(*) AS BIGINT) FROM users").scalar().await.unwrap();
            assert_eq!(users, 0, "without {part}");
        }
        test.post_open("/v1/auth/register", register("ann@example.com")).await.expect(202);
        test.login("ann@example.com", PASSWORD).await;
    }

    async fn sign_up_can_be_closed(backend: Backend) {
        let close = |config: &mut bailiwick::config::Config| config.registration.enabled = false;
        let Some(test) = TestApp::spawn_with(backend, close).await else { return };
        test.post_open("/v1/auth/register", register("ann@example.com")).await.expect_problem(403, "registration_closed");
    }

    async fn sign_up_refuses_what_is_no_address_or_name(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for (field, value) in [
            ("email", "not an address"),
            ("email", "a\u{1}@example.com"),
            ("email", ""),
            ("username", "ab"),
            ("username", "\u{430}dmin"),
            ("username", "a@b"),
            ("name", ""),
            ("name", "a\u{1}b"),
            ("name", "line\nbreak"),
        ] {
            let mut body = register("ann@example.com");
            body[field] = json!(value);
            let reply = test.post_open("/v1/auth/register", body).await;
            assert_eq!(reply.pointers(), [format!("/{field}")], "{value:?}: {}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
        for column in ["roles", "tenant_id", "status", "email_verified", "id", "token_epoch", "created_at_ms", "phc"] {
            let mut body = register("ann@example.com");
            body[column] = json!("active");
            let reply = test.post_open("/v1/auth/register", body).await;
            assert_eq!(reply.pointers(), [format!("/{column}")]);
            reply.expect_problem(422, "validation_failed");
        }
        test.try_login("ann@example.com", PASSWORD).await.expect_problem(401, "invalid_credentials");
    }

    async fn there_is_one_failure_to_sign_in(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let locked = test.user("locked").await;
        let disabled = test.user("disabled").await;
        test.set_status(&locked, UserStatus::Locked).await;
        test.set_status(&disabled, UserStatus::Disabled).await;
        let first = test.try_login("ann@example.com", "a wrong pass phrase").await;
        let long = "x".repeat(600);
        for (identifier, password) in [
            ("nobody@example.com", PASSWORD),
            ("nobody", PASSWORD),
            ("", PASSWORD),
            ("\u{1}", PASSWORD),
            ("ann@example.com", ""),
            ("ann@example.com", &long),
            ("ann@example.com", &PASSWORD.to_uppercase()),
            (&*ann.id, PASSWORD),
            ("locked@example.com", "a wrong pass phrase"),
            ("disabled@example.com", "a wrong pass phrase"),
        ] {
            let reply = test.try_login(identifier, password).await;
            assert_eq!(without_ids(&reply), without_ids(&first), "{identifier:?}");
            reply.expect_problem(401, "invalid_credentials");
        }
        assert!(!first.headers.contains_key("www-authenticate"));
        test.try_login("locked@example.com", PASSWORD).await.expect_problem(403, "account_locked");
        test.try_login("disabled@example.com", PASSWORD).await.expect_problem(403, "account_disabled");
        test.try_login(" ANN@example.com", PASSWORD).await.expect_problem(401, "invalid_credentials");
        test.set_status(&locked, UserStatus::Active).await;
        test.login("locked@example.com", PASSWORD).await;
    }

    async fn an_access_token_says_who_and_for_how_long(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let signed_in = test.try_login("ann@example.com", PASSWORD).await;
        assert_eq!(signed_in.header("cache-control"), "no-store");
        let tokens = signed_in.expect(200);
        assert_eq!((&tokens["token_type"], &tokens["expires_in"], &tokens["token_version"]), (&json!("Bearer"), &json!(900), &json!(1)));
        let (header, claims) = crate::forge::parts(tokens["access_token"].as_str().unwrap());
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
        assert!(header["kid"].is_string());
        assert_eq!(claims, tokens["claims"], "the claims beside the token are those in it");
        let now = START.as_secs();
        for (claim, value) in [
            ("iss", json!("http://127.0.0.1:8080")),
            ("aud", json!("http://127.0.0.1:8080")),
            ("sub", json!(ann.id)),
            ("sid", tokens["session_id"].clone()),
            ("did", tokens["device_id"].clone()),
            ("tid", json!("ten_00000000000070008000000000000001")),
            ("iat", json!(now)),
            ("nbf", json!(now)),
            ("exp", json!(now + 900)),
            ("auth_time", json!(now)),
            ("amr", json!(["pwd"])),
            ("acr", json!("aal1")),
            ("ver", json!(1)),
            ("ep", json!(0)),
            ("roles", json!(["user"])),
        ] {
            assert_eq!(claims[claim], value, "{claim}");
        }
        let other = test.login("ann@example.com", PASSWORD).await;
        assert_ne!(crate::forge::parts(&other.token).1["jti"], claims["jti"]);
        assert_ne!(other.session, tokens["session_id"].as_str().unwrap(), "each sign-in is a session of its own");
    }

    async fn an_access_token_expires_after_the_leeway(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        test.advance(Duration::from_secs(905));
        test.whoami(&ann.token).await.expect(200);
        test.advance(Duration::from_millis(1));
        test.whoami(&ann.token).await.expect_problem(401, "token_expired");
        test.clock.set(bailiwick::base::Millis(test.clock.now().0 - 6_000));
        test.whoami(&ann.token).await.expect(200);
    }

    async fn a_session_id_is_never_taken_from_outside(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        for (field, value) in [("session_id", json!(ann.session)), ("sid", json!(ann.session))] {
            let mut body = json!({"identifier": "ann@example.com", "password": PASSWORD});
            body[field] = value;
            test.post_open("/v1/auth/login", body).await.expect_problem(422, "validation_failed");
        }
        let device = json!({"id": "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "name": "phone", "platform": "ios"});
        let body = json!({"identifier": "ann@example.com", "password": PASSWORD, "device": device});
        let refused = test.post_open("/v1/auth/login", body).await;
        assert_eq!(refused.pointers(), ["/device/id"]);
        refused.expect_problem(422, "validation_failed");
    }

    async fn signing_out_ends_the_session(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let here = test.user("ann").await;
        let there = test.login("ann@example.com", PASSWORD).await;
        for _ in 0..3 {
            assert_eq!(test.post("/v1/auth/logout", &here.token, json!({})).await.expect(204), Value::Null);
        }
        test.whoami(&here.token).await.expect_problem(401, "token_revoked");
        let refused = test.refresh(&here.refresh).await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        test.whoami(&there.token).await.expect(200);
        test.refresh(&there.refresh).await.expect(200);
    }

    async fn signing_out_works_by_refresh_token_when_the_access_token_has_expired(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        test.advance(Duration::from_secs(1_000));
        let body = json!({"refresh_token": ann.refresh});
        for _ in 0..2 {
            test.post("/v1/auth/logout", &ann.token, body.clone()).await.expect(204);
        }
        assert_eq!(test.refresh(&ann.refresh).await.status, 401);

        let bob = test.user("bob").await;
        test.post_open("/v1/auth/logout", json!({"refresh_token": bob.refresh})).await.expect(204);
        test.whoami(&bob.token).await.expect_problem(401, "token_revoked");
    }

    async fn signing_out_everywhere_ends_every_session(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let mut sessions = vec![test.user("ann").await];
        for _ in 0..3 {
            sessions.push(test.login("ann@example.com", PASSWORD).await);
        }
        let bob = test.user("bob").await;
        test.post("/v1/auth/logout", &sessions[1].token, json!({"all": true})).await.expect(204);
        for Actor { token, refresh, .. } in &sessions {
            test.whoami(token).await.expect_problem(401, "token_revoked");
            assert_eq!(test.refresh(refresh).await.status, 401);
        }
        test.whoami(&bob.token).await.expect(200);
        test.login("ann@example.com", PASSWORD).await;
    }

    async fn signing_out_without_credentials_changes_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let forged = format!("{}x", ann.refresh);
        for body in [json!({}), json!({"all": true}), json!({"refresh_token": forged, "all": true})] {
            let reply = test.send(Method::POST, "/v1/auth/logout", None, Some(body)).await;
            assert!(matches!(reply.status.as_u16(), 204 | 401), "{}", reply.text);
        }
        test.whoami(&ann.token).await.expect(200);
        test.refresh(&ann.refresh).await.expect(200);
    }

    async fn a_token_stands_in_a_header_where_the_configuration_says_so(backend: Backend) {
        let expose = |config: &mut bailiwick::config::Config| config.tokens.expose_header = true;
        for (shown, test) in [(false, TestApp::spawn(backend).await), (true, TestApp::spawn_with(backend, expose).await)] {
            let Some(test) = test else { return };
            test.user("ann").await;
            let reply = test.try_login("ann@example.com", PASSWORD).await;
            let header = reply.header("x-access-token").to_owned();
            let token = reply.expect(200)["access_token"].as_str().unwrap().to_owned();
            assert_eq!(header, if shown { token } else { String::new() });
        }
    }

    /// R13: who signs up is signed in at once, where the configuration says so.
    async fn sign_up_signs_in_where_the_configuration_says_so(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| {
            (config.registration.reveal_duplicates, config.registration.auto_login) = (true, true);
        }).await else { return };
        let form = json!({"email": "ann@example.com", "password": PASSWORD, "device": {"name": "Ann's phone", "platform": "ios"}});
        let reply = test.post_open("/v1/auth/register", form.clone()).await;
        let location = reply.header("location").to_owned();
        let signed_in = reply.expect(201);
        let ann = Actor::from(signed_in.clone());
        assert_eq!(location, format!("/v1/users/{}", ann.id));
        let me = test.whoami(&ann.token).await.expect(200);
        assert_eq!((&me["email"], &me["roles"]), (&json!("ann@example.com"), &json!(["user"])));
        // On a device of its own, which is known again.
        let sessions = test.get("/v1/sessions", &ann.token).await.expect(200);
        let session = &sessions["data"][0];
        assert_eq!((&session["device_name"], &session["device_id"]), (&json!("Ann's phone"), &signed_in["device_id"]));
        let again = json!({"identifier": "ann@example.com", "password": PASSWORD, "device": {"token": signed_in["device_token"]}});
        assert_eq!(test.post_open("/v1/auth/login", again).await.expect(200)["device_id"], signed_in["device_id"]);
        test.refresh(&ann.refresh).await.expect(200);
        test.post_open("/v1/auth/register", form).await.expect_problem(409, "email_taken");
        // In cookies for a browser.
        let form = json!({"email": "bob@example.com", "password": PASSWORD});
        let request = axum::http::Request::post("/v1/auth/register?mode=cookie")
            .header("content-type", "application/json")
            .header("sec-fetch-site", "same-origin")
            .body(axum::body::Body::from(form.to_string()));
        let reply = crate::app::raw(&test.routers.public, request.unwrap()).await;
        assert!(reply.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().starts_with("__Host-at=")));
        assert_eq!(reply.expect(201)["access_token"], serde_json::Value::Null);
    }
}
