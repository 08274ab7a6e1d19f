//! Requests and answers of the tag.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    base::parse_network,
    http::{
        codes::Code,
        extract::field,
        problem::{Problem, Result},
    },
    tenants::{Tenant, TenantSettings},
};

/// Most entries of a list.
const MAX_LISTED: usize = 64;
/// Longest URL, bytes.
const MAX_URL: usize = 500;

/// A company that registers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientRequest {
    /// Its name.
    #[schema(example = "Acme Ltd", min_length = 1, max_length = 200)]
    pub company_name: String,
    /// E-mail address of its first user, who manages it.
    #[schema(example = "owner@acme.example", max_length = 254)]
    pub email: String,
    /// At least 15 characters.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub password: SecretString,
    /// One of the plans of the configuration.
    #[schema(example = "free")]
    pub plan: String,
}

/// A company that has registered.
#[derive(Serialize, ToSchema)]
pub(super) struct RegisteredBody {
    /// Its id as a client.
    #[schema(example = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub client_id: String,
    /// Its tenant; sign in with it as `tenant`.
    #[schema(example = "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub tenant_id: String,
    /// Its first user.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub user_id: String,
    /// Its primary API key. Keep it: it cannot be shown again.
    #[schema(example = "bwk_prod_…")]
    pub api_key: String,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::routes) struct TenantBody {
    /// Its id; also the Cedar entity `Tenant::"<id>"`.
    #[schema(example = "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub tenant_id: String,
    /// The same as applications name it.
    #[schema(example = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub client_id: String,
    /// What people call it.
    #[schema(example = "Acme Ltd")]
    pub company_name: String,
    /// What it has booked.
    #[schema(example = "free")]
    pub plan: String,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    pub status: String,
    /// When it was made, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
}

impl From<&Tenant> for TenantBody {
    fn from(tenant: &Tenant) -> Self {
        Self {
            tenant_id: tenant.id.to_string(),
            client_id: tenant.client_id(),
            company_name: tenant.name.clone(),
            plan: tenant.plan.clone(),
            status: tenant.status.as_str().to_owned(),
            created_at: tenant.created_at.to_string(),
        }
    }
}

/// From where a tenant may be reached, and who may join it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingsBody {
    /// Whether strangers may sign up into it.
    pub open_registration: bool,
    /// Web origins whose pages may use it; empty for any.
    #[schema(example = json!(["https://app.acme.example"]))]
    pub allowed_origins: Vec<String>,
    /// Networks that it may be used from; empty for any.
    #[schema(example = json!(["203.0.113.0/24"]))]
    pub ip_allowlist: Vec<String>,
    /// Where its applications listen for socket connections.
    #[schema(example = json!(["wss://socket.acme.example/live"]))]
    pub socket_urls: Vec<String>,
}

/// The settings that a tenant is to have; a list that is left out is empty.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsRequest {
    /// Whether strangers may sign up into it.
    pub open_registration: Option<bool>,
    /// Web origins whose pages may use it, as browsers write them.
    #[schema(example = json!(["https://app.acme.example"]))]
    pub allowed_origins: Option<Vec<String>>,
    /// Networks or addresses that it may be used from.
    #[schema(example = json!(["203.0.113.0/24"]))]
    pub ip_allowlist: Option<Vec<String>>,
    /// Where its applications listen for socket connections.
    #[schema(example = json!(["wss://socket.acme.example/live"]))]
    pub socket_urls: Option<Vec<String>>,
}

impl From<&TenantSettings> for SettingsBody {
    fn from(settings: &TenantSettings) -> Self {
        Self {
            open_registration: settings.open_registration,
            allowed_origins: settings.allowed_origins.iter().map(ToString::to_string).collect(),
            ip_allowlist: settings.ip_allowlist.iter().map(ToString::to_string).collect(),
            socket_urls: settings.socket_urls.clone(),
        }
    }
}

impl SettingsRequest {
    pub(super) fn settings(self) -> Result<TenantSettings> {
        let origins = listed("allowed_origins", self.allowed_origins)?;
        let networks = listed("ip_allowlist", self.ip_allowlist)?;
        let socket_urls = listed("socket_urls", self.socket_urls)?;
        let wrong = |name: &str, at: usize, said: String| {
            Problem::new(Code::ValidationFailed).at(format!("/{name}/{at}"), said)
        };
        let origin = |(at, text): (usize, &String)| field(&format!("/allowed_origins/{at}"), text);
        let network = |(at, text): (usize, &String)| {
            parse_network(text).map_err(|said| wrong("ip_allowlist", at, said))
        };
        if let Some(at) = socket_urls.iter().position(|url| !is_socket_url(url)) {
            return Err(wrong(
                "socket_urls",
                at,
                "must be a URL that begins with `wss://` or `ws://`".to_owned(),
            ));
        }
        Ok(TenantSettings {
            open_registration: self.open_registration.unwrap_or_default(),
            allowed_origins: origins.iter().enumerate().map(origin).collect::<Result<_>>()?,
            ip_allowlist: networks.iter().enumerate().map(network).collect::<Result<_>>()?,
            socket_urls,
        })
    }
}

fn listed(name: &str, given: Option<Vec<String>>) -> Result<Vec<String>> {
    let given = given.unwrap_or_default();
    if given.len() > MAX_LISTED {
        let said = format!("must have at most {MAX_LISTED} entries");
        return Err(Problem::new(Code::ValidationFailed).at(format!("/{name}"), said));
    }
    Ok(given)
}

fn is_socket_url(url: &str) -> bool {
    let rest = url.strip_prefix("wss://").or_else(|| url.strip_prefix("ws://"));
    url.len() <= MAX_URL
        && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A new secondary key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateRequest {
    /// Whether a secondary key that is there is revoked.
    #[schema(example = false)]
    pub replace: Option<bool>,
}

/// The new secondary key.
#[derive(Serialize, ToSchema)]
pub(super) struct RotatedBody {
    /// The key. Keep it: it cannot be shown again.
    #[schema(example = "bwk_prod_…")]
    pub secondary_key: String,
    /// Its id.
    #[schema(example = "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub key_id: String,
}

/// What becomes of the old primary key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PromoteRequest {
    /// For how long it still works, seconds; revoked at once unless given.
    #[schema(example = 3600, maximum = 604_800)]
    pub grace_seconds: Option<u64>,
}

/// That the secondary key is the primary one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PromotedBody {
    /// Always `Key promoted`.
    #[schema(example = "Key promoted")]
    pub message: &'static str,
    /// The key that is the primary one now.
    #[schema(example = "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub key_id: String,
}

pub(in crate::http::routes) fn tenant_sample() -> Value {
    json!({
        "tenant_id": "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "client_id": "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        "company_name": "Acme Ltd", "plan": "free", "status": "active", "created_at": "2026-11-21T09:00:00.000Z",
    })
}
