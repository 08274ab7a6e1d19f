//! Who may do what with this server: every role and every action of the system store, as a file to review.

use std::fmt::Write;

use bailiwick::policy::{EntitySlice, Layers, RequestParts, Snapshot, decide};
use serde_json::json;

use crate::{
    shipped::compiled,
    support::{raw, setting},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policies/system_matrix.txt");
const ACTORS: [&str; 10] = [
    "anonymous",
    "user",
    "manager",
    "admin",
    "super_admin",
    "tenant_admin",
    "disabled",
    "user_key",
    "tenant_key",
    "service",
];

/// Each action with the resources that tell cases apart.
const ROWS: [(&str, &[&str]); 94] = [
    ("register", &["Tenant::\"t\""]),
    ("login", &["Tenant::\"t\""]),
    ("refresh", &["Tenant::\"t\""]),
    ("logout", &["Tenant::\"t\""]),
    ("completeMfaLogin", &["Tenant::\"t\""]),
    ("verifyEmail", &["Tenant::\"t\""]),
    ("resendVerification", &["Tenant::\"t\""]),
    ("forgotPassword", &["Tenant::\"t\""]),
    ("resetPassword", &["Tenant::\"t\""]),
    ("completeSetup", &["Tenant::\"t\""]),
    ("readPublicDocument", &["Tenant::\"t\""]),
    ("readHealth", &["Tenant::\"t\""]),
    ("readMetrics", &["Tenant::\"t\""]),
    ("readOwnProfile", &["User::\"self\"", "User::\"other\""]),
    ("updateOwnAccount", &["User::\"self\"", "User::\"other\""]),
    ("exportOwnData", &["User::\"self\"", "User::\"other\""]),
    ("deactivateOwnAccount", &["User::\"self\"", "User::\"other\""]),
    ("deleteOwnAccount", &["User::\"self\"", "User::\"other\""]),
    ("changeOwnPassword", &["User::\"self\"", "User::\"other\""]),
    ("readOwnMfa", &["User::\"self\"", "User::\"other\""]),
    ("changeOwnMfa", &["User::\"self\"", "User::\"other\""]),
    ("stepUp", &["User::\"self\"", "User::\"other\""]),
    ("changeOwnEmail", &["User::\"self\"", "User::\"other\""]),
    ("listOwnSessions", &["User::\"self\"", "User::\"other\""]),
    ("listOwnDevices", &["User::\"self\"", "User::\"other\""]),
    ("updateOwnDevice", &["User::\"self\"", "User::\"other\""]),
    ("removeOwnDevice", &["User::\"self\"", "User::\"other\""]),
    ("revokeOwnSession", &["User::\"self\"", "User::\"other\""]),
    ("revokeOtherSessions", &["User::\"self\"", "User::\"other\""]),
    ("registerClient", &["Tenant::\"t\""]),
    ("readClient", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("readClientSettings", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("updateClientSettings", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("rotateClientKey", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("promoteClientKey", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("listTenants", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("createTenant", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("readTenant", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("updateTenant", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("createApiKey", &["User::\"self\"", "User::\"other\""]),
    ("listApiKeys", &["User::\"self\"", "User::\"other\""]),
    ("readApiKey", &["ApiKey::\"own\"", "ApiKey::\"other\"", "ApiKey::\"tenant_key\""]),
    ("updateApiKey", &["ApiKey::\"own\"", "ApiKey::\"other\"", "ApiKey::\"tenant_key\""]),
    ("revokeApiKey", &["ApiKey::\"own\"", "ApiKey::\"other\"", "ApiKey::\"tenant_key\""]),
    ("useApiKey", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("openSession", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("authorize", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("authorizeOthers", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("explain", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("listPolicyStores", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("readPolicyStore", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("publishPolicyVersion", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("activatePolicyVersion", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("rollbackPolicyVersion", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("readEntities", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("writeEntities", &["PolicyStore::\"app\"", "PolicyStore::\"system\""]),
    ("readProfile", &["User::\"self\"", "User::\"other\"", "Tenant::\"t\"", "Tenant::\"other\""]),
    ("updateProfile", &["User::\"self\"", "User::\"other\"", "Tenant::\"t\"", "Tenant::\"other\""]),
    ("listUsers", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("readUser", &["Tenant::\"t\"", "Tenant::\"other\"", "User::\"other\""]),
    ("deleteUser", &["Tenant::\"t\"", "Tenant::\"other\"", "User::\"other\""]),
    ("importUsers", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("exportUsers", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("lockUser", &["Tenant::\"t\"", "Tenant::\"other\"", "User::\"other\""]),
    ("unlockUser", &["Tenant::\"t\"", "Tenant::\"other\"", "User::\"other\""]),
    ("listUserSessions", &["Tenant::\"t\"", "Tenant::\"other\"", "User::\"other\""]),
    ("revokeUserSessions", &["Tenant::\"t\"", "Tenant::\"other\"", "User::\"other\""]),
    ("makeUserLink", &["Tenant::\"t\"", "Tenant::\"other\"", "User::\"other\""]),
    ("listRoles", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("createRole", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("deleteRole", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("listRoleBindings", &["Tenant::\"t\"", "Tenant::\"other\""]),
    (
        "grantRole",
        &["Tenant::\"t\"", "Tenant::\"other\"", "Role::\"admin\"", "Role::\"super_admin\"", "Role::\"heir\""],
    ),
    (
        "revokeRole",
        &["Tenant::\"t\"", "Tenant::\"other\"", "Role::\"admin\"", "Role::\"super_admin\"", "Role::\"heir\""],
    ),
    ("listOAuthClients", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("createOAuthClient", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("readOAuthClient", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("updateOAuthClient", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("rotateOAuthClientSecret", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("deleteOAuthClient", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("issueToken", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("refreshToken", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("introspectToken", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("revokeToken", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("validateToken", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("validateApiKey", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("validateSocket", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("readRevocations", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("followRevocations", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("exchangeToken", &["User::\"other\""]),
    ("grantScope", &["Scope::\"decisions\""]),
    ("listSigningKeys", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("rotateSigningKey", &["Tenant::\"t\"", "Tenant::\"other\""]),
    ("revokeSigningKey", &["Tenant::\"t\"", "Tenant::\"other\""]),
];

/// `+` allowed, `-` denied, `.` the action is not one for this caller.
fn cell(system: &Snapshot, actor: &str, action: &str, resource: &str) -> char {
    let principal = match actor {
        "anonymous" => "Anonymous::\"anonymous\"",
        "user_key" => "ApiKey::\"own\"",
        "tenant_key" => "ApiKey::\"tenant_key\"",
        "service" => "Service::\"service\"",
        _ => "User::\"self\"",
    };
    let context = json!({"bailiwick": {"now": "2026-01-01T00:00:00Z"}});
    let parts = RequestParts {
        principal: &raw(&json!(principal)),
        action: &raw(&json!(action)),
        resource: &raw(&json!(resource)),
        context: Some(&raw(&context)),
    };
    let Ok(query) = system.query_as_given(parts) else { return '.' };
    let (role, status) = if actor == "disabled" { ("super_admin", "disabled") } else { (actor, "active") };
    let user = |id: &str, role: &str| {
        json!({"uid": {"type": "User", "id": id},
            "attrs": {"email_verified": true, "status": status, "tenant": {"type": "Tenant", "id": "t"}},
            "parents": [{"type": "Role", "id": role}, {"type": "Tenant", "id": "t"}]})
    };
    let key = |id: &str, owner: Option<&str>| {
        let mut key = json!({"uid": {"type": "ApiKey", "id": id},
            "attrs": {"name": "k", "scopes": ["*"], "slot": if owner.is_some() { "none" } else { "primary" }, "tenant": {"type": "Tenant", "id": "t"}},
            "parents": [{"type": "Tenant", "id": "t"}]});
        if let Some(owner) = owner {
            key["attrs"]["owner"] = json!({"type": "User", "id": owner});
            key["parents"] = json!([{"type": "Tenant", "id": "t"}, {"type": "Role", "id": "user"}]);
        }
        key
    };
    let heir = json!({"uid": {"type": "Role", "id": "heir"}, "attrs": {}, "parents": [{"type": "Role", "id": "super_admin"}]});
    let service = json!({"uid": {"type": "Service", "id": "service"},
        "attrs": {"name": "s", "scopes": [], "tenant": {"type": "Tenant", "id": "t"}},
        "parents": [{"type": "Tenant", "id": "t"}]});
    let keys = [service, key("own", Some("self")), key("other", Some("other")), key("tenant_key", None)];
    let [service, own, other, tenants] = keys;
    let entities =
        raw(&json!([user("self", role), user("other", "user"), heir, service, own, other, tenants]));
    let layers = Layers { inline: Some(&entities), ..Layers::default() };
    let slice = EntitySlice::new(system, layers).unwrap();
    let verdict = decide(system, &query, &slice);
    assert!(verdict.errors.is_empty(), "{actor} {action} {resource}: {:?}", verdict.errors);
    if verdict.allow { '+' } else { '-' }
}

#[test]
fn the_system_store_decides_as_the_reviewed_file_says() {
    let system = compiled("system").snapshot;
    let mut table = format!("{:<48}{}\n", "", ACTORS.map(|actor| format!("{actor:>12}")).concat());
    for (action, resources) in ROWS {
        for resource in resources {
            let row = ACTORS.map(|actor| format!("{:>12}", cell(&system, actor, action, resource)));
            writeln!(table, "{:<48}{}", format!("{action} {resource}"), row.concat()).unwrap();
        }
    }
    if setting("UPDATE_MATRIX").is_some() {
        std::fs::write(FILE, &table).unwrap();
    }
    let reviewed = std::fs::read_to_string(FILE).unwrap_or_default();
    assert_eq!(table, reviewed, "review the change, then run with UPDATE_MATRIX=1");
}

/// An action that someone adds to the schema must get its rows here.
#[test]
fn the_matrix_has_every_action() {
    let system = compiled("system").snapshot;
    let groups: Vec<String> =
        system.schema().action_groups().map(|group| group.id().unescaped().to_owned()).collect();
    let mut declared: Vec<String> =
        system.schema().actions().map(|action| action.id().unescaped().to_owned()).collect();
    declared.retain(|action| !groups.contains(action));
    declared.sort();
    let mut listed: Vec<String> = ROWS.iter().map(|(action, _)| (*action).to_owned()).collect();
    listed.sort();
    assert_eq!(declared, listed);
}
