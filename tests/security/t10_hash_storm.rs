//! T10: a storm of sign-ins takes no more memory than the pool has, and who does not fit in is told so.
//!
//! Seen to fail: with a queue without end.

use futures_util::future::join_all;

use crate::{
    app::{PASSWORD, TestApp},
    both,
};

both! {
    async fn t10_a_thousand_logins_are_hashed_or_refused_at_once(backend: Backend) {
        let narrow = |config: &mut bailiwick::config::Config| {
            config.passwords.workers = Some(1);
            config.passwords.queue_per_worker = 4;
            config.passwords.argon2_memory_kib = 1024;
        };
        let Some(test) = TestApp::spawn_with(backend, narrow).await else { return };
        test.user("ann").await;
        let before = test.app.authn.hashes();
        let names: Vec<String> = (0..1_000).map(|n| format!("user-{n}@example.com")).collect();
        let replies = join_all(names.iter().map(|name| test.try_login(name, PASSWORD))).await;
        let (mut hashed, mut refused) = (0, 0);
        for reply in replies {
            if reply.status == 401 {
                hashed += 1;
                continue;
            }
            assert_eq!(reply.header("retry-after"), "1");
            reply.expect_problem(503, "hashing_overloaded");
            refused += 1;
        }
        assert_eq!((hashed + refused, test.app.authn.hashes() - before), (1_000, hashed));
        assert!(hashed >= 5 && refused > 0, "{hashed} hashed, {refused} refused");
        test.login("ann@example.com", PASSWORD).await;
    }
}
