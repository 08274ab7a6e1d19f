//! Reading policies and templates: one file at a time, so that each keeps its file, line and `@id`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cedar_policy::{Policy, PolicySet, Template};

use super::{diagnostic::findings, nesting, text::Text};
use crate::policy::{
    Effect, Finding, PolicyId, PolicyRecord,
    engine::{
        self,
        cedar::{Expr, Policy as CorePolicy, Template as CoreTemplate},
    },
    snapshot::Prepared,
};

/// Longest `@id`, in characters: it is written into every answer and log line.
const MAX_ID: usize = 200;
/// Most findings told of policies: whoever has more has one cause.
const MAX_FINDINGS: usize = 1000;

/// Where an id was given, for naming the other place of a duplicate.
#[derive(Debug, Clone)]
struct Place {
    file: Arc<str>,
    line: u32,
}

/// The ids of a store: of policies, templates and links together.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<PolicyId, Place>);

impl Ids {
    /// Claims an id for what stands at `offset`, on `line`; an error when it is unfit or taken.
    pub(super) fn claim(
        &mut self,
        id: &PolicyId,
        text: Text<'_>,
        offset: usize,
        line: u32,
    ) -> Result<(), Finding> {
        let unfit = id.as_str().trim().is_empty() || id.as_str().chars().count() > MAX_ID;
        if unfit || id.as_str().chars().any(char::is_control) {
            let message = format!("an id is 1 to {MAX_ID} characters, none of them a control character");
            return Err(text.error("missing_id", Some(offset), message));
        }
        if let Some(Place { file, line }) = self.0.get(id) {
            let mut error =
                text.error("duplicate_id", Some(offset), format!("the id `{id}` is also at {file}:{line}"));
            error.help = Some("an id names one policy, template or link of the store".to_owned());
            return Err(error);
        }
        let place = Place { file: Arc::from(text.path), line };
        self.0.insert(id.clone(), place);
        Ok(())
    }
}

/// A template with what is known of it.
#[derive(Debug)]
pub(super) struct ReadTemplate {
    pub(super) record: PolicyRecord,
    /// Where it begins in its file, in bytes.
    pub(super) offset: usize,
    pub(super) template: Template,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Policies,
    Templates,
}

/// All policies and templates of a store.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) policies: Vec<Prepared>,
    pub(super) templates: Vec<ReadTemplate>,
}

impl Read {
    /// Reads one file; what is wrong with it is added to `found`.
    pub(super) fn file(&mut self, text: Text<'_>, kind: Kind, ids: &mut Ids, found: &mut Vec<Finding>) {
        if let Err(error) = text.check_depth(false) {
            found.push(error);
            return;
        }
        let set: PolicySet = match text.text.parse() {
            Ok(set) => set,
            Err(error) => {
                found.extend(parse_findings(&error, text));
                return;
            }
        };
        let mut heads = Vec::new();
        for policy in set.policies() {
            let head = Head::new(engine::policy_offset(policy), policy.effect(), policy.annotations());
            heads.push((head, Body::Policy(policy)));
        }
        for template in set.templates() {
            let head =
                Head::new(engine::template_offset(template), template.effect(), template.annotations());
            heads.push((head, Body::Template(template)));
        }
        heads.sort_by_key(|(head, _)| head.offset);
        let mut positions = text.positions();
        for (mut head, body) in heads {
            if found.len() >= MAX_FINDINGS {
                return;
            }
            head.line = positions.at(head.offset).0;
            if let Err(error) = self.one(head, &body, text, kind, ids) {
                found.push(error);
            }
        }
    }

    fn one(
        &mut self,
        head: Head,
        body: &Body<'_>,
        text: Text<'_>,
        kind: Kind,
        ids: &mut Ids,
    ) -> Result<(), Finding> {
        let offset = head.offset;
        let Some(id) = head.annotations.get("id") else {
            let mut error = text.error("missing_id", Some(offset), "the policy has no `@id`");
            error.help = Some("write `@id(\"some-name\")` in front of it".to_owned());
            return Err(error);
        };
        let id = PolicyId::new(id.as_str());
        ids.claim(&id, text, offset, head.line)?;
        nesting::check(body.condition(), text, offset)?;
        let cedar_id = cedar_policy::PolicyId::new(id.as_str());
        let record = PolicyRecord {
            id,
            effect: head.effect,
            file: Arc::from(text.path),
            line: head.line,
            annotations: head.annotations,
            link: None,
        };
        match (body, kind) {
            (Body::Policy(policy), Kind::Policies) => {
                self.policies.push(Prepared { record, policy: policy.new_id(cedar_id) });
                Ok(())
            }
            (Body::Template(template), Kind::Templates) => {
                self.templates.push(ReadTemplate { record, offset, template: template.new_id(cedar_id) });
                Ok(())
            }
            (Body::Policy(_), Kind::Templates) => Err(text.error(
                "template",
                Some(offset),
                "a policy without slots does not belong in `templates/`",
            )),
            (Body::Template(_), Kind::Policies) => {
                Err(text.error("template", Some(offset), "a policy with slots belongs in `templates/`"))
            }
        }
    }
}

/// What every policy and template has.
struct Head {
    offset: usize,
    line: u32,
    effect: Effect,
    annotations: BTreeMap<String, String>,
}

impl Head {
    fn new<'a>(
        offset: Option<usize>,
        effect: cedar_policy::Effect,
        annotations: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let annotations = annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { offset: offset.unwrap_or_default(), line: 0, effect: effect.into(), annotations }
    }
}

enum Body<'a> {
    Policy(&'a Policy),
    Template(&'a Template),
}

impl Body<'_> {
    fn condition(&self) -> Option<&Expr> {
        match self {
            Self::Policy(policy) => AsRef::<CorePolicy>::as_ref(*policy).non_scope_constraints(),
            Self::Template(template) => AsRef::<CoreTemplate>::as_ref(*template).non_scope_constraints(),
        }
    }
}

fn parse_findings(errors: &cedar_policy::ParseErrors, text: Text<'_>) -> Vec<Finding> {
    errors.iter().flat_map(|error| findings(error, text, "parse", None)).collect()
}
