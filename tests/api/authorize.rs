//! Tag `authorize`: decisions.

use serde_json::{Value, json};

use crate::{
    app::{Actor, TestApp, from_peer, raw},
    both,
    policy_stores::{EVERYONE, NOBODY, activate, files, publish},
};

fn view(document: &str) -> Value {
    json!({"action": "view", "resource": {"type": "Document", "id": document}})
}

fn with(mut question: Value, field: &str, value: Value) -> Value {
    question[field] = value;
    question
}

/// A document of an owner's, as an application would send it along.
fn owned_by(owner: &Actor) -> Value {
    json!([{
        "uid": {"type": "Document", "id": "diary"},
        "attrs": {"visibility": "internal", "archived": false, "owner": {"__entity": {"type": "User", "id": owner.id}}},
        "parents": [{"type": "Folder", "id": "finance"}],
    }])
}

fn policies(answer: &Value) -> Vec<&str> {
    let determining = answer["determining_policies"].as_array().unwrap();
    determining.iter().map(|policy| policy["policy_id"].as_str().unwrap()).collect()
}

both! {
    async fn an_answer_names_what_decided(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let allowed = test.ask(&ann.token, view("handbook")).await.expect(200);
        assert!(allowed["decision_id"].as_str().unwrap().starts_with("dec_"));
        assert_eq!(
            (&allowed["decision"], &allowed["policy_store"], &allowed["policy_version"], &allowed["errors"]),
            (&json!("allow"), &json!("app"), &json!(1), &json!([])),
        );
        assert_eq!(allowed["determining_policies"], json!([{"policy_id": "public-documents", "effect": "permit"}]));
        assert!(allowed.get("explanation").is_none());
        let denied = test.ask(&ann.token, view("plan")).await.expect(200);
        assert_eq!((&denied["decision"], &denied["determining_policies"]), (&json!("deny"), &json!([])));
        assert_ne!(denied["decision_id"], allowed["decision_id"]);
        let forbidden = test.ask(&ann.token, view("payroll")).await.expect(200);
        assert_eq!(forbidden["determining_policies"], json!([{"policy_id": "confidential-needs-clearance", "effect": "forbid"}]));
        // What nobody has ever heard of is no problem: it has no attributes and no parents.
        let unknown = test.ask(&ann.token, view("never-heard-of")).await.expect(200);
        assert_eq!(unknown["decision"], "deny", "{unknown}");
    }

    async fn the_principal_is_the_caller_a_token_or_named(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let bob = test.user("bob").await;
        let manager = test.user_with_role(&root, "manager").await;
        let diary = with(view("diary"), "entities", owned_by(&ann));
        let decision = async |caller: &Actor, question: Value| {
            test.ask(&caller.token, question).await.expect(200)["decision"].as_str().unwrap().to_owned()
        };
        assert_eq!(decision(&ann, diary.clone()).await, "allow");
        assert_eq!(decision(&bob, diary.clone()).await, "deny");
        for own in [json!({"type": "User", "id": ann.id}), json!(format!("User::\"{}\"", ann.id))] {
            assert_eq!(decision(&ann, with(diary.clone(), "principal", own)).await, "allow");
        }
        assert_eq!(decision(&ann, with(diary.clone(), "token", json!(ann.token))).await, "allow");
        for about_ann in [
            with(diary.clone(), "token", json!(ann.token)),
            with(diary.clone(), "principal", json!({"type": "User", "id": ann.id})),
            with(diary.clone(), "principal", json!(format!("User::\"{}\"", ann.id))),
        ] {
            test.ask(&bob.token, about_ann.clone()).await.expect_problem(403, "insufficient_permissions");
            assert_eq!(decision(&manager, about_ann).await, "allow");
        }
        // A principal that is named wins over the token's.
        let both = with(with(diary, "token", json!(ann.token)), "principal", json!({"type": "User", "id": bob.id}));
        assert_eq!(decision(&manager, both).await, "deny");
        let nobody = with(view("handbook"), "principal", json!({"type": "User", "id": "someone elsewhere"}));
        assert_eq!(test.ask(&manager.token, nobody).await.status, 200);
        test.send(axum::http::Method::POST, "/v1/authorize", None, Some(view("handbook"))).await.expect_problem(401, "token_missing");
    }

    async fn a_dead_token_is_no_principal(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        test.post("/v1/auth/logout", &ann.token, json!({})).await.expect(204);
        for token in [ann.token.as_str(), "", "garbage", &root.refresh] {
            let reply = test.ask(&root.token, with(view("handbook"), "token", json!(token))).await;
            assert_eq!(reply.pointers(), ["/token"], "{}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
    }

    async fn about_the_system_store_managers_ask(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let manager = test.user_with_role(&root, "manager").await;
        let ann = test.user("ann").await;
        let question = json!({
            "policy_store": "system", "action": "createRole",
            "resource": {"type": "Tenant", "id": "ten_00000000000070008000000000000001"},
        });
        test.ask(&ann.token, question.clone()).await.expect_problem(403, "insufficient_permissions");
        assert_eq!(test.ask(&manager.token, question.clone()).await.expect(200)["decision"], "deny");
        let root_may = test.ask(&root.token, question).await.expect(200);
        assert_eq!(root_may["decision"], "allow");
        assert_eq!(policies(&root_may), ["admins-manage-roles", "super-admins-do-everything"]);
    }

    async fn actions_and_entities_have_two_forms(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        for action in [json!("view"), json!({"type": "Action", "id": "view"}), json!("Action::\"view\"")] {
            for resource in [json!({"type": "Document", "id": "handbook"}), json!("Document::\"handbook\"")] {
                let question = json!({"action": action, "resource": resource});
                let answer = test.ask(&ann.token, question).await.expect(200);
                assert_eq!(answer["decision"], "allow", "{action} {resource}");
            }
        }
    }

    async fn any_id_is_legal(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ids = ["", " ", "\"", "\\", "a\"::\"b", "\u{0}", "\n\r\t", "\u{7f}\u{80}", "\u{1f980}\u{200d}", "\u{202e}", "' OR 1=1--", "../..", "%00", &"x".repeat(10_000)];
        for id in ids {
            let active = json!({"status": "active", "email_verified": false, "tenant": {"__entity": {"type": "Tenant", "id": id}}});
            let entities = json!([
                {"uid": {"type": "Document", "id": id}, "attrs": {"visibility": "public", "archived": false}, "parents": [{"type": "Folder", "id": id}]},
                {"uid": {"type": "User", "id": id}, "attrs": active, "parents": []},
            ]);
            let question = with(with(view(id), "entities", entities), "principal", json!({"type": "User", "id": id}));
            let answer = test.ask(&root.token, question).await.expect(200);
            assert_eq!(policies(&answer), ["public-documents"], "{id:?}: {answer}");
        }
        let escaped = json!({"action": "view", "resource": "Document::\"a\\\"b\\0\""});
        test.ask(&root.token, escaped).await.expect(200);
    }

    async fn what_does_not_fit_the_schema_is_pointed_at(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let handbook = || view("handbook");
        let entity = |changes: Value| {
            let mut entity = json!({"uid": {"type": "Document", "id": "d"}, "attrs": {"visibility": "public", "archived": false}, "parents": []});
            entity.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            with(view("d"), "entities", json!([entity]))
        };
        for (question, code, pointer) in [
            (with(handbook(), "policy_store", json!("absent")), "unknown_policy_store", "/policy_store"),
            (with(handbook(), "policy_store", json!("No Name \u{0}")), "unknown_policy_store", "/policy_store"),
            (with(handbook(), "policy_store", json!("")), "unknown_policy_store", "/policy_store"),
            (with(handbook(), "action", json!("fly")), "unknown_action", "/action"),
            (with(handbook(), "action", json!("")), "unknown_action", "/action"),
            (with(handbook(), "action", json!({"type": "Action", "id": "fly"})), "unknown_action", "/action"),
            (with(handbook(), "action", json!("readActions")), "unknown_action", "/action"), // a group
            (with(handbook(), "action", json!({"type": "User", "id": "view"})), "unknown_action", "/action"),
            (with(handbook(), "action", json!(7)), "validation_failed", "/action"),
            (with(handbook(), "resource", json!({"type": "Spaceship", "id": "x"})), "unknown_type", "/resource"),
            (with(handbook(), "resource", json!({"type": "Folder", "id": "x"})), "unknown_type", "/resource"),
            (with(handbook(), "resource", json!("handbook")), "validation_failed", "/resource"),
            (with(handbook(), "resource", json!({"id": "x"})), "validation_failed", "/resource/type"),
            (with(handbook(), "resource", json!({"type": "Document"})), "validation_failed", "/resource/id"),
            (with(handbook(), "resource", json!({"type": "Document", "id": 1})), "validation_failed", "/resource/id"),
            (with(handbook(), "resource", json!({"type": "1", "id": "x"})), "validation_failed", "/resource/type"),
            (with(handbook(), "resource", json!({"type": "Document", "id": "x", "more": 1})), "validation_failed", "/resource/more"),
            (with(handbook(), "principal", json!({"type": "Document", "id": "x"})), "unknown_type", "/principal"),
            (with(handbook(), "principal", json!({"type": "Robot", "id": "x"})), "unknown_type", "/principal"),
            (with(handbook(), "principal", json!([])), "validation_failed", "/principal"),
            (with(handbook(), "context", json!({"mfa": "yes"})), "context_invalid", "/context/mfa"),
            (with(handbook(), "context", json!({"mood": 1})), "context_invalid", "/context/mood"),
            (with(handbook(), "context", json!({"bailiwick": {"ip": "127.0.0.1"}})), "context_invalid", "/context/bailiwick"),
            (with(handbook(), "context", json!([1])), "validation_failed", "/context"),
            (entity(json!({"attrs": {"visibility": 1, "archived": false}})), "entities_invalid", "/entities/0/attrs/visibility"),
            (entity(json!({"attrs": {"visibility": "public", "archived": false, "wings": 2}})), "entities_invalid", "/entities/0/attrs/wings"),
            (entity(json!({"attrs": {"visibility": "public"}})), "entities_invalid", "/entities/0/attrs/archived"),
            (entity(json!({"parents": [{"type": "User", "id": "u"}]})), "entities_invalid", "/entities/0/parents"),
            (entity(json!({"uid": {"type": "Action", "id": "view"}})), "entities_invalid", "/entities/0/uid"),
            (entity(json!({"extra": 1})), "entities_invalid", "/entities/0/extra"),
            (with(handbook(), "entities", json!([1])), "entities_invalid", "/entities/0"),
            (with(handbook(), "entities", json!({})), "validation_failed", "/entities"),
            (with(handbook(), "explain", json!("yes")), "validation_failed", "/explain"),
            (with(handbook(), "token", json!(1)), "validation_failed", "/token"),
            (with(handbook(), "polcy_store", json!("app")), "validation_failed", "/polcy_store"),
        ] {
            let reply = test.ask(&root.token, question.clone()).await;
            assert_eq!(reply.pointers(), [pointer], "{question}: {}", reply.text);
            reply.expect_problem(422, code);
        }
    }

    async fn entities_of_the_request_lie_over_the_stored_ones(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let edit = json!({"action": "edit", "resource": {"type": "Document", "id": "plan"}});
        assert_eq!(test.ask(&ann.token, edit.clone()).await.expect(200)["decision"], "deny");
        let owner = json!([{"uid": {"type": "Document", "id": "plan"}, "attrs": {"owner": {"__entity": {"type": "User", "id": ann.id}}}}]);
        let answer = test.ask(&ann.token, with(edit.clone(), "entities", owner)).await.expect(200);
        assert_eq!(policies(&answer), ["document-owner"], "the stored attributes stay beside the new one");
        let frozen = json!([{"uid": {"type": "Document", "id": "plan"}, "attrs": {"archived": true, "owner": {"__entity": {"type": "User", "id": ann.id}}}}]);
        let answer = test.ask(&ann.token, with(edit.clone(), "entities", frozen)).await.expect(200);
        assert_eq!((&answer["decision"], policies(&answer)), (&json!("deny"), vec!["archived-is-frozen"]));
        // The next request knows nothing of them.
        assert_eq!(test.ask(&ann.token, edit).await.expect(200)["decision"], "deny");
        let cycle = json!([
            {"uid": {"type": "Folder", "id": "a"}, "attrs": {}, "parents": [{"type": "Folder", "id": "b"}]},
            {"uid": {"type": "Folder", "id": "b"}, "attrs": {}, "parents": [{"type": "Folder", "id": "a"}]},
        ]);
        test.ask(&ann.token, with(view("handbook"), "entities", cycle)).await.expect_problem(422, "entities_invalid");
    }

    async fn roles_of_ours_are_parents_with_their_hierarchy(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let editor = json!({"name": "editor"});
        test.post("/v1/admin/roles", &root.token, editor).await.expect(201);
        let ann = test.user("ann").await;
        let edit = json!({"action": "edit", "resource": {"type": "Document", "id": "plan"}});
        let create = json!({"action": "create", "resource": {"type": "Folder", "id": "finance"}});
        for question in [&edit, &create] {
            assert_eq!(test.ask(&ann.token, question.clone()).await.expect(200)["decision"], "deny");
        }
        test.grant(&root, &ann, "editor").await;
        assert_eq!(policies(&test.ask(&ann.token, edit).await.expect(200)), ["editors-edit-projects"]);
        assert_eq!(policies(&test.ask(&ann.token, create).await.expect(200)), ["editors-create"]);
        let manager = test.user_with_role(&root, "manager").await;
        let delete = json!({"action": "delete", "resource": {"type": "Document", "id": "plan"}});
        assert_eq!(policies(&test.ask(&manager.token, delete.clone()).await.expect(200)), ["managers-share-and-delete"]);
        // super_admin is in admin is in manager.
        assert_eq!(policies(&test.ask(&root.token, delete).await.expect(200)), ["admins", "managers-share-and-delete"]);
    }

    async fn what_the_server_knows_is_in_the_context(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let export = json!({"action": "export", "resource": {"type": "Document", "id": "plan"}});
        assert_eq!(test.ask(&root.token, export.clone()).await.expect(200)["decision"], "allow", "at ten in the morning");
        test.advance(std::time::Duration::from_hours(10));
        let night = Actor::from(test.refresh(&root.refresh).await.expect(200));
        let answer = test.ask(&night.token, export).await.expect(200);
        assert_eq!(policies(&answer), ["export-in-working-hours"]);
        // Address, session and origin, as a store that declares them sees them.
        let mut files = files("@id(\"here\")\npermit (principal, action, resource) when {\n\
            context.bailiwick.ip == ip(\"203.0.113.9\") && context.bailiwick.origin == \"https://app.example.com\" &&\n\
            context.bailiwick.amr == [\"pwd\"] && context.bailiwick.client_id == \"bailiwick\" };\n");
        files["schema/notes.cedarschema"] = json!("entity User; entity Document;\naction view appliesTo { principal: User, resource: Document,\n\
            context: { bailiwick: { ip: ipaddr, origin: String, amr: Set<String>, client_id: String, session_id: String, now: datetime, auth_time: datetime } } };");
        publish(&test, &night, "notes", &files).await.expect(201);
        activate(&test, &night, "notes", 1).await.expect(200);
        let body = with(view("d"), "policy_store", json!("notes")).to_string();
        let request = axum::http::Request::post("/v1/authorize")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", night.token))
            .header("origin", "https://app.example.com");
        let request = request.body(axum::body::Body::from(body)).unwrap();
        let answer = raw(&test.routers.public, from_peer(request, "203.0.113.9")).await.expect(200);
        assert_eq!(answer["decision"], "allow", "{answer}");
    }

    async fn an_erring_forbid_denies_and_is_named(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let overflow = "@id(\"everyone\")\npermit (principal, action, resource);\n@id(\"too-large\")\nforbid (principal, action, resource)\nwhen { resource.size * 9223372036854775807 > 5 };\n";
        publish(&test, &root, "notes", &files(overflow)).await.expect(201);
        activate(&test, &root, "notes", 1).await.expect(200);
        let sized = |size: i64| with(
            with(view("d"), "policy_store", json!("notes")), "entities",
            json!([{"uid": {"type": "Document", "id": "d"}, "attrs": {"size": size}, "parents": []}]),
        );
        let small = test.ask(&root.token, sized(0)).await.expect(200);
        assert_eq!((&small["decision"], policies(&small)), (&json!("allow"), vec!["everyone"]));
        let large = test.ask(&root.token, sized(3)).await.expect(200);
        assert_eq!(large["decision"], "deny", "an error never allows: {large}");
        assert_eq!(large["errors"][0]["policy_id"], "too-large", "{large}");
        assert!(large["errors"][0]["message"].as_str().unwrap().contains("overflow"), "{large}");
        let missing = with(sized(0), "entities", json!([]));
        assert_eq!(test.ask(&root.token, missing).await.expect(200)["decision"], "deny");
    }

    async fn many_at_once_see_one_version_each(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        publish(&test, &root, "notes", &files(EVERYONE)).await.expect(201);
        publish(&test, &root, "notes", &files(NOBODY)).await.expect(201);
        activate(&test, &root, "notes", 1).await.expect(200);
        let question = with(with(view("d"), "policy_store", json!("notes")), "entities",
            json!([{"uid": {"type": "Document", "id": "d"}, "attrs": {"size": 1}, "parents": []}]));
        let asks = futures_util::future::join_all((0..40).map(|_| test.ask(&root.token, question.clone())));
        let (answers, _) = tokio::join!(asks, activate(&test, &root, "notes", 2));
        for reply in answers {
            let answer = reply.expect(200);
            let expected = if answer["policy_version"] == 1 { "allow" } else { "deny" };
            assert_eq!(answer["decision"], expected, "{answer}");
        }
        assert_eq!(test.ask(&root.token, question).await.expect(200)["policy_version"], 2);
    }

    async fn explaining_is_a_permission_of_its_own(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let manager = test.user_with_role(&root, "manager").await;
        let why = |document: &str| with(view(document), "explain", json!(true));
        test.ask(&ann.token, why("handbook")).await.expect_problem(403, "insufficient_permissions");
        let allowed = test.ask(&manager.token, why("handbook")).await.expect(200);
        assert!(allowed["explanation"].is_object(), "{allowed}");
        assert!(allowed["explanation"].to_string().contains("public-documents"), "{allowed}");
        let denied = test.ask(&manager.token, why("payroll")).await.expect(200);
        assert!(denied["explanation"].to_string().contains("confidential-needs-clearance"), "{denied}");
        assert!(denied["explanation"].to_string().contains("guards.cedar"), "with file and line: {denied}");
    }
}
