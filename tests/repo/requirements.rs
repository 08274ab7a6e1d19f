//! `docs/requirements.md`: every row names a test that exists.

use crate::source::{none, read};

#[test]
fn every_requirement_has_a_test_that_exists() {
    let document = read("docs/requirements.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with("| R") || line.starts_with("| X"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 50, "the table is not read");
    let mut problems = Vec::new();
    for row in rows {
        let [number, _, proof] = *row else {
            problems.push(format!("`{}` has not three columns", row.join(" | ")));
            continue;
        };
        let Some((path, name)) = proof.trim_matches('`').split_once("::") else {
            problems.push(format!("{number}: `{proof}` is no test"));
            continue;
        };
        let exists = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/").to_owned() + path);
        if !exists.is_ok_and(|text| text.contains(&format!("fn {name}("))) {
            problems.push(format!("{number}: there is no `{name}` in {path}"));
        }
    }
    none(&problems);
}
