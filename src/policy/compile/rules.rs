//! The rules that hold between the files: validation, levels, annotations, identity, the server's context.

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy::{
    EntityTypeName, PolicySet, Schema, ValidationError, ValidationMode, ValidationWarning, Validator,
};

use super::{
    diagnostic::{Source, finding},
    policies::{Ids, Place, ReadTemplate},
    text::Text,
};
use crate::policy::{
    Finding, Manifest, PolicyRecord, Severity,
    engine::{ValueShape, context_shape, declares},
    pace::Pace,
    query::{SERVER_CONTEXT, chain, server_attributes},
    snapshot::Prepared,
};

/// Most findings told of one kind: whoever has more has one cause.
const MAX_FINDINGS: usize = 1000;

/// What has been said of policies so far.
#[derive(Default)]
struct Told<'a> {
    errors: usize,
    warnings: usize,
    /// Policies and templates with an error.
    broken: HashSet<&'a str>,
}

/// What the rules look at.
pub(super) struct Store<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) manifest_text: Text<'a>,
    pub(super) schema: &'a Schema,
    pub(super) policies: &'a [Prepared],
    pub(super) templates: &'a [ReadTemplate],
    pub(super) ids: &'a Ids,
    pub(super) texts: &'a [Text<'a>],
}

impl Store<'_> {
    /// Everything that breaks a rule, and Cedar's warnings.
    pub(super) fn check(&self, pace: &Pace, found: &mut Vec<Finding>) {
        self.validate(pace, found);
        self.annotations(found);
        self.identity(found);
        self.aliases(found);
        self.server_context(found);
    }

    /// One policy at a time, templates first: what is wrong with a link may be wrong with its template.
    fn validate(&self, pace: &Pace, found: &mut Vec<Finding>) {
        let validator = Validator::new(self.schema.clone());
        let mut told = Told::default();
        for read in self.templates {
            let mut set = PolicySet::new();
            match set.add_template(read.template.clone()) {
                Ok(()) => self.validate_one(&validator, &set, &read.record, &mut told, found),
                Err(error) => found.push(self.at(&read.record, Severity::Error, "template", chain(&error))),
            }
            pace.step();
        }
        for prepared in self.policies {
            let mut set = PolicySet::new();
            match set.add(prepared.policy.clone()) {
                Ok(()) => self.validate_one(&validator, &set, &prepared.record, &mut told, found),
                Err(error) => found.push(self.at(&prepared.record, Severity::Error, "policy", chain(&error))),
            }
            pace.step();
        }
    }

    /// What Cedar says of a policy or template, which is all that is in `set`.
    fn validate_one<'b>(
        &self,
        validator: &Validator,
        set: &PolicySet,
        record: &'b PolicyRecord,
        told: &mut Told<'b>,
        found: &mut Vec<Finding>,
    ) {
        let result = validator.validate_with_level(set, ValidationMode::Strict, self.manifest.level);
        let mut errors = result.validation_errors().peekable();
        if errors.peek().is_some() {
            told.broken.insert(record.id.as_str());
            for error in errors {
                let is_level = matches!(error, ValidationError::EntityDerefLevelViolation(_));
                let code = if is_level { "level" } else { "validation" };
                if told.errors < MAX_FINDINGS {
                    let placed = self.placed(error, record, Severity::Error, code, told);
                    told.errors += usize::from(placed.is_some());
                    found.extend(placed);
                }
            }
            return; // what Cedar warns of in a policy that is wrong already is a consequence
        }
        for warning in result.validation_warnings() {
            if told.warnings < MAX_FINDINGS {
                let placed = self.placed(warning, record, Severity::Warning, warning_code(warning), told);
                told.warnings += usize::from(placed.is_some());
                found.extend(placed);
            }
        }
    }

    fn records(&self) -> impl Iterator<Item = &PolicyRecord> {
        let templates = self.templates.iter().map(|read| &read.record);
        self.policies.iter().map(|prepared| &prepared.record).chain(templates)
    }

    /// A diagnostic about a policy as a finding in the file of that policy.
    ///
    /// A link is checked as a policy of its own; what is wrong with its template is said of the template only.
    fn placed(
        &self,
        diagnostic: &dyn miette::Diagnostic,
        record: &PolicyRecord,
        severity: Severity,
        code: &str,
        told: &Told<'_>,
    ) -> Option<Finding> {
        let text = self.text(&record.file);
        if let Some(link) = &record.link {
            if told.broken.contains(link.template.as_str()) {
                return None;
            }
            let plain = finding(diagnostic, Source::whole(text), severity, code);
            let mut placed = self.at(record, severity, code, plain.message);
            placed.help = plain.help;
            return Some(placed);
        }
        let Place { start, offset, .. } = self.ids.place(&record.id)?;
        Some(finding(diagnostic, Source { text, start, at: Some(offset) }, severity, code))
    }

    fn annotations(&self, found: &mut Vec<Finding>) {
        for record in self.records().filter(|record| record.link.is_none()) {
            let has = |name: &String| record.annotations.get(name).is_some_and(|value| !value.is_empty());
            for name in self.manifest.required_annotations.iter().filter(|name| !has(name)) {
                let message =
                    format!("the policy `{}` has no `@{name}`, which the manifest requires", record.id);
                found.push(self.at(record, Severity::Error, "annotation", message));
            }
        }
    }

    /// The types that identity maps to exist, and their attributes can hold what identity puts there.
    fn identity(&self, found: &mut Vec<Finding>) {
        let identity = &self.manifest.identity;
        let mapped = [
            ("user", &identity.user),
            ("role", &identity.role),
            ("tenant", &identity.tenant),
            ("service", &identity.service),
            ("api_key", &identity.api_key),
        ];
        let mut wrong = |message: String| found.push(self.in_manifest("identity", message));
        let known: Vec<&EntityTypeName> = self.schema.entity_types().collect();
        for (name, entity_type) in mapped {
            let Some(entity_type) = entity_type else { continue };
            if !known.iter().any(|known| known.to_string() == *entity_type) {
                wrong(format!("`{name}` maps to `{entity_type}`, which the schema does not declare"));
            }
        }
        let user = known.into_iter().find(|known| Some(known.to_string()) == identity.user);
        let Some(user) = user else { return };
        let tenant = identity.tenant.clone().map_or(ValueShape::Other, ValueShape::Entity);
        let given = [
            ("email", ValueShape::Text),
            ("email_verified", ValueShape::Bool),
            ("status", ValueShape::Text),
            ("tenant", tenant),
            ("created_at", ValueShape::Extension("datetime".to_owned())),
        ];
        for (name, shape) in given {
            if declares(self.schema, user, name).is_some_and(|declared| declared.value != shape) {
                wrong(format!(
                    "the schema declares `{name}` of `{user}` with a type that identity cannot fill"
                ));
            }
        }
    }

    /// A short name stands for a type of the schema, and is not itself one.
    fn aliases(&self, found: &mut Vec<Finding>) {
        let known: BTreeSet<String> = self.schema.entity_types().map(ToString::to_string).collect();
        for (short, full) in &self.manifest.aliases {
            let text = self.manifest_text;
            let at = text.text.find("[aliases]");
            if known.contains(short) {
                found.push(text.error(
                    "alias",
                    at,
                    format!("the alias `{short}` is a type of the schema itself"),
                ));
            } else if !known.contains(full) {
                let message =
                    format!("the alias `{short}` stands for `{full}`, which the schema does not declare");
                found.push(text.error("alias", at, message));
            }
        }
    }

    /// Where `context.bailiwick` is declared, the server can fill it.
    fn server_context(&self, found: &mut Vec<Finding>) {
        let known = server_attributes();
        for action in self.schema.actions() {
            let Some(context) = context_shape(self.schema, action) else { continue };
            let Some(declared) = context.get(SERVER_CONTEXT) else { continue };
            let mut wrong = |what: String| {
                let message = format!("in the context of `{action}`, {what}");
                found.push(self.in_schema("server_context", message));
            };
            let ValueShape::Record(attributes) = &declared.value else {
                wrong(format!("`{SERVER_CONTEXT}` is not a record: the server cannot fill it"));
                continue;
            };
            for (name, attribute) in attributes {
                if !known.iter().any(|(known, shape)| known == name && *shape == attribute.value) {
                    wrong(format!("`{SERVER_CONTEXT}.{name}` is not an attribute that the server can fill"));
                }
            }
        }
    }

    fn text(&self, path: &str) -> Text<'_> {
        let found = self.texts.iter().find(|text| text.path == path);
        found.copied().unwrap_or(Text { path: "", text: "" })
    }

    /// A finding at the place of a policy; for a link, of the link.
    pub(super) fn at(
        &self,
        record: &PolicyRecord,
        severity: Severity,
        code: &str,
        message: String,
    ) -> Finding {
        let (file, line) = match &record.link {
            Some(link) => (&link.file, link.line),
            None => (&record.file, record.line),
        };
        let text = self.text(file);
        let written = text.text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default();
        let start = text.line_start(line) + (written.len() - written.trim_start().len());
        text.finding(severity, code, Some(start), message)
    }

    fn in_manifest(&self, code: &str, message: String) -> Finding {
        self.manifest_text.error(code, self.manifest_text.text.find("[identity]"), message)
    }

    fn in_schema(&self, code: &str, message: String) -> Finding {
        let declaring = self
            .texts
            .iter()
            .find(|text| text.path.starts_with("schema/") && text.text.contains(SERVER_CONTEXT));
        let text = declaring.copied().unwrap_or(Text { path: "schema", text: "" });
        text.error(code, text.text.find(SERVER_CONTEXT), message)
    }
}

/// The short names of entity types, with the types that they stand for.
pub(super) fn aliases(manifest: &Manifest) -> HashMap<String, EntityTypeName> {
    let pairs = manifest.aliases.iter();
    pairs.filter_map(|(short, full)| Some((short.clone(), full.parse().ok()?))).collect()
}

fn warning_code(warning: &ValidationWarning) -> &'static str {
    match warning {
        ValidationWarning::MixedScriptString(_) => "mixed_script_string",
        ValidationWarning::BidiCharsInString(_) => "bidi_chars_in_string",
        ValidationWarning::BidiCharsInIdentifier(_) => "bidi_chars_in_identifier",
        ValidationWarning::MixedScriptIdentifier(_) => "mixed_script_identifier",
        ValidationWarning::ConfusableIdentifier(_) => "confusable_identifier",
        ValidationWarning::ImpossiblePolicy(_) => "impossible_policy",
        ValidationWarning::InvalidActionApplication(_) => "invalid_action_application",
        _ => "warning",
    }
}
