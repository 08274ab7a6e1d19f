//! A blocking client of one listener.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use base64::Engine;
use serde_json::{Value, json};
use ureq::{
    Agent,
    http::{HeaderMap, Request},
};

/// A password that meets the rules.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Longer than the server may take for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// Talks to one listener.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
    agent: Agent,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The text as JSON; null when it is not.
    pub(crate) body: Value,
}

impl Reply {
    /// The body, if the status is as wanted; else a panic that shows the problem.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// Checks that this is a problem document with this status and code.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["code"], code, "{}", self.text);
    }
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { url: url.to_owned(), agent }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }

    /// Sends a request with a JSON body.
    ///
    /// Errors: there was no whole answer.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_string())?;
                self.agent.run(request)?
            }
            None => self.agent.run(request.body(())?)?,
        };
        let text = response.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), text, body })
    }

    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Reply {
        match self.try_send(method, path, token, body) {
            Ok(reply) => reply,
            Err(error) => panic!("{method} {}{path}: {error}", self.url),
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None, None)
    }

    #[track_caller]
    pub(crate) fn get_as(&self, token: &str, path: &str) -> Reply {
        self.send("GET", path, Some(token), None)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, None, Some(body))
    }

    #[track_caller]
    pub(crate) fn post_as(&self, token: &str, path: &str, body: &Value) -> Reply {
        self.send("POST", path, Some(token), Some(body))
    }

    /// Sends a form as a client of OAuth 2.0: its id and its secret.
    #[track_caller]
    pub(crate) fn form(&self, path: &str, (id, secret): (&str, &str), body: &str) -> Reply {
        let proof = base64::prelude::BASE64_STANDARD.encode(format!("{id}:{secret}"));
        let request = Request::post(format!("{}{path}", self.url))
            .header("authorization", format!("Basic {proof}"))
            .header("content-type", "application/x-www-form-urlencoded");
        let mut response = self.agent.run(request.body(body.to_owned()).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), text, body }
    }

    /// Signs a new user up and in.
    #[track_caller]
    pub(crate) fn user(&self, name: &str) -> Actor {
        let email = format!("{name}@example.com");
        let reply = self.post("/v1/auth/register", &json!({"email": email, "password": PASSWORD}));
        assert!([201, 202].contains(&reply.status), "{}", reply.text);
        self.login(&email)
    }

    /// Signs a known user in.
    #[track_caller]
    pub(crate) fn login(&self, email: &str) -> Actor {
        let login = json!({"identifier": email, "password": PASSWORD});
        Actor::from(self.post("/v1/auth/login", &login).expect(200))
    }

    /// Whether the holder of `token` may view the handbook, and the policy version that says so.
    #[track_caller]
    pub(crate) fn may_view_handbook(&self, token: &str) -> Reply {
        self.post_as(token, "/v1/authorize", &handbook("view"))
    }
}

/// The question whether the caller may do `action` to a public document of the shipped store.
pub(crate) fn handbook(action: &str) -> Value {
    json!({"policy_store": "app", "action": action, "resource": {"type": "Document", "id": "handbook"}})
}

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) token: String,
    pub(crate) refresh: String,
    pub(crate) session: String,
}

impl From<Value> for Actor {
    fn from(tokens: Value) -> Self {
        let text =
            |name: &str| tokens[name].as_str().unwrap_or_else(|| panic!("{name}: {tokens}")).to_owned();
        Self { token: text("access_token"), refresh: text("refresh_token"), session: text("session_id") }
    }
}

/// A bare connection, for what no client library sends.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The head of a JSON POST to `path`, with further header lines; the body may follow.
pub(crate) fn head(path: &str, headers: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\r\n")
}

/// Everything the peer sends until it closes. A reset is a close as well.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> String {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut part) {
        all.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Reads until what was read ends with `end`.
pub(crate) fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let (mut all, mut one) = (Vec::new(), [0; 1]);
    while !all.ends_with(end.as_bytes()) {
        let count = stream.read(&mut one).unwrap();
        assert_eq!(count, 1, "closed after `{}`", String::from_utf8_lossy(&all));
        all.extend_from_slice(&one);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Writes, if the peer still listens.
pub(crate) fn write(stream: &mut TcpStream, text: &str) -> bool {
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_ok()
}
