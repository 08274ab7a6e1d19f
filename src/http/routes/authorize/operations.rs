//! One decision.

use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    batch,
    bodies::{AuthorizeRequest, AuthorizeResponse},
    question::{Question, holder, is_about, principal_of, store},
};
use crate::{
    authn::Caller,
    authorize::Ask,
    http::{
        actions::{Action, Authorize, AuthorizeOthers, Explain},
        extract::{Authenticated, LargeBody, Written},
        problem::Result,
        state::AppState,
    },
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(authorize)).routes(routes!(batch::authorize_batch))
}

/// Ask for a decision
///
/// 200 whatever the decision; every answer names the policy version that gave it. Asking about another
/// principal than the caller, and `explain`, are permissions of their own.
#[utoipa::path(
    post, path = "/v1/authorize", tag = "authorize",
    request_body(content = AuthorizeRequest, example = json!({
        "action": "view", "resource": {"type": "Document", "id": "handbook"},
    })),
    responses((status = OK, body = AuthorizeResponse, example = json!({
        "decision": "allow", "decision_id": "dec_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "policy_store": "app",
        "policy_version": 7, "entity_revision": 42, "determining_policies": [{"policy_id": "public-documents", "effect": "permit"}], "errors": [],
    }))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(Authorize::NAME)),
        ("x-problem-codes" = json!(["unknown_policy_store", "unknown_action", "unknown_type", "context_invalid", "entities_invalid", "no_active_version"])),
    ),
)]
async fn authorize(app: AppState, caller: Authenticated, body: LargeBody) -> Result<Written> {
    let question = Question::read(&body)?;
    let store = store(&app, question.policy_store.as_ref())?;
    let known = caller.server();
    let mut checks = caller.checks(&app, &known, ("PolicyStore", store.as_str())).await?;
    checks.may::<Authorize>().await?;
    let holder = match &question.token {
        Some(token) => Some(Box::pin(holder(&app, token)).await?),
        None => None,
    };
    let pinned = app.authorize.pin(&store).await?;
    let own;
    let (principal, is_about_caller, is_about_holder) = if let Some(given) = question.principal {
        let about = |who| is_about(&pinned, given, who);
        (given, about(&caller.caller), holder.as_ref().is_some_and(about))
    } else {
        let subject = holder.as_ref().unwrap_or(&caller.caller);
        own = principal_of(&pinned, subject)?;
        (&*own, subject.name() == caller.caller.name(), holder.is_some())
    };
    if !is_about_caller {
        checks.may::<AuthorizeOthers>().await?;
    }
    if question.explain {
        checks.may::<Explain>().await?;
    }
    let server = match &holder {
        None if is_about_caller => known,
        Some(Caller::User(user)) if is_about_holder => caller.server_for(Some(&**user)),
        _ => caller.server_for(None),
    };
    let ask = Ask {
        principal,
        action: question.action,
        resource: question.resource,
        context: question.context,
        entities: question.entities,
        explain: question.explain,
        server: &server,
    };
    let answer = app.authorize.check(caller.caller.tenant(), &pinned, &ask).await?;
    Written::of(&AuthorizeResponse::of(&pinned, &answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what a function of three arguments gives.
    fn size<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// A future is copied to where it runs, with all the room that it may need: what is seldom waited for is boxed. It
    /// was 5,600 bytes without.
    #[test]
    fn a_decision_takes_little_room() {
        let bytes = size(authorize);
        assert!(bytes <= 2_560, "{bytes} bytes");
    }
}
