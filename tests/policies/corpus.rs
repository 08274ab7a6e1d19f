//! Cedar's own corpus through our index and engine: decision, determining and erring policies.

use std::{collections::BTreeSet, fs::File, io::BufRead, path::PathBuf};

use bailiwick::policy::{EntitySlice, Query, Snapshot, StoreName, Verdict, evaluate, evaluate_all};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, Schema};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{setting, skip};

#[derive(Deserialize)]
struct Line {
    id: String,
    policies: String,
    schema: String,
    entities: Value,
    requests: Vec<Ask>,
}

#[derive(Deserialize)]
struct Ask {
    principal: Value,
    action: Value,
    resource: Value,
    context: Value,
    validate_request: bool,
    decision: String,
    reason: BTreeSet<String>,
    errors: BTreeSet<String>,
}

/// Where the corpus is: the folder of the environment, or beside the project.
fn corpus() -> Option<Vec<Line>> {
    let folder = setting("BAILIWICK_TEST_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")), PathBuf::from);
    let path = folder.join("cedar/dev.jsonl.gz");
    let Ok(file) = File::open(&path) else {
        skip("the Cedar corpus is not there (`BAILIWICK_TEST_DATA`)");
        return None;
    };
    let lines = std::io::BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    Some(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect())
}

/// What Cedar's authorizer says, in the words of a verdict.
pub(crate) fn plain(request: &Request, policies: &PolicySet, entities: &Entities) -> Answer {
    let response = Authorizer::new().is_authorized(request, policies, entities);
    let mut errors = BTreeSet::new();
    for cedar_policy::AuthorizationError::PolicyEvaluationError(error) in response.diagnostics().errors() {
        errors.insert((error.policy_id().to_string(), error.inner().to_string()));
    }
    Answer {
        allow: response.decision() == Decision::Allow,
        reason: response.diagnostics().reason().map(ToString::to_string).collect(),
        errors,
    }
}

/// Decision, determining policies, and erring policies with their messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) allow: bool,
    pub(crate) reason: BTreeSet<String>,
    pub(crate) errors: BTreeSet<(String, String)>,
}

impl From<&Verdict> for Answer {
    fn from(verdict: &Verdict) -> Self {
        let errors = verdict.errors.iter().map(|error| (error.policy_id.to_string(), error.message.clone()));
        Self {
            allow: verdict.allow,
            reason: verdict.determining.iter().map(|one| one.policy_id.to_string()).collect(),
            errors: errors.collect(),
        }
    }
}

fn uid(value: &Value) -> EntityUid {
    EntityUid::from_json(value.clone()).unwrap()
}

/// All requests of one line; answers how many there were.
fn check(line: &Line) -> usize {
    let policies: PolicySet = line.policies.parse().unwrap();
    let (schema, _) = Schema::from_cedarschema_str(&line.schema).unwrap();
    let entities = Entities::from_json_value(line.entities.clone(), Some(&schema)).unwrap();
    let store: StoreName = "corpus".parse().unwrap();
    let snapshot = Snapshot::from_policy_set(store, &policies, schema.clone()).unwrap();
    let slice = EntitySlice::whole(entities.clone());
    for (number, ask) in line.requests.iter().enumerate() {
        let (principal, action, resource) = (uid(&ask.principal), uid(&ask.action), uid(&ask.resource));
        let context = Context::from_json_value(ask.context.clone(), Some((&schema, &action))).unwrap();
        let checked = ask.validate_request.then_some(&schema);
        let request =
            Request::new(principal.clone(), action.clone(), resource.clone(), context.clone(), checked)
                .unwrap();
        let query = Query::new(principal, action, resource, context, checked).unwrap();
        let verdict = evaluate(&snapshot, &query, &slice);
        let ours = Answer::from(&verdict);
        let place = format!("{} request {number}", line.id);
        assert_eq!(ours, plain(&request, &policies, &entities), "{place}");
        assert_eq!(evaluate_all(&snapshot, &query, &slice), verdict, "{place}");
        assert_eq!(ours.allow, ask.decision == "allow", "{place}");
        assert_eq!(ours.reason, ask.reason, "{place}");
        assert_eq!(ours.errors.into_iter().map(|(id, _)| id).collect::<BTreeSet<_>>(), ask.errors, "{place}");
    }
    line.requests.len()
}

#[test]
fn every_case_is_answered_as_cedar_answers_it() {
    let Some(lines) = corpus() else { return };
    // Cedar's parser recurses deeply over some of them.
    let worker = std::thread::Builder::new().stack_size(256 << 20);
    let asked = worker.spawn(move || (lines.len(), lines.iter().map(check).sum::<usize>())).unwrap();
    assert_eq!(asked.join().unwrap(), (673, 1336));
}
