//! T13: a token of an older generation proves a theft; one that was made up proves nothing and ends nothing.
//!
//! Seen to fail: when what the server's tag does not vouch for counts as reuse, the forged tokens end the session;
//! when nothing does, old generations are harmless.

use std::time::Duration;

use crate::{
    app::{Actor, PASSWORD, TestApp},
    both,
    forge::with_checksum,
};

both! {
    async fn t13_every_older_generation_ends_the_session(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let other = test.user("ann").await;
        for generation in 0..4 {
            let mut issued = vec![test.login("ann@example.com", PASSWORD).await];
            for _ in 0..4 {
                test.advance(Duration::from_mins(1));
                issued.push(test.refresh(&issued.last().unwrap().refresh).await.expect(200).into());
            }
            test.advance(Duration::from_secs(31));
            let reply = test.refresh(&issued[generation].refresh).await;
            assert_eq!(reply.header("x-auth-action"), "relogin");
            reply.expect_problem(401, "refresh_reused");
            for of_the_chain in &issued {
                let reply = test.refresh(&of_the_chain.refresh).await;
                assert_eq!((reply.status.as_u16(), reply.header("x-auth-action")), (401, "relogin"), "{}", reply.text);
                test.whoami(&of_the_chain.token).await.expect_problem(401, "token_revoked");
            }
        }
        test.refresh(&other.refresh).await.expect(200); // another session of the same user goes on
    }

    /// The id of a session is no secret: with it alone nobody may sign its user out.
    async fn t13_a_forged_token_ends_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let next = Actor::from(test.refresh(&ann.refresh).await.expect(200));
        test.advance(Duration::from_secs(31)); // past the window, where reuse would end the session
        let mut forged = vec![String::new(), "bwk_rt_".to_owned(), "\u{1}".to_owned(), ann.token.clone()];
        for at in 0..next.refresh.len() {
            let mut bytes = next.refresh.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            forged.push(String::from_utf8(bytes).unwrap());
        }
        // The checksum is no secret: with a right one, the server's tag still proves nothing was issued.
        let (body, _) = next.refresh.rsplit_once('_').unwrap();
        for at in 36..body.len() {
            let mut bytes = body.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            forged.push(with_checksum(&String::from_utf8(bytes).unwrap()));
        }
        forged.push(with_checksum(&body.replace(".000002", ".000001")));
        for token in &forged {
            test.refresh(token).await.expect_problem(401, "refresh_failed");
        }
        test.whoami(&next.token).await.expect(200);
        test.refresh(&next.refresh).await.expect(200);
    }
}
