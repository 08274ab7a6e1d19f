//! T43: a code works once, for its minute and a half; what a password alone opens is nothing but the next step.

use std::time::Duration;

use axum::http::Method;
use bailiwick::base::Clock;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp},
    both,
    contract::operations,
    totp::AuthenticatorApp,
};

const TOTP: &str = "/v1/auth/mfa/totp";
const CONFIRM: &str = "/v1/auth/mfa/totp/confirm";
const CODES: &str = "/v1/auth/mfa/recovery-codes";
const SECOND: &str = "/v1/auth/login/mfa";
const STEP: Duration = Duration::from_secs(30);

/// What the app of somebody shows so many steps from now.
pub(crate) fn code(app: &AuthenticatorApp, test: &TestApp, steps: i64) -> String {
    app.shows(test.clock.now().as_secs() + 30 * steps)
}

/// Turns the second factor of `who` on; answers the app and the recovery codes.
pub(crate) async fn enrol(test: &TestApp, who: &Actor) -> (AuthenticatorApp, Vec<String>) {
    let enrolment = test.send(Method::POST, TOTP, Some(&who.token), None).await.expect(200);
    let secret = enrolment["secret"].as_str().unwrap();
    assert!(enrolment["otpauth_uri"].as_str().unwrap().contains(&format!("secret={secret}&")), "{enrolment}");
    let app = AuthenticatorApp::reading(secret);
    let codes = test.post(CONFIRM, &who.token, json!({"code": code(&app, test, 0)})).await.expect(200);
    test.advance(STEP);
    let codes = codes["recovery_codes"].as_array().unwrap();
    (app, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

/// The first half of a sign-in: the token for the second.
async fn first_half(test: &TestApp) -> String {
    let answer = test.try_login("ann@example.com", PASSWORD).await.expect_problem(401, "mfa_required");
    assert_eq!(answer["methods"], json!(["totp", "recovery_code"]));
    assert!(answer.get("access_token").is_none());
    answer["mfa_token"].as_str().unwrap().to_owned()
}

async fn by_code(test: &TestApp, token: &str, code: &str) -> Reply {
    test.post_open(SECOND, json!({"mfa_token": token, "code": code})).await
}

async fn by_recovery(test: &TestApp, token: &str, code: &str) -> Reply {
    test.post_open(SECOND, json!({"mfa_token": token, "recovery_code": code})).await
}

both! {
    async fn t43_a_password_alone_opens_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let (app, codes) = enrol(&test, &ann).await;
        let on = test.get(TOTP, &ann.token).await.expect(200);
        assert_eq!((&on["enabled"], &on["recovery_codes_left"]), (&json!(true), &json!(10)));
        assert_eq!(codes.len(), 10);
        let token = first_half(&test).await;
        // The token is good for the second step and for nothing else.
        for operation in operations().iter().filter(|operation| operation.needs_token() && !operation.path.contains('{')) {
            let method: Method = operation.method.to_uppercase().parse().unwrap();
            let body = operation.body().map(|_| json!({}));
            let reply = test.send(method, operation.path, Some(&token), body).await;
            assert_eq!(reply.status.as_u16(), 401, "{}: {}", operation.path, reply.text);
        }
        assert_eq!(test.refresh(&token).await.status, 401);
        let signed_in = by_code(&test, &token, &code(&app, &test, 0)).await.expect(200);
        let claims = &signed_in["claims"];
        assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pwd", "otp", "mfa"]), &json!("aal2")));
        assert_eq!(claims["auth_time"], test.clock.now().as_secs());
        assert_ne!(signed_in["session_id"], ann.session);
        // And it is dead after it (threat T16).
        test.advance(STEP);
        by_code(&test, &token, &code(&app, &test, 0)).await.expect_problem(401, "mfa_invalid");
        // The right password is not told from a wrong one by anything but this step.
        test.try_login("ann@example.com", "not the password at all").await.expect_problem(401, "invalid_credentials");
    }

    async fn t43_a_code_works_once_and_in_its_time(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let (app, _) = enrol(&test, &ann).await;
        test.advance(STEP * 10);
        for steps in [-2, 2, 3, -10] {
            by_code(&test, &first_half(&test).await, &code(&app, &test, steps)).await.expect_problem(401, "mfa_invalid");
        }
        let present = code(&app, &test, 0);
        by_code(&test, &first_half(&test).await, &present).await.expect(200);
        by_code(&test, &first_half(&test).await, &present).await.expect_problem(401, "mfa_invalid");
        by_code(&test, &first_half(&test).await, &code(&app, &test, -1)).await.expect_problem(401, "mfa_invalid");
        by_code(&test, &first_half(&test).await, &code(&app, &test, 1)).await.expect(200);
        // At once, each with a token of its own: one wins.
        test.advance(STEP * 10);
        let mut tokens = Vec::new();
        for _ in 0..8 {
            tokens.push(first_half(&test).await);
        }
        let code = code(&app, &test, 0);
        let replies = join_all(tokens.iter().map(|token| by_code(&test, token, &code))).await;
        let statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
    }

    async fn t43_the_sixth_try_ends_the_step(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let (app, codes) = enrol(&test, &ann).await;
        let token = first_half(&test).await;
        for _ in 0..5 {
            by_code(&test, &token, "000000").await.expect_problem(401, "mfa_invalid");
        }
        by_code(&test, &token, &code(&app, &test, 0)).await.expect_problem(401, "mfa_invalid");
        by_recovery(&test, &token, &codes[0]).await.expect_problem(401, "mfa_invalid");
        // In parallel no more than five are looked at: the right one is sixth at best, or the first to count.
        let fresh = first_half(&test).await;
        let wrong = join_all((0..32).map(|_| by_code(&test, &fresh, "000000"))).await;
        assert!(wrong.iter().all(|reply| reply.status == 401));
        by_code(&test, &fresh, &code(&app, &test, 0)).await.expect_problem(401, "mfa_invalid");
        let late = first_half(&test).await;
        test.advance(Duration::from_mins(5));
        by_code(&test, &late, &code(&app, &test, 0)).await.expect_problem(401, "mfa_invalid");
        by_code(&test, &first_half(&test).await, &code(&app, &test, 0)).await.expect(200);
    }

    async fn t43_guessing_codes_is_limited_and_locked(backend: Backend) {
        let limits = |config: &mut bailiwick::config::Config| config.limits.second_factor_per_user = 20;
        let Some(test) = TestApp::spawn_with(backend, limits).await else { return };
        let ann = test.user("ann").await;
        let (app, _) = enrol(&test, &ann).await;
        test.advance(Duration::from_hours(1));
        for n in 0..4 {
            let token = first_half(&test).await;
            for _ in 0..5 {
                by_code(&test, &token, &format!("00000{n}")).await.expect_problem(401, "mfa_invalid");
            }
        }
        by_code(&test, &first_half(&test).await, &code(&app, &test, 0)).await.expect_problem(429, "too_many_attempts");

        // Without the shared state the count in SQL holds.
        let locks = |config: &mut bailiwick::config::Config| config.limits.lock_after = 10;
        let Some(test) = TestApp::spawn_with(backend, locks).await else { return };
        let ann = test.user("ann").await;
        let (app, _) = enrol(&test, &ann).await;
        for _ in 0..2 {
            let token = first_half(&test).await;
            for _ in 0..5 {
                by_code(&test, &token, "000000").await.expect_problem(401, "mfa_invalid");
            }
        }
        by_code(&test, &first_half(&test).await, &code(&app, &test, 0)).await.expect_problem(403, "account_locked");
        test.advance(Duration::from_mins(15));
        by_code(&test, &first_half(&test).await, &code(&app, &test, 0)).await.expect(200);
    }

    async fn t43_a_recovery_code_works_once(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let (_, codes) = enrol(&test, &ann).await;
        let signed_in = by_recovery(&test, &first_half(&test).await, &codes[3]).await.expect(200);
        assert_eq!((&signed_in["claims"]["amr"], &signed_in["claims"]["acr"]), (&json!(["pwd", "mfa"]), &json!("aal2")));
        by_recovery(&test, &first_half(&test).await, &codes[3]).await.expect_problem(401, "mfa_invalid");
        by_recovery(&test, &first_half(&test).await, &codes[4].to_uppercase().replace('-', " ")).await.expect(200);
        let (first, second) = (first_half(&test).await, first_half(&test).await);
        let at_once = tokio::join!(by_recovery(&test, &first, &codes[5]), by_recovery(&test, &second, &codes[5]));
        let won = [at_once.0.status, at_once.1.status].iter().filter(|status| **status == 200).count();
        assert_eq!(won, 1);
        assert_eq!(test.get(TOTP, &ann.token).await.expect(200)["recovery_codes_left"], 7);
        let fresh = test.send(Method::POST, CODES, Some(&ann.token), None).await.expect(200);
        by_recovery(&test, &first_half(&test).await, &codes[0]).await.expect_problem(401, "mfa_invalid");
        by_recovery(&test, &first_half(&test).await, fresh["recovery_codes"][0].as_str().unwrap()).await.expect(200);
        // One user's codes are nothing to another.
        let bob = test.user("bob").await;
        let (_, of_bob) = enrol(&test, &bob).await;
        by_recovery(&test, &first_half(&test).await, &of_bob[0]).await.expect_problem(401, "mfa_invalid");
    }

    async fn t43_turning_it_on_or_off_needs_a_recent_sign_in(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        test.advance(Duration::from_secs(301));
        let attempts = [(Method::POST, TOTP, None), (Method::POST, CONFIRM, Some(json!({"code": "000000"}))), (Method::DELETE, TOTP, None), (Method::POST, CODES, None)];
        for (method, path, body) in attempts.clone() {
            test.send(method, path, Some(&ann.token), body).await.expect_problem(401, "step_up_required");
        }
        let refreshed = Actor::from(test.refresh(&ann.refresh).await.expect(200));
        for (method, path, body) in attempts {
            test.send(method, path, Some(&refreshed.token), body).await.expect_problem(401, "step_up_required");
        }
        let fresh = step_up(&test, &refreshed, json!({"password": PASSWORD})).await.expect(200);
        assert_ne!(fresh["session_id"], refreshed.session, "a new session takes its place (threat T16)");
        let fresh = Actor::from(fresh);
        test.whoami(&refreshed.token).await.expect_problem(401, "token_revoked");
        assert_eq!(test.refresh(&refreshed.refresh).await.status, 401);
        let (app, _) = enrol(&test, &fresh).await;
        test.send(Method::POST, TOTP, Some(&fresh.token), None).await.expect_problem(409, "conflict");
        // From now on stepping up takes the second factor too.
        step_up(&test, &fresh, json!({"password": PASSWORD})).await.expect_problem(401, "mfa_invalid");
        step_up(&test, &fresh, json!({"password": PASSWORD, "code": "000000"})).await.expect_problem(401, "mfa_invalid");
        step_up(&test, &fresh, json!({"password": "wrong", "code": code(&app, &test, 0)})).await.expect_problem(401, "invalid_credentials");
        let stepped = step_up(&test, &fresh, json!({"password": PASSWORD, "code": code(&app, &test, 0)})).await.expect(200);
        assert_eq!(stepped["claims"]["acr"], "aal2");
        let stepped = Actor::from(stepped);
        test.delete(TOTP, &stepped.token).await.expect(204);
        test.delete(TOTP, &stepped.token).await.expect_problem(409, "conflict");
        test.login("ann@example.com", PASSWORD).await;
    }

    /// A secret that was never confirmed asks for nothing, and can be replaced.
    async fn an_enrolment_counts_when_it_is_confirmed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        test.post(CONFIRM, &ann.token, json!({"code": "000000"})).await.expect_problem(409, "conflict");
        let old = test.send(Method::POST, TOTP, Some(&ann.token), None).await.expect(200);
        test.login("ann@example.com", PASSWORD).await;
        let new = test.send(Method::POST, TOTP, Some(&ann.token), None).await.expect(200);
        assert_ne!(old["secret"], new["secret"]);
        let (old, new) = (AuthenticatorApp::reading(old["secret"].as_str().unwrap()), AuthenticatorApp::reading(new["secret"].as_str().unwrap()));
        test.post(CONFIRM, &ann.token, json!({"code": code(&old, &test, 0)})).await.expect_problem(401, "mfa_invalid");
        assert_eq!(test.get(TOTP, &ann.token).await.expect(200)["enabled"], false);
        test.post(CONFIRM, &ann.token, json!({"code": code(&new, &test, 0)})).await.expect(200);
        first_half(&test).await;
        let both = json!({"mfa_token": "x", "code": "000000", "recovery_code": "x"});
        assert_eq!(test.post_open(SECOND, both).await.pointers(), ["/recovery_code"]);
        assert_eq!(test.post_open(SECOND, json!({"mfa_token": "x"})).await.pointers(), ["/code"]);
    }

    /// T48: what is stored of it opens nothing.
    async fn t48_no_secret_of_the_second_factor_is_stored(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        enrol(&test, &ann).await;
        let (app, _) = enrol(&test, &bob).await;
        // A sealed secret does not open in another row.
        let (from, to) = (bob.id.clone(), ann.id.clone());
        let swapped = match &test.app.db {
            bailiwick::storage::Db::Sqlite { write, .. } => {
                sqlx::query("UPDATE totp_factors SET secret_sealed = (SELECT secret_sealed FROM totp_factors WHERE user_id = $1) WHERE user_id = $2")
                    .bind(from).bind(to).execute(write).await.unwrap().rows_affected()
            }
            bailiwick::storage::Db::Postgres(pool) => {
                sqlx::query("UPDATE totp_factors SET secret_sealed = (SELECT secret_sealed FROM totp_factors WHERE user_id = $1) WHERE user_id = $2")
                    .bind(from).bind(to).execute(pool).await.unwrap().rows_affected()
            }
        };
        assert_eq!(swapped, 1);
        by_code(&test, &first_half(&test).await, &code(&app, &test, 0)).await.expect_problem(401, "mfa_invalid");
    }
}

async fn step_up(test: &TestApp, who: &Actor, body: Value) -> Reply {
    test.post("/v1/auth/step-up", &who.token, body).await
}
