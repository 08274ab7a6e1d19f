//! The enforcement library against the real server: a second service, protected by it, with real tokens, real
//! keys and real decisions. No socket: the service's transport is the server's router.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    http::{Method, Request, Response, Uri, header},
    routing::get,
};
use bailiwick::{
    base::Clock,
    enforce::{
        Bearer, Claims, DecisionClient, EnforceLayer, Entity, KeySet, Keys, Question, Refusal, Verifier,
    },
    http::codes::Code,
};
use serde_json::{Value, json};

use crate::{
    app::{Reply, TestApp, answer, raw, send},
    support::Backend,
};

/// A second service, and the wire between it and the server.
struct Service {
    router: Router,
    wire: Arc<Wire>,
}

#[derive(Default)]
struct Wire {
    cut: AtomicBool,
    fetches: AtomicUsize,
}

impl Wire {
    fn check(&self) -> Result<(), &'static str> {
        if self.cut.load(Ordering::SeqCst) { Err("connection refused") } else { Ok(()) }
    }
}

async fn who(Extension(claims): Extension<Claims>) -> String {
    serde_json::to_string(&claims).unwrap()
}

/// `/may/{action}`: whether the caller may do this to the handbook.
async fn may(
    State(decisions): State<DecisionClient>,
    Extension(bearer): Extension<Bearer>,
    uri: Uri,
) -> Response<Body> {
    let action = uri.path().rsplit('/').next().unwrap();
    let question = Question::new(action, Entity::new("Document", "handbook")).by("app");
    match decisions.guard(&bearer, &question).await {
        Ok(allowed) => Response::new(Body::from(allowed.answer().policy_version.to_string())),
        Err(not_allowed) => not_allowed.response(uri.path()),
    }
}

impl Service {
    fn of(server: &TestApp) -> Self {
        let wire = Arc::new(Wire::default());
        let settings = server.app.tokens.settings().clone();
        let (clock, public) = (server.clock.clone(), server.routers.public.clone());
        let (keys_wire, keys_router) = (wire.clone(), public.clone());
        let keys = KeySet::new(move || {
            let (wire, router) = (keys_wire.clone(), keys_router.clone());
            async move {
                wire.fetches.fetch_add(1, Ordering::SeqCst);
                wire.check()?;
                let reply = send(&router, Method::GET, "/.well-known/jwks.json", None, None).await;
                Ok::<_, &str>(reply.text)
            }
        });
        let verifier =
            Verifier::new(settings.issuer, settings.audience, keys).with_clock(move || clock.now().0);
        let decisions_wire = wire.clone();
        let decisions = DecisionClient::new("http://server.example", move |request| {
            let (wire, router) = (decisions_wire.clone(), public.clone());
            async move {
                wire.check()?;
                let Reply { status, text, .. } = raw(&router, request.map(Body::from)).await;
                let mut response = Response::new(text.into_bytes());
                *response.status_mut() = status;
                Ok::<_, &str>(response)
            }
        });
        let router = Router::new()
            .route("/who", get(who))
            .route("/may/{action}", get(may))
            .layer(EnforceLayer::new(verifier))
            .with_state(decisions.unwrap());
        Self { router, wire }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Reply {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        answer(&self.router, request.body(Body::empty()).unwrap()).await
    }

    fn fetches(&self) -> usize {
        self.wire.fetches.load(Ordering::SeqCst)
    }
}

/// Checks the problem document and the challenge; the code means what it means in the server.
#[track_caller]
fn expect_problem(reply: &Reply, code: Code) {
    assert_eq!(
        (reply.status, reply.body["code"].as_str()),
        (code.status(), Some(code.as_str())),
        "{}",
        reply.text
    );
    assert_eq!(reply.body["title"], code.title());
    assert_eq!(reply.body["status"], code.status_number());
    assert_eq!(reply.body["type"], format!("urn:bailiwick:problem:{}", code.as_str()));
    assert_eq!(reply.headers[header::CONTENT_TYPE], "application/problem+json");
    let challenge = reply.headers.get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
    assert_eq!(challenge, code.challenge().filter(|_| code.status_number() == 401));
}

#[tokio::test]
async fn a_user_of_the_server_is_known_to_the_service() {
    let server = TestApp::spawn(Backend::Embedded).await.unwrap();
    let (service, alice) = (Service::of(&server), server.user("alice").await);
    let claims = service.get("/who", Some(&alice.token)).await.expect(200);
    let own = server.app.tokens.verify(&alice.token).await.unwrap();
    assert_eq!(claims, serde_json::to_value(own).unwrap(), "both read the same");
    for _ in 0..3 {
        service.get("/who", Some(&alice.token)).await.expect(200);
    }
    assert_eq!(service.fetches(), 1);

    server.advance(Duration::from_secs(906));
    expect_problem(&service.get("/who", Some(&alice.token)).await, Code::TokenExpired);
}

#[tokio::test]
async fn the_service_refuses_what_the_server_refuses() {
    let server = TestApp::spawn(Backend::Embedded).await.unwrap();
    let (service, alice) = (Service::of(&server), server.user("alice").await);
    let stranger = TestApp::spawn(Backend::Embedded).await.unwrap().user("alice").await;
    expect_problem(&service.get("/who", None).await, Code::TokenMissing);
    for token in
        ["", "x", "a.b.c", &alice.refresh, &stranger.token, &alice.token[1..], &format!("{}A", alice.token)]
    {
        expect_problem(&service.get("/who", Some(token)).await, Code::TokenInvalid);
    }
    assert_eq!(service.fetches(), 1, "unknown keys are looked for once in 30 seconds");
    for value in ["Basic YTpi", "Bearer", &alice.token, "bearer\t"] {
        let request = Request::get("/who").header(header::AUTHORIZATION, value).body(Body::empty()).unwrap();
        expect_problem(&answer(&service.router, request).await, Code::TokenInvalid);
    }
    let bearer = format!("bearer {}", alice.token);
    let once = Request::get("/who").header(header::AUTHORIZATION, &bearer);
    let twice =
        Request::get("/who").header(header::AUTHORIZATION, &bearer).header(header::AUTHORIZATION, &bearer);
    answer(&service.router, once.body(Body::empty()).unwrap()).await.expect(200);
    expect_problem(&answer(&service.router, twice.body(Body::empty()).unwrap()).await, Code::TokenInvalid);
}

#[tokio::test]
async fn issuer_and_audience_are_exact() {
    let server = TestApp::spawn(Backend::Embedded).await.unwrap();
    let alice = server.user("alice").await;
    let (settings, jwks) = (server.app.tokens.settings().clone(), server.app.tokens.jwks().json);
    let verify = |issuer: &str, audience: &str| {
        let keys = KeySet::new(|| async { Err::<String, _>("offline") });
        keys.replace(Keys::parse(&jwks).unwrap());
        let clock = server.clock.clone();
        Verifier::new(issuer, audience, keys).with_clock(move || clock.now().0).verify_now(&alice.token)
    };
    assert_eq!(verify(&settings.issuer, &settings.audience).unwrap().sub, alice.id);
    let slash = format!("{}/", settings.issuer);
    assert_eq!(verify(&slash, &settings.audience).unwrap_err(), Refusal::Invalid("iss"));
    assert_eq!(verify(&settings.issuer, "https://other.example").unwrap_err(), Refusal::Invalid("aud"));
}

#[tokio::test]
async fn an_outage_is_neither_a_401_nor_an_allow() {
    let server = TestApp::spawn(Backend::Embedded).await.unwrap();
    let (service, alice) = (Service::of(&server), server.user("alice").await);
    service.wire.cut.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let reply = service.get("/who", Some(&alice.token)).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &Value::from("keys_unavailable")));
        assert_eq!(reply.headers[header::RETRY_AFTER], "1");
    }
    assert_eq!(service.fetches(), 1);

    service.wire.cut.store(false, Ordering::SeqCst);
    server.advance(Duration::from_secs(30));
    assert_eq!(service.get("/may/view", Some(&alice.token)).await.expect(200), 1);

    service.wire.cut.store(true, Ordering::SeqCst);
    service.get("/who", Some(&alice.token)).await.expect(200);
    let reply = service.get("/may/view", Some(&alice.token)).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &Value::from("decisions_unavailable")));
}

#[tokio::test]
async fn decisions_are_those_of_the_server() {
    let server = TestApp::spawn(Backend::Embedded).await.unwrap();
    let (service, alice) = (Service::of(&server), server.user("alice").await);
    assert_eq!(service.get("/may/view", Some(&alice.token)).await.expect(200), 1);
    expect_problem(&service.get("/may/comment", Some(&alice.token)).await, Code::PolicyViolation);
    expect_problem(&service.get("/may/levitate", Some(&alice.token)).await, Code::InternalError);

    // The token lives on for what is verified offline; a decision notices that its session has ended.
    server.post("/v1/auth/logout", &alice.token, json!({})).await.expect(204);
    service.get("/who", Some(&alice.token)).await.expect(200);
    expect_problem(&service.get("/may/view", Some(&alice.token)).await, Code::TokenRevoked);
}
