//! Tag `oauth`: what clients of OAuth 2.0 find here.

use serde_json::json;

use crate::{app::TestApp, both};

both! {
    async fn clients_can_configure_themselves(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| {
            config.server.public_url = Some("https://id.example.com".to_owned());
        }).await else { return };
        let reply = test.get_open("/.well-known/oauth-authorization-server").await;
        assert_eq!(reply.header("cache-control"), "public, max-age=300");
        let about = reply.expect(200);
        assert_eq!(about["issuer"], json!("https://id.example.com"), "as in tokens: no path, no trailing slash");
        assert_eq!(about["jwks_uri"], json!("https://id.example.com/.well-known/jwks.json"));
        assert_eq!(about["response_types_supported"], json!([]));
        let alias = test.get_open("/.well-known/openid-configuration").await.expect(200);
        assert_eq!(alias, about);
        let ann = test.user("ann").await;
        assert_eq!(crate::forge::parts(&ann.token).1["iss"], about["issuer"]);
    }
}
