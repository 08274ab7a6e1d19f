//! A table is named only in its owner's `store.rs`; migrations have the same names on both sides.

use std::collections::BTreeSet;

use crate::source::{names_in, none, sources, tables};

/// The file that owns each table.
const OWNERS: &[(&str, &str)] = &[
    ("tenants", "tenants/store.rs"),
    ("users", "users/store.rs"),
    ("password_credentials", "users/store.rs"),
    ("profiles", "profiles/store.rs"),
    ("sessions", "sessions/store.rs"),
    ("revocations", "revocations/store.rs"),
    ("devices", "sessions/devices/store.rs"),
    ("roles", "roles/store.rs"),
    ("role_bindings", "roles/store.rs"),
    ("api_keys", "api_keys/store.rs"),
    ("signing_keys", "tokens/store.rs"),
    ("policy_versions", "policy/store.rs"),
    ("policy_activations", "policy/store.rs"),
    ("nodes", "policy/nodes.rs"),
    ("node_policies", "policy/nodes.rs"),
    ("entities", "entities/store.rs"),
    ("entity_revisions", "entities/store.rs"),
    ("entity_changes", "entities/store.rs"),
    ("oauth_clients", "clients/store.rs"),
    ("revoked_tokens", "clients/store.rs"),
    ("spent_assertions", "clients/store.rs"),
    ("audit_log", "audit/store.rs"),
    ("outbox", "events/store.rs"),
    ("inbox", "events/store.rs"),
    ("setup_token", "authn/store.rs"),
    ("login_failures", "authn/store.rs"),
    ("links", "authn/store.rs"),
    ("totp_factors", "authn/mfa/store.rs"),
    ("recovery_codes", "authn/mfa/store.rs"),
    ("mfa_steps", "authn/mfa/store.rs"),
    ("mails", "mail/store.rs"),
    ("idempotency_keys", "idempotency/store.rs"),
];

/// Who else may name a table, and why.
const GUESTS: &[(&str, &str, &str)] = &[
    ("api_keys/store.rs", "users", "one join answers whether a key and its owner still stand"),
    ("clients/store.rs", "tenants", "one join answers whether a client and its tenant still stand"),
    ("api_keys/store.rs", "tenants", "the same join asks for the tenant"),
    ("roles/store.rs", "users", "the last active super_admin is found by one statement"),
    ("sessions/store.rs", "users", "one join answers whether a session and its user's epoch still stand"),
    ("sessions/uses.rs", "sessions", "uses and limits of sessions, which would make one file too long"),
    (
        "users/external_store.rs",
        "users",
        "those whom tenants' servers name, which would make one file too long",
    ),
    ("sessions/devices/store.rs", "sessions", "the list of devices counts the live sessions of each"),
    ("sessions/devices/store.rs", "users", "a session is live in its user's epoch"),
    ("sessions/store.rs", "api_keys", "a session that a key opens is opened only while the key stands"),
    ("sessions/store.rs", "tenants", "the same join asks for the tenant's epoch"),
];

#[test]
fn tables_are_named_by_their_owners() {
    let tables = tables();
    let owned: BTreeSet<&str> = OWNERS.iter().map(|(table, _)| *table).collect();
    assert_eq!(tables.iter().map(String::as_str).collect::<BTreeSet<_>>(), owned, "one owner a table");
    let mut problems = Vec::new();
    for source in sources() {
        for (line, literal) in source.literals() {
            for table in named_tables(&literal).into_iter().filter(|table| owned.contains(table.as_str())) {
                let owns = OWNERS.contains(&(&table, &source.path));
                let guest = GUESTS.iter().any(|(file, of, _)| *file == source.path && *of == table);
                if !owns && !guest {
                    let (_, home) = OWNERS.iter().find(|(name, _)| *name == table).unwrap();
                    problems
                        .push(format!("src/{}:{line}: names `{table}`, which is of src/{home}", source.path));
                }
            }
        }
    }
    none(&problems);
}

#[test]
fn sql_is_read_for_its_tables() {
    let text = "WITH x AS (DELETE FROM sessions) SELECT a FROM users u JOIN roles ON u.id WHERE EXISTS (SELECT 1 \
                FROM role_bindings) UPDATE nodes INSERT INTO tenants, from prose";
    let seen = named_tables(text);
    assert_eq!(seen, ["sessions", "users", "roles", "role_bindings", "nodes", "tenants"]);
}

#[test]
fn migrations_have_the_same_names() {
    let names = names_in("migrations/sqlite");
    assert_eq!(names, names_in("migrations/postgres"));
    // Some numbers are left out, as of work that was given up; none is given twice.
    let mut last = 0;
    for name in &names {
        let number = name.split_once('_').filter(|(number, _)| number.len() == 4);
        let number: u32 = number.and_then(|(number, _)| number.parse().ok()).unwrap_or_default();
        assert!(
            number > last && std::path::Path::new(name).extension().is_some_and(|kind| kind == "sql"),
            "`{name}` is not a migration after number {last}"
        );
        last = number;
    }
}

/// The names that follow `FROM`, `INTO`, `UPDATE` and `JOIN` in a text.
fn named_tables(text: &str) -> Vec<String> {
    let words: Vec<&str> = text
        .split(|char: char| !(char.is_alphanumeric() || char == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    let keyword = |word: &str| matches!(word, "FROM" | "INTO" | "UPDATE" | "JOIN");
    words.windows(2).filter(|pair| keyword(pair[0])).map(|pair| pair[1].to_owned()).collect()
}
