//! T11: many refreshes with one token at the same moment.
//!
//! Seen to fail: without `version` and `rt_hash` in the condition of the rotation there are several successors;
//! without the retry window most of them sign their user out.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    app::{Actor, TestApp},
    both,
};

both! {
    async fn t11_sixty_four_refreshes_at_once_have_one_successor(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let replies = futures_util::future::join_all((0..64).map(|_| test.refresh(&ann.refresh))).await;
        let mut successors = BTreeSet::new();
        let mut tokens = Vec::new();
        for reply in replies {
            let pair = reply.expect(200);
            assert_eq!(pair["token_version"], 2);
            successors.insert(pair["refresh_token"].as_str().unwrap().to_owned());
            tokens.push(pair["access_token"].as_str().unwrap().to_owned());
        }
        assert_eq!(successors.len(), 1, "one successor");
        for token in tokens.iter().chain([&ann.token]) {
            test.whoami(token).await.expect(200);
        }
        let next = test.refresh(successors.first().unwrap()).await.expect(200);
        assert_eq!(next["token_version"], 3);
    }

    /// The winner of the race is the only one: the token that was raced for is a theft signal from then on.
    async fn t11_the_raced_token_ends_the_session_after_the_window(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let replies = futures_util::future::join_all((0..8).map(|_| test.refresh(&ann.refresh))).await;
        let next = Actor::from(replies.into_iter().next().unwrap().expect(200));
        test.advance(Duration::from_secs(31));
        test.refresh(&ann.refresh).await.expect_problem(401, "refresh_reused");
        test.refresh(&next.refresh).await.expect_problem(401, "token_revoked");
        for token in [&ann.token, &next.token] {
            test.whoami(token).await.expect_problem(401, "token_revoked");
        }
    }
}
