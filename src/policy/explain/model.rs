//! What an explanation is made of.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::policy::{Effect, PolicyId, PolicyRecord};

/// Why a decision came out as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether access is allowed.
    pub allow: bool,
    /// The policies that decided, by id.
    pub determining: Vec<Determined>,
    /// The policies that erred, by id, with Cedar's message. A forbid among them denies.
    pub erring: Vec<(PolicyView, String)>,
    /// On a denial that no forbid made: the permits that came closest, nearest first.
    pub nearest_misses: Vec<NearMiss>,
    /// All of this as text.
    pub reason_admin: String,
    /// What the authors of the policies wrote for users.
    pub reason_user: String,
}

/// A policy and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyView {
    /// Its id.
    pub policy_id: PolicyId,
    /// What it does.
    pub effect: Effect,
    /// Path of its file within the store.
    pub file: String,
    /// Line on which it begins, from 1.
    pub line: u32,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// For a linked policy, from what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkView>,
}

/// A link and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkView {
    /// The template.
    pub template: PolicyId,
    /// Slot to entity.
    pub slots: BTreeMap<String, String>,
    /// Path of the file with the link.
    pub file: String,
    /// Line in it, from 1.
    pub line: u32,
}

/// A policy that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Determined {
    /// Which.
    #[serde(flatten)]
    pub policy: PolicyView,
    /// The parts of its clauses, all of which held.
    pub clauses: Vec<ClauseView>,
}

/// A permit that did not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearMiss {
    /// Which.
    #[serde(flatten)]
    pub policy: PolicyView,
    /// Whether principal, action and resource are what it is for.
    pub scope_matches: bool,
    /// How many parts of its clauses held.
    pub held: usize,
    /// How many parts they have.
    pub conjuncts: usize,
    /// The first part that failed: of the scope where that misses, else of the clauses.
    pub failing: ClauseView,
    /// What its author advises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// A part of a scope or clause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClauseView {
    /// Its text, as in `when resource.visibility == "public"`.
    pub text: String,
    /// What it reads.
    pub values: Vec<NamedValue>,
    /// Cedar's message, where it could not be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A value that a clause reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedValue {
    /// What is read, as in `resource.visibility`.
    pub expression: String,
    /// What it is, in Cedar's text form; `(missing)` where there is none.
    pub value: String,
}

impl From<&PolicyRecord> for PolicyView {
    fn from(record: &PolicyRecord) -> Self {
        let link = record.link.as_ref().map(|link| LinkView {
            template: link.template.clone(),
            slots: link.slots.clone(),
            file: link.file.to_string(),
            line: link.line,
        });
        Self {
            policy_id: record.id.clone(),
            effect: record.effect,
            file: record.file.to_string(),
            line: record.line,
            annotations: record.annotations.clone(),
            link,
        }
    }
}
