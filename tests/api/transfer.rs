//! Tag `accounts`: users taken over from elsewhere, and given away.

use axum::{body::Body, http::Request};
use bailiwick::base::TenantId;
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp, raw},
    both,
    security::t09_enumeration::FOREIGN,
};

async fn import(test: &TestApp, by: &Actor, query: &str, lines: impl Into<Body>) -> Reply {
    let request = Request::post(format!("/v1/admin/users/import{query}"))
        .header("authorization", format!("Bearer {}", by.token))
        .header("content-type", "application/x-ndjson");
    raw(&test.routers.public, request.body(lines.into()).unwrap()).await
}

fn lines(users: &[Value]) -> String {
    users.iter().fold(String::new(), |lines, user| lines + &user.to_string() + "\n")
}

fn results(answer: &Value) -> Vec<&str> {
    let lines = answer["lines"].as_array().unwrap();
    lines.iter().filter_map(|line| line["code"].as_str().or(line["result"].as_str())).collect()
}

async fn exported(test: &TestApp, by: &Actor) -> Vec<Value> {
    let reply = test.get("/v1/admin/users/export", &by.token).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/x-ndjson"));
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

both! {
    async fn an_import_takes_each_line_whole_or_not_at_all(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, bob) = (test.administrator().await, test.user("bob").await);
        test.send(axum::http::Method::PATCH, "/v1/users/me", Some(&bob.token), Some(json!({"username": "bob"}))).await.expect(200);
        let (mail, costly) = (|name: &str| format!("{name}@example.org"), "$argon2id$v=19$m=4194304,t=1000,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo");
        let sent = lines(&[
            json!({"email": mail("ann"), "email_verified": true, "username": "ann", "name": "Ann", "roles": ["user", "manager"]}),
            json!({"email": "bob@example.com", "name": "another Bob", "password_hash": FOREIGN[0].0}),
            json!({"email": mail("cyd"), "username": "BOB"}),
            json!({"email": mail("dan"), "password_hash": costly}),
            json!({"email": mail("eve"), "roles": ["user", "no-such-role"]}),
            json!({"email": "no address"}),
            json!({"email": mail("fay"), "is_admin": true}),
            json!({"email": mail("gil"), "status": "gone"}),
            json!({"email": mail("Ann")}),
            json!({"email": mail("hal"), "status": "disabled", "password_hash": FOREIGN[0].0}),
        ]) + "\n[1]\nnull\n\u{fffd}";
        let words = [
            "created", "exists", "username_taken", "password_hash_refused", "unknown_role", "validation_failed",
            "malformed", "malformed", "exists", "created", "malformed", "malformed", "malformed",
        ];
        let tried = import(&test, &root, "?dry_run=true", sent.clone()).await.expect(200);
        assert_eq!((results(&tried), &tried["dry_run"]), (words.to_vec(), &json!(true)));
        assert_eq!(exported(&test, &root).await.len(), 2, "a trial writes nothing");
        let done = import(&test, &root, "", sent.clone()).await.expect(200);
        assert_eq!(results(&done), words);
        assert_eq!((&done["created"], &done["exists"], &done["refused"]), (&json!(2), &json!(2), &json!(9)));
        assert_eq!(done["lines"][10]["line"], 12, "empty lines are counted");
        assert!(!done.to_string().contains("another Bob") && !done.to_string().contains("$2b$"), "{done}");
        let again = import(&test, &root, "", sent).await.expect(200);
        assert_eq!((&again["created"], &again["exists"]), (&json!(0), &json!(4)));
        // Nobody who was there was changed, nothing of a refused line is there.
        test.login("bob@example.com", PASSWORD).await;
        let now = exported(&test, &root).await;
        let mut emails: Vec<&str> = now.iter().map(|user| user["email"].as_str().unwrap()).collect();
        emails.sort_unstable(); // made at one moment, they have no order
        assert_eq!(emails, ["ann@example.org", "bob@example.com", "hal@example.org", "root@example.com"]);
        let ann = now.iter().find(|user| user["email"] == "ann@example.org").unwrap();
        let mut roles: Vec<&str> = ann["roles"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        roles.sort_unstable();
        assert_eq!(roles, ["manager", "user"]);
        test.try_login("hal@example.org", PASSWORD).await.expect_problem(403, "account_disabled");
    }

    async fn who_imports_grants_no_more_than_they_may(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let admin = test.user_with_role(&root, "admin").await;
        let user = test.user("ann").await;
        let sent = lines(&[
            json!({"email": "a@example.org", "roles": ["super_admin"]}),
            json!({"email": "b@example.org", "roles": ["admin"]}),
        ]);
        let done = import(&test, &admin, "", sent.clone()).await.expect(200);
        assert_eq!(results(&done), ["role_denied", "created"]);
        import(&test, &user, "", sent.clone()).await.expect_problem(403, "insufficient_permissions");
        test.get("/v1/admin/users/export", &user.token).await.expect_problem(403, "insufficient_permissions");
        assert_eq!(results(&import(&test, &root, "", sent).await.expect(200)), ["created", "exists"]);
    }

    async fn foreign_hashes_sign_in_and_become_todays(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let known: Vec<_> = FOREIGN.iter().filter(|(_, password)| !password.is_empty()).collect();
        let users: Vec<Value> = (0..).zip(&known)
            .map(|(n, (phc, _))| json!({"email": format!("u{n}@example.org"), "password_hash": phc}))
            .collect();
        let done = import(&test, &root, "", lines(&users)).await.expect(200);
        assert_eq!(done["created"], json!(known.len()), "{done}");
        for (n, (phc, password)) in (0..).zip(known) {
            let mail = format!("u{n}@example.org");
            test.try_login(&mail, "a wrong pass phrase here").await.expect_problem(401, "invalid_credentials");
            let who = test.login(&mail, password).await;
            let stored = test.app.users.credentials(TenantId::DEFAULT, who.id.parse().unwrap()).await.unwrap();
            let stored = stored.unwrap().phc.unwrap();
            assert!(stored.expose().starts_with("$argon2id$v=19$"), "{phc} became {}", stored.expose());
            test.login(&mail, password).await;
        }
    }

    async fn what_was_exported_is_imported_elsewhere(backend: Backend) {
        let (Some(here), Some(there)) = (TestApp::spawn(backend).await, TestApp::spawn(backend).await) else { return };
        let (root, other) = (here.administrator().await, there.administrator().await);
        let many: Vec<Value> = (0..450)
            .map(|n| json!({"email": format!("u{n:03}@example.org"), "email_verified": n % 2 == 0, "name": format!("N {n}")}))
            .collect();
        import(&here, &root, "", lines(&many)).await.expect(200);
        let first = exported(&here, &root).await;
        assert_eq!(first.len(), 451);
        assert!(first.iter().all(|user| user.get("password_hash").is_none()));
        let done = import(&there, &other, "", lines(&first)).await.expect(200);
        assert_eq!((&done["created"], &done["exists"], &done["refused"]), (&json!(450), &json!(1), &json!(0)));
        let bare = |users: Vec<Value>| -> Vec<Value> {
            let mut users: Vec<Value> = users.into_iter().map(|mut user| {
                let fields = user.as_object_mut().unwrap();
                fields.remove("id");
                fields.remove("created_at");
                user
            }).collect();
            users.sort_by_key(ToString::to_string);
            users
        };
        assert_eq!(bare(exported(&there, &other).await), bare(first));
    }

    async fn an_import_is_bounded(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let long = format!("{{\"email\":\"{}\"}}", "a".repeat(70_000));
        import(&test, &root, "", long).await.expect_problem(413, "payload_too_large");
        import(&test, &root, "?dry_run=true", "{}\n".repeat(10_001)).await.expect_problem(413, "payload_too_large");
        assert_eq!(import(&test, &root, "", "").await.expect(200)["lines"], json!([]));
        import(&test, &root, "?dry_run=maybe", "").await.expect_problem(422, "validation_failed");
        test.post("/v1/admin/users/import", &root.token, json!({})).await.expect_problem(415, "unsupported_media_type");
    }

    async fn others_write_while_an_import_runs(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let many: Vec<Value> = (0..2_000).map(|n| json!({"email": format!("u{n}@example.org")})).collect();
        let (ann, import) = (test.user("ann"), import(&test, &root, "", lines(&many)));
        tokio::pin!(import);
        // The import has begun before somebody signs up and in; they are done before it is.
        let signed_in = async { tokio::task::yield_now().await; ann.await };
        tokio::pin!(signed_in);
        let done = tokio::select! {
            biased;
            done = &mut import => panic!("the import held everyone off: {}", done.status),
            ann = &mut signed_in => { test.whoami(&ann.token).await.expect(200); import.await }
        };
        assert_eq!(done.expect(200)["created"], json!(2_000));
    }
}
