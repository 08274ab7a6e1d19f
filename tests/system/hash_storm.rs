//! T10: a thousand sign-ins at once, the memory they take, and everybody else meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};

use crate::{
    client::{Client, PASSWORD},
    server::Installation,
    turn::Turn,
    wait,
};

const LOGINS: usize = 1_000;
const WORKERS: usize = 2;
const QUEUE_PER_WORKER: usize = 8;
/// What one worker's hash takes by default, KiB.
const HASH_KIB: usize = 19 * 1024;
/// What the storm may cost beside that: connections, tasks, what the allocator keeps.
const REST_KIB: usize = 64 * 1024;
const LIMIT: Duration = Duration::from_mins(1);

/// What became of the storm so far.
#[derive(Debug, Default)]
struct Storm {
    hashed: AtomicUsize,
    refused: AtomicUsize,
}

/// A number of `/proc/<pid>/status`, KiB.
fn memory(pid: u32, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").parse().unwrap()
}

/// One sign-in of somebody unknown on a connection of its own.
async fn sign_in(address: std::net::SocketAddr, n: usize, storm: &Storm) {
    let body = json!({"identifier": format!("nobody-{n}@example.com"), "password": PASSWORD}).to_string();
    let head =
        "POST /v1/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    if answer.starts_with("HTTP/1.1 401 ") {
        assert!(answer.contains("invalid_credentials"), "{answer}");
        storm.hashed.fetch_add(1, Ordering::SeqCst);
    } else {
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("hashing_overloaded"), "{answer}");
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        storm.refused.fetch_add(1, Ordering::SeqCst);
    }
}

/// How long three requests take of others, who hash nothing.
fn others(public: &Client, admin: &Client, token: &str) -> Duration {
    let began = Instant::now();
    public.get_as(token, "/v1/users/me").expect(200);
    admin.get("/healthz").expect(200);
    public.may_view_handbook(token).expect(200);
    began.elapsed()
}

/// The median and the 99th percentile.
fn spread(mut took: Vec<Duration>) -> (Duration, Duration) {
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

#[test]
fn t10_a_storm_of_logins_takes_the_memory_of_its_pool_and_nobody_elses_time() {
    let _turn = Turn::alone();
    let (workers, queue) = (WORKERS.to_string(), QUEUE_PER_WORKER.to_string());
    let installation = Installation::bare(&[
        ("passwords.workers", &workers),
        ("passwords.queue_per_worker", &queue),
        ("passwords.argon2_passes", "10"), // slow, so that the queue is full while others are answered
        ("limits.login_per_address", "1000000"),
        ("limits.anomaly_failures", "1000000"),
    ]);
    let server = installation.start();
    let base = memory(server.pid(), "VmRSS");
    let root = server.administrator();
    let ask = || others(&server.public, &server.admin, &root.token);
    let quiet: Vec<_> = (0..100).map(|_| ask()).collect();

    let storm = Arc::new(Storm::default());
    let (address, shared) = (server.public.address(), Arc::clone(&storm));
    let raging = thread::spawn(move || {
        let storm = async {
            let one = |n| sign_in(address, n, &shared);
            futures_util::future::join_all((0..LOGINS).map(one)).await;
        };
        Runtime::new().unwrap().block_on(storm);
    });
    wait::until_true("the queue is full", LIMIT, || storm.refused.load(Ordering::SeqCst) > 0);
    let mut in_the_storm = vec![ask()];
    while !raging.is_finished() {
        in_the_storm.push(ask());
    }
    raging.join().unwrap();

    let (hashed, refused) = (storm.hashed.load(Ordering::SeqCst), storm.refused.load(Ordering::SeqCst));
    let (peak, now) = (memory(server.pid(), "VmHWM"), memory(server.pid(), "VmRSS"));
    let answered = 3 * in_the_storm.len();
    println!("{hashed} hashed, {refused} refused, {answered} requests of others answered meanwhile");
    println!("resident KiB: {base} at the start, {peak} at most, {now} after the storm");
    let (quiet, stormy) = (spread(quiet), spread(in_the_storm));
    println!("three requests of others, median and p99: quiet {quiet:?}, in the storm {stormy:?}");
    assert_eq!(hashed + refused, LOGINS);
    // What came while the queue was full was refused; what a hash made room for was let in.
    assert!((WORKERS + WORKERS * QUEUE_PER_WORKER..LOGINS / 2).contains(&hashed), "{hashed}");
    // Had each of them waited for a hash to end, one after another, they could not outnumber the hashes.
    assert!(answered > 2 * hashed, "{answered} requests of others were answered beside {hashed} hashes");
    assert!(peak < base + WORKERS * HASH_KIB + REST_KIB, "{peak} KiB at most, {base} KiB at the start");
    server.public.login(crate::server::ROOT);
}
