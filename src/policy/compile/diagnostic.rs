//! Cedar's diagnostics as findings.

use miette::Diagnostic;

use super::text::Text;
use crate::policy::{Finding, Severity};

/// What Cedar read of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: Text<'a>,
    /// Where it began to read, in bytes: its labels count from there.
    pub(super) start: usize,
    /// Where a diagnostic without a label is.
    pub(super) at: Option<usize>,
}

impl<'a> Source<'a> {
    /// The whole file; what has no label has no place in it.
    pub(super) fn whole(text: Text<'a>) -> Self {
        Self { text, start: 0, at: None }
    }
}

/// A diagnostic as a finding about its source.
pub(super) fn finding(
    diagnostic: &dyn Diagnostic,
    source: Source<'_>,
    severity: Severity,
    code: &str,
) -> Finding {
    let label = diagnostic.labels().into_iter().flatten().next();
    let offset = label.as_ref().map(|label| source.start + label.offset()).or(source.at);
    let mut finding = source.text.finding(severity, code, offset, message(diagnostic));
    let note = label.and_then(|label| label.label().map(str::to_owned));
    if let Some(note) = note.filter(|note| !finding.message.contains(note.as_str())) {
        finding.message = format!("{}: {note}", finding.message);
    }
    finding.help = diagnostic.help().map(|help| help.to_string());
    finding
}

/// A diagnostic and those that came with it, each as an error.
pub(super) fn findings(diagnostic: &dyn Diagnostic, source: Source<'_>, code: &str) -> Vec<Finding> {
    let related = diagnostic.related().into_iter().flatten();
    let more = related.map(|one| finding(one, source, Severity::Error, code));
    std::iter::once(finding(diagnostic, source, Severity::Error, code)).chain(more).collect()
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
