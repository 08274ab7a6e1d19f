//! A wire that can be cut: a TCP proxy in front of Postgres or Redis.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The wire. Open until it is cut.
#[derive(Debug)]
pub(crate) struct Wire {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    fate: Fate,
    live: Vec<TcpStream>,
    /// Whether the live connections have fallen silent; a new flag for those that come after them.
    silent: Arc<AtomicBool>,
    over: bool,
}

/// What happens to connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Carried,
    /// Closed at once, as by a server that is down.
    Refused,
    /// Open and dead, as behind a firewall that drops packets.
    Silent,
}

impl Wire {
    /// A wire to `target`, `host:port`.
    pub(crate) fn to(target: &str) -> Self {
        let target = target.to_socket_addrs().unwrap().next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.lock().unwrap().over {
                    break;
                }
                carry(stream, target, &shared);
            }
        });
        Self { address, state }
    }

    /// The same URL, through the wire.
    pub(crate) fn url(&self, url: &str) -> String {
        let place = place(url);
        url.replacen(place, &self.address.to_string(), 1)
    }

    /// Closes every connection, and each new one at once.
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.fate = Fate::Refused;
        state.silent = Arc::default();
        for stream in state.live.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets every connection, and each new one, stay open and carry nothing, for ever.
    pub(crate) fn silence(&self) {
        let mut state = self.state.lock().unwrap();
        state.fate = Fate::Silent;
        state.silent.store(true, Ordering::SeqCst);
    }

    /// Carries new connections again. Those that fell silent stay so: nobody tells their ends.
    pub(crate) fn mend(&self) {
        let mut state = self.state.lock().unwrap();
        state.fate = Fate::Carried;
        state.silent = Arc::default();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        self.state.lock().unwrap().over = true;
        let _ = TcpStream::connect(self.address); // wakes the listener
    }
}

/// `host:port` of a URL.
pub(crate) fn place(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, place)| place)
}

fn carry(stream: TcpStream, target: SocketAddr, state: &Arc<Mutex<State>>) {
    if state.lock().unwrap().fate == Fate::Refused {
        return;
    }
    let Ok(far) = TcpStream::connect(target) else { return };
    let _ = (stream.set_nodelay(true), far.set_nodelay(true));
    let ends = [(&stream, &far), (&far, &stream)].map(|(from, to)| (from.try_clone(), to.try_clone()));
    let silent = {
        let mut state = state.lock().unwrap();
        if state.fate == Fate::Refused {
            return; // cut while it was made
        }
        state.live.extend([stream, far]);
        if state.fate == Fate::Silent { Arc::new(AtomicBool::new(true)) } else { Arc::clone(&state.silent) }
    };
    for (from, to) in ends {
        let (Ok(from), Ok(to)) = (from, to) else { return };
        let silent = Arc::clone(&silent);
        thread::spawn(move || copy(from, to, &silent));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut part = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut part) {
        if !silent.load(Ordering::SeqCst) && to.write_all(&part[..count]).is_err() {
            break;
        }
    }
    if !silent.load(Ordering::SeqCst) {
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

#[test]
fn finds_the_place_in_a_url() {
    for (url, expected) in [
        ("postgres://root@127.0.0.1:5432/postgres", "127.0.0.1:5432"),
        ("postgres://a:b%40c@db.example:5433/x?sslmode=disable", "db.example:5433"),
        ("redis://127.0.0.1:6379", "127.0.0.1:6379"),
        ("redis://:secret@[::1]:6379/3", "[::1]:6379"),
    ] {
        assert_eq!(place(url), expected);
    }
}

#[test]
fn carries_until_it_is_cut() {
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = echo.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in echo.incoming().flatten() {
            thread::spawn(move || {
                let mut one = [0; 1];
                while stream.read_exact(&mut one).is_ok() && stream.write_all(&one).is_ok() {}
            });
        }
    });
    let wire = Wire::to(&place);
    let talk = |stream: &mut TcpStream| {
        let mut one = [0; 1];
        stream.write_all(b"x").and_then(|()| stream.read_exact(&mut one)).is_ok()
    };
    let mut stream = TcpStream::connect(wire.address).unwrap();
    assert!(talk(&mut stream));
    wire.cut();
    assert!(!talk(&mut stream));
    assert!(!talk(&mut TcpStream::connect(wire.address).unwrap()));
    wire.mend();
    let mut stream = TcpStream::connect(wire.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    assert!(talk(&mut stream));
    wire.silence();
    assert!(!talk(&mut stream));
    wire.mend();
    assert!(!talk(&mut stream), "what fell silent stays so");
    assert!(talk(&mut TcpStream::connect(wire.address).unwrap()));
}
