//! `docs/requirements.md` and `docs/asvs.md`: every row names a test that exists.

use crate::source::{none, read};

#[test]
fn every_requirement_has_a_test_that_exists() {
    let rows = rows("docs/requirements.md", &["| R", "| X"]);
    assert!(rows.len() > 50, "the table is not read");
    none(&rows.iter().filter_map(|row| unproven(row)).collect::<Vec<_>>());
}

/// An item that is not of this server, or that no test can show, has a dash.
#[test]
fn every_item_of_the_standard_says_how_it_holds() {
    let rows = rows("docs/asvs.md", &["| V"]);
    assert!(rows.len() > 30, "the table is not read");
    let (without, with): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row.last().is_some_and(|it| it == "–"));
    assert!(without.len() <= 4, "{without:?}");
    none(&with.iter().filter_map(|row| unproven(row)).collect::<Vec<_>>());
}

/// The cells of the rows that begin so.
fn rows(path: &str, beginnings: &[&str]) -> Vec<Vec<String>> {
    let document = read(path);
    let lines =
        document.lines().filter(|line| beginnings.iter().any(|beginning| line.starts_with(beginning)));
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What is wrong with a row whose third cell is a test.
fn unproven(row: &[String]) -> Option<String> {
    let [number, _, proof] = row else { return Some(format!("`{}` has not three columns", row.join(" | "))) };
    let Some((path, name)) = proof.trim_matches('`').split_once("::") else {
        return Some(format!("{number}: `{proof}` is no test"));
    };
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/").to_owned() + path);
    let exists = file.is_ok_and(|text| text.contains(&format!("fn {name}(")));
    (!exists).then(|| format!("{number}: there is no `{name}` in {path}"))
}
