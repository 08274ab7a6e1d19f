//! Who may do what: every operation of the document against every kind of caller, as a table that a
//! reviewer reads. `UPDATE_MATRIX=1` rewrites the table; a new operation without a row fails.

use std::{collections::BTreeMap, fmt::Write};

use axum::http::Method;
use bailiwick::{http::actions, policy::StoreName, users::UserStatus};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp, form},
    both,
    contract::operations,
    policy_stores::{EVERYONE, files},
    support::{Backend, setting},
};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/matrix.txt");
const CALLERS: [&str; 8] =
    ["anonymous", "user", "manager", "admin", "super_admin", "locked", "admin_key", "service"];

/// A server on which one caller tries everything, each time in a session of its own.
struct Stage {
    test: TestApp,
    root: Actor,
    caller: Option<Actor>,
    /// What the caller sends instead of an access token.
    credential: Option<String>,
    locked: bool,
    other: Actor,
    leaver: Actor,
    spare: Actor,
    boss: Actor,
    binding: String,
    /// An API key of the caller's, or of somebody else.
    api_key: String,
    /// A key that signs nothing yet.
    key: String,
    client: String,
}

impl Stage {
    async fn new(backend: Backend, who: &str) -> Option<Self> {
        let test = TestApp::spawn_with(backend, |config| {
            config.tenants.self_registration = true;
            config.sessions.max_per_user = 10_000; // the caller signs in for every attempt, all at one moment
        })
        .await?;
        let root = test.administrator().await;
        let caller = match who {
            "anonymous" | "service" => None,
            "user" | "locked" => Some(test.user("caller").await),
            role => {
                let caller = test.user("caller").await;
                test.grant(&root, &caller, role.trim_end_matches("_key")).await;
                Some(caller)
            }
        };
        for role in ["spare", "auditor"] {
            test.post("/v1/admin/roles", &root.token, json!({"name": role})).await.expect(201);
        }
        let (other, leaver) = (test.user("other").await, test.user("leaver").await);
        let spare = test.user("spare").await;
        let boss = test.user("boss").await;
        test.grant(&root, &boss, "admin").await;
        let binding = test.grant(&root, &other, "auditor").await;
        let publish = json!({"files": files(EVERYONE)});
        test.post("/v1/policy-stores/app/versions", &root.token, publish).await;
        let team = json!({"upserts": [{"uid": {"type": "Team", "id": "t"}}]});
        test.post("/v1/policy-stores/app/entities:batch", &root.token, team).await.expect(200);
        let owner = caller.as_ref().unwrap_or(&other);
        let body = json!({"name": "key", "scopes": ["*"]});
        let made = test.post("/v1/api-keys", &owner.token, body).await.expect(201);
        let field = |name: &str| made[name].as_str().unwrap().to_owned();
        let api_key = field("id");
        let credential = match who {
            "service" => {
                let client = test.service(&root, json!({"name": "everything", "scopes": ["*"]})).await;
                Some(test.own_token(&client).await)
            }
            who => who.ends_with("_key").then(|| field("api_key")),
        };
        let locked = who == "locked";
        // A key that signs nothing yet: dropping it signs nobody out.
        let key = test.post("/v1/admin/keys/rotate", &root.token, Value::Null).await.expect(200);
        let key = key["kid"].as_str().unwrap().to_owned();
        let client = test.service(&root, json!({"name": "spare"})).await.id;
        Some(Self {
            test,
            root,
            caller,
            credential,
            locked,
            other,
            leaver,
            spare,
            boss,
            binding,
            api_key,
            key,
            client,
        })
    }

    /// A session of the caller's that nothing has been done to.
    async fn session(&self) -> Option<Actor> {
        self.caller.as_ref()?;
        let caller = &self.caller.clone()?;
        self.test.set_status(caller, UserStatus::Active).await;
        let fresh = self.test.login("caller@example.com", PASSWORD).await;
        if self.locked {
            self.test.set_status(caller, UserStatus::Locked).await;
        }
        Some(fresh)
    }

    async fn attempt(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let session = self.session().await;
        let spare = self.session().await;
        let spare = spare.as_ref().unwrap_or(&self.other);
        // Who is erased is nobody whom another row is about.
        let user = if method == "delete" { &self.leaver } else { &self.spare };
        let path = path
            .replace("{store}", "app")
            .replace("{number}", "1")
            .replace("{type}", "Team")
            .replace("{id}", "t")
            .replace("{name}", "spare")
            .replace("{tenant_id}", "ten_00000000000070008000000000000001")
            .replace("{key_id}", &self.api_key)
            .replace("{binding_id}", &self.binding)
            .replace("{boss_id}", &self.boss.id)
            .replace("{own_id}", self.caller.as_ref().map_or("nobody", |caller| &caller.id))
            .replace("{user_id}", &user.id)
            .replace("{kid}", &self.key)
            .replace("{client_id}", &self.client)
            .replace("{session_id}", &spare.session);
        let method: Method = method.to_uppercase().parse().unwrap();
        let token = self.credential.as_deref().or(session.as_ref().map(|session| session.token.as_str()));
        self.test.send(method, &path, token, body).await
    }

    fn body(&self, operation: &str) -> Option<Value> {
        let view = json!({"type": "Document", "id": "handbook"});
        Some(match operation {
            "register_user" => json!({"email": "new@example.com", "password": PASSWORD}),
            "create_login" => json!({"identifier": "other@example.com", "password": PASSWORD}),
            "refresh_session" | "refresh_sdk_session" => json!({"refresh_token": self.other.refresh}),
            "end_session" => json!({"refresh_token": self.leaver.refresh}),
            "change_password" => {
                json!({"current_password": PASSWORD, "new_password": PASSWORD, "keep_current": true})
            }
            "complete_setup" => {
                json!({"setup_token": "spent", "email": "new@example.com", "password": PASSWORD})
            }
            "verify_email" => json!({"token": "spent"}),
            "complete_mfa_login" => json!({"mfa_token": "spent", "code": "000000"}),
            "step_up" => json!({"password": PASSWORD}),
            "confirm_totp" => json!({"code": "000000"}),
            "reset_password" => json!({"token": "spent", "new_password": PASSWORD}),
            "resend_verification" | "forgot_password" | "change_own_email" => {
                json!({"email": "new@example.com"})
            }
            "authorize" => json!({"action": "view", "resource": view}),
            "publish_policy_version" => {
                json!({"files": files("@id(\"none\")\nforbid (principal, action, resource);")})
            }
            "activate_policy_version" | "roll_back_policy_version" => json!({"version": 1}),
            "replace_entities" => json!([{"uid": {"type": "Team", "id": "t"}}]),
            "write_entity_batch" | "put_entity" | "patch_entity" | "promote_client_key"
            | "make_user_link" | "update_own_user" | "update_profile" => json!({}),
            "register_client" => {
                json!({"company_name": "Acme", "email": "owner@acme.example", "password": PASSWORD, "plan": "free"})
            }
            "open_sdk_session" => json!({"user_external_id": "4711"}),
            "create_tenant" => json!({"company_name": "Made", "plan": "free"}),
            "update_tenant" => json!({"company_name": "Renamed"}),
            "update_client_settings" => json!({"socket_urls": ["wss://socket.example.com"]}),
            "rotate_client_key" => json!({"replace": true}),
            "create_api_key" | "update_api_key" | "create_role" => json!({"name": "made"}),
            "validate_token" => {
                json!({"token": self.other.token, "authorize": [{"action": "view", "resource": view}]})
            }
            "validate_api_key" => json!({"api_key": "bwk_prod_x"}),
            "validate_socket" => json!({"token": self.other.token, "socket_id": "s"}),
            "grant_role" => json!({"user_id": self.other.id, "role": "manager"}),
            _ => return None,
        })
    }

    /// What stands in the body and changes who may.
    fn variants(&self) -> Vec<(&'static str, &'static str, &'static str, Value)> {
        let view = json!({"type": "Document", "id": "handbook"});
        let user = |id: &str| json!({"type": "User", "id": id});
        let ask = "/v1/authorize";
        vec![
            (
                "about someone else",
                "post",
                ask,
                json!({"action": "view", "resource": view, "principal": user(&self.other.id)}),
            ),
            (
                "by someone's token",
                "post",
                ask,
                json!({"action": "view", "resource": view, "token": self.other.token}),
            ),
            (
                "about the system store",
                "post",
                ask,
                json!({"policy_store": "system", "action": "readHealth", "resource": {"type": "Tenant", "id": "t"}}),
            ),
            (
                "grant admin",
                "post",
                "/v1/admin/role-bindings",
                json!({"user_id": self.other.id, "role": "admin"}),
            ),
            (
                "with the role super_admin",
                "post",
                "/v1/admin/oauth-clients",
                json!({"name": "strong", "roles": ["super_admin"]}),
            ),
            (
                "grant super_admin",
                "post",
                "/v1/admin/role-bindings",
                json!({"user_id": self.other.id, "role": "super_admin"}),
            ),
            ("of one's own", "patch", "/v1/users/{own_id}/profile", json!({"nickname": "Cal"})),
            ("of an admin", "patch", "/v1/users/{boss_id}/profile", json!({"nickname": "Boss"})),
            ("of a user", "get", "/v1/admin/sessions?user_id={user_id}", json!({})),
            ("of an admin", "get", "/v1/admin/sessions?user_id={boss_id}", json!({})),
            ("lock an admin", "post", "/v1/admin/users/{boss_id}/lock", json!({})),
            ("erase an admin", "delete", "/v1/admin/users/{boss_id}", Value::Null),
            ("into system", "put", "/v1/policy-stores/system/entities/Tenant/x", json!({})),
            ("activate in system", "post", "/v1/policy-stores/system/activate", json!({"version": 1})),
            ("roll back system", "post", "/v1/policy-stores/system/rollback", json!({"version": 1})),
        ]
    }
}

/// ✘ for what the caller is refused, ✔ for the rest, with the status.
fn cell(reply: &Reply) -> String {
    let refused = matches!(reply.status.as_u16(), 401 | 403);
    format!("{} {}", if refused { '\u{2718}' } else { '\u{2714}' }, reply.status.as_u16())
}

async fn column(backend: Backend, who: &str) -> Option<BTreeMap<String, String>> {
    let stage = Stage::new(backend, who).await?;
    let mut column = BTreeMap::new();
    // What removes a thing comes last, so that the others find it.
    let mut listed = operations();
    listed.sort_by_key(|operation| (operation.method == "delete", operation.path, operation.method));
    // Who has erased themselves tries nothing any more.
    let (last, listed): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .partition(|operation| operation.method == "delete" && operation.path == "/v1/users/me");
    for operation in listed {
        let name = operation.about["operationId"].as_str().unwrap();
        if operation.needs_client() {
            // A client's proof is what counts here, and a person's token is none.
            let reply = form(&stage.test.routers.public, operation.path, None, &[("token", "t")]).await;
            column.insert(format!("{} {}", operation.path, operation.method.to_uppercase()), cell(&reply));
            reply.expect_oauth(401, "invalid_client");
            continue;
        }
        let reply = stage.attempt(operation.method, operation.path, stage.body(name)).await;
        assert!(reply.status.as_u16() < 500, "{who} {name}: {}", reply.text);
        if who == "anonymous" && operation.needs_token() {
            assert_eq!(
                (reply.status.as_u16(), &reply.body["code"]),
                (401, &json!("token_missing")),
                "{name}"
            );
        }
        if !operation.needs_token() {
            // The token in the body is what is wrong, whoever calls.
            let wrong_token = ["setup_completed", "link_invalid", "mfa_invalid"]
                .iter()
                .any(|code| reply.body["code"] == *code);
            assert!(
                reply.status.is_success() || wrong_token,
                "{who} {name}: open operations refuse nobody: {}",
                reply.text
            );
        }
        column.insert(format!("{} {}", operation.path, operation.method.to_uppercase()), cell(&reply));
    }
    for (what, method, path, body) in stage.variants() {
        let reply = stage.attempt(method, path, Some(body)).await;
        column.insert(format!("{path} {} ({what})", method.to_uppercase()), cell(&reply));
    }
    for operation in last {
        let reply = stage.attempt(operation.method, operation.path, None).await;
        column.insert(format!("{} {}", operation.path, operation.method.to_uppercase()), cell(&reply));
    }
    stage.test.whoami(&stage.root.token).await.expect(200);
    Some(column)
}

both! {
    async fn the_table_of_permissions_is_as_reviewed(backend: Backend) {
        let mut columns = Vec::new();
        for who in CALLERS {
            let Some(column) = column(backend, who).await else { return };
            columns.push(column);
        }
        let width = columns[0].keys().map(String::len).max().unwrap();
        let mut table = format!("{:width$}", "");
        for who in CALLERS {
            write!(table, "  {who:11}").unwrap();
        }
        for row in columns[0].keys() {
            write!(table.truncate_end(), "\n{row:width$}").unwrap();
            for column in &columns {
                write!(table, "  {:11}", column[row]).unwrap();
            }
        }
        table.truncate_end().push('\n');
        if setting("UPDATE_MATRIX").is_some() {
            std::fs::write(TABLE, &table).unwrap();
        }
        let reviewed = std::fs::read_to_string(TABLE).unwrap_or_default();
        assert!(table == reviewed, "permissions changed; review and run with UPDATE_MATRIX=1:\n{table}");
    }

    async fn every_operation_names_an_action_of_the_system_store(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let snapshot = test.app.policies.live().snapshot(&StoreName::system()).unwrap();
        for action in actions::ALL {
            snapshot.action(&json!(action)).unwrap_or_else(|problem| panic!("{action}: {problem}"));
        }
        for operation in operations() {
            assert!(actions::ALL.contains(&operation.action()), "{}", operation.action());
        }
        // Scopes stand in the body that makes a key, explaining and asking about others in that of `authorize`; a key is
        // used with any operation.
        let named: Vec<_> = operations().iter().map(crate::contract::Operation::action).collect();
        let unnamed: Vec<_> = actions::ALL.iter().filter(|action| !named.contains(action)).collect();
        assert_eq!(unnamed, [&"grantScope", &"useApiKey", &"authorizeOthers", &"explain"]);
    }
}

trait TruncateEnd {
    fn truncate_end(&mut self) -> &mut Self;
}

impl TruncateEnd for String {
    /// Takes spaces off the end.
    fn truncate_end(&mut self) -> &mut Self {
        self.truncate(self.trim_end_matches(' ').len());
        self
    }
}
