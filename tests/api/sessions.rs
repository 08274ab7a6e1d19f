//! Tag `sessions`: where the caller is signed in.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, TestApp, from_peer, raw, send},
    both,
};

async fn list(test: &TestApp, actor: &Actor) -> Vec<Value> {
    test.get("/v1/sessions", &actor.token).await.expect(200)["data"].as_array().unwrap().clone()
}

async fn revoke(test: &TestApp, actor: &Actor, session: &str) -> crate::app::Reply {
    test.delete(&format!("/v1/sessions/{session}"), &actor.token).await
}

both! {
    async fn the_list_shows_where_one_is_signed_in(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let first = test.user("ann").await;
        test.user("bob").await;
        test.advance(Duration::from_mins(1));
        let device = json!({"name": "Ann's\u{1} phone", "platform": "ios"});
        let login = json!({"identifier": "ann@example.com", "password": PASSWORD, "device": device});
        let request = Request::post("/v1/auth/login")
            .header("content-type", "application/json")
            .header("user-agent", "test/1.0")
            .header("x-forwarded-for", "198.51.100.1");
        let request = from_peer(request.body(Body::from(login.to_string())).unwrap(), "203.0.113.9");
        let second = Actor::from(raw(&test.routers.public, request).await.expect(200));

        let listed = list(&test, &second).await;
        assert_eq!(listed.len(), 2, "one's own only");
        assert_eq!((&listed[0]["id"], &listed[0]["current"]), (&json!(second.session), &json!(true)));
        assert_eq!((&listed[1]["id"], &listed[1]["current"]), (&json!(first.session), &json!(false)));
        let newest = &listed[0];
        assert_eq!((&newest["device_name"], &newest["device_platform"]), (&json!("Ann's phone"), &json!("ios")));
        assert_eq!((&newest["user_agent"], &newest["ip"]), (&json!("test/1.0"), &json!("203.0.113.9")), "a stranger's word for its address is not believed");
        assert_eq!(newest["created_at"], "2026-11-23T10:01:00.000Z");
        assert_eq!(newest["expires_at"], "2026-11-30T10:01:00.000Z");
        let seen_by_first = list(&test, &first).await;
        assert_eq!(seen_by_first[1]["current"], true);

        test.advance(Duration::from_mins(1));
        test.refresh(&second.refresh).await.expect(200);
        assert_eq!(list(&test, &second).await[0]["last_seen_at"], "2026-11-23T10:02:00.000Z");
    }

    async fn a_session_that_is_over_is_not_listed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let old = test.user("ann").await;
        test.advance(Duration::from_hours(168));
        let new = test.login("ann@example.com", PASSWORD).await;
        let listed = list(&test, &new).await;
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_ne!(listed[0]["id"], json!(old.session));
    }

    async fn ending_one_session_ends_its_tokens_at_once(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let here = test.user("ann").await;
        let there = test.login("ann@example.com", PASSWORD).await;
        revoke(&test, &here, &there.session).await.expect(204);
        let refused = test.whoami(&there.token).await;
        assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        refused.expect_problem(401, "token_revoked");
        assert_eq!(test.refresh(&there.refresh).await.status, 401);
        test.whoami(&here.token).await.expect(200);
        assert_eq!(list(&test, &here).await.len(), 1);
        revoke(&test, &here, &here.session).await.expect(204);
        test.whoami(&here.token).await.expect_problem(401, "token_revoked");
    }

    async fn a_revocation_outlives_a_clock_that_jumps_back(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let here = test.user("ann").await;
        test.advance(Duration::from_hours(1));
        let there = test.login("ann@example.com", PASSWORD).await;
        let other = test.login("ann@example.com", PASSWORD).await;
        revoke(&test, &other, &there.session).await.expect(204);
        test.clock.set(crate::app::START);
        assert_eq!(test.whoami(&there.token).await.status, 401);
        assert_eq!(test.refresh(&there.refresh).await.status, 401);
        test.whoami(&here.token).await.expect(200);
    }

    async fn a_strangers_session_is_as_absent_as_none(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let bob = test.user("bob").await;
        let body = |reply: crate::app::Reply| {
            let mut body = reply.expect_problem(404, "not_found");
            for own in ["request_id", "instance"] {
                body.as_object_mut().unwrap().remove(own);
            }
            body
        };
        let absent = body(revoke(&test, &ann, "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47").await);
        assert_eq!(body(revoke(&test, &ann, &bob.session).await), absent);
        assert_eq!(body(revoke(&test, &ann, "no-id-at-all").await), absent);
        assert_eq!(body(revoke(&test, &ann, &ann.id).await), absent, "an id of another kind");
        test.whoami(&bob.token).await.expect(200);
        let again = test.login("ann@example.com", PASSWORD).await;
        revoke(&test, &ann, &again.session).await.expect(204);
        assert_eq!(body(revoke(&test, &ann, &again.session).await), absent, "a session that ended before");
    }

    async fn all_others_can_be_ended(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let here = test.user("ann").await;
        let bob = test.user("bob").await;
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(test.login("ann@example.com", PASSWORD).await);
        }
        let end = || test.send(Method::POST, "/v1/sessions/revoke-others", Some(&here.token), None);
        assert_eq!(end().await.expect(200), json!({"revoked": 3}));
        for other in &others {
            test.whoami(&other.token).await.expect_problem(401, "token_revoked");
            assert_eq!(test.refresh(&other.refresh).await.status, 401);
        }
        assert_eq!(end().await.expect(200), json!({"revoked": 0}));
        test.whoami(&here.token).await.expect(200);
        test.whoami(&bob.token).await.expect(200);
    }

    async fn another_node_refuses_what_was_ended_here(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let here = test.user("ann").await;
        let there = test.login("ann@example.com", PASSWORD).await;
        let (other, routers) = test.second_node().await;
        let me = || send(&routers.public, Method::GET, "/v1/users/me", Some(&there.token), None);
        me().await.expect(200);
        revoke(&test, &here, &there.session).await.expect(204);
        // What the bus would say; without it, the next poll finds the same.
        other.sessions.hear(&format!("session:{}", there.session));
        me().await.expect_problem(401, "token_revoked");
        // A forged message ends nothing: it only makes the node look.
        other.sessions.hear(&format!("session:{}", here.session));
        send(&routers.public, Method::GET, "/v1/users/me", Some(&here.token), None).await.expect(200);
    }

    async fn administrators_see_and_end_the_sessions_of_others(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (admin, boss) = (test.user_with_role(&root, "admin").await, test.user_with_role(&root, "admin").await);
        let (manager, ann) = (test.user_with_role(&root, "manager").await, test.user("ann").await);
        let again = test.login("ann@example.com", PASSWORD).await;
        let of = |user: &Actor| format!("/v1/admin/sessions?user_id={}", user.id);
        let one = |session: &str| format!("/v1/admin/sessions/{session}");

        let listed = test.get(&of(&ann), &admin.token).await.expect(200);
        let ids: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|session| &session["id"]).collect();
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&&json!(ann.session)) && ids.contains(&&json!(again.session)));
        assert!(listed["data"].as_array().unwrap().iter().all(|session| session["current"] == false));
        let own = test.get(&of(&root), &root.token).await.expect(200);
        assert_eq!((&own["data"][0]["id"], &own["data"][0]["current"]), (&json!(root.session), &json!(true)));

        test.delete(&one(&again.session), &admin.token).await.expect(204);
        test.whoami(&again.token).await.expect_problem(401, "token_revoked");
        test.whoami(&ann.token).await.expect(200);
        test.delete(&one(&again.session), &admin.token).await.expect_problem(404, "not_found");

        // Not by who may not, and not of an administrator by another.
        for by in [&manager, &ann] {
            test.get(&of(&ann), &by.token).await.expect_problem(403, "insufficient_permissions");
            test.delete(&one(&ann.session), &by.token).await.expect_problem(403, "insufficient_permissions");
        }
        test.get(&of(&boss), &admin.token).await.expect_problem(403, "insufficient_permissions");
        test.delete(&one(&boss.session), &admin.token).await.expect_problem(403, "insufficient_permissions");
        test.whoami(&boss.token).await.expect(200);
        for wrong in ["", "?user_id=", "?user_id=x", "?user_id=usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47&x=1"] {
            let reply = test.get(&format!("/v1/admin/sessions{wrong}"), &root.token).await;
            reply.expect_problem(422, "validation_failed");
        }
        let absent = "?user_id=usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47";
        test.get(&format!("/v1/admin/sessions{absent}"), &root.token).await.expect_problem(404, "not_found");
    }
}
