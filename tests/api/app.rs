//! The whole application in the test's process: its routers called without a socket, its clock moved
//! by hand.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use bailiwick::{
    app::{App, Overrides},
    base::{ManualClock, Millis},
    config::Config,
    http::{AppState, Routers},
};
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::support::{Backend, fresh_postgres, postgres_url, redis_url, unique};

/// A password that meets the rules.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Where the clock of every test starts: 2026-11-23, a Monday, 10:00 UTC.
pub(crate) const START: Millis = Millis(1_795_428_000_000);

/// A running application.
pub(crate) struct TestApp {
    pub(crate) app: AppState,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) routers: Routers,
    pub(crate) config: Config,
    _data: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Reply {
    /// The body, if the status is as wanted; else a panic that shows the problem.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.body
    }

    /// Checks that this is a well-formed problem document with this status and code.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["code"], code, "{}", self.text);
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("urn:bailiwick:problem:{code}"));
        assert_eq!(self.body["request_id"], self.headers["x-request-id"].to_str().unwrap());
        assert!(self.body["instance"].as_str().unwrap().starts_with('/'));
        self.body
    }
}

impl TestApp {
    /// A fresh application, or `None` after saying that its backend is not there.
    pub(crate) async fn spawn(backend: Backend) -> Option<Self> {
        Self::spawn_with(backend, |_| ()).await
    }

    /// A fresh application with a changed configuration.
    pub(crate) async fn spawn_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Option<Self> {
        let data = TempDir::new().unwrap();
        let mut config = Config::default();
        config.data.dir = data.path().to_owned();
        config.policy.dir = concat!(env!("CARGO_MANIFEST_DIR"), "/policies").into();
        config.policy.watch = false;
        config.passwords.argon2_memory_kib = 8;
        config.passwords.argon2_passes = 1;
        config.passwords.queue_per_worker = 1_000;
        if backend == Backend::Shared {
            config.storage.postgres_url = Some(SecretString::from(fresh_postgres(&postgres_url()?).await));
            config.redis.url = Some(SecretString::from(redis_url()?));
            config.redis.prefix = format!("test:{}:", unique());
            config.redis.timeout_ms = 2_000;
        }
        change(&mut config);
        let (app, clock) = start(&config, START).await;
        let routers = bailiwick::http::routers(&app);
        Some(Self { app, clock, routers, config, _data: data })
    }

    /// A second node on the same data, with a clock of its own that shows the same time.
    pub(crate) async fn second_node(&self) -> (AppState, Routers) {
        use bailiwick::base::Clock;
        let (app, _) = start(&self.config, self.clock.now()).await;
        let routers = bailiwick::http::routers(&app);
        (app, routers)
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Sends a JSON request to the public listener's router.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Reply {
        send(&self.routers.public, method, path, token, body).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(Method::GET, path, Some(token), None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(token), Some(body)).await
    }

    pub(crate) async fn post_open(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, None, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Reply {
        self.send(Method::DELETE, path, Some(token), None).await
    }

    /// Signs a new user up and in.
    pub(crate) async fn user(&self, name: &str) -> Actor {
        let email = format!("{name}@example.com");
        let registered = json!({"email": email, "password": PASSWORD});
        self.post_open("/v1/auth/register", registered).await.expect(202);
        self.login(&email, PASSWORD).await
    }

    /// Signs a known user in.
    pub(crate) async fn login(&self, identifier: &str, password: &str) -> Actor {
        let login = json!({"identifier": identifier, "password": password});
        Actor::from(self.post_open("/v1/auth/login", login).await.expect(200))
    }

    /// Makes the first administrator and signs them in.
    pub(crate) async fn administrator(&self) -> Actor {
        self.app.authn.create_administrator("root@example.com", SecretString::from(PASSWORD)).await.unwrap();
        self.login("root@example.com", PASSWORD).await
    }

    /// A new user with a role granted by `root`.
    pub(crate) async fn user_with_role(&self, root: &Actor, role: &str) -> Actor {
        let user = self.user(&format!("{role}-{}", unique())).await;
        let grant = json!({"user_id": user.id, "role": role});
        self.post("/v1/admin/role-bindings", &root.token, grant).await.expect(201);
        user
    }
}

async fn start(config: &Config, at: Millis) -> (AppState, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(at));
    let overrides = Overrides { clock: Some(clock.clone()), ..Overrides::default() };
    let app = App::start(config.clone(), overrides).await.unwrap();
    (AppState(Arc::new(app)), clock)
}

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) refresh: String,
    pub(crate) session: String,
}

impl From<Value> for Actor {
    fn from(tokens: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            id: text(&tokens["claims"]["sub"]),
            token: text(&tokens["access_token"]),
            refresh: text(&tokens["refresh_token"]),
            session: text(&tokens["session_id"]),
        }
    }
}

/// Sends a request to a router.
pub(crate) async fn send(
    router: &Router,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = match body {
        Some(body) => {
            request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))
        }
        None => request.body(Body::empty()),
    };
    raw(router, request.unwrap()).await
}

/// Sends any request to a router.
pub(crate) async fn raw(router: &Router, request: Request<Body>) -> Reply {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}
