//! The whole application in the test's process: its routers called without a socket, its clock moved
//! by hand.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{Router, http::Method};
use bailiwick::{
    app::{App, Overrides},
    audit::Actor as Auditor,
    base::{Clock, Entropy, ManualClock, Millis, TenantId},
    config::Config,
    http::{AppState, Routers},
    users::UserStatus,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use crate::exchange::{Reply, answer, form, from_peer, raw, send, unchecked};
use crate::support::{Backend, fresh_postgres, postgres_url, redis_url, unique};

/// A password that meets the rules.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Where the clock of every test starts: 2026-11-23, a Monday, 10:00 UTC.
pub(crate) const START: Millis = Millis(1_795_428_000_000);
/// Root secrets of the tests; servers on Postgres must be given theirs.
pub(crate) const MASTER_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0";
pub(crate) const REDIS_SALT: &str = "a salt for the tests: 7Qm2xV9cTz4KpW1s";

/// A running application.
pub(crate) struct TestApp {
    pub(crate) app: AppState,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) routers: Routers,
    pub(crate) config: Config,
    _data: TempDir,
}

impl TestApp {
    /// A fresh application, or `None` after saying that its backend is not there.
    pub(crate) async fn spawn(backend: Backend) -> Option<Self> {
        Self::spawn_with(backend, |_| ()).await
    }

    /// A fresh application with a changed configuration.
    pub(crate) async fn spawn_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Option<Self> {
        Self::spawn_from(backend, None, change).await
    }

    /// A fresh application with a changed configuration and, perhaps, other randomness.
    pub(crate) async fn spawn_from(
        backend: Backend,
        entropy: Option<Arc<dyn Entropy>>,
        change: impl FnOnce(&mut Config),
    ) -> Option<Self> {
        let data = TempDir::new().unwrap();
        let mut config = Config::default();
        data.path().clone_into(&mut config.data.dir);
        config.policy.dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        config.policy.watch = false;
        config.passwords.argon2_memory_kib = 8;
        config.passwords.argon2_passes = 1;
        config.passwords.queue_per_worker = 1_000;
        let limits = &mut config.limits;
        for limit in [
            &mut limits.login_per_address,
            &mut limits.login_per_identifier,
            &mut limits.register_per_address,
            &mut limits.mail_per_address,
            &mut limits.mail_per_recipient,
            &mut limits.second_factor_per_user,
            &mut limits.lock_after,
            &mut limits.anomaly_failures,
        ] {
            *limit = 1_000_000; // for the tests that are not about them
        }
        config.secrets.master_key = Some(SecretString::from(MASTER_KEY));
        config.secrets.redis_key_salt = Some(SecretString::from(REDIS_SALT));
        if backend == Backend::Shared {
            config.redis.url = Some(SecretString::from(redis_url()?));
            config.storage.postgres_url = Some(SecretString::from(fresh_postgres(&postgres_url()?).await));
            config.storage.connections = 4;
            config.redis.prefix = format!("test:{}:", unique());
            config.redis.timeout_ms = 2_000;
        }
        change(&mut config);
        let (app, clock) = start(&config, START, entropy).await;
        let routers = bailiwick::http::routers(&app);
        Some(Self { app, clock, routers, config, _data: data })
    }

    /// A second node on the same data, with a clock of its own that shows the same time.
    pub(crate) async fn second_node(&self) -> (AppState, Routers) {
        self.second_node_with(|_| ()).await
    }

    /// A second node on the same data, and its clock.
    pub(crate) async fn node_with_clock(&self) -> (AppState, Routers, Arc<ManualClock>) {
        let (app, clock) = start(&self.config, self.clock.now(), None).await;
        let routers = bailiwick::http::routers(&app);
        (app, routers, clock)
    }

    /// A second node on the same data with another configuration.
    pub(crate) async fn second_node_with(&self, change: impl FnOnce(&mut Config)) -> (AppState, Routers) {
        let mut config = self.config.clone();
        change(&mut config);
        let (app, _) = start(&config, self.clock.now(), None).await;
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
        send(self.router_of(path), method, path, token, body).await
    }

    /// The router of the listener that serves a path.
    pub(crate) fn router_of(&self, path: &str) -> &Router {
        if path.starts_with("/v1/internal/") {
            &self.routers.internal
        } else if ["/healthz", "/readyz", "/metrics"].contains(&path) {
            &self.routers.admin
        } else {
            &self.routers.public
        }
    }

    /// A token of a new program of the installation's own that may ask what only services may.
    pub(crate) async fn inside(&self, root: &Actor) -> String {
        let about = json!({"name": "Inside", "scopes": ["internal", "decisions"]});
        let service = self.service(root, about).await;
        self.own_token(&service).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(Method::GET, path, Some(token), None).await
    }

    pub(crate) async fn get_open(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, None).await
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

    /// Asks for a decision.
    pub(crate) async fn ask(&self, token: &str, question: Value) -> Reply {
        self.post("/v1/authorize", token, question).await
    }

    /// Tries to sign in.
    pub(crate) async fn try_login(&self, identifier: &str, password: &str) -> Reply {
        let login = json!({"identifier": identifier, "password": password});
        self.post_open("/v1/auth/login", login).await
    }

    /// Trades a refresh token in.
    pub(crate) async fn refresh(&self, token: &str) -> Reply {
        self.post_open("/v1/auth/refresh", json!({"refresh_token": token})).await
    }

    /// Whether an access token works.
    pub(crate) async fn whoami(&self, token: &str) -> Reply {
        self.get("/v1/users/me", token).await
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
        Actor::from(self.try_login(identifier, password).await.expect(200))
    }

    /// The set-up token of this start.
    pub(crate) fn setup_token(&self) -> String {
        self.app.setup_token.as_ref().unwrap().expose().to_owned()
    }

    /// Makes the first administrator and signs them in.
    pub(crate) async fn administrator(&self) -> Actor {
        let first =
            json!({"setup_token": self.setup_token(), "email": "root@example.com", "password": PASSWORD});
        self.post_open("/v1/setup", first).await.expect(201);
        self.login("root@example.com", PASSWORD).await
    }

    /// Grants a role; answers the binding's id.
    pub(crate) async fn grant(&self, by: &Actor, to: &Actor, role: &str) -> String {
        let grant = json!({"user_id": to.id, "role": role});
        let binding = self.post("/v1/admin/role-bindings", &by.token, grant).await.expect(201);
        binding["id"].as_str().unwrap().to_owned()
    }

    /// A new user with a role granted by `root`.
    pub(crate) async fn user_with_role(&self, root: &Actor, role: &str) -> Actor {
        let user = self.user(&format!("{}-{}", role.replace('_', "-"), unique())).await;
        self.grant(root, &user, role).await;
        user
    }

    /// Keeps a user out, or lets them in again.
    pub(crate) async fn set_status(&self, user: &Actor, status: UserStatus) {
        let id = user.id.parse().unwrap();
        let by = Auditor { name: "test", request_id: None };
        self.app.authn.set_user_status(TenantId::DEFAULT, id, status, by).await.unwrap();
    }
}

async fn start(
    config: &Config,
    at: Millis,
    entropy: Option<Arc<dyn Entropy>>,
) -> (AppState, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(at));
    let overrides = Overrides { clock: Some(clock.clone()), entropy };
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

/// A client of OAuth 2.0 and its secret.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Service {
    /// The `Authorization` header that proves it.
    pub(crate) fn basic(&self) -> String {
        use base64::Engine;
        let joined = format!("{}:{}", self.id, self.secret);
        format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(joined))
    }
}

impl From<Value> for Service {
    fn from(made: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { id: text(&made["id"]), secret: text(&made["client_secret"]) }
    }
}

impl TestApp {
    /// A new client, made by `root`.
    pub(crate) async fn service(&self, root: &Actor, about: Value) -> Service {
        Service::from(self.post("/v1/admin/oauth-clients", &root.token, about).await.expect(201))
    }

    /// Sends a form, as a client or as nobody.
    pub(crate) async fn form(&self, path: &str, client: Option<&Service>, fields: &[(&str, &str)]) -> Reply {
        form(&self.routers.public, path, client, fields).await
    }

    /// Asks for a token.
    pub(crate) async fn token(&self, client: &Service, fields: &[(&str, &str)]) -> Reply {
        self.form("/v1/oauth/token", Some(client), fields).await
    }

    /// A token that a client gets for itself.
    pub(crate) async fn own_token(&self, client: &Service) -> String {
        let issued = self.token(client, &[("grant_type", "client_credentials")]).await.expect(200);
        issued["access_token"].as_str().unwrap().to_owned()
    }

    /// What a client is told about a token.
    pub(crate) async fn introspect(&self, client: &Service, token: &str) -> Value {
        self.form("/v1/oauth/introspect", Some(client), &[("token", token)]).await.expect(200)
    }
}
