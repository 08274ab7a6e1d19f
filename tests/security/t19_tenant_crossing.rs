//! T19: nothing of one tenant is reached from another: to a stranger, an id of another tenant is an id of nothing.
//!
//! Seen to fail: without `tenant_id` in the `WHERE` of `api_keys::store::by_id`, the key of tenant B is shown to A.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    api_keys::make,
    app::{Actor, TestApp},
    bad_input::sample,
    both,
    client::{Company, open_to_companies, register},
    contract::operations,
};

/// Parameters that name nothing of a tenant: what they name belongs to the installation, or is a name and not an id.
const OF_NO_TENANT: [&str; 7] = ["store", "number", "type", "id", "name", "kid", "tenant_id"];

/// An Ed25519 public key (RFC 8037 §A.2).
const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// The ids of tenant B's, by parameter, each with one of nothing.
async fn ids_of(test: &TestApp, b: &Company) -> Vec<(&'static str, String, String)> {
    let absent = |prefix: &str| format!("{prefix}_019aa2c5b8f07d3c9f0b6f2f3c1d9e47");
    let (key, _) = make(test, &b.owner, json!({"name": "k"})).await;
    let bindings = test.get("/v1/admin/role-bindings", &b.owner.token).await.expect(200);
    let binding = bindings["data"][0]["id"].as_str().unwrap().to_owned();
    let sessions = test.get("/v1/sessions", &b.owner.token).await.expect(200);
    let device = sessions["data"][0]["device_id"].as_str().unwrap().to_owned();
    let client = test.post("/v1/admin/oauth-clients", &b.owner.token, json!({"name": "c"})).await.expect(201);
    vec![
        ("key_id", key, absent("key")),
        ("binding_id", binding, absent("rbd")),
        ("session_id", b.owner.session.clone(), absent("ses")),
        ("user_id", b.owner.id.clone(), absent("usr")),
        ("device_id", device, absent("dev")),
        ("client_id", client["id"].as_str().unwrap().to_owned(), absent("cli")),
    ]
}

/// An answer without what differs from request to request.
fn told(reply: &crate::app::Reply, id: &str) -> (u16, String) {
    let mut body = reply.body.clone();
    if let Some(body) = body.as_object_mut() {
        for member in ["request_id", "instance", "decision_id"] {
            body.remove(member);
        }
    }
    (reply.status.as_u16(), body.to_string().replace(id, "<id>"))
}

async fn attempt(
    test: &TestApp,
    by: &Actor,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> crate::app::Reply {
    let method: Method = method.to_uppercase().parse().unwrap();
    test.send(method, path, Some(&by.token), body).await
}

both! {
    async fn t19_an_id_of_another_tenant_is_an_id_of_nothing(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let (a, b) = (register(&test, "a").await, register(&test, "b").await);
        let ids = ids_of(&test, &b).await;
        let mut tried = 0;
        for operation in operations() {
            let (inside, query) = (operation.parameters("path"), operation.parameters("query"));
            for parameter in inside.iter().chain(&query).filter(|parameter| parameter.ends_with("_id") || inside.contains(parameter)) {
                if OF_NO_TENANT.contains(parameter) {
                    continue;
                }
                let found = ids.iter().find(|(name, ..)| name == parameter);
                let (_, theirs, absent) = found.unwrap_or_else(|| panic!("{parameter} of {} needs an id of tenant B", operation.path));
                // By an administrator of another company, and by who may do everything in the installation's own.
                for by in [&a.owner, &root] {
                    let mut answers = Vec::new();
                    for id in [theirs, absent] {
                        let path = if inside.contains(parameter) {
                            operation.path.replace(&format!("{{{parameter}}}"), id)
                        } else {
                            format!("{}?{parameter}={id}", operation.path)
                        };
                        let mut body = operation.body().map(|_| sample(&operation));
                        if let Some(jwks) = body.as_mut().and_then(|body| body.get_mut("jwks")) {
                            *jwks = json!({"keys": [{"kid": "k", "kty": "OKP", "crv": "Ed25519", "x": KEY}]});
                        }
                        answers.push(told(&attempt(&test, by, operation.method, &path, body).await, id));
                    }
                    assert_eq!(answers[0], answers[1], "{} {} {parameter}", operation.method, operation.path);
                    if inside.contains(parameter) {
                        assert_eq!(answers[0].0, 404, "{} {}: {}", operation.method, operation.path, answers[0].1);
                    }
                    tried += 1;
                }
            }
        }
        assert!(tried >= 12, "{tried}");
        // Ids that stand in a body.
        for by in [&a.owner, &root] {
            let grants = |user: String| attempt(&test, by, "post", "/v1/admin/role-bindings", Some(json!({"user_id": user, "role": "user"})));
            let (_, theirs, absent) = ids.iter().find(|(name, ..)| *name == "user_id").unwrap();
            let (crossing, nothing) = (grants(theirs.clone()).await, grants(absent.clone()).await);
            assert_eq!(told(&crossing, theirs), told(&nothing, absent));
            assert_eq!(crossing.status.as_u16(), 422);
        }
        // The same id of a user, told by two servers, is two users.
        let opened = async |key: &str, id: &str| {
            let body = json!({"user_external_id": id});
            crate::sdk::open(&test, key, body).await.expect(200)["user"]["id"].clone()
        };
        let (theirs, ours) = (opened(&b.key, "4711").await, opened(&a.key, "4711").await);
        assert_ne!(theirs, ours);
        assert_ne!(opened(&a.key, theirs.as_str().unwrap()).await, theirs);
        assert_eq!(opened(&b.key, "4711").await, theirs);
        // Nothing of B's was touched.
        test.whoami(&b.owner.token).await.expect(200);
        for (parameter, path) in [("key_id", "/v1/api-keys/"), ("binding_id", "/v1/admin/role-bindings")] {
            let (_, id, _) = ids.iter().find(|(name, ..)| *name == parameter).unwrap();
            let path = if parameter == "key_id" { format!("{path}{id}") } else { path.to_owned() };
            assert!(test.get(&path, &b.owner.token).await.text.contains(id), "{parameter}");
        }
        // Identity is read in the asker's tenant: whoever is of another has no attributes and no roles there.
        let question = json!({"action": "view", "resource": {"type": "Document", "id": "handbook"},
            "principal": {"type": "User", "id": b.owner.id}});
        let (theirs, mut nobody) = (test.ask(&a.owner.token, question.clone()).await, question);
        nobody["principal"]["id"] = json!("usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47");
        let nobody = test.ask(&a.owner.token, nobody).await;
        assert_eq!((&theirs.body["decision"], theirs.status), (&nobody.body["decision"], nobody.status));
    }
}
