//! Nothing secret is logged, not even at TRACE (threat T21 in small).

use std::{
    io::Write,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::http::Method;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    app::{Actor, MASTER_KEY, PASSWORD, REDIS_SALT, TestApp},
    both,
};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Keeps what all of this process logs from the first use on.
static RECORDER: LazyLock<()> = LazyLock::new(|| {
    let lines = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(Recorder);
    tracing::subscriber::set_global_default(lines.finish()).unwrap();
});

struct Recorder;

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Recorder {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

fn logged() -> String {
    String::from_utf8_lossy(&LINES.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// A secret as it could stand somewhere.
fn spellings(secret: &str) -> Vec<String> {
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent = secret.replace('%', "%25").replace(' ', "%20").replace('+', "%2B");
    let escaped = serde_json::to_string(secret).unwrap();
    vec![
        secret.to_owned(),
        BASE64_STANDARD.encode(secret),
        hex,
        percent,
        escaped.trim_matches('"').to_owned(),
    ]
}

both! {
    async fn no_secret_is_logged(backend: Backend) {
        LazyLock::force(&RECORDER);
        // Passwords of this test's own: others that run beside it log, too.
        let (first, second) = (format!("first {} pass phrase", crate::support::unique()), format!("second {} phrase", crate::support::unique()));
        let Some(test) = TestApp::spawn(backend).await else { return };
        let setup = test.setup_token();
        let mut secrets = vec![first.clone(), second.clone(), setup, MASTER_KEY.to_owned(), REDIS_SALT.to_owned()];
        let mut keep = |actor: &Actor| secrets.extend([actor.token.clone(), actor.refresh.clone()]);
        let root = test.administrator().await;
        keep(&root);
        let marked = "mark-".to_owned() + &crate::support::unique();
        let sign_up = json!({"email": format!("{marked}@example.com"), "password": first});
        test.post_open("/v1/auth/register", sign_up.clone()).await.expect(202);
        test.post_open("/v1/auth/register", sign_up).await.expect(202);
        let ann = test.login(&format!("{marked}@example.com"), &first).await;
        keep(&ann);
        test.try_login(&format!("{marked}@example.com"), &second).await.expect_problem(401, "invalid_credentials");
        let next = Actor::from(test.refresh(&ann.refresh).await.expect(200));
        keep(&next);
        let ask = json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}, "token": next.token});
        test.ask(&next.token, ask.clone()).await.expect(200);
        test.ask(&root.token, ask).await.expect(200);
        test.get(&format!("/v1/users/me?access_token={}", next.token), &next.token).await.expect(200);
        test.get_open(&format!("/v1/users/me?access_token={}", next.token)).await.expect_problem(401, "token_missing");
        let change = json!({"current_password": first, "new_password": second, "keep_current": true});
        let changed = test.send(Method::PUT, "/v1/auth/password", Some(&next.token), Some(change)).await;
        let fresh = Actor::from(changed.expect(200));
        keep(&fresh);
        test.whoami(&next.token).await.expect_problem(401, "token_revoked");
        test.advance(std::time::Duration::from_secs(31));
        test.refresh(&ann.refresh).await; // a reuse is logged, its token is not
        let broken = json!({"email": 1, "password": first});
        test.post_open("/v1/auth/register", broken).await.expect_problem(422, "validation_failed");
        test.post("/v1/auth/logout", &fresh.token, json!({"refresh_token": fresh.refresh})).await.expect(204);
        test.app.db.close().await;
        test.try_login("root@example.com", PASSWORD).await.expect_problem(503, "store_unavailable");

        let logged = logged();
        assert!(logged.contains("request answered") && logged.contains("DEBUG"), "the recorder records");
        for secret in secrets {
            for spelling in spellings(&secret) {
                let at = logged.find(&spelling);
                let around = at.map(|at| logged[..at].lines().next_back().unwrap_or_default());
                assert!(at.is_none(), "a secret was logged: {around:?}");
            }
            // Parts that are as good as the whole.
            if let Some((_, signature)) = secret.rsplit_once('.').filter(|(_, tail)| tail.len() > 40) {
                assert!(!logged.contains(signature), "a signature or secret part was logged");
            }
        }
    }
}
