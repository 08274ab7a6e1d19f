//! T22: spellings that meet are one user, and mail goes to the address that is stored, never to the one that is typed.
//!
//! Seen to fail: with mail sent to the typed address; with addresses compared as they are typed; with user names of
//! mixed scripts taken.

use axum::http::StatusCode;
use serde_json::json;

use crate::{
    app::{PASSWORD, Reply, TestApp},
    both,
    mailbox::Mailbox,
};

const FORGOT: &str = "/v1/auth/password/forgot";
/// As it was signed up; in NFC, with a letter case of its own.
const STORED: &str = "Jos\u{e9}.Kelvin@b\u{fc}cher.example";

/// Other spellings of [`STORED`].
const SAME: [&str; 9] = [
    "jos\u{e9}.kelvin@b\u{fc}cher.example",
    "JOS\u{c9}.KELVIN@B\u{dc}CHER.EXAMPLE",
    "Jose\u{301}.Kelvin@bu\u{308}cher.example",
    "jos\u{e9}.\u{212a}elvin@b\u{fc}cher.example",
    "jos\u{e9}.kelvin@xn--bcher-kva.example",
    "jos\u{e9}.kelvin@XN--BCHER-KVA.example",
    "jos\u{e9}.kelvin@\u{ff42}\u{fc}cher.example",
    "jos\u{e9}.kelvin@b\u{fc}cher\u{3002}example",
    "jos\u{e9}.kelvin@b\u{fc}\u{ad}cher.example",
];
/// Addresses that look like it, and are mailboxes of other people.
const OTHERS: [&str; 6] = [
    "jose.kelvin@b\u{fc}cher.example",
    "jos\u{e9}.kelv\u{131}n@b\u{fc}cher.example",
    "jos\u{e9}.kelvin@bucher.example",
    "jos\u{e9}.kelvin@buecher.example",
    "j\u{43e}s\u{e9}.kelvin@b\u{fc}cher.example",
    "jos\u{e9}.kelvin@b\u{fc}cher.ex\u{430}mple",
];
/// Texts that are no address.
const NONE: [&str; 5] = [
    "jos\u{e9}.kel\u{200b}vin@b\u{fc}cher.example",
    "jos\u{e9}.\u{ff4b}elvin@b\u{fc}cher.example",
    "jos\u{e9}.kelvin\u{202e}@b\u{fc}cher.example",
    "jos\u{e9}.kelvin @b\u{fc}cher.example",
    "jos\u{e9}.kelvin@b\u{fc}cher.example\r\nBcc: evil@example.com",
];

async fn sign_up(test: &TestApp, email: &str) -> Reply {
    test.post_open("/v1/auth/register", json!({"email": email, "password": PASSWORD})).await
}

async fn name(test: &TestApp, name: &str, at: usize) -> Reply {
    let body = json!({"email": format!("n{at}@example.com"), "username": name, "password": PASSWORD});
    test.post_open("/v1/auth/register", body).await
}

/// How many users there are.
async fn users(test: &TestApp) -> i64 {
    test.app.db.sql("SELECT COUNT(*) FROM users").scalar().await.unwrap()
}

both! {
    async fn t22_spellings_that_meet_are_one_mailbox(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        sign_up(&test, STORED).await.expect(202);
        mailbox.collect(&test).await;
        let id = test.login(STORED, PASSWORD).await.id;
        mailbox.collect(&test).await; // of the new device
        for typed in SAME {
            sign_up(&test, typed).await.expect(202);
            let told = mailbox.collect(&test).await;
            assert_eq!(Mailbox::one(&told).to, STORED, "who signs up again is told there: {typed}");
            test.post_open(FORGOT, json!({"email": typed})).await.expect(202);
            let mails = mailbox.collect(&test).await;
            assert_eq!(Mailbox::one(&mails).to, STORED, "{typed}");
            assert_eq!(test.login(typed, PASSWORD).await.id, id, "{typed}");
            mailbox.collect(&test).await; // of the new device
        }
        assert_eq!(users(&test).await, 1);
        for typed in OTHERS {
            test.post_open(FORGOT, json!({"email": typed})).await.expect(202);
            assert!(mailbox.collect(&test).await.is_empty(), "{typed} is somebody else");
            test.try_login(typed, PASSWORD).await.expect_problem(401, "invalid_credentials");
        }
        for typed in NONE {
            for reply in [sign_up(&test, typed).await, test.post_open(FORGOT, json!({"email": typed})).await] {
                assert_eq!(reply.pointers(), ["/email"], "{typed:?}");
                reply.expect_problem(422, "validation_failed");
            }
            test.try_login(typed, PASSWORD).await.expect_problem(401, "invalid_credentials");
        }
        assert!(mailbox.collect(&test).await.is_empty());
        // Whoever has a look-alike of their own gets their own mail, and no one else's.
        sign_up(&test, OTHERS[1]).await.expect(202);
        mailbox.collect(&test).await;
        test.post_open(FORGOT, json!({"email": OTHERS[1]})).await.expect(202);
        let mails = mailbox.collect(&test).await;
        assert_eq!(Mailbox::one(&mails).to, OTHERS[1]);
        let reset = json!({"token": Mailbox::one(&mails).token(), "new_password": "another long pass phrase"});
        assert_eq!(test.post_open("/v1/auth/password/reset", reset).await.status, StatusCode::NO_CONTENT);
        test.login(STORED, PASSWORD).await;
    }

    async fn t22_a_taken_address_is_taken_in_every_spelling(backend: Backend) {
        let reveal = |config: &mut bailiwick::config::Config| config.registration.reveal_duplicates = true;
        let Some(test) = TestApp::spawn_with(backend, reveal).await else { return };
        sign_up(&test, STORED).await.expect(201);
        for typed in SAME {
            sign_up(&test, typed).await.expect_problem(409, "email_taken");
        }
        for typed in OTHERS {
            sign_up(&test, typed).await.expect(201);
        }
    }

    async fn t22_user_names_do_not_imitate_each_other(backend: Backend) {
        let reveal = |config: &mut bailiwick::config::Config| config.registration.reveal_duplicates = true;
        let Some(test) = TestApp::spawn_with(backend, reveal).await else { return };
        for (at, taken) in ["admin", "kelvin", "stra\u{df}e", "jos\u{e9}"].into_iter().enumerate() {
            name(&test, taken, at).await.expect(201);
        }
        let before = users(&test).await;
        for (at, typed) in ["Admin", "ADMIN", "adm\u{131}n", "\u{212a}elvin", "STRASSE", "strasse", "jose\u{301}", "JOS\u{c9}"].into_iter().enumerate() {
            let refused = name(&test, typed, 10 + at).await.expect_problem(409, "email_taken");
            assert_eq!(refused["detail"], "the user name is taken", "{typed:?}");
        }
        for (at, typed) in [
            "\u{430}dmin", "adm\u{456}n", "k\u{435}lvin", "\u{391}dmin", "\u{ff41}dmin", "ad\u{200d}min", "ad\u{200b}min", "admin\u{301}\u{200c}", "ad min",
        ].into_iter().enumerate() {
            let reply = name(&test, typed, 30 + at).await;
            assert_eq!(reply.pointers(), ["/username"], "{typed:?}");
            reply.expect_problem(422, "validation_failed");
            test.try_login(typed, PASSWORD).await.expect_problem(401, "invalid_credentials");
        }
        assert_eq!(users(&test).await, before);
    }
}
