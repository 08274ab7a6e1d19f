//! What was revoked, told to services: as a list, and as it happens (R105).

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use bailiwick::{base::Clock, http::AppState, worker::Worker};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    api_keys::make,
    app::{Actor, PASSWORD, Reply, TestApp},
    both,
    client::{open_to_companies, register},
    event_stream::{Events, STREAM},
};

pub(crate) const LIST: &str = "/v1/internal/revocations";
/// Longer than anything here may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// The loops of a node.
pub(crate) fn loops(app: &AppState) -> Worker {
    let worker = Worker::new();
    app.0.spawn_loops(&worker);
    worker
}

/// Ends a session by another one of the same user.
pub(crate) async fn end(router: &Router, by: &Actor, session: &str) {
    let path = format!("/v1/sessions/{session}");
    let reply = crate::app::send(router, Method::DELETE, &path, Some(&by.token), None).await;
    reply.expect(204);
}

async fn list(test: &TestApp, token: &str, query: &str) -> Value {
    test.get(&format!("{LIST}{query}"), token).await.expect(200)
}

fn rows(body: &Value) -> &Vec<Value> {
    body["data"].as_array().unwrap()
}

fn ids(body: &Value) -> Vec<String> {
    rows(body).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// Kinds and ids of a list, and how often each is told.
fn counted(rows: &[Value]) -> BTreeMap<(String, String), usize> {
    let mut counted = BTreeMap::new();
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        *counted.entry((text("kind"), text("id"))).or_default() += 1;
    }
    counted
}

async fn get_with(test: &TestApp, token: &str, path: &str, last_id: &str) -> Reply {
    let request = Request::get(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header("last-event-id", last_id);
    crate::app::raw(&test.routers.internal, request.body(Body::empty()).unwrap()).await
}

both! {
    async fn a_list_is_read_page_by_page(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let empty = json!({"data": [], "next": 0, "has_more": false, "complete": true});
        assert_eq!(list(&test, &inside, "").await, empty);
        let ann = test.user("ann").await;
        let mut ended = Vec::new();
        for _ in 0..5 {
            let session = test.login("ann@example.com", PASSWORD).await.session;
            end(&test.routers.public, &ann, &session).await;
            ended.push(session);
        }
        let all = list(&test, &inside, "").await;
        assert_eq!(ids(&all), ended, "in the order in which they ended");
        let first = &rows(&all)[0];
        assert_eq!(first, &json!({
            "seq": 1, "kind": "session", "id": ended[0], "tenant_id": bailiwick::base::TenantId::DEFAULT,
            "at": test.clock.now().to_string(), "expires_at": test.clock.now().plus(Duration::from_secs(905)).to_string(),
        }), "ids and nothing else");
        let (mut after, mut seen) = (0, Vec::new());
        for has_more in [true, true, false] {
            let page = list(&test, &inside, &format!("?after={after}&limit=2")).await;
            assert_eq!((&page["has_more"], &page["complete"]), (&json!(has_more), &json!(true)), "{page}");
            seen.extend(ids(&page));
            after = page["next"].as_i64().unwrap();
        }
        assert_eq!(seen, ended, "`after` is exclusive, and nothing is passed over");
        assert_eq!(list(&test, &inside, &format!("?after={after}")).await["next"], after);
        for query in ["?after=-1", "?after=x", "?after=", "?after=%2B1", "?after=9223372036854775808", "?after=1.0"] {
            for path in [LIST, STREAM] {
                let reply = test.get(&format!("{path}{query}"), &inside).await;
                assert_eq!(reply.pointers(), ["?after"], "{query}");
                reply.expect_problem(422, "validation_failed");
            }
        }
        for query in ["?limit=0", "?limit=201", "?limit=x", "?since=1"] {
            test.get(&format!("{LIST}{query}"), &inside).await.expect_problem(422, "validation_failed");
        }
        test.get(&format!("{STREAM}?limit=1"), &inside).await.expect_problem(422, "validation_failed");
        for last_id in ["-1", "x", "", "99999999999999999999"] {
            let reply = get_with(&test, &inside, STREAM, last_id).await;
            assert_eq!(reply.pointers(), ["Last-Event-ID"], "{last_id}");
            reply.expect_problem(422, "validation_failed");
        }
    }

    async fn only_services_are_told_and_of_their_tenant(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let (_, key) = make(&test, &root, json!({"name": "k", "scopes": ["*"]})).await;
        let other = test.service(&root, json!({"name": "Other", "scopes": ["decisions"]})).await;
        let other = test.own_token(&other).await;
        let reads = test.service(&root, json!({"name": "Reads", "scopes": ["readRevocations"]})).await;
        let reads = test.own_token(&reads).await;
        for path in [LIST, STREAM] {
            test.get(path, &root.token).await.expect_problem(401, "wrong_token_type");
            test.get(path, &key).await.expect_problem(401, "wrong_token_type");
            test.get_open(path).await.expect_problem(401, "token_missing");
            test.get(path, &other).await.expect_problem(403, "insufficient_permissions");
            crate::app::unchecked(&test.routers.public, path).await.expect_problem(404, "not_found");
        }
        test.get(LIST, &reads).await.expect(200);
        test.get(STREAM, &reads).await.expect_problem(403, "insufficient_permissions");

        let (acme, rival) = (register(&test, "acme").await, register(&test, "rival").await);
        let mut services = Vec::new();
        for company in [&acme, &rival] {
            let service = test.service(&company.owner, json!({"name": "Gate", "scopes": ["internal"]})).await;
            services.push(test.own_token(&service).await);
        }
        let keys = [&acme, &rival].map(|company| make(&test, &company.owner, json!({"name": "k"})));
        let keys: Vec<_> = join_all(keys).await.into_iter().map(|(id, _)| id).collect();
        for (company, key) in [&acme, &rival].into_iter().zip(&keys) {
            test.delete(&format!("/v1/api-keys/{key}"), &company.owner.token).await.expect(204);
        }
        let (waiting, by) = (test.post("/v1/admin/keys/rotate", &root.token, Value::Null).await.expect(200), &root.token);
        let kid = waiting["kid"].as_str().unwrap();
        test.post(&format!("/v1/admin/keys/{kid}/revoke"), by, Value::Null).await.expect(204);
        for (token, told) in [
            (&services[0], vec![&keys[0][..], kid]),
            (&services[1], vec![&keys[1], kid]),
            (&inside, vec![&keys[0], &keys[1], kid]),
        ] {
            let all = list(&test, token, "").await;
            assert_eq!(ids(&all), told, "{all}");
            assert_eq!(all["next"], 3, "what is not told is passed over");
            let mut events = Events::open(&test.routers.internal, token, "", None).await;
            for id in told {
                assert_eq!(events.told().await, id);
            }
        }
        let page = list(&test, &services[1], "?limit=1").await;
        assert_eq!((&page["next"], &page["has_more"]), (&json!(2), &json!(true)));
        let signing = &rows(&list(&test, &services[1], "?after=2").await)[0].clone();
        assert_eq!((&signing["kind"], signing.get("tenant_id")), (&json!("signing_key"), None));
    }

    /// All that ends, and each once.
    async fn every_kind_is_told_exactly_once(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let mut expected: Vec<(&str, String)> = Vec::new();
        let login = async |name: &str| test.login(&format!("{name}@example.com"), PASSWORD).await;

        let ann = test.user("ann").await;
        let (by_id, by_logout, reused) = (login("ann").await, login("ann").await, login("ann").await);
        end(&test.routers.public, &ann, &by_id.session).await;
        test.post("/v1/auth/logout", &by_logout.token, json!({})).await.expect(204);
        test.refresh(&reused.refresh).await.expect(200);
        test.advance(Duration::from_mins(1));
        assert_eq!(test.refresh(&reused.refresh).await.status, StatusCode::UNAUTHORIZED);
        expected.extend([by_id, by_logout, reused].map(|it| ("session", it.session)));
        let others = login("ann").await;
        test.post("/v1/sessions/revoke-others", &login("ann").await.token, Value::Null).await.expect(200);
        expected.extend([ann.session, others.session].map(|it| ("session", it)));

        let bob = test.user("bob").await;
        let change = json!({"current_password": PASSWORD, "new_password": "another long pass phrase"});
        let changed = test.send(Method::PUT, "/v1/auth/password", Some(&bob.token), Some(change)).await;
        assert!(changed.status.is_success(), "{}", changed.text);
        expected.push(("user", bob.id));
        let carl = test.user("carl").await;
        let (key_of_carl, _) = make(&test, &carl, json!({"name": "k"})).await;
        test.post(&format!("/v1/admin/users/{}/lock", carl.id), &root.token, json!({})).await.expect(204);
        expected.extend([("user", carl.id), ("api_key", key_of_carl)]);
        let dora = test.user("dora").await;
        test.post(&format!("/v1/admin/users/{}/revoke-sessions", dora.id), &root.token, Value::Null).await;
        expected.push(("user", dora.id.clone()));
        let erin = test.user("erin").await;
        let (key_of_erin, _) = make(&test, &erin, json!({"name": "k"})).await;
        test.delete(&format!("/v1/admin/users/{}", erin.id), &root.token).await.expect(204);
        expected.extend([("user", erin.id), ("api_key", key_of_erin)]);

        let dora = login("dora").await;
        let devices = test.get("/v1/devices", &dora.token).await.expect(200);
        let device = rows(&devices).iter().find(|device| device["current"] == true).unwrap();
        let device = device["id"].as_str().unwrap().to_owned();
        test.delete(&format!("/v1/devices/{device}"), &dora.token).await.expect(204);
        expected.extend([("device", device), ("session", dora.session)]);

        let (key, _) = make(&test, &root, json!({"name": "k"})).await;
        test.delete(&format!("/v1/api-keys/{key}"), &root.token).await.expect(204);
        expected.push(("api_key", key));
        let acme = register(&test, "acme").await;
        let made = async |path: &str, body: Value| test.post(path, &acme.owner.token, body).await;
        let next_key = async |body: Value| {
            let made = made("/v1/client/api-keys/rotate", body).await.expect(200);
            made["key_id"].as_str().unwrap().to_owned()
        };
        let (replaced, second) = (next_key(json!({})).await, next_key(json!({"replace": true})).await);
        made("/v1/client/api-keys/promote", json!({"grace_seconds": 60})).await.expect(200); // which ends none yet
        next_key(json!({})).await;
        made("/v1/client/api-keys/promote", json!({})).await.expect(200);
        expected.extend([("api_key", replaced), ("api_key", second)]);

        let path = format!("/v1/admin/tenants/{}", acme.tenant);
        let suspend = json!({"status": "suspended"});
        test.send(Method::PATCH, &path, Some(&root.token), Some(suspend)).await.expect(200);
        expected.extend([("tenant", acme.tenant.clone()), ("session", acme.owner.session.clone())]);

        let client = test.service(&root, json!({"name": "c", "scopes": ["decisions"]})).await;
        let token = test.own_token(&client).await;
        let jti = test.introspect(&client, &token).await["jti"].as_str().unwrap().to_owned();
        assert!(test.form("/v1/oauth/revoke", Some(&client), &[("token", &token)]).await.status.is_success());
        expected.push(("oauth_token", jti));
        let path = format!("/v1/admin/oauth-clients/{}", client.id);
        let secret = format!("{path}/secret");
        let change = async |body: Value| test.send(Method::PATCH, &path, Some(&root.token), Some(body)).await.expect(200);
        let before = rows(&list(&test, &inside, "?limit=200").await).len();
        change(json!({"name": "renamed"})).await;
        assert!(test.post(&secret, &root.token, json!({"keep_secs": 60})).await.status.is_success());
        assert_eq!(rows(&list(&test, &inside, "?limit=200").await).len(), before, "nothing has ended by that");
        change(json!({"status": "disabled"})).await;
        assert!(test.post(&secret, &root.token, json!({"keep_secs": 0})).await.status.is_success());
        test.delete(&path, &root.token).await.expect(204);
        expected.extend([(); 3].map(|()| ("oauth_client", client.id.clone())));

        let waiting = test.post("/v1/admin/keys/rotate", &root.token, Value::Null).await.expect(200);
        let kid = waiting["kid"].as_str().unwrap().to_owned();
        test.post(&format!("/v1/admin/keys/{kid}/revoke"), &root.token, Value::Null).await.expect(204);
        expected.push(("signing_key", kid));

        let all = list(&test, &inside, "?limit=200").await;
        let mut wanted = BTreeMap::new();
        for (kind, id) in expected {
            *wanted.entry((kind.to_owned(), id)).or_default() += 1;
        }
        assert_eq!(counted(rows(&all)), wanted, "{all}");
        let of_kind = |kind: &str| rows(&all).iter().filter(move |row| row["kind"] == kind).cloned().collect::<Vec<_>>();
        let epochs: Vec<_> = of_kind("oauth_client").iter().map(|row| row["epoch"].as_i64().unwrap()).collect();
        assert_eq!(epochs, [1, 2, 3]);
        assert!(of_kind("user").iter().all(|row| row["epoch"] == 1 && row.get("before").is_none()));
        assert_eq!(of_kind("tenant")[0]["before"], test.clock.now().as_secs() + 1);
    }

    /// Fifty that end at once, on two nodes: a reader that breaks off again and again is told of each once, in order.
    async fn a_stream_has_no_gap(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| config.sessions.max_per_user = 1_000).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let (other, other_routers) = test.second_node().await;
        let workers = [loops(&test.app), loops(&other)];
        let ann = test.user("ann").await;
        let mut sessions = Vec::new();
        for _ in 0..50 {
            sessions.push(test.login("ann@example.com", PASSWORD).await.session);
        }
        let nodes = [&test.routers, &other_routers];
        let ending = sessions.iter().zip(0..).map(|(session, at): (_, usize)| end(&nodes[at % 2].public, &ann, session));
        let reading = async {
            let (mut seen, mut last_id) = (Vec::new(), None);
            let mut events = Events::open(&test.routers.internal, &inside, "", None).await;
            while seen.len() < sessions.len() {
                let event = events.next().await.unwrap();
                assert!(last_id.is_none_or(|last| event.id > last), "{last_id:?} {event:?}");
                last_id = Some(event.id);
                seen.push(event.data["id"].as_str().unwrap().to_owned());
                if seen.len() % 7 == 0 {
                    let at = &nodes[seen.len() % 2].internal; // on either node
                    events = Events::open(at, &inside, "?after=0", last_id).await;
                }
            }
            seen
        };
        let (_, mut seen) = tokio::join!(join_all(ending), reading);
        let all = list(&test, &inside, "?limit=200").await;
        assert_eq!(ids(&all), seen, "the list says the same");
        let numbers: Vec<_> = rows(&all).iter().map(|row| row["seq"].as_i64().unwrap()).collect();
        assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
        seen.sort();
        sessions.sort();
        assert_eq!(seen, sessions);
        for worker in workers {
            worker.shutdown(LIMIT).await.unwrap();
        }
    }

    /// Who comes back too late is told so, and so is who comes from somewhere else.
    async fn what_was_forgotten_is_not_passed_over_in_silence(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let client = test.service(&root, json!({"name": "Inside", "scopes": ["internal"]})).await;
        let ann = test.user("ann").await;
        let end_one = async || {
            let session = test.login("ann@example.com", PASSWORD).await;
            end(&test.routers.public, &session, &session.session).await;
            session.session
        };
        let (first, second) = (end_one().await, end_one().await);
        let inside = test.own_token(&client).await;
        assert_eq!(ids(&list(&test, &inside, "?after=0").await), [first, second]);
        test.advance(Duration::from_secs(905 + 601));
        let inside = test.own_token(&client).await;
        test.app.sessions.prune().await.unwrap();
        let said = async |after: i64| {
            let body = list(&test, &inside, &format!("?after={after}")).await;
            (body["complete"].as_bool().unwrap(), ids(&body), body["next"].as_i64().unwrap())
        };
        assert_eq!(said(2).await, (true, vec![], 2), "who had heard all");
        assert_eq!(said(1).await, (false, vec![], 2));
        assert_eq!(said(3).await, (false, vec![], 2), "of another database, or of the future");
        let third = end_one().await;
        assert_eq!(said(2).await, (true, vec![third.clone()], 3));
        for after in [0, 1, 4, i64::MAX] {
            assert_eq!(said(after).await, (false, vec![third.clone()], 3), "{after}");
            let mut events = Events::open(&test.routers.internal, &inside, "", Some(after)).await;
            let reset = events.next().await.unwrap();
            assert_eq!((reset.id, &*reset.name, reset.data), (2, "reset", json!({"complete": false})));
            assert_eq!(events.told().await, third);
        }
        assert_eq!(list(&test, &inside, "").await["complete"], true, "who begins has missed nothing");
        let mut events = Events::open(&test.routers.internal, &inside, "?after=0", Some(2)).await;
        assert_eq!(events.next().await.unwrap().name, "revocation", "the header counts before the query");
        // What nobody had asked for before it was forgotten counts too.
        end_one().await;
        test.advance(Duration::from_secs(905 + 601));
        test.app.sessions.prune().await.unwrap();
        let inside = test.own_token(&client).await;
        let body = list(&test, &inside, "?after=3").await;
        assert_eq!((&body["complete"], &body["next"]), (&json!(false), &json!(4)));
        drop(ann);
    }

    async fn streams_are_bounded_counted_and_ended_with_the_server(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| config.server.max_streams = 2).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let worker = loops(&test.app);
        let open = || Events::open(&test.routers.internal, &inside, "", None);
        let (mut one, two) = (open().await, open().await);
        let gauge = || test.app.metrics_text().contains("\nbailiwick_revocation_streams 2\n");
        assert!(gauge());
        let reply = test.get(STREAM, &inside).await;
        assert_eq!(reply.header("retry-after"), "5");
        reply.expect_problem(503, "too_many_streams");
        drop(two);
        assert!(!gauge());
        let _three = open().await;
        // Prompt: the worker waits for the loop alone, and the stream ends by itself.
        let began = std::time::Instant::now();
        worker.shutdown(LIMIT).await.unwrap();
        assert_eq!(one.next().await, None);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let mut late = open().await;
        assert_eq!(late.next().await, None, "a server that stops begins none");
    }
}
