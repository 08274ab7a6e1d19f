//! Many decisions at once.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    batch_bodies::{AuthorizeBatchRequest, AuthorizeBatchResponse},
    items::{Fields, Items},
    question::{Text, is_array, present, store},
};
use crate::http::{
    actions::{Action, Authorize},
    codes::Code,
    extract::{Authenticated, LargeBody, Written},
    problem::{Problem, Result},
    state::AppState,
};

/// A batch: fields for items that lack them, and the items.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    policy_store: Option<Text<'a>>,
    #[serde(borrow)]
    principal: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<Text<'a>>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    entities: Option<&'a RawValue>,
    explain: Option<bool>,
    #[serde(borrow)]
    requests: Vec<&'a RawValue>,
}

/// Ask for many decisions
///
/// The fields beside `requests` stand in for those that an item lacks. All items that ask one store see one
/// version of its policies and one revision of its entities. An item that is wrong is answered with `deny` and
/// `errors`, and is no concern of the others. A permission that the caller lacks for one item fails the batch.
#[utoipa::path(
    post, path = "/v1/authorize/batch", tag = "authorize",
    request_body(content = AuthorizeBatchRequest, example = json!({
        "action": "view", "requests": [
            {"resource": {"type": "Document", "id": "handbook"}},
            {"resource": {"type": "Document", "id": "plan"}, "action": "fly"},
        ],
    })),
    responses((status = OK, body = AuthorizeBatchResponse, example = json!({"answers": [
        {"decision": "allow", "decision_id": "dec_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "policy_store": "app",
         "policy_version": 7, "entity_revision": 42, "determining_policies": [{"policy_id": "public-documents", "effect": "permit"}], "errors": []},
        {"decision": "deny", "determining_policies": [],
         "errors": [{"code": "unknown_action", "pointer": "/requests/1/action", "message": "there is no action `fly`"}]},
    ]}))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(Authorize::NAME)),
        ("x-problem-codes" = json!(["unknown_policy_store"])),
    ),
)]
pub(super) async fn authorize_batch(
    app: AppState,
    caller: Authenticated,
    body: LargeBody,
) -> Result<Written> {
    let (defaults, requests) = read(&app, &body)?;
    let mut items = Items::new(&app, &caller, defaults, requests.len());
    for (place, raw) in requests.iter().enumerate() {
        items.take(place, raw).await?;
    }
    let (stores, outcomes) = items.decide().await?;
    Written::of(&AuthorizeBatchResponse::of(&stores, &outcomes))
}

/// Reads a body.
///
/// Errors: a problem that names the field, or says how many items there may be.
fn read<'a>(app: &AppState, body: &'a LargeBody) -> Result<(Fields<'a>, Vec<&'a RawValue>)> {
    let batch = match body.text().and_then(|text| serde_json::from_str::<Batch<'a>>(text).ok()) {
        Some(batch) if is_array(batch.entities) => batch,
        _ => return Err(body.problem::<AuthorizeBatchRequest>()),
    };
    // What no item could use is the batch's own fault.
    store(app, batch.policy_store.as_ref())?;
    if batch.context.is_some_and(|context| !context.get().starts_with('{')) {
        return Err(Problem::new(Code::ValidationFailed).at("/context", "must be an object"));
    }
    let most = app.config.server.batch_limit;
    if batch.requests.is_empty() || batch.requests.len() > most {
        let detail = format!("must have 1 to {most} items");
        return Err(Problem::new(Code::ValidationFailed).at("/requests", detail));
    }
    let Batch { policy_store, principal, token, action, resource, context, entities, explain, requests } =
        batch;
    Ok((Fields { policy_store, principal, token, action, resource, context, entities, explain }, requests))
}
