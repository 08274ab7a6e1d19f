//! What refreshing and the validation of tokens cost, as ratios to `/healthz` of the same server in the same minutes.
//!
//! `cargo bench --bench identity -- [--seconds 5] [--rounds 3]`. Needs `wrk`. The server is the real binary on loopback;
//! on SQLite and memory, and once more on Postgres and Redis where `BAILIWICK_TEST_POSTGRES_URL` and
//! `BAILIWICK_TEST_REDIS_URL` name them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench fails by panicking, prints what it measured"
)]

use std::{fs, process::Command};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use tempfile::TempDir;

#[expect(dead_code, reason = "of the system tests, which use all of it")]
#[path = "../tests/system/client.rs"]
mod client;
#[expect(dead_code, reason = "as above")]
#[path = "../tests/system/server.rs"]
mod server;
#[path = "../tests/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "as above")]
#[path = "../tests/system/wait.rs"]
mod wait;

use server::{Installation, Server};

/// Connections, each with a thread of `wrk` and, where it refreshes, a session of its own: a token is used once.
const CONNECTIONS: usize = 8;
/// What `wrk` runs. A refresh sends the token that the answer before it gave.
const SCRIPT: &str = r#"
local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end
function init(args)
  token = REFRESH[number]
end
function request()
  if not token then return wrk.format(METHOD, PATH, HEADERS, BODY) end
  return wrk.format(METHOD, PATH, HEADERS, '{"refresh_token":"' .. token .. '"}')
end
if REFRESH[1] then
  function response(status, headers, body)
    token = body:match('"refresh_token":"([^"]+)"') or error(status .. " " .. body)
  end
end
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format("MEASURED %d %d %.1f %.1f %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"#;

/// One kind of request.
struct Kind {
    name: &'static str,
    url: String,
    /// `METHOD, PATH, HEADERS, BODY` of the script.
    request: String,
    refreshes: bool,
}

/// Requests a second, and latencies in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Run {
    rate: f64,
    p50: f64,
    p99: f64,
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut seconds, mut rounds) = (5, 3);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|word| word.parse().ok()).expect("a whole number follows");
        match word.as_str() {
            "--seconds" => seconds = number,
            "--rounds" => rounds = number.max(1),
            other => panic!("`{other}` is not understood"),
        }
    }
    println!("| on | request | req/s | ratio to `/healthz` | p50/p99, ms |\n|---|---|--:|--:|--:|");
    measure("SQLite, memory", &[], seconds, rounds);
    if let (Some(postgres), Some(redis)) = (support::postgres_url(), support::redis_url()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let database = runtime.block_on(support::fresh_postgres(&postgres));
        let prefix = format!("bench:{}:", support::unique());
        let (master, salt) = (support::unique().repeat(4), support::unique().repeat(2));
        let shared = [
            ("storage.postgres_url", &*database),
            ("redis.url", &redis),
            ("redis.prefix", &prefix),
            ("secrets.master_key", &master),
            ("secrets.redis_key_salt", &salt),
        ];
        measure("Postgres, Redis", &shared, seconds, rounds);
    }
}

/// Every kind of request against one server, as rows of a table.
fn measure(on: &str, settings: &[(&str, &str)], seconds: u64, rounds: u64) {
    let mut installation = Installation::new(&[
        ("policy.watch", "false"),
        ("log.filter", "warn"), // one line a request would measure the log
        ("tokens.access_ttl_secs", "86400"),
    ]);
    installation.set(settings);
    let server = installation.start();
    let kinds = kinds(&server);
    let mut runs = vec![Vec::new(); kinds.len()];
    for _ in 0..rounds {
        for (kind, runs) in kinds.iter().zip(&mut runs) {
            runs.push(run(&server, kind, seconds));
        }
    }
    let median = |runs: &mut Vec<Run>| {
        runs.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        runs[runs.len() / 2]
    };
    let medians: Vec<Run> = runs.iter_mut().map(median).collect();
    for (kind, Run { rate, p50, p99 }) in kinds.iter().zip(&medians) {
        let ratio = rate / medians[0].rate;
        println!("| {on} | {} | {rate:.0} | {ratio:.2} | {p50:.2} / {p99:.2} |", kind.name);
    }
}

/// `/healthz` first.
fn kinds(server: &Server) -> Vec<Kind> {
    let public = &server.public;
    let root = server.administrator();
    let about = json!({"name": "bench", "grants": ["client_credentials"], "scopes": ["decisions"]});
    let made = public.post_as(&root.token, "/v1/admin/oauth-clients", &about).expect(201);
    let proof = format!("{}:{}", made["id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let proof = BASE64_STANDARD.encode(proof);
    let request = |method: &str, path: &str, headers: &str, body: &str| {
        format!("METHOD, PATH, HEADERS, BODY = '{method}', '{path}', {{ {headers} }}, {body}\n")
    };
    let json = "['content-type'] = 'application/json'";
    let form = format!(
        "['content-type'] = 'application/x-www-form-urlencoded', ['authorization'] = 'Basic {proof}'"
    );
    let bearer = format!("['authorization'] = 'Bearer {}'", root.token);
    let kind = |name, url: &str, request, refreshes| Kind { name, url: url.to_owned(), request, refreshes };
    vec![
        kind("`GET /healthz`", &server.admin.url, request("GET", "/healthz", "", "nil"), false),
        kind("`GET /v1/users/me`", &public.url, request("GET", "/v1/users/me", &bearer, "nil"), false),
        kind(
            "`POST /v1/oauth/introspect`",
            &public.url,
            request("POST", "/v1/oauth/introspect", &form, &format!("'token={}'", root.token)),
            false,
        ),
        kind("`POST /v1/auth/refresh`", &public.url, request("POST", "/v1/auth/refresh", json, "nil"), true),
    ]
}

/// Keeps all connections busy with one kind of request.
fn run(server: &Server, kind: &Kind, seconds: u64) -> Run {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("load.lua");
    let sessions = if kind.refreshes { CONNECTIONS } else { 0 };
    let tokens: Vec<String> =
        (0..sessions).map(|_| format!("'{}'", server.public.login(server::ROOT).refresh)).collect();
    let head = format!("REFRESH = {{ {} }}\n", tokens.join(", "));
    fs::write(&script, kind.request.clone() + &head + SCRIPT).unwrap();
    let connections = CONNECTIONS.to_string();
    let output = Command::new("wrk")
        .args(["-t", &connections, "-c", &connections, "-d", &format!("{seconds}s"), "--latency", "-s"])
        .arg(&script)
        .arg(&kind.url)
        .output()
        .expect("`wrk` is installed");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.strip_prefix("MEASURED "));
    let line = line.unwrap_or_else(|| panic!("wrk said nothing:\n{text}\n{errors}"));
    let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
    assert!(numbers[4] < 1.0 && errors.is_empty(), "{}: {text}\n{errors}", kind.name);
    Run { rate: numbers[0] * 1e6 / numbers[1], p50: numbers[2] / 1e3, p99: numbers[3] / 1e3 }
}
