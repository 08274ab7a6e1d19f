//! Every action of the audit log is an event or is said to be none; neither list has anything that is not recorded.

use std::collections::BTreeSet;

use bailiwick::events::{CATALOG, UNTOLD};

use crate::source::{line_of, none, sources};

#[test]
fn every_recorded_action_is_an_event_or_said_to_be_none() {
    let known: BTreeSet<&str> =
        CATALOG.iter().map(|kind| kind.action).chain(UNTOLD.iter().copied()).collect();
    let (mut problems, mut recorded, mut calls) = (Vec::new(), BTreeSet::new(), 0);
    for source in sources().iter().filter(|source| source.module() != "events") {
        let code = source.code();
        for (at, found) in code.match_indices(".does(") {
            calls += 1;
            // What is no literal here is compared when it is recorded, in every build with debug assertions.
            let Some(action) = second_argument(&code[at + found.len()..]).strip_prefix('"') else { continue };
            let action = action.trim_end_matches('"');
            if !known.contains(action) {
                let line = line_of(&code, at);
                problems
                    .push(format!("src/{}:{line}: `{action}` is neither an event nor untold", source.path));
            }
        }
        recorded.extend(source.literals().into_iter().map(|(_, literal)| literal));
    }
    let unrecorded = known.iter().filter(|action| !recorded.contains(**action));
    problems.extend(unrecorded.map(|action| format!("`{action}` is recorded nowhere")));
    assert!(calls > 30, "the calls are not read");
    none(&problems);
}

/// The second of the arguments that a text begins with.
fn second_argument(arguments: &str) -> &str {
    let mut depth = 0;
    let mut commas = arguments.char_indices().filter_map(|(at, char)| {
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        (depth == 0 && char == ',').then_some(at)
    });
    match (commas.next(), commas.next()) {
        (Some(first), Some(second)) => arguments[first + 1..second].trim(),
        _ => "",
    }
}

#[test]
fn the_second_argument_is_found() {
    assert_eq!(second_argument("f(a, b), \"role_granted\", &x)"), "\"role_granted\"");
    assert_eq!(second_argument("\n    tenant,\n    action,\n    &x)"), "action");
}
