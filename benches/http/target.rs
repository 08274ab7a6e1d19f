//! The server under test, set up over its own API: an administrator, a policy store, entities.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    client::{Actor, Reply},
    server::{Installation, Server},
    steady::whole,
    world::{Question, World},
};

/// The store that is asked.
pub(crate) const STORE: &str = "bench";

fn versions() -> String {
    format!("/v1/policy-stores/{STORE}/versions")
}

fn activate() -> String {
    format!("/v1/policy-stores/{STORE}/activate")
}

/// A running server with a signed-in administrator.
#[derive(Debug)]
pub(crate) struct Target {
    server: Server,
    root: Actor,
}

impl Target {
    /// Starts a server on an empty folder with the shipped `system` store.
    pub(crate) fn start() -> Self {
        let installation = Installation::new(&[
            ("policy.watch", "false"),
            ("log.filter", "warn"), // one line a request would measure the log
            ("tokens.access_ttl_secs", "86400"),
            ("server.bundle_limit_bytes", "268435456"),
            ("server.request_timeout_secs", "600"),
            ("server.body_timeout_secs", "600"),
        ]);
        let server = installation.start();
        let root = server.administrator();
        Self { server, root }
    }

    /// The whole request that publishes these files, for who sends it later.
    pub(crate) fn publishing(&self, files: &BTreeMap<String, String>) -> String {
        whole(&versions(), &self.root.token, &json!({"files": files}).to_string())
    }

    /// The whole request that makes a version the active one.
    pub(crate) fn activating(&self, version: i64) -> String {
        whole(&activate(), &self.root.token, &json!({"version": version}).to_string())
    }

    /// Publishes and activates the world's policies, then stores its entities.
    pub(crate) fn fill(&self, world: World) {
        let version = self.publish(&world.files(""));
        self.activate(version);
        let entities = Value::Array(world.entities().collect());
        let path = format!("/v1/policy-stores/{STORE}/entities");
        self.server.public.send("PUT", &path, Some(&self.root.token), Some(&entities)).expect(200);
    }

    /// Publishes a version; answers its number.
    pub(crate) fn publish(&self, files: &BTreeMap<String, String>) -> i64 {
        let reply = self.server.public.post_as(&self.root.token, &versions(), &json!({"files": files}));
        reply.expect(201)["version"].as_i64().unwrap()
    }

    /// Makes a version the active one.
    pub(crate) fn activate(&self, version: i64) {
        self.server.public.post_as(&self.root.token, &activate(), &json!({"version": version})).expect(200);
    }

    /// Asks one question.
    pub(crate) fn ask(&self, question: &Question) -> Reply {
        self.server.public.post_as(&self.root.token, "/v1/authorize", &with_store(question.body()))
    }

    /// Sends a batch.
    pub(crate) fn batch(&self, questions: &[Question]) -> Reply {
        self.server.public.post_as(&self.root.token, "/v1/authorize/batch", &batch(questions))
    }

    /// Address of the public listener.
    pub(crate) fn url(&self) -> &str {
        &self.server.public.url
    }

    /// Address of the admin listener.
    pub(crate) fn admin_url(&self) -> &str {
        &self.server.admin.url
    }

    /// The administrator's access token.
    pub(crate) fn token(&self) -> &str {
        &self.root.token
    }

    /// Memory that the server holds, MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// The sum of a metric over its series with these labels in their text; 0 when there is none.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.server.admin.get("/metrics").text;
        let lines =
            text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(labels));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }
}

/// A question's body with the store's name.
pub(crate) fn with_store(mut body: Value) -> Value {
    body["policy_store"] = json!(STORE);
    body
}

/// The body of a batch.
pub(crate) fn batch(questions: &[Question]) -> Value {
    json!({"policy_store": STORE, "requests": questions.iter().map(Question::body).collect::<Vec<_>>()})
}

/// Runs something and says how long it took.
pub(crate) fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = run();
    let took: Duration = began.elapsed();
    println!("{what}: {:.1} s", took.as_secs_f64());
    done
}
