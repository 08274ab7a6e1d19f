//! API keys that a service was given.

use std::time::Duration;

use super::bodies::{KeyHolder, ValidateApiKeyRequest, ValidateApiKeyResponse, api_key_sample};
use crate::{
    api_keys::{ApiKeyError, KeyUse},
    http::{
        actions::{Action, ValidateApiKey},
        extract::{Json, ServicePermit, address, refused_use},
        problem::Result,
        state::AppState,
    },
    tokens::Onward,
};

/// Look at an API key, and count its use
///
/// 200 whatever there is to say of it. In this order: its form; how many wrong keys came from `ip_address`, before
/// anything is looked up; its secret; whether it was revoked, has run out, or its owner or tenant is kept out; its list
/// of addresses; its rate, of which one is taken, so do not count the same use again; and the policies on its use, which
/// know the lists of the tenant. A key of another tenant than the service's is not found, unless the service is of
/// the installation's own. With `audience`, the answer for a key that may be used has a context token, so that the service
/// that the request goes on to neither looks at the key nor counts the use again.
#[utoipa::path(
    post, path = "/v1/internal/validate-api-key", tag = "internal",
    request_body(content = ValidateApiKeyRequest, example = json!({
        "api_key": "bwk_prod_…", "ip_address": "203.0.113.9", "origin": "https://app.example.com",
        "audience": "https://photos.example.com",
    })),
    responses((status = OK, body = ValidateApiKeyResponse, example = json!(api_key_sample()))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ValidateApiKey::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
pub(super) async fn validate_api_key(
    app: AppState,
    by: ServicePermit<ValidateApiKey>,
    Json(body): Json<ValidateApiKeyRequest>,
) -> Result<Json<ValidateApiKeyResponse>> {
    let ip = body.ip_address.as_deref().map(|text| address("/ip_address", text)).transpose()?;
    let onward = by.onward(body.audience.as_deref())?;
    let used = match app.api_keys.verify_within(by.within(), &body.api_key, ip).await {
        Ok(used) => used,
        Err(error) => return fault_of(error).map(Json),
    };
    let client = by.permit.client.of_service(ip, body.origin.as_deref());
    let Some(refused) = refused_use(&app, &client, &used).await? else {
        return Ok(Json(valid(&app, &used, onward).await?));
    };
    let code = match (refused.ip_allowed, refused.origin_allowed) {
        (Some(false), _) => "IP_DENIED",
        (_, Some(false)) => "ORIGIN_DENIED",
        _ => "DISABLED",
    };
    Ok(Json(ValidateApiKeyResponse::refused(code, None)))
}

async fn valid(app: &AppState, used: &KeyUse, onward: Option<Onward<'_>>) -> Result<ValidateApiKeyResponse> {
    let key = &used.caller;
    let Some(tenant) = app.tenants.get(key.tenant_id).await? else {
        return Ok(ValidateApiKeyResponse::refused("NOT_FOUND", None));
    };
    let roles = app.authorize.identity.roles_of_key(key.tenant_id, key.id).await?;
    let tell = |onward| app.authn.context_token_of_key(used, roles.clone(), onward);
    let context = onward.map(tell).transpose()?;
    let client = KeyHolder {
        client_id: tenant.client_id(),
        tenant_id: tenant.id.to_string(),
        plan: tenant.plan.clone(),
        scopes: key.scopes.names().map(str::to_owned).collect(),
        roles,
        key_id: key.name.clone(),
        slot: key.slot.to_string(),
    };
    Ok(ValidateApiKeyResponse {
        valid: true,
        code: "VALID",
        client: Some(client),
        retry_after_secs: None,
        context_expires_in: context.as_ref().map(|context| context.expires_in),
        context_token: context.map(|context| context.token.expose().to_owned()),
    })
}

/// What an error says of a key; an outage says nothing of it.
fn fault_of(error: ApiKeyError) -> Result<ValidateApiKeyResponse> {
    let (code, wait) = match error {
        ApiKeyError::Invalid => ("NOT_FOUND", None),
        ApiKeyError::Revoked => ("REVOKED", None),
        ApiKeyError::Disabled => ("DISABLED", None),
        ApiKeyError::Expired => ("EXPIRED", None),
        ApiKeyError::IpNotAllowed => ("IP_DENIED", None),
        ApiKeyError::TooFast(limit) | ApiKeyError::TooManyFailures(limit) => {
            ("RATE_LIMITED", Some(limit.reset))
        }
        other => return Err(other.into()),
    };
    Ok(ValidateApiKeyResponse::refused(code, wait))
}

impl ValidateApiKeyResponse {
    fn refused(code: &'static str, wait: Option<Duration>) -> Self {
        let retry_after_secs = wait.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        Self {
            valid: false,
            code,
            client: None,
            retry_after_secs,
            context_token: None,
            context_expires_in: None,
        }
    }
}
