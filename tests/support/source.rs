//! The source text, for tests that read it.
#![allow(dead_code, reason = "each binary uses a part")]
#![allow(clippy::allow_attributes, reason = "`expect` would fail in the binaries that use all of it")]

use std::{fs, path::Path};

/// A Rust file below `src/`.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path within `src/`, as in `sessions/store.rs`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

impl Source {
    /// The folder or file below `src/` that it belongs to, as in `sessions` or `app`.
    pub(crate) fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Whether it holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// Its lines up to the module of tests at its end.
    pub(crate) fn production(&self) -> &str {
        if self.is_test() {
            return "";
        }
        match self.text.find("\n#[cfg(test)]\nmod tests {") {
            Some(end) => &self.text[..=end],
            None => &self.text,
        }
    }

    /// The production lines that are code, each blanked after `//`. Line numbers stay.
    pub(crate) fn code(&self) -> String {
        let mut code = String::new();
        for line in self.production().lines() {
            let end = line
                .match_indices("//")
                .map(|(at, _)| at)
                .find(|at| line[..*at].matches('"').count() % 2 == 0);
            code.push_str(&line[..end.unwrap_or(line.len())]);
            code.push('\n');
        }
        code
    }

    /// The string literals of its code with their lines, as the program sees them.
    pub(crate) fn literals(&self) -> Vec<(usize, String)> {
        let code = self.code();
        let mut found = Vec::new();
        let mut rest = code.char_indices().peekable();
        while let Some((at, char)) = rest.next() {
            match char {
                '\'' if code[at..].starts_with("'\"'") => _ = rest.nth(1),
                '"' => {
                    let mut literal = String::new();
                    while let Some((_, char)) = rest.next_if(|(_, char)| *char != '"') {
                        match (char, char == '\\') {
                            (_, false) => literal.push(char),
                            _ => match rest.next() {
                                Some((_, '\n')) => {
                                    while rest.next_if(|(_, char)| char.is_whitespace()).is_some() {}
                                }
                                Some((_, 'n')) => literal.push('\n'),
                                Some((_, char)) => literal.push(char),
                                None => {}
                            },
                        }
                    }
                    rest.next();
                    found.push((line_of(&code, at), literal));
                }
                _ => {}
            }
        }
        found
    }
}

/// The line, from 1, of the byte `at`.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// Every Rust file below `src/`, sorted.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The names of the files in a folder of the repository, sorted.
pub(crate) fn names_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// The tables that the migrations make, in their order.
pub(crate) fn tables() -> Vec<String> {
    let mut tables = Vec::new();
    for name in names_in("migrations/sqlite") {
        let text = read(&format!("migrations/sqlite/{name}"));
        let names = text.lines().filter_map(|line| line.strip_prefix("CREATE TABLE "));
        tables.extend(names.map(|rest| rest.split([' ', '(']).next().unwrap().to_owned()));
    }
    tables
}

/// Fails with all of `problems`, if there is one.
pub(crate) fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
