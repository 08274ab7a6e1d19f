//! Requests and answers of the tag.

use axum::{
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    authn::SignedIn,
    http::{
        cookies::{self, Kept},
        extract::{Client, Json, Mode, field},
        problem::Result,
        routes::users::UserBody,
        state::AppState,
    },
    sessions::ClientInfo,
};

/// Who signs up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterRequest {
    /// E-mail address.
    #[schema(example = "alice@example.com", max_length = 254)]
    pub email: String,
    /// At least 15 characters, any characters.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub password: SecretString,
    /// Name to sign in with beside the address.
    #[schema(example = "alice")]
    pub username: Option<String>,
    /// Name to show.
    #[schema(example = "Alice")]
    pub name: Option<String>,
    /// The device, as the list of sessions shows it, where the configuration signs in at once.
    pub device: Option<DeviceRequest>,
    /// The tenant, by its id or its `client_id`; the installation's own unless given.
    #[schema(example = "ten_00000000000070008000000000000001")]
    pub tenant: Option<String>,
}

/// What a sign-up made, where the configuration lets that be said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the two forms of an answer, for its description")]
pub(super) enum SignedUp {
    /// The new user.
    User(UserBody),
    /// Their first session.
    Session(TokenResponse),
}

/// That the sign-up was taken, without saying whether the address was new (R12).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::routes) struct Accepted {
    /// Always `accepted`.
    #[schema(example = "accepted")]
    pub status: &'static str,
}

/// What to sign in with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    /// E-mail address or user name.
    #[schema(example = "alice@example.com")]
    pub identifier: String,
    /// The password.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub password: SecretString,
    /// The device, as the list of sessions shows it.
    pub device: Option<DeviceRequest>,
    /// The tenant, by its id or its `client_id`; the installation's own unless given.
    #[schema(example = "ten_00000000000070008000000000000001")]
    pub tenant: Option<String>,
}

/// A device as it describes itself.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceRequest {
    /// Name to show in the list of sessions.
    #[schema(example = "Alice's phone", max_length = 100)]
    pub name: Option<String>,
    /// Platform.
    #[schema(example = "ios", max_length = 32)]
    pub platform: Option<String>,
    /// The `device_token` of an earlier sign-in on it.
    #[schema(value_type = Option<String>, example = "bwk_dt_…")]
    pub token: Option<SecretString>,
    /// The public half of a key that it keeps: an Ed25519 or P-256 JWK.
    #[schema(value_type = Option<Object>, example = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}))]
    pub public_key: Option<Map<String, Value>>,
}

impl DeviceRequest {
    /// The client, on the device that it says it is.
    pub(super) fn client(self, client: &Client) -> Result<ClientInfo> {
        let mut info = client.info((self.name, self.platform));
        if let Some(jwk) = self.public_key {
            info.device_key = Some(field("/device/public_key", &Value::Object(jwk).to_string())?);
        }
        Ok(info)
    }
}

/// A pair of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::routes) struct TokenResponse {
    /// JWT (RFC 9068) for the `Authorization` header; none in cookie mode, which sets a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    pub access_token: Option<String>,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Life of the access token, seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Opaque; good for one refresh, which answers its successor. None in cookie mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "bwk_rt_…")]
    pub refresh_token: Option<String>,
    /// How often this session was refreshed, from 1.
    #[schema(example = 1)]
    pub token_version: i64,
    /// The session that both belong to.
    #[schema(example = "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub session_id: String,
    /// The device that the session is bound to.
    #[schema(example = "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub device_id: String,
    /// Keep it, and send it as `device.token` at the next sign-in: strangers who guess passwords cannot lock
    /// a known device out. It opens nothing by itself, and ends with the next password change. None in cookie mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "bwk_dt_…")]
    pub device_token: Option<String>,
    /// The claims of the access token, for clients that do not read JWTs.
    pub claims: Value,
}

/// An answer that hands out tokens, in the way that the caller takes them.
#[derive(Debug)]
pub(in crate::http::routes) struct Tokens {
    headers: HeaderMap,
    body: TokenResponse,
}

impl Tokens {
    pub(in crate::http::routes) fn new(app: &AppState, signed_in: &SignedIn, mode: Mode) -> Self {
        let (session, now) = (&signed_in.session, app.clock.now());
        let (access, refresh, device) =
            (signed_in.access.token.expose(), signed_in.refresh.expose(), signed_in.device.expose());
        let expires_in = signed_in.access.expires_at.since(now).as_secs();
        let mut headers = HeaderMap::new();
        if mode == Mode::Cookie {
            let refresh = (refresh, session.idle_expires_at.since(now).as_secs());
            cookies::keep(&mut headers, Kept { access: (access, expires_in), refresh, device });
        } else if app.config.tokens.expose_header
            && let Ok(mut value) = HeaderValue::from_str(access)
        {
            value.set_sensitive(true);
            headers.insert("x-access-token", value);
        }
        let shown = |token: &str| (mode == Mode::Body).then(|| token.to_owned());
        let body = TokenResponse {
            access_token: shown(access),
            token_type: "Bearer",
            expires_in,
            refresh_token: shown(refresh),
            token_version: session.version,
            session_id: session.id.to_string(),
            device_id: session.device_id.to_string(),
            device_token: shown(device),
            claims: serde_json::to_value(&signed_in.access.claims).unwrap_or_default(),
        };
        Self { headers, body }
    }
}

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        (self.headers, Json(self.body)).into_response()
    }
}

/// A refresh token to trade in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshRequest {
    /// The newest refresh token of the session; in cookie mode, that of the cookie when absent.
    #[schema(value_type = Option<String>, example = "bwk_rt_…")]
    pub refresh_token: Option<SecretString>,
}

/// What to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogoutRequest {
    /// Needed when the access token has expired.
    #[schema(value_type = Option<String>, example = "bwk_rt_…")]
    pub refresh_token: Option<SecretString>,
    /// End every session of the user.
    #[serde(default)]
    pub all: bool,
}

/// Which sessions a password change ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RevokeScope {
    /// Every one; the answer holds a fresh one when `keep_current` is set.
    #[default]
    All,
    /// Every other one: the caller goes on with the fresh session in the answer.
    Others,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRequest {
    /// The password until now.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub current_password: SecretString,
    /// The password from now on.
    #[schema(value_type = String, format = Password, example = "another long pass phrase")]
    pub new_password: SecretString,
    /// Which sessions end.
    #[serde(default)]
    pub revoke: RevokeScope,
    /// Whether the answer holds a fresh session for the caller.
    #[serde(default)]
    pub keep_current: bool,
}

pub(in crate::http::routes) fn tokens_sample() -> Value {
    json!({
        "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…", "token_type": "Bearer", "expires_in": 900,
        "refresh_token": "bwk_rt_…", "token_version": 1,
        "session_id": "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "device_id": "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        "device_token": "bwk_dt_…",
        "claims": { "sub": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "amr": ["pwd"], "roles": ["user"] },
    })
}
