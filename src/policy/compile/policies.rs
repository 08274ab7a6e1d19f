//! Reading policies and templates: one part of a file at a time, so that each keeps its file, line and `@id`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cedar_policy::{Policy, PolicySet, Template};

use super::{
    diagnostic::{Source, findings},
    lexis::parts,
    nesting,
    text::Text,
};
use crate::policy::{
    Effect, Finding, PolicyId, PolicyRecord,
    engine::{
        self,
        cedar::{Expr, Policy as CorePolicy, Template as CoreTemplate},
    },
    pace::Pace,
    snapshot::Prepared,
};

/// Longest `@id`, in characters: it is written into every answer and log line.
const MAX_ID: usize = 200;
/// How many bytes of a file Cedar is given at once, at least: a few hundred microseconds of work between two rests.
/// With fewer, what each call costs would begin to show.
const PART: usize = 2048;
/// Most findings told of policies: whoever has more has one cause.
const MAX_FINDINGS: usize = 1000;

/// Where a policy, template or link stands in its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Where the part begins that Cedar read, in bytes: its diagnostics count from there.
    pub(super) start: usize,
    /// Where it begins itself, in bytes.
    pub(super) offset: usize,
    /// The line of that, from 1.
    pub(super) line: u32,
}

/// The ids of a store: of policies, templates and links together; each with where it was given.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<PolicyId, (Arc<str>, Place)>);

impl Ids {
    /// Claims an id for what stands at `place`; an error when it is unfit or taken.
    pub(super) fn claim(&mut self, id: &PolicyId, text: Text<'_>, place: Place) -> Result<(), Finding> {
        let unfit = id.as_str().trim().is_empty() || id.as_str().chars().count() > MAX_ID;
        if unfit || id.as_str().chars().any(char::is_control) {
            let message = format!("an id is 1 to {MAX_ID} characters, none of them a control character");
            return Err(text.error("missing_id", Some(place.offset), message));
        }
        if let Some((file, Place { line, .. })) = self.0.get(id) {
            let message = format!("the id `{id}` is also at {file}:{line}");
            let mut error = text.error("duplicate_id", Some(place.offset), message);
            error.help = Some("an id names one policy, template or link of the store".to_owned());
            return Err(error);
        }
        self.0.insert(id.clone(), (Arc::from(text.path), place));
        Ok(())
    }

    /// Where an id was given.
    pub(super) fn place(&self, id: &PolicyId) -> Option<Place> {
        self.0.get(id).map(|(_, place)| *place)
    }
}

/// A template with what is known of it.
#[derive(Debug)]
pub(super) struct ReadTemplate {
    pub(super) record: PolicyRecord,
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
    pub(super) fn file(
        &mut self,
        text: Text<'_>,
        kind: Kind,
        ids: &mut Ids,
        pace: &Pace,
        found: &mut Vec<Finding>,
    ) {
        if let Err(error) = text.check_depth(false) {
            found.push(error);
            return;
        }
        let mut positions = text.positions();
        for (start, part) in parts(text.text, PART) {
            if found.len() >= MAX_FINDINGS {
                return;
            }
            pace.step();
            let set: PolicySet = match part.parse() {
                Ok(set) => set,
                Err(error) => {
                    let source = Source { text, start, at: None };
                    found.extend(error.iter().flat_map(|error| findings(error, source, "parse")));
                    continue;
                }
            };
            let templates = set.templates().map(Body::Template);
            let mut bodies: Vec<Body<'_>> = set.policies().map(Body::Policy).chain(templates).collect();
            bodies.sort_by_key(Body::offset);
            for body in bodies {
                let offset = start + body.offset();
                let at = Place { start, offset, line: positions.at(offset).0 };
                if let Err(error) = self.one(at, &body, text, kind, ids) {
                    found.push(error);
                }
            }
        }
    }

    fn one(
        &mut self,
        place: Place,
        body: &Body<'_>,
        text: Text<'_>,
        kind: Kind,
        ids: &mut Ids,
    ) -> Result<(), Finding> {
        let offset = place.offset;
        let annotations = body.annotations();
        let Some(id) = annotations.get("id") else {
            let mut error = text.error("missing_id", Some(offset), "the policy has no `@id`");
            error.help = Some("write `@id(\"some-name\")` in front of it".to_owned());
            return Err(error);
        };
        let id = PolicyId::new(id.as_str());
        ids.claim(&id, text, place)?;
        nesting::check(body.condition(), text, offset)?;
        let cedar_id = cedar_policy::PolicyId::new(id.as_str());
        let record = PolicyRecord {
            id,
            effect: body.effect(),
            file: Arc::from(text.path),
            line: place.line,
            annotations,
            link: None,
        };
        match (body, kind) {
            (Body::Policy(policy), Kind::Policies) => {
                self.policies.push(Prepared { record, policy: policy.new_id(cedar_id) });
                Ok(())
            }
            (Body::Template(template), Kind::Templates) => {
                self.templates.push(ReadTemplate { record, template: template.new_id(cedar_id) });
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

enum Body<'a> {
    Policy(&'a Policy),
    Template(&'a Template),
}

impl Body<'_> {
    /// Where it begins in what Cedar read, in bytes.
    fn offset(&self) -> usize {
        let offset = match self {
            Self::Policy(policy) => engine::policy_offset(policy),
            Self::Template(template) => engine::template_offset(template),
        };
        offset.unwrap_or_default()
    }

    fn effect(&self) -> Effect {
        match self {
            Self::Policy(policy) => policy.effect().into(),
            Self::Template(template) => template.effect().into(),
        }
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        match self {
            Self::Policy(policy) => policy.annotations().map(owned).collect(),
            Self::Template(template) => template.annotations().map(owned).collect(),
        }
    }

    fn condition(&self) -> Option<&Expr> {
        match self {
            Self::Policy(policy) => AsRef::<CorePolicy>::as_ref(*policy).non_scope_constraints(),
            Self::Template(template) => AsRef::<CoreTemplate>::as_ref(*template).non_scope_constraints(),
        }
    }
}
