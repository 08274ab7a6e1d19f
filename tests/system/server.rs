//! The server as an operator runs it: a folder, variables, a process, signals.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    client::{Actor, Client, PASSWORD},
    wait,
};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_bailiwick");
/// How long a start may take on a machine that is busy with other tests, unoptimised.
const START_LIMIT: Duration = Duration::from_secs(90);
/// The first administrator's address.
pub(crate) const ROOT: &str = "root@example.com";

/// A folder and settings that servers are started with, again and again.
#[derive(Debug)]
pub(crate) struct Installation {
    folder: Arc<TempDir>,
    settings: Vec<(String, String)>,
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) public: Client,
    pub(crate) internal: Client,
    pub(crate) admin: Client,
    /// Where it says that the page is.
    pub(crate) docs: String,
    /// The token of the first administrator, if it printed one.
    pub(crate) setup_token: Option<String>,
    log: Log,
    /// Kept as long as the server works in it.
    _folder: Arc<TempDir>,
}

/// What a process wrote to standard error.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

/// A process that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Log {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let page = Arc::clone(&log.0);
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut part) {
                page.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..count]));
            }
        });
        log
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Installation {
    /// An empty folder, and settings such as `("log.filter", "debug")` over those that suit tests: free
    /// ports, cheap hashes, an issuer that does not change with the port.
    pub(crate) fn new(settings: &[(&str, &str)]) -> Self {
        let mut installation = Self::bare(&[
            ("passwords.argon2_memory_kib", "8"),
            ("passwords.argon2_passes", "1"),
            ("passwords.queue_per_worker", "1000"),
            ("limits.login_per_address", "1000000"),
            ("limits.login_per_identifier", "1000000"),
            ("limits.register_per_address", "1000000"),
            ("limits.mail_per_address", "1000000"),
            ("limits.mail_per_recipient", "1000000"),
            ("limits.lock_after", "1000000"),
            ("limits.anomaly_failures", "1000000"),
            ("tokens.issuer", "http://issuer.test"),
        ]);
        installation.set(settings);
        installation
    }

    /// An empty folder, and these settings over the defaults; only the ports are chosen freely.
    pub(crate) fn bare(settings: &[(&str, &str)]) -> Self {
        let mut installation = Self { folder: Arc::new(TempDir::new().unwrap()), settings: Vec::new() };
        let any = "127.0.0.1:0";
        installation.set(&[
            ("server.public_addr", any),
            ("server.internal_addr", any),
            ("server.admin_addr", any),
        ]);
        installation.set(settings);
        installation
    }

    /// Sets more; the later value of a key counts.
    pub(crate) fn set(&mut self, settings: &[(&str, &str)]) {
        for (key, value) in settings {
            self.settings.retain(|(known, _)| known != key);
            self.settings.push(((*key).to_owned(), (*value).to_owned()));
        }
    }

    /// Takes a setting back.
    pub(crate) fn unset(&mut self, key: &str) {
        self.settings.retain(|(known, _)| known != key);
    }

    /// The working folder: `bailiwick.toml` and `policies` are looked for here.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder, made by the server.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("bailiwick-data")
    }

    /// A command with the installation's folder and variables, and nothing else of our environment but
    /// what finds programs.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder()).env_clear().stdin(Stdio::null());
        for name in ["PATH", "HOME"] {
            command.envs(crate::support::setting(name).map(|value| (name, value)));
        }
        for (key, value) in &self.settings {
            let name = format!("BAILIWICK__{}", key.to_ascii_uppercase().replace('.', "__"));
            command.env(name, value);
        }
        command
    }

    /// Starts a server and waits until it serves.
    #[track_caller]
    pub(crate) fn start(&self) -> Server {
        match self.try_start() {
            Ok(server) => server,
            Err(ended) => panic!("the server did not start: {}\n{}{}", ended.status, ended.out, ended.err),
        }
    }

    /// Starts a server that may refuse.
    ///
    /// Errors: it ended before it was ready.
    pub(crate) fn try_start(&self) -> Result<Server, Ended> {
        let mut command = self.command(PROGRAM);
        let mut process = command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::of(process.stderr.take().unwrap());
        let lines = lines(process.stdout.take().unwrap());
        let mut process = Guard(Some(process));
        let mut said = Vec::new();
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line == "ready" => break,
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = ended(process.child(), START_LIMIT);
                    // The pipe's other end is closed, so the reader is about to have all of it.
                    wait::until_true("end of standard error", START_LIMIT, || Arc::strong_count(&log.0) == 1);
                    return Err(Ended { status, out: said.join("\n"), err: log.text() });
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("not ready within {START_LIMIT:?}: {said:?}\n{}", log.text())
                }
            }
        }
        // What is written from here on is read, so that the server never waits for us.
        thread::spawn(move || lines.into_iter().count());
        let fact = |name: &str| {
            let of_line = |line: &String| {
                let (word, rest) = line.split_once(char::is_whitespace)?;
                (word == name).then(|| rest.trim().to_owned())
            };
            said.iter().find_map(of_line)
        };
        let client =
            |name: &str| Client::new(&fact(name).unwrap_or_else(|| panic!("`{name}` is not said: {said:?}")));
        Ok(Server {
            public: client("public"),
            internal: client("internal"),
            admin: client("admin"),
            docs: fact("docs").unwrap_or_default(),
            setup_token: fact("setup"),
            process: process.0.take().unwrap(),
            log,
            _folder: Arc::clone(&self.folder),
        })
    }
}

impl Server {
    /// Makes the first administrator and signs them in.
    #[track_caller]
    pub(crate) fn administrator(&self) -> Actor {
        let token = self.setup_token.as_ref().expect("the server printed a set-up token");
        self.public.post("/v1/setup", &setup(token)).expect(201);
        self.public.login(ROOT)
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it wrote to standard error until now.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let pid = self.pid().to_string();
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn ended(&mut self, limit: Duration) -> ExitStatus {
        ended(&mut self.process, limit)
    }

    /// Asks it to end, waits, and checks that it ended well.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.terminate();
        let status = self.ended(Duration::from_secs(40));
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("log of {}:\n{}", self.public.url, self.log());
        }
    }
}

/// The request that makes the first administrator.
pub(crate) fn setup(token: &str) -> serde_json::Value {
    json!({"setup_token": token, "email": ROOT, "password": PASSWORD})
}

/// Kills a process that nobody took over.
struct Guard(Option<Child>);

impl Guard {
    fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(process) = &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[track_caller]
fn ended(process: &mut Child, limit: Duration) -> ExitStatus {
    wait::until("the process ends", limit, || process.try_wait().unwrap()).0
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
