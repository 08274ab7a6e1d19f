//! Explanations as text: in full for administrators, in the words of the policies' authors for users.

use super::model::{ClauseView, Explanation, PolicyView};
use crate::policy::Effect;

/// Most texts shown to a user.
const MAX_TEXTS: usize = 3;

/// All that is known, a line for each policy.
pub(super) fn reason_admin(explanation: &Explanation) -> String {
    let mut lines = Vec::new();
    let decision = if explanation.allow { "allowed" } else { "denied" };
    for one in &explanation.determining {
        let clauses: Vec<String> = one.clauses.iter().map(clause).collect();
        let because = if clauses.is_empty() { String::new() } else { format!(": {}", clauses.join("; ")) };
        lines.push(format!("{decision} by {}{because}", place(&one.policy)));
    }
    if !explanation.allow && explanation.determining.is_empty() {
        let forbid_erred = explanation.erring.iter().any(|(policy, _)| policy.effect == Effect::Forbid);
        let why = if forbid_erred { "a forbid erred" } else { "no permit applies" };
        lines.push(format!("denied: {why}"));
    }
    for (policy, message) in &explanation.erring {
        lines.push(format!("{} erred: {message}", place(policy)));
    }
    for miss in &explanation.nearest_misses {
        let scope = if miss.scope_matches {
            format!("{} of {} clauses held", miss.held, miss.conjuncts)
        } else {
            "its scope is another".to_owned()
        };
        lines.push(format!("near: {} ({scope}); failed: {}", place(&miss.policy), clause(&miss.failing)));
    }
    lines.join("\n")
}

/// `@advice` and `@reason` texts only: what the authors of the policies wrote for users.
pub(super) fn reason_user(explanation: &Explanation) -> String {
    let first = |policy: &PolicyView, names: [&str; 2]| {
        let texts = names.into_iter().filter_map(|name| policy.annotations.get(name));
        texts.filter(|text| !text.is_empty()).map(String::as_str).next().map(str::to_owned)
    };
    let order = if explanation.allow { ["reason", "reason"] } else { ["advice", "reason"] };
    let decided = explanation.determining.iter().filter_map(|one| first(&one.policy, order));
    let near = explanation.nearest_misses.iter().filter(|miss| miss.scope_matches);
    let advised = near.filter_map(|miss| miss.advice.clone());
    let mut texts: Vec<String> = Vec::new();
    for text in decided.chain(advised) {
        if texts.len() < MAX_TEXTS && !texts.contains(&text) {
            texts.push(text);
        }
    }
    match (texts.is_empty(), explanation.allow) {
        (false, _) => texts.join("; "),
        (true, true) => "allowed".to_owned(),
        (true, false) => "nothing allows this".to_owned(),
    }
}

fn place(policy: &PolicyView) -> String {
    let effect = if policy.effect == Effect::Permit { "permit" } else { "forbid" };
    let link =
        policy.link.as_ref().map_or(String::new(), |link| format!(", linked at {}:{}", link.file, link.line));
    format!("{effect} `{}` ({}:{}{link})", policy.policy_id, policy.file, policy.line)
}

fn clause(clause: &ClauseView) -> String {
    let values: Vec<String> =
        clause.values.iter().map(|value| format!("{} = {}", value.expression, value.value)).collect();
    let values = if values.is_empty() { String::new() } else { format!(" [{}]", values.join(", ")) };
    let error = clause.error.as_ref().map_or(String::new(), |error| format!(" ({error})"));
    format!("{}{values}{error}", clause.text)
}
