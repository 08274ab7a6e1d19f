//! Tag `auth`: the rules for passwords, and changing one.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp},
    both,
};

const NEW: &str = "another long pass phrase";

async fn change(test: &TestApp, token: &str, body: Value) -> Reply {
    test.send(Method::PUT, "/v1/auth/password", Some(token), Some(body)).await
}

fn to_new() -> Value {
    json!({"current_password": PASSWORD, "new_password": NEW})
}

async fn assert_dead(test: &TestApp, actor: &Actor) {
    let reply = test.whoami(&actor.token).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.body["code"]),
        (401, &json!("token_revoked")),
        "{}",
        reply.text
    );
    assert_eq!(test.refresh(&actor.refresh).await.status, 401, "a refresh token of the old epoch works");
}

both! {
    async fn passwords_follow_the_rules(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let (long, wide) = ("x1".repeat(65), "\u{1f980}a".repeat(64) + "\u{1f980}a");
        for weak in ["", "fourteen chars", "aaaaaaaaaaaaaaaaaaaa", "with a control \u{1} character", &long, &wide, "bob-the-builder@example.com"] {
            let sign_up = json!({"email": "bob-the-builder@example.com", "password": weak});
            let reply = test.post_open("/v1/auth/register", sign_up).await;
            assert_eq!(reply.pointers(), ["/password"], "{weak}: {}", reply.text);
            reply.expect_problem(422, "password_too_weak");
            if weak.contains('@') {
                continue;
            }
            let body = json!({"current_password": PASSWORD, "new_password": weak});
            let reply = change(&test, &ann.token, body).await;
            assert_eq!(reply.pointers(), ["/new_password"], "{weak}: {}", reply.text);
            assert!(weak.is_empty() || !reply.text.contains(weak), "the password is repeated in the answer");
            reply.expect_problem(422, "password_too_weak");
        }
        test.whoami(&ann.token).await.expect(200);
        // Only U+0000 itself is refused, not a text that looks like its escape.
        let backslash = json!({"email": "backslash@example.com", "password": "a literal \\u0000 in there"});
        test.post_open("/v1/auth/register", backslash).await.expect(202);
        test.login("backslash@example.com", "a literal \\u0000 in there").await;
        // Any character goes, and composition or the kind of space makes no other password.
        let odd = "pa\u{df} w\u{f6}rter \u{1f980} \u{4e2d}\u{6587} are fine";
        test.post_open("/v1/auth/register", json!({"email": "odd@example.com", "password": odd})).await.expect(202);
        for spelling in [odd.to_owned(), odd.replace('\u{f6}', "o\u{308}"), odd.replace(' ', "\u{a0}")] {
            test.login("odd@example.com", &spelling).await;
        }
        test.try_login("odd@example.com", &odd.to_uppercase()).await.expect_problem(401, "invalid_credentials");
    }

    async fn a_change_ends_every_session(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let other = test.login("ann@example.com", PASSWORD).await;
        let bob = test.user("bob").await;
        change(&test, &ann.token, to_new()).await.expect(204);
        assert_dead(&test, &ann).await;
        assert_dead(&test, &other).await;
        test.whoami(&bob.token).await.expect(200);
        test.try_login("ann@example.com", PASSWORD).await.expect_problem(401, "invalid_credentials");
        let back = test.login("ann@example.com", NEW).await;
        assert_eq!(crate::forge::parts(&back.token).1["ep"], 1);
    }

    async fn a_change_can_leave_the_caller_signed_in(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for (name, extra) in [("ann", json!({"keep_current": true})), ("bob", json!({"revoke": "others"}))] {
            let user = test.user(name).await;
            let other = test.login(&format!("{name}@example.com"), PASSWORD).await;
            let mut body = to_new();
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let fresh = Actor::from(change(&test, &user.token, body).await.expect(200));
            assert_dead(&test, &user).await;
            assert_dead(&test, &other).await;
            assert_ne!(fresh.session, user.session, "a privilege change makes a new session (threat T16)");
            test.whoami(&fresh.token).await.expect(200);
            test.refresh(&fresh.refresh).await.expect(200);
        }
    }

    async fn a_change_needs_the_current_password(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        for wrong in ["", "not the password at all", NEW] {
            let body = json!({"current_password": wrong, "new_password": NEW});
            change(&test, &ann.token, body).await.expect_problem(401, "invalid_credentials");
        }
        test.whoami(&ann.token).await.expect(200);
        test.login("ann@example.com", PASSWORD).await;
    }

    async fn another_node_learns_of_a_change(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let (other, routers) = test.second_node().await;
        let me = || crate::app::send(&routers.public, Method::GET, "/v1/users/me", Some(&ann.token), None);
        me().await.expect(200);
        change(&test, &ann.token, to_new()).await.expect(204);
        other.sessions.pull().await.unwrap();
        me().await.expect_problem(401, "token_revoked");
    }

    async fn no_session_of_the_old_epoch_survives_a_race(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for round in 0..4 {
            let name = format!("racer-{round}");
            let ann = test.user(&name).await;
            let email = format!("{name}@example.com");
            let logins = futures_util::future::join_all((0..16).map(|_| test.try_login(&email, PASSWORD)));
            let refreshes = futures_util::future::join_all((0..4).map(|_| test.refresh(&ann.refresh)));
            let (logins, refreshes, changed) =
                tokio::join!(logins, refreshes, change(&test, &ann.token, to_new()));
            changed.expect(204);
            for reply in logins.into_iter().chain(refreshes) {
                match reply.status.as_u16() {
                    200 => assert_dead(&test, &Actor::from(reply.body)).await,
                    401 => {}
                    other => panic!("{other}: {}", reply.text),
                }
            }
            assert_dead(&test, &ann).await;
            test.login(&email, NEW).await;
        }
    }

    async fn two_changes_at_once_have_one_winner(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let bodies = (0..8).map(|n| json!({"current_password": PASSWORD, "new_password": format!("{NEW} {n}")}));
        let replies = futures_util::future::join_all(bodies.map(|body| change(&test, &ann.token, body))).await;
        let won: Vec<usize> = (0..8).filter(|n| replies[*n].status == 204).collect();
        assert_eq!(won.len(), 1, "{:?}", replies.iter().map(|reply| &reply.text).collect::<Vec<_>>());
        assert!(replies.iter().all(|reply| matches!(reply.status.as_u16(), 204 | 401)));
        test.login("ann@example.com", &format!("{NEW} {}", won[0])).await;
    }
}
