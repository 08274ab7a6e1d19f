//! Both migrated databases have the same tables, columns, keys, references and indexes.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick::storage::Db;
use sqlx::{AssertSqlSafe, Pool, Postgres, Sqlite};

use crate::support::{Backend, TestDb};

/// What a database has, in words that both share.
#[derive(Debug, Default, PartialEq, Eq)]
struct Schema {
    /// By `table.column`: its type and whether it must have a value.
    columns: BTreeMap<String, String>,
    /// `table (column, column)` of every primary and unique key.
    unique: BTreeSet<String>,
    /// `table (column, column)` of every other index.
    indexes: BTreeSet<String>,
    /// `table (columns) -> table (columns) on delete`.
    references: BTreeSet<String>,
}

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    let Some(shared) = TestDb::new(Backend::Shared).await else { return };
    let embedded = TestDb::new(Backend::Embedded).await.unwrap();
    let (Db::Sqlite { read: sqlite, .. }, Db::Postgres(postgres)) = (&embedded.db, &shared.db) else {
        panic!("one of each");
    };
    let (sqlite, postgres) = (of_sqlite(sqlite).await, of_postgres(postgres).await);
    assert!(sqlite.columns.len() > 50 && sqlite.unique.len() > 10 && sqlite.references.len() > 5);
    assert_eq!(sqlite.columns, postgres.columns);
    assert_eq!(sqlite.unique, postgres.unique);
    assert_eq!(sqlite.indexes, postgres.indexes);
    assert_eq!(sqlite.references, postgres.references);
}

async fn of_sqlite(pool: &Pool<Sqlite>) -> Schema {
    let mut schema = Schema::default();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 1) <> '_' AND name NOT LIKE 'sqlite%'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    for table in tables {
        sqlite_columns(pool, &table, &mut schema).await;
        let indexes: Vec<(String, bool)> =
            sqlx::query_as(r#"SELECT name, "unique" FROM pragma_index_list($1)"#)
                .bind(&table)
                .fetch_all(pool)
                .await
                .unwrap();
        for (index, unique) in indexes {
            let columns: Vec<String> =
                sqlx::query_scalar("SELECT name FROM pragma_index_info($1) ORDER BY seqno")
                    .bind(index)
                    .fetch_all(pool)
                    .await
                    .unwrap();
            let index = format!("{table} ({})", columns.join(", "));
            if unique {
                schema.unique.insert(index)
            } else {
                schema.indexes.insert(index)
            };
        }
        let references: Vec<(String, String, String, String)> = sqlx::query_as(
            r#"SELECT group_concat("from", ', '), "table", group_concat("to", ', '), on_delete
               FROM (SELECT * FROM pragma_foreign_key_list($1) ORDER BY id, seq) GROUP BY id, "table", on_delete"#,
        )
        .bind(&table)
        .fetch_all(pool)
        .await
        .unwrap();
        for (from, to_table, to, on_delete) in references {
            schema.references.insert(format!("{table} ({from}) -> {to_table} ({to}) {on_delete}"));
        }
    }
    schema
}

async fn sqlite_columns(pool: &Pool<Sqlite>, table: &str, schema: &mut Schema) {
    let columns: Vec<(String, String, bool, i64)> =
        sqlx::query_as(r#"SELECT name, type, "notnull", pk FROM pragma_table_info($1)"#)
            .bind(table)
            .fetch_all(pool)
            .await
            .unwrap();
    let mut key: Vec<(i64, &str)> = Vec::new();
    for (name, kind, required, place) in &columns {
        let null = if *required || *place > 0 { "not null" } else { "null" };
        schema.columns.insert(format!("{table}.{name}"), format!("{kind} {null}"));
        if *place > 0 {
            key.push((*place, name));
        }
    }
    key.sort_unstable();
    let key: Vec<&str> = key.into_iter().map(|(_, name)| name).collect();
    schema.unique.insert(format!("{table} ({})", key.join(", ")));
}

async fn of_postgres(pool: &Pool<Postgres>) -> Schema {
    let mut schema = Schema::default();
    let columns: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text
         FROM information_schema.columns
         WHERE table_schema = 'public' AND left(table_name, 1) <> '_'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    for (table, name, kind, nullable) in columns {
        let kind = match kind.as_str() {
            "bigint" | "boolean" => "INTEGER",
            "text" => "TEXT",
            "bytea" => "BLOB",
            other => panic!("`{table}.{name}` has the type `{other}`, which is not of the portable subset"),
        };
        let null = if nullable == "NO" { "not null" } else { "null" };
        schema.columns.insert(format!("{table}.{name}"), format!("{kind} {null}"));
    }
    let indexes: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT i.indrelid::regclass::text,
                (SELECT string_agg(a.attname::text, ', ' ORDER BY k.place)
                 FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number),
                i.indisunique
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         WHERE c.relnamespace = 'public'::regnamespace AND left(c.relname::text, 1) <> '_'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    for (table, columns, unique) in indexes {
        let index = format!("{table} ({columns})");
        if unique {
            schema.unique.insert(index)
        } else {
            schema.indexes.insert(index)
        };
    }
    schema.references.extend(postgres_references(pool).await);
    schema
}

async fn postgres_references(pool: &Pool<Postgres>) -> Vec<String> {
    let names = |of: &str, keys: &str| {
        format!(
            "(SELECT string_agg(a.attname::text, ', ' ORDER BY k.place)
              FROM unnest(c.{keys}) WITH ORDINALITY AS k (number, place)
              JOIN pg_attribute a ON a.attrelid = c.{of} AND a.attnum = k.number)"
        )
    };
    let text = format!(
        "SELECT c.conrelid::regclass::text, {}, c.confrelid::regclass::text, {}, c.confdeltype::text
         FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace",
        names("conrelid", "conkey"),
        names("confrelid", "confkey")
    );
    let rows: Vec<(String, String, String, String, String)> =
        sqlx::query_as(AssertSqlSafe(text)).fetch_all(pool).await.unwrap();
    rows.into_iter()
        .map(|(table, from, to_table, to, on_delete)| {
            let on_delete = match on_delete.as_str() {
                "a" => "NO ACTION",
                "c" => "CASCADE",
                "n" => "SET NULL",
                "r" => "RESTRICT",
                _ => "SET DEFAULT",
            };
            format!("{table} ({from}) -> {to_table} ({to}) {on_delete}")
        })
        .collect()
}
