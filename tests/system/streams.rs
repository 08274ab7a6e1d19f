//! What ends is told on an open stream within a second, and the stream ends with the server (R105, threat T59).

use std::{
    io::{BufRead, BufReader},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::{Actor, Client, connect, write},
    nodes::{bus_becomes, installation, shared_settings, start_both},
    proxy::{Wire, place},
    server::Installation,
    turn::Turn,
};

/// What is promised while nodes hear each other.
const AT_ONCE: Duration = Duration::from_secs(1);
/// What is promised while they do not.
const POLL: Duration = Duration::from_secs(5);
/// For what has no promise.
const LIMIT: Duration = Duration::from_secs(30);
const ROUNDS: usize = 20;
/// What a request may take here.
const REQUEST: Duration = Duration::from_secs(2);

/// A stream of revocations, read by a thread.
struct Stream(Receiver<(Instant, Value)>);

impl Stream {
    /// Opens a stream on the internal listener, by HTTP/1.1 as it stands on the wire.
    fn open(internal: &Client, token: &str) -> Self {
        let mut socket = connect(internal.address());
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let request = format!(
            "GET /v1/internal/revocations/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        assert!(write(&mut socket, &request));
        let mut lines = BufReader::new(socket).lines();
        let status = lines.next().unwrap().unwrap();
        assert_eq!(status, "HTTP/1.1 200 OK");
        let (sender, receiver) = channel();
        thread::spawn(move || {
            // The chunk of no length is the end; the connection may stay for another request.
            for line in lines.map_while(Result::ok).take_while(|line| line != "0") {
                let Some(data) = line.strip_prefix("data: ") else { continue };
                if sender.send((Instant::now(), serde_json::from_str(data).unwrap())).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// When this was told.
    fn told(&self, id: &str, limit: Duration) -> Instant {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.0.recv_timeout(left) {
                Ok((at, data)) if data["id"] == id => return at,
                Ok(_) => {}
                Err(error) => panic!("`{id}` is not told: {error}"),
            }
        }
    }

    /// Waits until it has ended.
    fn ended(&self, limit: Duration) -> Duration {
        let began = Instant::now();
        loop {
            match self.0.recv_timeout(limit.saturating_sub(began.elapsed())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return began.elapsed(),
                Err(RecvTimeoutError::Timeout) => panic!("it goes on after {limit:?}"),
            }
        }
    }
}

/// A program that follows, and its client's id.
fn service(public: &Client, root: &Actor) -> (String, String) {
    let about = json!({"name": "Sockets", "scopes": ["internal"]});
    let made = public.post_as(&root.token, "/v1/admin/oauth-clients", &about).expect(201);
    let (id, secret) = (made["id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let issued = public.form("/v1/oauth/token", (id, secret), "grant_type=client_credentials").expect(200);
    (id.to_owned(), issued["access_token"].as_str().unwrap().to_owned())
}

/// Signs somebody out at `public`, and answers how long after the request was sent the stream tells of it.
fn logout_is_told(stream: &Stream, public: &Client, name: &str, limit: Duration) -> Duration {
    let leaving = public.login(&format!("{name}@example.com"));
    public.get_as(&leaving.token, "/v1/users/me").expect(200); // what a first use costs is not measured
    let began = Instant::now();
    public.post_as(&leaving.token, "/v1/auth/logout", &json!({})).expect(204);
    let took = stream.told(&leaving.session, limit).saturating_duration_since(began);
    assert!(took < limit, "{took:?}");
    took
}

fn say(what: &str, mut took: Vec<Duration>) {
    took.sort();
    println!("{what}: median {:?}, worst {:?} of {}", took[took.len() / 2], took[took.len() - 1], took.len());
}

#[test]
fn a_logout_is_told_within_a_second_and_the_stream_ends_with_the_server() {
    let _turn = Turn::alone();
    let limit = REQUEST.as_secs().to_string();
    let mut server = Installation::new(&[("server.request_timeout_secs", &limit)]).start();
    let root = server.administrator();
    let (id, token) = service(&server.public, &root);
    let (stream, opened) = (Stream::open(&server.internal, &token), Instant::now());
    server.public.user("alice");
    let took = (0..ROUNDS).map(|_| logout_is_told(&stream, &server.public, "alice", AT_ONCE)).collect();
    say("a logout on the same node", took);

    // For longer than a request may take, which a stream is not.
    while opened.elapsed() < REQUEST * 2 {
        logout_is_told(&stream, &server.public, "alice", AT_ONCE);
    }

    let path = format!("/v1/admin/oauth-clients/{id}");
    let off = json!({"status": "disabled"});
    server.public.send("PATCH", &path, Some(&root.token), Some(&off)).expect(200);
    println!("the stream of a client that was disabled: {:?}", stream.ended(AT_ONCE));

    let (_, token) = service(&server.public, &root);
    let stream = Stream::open(&server.internal, &token);
    logout_is_told(&stream, &server.public, "alice", AT_ONCE);
    let began = Instant::now();
    server.terminate();
    stream.ended(LIMIT);
    assert_eq!(server.ended(LIMIT).code(), Some(0), "{}", server.log());
    assert!(began.elapsed() < Duration::from_secs(10), "no time to drain is lost: {:?}", began.elapsed());
}

#[test]
fn a_logout_on_another_node_is_told_with_and_without_the_bus() {
    let _turn = Turn::alone();
    let Some(settings) = shared_settings() else { return };
    let redis = settings.iter().find(|(key, _)| *key == "redis.url").unwrap().1.clone();
    let wire = Wire::to(place(&redis));
    let (a, b) = (installation(&settings, &[]), installation(&settings, &[("redis.url", wire.url(&redis))]));
    let (a, b, root) = start_both(&a, &b);
    bus_becomes(&a.admin, "ok");
    bus_becomes(&b.admin, "ok");
    let (id, token) = service(&a.public, &root);
    let stream = Stream::open(&b.internal, &token);
    a.public.user("alice");
    let took = (0..ROUNDS).map(|_| logout_is_told(&stream, &a.public, "alice", AT_ONCE)).collect();
    say("a logout on another node", took);

    wire.cut();
    logout_is_told(&stream, &a.public, "alice", POLL);
    bus_becomes(&b.admin, "degraded");
    let took = (0..5).map(|_| logout_is_told(&stream, &a.public, "alice", POLL)).collect();
    say("the same without the bus", took);
    let took = (0..5).map(|_| logout_is_told(&stream, &b.public, "alice", POLL)).collect();
    say("without the bus, on the node itself", took);
    a.public.send("DELETE", &format!("/v1/admin/oauth-clients/{id}"), Some(&root.token), None).expect(204);
    println!("the stream of a client that was removed, without the bus: {:?}", stream.ended(POLL));
}
