//! Traces reach a collector, and nothing secret with them. A process of its own: the log is set up once in it.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; the exemption of clippy.toml does not reach helper functions"
)]

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, header},
};
use bailiwick::{
    app::{App, Overrides},
    config::Config,
    http::{AppState, Arrival, routers},
    telemetry,
};
use tower::ServiceExt;

const PASSWORD: &str = "correct horse battery staple";

/// One export as it arrived.
struct Export {
    head: String,
    body: Vec<u8>,
}

impl Export {
    fn contains(&self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        self.body.windows(bytes.len()).any(|window| window == bytes)
    }
}

/// A collector that says yes to everything.
fn collector() -> (SocketAddr, Receiver<Export>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (sender, receiver)) = (listener.local_addr().unwrap(), channel());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            while let Some(export) = read_request(&mut reader) {
                // Before the answer: with it the exporter is done, and the test reads what is here.
                let _ = sender.send(export); // nobody listens once the test is over
                reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        }
    });
    (address, receiver)
}

fn read_request(reader: &mut impl BufRead) -> Option<Export> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    head.make_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.split('\r').next()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Export { head, body })
}

/// Posts `body` as if from `peer`, as a part of the trace whose id is `trace`, 32 times one digit.
async fn post(router: &Router, peer: &str, trace: char, path: &str, body: &str) -> String {
    let traceparent = format!("00-{}-00f067aa0ba902b7-01", trace.to_string().repeat(32));
    let mut request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header("traceparent", traceparent)
        .body(Body::from(body.to_owned()))
        .unwrap();
    request.extensions_mut().insert(Arrival::from(peer.parse().unwrap()));
    let answer = router.clone().oneshot(request).await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn requests_are_exported_as_spans_and_nothing_secret_with_them() {
    let (address, exports) = collector();
    let data = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.data.dir = data.path().to_owned();
    config.policy.dir = concat!(env!("CARGO_MANIFEST_DIR"), "/policies").into();
    config.policy.watch = false;
    config.server.trusted_proxies = vec!["10.0.0.1/32".parse().unwrap()];
    config.log.otlp_endpoint = Some(format!("http://{address}"));
    config.validate().unwrap();

    let telemetry = telemetry::init(&config.log).unwrap();
    let app = App::start(config, Overrides::default()).await.unwrap();
    let public = routers(&AppState(Arc::new(app))).public;
    let registration = format!(r#"{{"email": "alice@example.com", "password": "{PASSWORD}"}}"#);
    post(&public, "10.0.0.1:4000", 'a', "/v1/auth/register", &registration).await;
    let login = format!(r#"{{"identifier": "alice@example.com", "password": "{PASSWORD}"}}"#);
    let tokens = post(&public, "192.0.2.1:4000", 'b', "/v1/auth/login", &login).await;
    drop(telemetry); // sends what waits

    let exports: Vec<Export> = exports.try_iter().collect();
    assert!(!exports.is_empty());
    for export in &exports {
        assert!(export.head.starts_with("post /v1/traces http/1.1\r\n"), "{}", export.head);
        assert!(export.head.contains("content-type: application/x-protobuf\r\n"), "{}", export.head);
    }
    let sent = |bytes: &[u8]| exports.iter().any(|export| export.contains(bytes));
    for expected in ["bailiwick", "request", "/v1/auth/register", "/v1/auth/login", "request answered"] {
        assert!(sent(expected.as_bytes()), "`{expected}` was not exported");
    }
    assert!(sent(&[0xaa; 16]), "the trace of a trusted peer is gone on with");
    assert!(!sent(&[0xbb; 16]), "the trace of anyone else is not");
    let tokens: serde_json::Value = serde_json::from_str(&tokens).unwrap();
    let token = |name: &str| tokens[name].as_str().expect(name).to_owned();
    for secret in
        [PASSWORD.to_owned(), "alice@example.com".to_owned(), token("access_token"), token("refresh_token")]
    {
        assert!(!sent(secret.as_bytes()), "`{secret}` was exported");
    }
}
