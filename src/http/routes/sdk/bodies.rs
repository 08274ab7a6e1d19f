//! Requests and answers of the tag.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    authn::{NewSdkSession, SdkSession, UserData},
    base::Millis,
    http::{
        codes::Code,
        extract::{Client, field},
        problem::{Problem, Result},
    },
    tenants::Tenant,
    users::Email,
};

/// Longest address of a picture, bytes.
const MAX_URL: usize = 2048;
/// Longest language tag, characters (RFC 5646 §4.4.1).
const MAX_LOCALE: usize = 35;
/// Most metadata, bytes of its JSON text.
const MAX_METADATA: usize = 16 * 1024;

/// A session to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SdkSessionRequest {
    /// What your server calls the user: 1 to 255 bytes, compared as they are.
    #[schema(example = "customer-4711", min_length = 1, max_length = 255)]
    pub user_external_id: String,
    /// What is known of the user from now on; left out, what was told before stays.
    pub user_data: Option<UserDataRequest>,
    /// The one web origin whose pages may use the tokens; the request's own unless given, and any of the tenant's
    /// where there is neither.
    #[schema(example = "https://app.acme.example")]
    pub origin: Option<String>,
}

/// What is told of a user. An address is shown and nothing else: nobody signs in with it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserDataRequest {
    /// Name to show.
    #[schema(example = "Alice", min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// E-mail address.
    #[schema(example = "alice@acme.example", max_length = 254)]
    pub email: Option<String>,
    /// Address of a picture, `https`.
    #[schema(example = "https://cdn.acme.example/a/4711.png", max_length = 2048)]
    pub avatar: Option<String>,
    /// Language tag (RFC 5646).
    #[schema(example = "en-GB", max_length = 35)]
    pub locale: Option<String>,
    /// Whatever your server wants to find again: an object of at most 16 KiB.
    #[schema(value_type = Option<Object>, example = json!({"segment": "beta"}))]
    pub metadata: Option<Map<String, Value>>,
}

/// A refresh token to trade in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SdkRefreshRequest {
    /// The newest refresh token of the session.
    #[schema(value_type = String, example = "bwk_rt_…")]
    pub refresh_token: SecretString,
}

/// A session, for your server to hand on to the user's page or app.
#[derive(Serialize, ToSchema)]
pub(super) struct SdkSessionBody {
    /// JWT (RFC 9068) for the `Authorization` header.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Life of the access token, seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Opaque; good for one `POST /v1/sdk/refresh`, which answers its successor.
    #[schema(example = "bwk_rt_…")]
    pub refresh_token: String,
    /// How often this session was refreshed, from 1.
    #[schema(example = 1)]
    pub token_version: i64,
    /// The session that both belong to.
    #[schema(example = "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub session_id: String,
    /// The one web origin whose pages may use the tokens, where there is one.
    #[schema(example = "https://app.acme.example")]
    pub origin: Option<String>,
    /// Where the tenant's applications listen for socket connections.
    #[schema(example = json!(["wss://socket.acme.example/live"]))]
    pub socket_urls: Vec<String>,
    /// The user.
    pub user: SdkUserBody,
    /// Whether the user was made for this session.
    pub user_created: bool,
}

/// A user of a tenant's own application.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SdkUserBody {
    /// Id here; also the Cedar entity `User::"<id>"`.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// What your server calls the user.
    #[schema(example = "customer-4711")]
    pub external_id: String,
    /// Name to show.
    #[schema(example = "Alice")]
    pub name: Option<String>,
    /// E-mail address.
    #[schema(example = "alice@acme.example")]
    pub email: Option<String>,
    /// Address of a picture.
    #[schema(example = "https://cdn.acme.example/a/4711.png")]
    pub avatar: Option<String>,
    /// Language tag.
    #[schema(example = "en-GB")]
    pub locale: Option<String>,
    /// What your server told besides.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}

impl SdkSessionRequest {
    /// The session, asked for by `client`.
    pub(super) fn session(self, client: &Client) -> Result<NewSdkSession> {
        let own = client.origin();
        let origin = match (&self.origin, own) {
            (Some(named), _) => Some(field("/origin", named)?),
            // A page whose origin nobody can name is none that a token could be for.
            (None, Some(own)) => Some(own.parse().map_err(|_| Problem::new(Code::OriginNotAllowed))?),
            (None, None) => None,
        };
        Ok(NewSdkSession {
            external_id: field("/user_external_id", &self.user_external_id)?,
            data: self.user_data.map(UserDataRequest::data).transpose()?,
            origin,
            client: client.info((None, None)),
        })
    }
}

impl UserDataRequest {
    fn data(self) -> Result<UserData> {
        let refused = |name: &str, said: &str| {
            Err(Problem::new(Code::ValidationFailed).at(format!("/user_data/{name}"), said))
        };
        let Self { name, email, avatar, locale, metadata } = self;
        if avatar.as_deref().is_some_and(|url| !is_picture(url)) {
            return refused("avatar", "must be a URL that begins with `https://`, of at most 2048 bytes");
        }
        if locale.as_deref().is_some_and(|tag| !is_language_tag(tag)) {
            return refused("locale", "must be a language tag such as `en-GB`");
        }
        let bytes =
            metadata.as_ref().map_or(0, |map| serde_json::to_vec(map).map_or(usize::MAX, |json| json.len()));
        if bytes > MAX_METADATA {
            return refused("metadata", "must have at most 16384 bytes");
        }
        let email = email.as_deref().map(|text| field::<Email>("/user_data/email", text)).transpose()?;
        Ok(UserData {
            name: name.as_deref().map(|text| field("/user_data/name", text)).transpose()?,
            email: email.map(|email| email.address().to_owned()),
            avatar,
            locale,
            metadata,
        })
    }
}

impl SdkSessionBody {
    pub(super) fn new(opened: SdkSession, tenant: &Tenant, now: Millis) -> Self {
        let SdkSession { signed_in, data, is_new } = opened;
        let (session, user) = (&signed_in.session, signed_in.user);
        Self {
            access_token: signed_in.access.token.expose().to_owned(),
            token_type: "Bearer",
            expires_in: signed_in.access.expires_at.since(now).as_secs(),
            refresh_token: signed_in.refresh.expose().to_owned(),
            token_version: session.version,
            session_id: session.id.to_string(),
            origin: session.by.origin().map(ToOwned::to_owned),
            socket_urls: tenant.settings.socket_urls.clone(),
            user: SdkUserBody {
                id: user.id.to_string(),
                external_id: user.external_id.unwrap_or_default(),
                name: user.name,
                email: data.email,
                avatar: data.avatar,
                locale: data.locale,
                metadata: data.metadata,
            },
            user_created: is_new,
        }
    }
}

fn is_picture(url: &str) -> bool {
    let rest = url.strip_prefix("https://");
    url.len() <= MAX_URL
        && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_language_tag(tag: &str) -> bool {
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let language = tag.split('-').next().unwrap_or_default();
    tag.len() <= MAX_LOCALE
        && tag.split('-').all(is_part)
        && language.len() >= 2
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
}

pub(super) fn session_sample() -> Value {
    json!({
        "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…", "token_type": "Bearer", "expires_in": 900,
        "refresh_token": "bwk_rt_…", "token_version": 1, "session_id": "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        "origin": "https://app.acme.example", "socket_urls": ["wss://socket.acme.example/live"],
        "user": {
            "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "external_id": "customer-4711", "name": "Alice",
            "email": "alice@acme.example", "avatar": null, "locale": "en-GB", "metadata": {"segment": "beta"},
        },
        "user_created": true,
    })
}
