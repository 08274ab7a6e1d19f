//! Reading the schema: all files of `schema/`, merged.

use cedar_policy::{Schema, SchemaFragment};
use miette::{Diagnostic, SourceSpan};

use super::{
    diagnostic::{Source, finding, findings},
    text::Text,
};
use crate::policy::{Finding, Severity};

/// Reads and merges the files; warnings are added to `found`. `None` when an error was.
pub(super) fn read(files: &[Text<'_>], found: &mut Vec<Finding>) -> Option<Schema> {
    let Some(first) = files.first() else {
        let missing = Text { path: "schema", text: "" };
        let mut error = missing.error("schema", None, "the store has no schema");
        error.help = Some("put one into `schema/`, in a file that ends in `.cedarschema`".to_owned());
        found.push(error);
        return None;
    };
    let mut fragments = Vec::new();
    for text in files {
        if let Err(error) = text.check_depth(true) {
            found.push(error);
            continue;
        }
        match SchemaFragment::from_cedarschema_str(text.text) {
            Ok((fragment, warnings)) => {
                fragments.push(fragment);
                found.extend(
                    warnings.map(|one| finding(&one, Source::whole(*text), Severity::Warning, "schema")),
                );
            }
            Err(error) => found.extend(findings(&error, Source::whole(*text), "schema")),
        }
    }
    if fragments.len() < files.len() {
        return None;
    }
    match Schema::from_schema_fragments(fragments) {
        Ok(schema) if schema.is_complete() => Some(schema),
        Ok(_) => {
            found.push(first.error(
                "schema",
                None,
                "the schema declares something `external` that no file defines",
            ));
            None
        }
        Err(error) => {
            let text = files.iter().find(|text| is_source(&error, text)).unwrap_or(first);
            found.extend(findings(&error, Source::whole(*text), "schema"));
            None
        }
    }
}

/// Whether a diagnostic is about this text: it carries its source, or it quotes a name that only stands there.
fn is_source(error: &dyn Diagnostic, text: &Text<'_>) -> bool {
    let all = SourceSpan::from((0, text.text.len()));
    if let Some(read) = error.source_code().and_then(|source| source.read_span(&all, 0, 0).ok()) {
        return read.data() == text.text.as_bytes();
    }
    let message = error.to_string();
    let mut quoted = message.split('`').skip(1).step_by(2);
    quoted.any(|name| !name.is_empty() && text.text.contains(name))
}
