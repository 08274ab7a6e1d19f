//! Tag `auth`: proving an address, changing it, and choosing a password that was forgotten.

use std::time::Duration;

use serde_json::json;

use crate::{
    app::{Actor, PASSWORD, TestApp},
    both,
    mailbox::Mailbox,
};

const NEW: &str = "another long pass phrase";
const FORGOT: &str = "/v1/auth/password/forgot";
const RESET: &str = "/v1/auth/password/reset";
const VERIFY: &str = "/v1/auth/verify-email";
const RESEND: &str = "/v1/auth/verify-email/resend";

async fn ask(test: &TestApp, path: &str, email: &str) {
    test.post_open(path, json!({"email": email})).await.expect(202);
}

/// Signs up without signing in.
async fn sign_up(test: &TestApp, email: &str) {
    test.post_open("/v1/auth/register", json!({"email": email, "password": PASSWORD})).await.expect(202);
}

both! {
    async fn a_new_address_is_proven_by_its_mail(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |config| config.registration.verify_email = true).await else { return };
        sign_up(&test, "Ann@Example.com").await;
        test.try_login("ann@example.com", PASSWORD).await.expect_problem(403, "email_unverified");
        let mails = mailbox.collect(&test).await;
        let mail = Mailbox::one(&mails);
        assert_eq!((&*mail.from, &*mail.to), ("auth@example.com", "Ann@Example.com"));
        assert_eq!((mail.header("from"), mail.header("subject")), ("Auth <auth@example.com>", "Confirm your address"));
        assert!(mail.link().starts_with("https://auth.example.com/verify-email#token="), "{}", mail.link());
        test.post_open(VERIFY, json!({"token": mail.token()})).await.expect(204);
        let ann = test.login("ann@example.com", PASSWORD).await;
        assert_eq!(test.whoami(&ann.token).await.expect(200)["email_verified"], true);
        test.post_open(VERIFY, json!({"token": mail.token()})).await.expect_problem(401, "link_invalid");
        assert!(mailbox.collect(&test).await.is_empty(), "it is sent once");
    }

    async fn the_link_is_mailed_again_until_the_address_is_proven(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        sign_up(&test, "ann@example.com").await;
        mailbox.collect(&test).await;
        for spelling in ["ANN@example.com", "ann@\u{ff45}xample.com"] {
            ask(&test, RESEND, spelling).await;
            let mails = mailbox.collect(&test).await;
            assert_eq!(Mailbox::one(&mails).to, "ann@example.com", "mail goes to the stored address (threat T22)");
        }
        ask(&test, RESEND, "ann@example.com").await;
        let mails = mailbox.collect(&test).await;
        test.post_open(VERIFY, json!({"token": Mailbox::one(&mails).token()})).await.expect(204);
        ask(&test, RESEND, "ann@example.com").await;
        ask(&test, RESEND, "nobody@example.com").await;
        assert!(mailbox.collect(&test).await.is_empty());
    }

    async fn who_signs_up_twice_is_told_by_mail_alone(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        sign_up(&test, "ann@example.com").await;
        mailbox.collect(&test).await;
        sign_up(&test, "ANN@example.com").await;
        let mails = mailbox.collect(&test).await;
        let mail = Mailbox::one(&mails);
        assert_eq!((&*mail.to, mail.header("subject")), ("ann@example.com", "You already have an account"));
    }

    async fn a_forgotten_password_is_chosen_anew(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |config| config.limits.lock_after = 2).await else { return };
        let sessions = [test.user("ann").await, test.login("ann@example.com", PASSWORD).await];
        mailbox.collect(&test).await;
        for _ in 0..3 {
            test.try_login("ann@example.com", "not the password at all").await.expect_problem(401, "invalid_credentials");
        }
        test.try_login("ann@example.com", PASSWORD).await.expect_problem(403, "account_locked");
        ask(&test, FORGOT, "Ann@example.com").await;
        let mails = mailbox.collect(&test).await;
        let token = Mailbox::one(&mails).token();
        let weak = json!({"token": token, "new_password": "ann@example.com"});
        let refused = test.post_open(RESET, weak).await;
        assert_eq!(refused.pointers(), ["/new_password"]);
        refused.expect_problem(422, "password_too_weak");
        test.post_open(RESET, json!({"token": token, "new_password": NEW})).await.expect(204);
        for Actor { token, refresh, .. } in &sessions {
            test.whoami(token).await.expect_problem(401, "token_revoked");
            assert_eq!(test.refresh(refresh).await.status, 401);
        }
        let mails = mailbox.collect(&test).await;
        assert_eq!(Mailbox::one(&mails).header("subject"), "Your password was changed");
        test.login("ann@example.com", NEW).await;
        let mails = mailbox.collect(&test).await;
        assert_eq!(Mailbox::one(&mails).header("subject"), "A new device signed in");
    }

    async fn an_address_is_changed_by_proving_the_new_one(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        let ann = test.user("ann").await;
        test.user("bob").await;
        mailbox.collect(&test).await;
        let change = json!({"email": "Ann@New.example"});
        test.post("/v1/users/me/email", &ann.token, change).await.expect(202);
        assert_eq!(test.whoami(&ann.token).await.expect(200)["email"], "ann@example.com", "not before it is proven");
        let mails = mailbox.collect(&test).await;
        let mail = Mailbox::one(&mails).clone();
        assert_eq!(mail.to, "Ann@New.example");
        ask(&test, FORGOT, "ann@example.com").await;
        let reset = mailbox.collect(&test).await;
        test.post_open(VERIFY, json!({"token": mail.token()})).await.expect(204);
        let me = test.whoami(&ann.token).await.expect(200);
        assert_eq!((&me["email"], &me["email_verified"]), (&json!("Ann@New.example"), &json!(true)));
        let told = mailbox.collect(&test).await;
        assert_eq!((&*Mailbox::one(&told).to, told[0].header("subject")), ("ann@example.com", "Your address was changed"));
        // A link that went to the old address is worth nothing any more.
        let late = json!({"token": Mailbox::one(&reset).token(), "new_password": NEW});
        test.post_open(RESET, late).await.expect_problem(401, "link_invalid");
        test.try_login("ann@example.com", PASSWORD).await.expect_problem(401, "invalid_credentials");
        test.login("ann@new.example", PASSWORD).await;
        let told = mailbox.collect(&test).await;
        assert_eq!((&*Mailbox::one(&told).to, told[0].header("subject")), ("Ann@New.example", "A new device signed in"));
        // An address that somebody has is asked for like any other, and does not change hands.
        test.post("/v1/users/me/email", &ann.token, json!({"email": "bob@example.com"})).await.expect(202);
        let mails = mailbox.collect(&test).await;
        test.post_open(VERIFY, json!({"token": Mailbox::one(&mails).token()})).await.expect_problem(401, "link_invalid");
        assert_eq!(test.whoami(&ann.token).await.expect(200)["email"], "Ann@New.example");
    }

    async fn mail_that_is_not_taken_is_sent_later_or_given_up(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        mailbox.refuse(&["451 come back", "451 come back"]);
        sign_up(&test, "ann@example.com").await;
        for pause in [60, 120] {
            assert!(mailbox.collect(&test).await.is_empty());
            test.advance(Duration::from_secs(pause - 1));
            assert!(mailbox.collect(&test).await.is_empty(), "it waits {pause} seconds");
            test.advance(Duration::from_secs(1));
        }
        assert_eq!(Mailbox::one(&mailbox.collect(&test).await).to, "ann@example.com");
        mailbox.refuse(&["550 no such mailbox"]);
        sign_up(&test, "bob@example.com").await;
        for _ in 0..3 {
            assert!(mailbox.collect(&test).await.is_empty(), "what is refused for good is given up");
            test.advance(Duration::from_hours(1));
        }
    }

    async fn of_two_nodes_one_sends(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        let (other, _) = test.second_node().await;
        for n in 0..6 {
            sign_up(&test, &format!("user-{n}@example.com")).await;
        }
        let (here, there) = tokio::join!(test.app.authn.send_due_mail(), other.authn.send_due_mail());
        assert_eq!(here.unwrap() + there.unwrap(), 6);
        assert_eq!(mailbox.collect(&test).await.len(), 6);
    }

    async fn without_a_server_nothing_waits_and_links_are_made_by_hand(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| config.registration.verify_email = true).await else { return };
        sign_up(&test, "ann@example.com").await;
        ask(&test, FORGOT, "ann@example.com").await;
        assert_eq!(test.app.authn.send_due_mail().await.unwrap(), 0);
        let root = test.administrator().await;
        let found = test.get("/v1/admin/users?search=ANN", &root.token).await.expect(200);
        let id = found["data"][0]["id"].as_str().unwrap();
        let path = format!("/v1/admin/users/{id}/reset-link");
        let link = test.post(&path, &root.token, json!({"purpose": "verify_email"})).await.expect(200);
        let token = link["link"].as_str().unwrap().split_once("#token=").unwrap().1;
        test.post_open(VERIFY, json!({"token": token})).await.expect(204);
        test.login("ann@example.com", PASSWORD).await;
    }
}
