//! T15: a sign-in or a refresh beside a change of password. Whatever overtakes whatever, and wherever: nothing that the
//! old password or the old session gave works afterwards.
//!
//! The two are interleaved at every point at which either looks at the clock, which services do before and between
//! their statements: one is stopped there until the other has ended, or waits for a lock that the stopped one has.
//!
//! Seen to fail: without the epoch in the insert of a session, a sign-in that read its user before the change opens
//! a session that lives; without the epoch in the rotation and the end of sessions by a change, so does a refresh.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use axum::{Router, http::Method};
use bailiwick::{
    app::{App, Overrides},
    base::{Clock, Millis},
    http::AppState,
};
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    app::{Actor, PASSWORD, Reply, START, TestApp, send},
    both,
};

const NEW: &str = "another long pass phrase";
/// How long the other may take before it is thought to wait for a lock.
const BLOCKED: Duration = Duration::from_millis(250);

tokio::task_local! {
    /// Set within the request that is to be stopped.
    static STOPPED: ();
}

/// After how many looks, who is told, and what lets it go on.
type Stop = (usize, oneshot::Sender<()>, mpsc::Receiver<()>);

/// A clock that shows one moment, and stops who looks at it.
#[derive(Debug, Default)]
struct Gate {
    looks: AtomicUsize,
    /// At which look to stop, whom to tell, and what to wait for.
    stop: Mutex<Option<Stop>>,
}

impl Clock for Gate {
    fn now(&self) -> Millis {
        if STOPPED.try_with(|()| ()).is_ok() {
            let look = self.looks.fetch_add(1, Ordering::SeqCst);
            let mut stop = self.stop.lock().unwrap();
            if let Some((_, reached, go)) = stop.take_if(|(at, ..)| *at == look) {
                drop(stop);
                let _ = reached.send(());
                let _ = tokio::task::block_in_place(|| go.recv());
            }
        }
        START
    }
}

/// One of the two requests.
#[derive(Debug, Clone)]
enum Step {
    /// With the old password of the user of this address.
    Login(String),
    /// Of this token.
    Refresh(String),
    /// By who has this access token.
    Change(String),
}

impl Step {
    async fn take(self, public: Router) -> Reply {
        match self {
            Self::Login(email) => {
                let body = json!({"identifier": email, "password": PASSWORD});
                send(&public, Method::POST, "/v1/auth/login", None, Some(body)).await
            }
            Self::Refresh(token) => {
                let body = json!({"refresh_token": token});
                send(&public, Method::POST, "/v1/auth/refresh", None, Some(body)).await
            }
            Self::Change(token) => {
                let body = json!({"current_password": PASSWORD, "new_password": NEW});
                send(&public, Method::PUT, "/v1/auth/password", Some(&token), Some(body)).await
            }
        }
    }
}

/// Stops `first` at its look number `at`, and lets `second` run meanwhile. Answers both, and whether `first` looked
/// that often.
async fn interleave(
    gate: &Gate,
    public: &Router,
    at: usize,
    first: Step,
    second: Step,
) -> (Reply, Reply, bool) {
    let (reached, mut stopped) = oneshot::channel();
    let (go, wait) = mpsc::channel();
    gate.looks.store(0, Ordering::SeqCst);
    *gate.stop.lock().unwrap() = Some((at, reached, wait));
    let tasks = tokio_util::task::TaskTracker::new();
    let mut first = tasks.spawn(STOPPED.scope((), first.take(public.clone())));
    let (ended, was_stopped) = tokio::select! {
        reply = &mut first => (Some(reply.unwrap()), false),
        told = &mut stopped => (None, told.is_ok()),
    };
    let mut second = tasks.spawn(second.take(public.clone()));
    let early = tokio::time::timeout(BLOCKED, &mut second).await;
    let _ = go.send(());
    let first = match ended {
        Some(reply) => reply,
        None => first.await.unwrap(),
    };
    let second = match early {
        Ok(reply) => reply.unwrap(),
        Err(_) => second.await.unwrap(),
    };
    (first, second, was_stopped)
}

/// Checks that what an answer gave, if it gave something, is worth nothing.
async fn is_dead(test: &TestApp, public: &Router, reply: Reply, when: &str) {
    if reply.status != 200 {
        assert_eq!(reply.status, 401, "{when}: {}", reply.text);
        return;
    }
    let given = Actor::from(reply.body);
    test.app.sessions.pull().await.unwrap(); // the other node has no bus: its poll, which is due
    for router in [public, &test.routers.public] {
        let me = send(router, Method::GET, "/v1/users/me", Some(&given.token), None).await;
        assert_eq!(me.status, 401, "an access token lives, {when}: {}", me.text);
        let body = json!({"refresh_token": given.refresh});
        let next = send(router, Method::POST, "/v1/auth/refresh", None, Some(body)).await;
        assert_eq!(next.status, 401, "a refresh token lives, {when}: {}", next.text);
    }
}

both! {
    async fn t15_nothing_old_outlives_a_change_of_password(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let gate = Arc::new(Gate::default());
        let overrides = Overrides { clock: Some(gate.clone()), entropy: None };
        let app = AppState(Arc::new(App::start(test.config.clone(), overrides).await.unwrap()));
        let public = bailiwick::http::routers(&app).public;
        let (mut users, mut looks) = (0, Vec::new());
        for (is_login, change_is_stopped) in [(true, false), (true, true), (false, false), (false, true)] {
            for at in 0.. {
                users += 1;
                let ann = test.user(&format!("ann-{users}")).await;
                let email = format!("ann-{users}@example.com");
                let step = if is_login { Step::Login(email.clone()) } else { Step::Refresh(ann.refresh.clone()) };
                let when = format!("{step:?} beside a change, which is stopped: {change_is_stopped}, at look {at}");
                let change = Step::Change(ann.token.clone());
                let (first, second) = if change_is_stopped { (change, step) } else { (step, change) };
                let (first, second, was_stopped) = interleave(&gate, &public, at, first, second).await;
                let (changed, raced) = if change_is_stopped { (first, second) } else { (second, first) };
                assert_eq!(changed.status, 204, "{when}: {}", changed.text);
                is_dead(&test, &public, raced, &when).await;
                let me = send(&public, Method::GET, "/v1/users/me", Some(&ann.token), None).await;
                assert_eq!(me.status, 401, "{when}");
                test.login(&email, NEW).await;
                if !was_stopped {
                    looks.push(at);
                    break;
                }
            }
        }
        assert!(looks.iter().all(|looks| *looks > 3), "too few places were tried: {looks:?}");
    }
}
