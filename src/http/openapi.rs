//! The OpenAPI document: what the routes declare, completed from the tables of this crate.
//!
//! An operation declares its action and its problem codes as extensions; here each code becomes a
//! response with an example, so that the document cannot say another status than the code table.

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{
    codes::Code,
    cookies,
    oauth_error::{self, OAuthErrorBody},
    problem::{FieldError, ProblemBody},
    routes,
};

/// Extension that lists an operation's problem codes in its declaration; not in the finished document.
pub const CODES: &str = "x-problem-codes";
/// Extension that names the action of the system store which guards an operation.
pub const ACTION: &str = "x-bailiwick-action";

/// Codes that any operation may answer.
const EVERYWHERE: [Code; 3] = [Code::InternalError, Code::StoreUnavailable, Code::RequestDeadline];
/// Codes of every operation that needs a token.
const AUTHENTICATED: [Code; 15] = [
    Code::TokenMissing,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::TokenRevoked,
    Code::WrongTokenType,
    Code::SessionExpired,
    Code::ApiKeyInvalid,
    Code::ApiKeyRevoked,
    Code::ApiKeyExpired,
    Code::IpNotAllowed,
    Code::OriginNotAllowed,
    Code::InsufficientPermissions,
    Code::PolicyViolation,
    Code::TooManyAttempts,
    Code::RateLimitExceeded,
];
/// Codes of every operation with a body.
const WITH_BODY: [Code; 5] = [
    Code::MalformedJson,
    Code::RequestTimeout,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
    Code::ValidationFailed,
];

/// Codes of every operation with a form.
const WITH_FORM: [Code; 4] =
    [Code::InvalidRequest, Code::RequestTimeout, Code::PayloadTooLarge, Code::UnsupportedMediaType];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bailiwick",
        description = "Identity and policy decisions from one server. Every error is an RFC 9457 problem \
                       document with a stable `code`; every decision names its policy version.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemBody, FieldError, OAuthErrorBody)),
    tags(
        (name = "auth", description = "Sign-up, sign-in, refresh, sign-out, password"),
        (name = "authorize", description = "Decisions of the policy engine"),
        (name = "policy-stores", description = "Versions of policies: publish, activate, roll back"),
        (name = "entities", description = "What applications push for decisions: documents, folders, teams"),
        (name = "users", description = "The caller's own account"),
        (name = "profiles", description = "What people say of themselves, and what applications keep about them"),
        (name = "devices", description = "What the caller signs in from"),
        (name = "sessions", description = "The caller's own sessions"),
        (name = "sdk", description = "Sessions that a tenant's own server opens for its users"),
        (name = "client", description = "The caller's own tenant: registration, settings, its primary and secondary key"),
        (name = "tenants", description = "All tenants of the installation"),
        (name = "api-keys", description = "Keys by which programs call this API"),
        (name = "roles", description = "Roles and who has them"),
        (name = "setup", description = "The first administrator"),
        (name = "keys", description = "Keys that sign and verify our tokens"),
        (name = "oauth", description = "The endpoints of OAuth 2.0"),
        (name = "oauth-clients", description = "Programs that get tokens of their own"),
        (name = "health", description = "Whether the server is well (admin listener)"),
        (name = "metrics", description = "What the server counts (admin listener)"),
    ),
)]
struct Description;

/// The finished document. Needs no database; the same bytes on every machine.
pub fn document() -> Value {
    let mut document = Description::openapi();
    document.merge(routes::described().into_openapi());
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(components) = document.pointer_mut("/components").and_then(Value::as_object_mut) {
        let bearer = json!({
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "`access_token` of a sign-in or refresh",
        });
        let api_key = json!({
            "type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "`api_key` of `POST /v1/api-keys`; also as `Authorization: ApiKey …` or `Bearer …`",
        });
        let cookie = json!({
            "type": "apiKey", "in": "cookie", "name": cookies::ACCESS,
            "description": "The same in a cookie, after a sign-in with `?mode=cookie`. What changes something must \
                            come from a page of this host, or of an origin that the configuration names.",
        });
        let client_basic = json!({
            "type": "http", "scheme": "basic",
            "description": "`id` and `client_secret` of a client; or a `client_assertion` in the form (RFC 7523)",
        });
        let schemes = json!({
            "bearer": bearer, "cookie": cookie, "api_key": api_key, "client_basic": client_basic,
        });
        components.insert("securitySchemes".to_owned(), schemes);
        components.insert("examples".to_owned(), Value::Object(problem_examples()));
    }
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                complete(operation, method == "get", path.starts_with(oauth_error::PLACE));
            }
        }
    }
    sorted(document)
}

/// The document as it is committed: sorted keys, two spaces, a final newline.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

fn complete(operation: &mut Map<String, Value>, is_read: bool, is_oauth: bool) {
    let declared = operation.remove(CODES).unwrap_or_default();
    let declared = declared.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut codes: Vec<Code> = declared
        .filter_map(|name| Code::ALL.iter().copied().find(|code| code.as_str() == name))
        .chain(EVERYWHERE)
        .collect();
    if let Some(security) = operation.get_mut("security").filter(|_| !is_oauth) {
        codes.extend(AUTHENTICATED);
        if !is_read {
            codes.push(Code::CrossSite);
        }
        if let Some(ways) = security.as_array_mut() {
            ways.push(json!({ "cookie": [] }));
        }
    }
    let parameters = operation.get("parameters").and_then(Value::as_array);
    if parameters.is_some_and(|listed| listed.iter().any(|parameter| parameter["in"] == "path")) {
        codes.push(Code::NotFound); // what cannot be an id
    }
    if operation.contains_key("requestBody") {
        codes.extend(if is_oauth { &WITH_FORM[..] } else { &WITH_BODY[..] });
    }
    codes.sort();
    codes.dedup();
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for code in codes {
        let status = code.status_number().to_string();
        if is_oauth {
            let response = responses.entry(status).or_insert_with(|| {
                json!({
                    "description": "",
                    "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/OAuthError" },
                        "example": { "error": oauth_error::name(code), "error_description": code.title() },
                    }},
                })
            });
            describe(response, oauth_error::name(code), code);
            continue;
        }
        let response = responses.entry(status).or_insert_with(|| {
            json!({
                "description": "",
                "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" },
                    "examples": {},
                }},
            })
        });
        describe(response, code.as_str(), code);
    }
}

/// Adds one code to the response of its status: to its description, and as an example.
fn describe(response: &mut Value, name: &str, code: Code) {
    if let Some(Value::String(text)) = response.get_mut("description") {
        if !text.is_empty() {
            text.push_str(" · ");
        }
        text.extend(["`", name, "`: ", code.title()]);
    }
    let examples =
        response.pointer_mut("/content/application~1problem+json/examples").and_then(Value::as_object_mut);
    if let Some(examples) = examples {
        let reference = format!("#/components/examples/{}", code.as_str());
        examples.insert(code.as_str().to_owned(), json!({ "$ref": reference }));
    }
}

/// One example of each problem, which the operations refer to.
fn problem_examples() -> Map<String, Value> {
    let example = |code: &Code| {
        let value = json!({
            "type": format!("urn:bailiwick:problem:{}", code.as_str()),
            "title": code.title(),
            "status": code.status_number(),
            "code": code.as_str(),
            "instance": "/v1/…",
            "request_id": "req_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        });
        (code.as_str().to_owned(), json!({ "summary": code.title(), "value": value }))
    };
    Code::ALL.iter().map(example).collect()
}

/// The same value with the names of every object in order, whatever order the maps of this build keep.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
