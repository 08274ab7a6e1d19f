//! T42: a link works once, for one purpose, for one user, until the password or the address is another.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    app::{PASSWORD, TestApp},
    both,
    mailbox::{Mail, Mailbox},
};

const NEW: &str = "another long pass phrase";
const FORGOT: &str = "/v1/auth/password/forgot";
const RESET: &str = "/v1/auth/password/reset";
const VERIFY: &str = "/v1/auth/verify-email";

/// The mail with a new link for `ann`.
async fn link(test: &TestApp, mailbox: &Mailbox, path: &str) -> Mail {
    test.post_open(path, json!({"email": "ann@example.com"})).await.expect(202);
    let mails = mailbox.collect(test).await;
    Mailbox::one(&mails).clone()
}

async fn reset(test: &TestApp, token: &str) -> crate::app::Reply {
    test.post_open(RESET, json!({"token": token, "new_password": NEW})).await
}

both! {
    async fn t42_of_many_redemptions_one_counts(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        test.user("ann").await;
        mailbox.collect(&test).await;
        let mail = link(&test, &mailbox, FORGOT).await;
        let bodies = (0..32).map(|n| json!({"token": mail.token(), "new_password": format!("{NEW} {n}")}));
        let replies = join_all(bodies.map(|body| test.post_open(RESET, body))).await;
        let won: Vec<usize> = (0..32).filter(|n| replies[*n].status == 204).collect();
        assert_eq!(won.len(), 1);
        for reply in replies.into_iter().filter(|reply| reply.status != 204) {
            reply.expect_problem(401, "link_invalid");
        }
        test.login("ann@example.com", &format!("{NEW} {}", won[0])).await;
    }

    async fn t42_a_link_is_for_its_purpose_and_its_time(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        test.user("ann").await;
        mailbox.collect(&test).await;
        let for_reset = link(&test, &mailbox, FORGOT).await;
        let for_proof = link(&test, &mailbox, "/v1/auth/verify-email/resend").await;
        test.post_open(VERIFY, json!({"token": for_reset.token()})).await.expect_problem(401, "link_invalid");
        let hashes = test.app.authn.hashes();
        reset(&test, for_proof.token()).await.expect_problem(401, "link_invalid");
        for forged in ["", "x", &for_reset.token()[1..], &format!("{} ", for_reset.token()), &for_reset.token().to_uppercase(), "' OR 1=1--"] {
            reset(&test, forged).await.expect_problem(401, "link_invalid");
            test.post_open(VERIFY, json!({"token": forged})).await.expect_problem(401, "link_invalid");
        }
        assert_eq!(test.app.authn.hashes(), hashes, "a hash was to be had for nothing");
        test.advance(Duration::from_mins(30));
        reset(&test, for_reset.token()).await.expect_problem(401, "link_invalid");
        // A wrong use used nothing up.
        test.post_open(VERIFY, json!({"token": for_proof.token()})).await.expect(204);
        let late = link(&test, &mailbox, FORGOT).await;
        test.advance(Duration::from_millis(30 * 60_000 - 1));
        reset(&test, late.token()).await.expect(204);
    }

    async fn t42_a_change_of_password_ends_every_link(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        let ann = test.user("ann").await;
        mailbox.collect(&test).await;
        let links = [link(&test, &mailbox, FORGOT).await, link(&test, &mailbox, FORGOT).await];
        let proof = link(&test, &mailbox, "/v1/auth/verify-email/resend").await;
        let change = json!({"current_password": PASSWORD, "new_password": "a wholly different one"});
        test.send(Method::PUT, "/v1/auth/password", Some(&ann.token), Some(change)).await.expect(204);
        for mail in &links {
            reset(&test, mail.token()).await.expect_problem(401, "link_invalid");
        }
        test.post_open(VERIFY, json!({"token": proof.token()})).await.expect_problem(401, "link_invalid");
        mailbox.collect(&test).await;
        // And a reset ends its siblings.
        let siblings = [link(&test, &mailbox, FORGOT).await, link(&test, &mailbox, FORGOT).await];
        reset(&test, siblings[1].token()).await.expect(204);
        reset(&test, siblings[0].token()).await.expect_problem(401, "link_invalid");
    }

    /// Programs that open every link of a mail use nothing up: the token is not even sent.
    async fn t42_reading_changes_nothing(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        test.user("ann").await;
        mailbox.collect(&test).await;
        let mail = link(&test, &mailbox, FORGOT).await;
        for path in [RESET, VERIFY, "/reset-password", "/verify-email"] {
            let path = format!("{path}?token={}", mail.token());
            let reply = test.send(Method::GET, &path, None, None).await;
            assert!(matches!(reply.status.as_u16(), 404 | 405), "{path}: {}", reply.status);
        }
        reset(&test, mail.token()).await.expect(204);
    }

    /// T9 again: who asks for mail learns nothing, and neither does who watches the work.
    async fn t42_asking_for_mail_is_answered_the_same_for_everyone(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |config| config.limits.mail_per_recipient = 2).await else { return };
        test.user("ann").await;
        mailbox.collect(&test).await;
        let mut answers = Vec::new();
        for email in ["ann@example.com", "nobody@example.com"] {
            for path in [FORGOT, "/v1/auth/verify-email/resend", FORGOT] {
                let hashes = test.app.authn.hashes();
                let reply = test.post_open(path, json!({"email": email})).await;
                assert_eq!(test.app.authn.hashes(), hashes);
                let code = reply.body["code"].clone();
                let headers: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
                answers.push((reply.status, code, headers, reply.header("retry-after").to_owned()));
            }
        }
        assert_eq!(answers[..3], answers[3..]);
        assert_eq!((answers[0].0.as_u16(), answers[2].0.as_u16()), (202, 429));
        let mails = mailbox.collect(&test).await;
        assert!(mails.len() == 2 && mails.iter().all(|mail| mail.to == "ann@example.com"), "{mails:?}");
    }
}
