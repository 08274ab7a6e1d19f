//! Open-loop load: requests at a fixed rate, whatever becomes of those before. Latency counts from the moment
//! at which a request was due, so a server that stands still cannot hide it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::realtime;

/// Connections, each with a thread of its own.
const CONNECTIONS: u32 = 16;
/// Of the threads that send.
const PRIORITY: u8 = 1;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// When it was due, since the load began.
    pub(crate) due: Duration,
    /// From then until the whole answer was there.
    pub(crate) latency: Duration,
    /// What was wrong with it.
    pub(crate) fault: Option<String>,
}

/// Load that goes on until it is ended.
#[derive(Debug)]
pub(crate) struct Steady {
    began: Instant,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Sample>>>,
}

impl Steady {
    /// Sends `bodies` in turn, `rate` a second; `check` says what is wrong with an answer.
    pub(crate) fn start(
        address: SocketAddr,
        token: &str,
        bodies: &[String],
        rate: f64,
        check: fn(&[u8]) -> Option<String>,
    ) -> Self {
        // Whole requests, made beforehand: the machine is the server's as far as can be.
        let requests = bodies.iter().map(|body| whole("/v1/authorize", token, body));
        let requests: Arc<Vec<String>> = Arc::new(requests.collect());
        let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let gap = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
        let threads = (0..CONNECTIONS).map(|number| {
            let mut sender = Sender::new(address);
            let (requests, stop) = (Arc::clone(&requests), Arc::clone(&stop));
            thread::spawn(move || {
                realtime::rise(PRIORITY, None); // where it may not, it waits behind what it measures
                let mut samples = Vec::new();
                let mut due = gap.mul_f64(f64::from(number) / f64::from(CONNECTIONS));
                for request in requests.iter().cycle().skip(number as usize * 997) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    thread::sleep((began + due).saturating_duration_since(Instant::now()));
                    let fault = match sender.ask(request) {
                        Ok(answer) => check(answer),
                        Err(fault) => Some(fault),
                    };
                    samples.push(Sample { due, latency: began.elapsed().saturating_sub(due), fault });
                    due += gap;
                }
                samples
            })
        });
        Self { threads: threads.collect(), began, stop }
    }

    /// When it began: moments count from there.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// How long it has been going on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Ends it; answers every request in the order in which they were due.
    pub(crate) fn end(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all: Vec<Sample> =
            self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        all.sort_by_key(|sample| sample.due);
        all
    }
}

/// The latency that `share` of the samples do not exceed.
pub(crate) fn percentile(samples: &[Sample], share: f64) -> Duration {
    let mut latencies: Vec<Duration> = samples.iter().map(|sample| sample.latency).collect();
    latencies.sort();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place"
    )]
    let place = (latencies.len() as f64 * share).ceil() as usize;
    latencies.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// A request with everything that goes over the wire.
pub(crate) fn whole(path: &str, token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A connection that sends one request after another, and reads no more of an answer than it must.
pub(crate) struct Sender {
    stream: TcpStream,
    buffer: Vec<u8>,
    address: SocketAddr,
}

impl Sender {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { stream: connect(address), buffer: Vec::new(), address }
    }

    /// The body of the answer.
    ///
    /// Errors: what went wrong, for people; the connection is a new one then.
    pub(crate) fn ask(&mut self, request: &str) -> Result<&[u8], String> {
        match self.exchange(request) {
            Ok(body) => Ok(&self.buffer[body..]),
            Err(fault) => {
                self.stream = connect(self.address);
                Err(fault)
            }
        }
    }

    /// Leaves an answer in the buffer; answers where its body begins.
    fn exchange(&mut self, request: &str) -> Result<usize, String> {
        self.stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        self.buffer.clear();
        let mut part = [0; 4096];
        loop {
            let count = self.stream.read(&mut part).map_err(|error| error.to_string())?;
            if count == 0 {
                return Err("the connection was closed".to_owned());
            }
            self.buffer.extend_from_slice(&part[..count]);
            let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.buffer[..head]).map_err(|error| error.to_string())?;
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.ok_or("no length")?.trim().parse().map_err(|_| "no length")?;
            let Some(body) = self.buffer.get(head + 4..head + 4 + length) else { continue };
            if !text.starts_with("HTTP/1.1 20") {
                let first = text.lines().next().unwrap_or("");
                return Err(format!("{first} {}", String::from_utf8_lossy(body)));
            }
            return Ok(head + 4);
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}
