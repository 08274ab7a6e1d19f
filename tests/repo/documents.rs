//! What is written down and generated agrees with the code: README's tables, the OpenAPI document.
//!
//! `UPDATE_README=1` and `UPDATE_OPENAPI=1` write what these tests compare.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use bailiwick::{
    cli,
    config::markdown_table,
    http::{actions, codes::Code, openapi},
    telemetry::metrics,
};
use serde_json::Value;

use crate::source::{none, read, sources};

/// Actions of operations that need no token (`Action::"open"` in the system store).
const OPEN: &[&str] = &[
    "register",
    "login",
    "refresh",
    "logout",
    "completeMfaLogin",
    "verifyEmail",
    "resendVerification",
    "forgotPassword",
    "resetPassword",
    "completeSetup",
    "registerClient",
    "readPublicDocument",
    "readHealth",
    "readMetrics",
];
/// Codes that the server answers where there is no operation.
const OF_NO_OPERATION: &[Code] = &[Code::MethodNotAllowed];

/// One operation of the document.
struct Operation {
    place: String,
    description: Value,
}

#[test]
fn the_openapi_document_is_committed() {
    compare("openapi/openapi.json", &openapi::text(), "UPDATE_OPENAPI");
}

/// One test for all tables: two that write one file at once would undo each other.
#[test]
fn readme_lists_every_command_setting_error_code_and_metric() {
    compare_table("command", &cli::markdown_table(), "UPDATE_README");
    compare_table("configuration", &markdown_table(), "UPDATE_README");
    let mut table = String::from("| Code | Status | Meaning |\n|---|---|---|\n");
    for code in Code::ALL {
        writeln!(table, "| `{}` | {} | {} |", code.as_str(), code.status_number(), code.title()).unwrap();
    }
    compare_table("error", &table, "UPDATE_README");
    compare_table("metrics", &metrics::markdown_table(), "UPDATE_README");
}

#[test]
fn every_error_code_is_answered_by_an_operation() {
    let text = openapi::text();
    let unused = Code::ALL.iter().filter(|code| !OF_NO_OPERATION.contains(code));
    let unused = unused.filter(|code| !text.contains(&format!("\"code\": \"{}\"", code.as_str())));
    none(&unused.map(|code| format!("no operation declares `{}`", code.as_str())).collect::<Vec<_>>());
}

#[test]
fn every_operation_says_what_it_needs_and_answers() {
    let (mut problems, mut ids) = (Vec::new(), BTreeSet::new());
    for Operation { place, description } in operations() {
        let text = |key: &str| description[key].as_str().unwrap_or("");
        let action = text("x-bailiwick-action");
        if !ids.insert(text("operationId").to_owned()) || text("operationId").is_empty() {
            problems.push(format!("{place}: no `operationId` of its own"));
        }
        if text("summary").is_empty() {
            problems.push(format!("{place}: no summary"));
        }
        if description["tags"].as_array().is_none_or(|tags| tags.len() != 1) {
            problems.push(format!("{place}: not exactly one tag"));
        }
        if !actions::ALL.contains(&action) {
            problems.push(format!("{place}: `x-bailiwick-action` is `{action}`, which is no action"));
        }
        let secured = description["security"].as_array().is_some_and(|needs| !needs.is_empty());
        let optional = action == "logout"; // with a token of either kind
        if secured == OPEN.contains(&action) && !optional {
            problems.push(format!(
                "{place}: `{action}`, and a token is {}",
                if secured { "asked for" } else { "not" }
            ));
        }
        problems.extend(examples_missing(&description).into_iter().map(|what| format!("{place}: {what}")));
        for status in if secured { &["401", "403", "500"][..] } else { &["500"] } {
            // Errors of OAuth 2.0 have its own form; a denial is a 403 there too.
            let media =
                if place.contains(" /v1/oauth/") { "application/json" } else { "application/problem+json" };
            if description["responses"][status]["content"][media].is_null() {
                problems.push(format!("{place}: does not say that it answers {status} with a problem"));
            }
        }
    }
    assert!(ids.len() > 15, "only {} operations", ids.len());
    none(&problems);
}

/// The JSON bodies of an operation, in and out, that come without an example.
fn examples_missing(operation: &Value) -> Vec<String> {
    let responses = operation["responses"].as_object().into_iter().flatten();
    let answers = responses.map(|(status, response)| (format!("the answer {status}"), response));
    let asked = operation.get("requestBody").map(|body| ("the body".to_owned(), body));
    let (mut missing, mut seen) = (Vec::new(), BTreeSet::new());
    for (what, body) in answers.chain(asked) {
        let Some(media) = body["content"].get("application/json") else { continue };
        let shown = ["example", "examples"].iter().any(|key| media.get(*key).is_some());
        let schema = media["schema"].to_string();
        if shown || schema_has_example(&media["schema"]) {
            seen.insert(schema);
        } else {
            missing.push((schema, format!("{what} has no example")));
        }
    }
    // One answer shows for all that have its schema, such as 200 and 201 of the same thing.
    missing.into_iter().filter(|(schema, _)| !seen.contains(schema)).map(|(_, what)| what).collect()
}

/// Whether a schema, or the one that it refers to, shows an example of itself or of a field.
fn schema_has_example(schema: &Value) -> bool {
    let document = openapi::document();
    let target = schema["$ref"].as_str().and_then(|path| document.pointer(path.trim_start_matches('#')));
    let schema = target.unwrap_or(schema);
    let fields = schema["properties"].as_object().into_iter().flatten().map(|(_, field)| field);
    let shows = |schema: &Value| ["example", "examples"].iter().any(|key| schema.get(*key).is_some());
    fields.chain([schema]).any(shows)
}

fn operations() -> Vec<Operation> {
    let document = openapi::document();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, description) in item.as_object().unwrap() {
            if description.get("responses").is_some() {
                let place = format!("{} {path}", method.to_uppercase());
                found.push(Operation { place, description: description.clone() });
            }
        }
    }
    found
}

/// Compares a committed file with what the code says it is, or writes it.
fn compare(path: &str, wanted: &str, variable: &str) {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if updates(variable) {
        fs::create_dir_all(whole.parent().unwrap()).unwrap();
        fs::write(whole, wanted).unwrap();
        return;
    }
    let committed = fs::read_to_string(whole).unwrap_or_default();
    let difference =
        (1..).zip(committed.lines().zip(wanted.lines())).find(|(_, (left, right))| left != right);
    assert!(
        committed == wanted,
        "`{path}` is not what the code says; run this test with {variable}=1. First difference: {difference:?}"
    );
}

/// Compares the table between README's `<!-- NAME table: … -->` and `<!-- end of the NAME table -->`.
fn compare_table(name: &str, wanted: &str, variable: &str) {
    let readme = read("README.md");
    let begin = readme.find(&format!("<!-- {name} table")).expect("README marks where the table begins");
    let begin = begin + readme[begin..].find("-->\n").unwrap() + "-->\n".len();
    let end = readme.find(&format!("<!-- end of the {name} table")).expect("README marks where it ends");
    compare("README.md", &format!("{}{wanted}{}", &readme[..begin], &readme[end..]), variable);
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what to write")]
fn updates(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Two types of one name would be one schema in the document: that of the type which happens to come last.
#[test]
fn schemas_have_names_of_their_own() {
    let mut names = BTreeSet::new();
    let mut problems = Vec::new();
    for source in sources() {
        let mut lines = source.text.lines();
        while let Some(line) = lines.next() {
            if !(line.trim_start().starts_with("#[derive(") && line.contains("ToSchema")) {
                continue;
            }
            let declared = lines.by_ref().find_map(|line| {
                let words: Vec<&str> =
                    line.split(|char: char| !(char.is_alphanumeric() || char == '_')).collect();
                let at = words.iter().position(|word| ["struct", "enum"].contains(word))?;
                words.get(at + 1).map(|name| (*name).to_owned())
            });
            let name = declared.unwrap_or_default();
            if !names.insert(name.clone()) {
                problems
                    .push(format!("src/{}: another type of the document is called `{name}`", source.path));
            }
        }
    }
    assert!(names.len() > 50, "the sources are not read");
    none(&problems);
}
