//! T48: what is sealed opens in its own row only, and follows a new master key.
//!
//! Seen to fail: with no row in what a value is sealed for, both exchanges; with second factors left out of the sealing
//! anew, the sign-in without the old key.

use axum::http::Method;
use bailiwick::{
    app::{App, Overrides},
    audit::Actor,
    base::{MasterKey, OsEntropy, Rewrapped},
    config::Config,
    storage::Run,
};
use secrecy::SecretString;
use serde_json::json;

use super::{
    t43_second_factor::{code, enrol},
    t48_stolen_database::unhex,
};
use crate::{
    app::{MASTER_KEY, PASSWORD, TestApp, send},
    both,
    client::{open_to_companies, register},
    sdk,
};

const TOTP: &str = "/v1/auth/mfa/totp";
const NEW_MASTER_KEY: [u8; 32] = [0xff; 32];

/// A new master key, and the one of the tests before it.
fn replace_master_key(config: &mut Config) {
    config.secrets.master_key = Some(SecretString::from("f".repeat(64)));
    config.secrets.previous_master_key = Some(SecretString::from(MASTER_KEY));
}

both! {
    /// Two users' secrets, exchanged by who can write but not read: nobody signs in with the app of another.
    async fn t48_a_second_factor_opens_for_its_user_only(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let (of_ann, of_bob) = (enrol(&test, &ann).await.0, enrol(&test, &bob).await.0);
        let second = async |name: &str, code: String| {
            let half = test.try_login(&format!("{name}@example.com"), PASSWORD).await.expect_problem(401, "mfa_required");
            test.post_open("/v1/auth/login/mfa", json!({"mfa_token": half["mfa_token"], "code": code})).await
        };
        second("ann", code(&of_ann, &test, 0)).await.expect(200);
        test.advance(std::time::Duration::from_secs(30));
        let rows: Vec<(String, Vec<u8>)> = test.app.db.sql("SELECT user_id, secret_sealed FROM totp_factors").all().await.unwrap();
        let mut tx = test.app.db.begin_write().await.unwrap();
        for (at, (user, _)) in rows.iter().enumerate() {
            let update = tx.sql("UPDATE totp_factors SET secret_sealed = $2 WHERE user_id = $1");
            assert_eq!(update.bind(user.as_str()).bind(rows[1 - at].1.as_slice()).run().await.unwrap(), 1);
        }
        tx.commit().await.unwrap();
        for name in ["ann", "bob"] {
            for app in [&of_ann, &of_bob] {
                second(name, code(app, &test, 0)).await.expect_problem(401, "mfa_invalid");
            }
        }
    }

    /// A new master key takes over all that is sealed; then the one before it may go.
    async fn t48_all_that_is_sealed_follows_a_new_master_key(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let (app, _) = enrol(&test, &ann).await;
        for n in 0..120 {
            let user = test.user(&format!("user-{n}")).await;
            test.send(Method::POST, TOTP, Some(&user.token), None).await.expect(200);
        }
        let (both, _) = test.second_node_with(replace_master_key).await;
        let anew = |resealed| Rewrapped { resealed, ..Rewrapped::default() };
        assert_eq!(both.authn.rewrap_second_factors(Actor::named("test")).await.unwrap(), anew(121));
        assert_eq!(both.tokens.rewrap(Actor::named("test")).await.unwrap(), anew(1));
        let kept = Rewrapped { kept: 121, ..Rewrapped::default() };
        assert_eq!(both.authn.rewrap_second_factors(Actor::named("test")).await.unwrap(), kept);
        let (_alone, routers) = test.second_node_with(|config| {
            replace_master_key(config);
            config.secrets.previous_master_key = None;
        }).await;
        let alone = routers.public;
        let body = json!({"identifier": "ann@example.com", "password": PASSWORD});
        let half = send(&alone, Method::POST, "/v1/auth/login", None, Some(body)).await.expect_problem(401, "mfa_required");
        let body = json!({"mfa_token": half["mfa_token"], "code": code(&app, &test, 0)});
        send(&alone, Method::POST, "/v1/auth/login/mfa", None, Some(body)).await.expect(200);
    }

    /// So does what a tenant's own server told of its users.
    async fn t48_what_is_told_of_users_follows_a_new_master_key(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        let known = json!({"user_external_id": "1"});
        let told = json!({"user_external_id": "1", "user_data": {"email": "zora@acme.example"}});
        sdk::open(&test, &acme.key, told).await.expect(200);
        let (both, _) = test.second_node_with(replace_master_key).await;
        for came_to in [Rewrapped { resealed: 1, ..Rewrapped::default() }, Rewrapped { kept: 1, ..Rewrapped::default() }] {
            assert_eq!(both.authn.rewrap_user_data(Actor::named("test")).await.unwrap(), came_to);
        }
        both.tokens.rewrap(Actor::named("test")).await.unwrap();
        let (_alone, routers) = test.second_node_with(|config| {
            replace_master_key(config);
            config.secrets.previous_master_key = None;
        }).await;
        let opened = sdk::open_at(&routers.public, &acme.key, known).await.expect(200);
        assert_eq!(opened["user"]["email"], "zora@acme.example");
    }

    /// A run that was interrupted, or that meets what does not open, does the rest.
    async fn t48_a_run_goes_on_where_the_last_one_stopped(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for name in ["ann", "bob", "cyd"] {
            let user = test.user(name).await;
            test.send(Method::POST, TOTP, Some(&user.token), None).await.expect(200);
        }
        let users: Vec<(String,)> = test.app.db.sql("SELECT user_id FROM totp_factors ORDER BY user_id").all().await.unwrap();
        let place = |user: &str| format!("totp_factors:secret:{user}");
        let (old, new) = (MasterKey::new(unhex(MASTER_KEY)), MasterKey::new(NEW_MASTER_KEY));
        let done = new.sealing_key("second-factor").seal(&place(&users[0].0), b"done before", &OsEntropy).unwrap();
        let altered = old.sealing_key("second-factor").seal(&place(&users[0].0), b"of another row", &OsEntropy).unwrap();
        let mut tx = test.app.db.begin_write().await.unwrap();
        for (user, sealed) in [(&users[0].0, done), (&users[1].0, altered)] {
            let update = tx.sql("UPDATE totp_factors SET secret_sealed = $2 WHERE user_id = $1");
            update.bind(user.as_str()).bind(sealed).run().await.unwrap();
        }
        tx.commit().await.unwrap();
        let (app, _) = test.second_node_with(replace_master_key).await;
        let came_to = app.authn.rewrap_second_factors(Actor::named("test")).await.unwrap();
        assert_eq!(came_to, Rewrapped { resealed: 1, kept: 1, lost: 1 });
    }

    /// Two rows' sealed parts, exchanged by who can write but not read.
    async fn t48_swapped_rows_do_not_open(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.app.tokens.rotate(Actor::named("test")).await.unwrap();
        let rows: Vec<(String, Vec<u8>)> =
            test.app.db.sql("SELECT kid, private_sealed FROM signing_keys ORDER BY kid").all().await.unwrap();
        let [(one, sealed_one), (two, sealed_two)] = &rows[..] else { panic!("two keys") };
        let key = MasterKey::new(unhex(MASTER_KEY)).sealing_key("signing-keys");
        assert!(key.open(&format!("signing_keys:private_sealed:{one}"), sealed_one).is_ok());
        assert!(key.open(&format!("signing_keys:private_sealed:{one}"), sealed_two).is_err());

        let mut tx = test.app.db.begin_write().await.unwrap();
        for (kid, sealed) in [(one, sealed_two), (two, sealed_one)] {
                let update = tx.sql("UPDATE signing_keys SET private_sealed = $2 WHERE kid = $1");
            assert_eq!(update.bind(kid.as_str()).bind(sealed.as_slice()).run().await.unwrap(), 1);
        }
        tx.commit().await.unwrap();
        let again = App::start(test.config.clone(), Overrides::default()).await;
        let told = format!("{:#}", again.map(drop).unwrap_err());
        assert!(told.contains("cannot be used with this master key"), "{told}");
    }
}
