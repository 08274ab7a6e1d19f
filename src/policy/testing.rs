//! Tests of a store: the case format of Cedar's own test runner, the runner, and coverage. Pure.
//!
//! A file of `tests/` is an array of cases. The request and its entities are written as callers write
//! them, except that the context is whole: what the server would add (`bailiwick`) is given too. The
//! entities are laid over the static ones of the store.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    EntitySlice, Finding, Layers, PolicyId, RequestParts, Snapshot, Verdict, compile::text::Text, decide,
    pace::Pace,
};

/// A case: a request and what it must be answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    #[serde(default)]
    pub name: Option<String>,
    /// The request.
    pub request: CaseRequest,
    /// Entities laid over the static ones.
    #[serde(default)]
    pub entities: Option<Box<RawValue>>,
    /// The answer that is right.
    pub decision: Expected,
    /// Policies that must be among the determining ones.
    #[serde(default)]
    pub reason: Vec<String>,
    /// How many policies err.
    #[serde(default)]
    pub num_errors: usize,
}

/// The request of a case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// Who asks: `User::"alice"` or `{"type", "id"}`.
    pub principal: Box<RawValue>,
    /// What they want to do; also a bare name.
    pub action: Box<RawValue>,
    /// With which thing.
    pub resource: Box<RawValue>,
    /// The whole context; absent is empty.
    #[serde(default)]
    pub context: Option<Box<RawValue>>,
}

/// An expected decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// Access.
    Allow,
    /// None.
    Deny,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseReport {
    /// Path of the file.
    pub file: String,
    /// Line on which the case begins, from 1.
    pub line: u32,
    /// Column on which it begins, from 1.
    pub column: u32,
    /// Its name; without one, `case 3` of its file.
    pub name: String,
    /// Why it failed; absent when it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What the tests of a store said. A store without tests passes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestReport {
    /// How many cases passed.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// The cases in order of file and place.
    pub cases: Vec<CaseReport>,
    /// Policies that determined no answer of any case, by id.
    pub unexercised: Vec<PolicyId>,
    /// Files that are no test files.
    #[serde(skip)]
    malformed: Vec<Finding>,
}

impl TestReport {
    /// The failures as findings, each at its case.
    pub(super) fn findings(&self) -> impl Iterator<Item = Finding> {
        let failed = self.cases.iter().filter_map(|case| {
            let message = format!("test `{}`: {}", case.name, case.failure.as_ref()?);
            let text = Text { path: &case.file, text: "" };
            let place = (Some(case.line), Some(case.column));
            Some(Finding { line: place.0, column: place.1, ..text.error("test_failed", None, message) })
        });
        failed.chain(self.malformed.iter().cloned())
    }
}

/// Runs the cases of these files, given as path and text.
pub(super) fn run<'a>(
    snapshot: &Snapshot,
    files: impl Iterator<Item = (&'a str, &'a str)>,
    pace: &Pace,
) -> TestReport {
    let mut report = TestReport::default();
    let mut exercised: BTreeSet<PolicyId> = BTreeSet::new();
    for (path, text) in files {
        let text = Text { path, text };
        let elements = match text.elements("test_format") {
            Ok(elements) => elements,
            Err(error) => {
                report.malformed.push(error);
                continue;
            }
        };
        let mut positions = text.positions();
        for (number, (offset, raw)) in elements.into_iter().enumerate() {
            pace.step();
            let case: Case = match serde_json::from_str(raw) {
                Ok(case) => case,
                Err(error) => {
                    report.malformed.push(text.json_error("test_format", offset, &error));
                    continue;
                }
            };
            let (line, column) = positions.at(offset);
            let name = case.name.clone().unwrap_or_else(|| format!("case {}", number + 1));
            let failure = match answer(snapshot, &case) {
                Ok(verdict) => {
                    exercised.extend(verdict.determining.iter().map(|one| one.policy_id.clone()));
                    judge(&case, &verdict)
                }
                Err(problem) => Some(problem),
            };
            *(if failure.is_none() { &mut report.passed } else { &mut report.failed }) += 1;
            report.cases.push(CaseReport { file: path.to_owned(), line, column, name, failure });
        }
    }
    let ids = snapshot.policies().map(|policy| &policy.id).inspect(|_| pace.step());
    report.unexercised = ids.filter(|id| !exercised.contains(*id)).cloned().collect();
    report
}

fn answer(snapshot: &Snapshot, case: &Case) -> Result<Verdict, String> {
    let request = &case.request;
    let parts = RequestParts {
        principal: &request.principal,
        action: &request.action,
        resource: &request.resource,
        context: request.context.as_deref(),
    };
    let at = |pointer: &str, message: &str| format!("the request is wrong at `{pointer}`: {message}");
    let query = snapshot.query_as_given(parts).map_err(|problem| at(&problem.pointer, &problem.message))?;
    let layers = Layers { inline: case.entities.as_deref(), ..Layers::default() };
    let slice =
        EntitySlice::new(snapshot, layers).map_err(|problem| at(&problem.pointer, &problem.message))?;
    Ok(decide(snapshot, &query, &slice))
}

/// Why a verdict is not what the case expects.
fn judge(case: &Case, verdict: &Verdict) -> Option<String> {
    let by: Vec<&str> = verdict.determining.iter().map(|one| one.policy_id.as_str()).collect();
    let because = if by.is_empty() { "by no policy".to_owned() } else { format!("by `{}`", by.join("`, `")) };
    let errors: Vec<String> =
        verdict.errors.iter().map(|error| format!("`{}`: {}", error.policy_id, error.message)).collect();
    let got = if verdict.allow { Expected::Allow } else { Expected::Deny };
    if got != case.decision {
        let word = |expected| if expected == Expected::Allow { "allow" } else { "deny" };
        let erred =
            if errors.is_empty() { String::new() } else { format!("; errors: {}", errors.join("; ")) };
        return Some(format!("expected {}, got {} {because}{erred}", word(case.decision), word(got)));
    }
    if let Some(missing) = case.reason.iter().find(|id| !by.contains(&id.as_str())) {
        return Some(format!("`{missing}` is not among the determining policies: decided {because}"));
    }
    if errors.len() != case.num_errors {
        let listed = if errors.is_empty() { String::new() } else { format!(": {}", errors.join("; ")) };
        return Some(format!("expected {} errors, got {}{listed}", case.num_errors, errors.len()));
    }
    None
}
