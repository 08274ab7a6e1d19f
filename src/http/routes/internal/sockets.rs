//! Sockets that users open to a service.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    authn::{Handshake, Socket, SocketContext, SocketIdError, Validity},
    http::{
        actions::{Action, ValidateSocket},
        codes::Code,
        extract::{Json, ServicePermit},
        problem::{Problem, Result},
        state::AppState,
    },
};

/// A token that somebody opens a socket with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ValidateSocketRequest {
    /// A user's access token, out of the handshake or the first message. It must not stand in the address of the socket,
    /// which is logged on the way.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    pub token: String,
    /// The origin of the page that opens it, as its browser says.
    #[schema(example = "https://app.example.com")]
    pub origin: Option<String>,
    /// What the service calls the socket: up to 128 letters, digits and characters of `-_.~=+/#`.
    #[schema(example = "Zk3fQ_7-aBcD1eFgAAAB")]
    pub socket_id: String,
    /// A service that the messages of the socket go on to, for a context token.
    #[schema(example = "https://photos.example.com")]
    pub audience: Option<String>,
}

/// Whose a socket is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SocketBody {
    /// The user.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub user_id: String,
    /// Their tenant.
    #[schema(example = "ten_00000000000070008000000000000001")]
    pub tenant_id: String,
    /// Their session.
    #[schema(example = "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub session_id: String,
    /// Its device.
    #[schema(example = "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub device_id: String,
    /// The client that the token was issued to.
    #[schema(example = "bailiwick")]
    pub client_id: String,
    /// Names of roles, as the token says them; absent when there are over 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["user"]))]
    pub roles: Option<Vec<String>>,
    /// Words separated by spaces, or empty.
    #[schema(example = "")]
    pub scope: String,
    /// When the socket must close, whole seconds since the epoch.
    #[schema(example = 1_795_428_900_i64)]
    pub expires_at: i64,
}

/// Whether a socket may stand, and for how long.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValidateSocketResponse<'a> {
    /// Whether it may.
    pub valid: bool,
    /// Why it may not: as `POST /v1/internal/validate` says it. A program's own token is `wrong_token_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "token_revoked")]
    pub code: Option<&'a str>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<SocketBody>,
    /// In how many seconds it must close: when the token ends, or its session if that is sooner. Who shows the next token
    /// before may keep it: validate that with the same `socket_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 900)]
    pub max_age: Option<u64>,
    /// Whether `context` was kept as `socket:{socket_id}` in the shared state until then. False while that is away: the
    /// socket may stand all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = true)]
    pub stored: Option<bool>,
    /// What tells `audience` of the user, for the header `X-Context-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "eyJhbGciOiJFZERTQSIsInR5cCI6ImN0eCtqd3QifQ…")]
    pub context_token: Option<String>,
    /// How many seconds that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 60)]
    pub context_expires_in: Option<u64>,
}

/// Let a socket stand
///
/// 200 whatever there is to say of it. For a service to which users open long connections: it validates the token once,
/// by the rules of `POST /v1/internal/validate`, keeps `context` with the socket, and closes it after `max_age` seconds at
/// the latest. What it keeps is kept in the shared state too, under `socket:{socket_id}` (of a tenant's own service under
/// `socket:{tenant_id}:{socket_id}`), without the token, until the socket must close.
#[utoipa::path(
    post, path = "/v1/internal/socket/validate", tag = "internal",
    request_body(content = ValidateSocketRequest, example = json!({
        "token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…", "origin": "https://app.example.com",
        "socket_id": "Zk3fQ_7-aBcD1eFgAAAB",
    })),
    responses((status = OK, body = ValidateSocketResponse, example = json!(sample()))),
    security(("bearer" = [])),
    extensions(("x-bailiwick-action" = json!(ValidateSocket::NAME))),
)]
pub(super) async fn validate_socket(
    app: AppState,
    by: ServicePermit<ValidateSocket>,
    Json(body): Json<ValidateSocketRequest>,
) -> Result<Json<ValidateSocketResponse<'static>>> {
    let wrong =
        |error: SocketIdError| Problem::new(Code::ValidationFailed).at("/socket_id", error.to_string());
    let handshake = Handshake {
        token: &body.token,
        origin: body.origin.as_deref(),
        socket: body.socket_id.parse().map_err(wrong)?,
        within: by.within(),
        onward: by.onward(body.audience.as_deref())?,
    };
    Ok(Json(match app.authn.open_socket(handshake).await? {
        Validity::Valid(socket) => ValidateSocketResponse::of(socket),
        Validity::Fault(fault) => ValidateSocketResponse::refused(fault.as_str()),
    }))
}

impl<'a> ValidateSocketResponse<'a> {
    fn refused(code: &'a str) -> Self {
        Self {
            valid: false,
            code: Some(code),
            context: None,
            max_age: None,
            stored: None,
            context_token: None,
            context_expires_in: None,
        }
    }

    fn of(socket: Socket) -> Self {
        Self {
            valid: true,
            code: None,
            context: Some(socket.context.into()),
            max_age: Some(socket.max_age),
            stored: Some(socket.is_stored),
            context_expires_in: socket.token.as_ref().map(|context| context.expires_in),
            context_token: socket.token.map(|context| context.token.expose().to_owned()),
        }
    }
}

impl From<SocketContext> for SocketBody {
    fn from(context: SocketContext) -> Self {
        Self {
            user_id: context.user_id.to_string(),
            tenant_id: context.tenant_id.to_string(),
            session_id: context.session_id.to_string(),
            device_id: context.device_id.to_string(),
            client_id: context.client_id,
            roles: context.roles,
            scope: context.scope,
            expires_at: context.expires_at,
        }
    }
}

fn sample() -> Value {
    json!({
        "valid": true,
        "context": {
            "user_id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "tenant_id": "ten_00000000000070008000000000000001",
            "session_id": "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "device_id": "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
            "client_id": "bailiwick", "roles": ["user"], "scope": "", "expires_at": 1_795_428_900,
        },
        "max_age": 900, "stored": true,
    })
}
