//! Requests to a router, and its answers. Each is compared with the OpenAPI document (see `contract`).

use std::net::{IpAddr, SocketAddr};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use bailiwick::http::Arrival;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{app::Service, contract};

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
        self.assert_problem();
        assert_eq!(self.body["code"], code, "{}", self.text);
        self.body
    }

    /// Checks that this is a well-formed problem document.
    #[track_caller]
    pub(crate) fn assert_problem(&self) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{} {}", self.status, self.text);
        let code = self.body["code"].as_str().unwrap();
        assert_eq!(self.body["status"], self.status.as_u16());
        assert_eq!(self.body["type"], format!("urn:bailiwick:problem:{code}"));
        assert_eq!(self.body["request_id"], self.header("x-request-id"));
        assert!(self.body["instance"].as_str().unwrap().starts_with('/'));
    }

    /// A header's text; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What is wrong with the request, as `pointer` → `detail`.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }

    /// Checks that this is an error of OAuth 2.0 (RFC 6749 §5.2) with this name.
    #[track_caller]
    pub(crate) fn expect_oauth(self, status: u16, error: &str) -> Value {
        assert_eq!((self.status.as_u16(), &self.body["error"]), (status, &json!(error)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!((self.header("cache-control"), self.header("pragma")), ("no-store", "no-cache"));
        assert_eq!(self.body["decision_id"].is_string(), error == "access_denied", "{}", self.text);
        self.body
    }
}

/// Sends a form to a router.
pub(crate) async fn form(
    router: &Router,
    path: &str,
    client: Option<&Service>,
    fields: &[(&str, &str)],
) -> Reply {
    let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(client) = client {
        request = request.header(header::AUTHORIZATION, client.basic());
    }
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    raw(router, request.body(Body::from(body)).unwrap()).await
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
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reply = answer(router, request).await;
    contract::check(&method, &path, &reply);
    reply
}

/// Sends any request to any router: the answer is not measured by the contract.
pub(crate) async fn answer(router: &Router, request: Request<Body>) -> Reply {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, mut body) = response.into_parts();
    let lasts = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let bytes = if lasts {
        body.frame().await.unwrap().unwrap().into_data().unwrap() // a stream is as long as its reader likes
    } else {
        body.collect().await.unwrap().to_bytes()
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status: parts.status, headers: parts.headers, body, text }
}

/// A GET whose answer the document does not promise, such as one on the wrong listener.
pub(crate) async fn unchecked(router: &Router, path: &str) -> Reply {
    answer(router, Request::get(path).body(Body::empty()).unwrap()).await
}

/// A request as the listener passes it on: with the address of its peer.
pub(crate) fn from_peer(mut request: Request<Body>, peer: &str) -> Request<Body> {
    let peer: IpAddr = peer.parse().unwrap();
    request.extensions_mut().insert(Arrival::from(SocketAddr::new(peer, 40_000)));
    request
}
