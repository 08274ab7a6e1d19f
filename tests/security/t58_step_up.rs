//! T58: what changes an account needs a proof of the last five minutes, and refreshing is none.

use std::time::Duration;

use serde_json::json;

use crate::{
    app::{Actor, PASSWORD, TestApp},
    both,
};

async fn change(test: &TestApp, who: &Actor) -> crate::app::Reply {
    test.post("/v1/users/me/email", &who.token, json!({"email": "new@example.com"})).await
}

both! {
    async fn t58_an_old_sign_in_changes_no_address(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        test.advance(Duration::from_mins(5));
        change(&test, &ann).await.expect(202);
        test.advance(Duration::from_secs(1));
        let refused = change(&test, &ann).await;
        let challenge = refused.header("www-authenticate").to_owned();
        assert!(challenge.contains("error=\"insufficient_user_authentication\"") && challenge.contains("max_age=\"300\""), "{challenge}");
        refused.expect_problem(401, "step_up_required");
        let refreshed = Actor::from(test.refresh(&ann.refresh).await.expect(200));
        change(&test, &refreshed).await.expect_problem(401, "step_up_required");
        let again = test.login("ann@example.com", PASSWORD).await;
        change(&test, &again).await.expect(202);
    }
}
