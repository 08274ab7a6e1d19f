//! T59: a stream that outlives the token it was opened with.
//!
//! Seen to fail: without the look at the caller before each page, nothing ends any of these streams; without what a
//! stream learns of itself from what it tells, those without a bus go on.

use std::time::{Duration, Instant};

use axum::http::Method;
use bailiwick::{http::Routers, worker::Worker};
use serde_json::{Value, json};

use crate::{
    app::{Actor, Service, TestApp, form, send},
    both,
    client::{Company, open_to_companies, register, sign_in},
    event_stream::Events,
    revocations::{end, loops},
};

/// With the bus, or on the node itself.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Without.
const POLL: Duration = Duration::from_secs(5);
/// Life of the token, but for its last second.
const NEARLY_ITS_LIFE: Duration = Duration::from_secs(899);

/// What ends the token that a stream was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Disabled,
    Removed,
    NewSecret,
    TokenRevoked,
    TenantSuspended,
    SigningKeyRevoked,
}

const WAYS: [Way; 6] = [
    Way::Disabled,
    Way::Removed,
    Way::NewSecret,
    Way::TokenRevoked,
    Way::TenantSuspended,
    Way::SigningKeyRevoked,
];

/// A company, with a program that follows what is revoked there.
struct Scene {
    company: Company,
    client: Service,
    token: String,
    events: Events,
}

impl Scene {
    async fn new(test: &TestApp, way: Way) -> Self {
        let name = format!("{way:?}").to_lowercase();
        let company = register(test, &name).await;
        let client = test.service(&company.owner, json!({"name": "Socket", "scopes": ["internal"]})).await;
        let token = test.own_token(&client).await;
        let events = Events::open(&test.routers.internal, &token, "", None).await;
        let mut scene = Self { company, client, token, events };
        let session = scene.end_a_session(test, &test.routers).await;
        while scene.events.told().await != session {}
        scene
    }

    /// Ends a session of the owner's.
    async fn end_a_session(&self, test: &TestApp, at: &Routers) -> String {
        let Company { tenant, owner, .. } = &self.company;
        let about = test.whoami(&owner.token).await.expect(200);
        let signed_in = sign_in(test, about["email"].as_str().unwrap(), tenant).await.expect(200);
        let session = Actor::from(signed_in).session;
        end(&at.public, owner, &session).await;
        session
    }

    /// Ends what the stream rests on, at some node.
    async fn strike(&self, at: &Routers, root: &Actor, way: Way) {
        let path = format!("/v1/admin/oauth-clients/{}", self.client.id);
        let ask = async |method: Method, path: &str, by: &Actor, body: Option<Value>| {
            let reply = send(&at.public, method, path, Some(&by.token), body).await;
            assert!(reply.status.is_success(), "{way:?}: {}", reply.text);
            reply.body
        };
        let owner = &self.company.owner;
        match way {
            Way::Disabled => {
                ask(Method::PATCH, &path, owner, Some(json!({"status": "disabled"}))).await;
            }
            Way::Removed => {
                ask(Method::DELETE, &path, owner, None).await;
            }
            Way::NewSecret => {
                ask(Method::POST, &format!("{path}/secret"), owner, Some(json!({"keep_secs": 0}))).await;
            }
            Way::TokenRevoked => {
                let token = [("token", &*self.token)];
                let reply = form(&at.public, "/v1/oauth/revoke", Some(&self.client), &token).await;
                assert!(reply.status.is_success(), "{}", reply.text);
            }
            Way::TenantSuspended => {
                let path = format!("/v1/admin/tenants/{}", self.company.tenant);
                ask(Method::PATCH, &path, root, Some(json!({"status": "suspended"}))).await;
            }
            Way::SigningKeyRevoked => {
                let keys = ask(Method::GET, "/v1/admin/keys", root, None).await;
                let mut keys = keys["data"].as_array().unwrap().iter();
                let active = keys.find(|key| key["state"] == "active").unwrap()["kid"].as_str().unwrap();
                ask(Method::POST, &format!("/v1/admin/keys/{active}/revoke"), root, None).await;
            }
        }
    }

    /// How long it takes until the stream has ended, telling whatever it tells; and what that was.
    async fn until_ended(&mut self, limit: Duration, way: Way) -> Vec<Value> {
        let (began, mut told) = (Instant::now(), Vec::new());
        while let Some(event) = self.events.next().await {
            told.push(event.data);
        }
        assert!(began.elapsed() < limit, "{way:?}: {:?}", began.elapsed());
        told
    }
}

both! {
    /// On the node where it happens, and on another one by the bus, where there is one for both.
    async fn t59_a_stream_ends_with_what_it_rests_on(backend: Backend) {
        for elsewhere in [false, true] {
            let Some(test) = open_to_companies(backend).await else { return };
            let mut root = test.administrator().await;
            let (other, other_routers) = test.second_node().await;
            let workers = [loops(&test.app), loops(&other)];
            for way in WAYS {
                let mut scene = Scene::new(&test, way).await;
                let has_bus = backend == crate::support::Backend::Shared || !elsewhere;
                scene.strike(if elsewhere { &other_routers } else { &test.routers }, &root, way).await;
                scene.until_ended(if has_bus { AT_ONCE } else { POLL }, way).await;
                if way == Way::SigningKeyRevoked {
                    root = test.login("root@example.com", crate::app::PASSWORD).await;
                }
            }
            test.whoami(&root.token).await.expect(200);
            for worker in workers {
                worker.shutdown(POLL).await.unwrap();
            }
        }
    }

    /// Without the bus, and while the clock of all that is remembered stands still: what is told says it.
    async fn t59_without_a_bus_the_table_says_it(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let (_, other) = test.second_node().await;
        let worker = Worker::new();
        worker.spawn("revocations", test.app.revocations.clone().run(worker.shutdown_token()));
        for way in WAYS {
            let mut scene = Scene::new(&test, way).await;
            scene.strike(&other, &root, way).await;
            let told = scene.until_ended(POLL, way).await;
            assert_eq!(told, Vec::<Value>::new(), "{way:?}: it tells nothing of its own end");
        }
    }

    /// At the end of the token, to the second: what is revoked before it is told, what is revoked after it is not.
    async fn t59_a_stream_ends_with_its_token(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let worker = loops(&test.app);
        let mut scene = Scene::new(&test, Way::Disabled).await;
        let owner = scene.company.owner.clone();
        let about = test.whoami(&owner.token).await.expect(200);
        let email = about["email"].as_str().unwrap();
        test.advance(NEARLY_ITS_LIFE);
        let fresh = Actor::from(sign_in(&test, email, &scene.company.tenant).await.expect(200));
        end(&test.routers.public, &fresh, &owner.session).await;
        assert_eq!(scene.events.told().await, owner.session, "a second before its end");
        test.advance(Duration::from_secs(1));
        end(&test.routers.public, &fresh, &fresh.session).await;
        let told = scene.until_ended(AT_ONCE * 2, Way::Disabled).await;
        assert_eq!(told, Vec::<Value>::new(), "nothing is told at its end");
        worker.shutdown(POLL).await.unwrap();
    }
}
