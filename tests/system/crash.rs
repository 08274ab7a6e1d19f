//! The process dies at a moment of nobody's choosing: what was acknowledged is there afterwards, and
//! nothing is there by half.

use std::{collections::BTreeMap, path::PathBuf, sync::Mutex, thread, time::Duration};

use bailiwick::storage::{Db, PostgresOptions, SqliteOptions};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    client::{Client, PASSWORD},
    server::{Installation, Server},
    support::{fresh_postgres, postgres_url, unique},
    turn::Turn,
    wait::{self, scatter},
};

/// How often the process dies.
const ROUNDS: u64 = 3;
/// Who registers at once.
const WRITERS: u64 = 3;
/// The store whose versions are published.
const STORE: &str = "/v1/policy-stores/crash";
/// How long the stream may take to come to its moment.
const LIMIT: Duration = Duration::from_mins(1);

/// Rows that only half a write would leave: each query counts them.
const HALVES: [(&str, &str); 11] = [
    (
        "users without a password",
        "SELECT COUNT(*) FROM users u WHERE NOT EXISTS \
         (SELECT 1 FROM password_credentials c WHERE c.user_id = u.id AND c.tenant_id = u.tenant_id)",
    ),
    (
        "passwords without a user",
        "SELECT COUNT(*) FROM password_credentials c WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = c.user_id)",
    ),
    (
        "users without a role",
        "SELECT COUNT(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM role_bindings b WHERE b.user_id = u.id)",
    ),
    (
        "users without an audit record",
        "SELECT COUNT(*) FROM users u WHERE NOT EXISTS \
         (SELECT 1 FROM audit_log a WHERE a.action = 'user_created' AND a.subject = u.id)",
    ),
    (
        "audit records of users that are not there",
        "SELECT COUNT(*) FROM audit_log a WHERE a.action = 'user_created' \
         AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = a.subject)",
    ),
    (
        "users without an event, or events of users that are not there",
        "SELECT ABS((SELECT COUNT(*) FROM users) \
         - (SELECT COUNT(DISTINCT subject) FROM outbox WHERE type = 'bwk.user.created.v1')) \
         + (SELECT COUNT(*) FROM outbox o WHERE o.type = 'bwk.user.created.v1' \
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = o.subject))",
    ),
    (
        "events that were published without a number, or numbered without being published",
        "SELECT COUNT(*) FROM outbox WHERE (seq IS NULL) <> (published_at_ms IS NULL)",
    ),
    (
        "gaps between versions",
        "SELECT COUNT(*) FROM (SELECT store FROM policy_versions GROUP BY store \
         HAVING MIN(number) <> 1 OR MAX(number) <> COUNT(*)) AS gaps",
    ),
    (
        "gaps between activations",
        "SELECT COUNT(*) FROM (SELECT store FROM policy_activations GROUP BY store \
         HAVING MIN(seq) <> 1 OR MAX(seq) <> COUNT(*)) AS gaps",
    ),
    (
        "activations that do not follow the one before",
        "SELECT COUNT(*) FROM policy_activations a JOIN policy_activations b \
         ON b.store = a.store AND b.seq = a.seq - 1 WHERE a.from_number IS NULL OR a.from_number <> b.to_number",
    ),
    (
        "versions and activations without an audit record, or audit records without them",
        "SELECT ABS((SELECT COUNT(*) FROM policy_versions) \
         - (SELECT COUNT(*) FROM audit_log WHERE action = 'policy_version_published')) \
         + ABS((SELECT COUNT(*) FROM policy_activations) \
         - (SELECT COUNT(*) FROM audit_log WHERE action = 'policy_version_activated'))",
    ),
];

/// What the server said it has.
#[derive(Debug, Default)]
struct Acknowledged {
    emails: Vec<String>,
    /// Number to digest.
    versions: BTreeMap<i64, String>,
    /// The version of the last activation.
    active: i64,
}

#[derive(Debug)]
enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

#[test]
fn nothing_acknowledged_is_lost_on_sqlite() {
    let _turn = Turn::shared();
    let installation = Installation::new(&[("registration.reveal_duplicates", "true")]);
    let database = Database::Sqlite(installation.data().join("bailiwick.db"));
    die_and_look(&installation, &database, 0x5eed_0001);
}

#[test]
fn nothing_acknowledged_is_lost_on_postgres() {
    let _turn = Turn::shared();
    let Some(server) = postgres_url() else { return };
    let url = Runtime::new().unwrap().block_on(fresh_postgres(&server));
    let key = format!("{}{}", unique(), unique()).repeat(2);
    let installation = Installation::new(&[
        ("registration.reveal_duplicates", "true"),
        ("storage.postgres_url", &url),
        ("secrets.master_key", &key),
    ]);
    die_and_look(&installation, &Database::Postgres(url), 0x5eed_0002);
}

fn die_and_look(installation: &Installation, database: &Database, seed: u64) {
    let known = Mutex::new(Acknowledged::default());
    let mut server = installation.start();
    let root = server.administrator();
    for round in 0..ROUNDS {
        let moment = 20 + usize::try_from(scatter(seed + round) % 60).unwrap();
        stream_until(server, &root.token, round, moment, &known);
        server = installation.start();
        look(&server.public, &root.token, &known.lock().unwrap());
        Runtime::new().unwrap().block_on(look_inside(database));
    }
    let total = known.lock().unwrap();
    println!("{} registrations, {} versions, {} deaths", total.emails.len(), total.versions.len(), ROUNDS);
    server.stop();
}

/// Registers and publishes until `moment` registrations of this round are acknowledged, and a version is
/// active; then the server is killed in the middle of the rest.
fn stream_until(server: Server, root: &str, round: u64, moment: usize, known: &Mutex<Acknowledged>) {
    let public = server.public.clone();
    let (emails, active) = {
        let known = known.lock().unwrap();
        (known.emails.len(), known.active)
    };
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn({
                let public = &public;
                move || register(public, round, writer, known)
            });
        }
        scope.spawn(|| publish(&public, root, round, known));
        wait::until_true("the moment comes", LIMIT, || {
            let known = known.lock().unwrap();
            known.emails.len() >= emails + moment && known.active > active
        });
        server.kill();
    });
}

fn register(public: &Client, round: u64, writer: u64, known: &Mutex<Acknowledged>) {
    for number in 0.. {
        let email = format!("r{round}-w{writer}-n{number}@example.com");
        let body = json!({"email": email, "password": PASSWORD});
        let Ok(reply) = public.try_send("POST", "/v1/auth/register", None, Some(&body)) else { return };
        if reply.status == 503 {
            continue; // "come back later" acknowledges nothing
        }
        assert_eq!(reply.status, 201, "{}", reply.text);
        known.lock().unwrap().emails.push(email);
    }
}

fn publish(public: &Client, root: &str, round: u64, known: &Mutex<Acknowledged>) {
    for number in 0.. {
        let body = json!({"message": "a version", "files": files(round, number)});
        let Ok(reply) = public.try_send("POST", &format!("{STORE}/versions"), Some(root), Some(&body)) else {
            return;
        };
        if reply.status == 503 {
            continue;
        }
        assert_eq!(reply.status, 201, "{}", reply.text);
        let version = reply.body["version"].as_i64().unwrap();
        let digest = reply.body["digest"].as_str().unwrap().to_owned();
        known.lock().unwrap().versions.insert(version, digest);

        let body = json!({"version": version, "reason": "newest"});
        let Ok(reply) = public.try_send("POST", &format!("{STORE}/activate"), Some(root), Some(&body)) else {
            return;
        };
        assert_eq!(reply.status, 200, "{}", reply.text);
        known.lock().unwrap().active = version;
    }
}

fn files(round: u64, number: u64) -> Value {
    json!({
        "manifest.toml": format!("name = \"crash\"\nsemver = \"{round}.{number}.0\"\n"),
        "schema/crash.cedarschema": "entity User; entity Thing; action use appliesTo { principal: User, resource: Thing };",
        "all.cedar": "@id(\"all\")\npermit (principal, action == Action::\"use\", resource);\n",
    })
}

/// Everything acknowledged is there, as the API sees it.
fn look(public: &Client, root: &str, known: &Acknowledged) {
    for email in &known.emails {
        public.login(email);
    }
    let mut listed = BTreeMap::new();
    let mut path = format!("{STORE}/versions");
    loop {
        let page = public.get_as(root, &path).expect(200);
        for version in page["data"].as_array().unwrap() {
            listed
                .insert(version["version"].as_i64().unwrap(), version["digest"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{STORE}/versions?cursor={cursor}");
    }
    for (version, digest) in &known.versions {
        assert_eq!(listed.get(version), Some(digest), "version {version}");
    }
    let status = public.get_as(root, &format!("{STORE}/status")).expect(200);
    let active = status["active"]["version"].as_i64().unwrap();
    assert!(active >= known.active, "{active} is active, {} was acknowledged", known.active);
    assert!(listed.contains_key(&active), "{active} is active and not listed");
    let question =
        json!({"policy_store": "crash", "action": "use", "resource": {"type": "Thing", "id": "t"}});
    let decision = public.post_as(root, "/v1/authorize", &question).expect(200);
    assert_eq!(decision["policy_version"], active, "what is active answers");
}

/// Nothing is there by half, as the database sees it.
async fn look_inside(database: &Database) {
    let db = match database {
        Database::Sqlite(path) => Db::sqlite(&SqliteOptions { path: path.clone(), readers: 1 }).await,
        Database::Postgres(url) => {
            Db::postgres(&PostgresOptions { url: SecretString::from(url.clone()), connections: 1 }).await
        }
    };
    let db = db.unwrap();
    if let Database::Sqlite(_) = database {
        assert_eq!(db.sql("PRAGMA integrity_check").scalar::<String>().await.unwrap(), "ok");
        assert!(db.sql("PRAGMA foreign_key_check").all::<(String,)>().await.unwrap().is_empty());
    }
    for (what, query) in HALVES {
        assert_eq!(db.sql(query).scalar::<i64>().await.unwrap(), 0, "{what}");
    }
    db.close().await;
}
