//! T56: scope and audience never grow, along a chain of exchanges or at a refresh, and roles are those of now.
//!
//! Seen to fail: without the bound of the exchanged token, without that of the client, with the roles of the old
//! token, and with an exchange for us.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    app::{Service, TestApp},
    both,
    forge::parts,
    oauth::EXCHANGE,
};

const WORDS: [&str; 4] = ["a", "b", "c", "d"];

fn words(bits: usize) -> Vec<&'static str> {
    WORDS.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, word)| *word).collect()
}

fn set(scope: &Value) -> BTreeSet<String> {
    scope.as_str().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Reproducible and spread over the range.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

both! {
    /// Random clients, random wishes: out ⊆ in ∩ what the client has.
    async fn t56_scopes_only_shrink(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let mut dice = 7;
        let last = test.service(&root, json!({"name": "last"})).await;
        for _ in 0..12 {
            let mut chain: Vec<(Service, usize)> = Vec::new();
            let mut audience = last.id.clone();
            for place in 0..3 {
                let has = 1 + next(&mut dice) % 15;
                let about = json!({"name": format!("s{place}"), "grants": [EXCHANGE], "scopes": words(has), "audiences": [audience]});
                let client = test.service(&root, about).await;
                audience.clone_from(&client.id);
                chain.insert(0, (client, has));
            }
            let (mut token, mut bound) = (ann.token.clone(), None::<BTreeSet<String>>);
            for at in 0..chain.len() {
                let (client, has) = &chain[at];
                let target = chain.get(at + 1).map_or(&last.id, |(next, _)| &next.id);
                let wish = next(&mut dice) % 17;
                let wanted = words(wish % 16).join(" ");
                let mut fields = crate::oauth::exchange(&token, target);
                if wish < 16 && !wanted.is_empty() {
                    fields.push(("scope", &wanted));
                }
                let reply = test.token(client, &fields).await;
                let permitted: BTreeSet<String> = words(*has).into_iter().map(str::to_owned)
                    .filter(|word| bound.as_ref().is_none_or(|bound| bound.contains(word))).collect();
                if reply.status != 200 {
                    let asked = set(&json!(wanted));
                    assert!(!asked.is_subset(&permitted), "{wanted} of {permitted:?}: {}", reply.text);
                    reply.expect_oauth(400, "invalid_scope");
                    break;
                }
                let issued = reply.expect(200);
                let claims = parts(issued["access_token"].as_str().unwrap()).1;
                assert!(set(&claims["scope"]).is_subset(&permitted), "{} is beyond {permitted:?}", claims["scope"]);
                assert_eq!(set(&claims["scope"]), set(&issued["scope"]));
                assert_eq!(claims["aud"], json!(target));
                bound = Some(set(&claims["scope"]));
                issued["access_token"].as_str().unwrap().clone_into(&mut token);
            }
        }
    }

    /// A token for us is got by signing in and never in exchange, whatever a client may be configured for.
    async fn t56_no_exchange_is_for_us(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        let ours = test.app.tokens.settings().audience.clone();
        let about = json!({"name": "gateway", "grants": [EXCHANGE], "audiences": [ours]});
        let client = test.service(&root, about).await;
        let fields = crate::oauth::exchange(&ann.token, &ours);
        test.token(&client, &fields).await.expect_oauth(400, "invalid_target");
    }

    async fn t56_a_role_that_was_taken_is_gone_from_the_next_token(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let manager = test.user("manager").await;
        let binding = test.grant(&root, &manager, "manager").await;
        let target = test.service(&root, json!({"name": "target"})).await;
        let about = json!({"name": "gateway", "grants": [EXCHANGE, "refresh_token"], "audiences": [target.id]});
        let client = test.service(&root, about).await;
        let roles = |token: &str| parts(token).1["roles"].to_string();
        let issue = |refresh: String, access: String| {
            let (test, client, target) = (&test, &client, &target.id);
            async move {
                let fields = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
                let refreshed = test.token(client, &fields).await.expect(200);
                let exchanged = test.token(client, &crate::oauth::exchange(&access, target)).await.expect(200);
                (refreshed, exchanged["access_token"].as_str().unwrap().to_owned())
            }
        };
        let (refreshed, exchanged) = issue(manager.refresh.clone(), manager.token.clone()).await;
        assert!(roles(refreshed["access_token"].as_str().unwrap()).contains("manager") && roles(&exchanged).contains("manager"));
        test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
        let next = refreshed["refresh_token"].as_str().unwrap().to_owned();
        let (refreshed, exchanged) = issue(next, manager.token.clone()).await;
        assert!(!roles(refreshed["access_token"].as_str().unwrap()).contains("manager"));
        assert!(!roles(&exchanged).contains("manager"), "the exchanged token names a role that was taken");
    }
}
