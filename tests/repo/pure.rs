//! The engine imports no I/O: the pure files of `policy/` use `base`, each other and Cedar.

use std::collections::BTreeMap;

use crate::source::{Source, line_of, none, sources};

/// The pure files and folders of `policy/`.
const PURE: &[&str] = &[
    "bundle", "compile", "diff", "engine", "entities", "explain", "index", "manifest", "model", "names",
    "pace", "query", "snapshot", "stack", "testing",
];

/// What reaches outside, waits, or looks at the time.
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::env",
    "std::process",
    "std::io",
    "SystemTime",
    "Instant",
    "tokio::",
    "sqlx::query",
    "redis::",
    "reqwest",
    "ureq",
    "arc_swap",
    "async fn",
    ".await",
    "Clock",
    "Entropy",
];

#[test]
fn the_engine_is_pure() {
    let all = sources();
    let homes = homes(&all);
    let mut problems = Vec::new();
    for source in all.iter().filter(|source| stem(source).is_some_and(|stem| PURE.contains(&stem))) {
        let code = source.code();
        for word in IMPURE_WORDS {
            for (at, _) in code.match_indices(word) {
                let line = line_of(&code, at);
                problems.push(format!("src/{}:{line}: `{word}` in a pure file", source.path));
            }
        }
        let statements =
            code.match_indices("use ").map(|(at, _)| (at, code[at + 4..].split(';').next().unwrap()));
        for (at, statement) in statements.filter(|(at, _)| *at == 0 || code[..*at].ends_with(['\n', ' '])) {
            let line = line_of(&code, at);
            let path = match (statement.strip_prefix("crate::"), statement.strip_prefix("super::")) {
                (Some(path), _) => path,
                (None, Some(path)) if source.path.matches('/').count() == 1 => path,
                _ => continue, // another crate, or a neighbour within a pure folder
            };
            for name in path.split(|char: char| !(char.is_alphanumeric() || char == '_')) {
                if homes.get(name).is_some_and(|home| !PURE.contains(&home.as_str())) {
                    let home = &homes[name];
                    problems.push(format!(
                        "src/{}:{line}: `{name}` is of `{home}`, which is not pure",
                        source.path
                    ));
                }
            }
            let module = path.split(|char: char| !(char.is_alphanumeric() || char == '_')).next().unwrap();
            if statement.starts_with("crate::") && !["", "base", "policy"].contains(&module) {
                problems.push(format!("src/{}:{line}: imports `{module}`", source.path));
            }
        }
    }
    none(&problems);
}

/// The file or folder of `policy/` that a source belongs to.
fn stem(source: &Source) -> Option<&str> {
    let rest = source.path.strip_prefix("policy/")?;
    Some(rest.split('/').next().unwrap().trim_end_matches(".rs"))
}

/// Where each name of `policy` lives: its files, and what `mod.rs` re-exports from them.
fn homes(all: &[Source]) -> BTreeMap<String, String> {
    let mut homes = BTreeMap::new();
    for stem in all.iter().filter_map(stem).filter(|stem| *stem != "mod") {
        homes.insert(stem.to_owned(), stem.to_owned());
    }
    let Some(root) = all.iter().find(|source| source.path == "policy/mod.rs") else { return homes };
    let code = root.code();
    for statement in code.split(';').filter_map(|statement| statement.split_once("use ")) {
        let Some((home, names)) = statement.1.split_once("::") else { continue };
        if homes.contains_key(home) {
            for name in names.split(|char: char| !(char.is_alphanumeric() || char == '_')) {
                homes.entry(name.to_owned()).or_insert_with(|| home.to_owned());
            }
        }
    }
    homes.remove("");
    homes
}
