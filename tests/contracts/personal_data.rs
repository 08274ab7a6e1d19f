//! T60: for every column of every table it is written down what becomes of it when a person is erased.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick::storage::Db;

use crate::support::{Backend, TestDb};

const TABLE: &str = include_str!("../../docs/personal-data.md");
const RULES: [&str; 4] = ["erased", "kept", "pseudonym", "expires"];

#[tokio::test]
async fn t60_every_column_has_a_rule() {
    let mut ruled: BTreeMap<String, &str> = BTreeMap::new();
    for line in TABLE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [table, columns, rule, why] = cells[..] else { panic!("four cells: {line}") };
        assert!(RULES.contains(&rule) && !why.is_empty(), "{line}");
        for column in columns.split(", ") {
            let place = format!("{}.{}", table.trim_matches('`'), column.trim_matches('`'));
            assert!(ruled.insert(place.clone(), rule).is_none(), "`{place}` has two rules");
        }
    }
    let test = TestDb::new(Backend::Embedded).await.unwrap();
    let Db::Sqlite { read, .. } = &test.db else { panic!("the embedded one") };
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
         WHERE t.type = 'table' AND substr(t.name, 1, 1) <> '_' AND t.name NOT LIKE 'sqlite%'",
    )
    .fetch_all(read)
    .await
    .unwrap();
    let there: BTreeSet<String> =
        columns.into_iter().map(|(table, column)| format!("{table}.{column}")).collect();
    let ruled: BTreeSet<String> = ruled.into_keys().collect();
    let (without, stale): (Vec<_>, Vec<_>) =
        (there.difference(&ruled).collect(), ruled.difference(&there).collect());
    assert!(without.is_empty(), "columns without a rule in docs/personal-data.md: {without:?}");
    assert!(stale.is_empty(), "rules of docs/personal-data.md for no column: {stale:?}");
}
