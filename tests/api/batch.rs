//! Tag `authorize`: many decisions at once.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    app::{Actor, Reply, TestApp},
    both,
    policy_stores::{EVERYONE, NOBODY, activate, files, publish},
};

async fn ask(test: &TestApp, by: &Actor, batch: Value) -> Reply {
    test.send(Method::POST, "/v1/authorize/batch", Some(&by.token), Some(batch)).await
}

async fn answers(test: &TestApp, by: &Actor, batch: Value) -> Vec<Value> {
    ask(test, by, batch).await.expect(200)["answers"].as_array().unwrap().clone()
}

fn document(id: &str) -> Value {
    json!({"type": "Document", "id": id})
}

fn decisions(answers: &[Value]) -> Vec<&str> {
    answers.iter().map(|answer| answer["decision"].as_str().unwrap()).collect()
}

fn diary_of(owner: &Actor) -> Value {
    json!([{
        "uid": {"type": "Document", "id": "diary"},
        "attrs": {"visibility": "internal", "archived": false, "owner": {"__entity": {"type": "User", "id": owner.id}}},
    }])
}

both! {
    /// Each answer is what the same question gets alone.
    async fn answers_come_in_the_order_of_the_questions(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let questions = [
            json!({"action": "view", "resource": document("handbook")}),
            json!({"action": "view", "resource": document("plan")}),
            json!({"action": "delete", "resource": document("plan")}),
            json!({"action": "view", "resource": document("payroll")}),
            json!({"action": "view", "resource": document("diary"), "entities": diary_of(&ann)}),
            json!({"action": "view", "resource": document("diary")}),
            json!({"action": "edit", "resource": document("diary"), "entities": diary_of(&ann), "principal": {"type": "User", "id": ann.id}}),
            json!({"action": "edit", "resource": document("diary"), "entities": diary_of(&ann), "principal": {"type": "User", "id": bob.id}}),
            json!({"action": "edit", "resource": document("diary"), "entities": diary_of(&ann), "token": ann.token}),
            json!({"action": "createRole", "resource": {"type": "Tenant", "id": "ten_00000000000070008000000000000001"}, "policy_store": "system"}),
            json!({"action": "view", "resource": document("handbook"), "explain": true}),
        ];
        let batch = answers(&test, &root, json!({"requests": questions})).await;
        assert_eq!(batch.len(), questions.len());
        for (question, of_batch) in questions.iter().zip(&batch) {
            let mut alone = test.ask(&root.token, question.clone()).await.expect(200);
            let mut of_batch = of_batch.clone();
            assert_ne!(alone["decision_id"], of_batch["decision_id"]);
            for answer in [&mut alone, &mut of_batch] {
                answer["decision_id"] = json!("dec");
            }
            assert_eq!(alone, of_batch, "{question}");
        }
        assert_eq!(decisions(&batch), ["allow", "allow", "allow", "deny", "allow", "deny", "allow", "deny", "allow", "allow", "allow"]);
        let ids: std::collections::BTreeSet<_> = batch.iter().map(|answer| answer["decision_id"].to_string()).collect();
        assert_eq!(ids.len(), batch.len());
    }

    async fn the_batch_stands_in_for_what_an_item_lacks(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let batch = json!({
            "action": "view", "resource": document("diary"), "entities": diary_of(&ann),
            "requests": [
                {}, {"action": "edit"}, {"resource": document("handbook")}, {"resource": document("plan")}, {"entities": []},
                {"action": "edit", "entities": []}, {"context": {"mfa": true}}, {"action": null, "principal": null},
            ],
        });
        let answers = answers(&test, &ann, batch).await;
        assert_eq!(decisions(&answers), ["allow", "allow", "allow", "deny", "deny", "deny", "allow", "allow"]);
        assert_eq!(answers[1]["determining_policies"][0]["policy_id"], "document-owner");
    }

    async fn a_wrong_item_is_no_concern_of_the_others(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let wrong = [
            (json!({"action": "fly"}), "unknown_action", "/requests/1/action"),
            (json!({"resource": {"type": "Spaceship", "id": "x"}}), "unknown_type", "/requests/1/resource"),
            (json!({"resource": {"id": "x"}}), "validation_failed", "/requests/1/resource/type"),
            (json!({"principal": []}), "validation_failed", "/requests/1/principal"),
            (json!({"context": {"mfa": "yes"}}), "context_invalid", "/requests/1/context/mfa"),
            (json!({"context": {"bailiwick": {}}}), "context_invalid", "/requests/1/context/bailiwick"),
            (json!({"entities": [1]}), "entities_invalid", "/requests/1/entities/0"),
            (json!({"entities": {}}), "validation_failed", "/requests/1/entities"),
            (json!({"entities": null}), "validation_failed", "/requests/1/entities"),
            (json!({"explain": "yes"}), "validation_failed", "/requests/1/explain"),
            (json!({"token": "garbage"}), "validation_failed", "/requests/1/token"),
            (json!({"policy_store": "absent"}), "unknown_policy_store", "/requests/1/policy_store"),
            (json!({"policy_store": "No Name"}), "unknown_policy_store", "/requests/1/policy_store"),
            (json!({"acton": "view"}), "validation_failed", "/requests/1/acton"),
            (json!({"requests": []}), "validation_failed", "/requests/1/requests"),
            (json!(7), "validation_failed", "/requests/1"),
            (json!(null), "validation_failed", "/requests/1"),
        ];
        for (item, code, pointer) in wrong {
            let batch = json!({"action": "view", "resource": document("handbook"), "requests": [{}, item, {}]});
            let answers = answers(&test, &root, batch).await;
            assert_eq!(decisions(&answers), ["allow", "deny", "allow"], "{item}");
            let refused = &answers[1];
            assert_eq!((&refused["errors"][0]["code"], &refused["errors"][0]["pointer"]), (&json!(code), &json!(pointer)), "{item}: {refused}");
            assert!(refused.get("decision_id").is_none() && refused["determining_policies"] == json!([]), "{refused}");
        }
        // What is wrong in the batch's own fields is found there, by the items that use it.
        for (field, value, code, pointer) in [
            ("action", json!("fly"), "unknown_action", "/action"),
            ("context", json!({"mfa": 1}), "context_invalid", "/context/mfa"),
            ("entities", json!([{}]), "validation_failed", "/entities/0/uid"),
            ("token", json!("garbage"), "validation_failed", "/token"),
            ("policy_store", json!("absent"), "unknown_policy_store", "/policy_store"),
        ] {
            let mut batch = json!({"action": "view", "resource": document("handbook"), "requests": [{}]});
            batch[field] = value;
            let answers = answers(&test, &root, batch).await;
            assert_eq!((&answers[0]["errors"][0]["code"], &answers[0]["errors"][0]["pointer"]), (&json!(code), &json!(pointer)), "{answers:?}");
        }
        let bare = answers(&test, &root, json!({"action": "view", "requests": [{}]})).await;
        assert_eq!(bare[0]["errors"][0], json!({"code": "validation_failed", "pointer": "/requests/0/resource", "message": "is missing"}));
    }

    async fn a_batch_that_is_no_batch_is_a_problem(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let many: Vec<Value> = (0..1_001).map(|_| json!({})).collect();
        for (batch, pointer) in [
            (json!({"requests": []}), "/requests"),
            (json!({"requests": many}), "/requests"),
            (json!({}), "/requests"),
            (json!({"requests": {}}), "/requests"),
            (json!({"requests": [{}], "more": 1}), "/more"),
            (json!({"requests": [{}], "entities": {}}), "/entities"),
            (json!({"requests": [{}], "entities": null}), "/entities"),
            (json!({"requests": [{}], "explain": 1}), "/explain"),
            (json!({"requests": [{}], "context": true}), "/context"),
            (json!([]), ""),
        ] {
            let reply = ask(&test, &ann, batch.clone()).await;
            assert_eq!(reply.pointers(), [pointer], "{}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
        test.send(Method::POST, "/v1/authorize/batch", None, Some(json!({"requests": [{}]}))).await.expect_problem(401, "token_missing");
    }

    /// Nobody asks by a batch what they may not ask alone.
    async fn every_item_needs_its_permission(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let manager = test.user_with_role(&root, "manager").await;
        let own = json!({"action": "view", "resource": document("handbook")});
        let with = |field: &str, value: Value| {
            let mut item = own.clone();
            item[field] = value;
            item
        };
        for item in [
            with("principal", json!({"type": "User", "id": bob.id})),
            with("principal", json!(format!("User::\"{}\"", bob.id))),
            with("token", json!(bob.token)),
            with("explain", json!(true)),
            json!({"policy_store": "system", "action": "createRole", "resource": {"type": "Tenant", "id": "t"}}),
        ] {
            let batch = json!({"requests": [own, item, own]});
            ask(&test, &ann, batch.clone()).await.expect_problem(403, "insufficient_permissions");
            let answers = answers(&test, &manager, batch).await;
            assert_eq!((answers.len(), decisions(&answers)[0]), (3, "allow"), "{item}");
        }
        let mut default = json!({"requests": [own]});
        default["principal"] = json!({"type": "User", "id": bob.id});
        ask(&test, &ann, default).await.expect_problem(403, "insufficient_permissions");
    }

    /// A batch sees one version, whatever is activated meanwhile; a large one too.
    async fn a_batch_sees_one_version(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        publish(&test, &root, "notes", &files(EVERYONE)).await.expect(201);
        publish(&test, &root, "notes", &files(NOBODY)).await.expect(201);
        activate(&test, &root, "notes", 1).await.expect(200);
        let entities = json!([{"uid": {"type": "Document", "id": "d"}, "attrs": {"size": 1}, "parents": []}]);
        let items: Vec<Value> = (0..200).map(|_| json!({})).collect();
        let batch = json!({"policy_store": "notes", "action": "view", "resource": document("d"), "entities": entities, "requests": items});
        let asks = futures_util::future::join_all((0..20).map(|_| answers(&test, &root, batch.clone())));
        let switch = async {
            for version in [2, 1, 2] {
                activate(&test, &root, "notes", version).await.expect(200);
            }
        };
        let (batches, ()) = tokio::join!(asks, switch);
        for answers in batches {
            let first = &answers[0];
            let expected = if first["policy_version"] == 1 { "allow" } else { "deny" };
            assert!(answers.iter().all(|answer| answer["policy_version"] == first["policy_version"] && answer["decision"] == expected));
        }
    }

    async fn a_thousand_items_are_answered(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let items: Vec<Value> = (0..1_000)
            .map(|n| match n % 4 {
                0 => json!({"resource": document("handbook")}),
                1 => json!({"resource": document("plan"), "principal": {"type": "User", "id": ann.id}}),
                2 => json!({"resource": document("diary"), "entities": diary_of(&root)}),
                _ => json!({"resource": document("handbook"), "action": "fly"}),
            })
            .collect();
        let answers = answers(&test, &root, json!({"action": "view", "requests": items})).await;
        assert_eq!(decisions(&answers), ["allow", "deny", "allow", "deny"].repeat(250));
        assert!(answers.iter().enumerate().all(|(n, answer)| (n % 4 == 3) == answer.get("decision_id").is_none()));
    }
}
