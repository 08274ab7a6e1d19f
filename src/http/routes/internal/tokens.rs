//! Tokens that a service was given.

use serde_json::{Value, value::RawValue};

use super::{
    super::authorize::{AuthorizeResponse, principal_of, store_named},
    bodies::{HolderBody, HolderQuestion, ValidateRequest, ValidateResponse, validate_sample},
};
use crate::{
    authn::{Caller, Validity},
    authorize::{Answer, Ask, EntityRef, Pinned},
    http::{
        actions::{Action, AuthorizeOthers, ValidateToken},
        codes::Code,
        extract::{Json, ServicePermit, Written, address},
        problem::{Problem, Result},
        state::AppState,
    },
    policy::ServerContext,
    tokens::ContextToken,
};

/// Most questions of a request.
const MAX_QUESTIONS: usize = 100;

/// A question as the engine reads it.
struct Raw {
    action: Box<RawValue>,
    resource: Box<RawValue>,
    context: Option<Box<RawValue>>,
}

/// Look at a token, and ask what its holder may do
///
/// 200 whatever there is to say of it. For a gateway that was given the token: whether it counts here and now, with what
/// it says, and in the same hop what the policies decide about its holder, for which the service needs
/// `authorizeOthers` on the store too. The service is itself told nothing of other tenants, unless it is of the
/// installation's own. With `audience`, the answer has a context token: the service that the request goes on to verifies
/// that offline, and need not ask again. It is good for nothing else.
#[utoipa::path(
    post, path = "/v1/internal/validate", tag = "internal",
    request_body(content = ValidateRequest, example = json!({
        "token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…", "origin": "https://app.example.com",
        "audience": "https://photos.example.com",
        "authorize": [{"action": "view", "resource": {"type": "Document", "id": "handbook"}}],
    })),
    responses((status = OK, body = ValidateResponse, example = json!(validate_sample()))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ValidateToken::NAME)),
        ("x-problem-codes" = json!(["unknown_policy_store", "unknown_action", "unknown_type", "context_invalid", "entities_invalid", "no_active_version"])),
    ),
)]
pub(super) async fn validate_token(
    app: AppState,
    by: ServicePermit<ValidateToken>,
    Json(body): Json<ValidateRequest>,
) -> Result<Written> {
    let ip = body.ip_address.as_deref().map(|text| address("/ip_address", text)).transpose()?;
    let questions = read(body.authorize.as_deref().unwrap_or_default())?;
    let onward = by.onward(body.audience.as_deref())?;
    let holder = match app.authn.validate(&body.token, by.within(), body.origin.as_deref()).await? {
        Validity::Valid(holder) => holder,
        Validity::Fault(fault) => return Written::of(&ValidateResponse::refused(fault.as_str())),
    };
    let mut response = ValidateResponse::of(&holder)?;
    if let Some(onward) = onward {
        match app.authn.context_token(&holder, onward).await? {
            Validity::Valid(context) => response.tell(&context),
            Validity::Fault(fault) => return Written::of(&ValidateResponse::refused(fault.as_str())),
        }
    }
    if body.authorize.is_none() {
        return Written::of(&response);
    }
    let store = store_named(&app, body.policy_store.as_deref())?;
    by.permit.may::<AuthorizeOthers>(&app, EntityRef::new("PolicyStore", store.as_str())).await?;
    let pinned = app.authorize.pin(&store).await?;
    let client = by.permit.client.of_service(ip, body.origin.as_deref());
    let server = client.server_context(holder.user().map(|user| &**user), app.clock.now());
    let answers = decide(&app, &pinned, &holder, &server, &questions).await?;
    response.decisions = Some(answers.iter().map(|answer| AuthorizeResponse::of(&pinned, answer)).collect());
    Written::of(&response)
}

/// Decides all questions on one version of the store; one that is wrong is the request's problem.
async fn decide(
    app: &AppState,
    pinned: &Pinned,
    holder: &Caller,
    server: &ServerContext<'_>,
    questions: &[Raw],
) -> Result<Vec<Answer>> {
    let principal = principal_of(pinned, holder)?;
    let ask = |question| {
        let Raw { action, resource, context }: &Raw = question;
        let context = context.as_deref();
        Ask { principal: &principal, action, resource, context, entities: None, explain: false, server }
    };
    let asks: Vec<Ask<'_>> = questions.iter().map(ask).collect();
    let answers = app.authorize.check_all(holder.tenant(), pinned, &asks).await?;
    let placed = |(at, answer): (usize, std::result::Result<Answer, _>)| {
        answer.map_err(|error| Problem::from(error).below(&format!("/authorize/{at}")))
    };
    answers.into_iter().enumerate().map(placed).collect()
}

fn read(questions: &[HolderQuestion]) -> Result<Vec<Raw>> {
    if questions.len() > MAX_QUESTIONS {
        let said = format!("must have at most {MAX_QUESTIONS} entries");
        return Err(Problem::new(Code::ValidationFailed).at("/authorize", said));
    }
    let raw = |value: &Value| {
        serde_json::value::to_raw_value(value).map_err(|error| Problem::new(Code::InternalError).cause(error))
    };
    let read = |question: &HolderQuestion| {
        Ok(Raw {
            action: raw(&question.action)?,
            resource: raw(&question.resource)?,
            context: question.context.as_ref().map(raw).transpose()?,
        })
    };
    questions.iter().map(read).collect()
}

impl<'a> ValidateResponse<'a> {
    fn refused(code: &'a str) -> Self {
        Self {
            valid: false,
            code: Some(code),
            principal: None,
            payload: None,
            decisions: None,
            context_token: None,
            context_expires_in: None,
        }
    }

    fn of(holder: &Caller) -> Result<Self> {
        let payload = match holder {
            Caller::User(user) => serde_json::to_value(&user.claims),
            Caller::Service(service) => serde_json::to_value(&service.claims),
            Caller::Anonymous | Caller::Key(_) => Ok(Value::Null), // never the holder of a token
        };
        let payload = payload.map_err(|error| Problem::new(Code::InternalError).cause(error))?;
        let (kind, id) = holder.entity();
        let principal = HolderBody { kind: kind.to_owned(), id: id.to_owned() };
        Ok(Self {
            valid: true,
            code: None,
            principal: Some(principal),
            payload: Some(payload),
            decisions: None,
            context_token: None,
            context_expires_in: None,
        })
    }

    fn tell(&mut self, context: &ContextToken) {
        self.context_token = Some(context.token.expose().to_owned());
        self.context_expires_in = Some(context.expires_in);
    }
}
