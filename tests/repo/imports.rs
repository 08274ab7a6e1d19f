//! Who may import whom (design.md §4), as data.

use crate::source::{Source, line_of, none, read, sources};

/// What every domain may use besides what [`ALLOWED`] adds: devices, and the domains that are leaves.
const DEVICES: &[&str] = &["base", "storage", "kv", "bus", "telemetry", "config"];
const LEAVES: &[&str] = &["audit", "events", "revocations", "tenants"];
const DOMAINS: &[&str] = &[
    "policy",
    "entities",
    "authorize",
    "gateway",
    "tenants",
    "users",
    "profiles",
    "roles",
    "authn",
    "tokens",
    "sessions",
    "api_keys",
    "clients",
    "oauth",
    "service_auth",
    "integrations",
    "events",
    "audit",
    "mail",
    "idempotency",
    "revocations",
];

/// What a module may import; a domain, besides, the devices and leaves.
const ALLOWED: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("jws", &[]),
    ("config", &["base", "jws"]),
    ("telemetry", &["base", "config"]),
    ("storage", &["base", "telemetry"]),
    ("kv", &["base", "telemetry"]),
    ("bus", &["base", "storage", "kv", "telemetry"]),
    // Leaves: they import no other domain.
    // `events` because an audit record of an action that is an event writes it.
    ("audit", &["events"]),
    ("events", &[]),
    ("revocations", &[]),
    ("tenants", &["audit"]),
    // Domains.
    ("policy", &[]),
    ("entities", &["policy"]),
    ("users", &[]),
    ("roles", &[]),
    // `users` because a profile is there as long as its user.
    ("profiles", &["users"]),
    ("tokens", &["jws"]),
    ("mail", &[]),
    ("idempotency", &[]),
    // `roles` because a key has no role that its owner has not.
    ("api_keys", &["roles"]),
    ("clients", &["jws", "roles", "tokens"]),
    ("sessions", &["tokens"]),
    ("service_auth", &["tokens"]),
    ("integrations", &[]),
    // `roles` for the role that the first administrator is given.
    ("authn", &["users", "roles", "sessions", "tokens", "mail", "api_keys", "clients", "service_auth"]),
    // Identity as entities: who someone is comes from these, what they may do from `policy`.
    (
        "authorize",
        &["policy", "entities", "users", "roles", "api_keys", "clients", "sessions", "tokens", "authn"],
    ),
    // The grants: who asks, who is asked about, and whether the policies permit it.
    ("oauth", &["policy", "authorize", "roles", "api_keys", "clients", "sessions", "tokens", "authn"]),
    ("gateway", &["authorize", "authn", "policy"]),
    // Translation. `app` is the state that handlers read.
    ("http", &["app", "base", "config", "telemetry", "storage", "kv", "bus", "*domains"]),
    ("worker", &["base", "config", "telemetry", "storage", "kv", "bus", "*domains"]),
    ("app", &["base", "config", "telemetry", "storage", "kv", "bus", "http", "worker", "*domains"]),
    (
        "cli",
        &[
            "app",
            "clients",
            "base",
            "config",
            "telemetry",
            "http",
            "policy",
            "storage",
            "users",
            "tokens",
            "roles",
            "api_keys",
            "tenants",
            "audit",
            "authn",
        ],
    ),
    // For other services: it must build without anything else of ours.
    ("enforce", &["jws"]),
];

/// Who may see the configuration whole; others import sections.
const SEES_WHOLE_CONFIG: &[&str] = &["config", "app", "cli", "worker"];

/// Macros at the root of the crate, and the module that each belongs to.
const ROOT_MACROS: &[(&str, &str)] = &[("write_tx", "storage")];

/// One `crate::a::b`: where, `a`, and the names right below it.
struct Import {
    line: usize,
    module: String,
    names: Vec<String>,
}

#[test]
fn modules_import_what_they_may() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs" && source.path != "main.rs") {
        let module = source.module();
        let Some(allowed) = allowed(module) else {
            problems.push(format!("src/{}: `{module}` is not in the table of imports", source.path));
            continue;
        };
        for Import { line, module: wanted, names } in imports(source) {
            let wanted =
                ROOT_MACROS.iter().find(|(name, _)| *name == wanted).map_or(wanted.as_str(), |(_, of)| of);
            if wanted != module && !allowed.contains(&wanted) {
                problems.push(format!(
                    "src/{}:{line}: `{module}` may not import `{wanted}`, only {}",
                    source.path,
                    allowed.join(", ")
                ));
            }
            let whole = names.iter().any(|name| matches!(name.as_str(), "Config" | "load" | "*"));
            if wanted == "config" && whole && !SEES_WHOLE_CONFIG.contains(&module) {
                problems.push(format!("src/{}:{line}: `{module}` may see its section only", source.path));
            }
        }
        if let Some(line) = leaves_by_super(source) {
            problems.push(format!("src/{}:{line}: `super` leaves `{module}`; write `crate::`", source.path));
        }
    }
    none(&problems);
}

#[test]
fn the_table_is_sound() {
    for (module, imports) in ALLOWED {
        for import in imports.iter().filter(|import| **import != "*domains") {
            assert!(
                ALLOWED.iter().any(|(known, _)| known == import),
                "`{module}` imports unknown `{import}`"
            );
        }
    }
    assert!(
        DOMAINS
            .iter()
            .all(|domain| !allowed(domain).unwrap().iter().any(|it| ["http", "app", "cli"].contains(it)))
    );
    let main = read("src/main.rs");
    assert_eq!(
        main.matches("bailiwick::").count(),
        main.matches("bailiwick::cli::").count(),
        "main imports cli only"
    );
}

#[test]
fn the_scanner_sees_every_form() {
    let text = "use crate::{\n    base::{Clock, Millis},\n    config,\n    write_tx,\n};\n\
                use crate::policy::StoreName;\nfn f() { crate::users::g(); $crate::kv::h!() }\n// crate::no\n";
    let source = Source { path: "x/y.rs".to_owned(), text: text.to_owned() };
    let seen: Vec<_> =
        imports(&source).into_iter().map(|it| (it.line, it.module, it.names.join(","))).collect();
    let seen: Vec<_> =
        seen.iter().map(|(line, module, names)| (*line, module.as_str(), names.as_str())).collect();
    assert_eq!(
        seen,
        [
            (2, "base", "Clock,Millis"),
            (3, "config", ""),
            (4, "write_tx", ""),
            (6, "policy", "StoreName"),
            (7, "users", "g")
        ]
    );
    let leaving = |path: &str| {
        leaves_by_super(&Source { path: path.to_owned(), text: "use super::super::x;\n".to_owned() })
    };
    assert_eq!((leaving("x/y.rs"), leaving("x/y/z.rs"), leaving("x/mod.rs")), (Some(1), None, Some(1)));
}

fn allowed(module: &str) -> Option<Vec<&'static str>> {
    let (_, own) = ALLOWED.iter().find(|(name, _)| *name == module)?;
    let mut all: Vec<&str> = own.iter().copied().filter(|name| *name != "*domains").collect();
    if own.contains(&"*domains") {
        all.extend(DOMAINS);
    }
    if DOMAINS.contains(&module) {
        all.extend(DEVICES);
        if !LEAVES.contains(&module) {
            all.extend(LEAVES);
        }
    }
    Some(all)
}

fn imports(source: &Source) -> Vec<Import> {
    let code = source.code();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|char| char.is_alphanumeric() || matches!(char, '_' | '$'))
            || code[..at].ends_with("(in ")
        {
            continue;
        }
        let start = at + "crate::".len();
        for (offset, item) in items(&code[start..]) {
            let (module, rest) = item.split_once("::").unwrap_or((item, ""));
            let names = items(rest).into_iter().map(|(_, name)| word(name).to_owned());
            found.push(Import {
                line: line_of(&code, start + offset),
                module: word(module).to_owned(),
                names: names.filter(|name| !name.is_empty()).collect(),
            });
        }
    }
    found
}

/// What a path continues with: the parts of a group in braces, or the one path that begins here.
fn items(text: &str) -> Vec<(usize, &str)> {
    let Some(inside) = text.strip_prefix('{') else {
        let end = text.find([';', ',', '(', ')', '<', '>', '!', ' ', '\n']);
        let end = match text.find('{') {
            Some(brace) if end.is_none_or(|end| brace < end) => text.find('}').map(|end| end + 1),
            _ => end,
        };
        return vec![(0, &text[..end.unwrap_or(text.len())])];
    };
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, char) in inside.char_indices() {
        match char {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                let item = &inside[start..at];
                let padding = item.len() - item.trim_start().len();
                if !item.trim().is_empty() {
                    found.push((1 + start + padding, item.trim()));
                }
                start = at + 1;
                if char == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

fn word(text: &str) -> &str {
    let text = text.trim();
    let end = text.find(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '*')));
    &text[..end.unwrap_or(text.len())]
}

/// The line where a chain of `super::` reaches the root of the crate.
fn leaves_by_super(source: &Source) -> Option<usize> {
    let path = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
    let chain = "super::".repeat(path.split('/').count());
    let code = source.code();
    code.find(&chain).map(|at| line_of(&code, at))
}
