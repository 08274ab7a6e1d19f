//! A reader of Server-Sent Events, by the standard's own grammar.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const STREAM: &str = "/v1/internal/revocations/stream";
/// Longer than anything here may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// A stream under way.
pub(crate) struct Events {
    body: Body,
    text: String,
    /// What a reader would send as `Last-Event-ID`.
    pub(crate) last_id: Option<i64>,
}

impl Events {
    /// Opens a stream.
    pub(crate) async fn open(router: &Router, token: &str, query: &str, last_id: Option<i64>) -> Self {
        let mut request =
            Request::get(format!("{STREAM}{query}")).header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        Self { body: response.into_body(), text: String::new(), last_id: None }
    }

    /// The next event; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let deadline = tokio::time::Instant::now() + LIMIT; // for heartbeats are no news
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let of = |line: &str| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned);
                    block.lines().find_map(of)
                };
                let (id, name, data) = (field("id"), field("event"), field("data"));
                let rest = rest.to_owned();
                self.text = rest;
                self.last_id = id.map(|id| id.parse().unwrap()).or(self.last_id);
                if let Some(data) = data {
                    let data = serde_json::from_str(&data).unwrap();
                    return Some(Event { id: self.last_id.unwrap(), name: name.unwrap(), data });
                }
            }
            let frame = tokio::time::timeout_at(deadline, self.body.frame())
                .await
                .unwrap_or_else(|_| panic!("nothing comes"));
            let bytes = frame?.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The id of the next revocation.
    pub(crate) async fn told(&mut self) -> String {
        let event = self.next().await.unwrap_or_else(|| panic!("the stream has ended"));
        assert_eq!((&*event.name, &event.data["seq"]), ("revocation", &json!(event.id)), "{event:?}");
        event.data["id"].as_str().unwrap().to_owned()
    }
}
