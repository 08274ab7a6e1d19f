//! Requests and answers of the tag.

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    api_keys::{ApiKey, Change, CreatedKey, KeyChange, KeyLimits, NewApiKey, Rate, Scopes},
    base::parse_network,
    http::{
        codes::Code,
        extract::field,
        problem::{Problem, Result},
    },
};

/// Most entries of a list.
const MAX_LISTED: usize = 64;
/// Longest life, seconds: ten years.
const LONGEST_SECS: u64 = 315_360_000;
/// Fastest use.
const FASTEST: u32 = 1_000_000;

/// How fast a key may be used. Each node counts by itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::routes) struct RateBody {
    /// Requests a second.
    #[schema(example = 50, minimum = 1, maximum = 1_000_000)]
    pub rps: u32,
    /// Requests at once.
    #[schema(example = 100, minimum = 1, maximum = 1_000_000)]
    pub burst: u32,
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::routes) struct ApiKeyBody {
    /// Id; also the Cedar entity `ApiKey::"<id>"`.
    #[schema(example = "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// What people call it.
    #[schema(example = "nightly import")]
    pub name: String,
    /// The word in its text.
    #[schema(example = "prod")]
    pub env: String,
    /// Whose it is; null when it is the tenant's own.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub owner: Option<String>,
    /// `primary`, `secondary` or `none`.
    #[schema(example = "none")]
    pub slot: String,
    /// The roles that it has, while its owner has them.
    #[schema(example = json!(["manager"]))]
    pub roles: Vec<String>,
    /// What it may be used for at most.
    #[schema(example = json!(["decisions"]))]
    pub scopes: Vec<String>,
    /// Networks that it may be used from; empty for anywhere.
    #[schema(example = json!(["203.0.113.0/24"]))]
    pub ip_allowlist: Vec<String>,
    /// How fast it may be used; null for no limit.
    pub rate: Option<RateBody>,
    /// Who made it.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub created_by: String,
    /// When it was made, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
    /// When it ends, RFC 3339; null for never.
    #[schema(example = "2027-11-21T09:00:00.000Z")]
    pub expires_at: Option<String>,
    /// When it was last used, RFC 3339, to the minute.
    #[schema(example = "2026-11-21T09:30:00.000Z")]
    pub last_used_at: Option<String>,
    /// From which address.
    #[schema(example = "203.0.113.9")]
    pub last_used_ip: Option<String>,
}

impl From<ApiKey> for ApiKeyBody {
    fn from(key: ApiKey) -> Self {
        let KeyLimits { scopes, ip_allowlist, rate, expires_at } = key.limits;
        Self {
            id: key.id.to_string(),
            name: key.name,
            env: key.env,
            owner: key.owner.map(|owner| owner.to_string()),
            slot: key.slot.to_string(),
            roles: key.roles,
            scopes: scopes.names().map(str::to_owned).collect(),
            ip_allowlist: ip_allowlist.iter().map(ToString::to_string).collect(),
            rate: rate.map(|rate| RateBody { rps: rate.per_second, burst: rate.burst }),
            created_by: key.created_by,
            created_at: key.created_at.to_string(),
            expires_at: expires_at.map(|at| at.to_string()),
            last_used_at: key.last_used_at.map(|at| at.to_string()),
            last_used_ip: key.last_used_ip,
        }
    }
}

/// A key with its text, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedKeyBody {
    /// The key itself, for `X-API-Key`. Keep it: it cannot be shown again.
    #[schema(example = "bwk_prod_…")]
    pub api_key: String,
    #[serde(flatten)]
    pub about: ApiKeyBody,
}

impl From<CreatedKey> for CreatedKeyBody {
    fn from(created: CreatedKey) -> Self {
        Self { api_key: created.text.expose().to_owned(), about: created.key.into() }
    }
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiKeyPage {
    /// In the order in which they were made.
    pub data: Vec<ApiKeyBody>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeyRequest {
    /// What people call it.
    #[schema(example = "nightly import", min_length = 1, max_length = 100)]
    pub name: String,
    /// Roles, among those that the caller has; all that the caller was granted unless given.
    #[schema(example = json!(["manager"]))]
    pub roles: Option<Vec<String>>,
    /// What it may be used for at most: actions (`x-bailiwick-action`), groups of them, or `*`; `decisions`
    /// unless given.
    #[schema(example = json!(["decisions"]))]
    pub scopes: Option<Vec<String>>,
    /// Networks or addresses that it may be used from; anywhere unless given.
    #[schema(example = json!(["203.0.113.0/24"]))]
    pub ip_allowlist: Option<Vec<String>>,
    /// How fast it may be used; no limit unless given.
    pub rate: Option<RateBody>,
    /// After how long it ends, seconds; never unless given.
    #[schema(example = 31_536_000, minimum = 1, maximum = 315_360_000)]
    pub expires_in_secs: Option<u64>,
}

/// What of a key is to change; what is left out stays, and `null` lifts a limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeyPatch {
    /// What people call it.
    #[schema(example = "weekly import", min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What it may be used for at most.
    #[schema(example = json!(["decisions"]))]
    pub scopes: Option<Vec<String>>,
    /// Networks or addresses that it may be used from; none means anywhere.
    #[schema(example = json!(["203.0.113.0/24"]))]
    pub ip_allowlist: Option<Vec<String>>,
    /// How fast it may be used.
    #[serde(default)]
    #[schema(value_type = Option<RateBody>)]
    pub rate: Change<RateBody>,
    /// After how long from now it ends, seconds.
    #[serde(default)]
    #[schema(value_type = Option<u64>, example = 31_536_000, minimum = 1, maximum = 315_360_000)]
    pub expires_in_secs: Change<u64>,
}

impl ApiKeyRequest {
    pub(super) fn new_key(&self) -> Result<NewApiKey> {
        let roles = self.roles.as_deref().map(|roles| {
            short("/roles", roles)?;
            roles.iter().enumerate().map(|(at, role)| field(&format!("/roles/{at}"), role)).collect()
        });
        let limits = KeyLimits {
            scopes: self.scopes.as_deref().map(scopes).transpose()?.unwrap_or_default(),
            ip_allowlist: self.ip_allowlist.as_deref().map(networks).transpose()?.unwrap_or_default(),
            rate: self.rate.map(rate).transpose()?,
            expires_at: None,
        };
        let ttl = self.expires_in_secs.map(ttl).transpose()?;
        Ok(NewApiKey { name: field("/name", &self.name)?, roles: roles.transpose()?, limits, ttl })
    }
}

impl ApiKeyPatch {
    pub(super) fn change(&self) -> Result<KeyChange> {
        Ok(KeyChange {
            name: self.name.as_deref().map(|name| field("/name", name)).transpose()?,
            scopes: self.scopes.as_deref().map(scopes).transpose()?,
            ip_allowlist: self.ip_allowlist.as_deref().map(networks).transpose()?,
            rate: self.rate.try_map(rate)?,
            ttl: self.expires_in_secs.try_map(ttl)?,
        })
    }
}

fn short<T>(pointer: &str, listed: &[T]) -> Result<()> {
    if listed.len() <= MAX_LISTED {
        return Ok(());
    }
    Err(Problem::new(Code::ValidationFailed).at(pointer, format!("must have at most {MAX_LISTED} entries")))
}

fn scopes(names: &[String]) -> Result<Scopes> {
    short("/scopes", names)?;
    Scopes::new(names).map_err(|error| {
        Problem::new(Code::ValidationFailed).at(format!("/scopes/{}", error.place), error.to_string())
    })
}

fn networks(texts: &[String]) -> Result<Vec<IpNet>> {
    short("/ip_allowlist", texts)?;
    let network = |(at, text): (usize, &String)| {
        let wrong = |error| Problem::new(Code::ValidationFailed).at(format!("/ip_allowlist/{at}"), error);
        parse_network(text).map_err(wrong)
    };
    texts.iter().enumerate().map(network).collect()
}

fn rate(given: RateBody) -> Result<Rate> {
    for (pointer, number) in [("/rate/rps", given.rps), ("/rate/burst", given.burst)] {
        if !(1..=FASTEST).contains(&number) {
            let said = format!("must be 1 to {FASTEST}");
            return Err(Problem::new(Code::ValidationFailed).at(pointer, said));
        }
    }
    Ok(Rate { per_second: given.rps, burst: given.burst })
}

fn ttl(secs: u64) -> Result<Duration> {
    if (1..=LONGEST_SECS).contains(&secs) {
        return Ok(Duration::from_secs(secs));
    }
    let said = format!("must be 1 to {LONGEST_SECS}");
    Err(Problem::new(Code::ValidationFailed).at("/expires_in_secs", said))
}

pub(super) fn key_sample() -> Value {
    json!({
        "id": "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "name": "nightly import", "env": "prod",
        "owner": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "slot": "none", "roles": ["manager"],
        "scopes": ["decisions"], "ip_allowlist": ["203.0.113.0/24"], "rate": {"rps": 50, "burst": 100},
        "created_by": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "created_at": "2026-11-21T09:00:00.000Z",
        "expires_at": null, "last_used_at": null, "last_used_ip": null,
    })
}

pub(super) fn created_sample() -> Value {
    let mut sample = key_sample();
    if let Some(fields) = sample.as_object_mut() {
        fields.insert("api_key".to_owned(), json!("bwk_prod_…"));
    }
    sample
}
