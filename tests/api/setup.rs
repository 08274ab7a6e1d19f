//! Tag `setup`: the first administrator. (That there is only one: `security/t50_last_administrator`.)

use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    app::{PASSWORD, Reply, TestApp},
    both,
};

fn first(token: &str, email: &str) -> Value {
    json!({"setup_token": token, "email": email, "password": PASSWORD})
}

async fn set_up(test: &TestApp, body: Value) -> Reply {
    test.post_open("/v1/setup", body).await
}

both! {
    async fn the_token_makes_an_administrator(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let token = test.setup_token();
        let admin = set_up(&test, first(&token, "root@example.com")).await.expect(201);
        assert_eq!((&admin["roles"], &admin["status"]), (&json!(["super_admin"]), &json!("active")));
        let root = test.login("root@example.com", PASSWORD).await;
        test.get("/v1/admin/roles", &root.token).await.expect(200);
    }

    async fn a_wrong_token_makes_nobody(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let token = test.setup_token();
        for wrong in ["", "x", &token[1..], &format!("{token} "), &token.to_uppercase(), "' OR 1=1--"] {
            set_up(&test, first(wrong, "root@example.com")).await.expect_problem(401, "setup_token_invalid");
        }
        for (field, value, code) in [
            ("email", "no address", "validation_failed"),
            ("password", "too short", "password_too_weak"),
        ] {
            let mut body = first(&token, "root@example.com");
            body[field] = json!(value);
            let reply = set_up(&test, body).await;
            assert_eq!(reply.pointers(), [format!("/{field}")], "{}", reply.text);
            reply.expect_problem(422, code);
        }
        test.user("taken").await;
        set_up(&test, first(&token, "taken@example.com")).await.expect_problem(409, "email_taken");
        set_up(&test, first(&token, "root@example.com")).await.expect(201);
    }

    async fn the_command_line_uses_the_token_up(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let token = test.setup_token();
        let email = "cli@example.com".parse().unwrap();
        test.app.authn.create_administrator(&email, &SecretString::from(PASSWORD)).await.unwrap();
        set_up(&test, first(&token, "root@example.com")).await.expect_problem(409, "setup_completed");
        test.login("cli@example.com", PASSWORD).await;
    }
}
