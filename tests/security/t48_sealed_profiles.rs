//! T48: profiles in a stolen database, and in one that somebody writes to who has no key.
//!
//! Seen to fail: with places without the user or the column, and with metadata that is not sealed.

use axum::http::Method;
use bailiwick::storage::Run;
use serde_json::json;

use crate::{
    app::{Actor, TestApp, send},
    both,
    security::t48_stolen_database::{absent, dump},
};

async fn patch(test: &TestApp, by: &Actor, body: serde_json::Value) -> serde_json::Value {
    let path = format!("/v1/users/{}/profile", by.id);
    test.send(Method::PATCH, &path, Some(&by.token), Some(body)).await.expect(200)
}

async fn read(test: &TestApp, by: &Actor) -> crate::app::Reply {
    test.get(&format!("/v1/users/{}/profile", by.id), &by.token).await
}

/// What the alarm counts.
async fn refused(test: &TestApp) -> u64 {
    let page = send(&test.routers.admin, Method::GET, "/metrics", None, None).await.text;
    let line = page.lines().find_map(|line| line.strip_prefix("bailiwick_seals_refused_total "));
    line.unwrap().parse().unwrap()
}

async fn columns(test: &TestApp, user: &Actor) -> (Vec<u8>, Vec<u8>) {
    let row = test.app.db.sql("SELECT claims_sealed, metadata_sealed FROM profiles WHERE user_id = $1");
    row.bind(&*user.id).one().await.unwrap()
}

async fn write(test: &TestApp, user: &Actor, (claims, metadata): (&[u8], &[u8])) {
    let mut tx = test.app.db.begin_write().await.unwrap();
    let update = tx.sql("UPDATE profiles SET claims_sealed = $2, metadata_sealed = $3 WHERE user_id = $1");
    assert_eq!(update.bind(&*user.id).bind(claims).bind(metadata).run().await.unwrap(), 1);
    tx.commit().await.unwrap();
}

both! {
    async fn t48_a_dump_has_nothing_of_a_profile(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        patch(&test, &ann, json!({
            "given_name": "Wilhelmina", "phone_number": "+14155550199", "address": {"locality": "Llanfairpwll"},
            "metadata": {"badge": "zq-4711-badge"},
        })).await;
        let dump = dump(&test).await;
        assert!(String::from_utf8_lossy(&dump).contains(&ann.id), "this is the dump");
        for secret in ["Wilhelmina", "+14155550199", "14155550199", "Llanfairpwll", "zq-4711-badge"] {
            absent(&dump, secret, secret.as_bytes());
        }
    }

    async fn t48_exchanged_profiles_are_refused_with_an_alarm(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        for (who, name) in [(&ann, "Wilhelmina"), (&bob, "Bartholomew")] {
            patch(&test, who, json!({"given_name": name, "metadata": {"given_name": name}})).await;
        }
        let (of_ann, of_bob) = (columns(&test, &ann).await, columns(&test, &bob).await);
        assert_eq!(refused(&test).await, 0);

        // Two rows.
        write(&test, &ann, (&of_bob.0, &of_bob.1)).await;
        write(&test, &bob, (&of_ann.0, &of_ann.1)).await;
        for who in [&ann, &bob] {
            let reply = read(&test, who).await;
            assert!(!reply.text.contains("Wilhelmina") && !reply.text.contains("Bartholomew"), "{}", reply.text);
            reply.expect_problem(500, "internal_error");
            let path = format!("/v1/users/{}/profile", who.id);
            let change = Some(json!({"nickname": "x"}));
            let refused = test.send(Method::PATCH, &path, Some(&who.token), change).await;
            refused.expect_problem(500, "internal_error");
        }
        assert_eq!(refused(&test).await, 4);

        // Two columns of one row, and altered bytes.
        write(&test, &ann, (&of_ann.1, &of_ann.0)).await;
        read(&test, &ann).await.expect_problem(500, "internal_error");
        let mut altered = of_ann.0.clone();
        *altered.last_mut().unwrap() ^= 1;
        write(&test, &ann, (&altered, &of_ann.1)).await;
        read(&test, &ann).await.expect_problem(500, "internal_error");
        assert_eq!(refused(&test).await, 6);

        write(&test, &ann, (&of_ann.0, &of_ann.1)).await;
        assert_eq!(read(&test, &ann).await.expect(200)["given_name"], "Wilhelmina");
    }
}
