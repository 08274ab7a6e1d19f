//! Size and shape of files.

use crate::source::{none, sources};

/// Most production lines of a file.
const CAP: usize = 400;
/// Files over the cap with the lines they may have. May only shrink.
const OVERSIZED: &[(&str, usize)] = &[];
/// Names that say nothing: if it has no noun, it has no home yet.
const NAMELESS: &[&str] =
    &["utils", "util", "helpers", "helper", "common", "misc", "manager", "shared", "lib_ext"];

#[test]
fn files_are_small() {
    let mut problems = Vec::new();
    for source in sources() {
        let lines = source.production().lines().count();
        match OVERSIZED.iter().find(|(path, _)| *path == source.path) {
            Some((path, limit)) if lines > *limit => {
                problems.push(format!("src/{path}: {lines} lines, and it may have {limit}"));
            }
            Some((path, limit)) if lines < *limit => {
                problems
                    .push(format!("src/{path}: {lines} lines: lower its {limit}, or take it off the list"));
            }
            None if lines > CAP => problems.push(format!("src/{}: {lines} lines, over {CAP}", source.path)),
            _ => {}
        }
    }
    none(&problems);
    assert!(OVERSIZED.iter().all(|(path, _)| sources().iter().any(|source| source.path == *path)));
}

#[test]
fn files_have_a_noun_and_say_what_they_are() {
    let mut problems = Vec::new();
    for source in sources() {
        let path = &source.path;
        if path.trim_end_matches(".rs").split('/').any(|part| NAMELESS.contains(&part)) {
            problems.push(format!("src/{path}: a name that says nothing"));
        }
        if !source.is_test() && !source.text.starts_with("//! ") {
            problems.push(format!("src/{path}: does not begin by saying what it is (`//! …`)"));
        }
    }
    none(&problems);
}

#[test]
fn a_mod_rs_holds_declarations_only() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| source.path.ends_with("mod.rs") && !source.is_test()) {
        if source.module() == "http" {
            continue; // its `mod.rs` files are routers: what is served, on one page
        }
        for statement in source.code().split(';').map(str::trim) {
            let statement = statement.lines().find(|line| !line.trim_start().starts_with("#[")).unwrap_or("");
            let declares = ["mod ", "use ", "type "].iter().any(|word| {
                let visible = statement.strip_prefix("pub(").and_then(|rest| rest.split_once(") "));
                let rest = visible.map_or(statement, |(_, rest)| rest);
                rest.trim_start_matches("pub ").starts_with(word)
            });
            if !statement.is_empty() && !declares && !statement.starts_with("#![") {
                problems.push(format!("src/{}: `{statement}` belongs into a file of its own", source.path));
            }
        }
    }
    none(&problems);
}

#[test]
fn nothing_is_left_undone() {
    let mut problems = Vec::new();
    for source in sources() {
        for (number, line) in (1..).zip(source.text.lines()) {
            let ignored = line.contains("#[ignore") && !line.contains("#[ignore = \"");
            if ignored || ["todo!(", "unimplemented!(", "FIXME", "XXX"].iter().any(|word| line.contains(word))
            {
                problems.push(format!("src/{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none(&problems);
}
