//! What all test binaries share: the two backends, one fresh database a test, and honest skipping.
#![allow(dead_code, reason = "each binary uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::allow_attributes, reason = "`expect` would fail in the binaries that use all of it")]

use std::{io::Write, str::FromStr};

use bailiwick::{
    base::Digest32,
    storage::{Db, PostgresOptions, SqliteOptions},
};
use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;

/// Where a test keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// SQLite in a temporary folder, short-lived state in memory.
    Embedded,
    /// Postgres and Redis.
    Shared,
}

/// A value as the JSON text that a request brings.
pub(crate) fn raw(value: &serde_json::Value) -> Box<serde_json::value::RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

/// An environment variable of the tests.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the services are")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Says that a test did not run; a failure where the environment says that everything must run.
pub(crate) fn skip(why: &str) {
    assert!(setting("BAILIWICK_TEST_REQUIRE_ALL").is_none(), "must not be skipped here: {why}");
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    // Not `eprintln!`: the harness would keep it to itself.
    let _ = std::io::stderr().write_all(format!("skipped {test}: {why}\n").as_bytes());
}

/// The URL of the test Postgres, or the skip is said.
pub(crate) fn postgres_url() -> Option<String> {
    setting("BAILIWICK_TEST_POSTGRES_URL").or_else(|| {
        skip("BAILIWICK_TEST_POSTGRES_URL is not set");
        None
    })
}

/// The URL of the test Redis, or the skip is said.
pub(crate) fn redis_url() -> Option<String> {
    setting("BAILIWICK_TEST_REDIS_URL").or_else(|| {
        skip("BAILIWICK_TEST_REDIS_URL is not set");
        None
    })
}

/// A migrated database of a test's own, removed when dropped.
#[derive(Debug)]
pub(crate) struct TestDb {
    pub(crate) db: Db,
    /// What a second handle connects to: a file, or a Postgres URL.
    pub(crate) place: Place,
    _folder: Option<TempDir>,
}

/// Where a database is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Sqlite(std::path::PathBuf),
    Postgres(String),
}

impl TestDb {
    /// A fresh database, or `None` after saying that its server is not there.
    pub(crate) async fn new(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Embedded => {
                let folder = TempDir::new().unwrap();
                let place = Place::Sqlite(folder.path().join("test.db"));
                let db = open(&place).await;
                db.migrate().await.unwrap();
                Some(Self { db, place, _folder: Some(folder) })
            }
            Backend::Shared => {
                let place = Place::Postgres(fresh_postgres(&postgres_url()?).await);
                Some(Self { db: open(&place).await, place, _folder: None })
            }
        }
    }

    /// Another handle on the same data, as a second process would have.
    pub(crate) async fn second(&self) -> Db {
        open(&self.place).await
    }
}

async fn open(place: &Place) -> Db {
    match place {
        Place::Sqlite(path) => Db::sqlite(&SqliteOptions { path: path.clone(), readers: 4 }).await.unwrap(),
        Place::Postgres(url) => {
            let options = PostgresOptions { url: SecretString::from(url.clone()), connections: 4 };
            Db::postgres(&options).await.unwrap()
        }
    }
}

/// Number of the advisory lock under which the template is made once for all test processes.
const TEMPLATE_LOCK: i64 = 0x0062_6169_6c69;

/// Makes a database from a migrated template and answers its URL. Databases of earlier runs are swept.
pub(crate) async fn fresh_postgres(server: &str) -> String {
    let options = PgConnectOptions::from_str(server).unwrap();
    let mut admin =
        PgConnection::connect_with(&options.clone().log_statements(tracing::log::LevelFilter::Off))
            .await
            .expect("the Postgres of BAILIWICK_TEST_POSTGRES_URL answers");
    let template = format!("bailiwick_t_{}", &migrations_digest().to_string()[..12]);
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut admin).await.unwrap();
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(&template)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    sweep(&mut admin).await;
    if !known {
        let draft = format!("{template}_draft");
        execute(&mut admin, format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
        execute(&mut admin, format!("CREATE DATABASE {draft}")).await;
        let db = open(&Place::Postgres(with_database(server, &draft))).await;
        db.migrate().await.unwrap();
        db.close().await;
        execute(&mut admin, format!("ALTER DATABASE {draft} RENAME TO {template}")).await;
    }
    let name = format!("bailiwick_x_{}_{}", std::process::id(), unique());
    execute(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(&mut admin).await.unwrap();
    with_database(server, &name)
}

/// Drops the databases of test processes that are gone.
async fn sweep(admin: &mut PgConnection) {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'bailiwick\\_x\\_%'")
            .fetch_all(&mut *admin)
            .await
            .unwrap();
    for name in names {
        let alive =
            name.split('_').nth(2).is_some_and(|pid| std::path::Path::new("/proc").join(pid).exists());
        if !alive {
            execute(admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

fn with_database(server: &str, name: &str) -> String {
    let (base, query) = server.split_once('?').map_or((server, ""), |(base, query)| (base, query));
    let scheme_end = base.find("://").map_or(0, |at| at + 3);
    let root = base[scheme_end..].find('/').map_or(base, |at| &base[..scheme_end + at]);
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{root}/{name}{separator}{query}")
}

fn migrations_digest() -> Digest32 {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Digest32::of(files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect::<Vec<u8>>())
}

/// A word no other test of this or another process has.
pub(crate) fn unique() -> String {
    let mut bytes = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// Declares async tests that run on both backends: `both! { async fn name(backend: Backend) { … } }`.
#[macro_export]
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($backend:ident: Backend) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn run($backend: $crate::support::Backend) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                run($crate::support::Backend::Embedded).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn shared() {
                run($crate::support::Backend::Shared).await;
            }
        }
    )+};
}
