//! T33: a stored hash is no memory bomb, however it came there.

use bailiwick::{authn::Passwords, base::TenantId, storage::StorageError, users::Phc, write_tx};

use crate::{
    app::{PASSWORD, TestApp},
    both,
};

/// Each over one cap.
const BOMBS: [&str; 9] = [
    "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
    "$argon2id$v=19$m=262145,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
    "$argon2id$v=19$m=64,t=11,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
    "$argon2id$v=19$m=128,t=1,p=9$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
    "$scrypt$ln=18,r=9,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
    "$scrypt$ln=63,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
    "$scrypt$ln=10,r=8,p=9$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
    "$pbkdf2-sha256$i=2000001,l=12$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
    "$2b$15$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
];

#[test]
fn t33_an_import_takes_no_bomb() {
    for bomb in BOMBS {
        assert!(!Passwords::accepts(&Phc::new(bomb.to_owned())), "{bomb}");
    }
    for good in [
        "$argon2id$v=19$m=262144,t=10,p=8$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
        "$scrypt$ln=18,r=8,p=8$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
        "$pbkdf2-sha512$i=2000000,l=12$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
        "$2y$14$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
    ] {
        assert!(Passwords::accepts(&Phc::new(good.to_owned())), "{good}");
    }
    for odd in [
        "",
        "$",
        "$2b$",
        "$2b$12$",
        "$2b$12$\u{e9}",
        "$md5$x",
        "$argon2id$",
        "$pbkdf2-sha256$i=0$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
        "plain",
    ] {
        assert!(!Passwords::accepts(&Phc::new(odd.to_owned())), "{odd}");
    }
}

both! {
    async fn t33_a_planted_bomb_is_one_normal_hash(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let id = test.user("ann").await.id.parse().unwrap();
        for (n, bomb) in BOMBS.iter().enumerate() {
            let (users, phc) = (&test.app.users, Phc::new((*bomb).to_owned()));
            let done = write_tx!(test.app.db, "test", |tx| -> Result<(), StorageError> {
                users.set_phc_in(tx, TenantId::DEFAULT, id, &phc).await
            });
            done.unwrap();
            let before = test.app.authn.hashes();
            test.try_login("ann@example.com", PASSWORD).await.expect_problem(401, "invalid_credentials");
            assert_eq!(test.app.authn.hashes() - before, 1);
            let metrics = crate::app::unchecked(&test.routers.admin, "/metrics").await.text;
            let counted = format!("bailiwick_password_hashes_refused_total {}", n + 1);
            assert!(metrics.contains(&counted), "the alert metric does not say `{counted}`");
        }
    }
}
