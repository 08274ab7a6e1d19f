//! T60: who is erased leaves no word behind, only their id.
//!
//! Seen to fail: without the removal of mail that waits, and without that of counted failures.

use bailiwick::{authn::AuthnError, storage::Db};
use serde_json::json;
use sqlx::{AssertSqlSafe, Column, Row, TypeInfo, ValueRef};

use crate::{
    api_keys,
    app::{Actor, PASSWORD, TestApp},
    both,
};

/// Words that stand nowhere but with the person.
const WORDS: [&str; 6] =
    ["zzerased", "Zoraidaname", "zorausername", "zorasdevice", "zorasagent", "198.51.100.77"];

/// Every place of the database that holds one of the words, or `id`.
async fn found(test: &TestApp, id: &str) -> (Vec<String>, Vec<String>) {
    let (mut words, mut ids) = (Vec::new(), Vec::new());
    for (place, value) in everything(test).await {
        let lower = value.to_lowercase();
        if WORDS.iter().any(|word| lower.contains(&word.to_lowercase())) {
            words.push(format!("{place}: {value}"));
        }
        if value.contains(id) {
            ids.push(place);
        }
    }
    ids.sort();
    ids.dedup();
    (words, ids)
}

/// Every value of every table, as text, with its place.
async fn everything(test: &TestApp) -> Vec<(String, String)> {
    let mut values = Vec::new();
    match &test.app.db {
        Db::Sqlite { read, .. } => {
            let tables: Vec<String> = sqlx::query_scalar(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 1) <> '_' AND name NOT LIKE 'sqlite%'",
            )
            .fetch_all(read)
            .await
            .unwrap();
            for table in tables {
                let rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table}")))
                    .fetch_all(read)
                    .await
                    .unwrap();
                for row in rows {
                    for column in row.columns() {
                        let raw = row.try_get_raw(column.ordinal()).unwrap();
                        let (kind, is_null) = (raw.type_info().name().to_owned(), raw.is_null());
                        let value = match &*kind {
                            _ if is_null => continue,
                            "TEXT" => row.get::<String, _>(column.ordinal()),
                            "BLOB" => {
                                String::from_utf8_lossy(&row.get::<Vec<u8>, _>(column.ordinal())).into_owned()
                            }
                            _ => continue,
                        };
                        values.push((format!("{table}.{}", column.name()), value));
                    }
                }
            }
        }
        Db::Postgres(pool) => {
            let columns: Vec<(String, String, String)> = sqlx::query_as(
                "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
                 WHERE table_schema = 'public' AND left(table_name, 1) <> '_' AND data_type IN ('text', 'bytea')",
            )
            .fetch_all(pool)
            .await
            .unwrap();
            for (table, column, kind) in columns {
                let shown =
                    if kind == "text" { column.clone() } else { format!("encode({column}, 'escape')") };
                let query = format!("SELECT {shown} FROM {table} WHERE {column} IS NOT NULL");
                let texts: Vec<String> =
                    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.unwrap();
                values.extend(texts.into_iter().map(|text| (format!("{table}.{column}"), text)));
            }
        }
    }
    values
}

/// Somebody who has left traces wherever one can.
async fn zora(test: &TestApp, root: &Actor) -> Actor {
    let body = json!({
        "email": "ZZerased@example.com", "password": PASSWORD, "username": "zorausername", "name": "Zoraidaname",
    });
    test.post_open("/v1/auth/register", body).await.expect(202);
    let sign_in = |device: &str| {
        let body = json!({"identifier": "zorausername", "password": PASSWORD, "device": {"name": device, "platform": "ios"}});
        let request = axum::http::Request::post("/v1/auth/login")
            .header("content-type", "application/json")
            .header("user-agent", "zorasagent/1.0");
        let request = crate::app::from_peer(
            request.body(axum::body::Body::from(body.to_string())).unwrap(),
            "198.51.100.77",
        );
        async move { Actor::from(crate::app::raw(&test.routers.public, request).await.expect(200)) }
    };
    let old = sign_in("zorasdevice one").await;
    test.refresh(&old.refresh).await.expect(200);
    let zora = sign_in("zorasdevice two").await;
    test.grant(root, &zora, "manager").await;
    api_keys::make(test, &zora, json!({"name": "zorausername's key"})).await;
    test.post("/v1/auth/mfa/totp", &zora.token, json!({})).await.expect(200);
    test.try_login("zzerased@example.com", "a wrong pass phrase here").await;
    test.post("/v1/users/me/email", &zora.token, json!({"email": "zzerased.new@example.com"}))
        .await
        .expect(202);
    test.post_open("/v1/auth/password/forgot", json!({"email": "zzerased@example.com"})).await.expect(202);
    let link = format!("/v1/admin/users/{}/reset-link", zora.id);
    test.post(&link, &root.token, json!({})).await.expect(200);
    test.app.sessions.write_usage().await.unwrap();
    zora
}

both! {
    async fn t60_who_is_erased_leaves_no_word_behind(backend: Backend) {
        let mailbox = crate::mailbox::Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        let root = test.administrator().await;
        for by_oneself in [true, false] {
            let zora = zora(&test, &root).await;
            let (words, _) = found(&test, &zora.id).await;
            assert!(words.len() > 10, "the traces to look for: {words:?}");
            let (path, token) = if by_oneself {
                ("/v1/users/me".to_owned(), &zora.token)
            } else {
                (format!("/v1/admin/users/{}", zora.id), &root.token)
            };
            test.delete(&path, token).await.expect(204);
            let (words, ids) = found(&test, &zora.id).await;
            assert_eq!(words, Vec::<String>::new(), "what is left");
            assert_eq!(ids, ["audit_log.actor", "audit_log.detail", "audit_log.subject", "outbox.data", "outbox.subject", "revocations.subject"]);
            test.whoami(&zora.token).await.expect_problem(401, "token_revoked");
            assert_eq!(test.refresh(&zora.refresh).await.status, 401);
            test.try_login("zzerased@example.com", PASSWORD).await.expect_problem(401, "invalid_credentials");
            test.delete(&path, &root.token).await;
            test.app.authn.send_due_mail().await.unwrap();
        }
        // The address is free again.
        let again = zora(&test, &root).await;
        test.whoami(&again.token).await.expect(200);
        test.delete(&format!("/v1/admin/users/{}", again.id), &root.token).await.expect(204);
        test.delete(&format!("/v1/admin/users/{}", again.id), &root.token).await.expect_problem(404, "not_found");
    }

    async fn t50_the_last_super_admin_does_not_leave(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        test.delete("/v1/users/me", &root.token).await.expect_problem(409, "conflict");
        test.send(axum::http::Method::POST, "/v1/users/me/deactivate", Some(&root.token), None).await.expect_problem(409, "conflict");
        test.delete(&format!("/v1/admin/users/{}", root.id), &root.token).await.expect_problem(409, "conflict");
        test.whoami(&root.token).await.expect(200);
        // Of two who leave at once, one stays.
        let second = test.user_with_role(&root, "super_admin").await;
        let (one, two) = tokio::join!(test.delete("/v1/users/me", &root.token), test.delete("/v1/users/me", &second.token));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
    }

    async fn a_key_of_who_is_erased_is_worth_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (ann, admin) = (test.user("ann").await, test.user_with_role(&root, "admin").await);
        let (_, key) = api_keys::make(&test, &ann, json!({"name": "k"})).await;
        assert_ne!(api_keys::ask(&test, &key).await.status, 401);
        let (other, routers) = test.second_node().await;
        let me = || crate::app::send(&routers.public, axum::http::Method::GET, "/v1/users/me", Some(&ann.token), None);
        me().await.expect(200);
        test.delete(&format!("/v1/admin/users/{}", root.id), &admin.token).await.expect_problem(403, "insufficient_permissions");
        test.delete(&format!("/v1/admin/users/{}", ann.id), &admin.token).await.expect(204);
        assert_eq!(api_keys::ask(&test, &key).await.status, 401);
        other.sessions.pull().await.unwrap();
        me().await.expect_problem(401, "token_revoked");
        let gone = test.app.authn.delete_user(bailiwick::base::TenantId::DEFAULT, ann.id.parse().unwrap(), bailiwick::audit::Actor::named("test")).await;
        assert!(matches!(gone, Err(AuthnError::UserGone)), "{gone:?}");
    }
}
