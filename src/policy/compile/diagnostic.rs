//! Cedar's diagnostics as findings.

use miette::Diagnostic;

use super::text::Text;
use crate::policy::{Finding, Severity};

/// A diagnostic as a finding about `text`; `at` is where it is when the diagnostic has no label.
pub(super) fn finding(
    diagnostic: &dyn Diagnostic,
    text: Text<'_>,
    severity: Severity,
    code: &str,
    at: Option<usize>,
) -> Finding {
    let label = diagnostic.labels().into_iter().flatten().next();
    let offset = label.as_ref().map(miette::LabeledSpan::offset).or(at);
    let mut finding = text.finding(severity, code, offset, message(diagnostic));
    let note = label.and_then(|label| label.label().map(str::to_owned));
    if let Some(note) = note.filter(|note| !finding.message.contains(note.as_str())) {
        finding.message = format!("{}: {note}", finding.message);
    }
    finding.help = diagnostic.help().map(|help| help.to_string());
    finding
}

/// A diagnostic and those that came with it, each as a finding.
pub(super) fn findings(
    diagnostic: &dyn Diagnostic,
    text: Text<'_>,
    code: &str,
    at: Option<usize>,
) -> Vec<Finding> {
    let related = diagnostic.related().into_iter().flatten();
    let more = related.map(|one| finding(one, text, Severity::Error, code, at));
    std::iter::once(finding(diagnostic, text, Severity::Error, code, at)).chain(more).collect()
}

/// The text of a diagnostic with its causes, on one line.
fn message(diagnostic: &dyn Diagnostic) -> String {
    let mut text = diagnostic.to_string();
    let mut cause = diagnostic.diagnostic_source();
    while let Some(one) = cause {
        let more = one.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = one.diagnostic_source();
    }
    text.replace('\n', " ")
}
