//! Every statement in the source can be prepared on both databases, whether or not a test runs it.

use bailiwick::storage::Db;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::{
    both,
    source::{none, sources},
    support::TestDb,
};

/// Modules that speak to one database only.
const ONE_DATABASE: &[&str] = &["storage", "bus"];
/// What a statement begins with.
const VERBS: &[&str] = &["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH "];

/// Where, and the text, of every whole statement; one that ends in the middle goes on at run time.
fn statements() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !ONE_DATABASE.contains(&source.module())) {
        for (line, text) in source.literals() {
            let whole = text.matches('(').count() == text.matches(')').count();
            if whole && VERBS.iter().any(|verb| text.starts_with(verb)) {
                found.push((format!("src/{}:{line}", source.path), text));
            }
        }
    }
    found
}

both! {
    async fn every_statement_prepares(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let statements = statements();
        assert!(statements.len() > 20, "only {} were found", statements.len());
        let mut problems = Vec::new();
        for (place, text) in statements {
            let statement = AssertSqlSafe(text).into_sql_str();
            let prepared = match &test.db {
                Db::Sqlite { write, .. } => write.prepare(statement).await.map(|_| ()),
                Db::Postgres(pool) => pool.prepare(statement).await.map(|_| ()),
            };
            if let Err(error) = prepared {
                problems.push(format!("{place}: {error}"));
            }
        }
        none(&problems);
    }
}
