//! The floor: the least that a server in the same language with the same libraries can do. It parses the
//! same JSON into typed structs and answers the same bytes each time. No policies, no callers, no log.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::Value;

/// What makes this program the floor server instead of the bench.
pub(crate) const ROLE: &str = "--be-the-floor";

/// The floor server as a child process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Floor {
    process: Child,
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "parsed as a server must; the answer does not depend on it")]
struct Question {
    policy_store: Option<String>,
    principal: EntityName,
    action: String,
    resource: EntityName,
    context: Option<Value>,
    #[serde(default)]
    entities: Vec<Entity>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as above")]
struct EntityName {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Entity {
    uid: EntityName,
    attrs: Value,
    parents: Vec<EntityName>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Batch {
    policy_store: Option<String>,
    requests: Vec<Question>,
}

impl Floor {
    /// Starts one that answers `answer` to a question, and to a batch as many times as it has items.
    pub(crate) fn start(answer: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut process = Command::new(program).args([ROLE, answer]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, url: format!("http://{}", line.trim()) }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves until it is killed.
pub(crate) fn serve(answer: &'static str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        let router = Router::new()
            .route("/v1/authorize", post(async move |body: Bytes| question(&body, answer)))
            .route("/v1/authorize/batch", post(async move |body: Bytes| batch(&body, answer)))
            .route("/healthz", get(async || json("{\"status\":\"ok\"}".to_owned())));
        axum::serve(listener, router).await.unwrap();
    });
}

fn question(body: &[u8], answer: &'static str) -> Response {
    match serde_json::from_slice::<Question>(body) {
        Ok(_) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

fn batch(body: &[u8], answer: &str) -> Response {
    match serde_json::from_slice::<Batch>(body) {
        Ok(batch) => {
            let items = vec![answer; batch.requests.len()];
            json(format!("{{\"responses\":[{}]}}", items.join(",")))
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
