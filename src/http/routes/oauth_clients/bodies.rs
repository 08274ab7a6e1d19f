//! Requests and answers of the tag.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    clients::{
        AuthMethod, Client, ClientChange, ClientStatus, Grant, Made, NewClient, WordError, audience, jwks,
        scope_word,
    },
    http::{
        codes::Code,
        extract::field,
        problem::{Problem, Result},
    },
    roles::RoleName,
};

/// Most entries of a list.
const MAX_LISTED: usize = 50;

/// A client to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OAuthClientRequest {
    /// What people call it.
    #[schema(example = "Photo gateway", max_length = 100)]
    pub name: String,
    /// How it proves who it is. `client_secret_basic` unless `jwks` is given.
    #[schema(value_type = Option<String>, example = "client_secret_basic")]
    pub auth_method: Option<AuthMethod>,
    /// Its public keys (RFC 7517), for `private_key_jwt`.
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// What it may get tokens by: `client_credentials` unless said otherwise.
    #[schema(value_type = Option<Vec<String>>, example = json!(["client_credentials"]))]
    pub grants: Option<Vec<Grant>>,
    /// The scopes that it may ask for; `decisions` unless said otherwise. On this server a scope is the name of an
    /// action or of a group of them, as for API keys; other services have their own.
    #[schema(example = json!(["decisions"]))]
    pub scopes: Option<Vec<String>>,
    /// Whom its tokens may be for, besides this server.
    #[schema(example = json!(["https://photos.example.com"]))]
    pub audiences: Option<Vec<String>>,
    /// Its roles; who makes it must be allowed to grant them.
    #[schema(example = json!([]))]
    pub roles: Option<Vec<String>>,
}

/// What of a client is to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientPatch {
    /// What people call it.
    #[schema(example = "Photo gateway", max_length = 100)]
    pub name: Option<String>,
    /// Its public keys, for a client that has some.
    #[schema(value_type = Option<Object>, example = json!({"keys": [
        {"kid": "one", "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ]}))]
    pub jwks: Option<Value>,
    /// What it may get tokens by.
    #[schema(value_type = Option<Vec<String>>, example = json!(["client_credentials"]))]
    pub grants: Option<Vec<Grant>>,
    /// The scopes that it may ask for.
    #[schema(example = json!(["decisions"]))]
    pub scopes: Option<Vec<String>>,
    /// Whom its tokens may be for, besides this server.
    #[schema(example = json!(["https://photos.example.com"]))]
    pub audiences: Option<Vec<String>>,
    /// Its roles.
    #[schema(example = json!([]))]
    pub roles: Option<Vec<String>>,
    /// `active` or `disabled`.
    #[schema(value_type = Option<String>, example = "disabled")]
    pub status: Option<ClientStatus>,
}

/// What becomes of the present secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretRequest {
    /// How long it stays good beside the new one, seconds (0 to 2,592,000; a day unless said otherwise). With 0 it, and
    /// every token that the client has, is good no more.
    #[schema(example = 86_400, maximum = 2_592_000)]
    pub keep_secs: Option<u32>,
}

/// A client.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClientBody {
    /// Its id: `client_id`.
    #[schema(example = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// What people call it.
    #[schema(example = "Photo gateway")]
    pub name: String,
    /// How it proves who it is.
    #[schema(value_type = String, example = "client_secret_basic")]
    pub auth_method: AuthMethod,
    /// Its public keys, if it proves itself by them.
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// What it may get tokens by.
    #[schema(value_type = Vec<String>)]
    pub grants: Vec<Grant>,
    /// The scopes that it may ask for.
    pub scopes: Vec<String>,
    /// Whom its tokens may be for, besides this server.
    pub audiences: Vec<String>,
    /// Its roles.
    pub roles: Vec<String>,
    /// `active` or `disabled`.
    #[schema(value_type = String, example = "active")]
    pub status: ClientStatus,
    /// Until when the secret before the present one is good too, RFC 3339.
    pub previous_secret_until: Option<String>,
    /// When it was made, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
    /// Its secret; in the answer that makes it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "bwk_cs_mYcN6bVPyfXW…")]
    pub client_secret: Option<String>,
}

/// Clients of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClientPage {
    /// In the order in which they were made.
    pub data: Vec<ClientBody>,
    /// Where the next page begins; null after the last one.
    pub next_cursor: Option<String>,
}

impl From<Client> for ClientBody {
    fn from(client: Client) -> Self {
        Self {
            id: client.id.to_string(),
            name: client.name,
            auth_method: client.auth_method,
            jwks: client.jwks.and_then(|set| serde_json::from_str(&set).ok()),
            grants: client.grants,
            scopes: client.scopes,
            audiences: client.audiences,
            roles: client.roles,
            status: client.status,
            previous_secret_until: client.previous_until.map(|at| at.to_string()),
            created_at: client.created_at.to_string(),
            created_by: client.created_by,
            client_secret: None,
        }
    }
}

impl From<Made> for ClientBody {
    fn from(made: Made) -> Self {
        let client_secret = made.secret.map(|secret| secret.expose().to_owned());
        Self { client_secret, ..Self::from(made.client) }
    }
}

impl OAuthClientRequest {
    pub(super) fn read(self) -> Result<NewClient> {
        let wants_keys = self.auth_method.unwrap_or(if self.jwks.is_some() {
            AuthMethod::PrivateKeyJwt
        } else {
            AuthMethod::ClientSecretBasic
        }) == AuthMethod::PrivateKeyJwt;
        if wants_keys != self.jwks.is_some() {
            let said = if wants_keys { "is missing" } else { "is for `private_key_jwt` only" };
            return Err(Problem::new(Code::ValidationFailed).at("/jwks", said));
        }
        Ok(NewClient {
            name: field("/name", &self.name)?,
            jwks: keys(self.jwks.as_ref())?,
            grants: self.grants.map_or_else(|| Ok(vec![Grant::ClientCredentials]), grants)?,
            scopes: words("/scopes", self.scopes, scope_word)?
                .unwrap_or_else(|| vec!["decisions".to_owned()]),
            audiences: words("/audiences", self.audiences, audience)?.unwrap_or_default(),
            roles: roles(self.roles.as_deref())?.unwrap_or_default(),
        })
    }
}

impl ClientPatch {
    pub(super) fn read(self) -> Result<ClientChange> {
        Ok(ClientChange {
            name: self.name.as_deref().map(|name| field("/name", name)).transpose()?,
            jwks: keys(self.jwks.as_ref())?,
            grants: self.grants.map(grants).transpose()?,
            scopes: words("/scopes", self.scopes, scope_word)?,
            audiences: words("/audiences", self.audiences, audience)?,
            roles: roles(self.roles.as_deref())?,
            status: self.status,
        })
    }
}

fn keys(set: Option<&Value>) -> Result<Option<String>> {
    set.map(|set| {
        jwks(set).map_err(|error| Problem::new(Code::ValidationFailed).at("/jwks", error.to_string()))
    })
    .transpose()
}

fn grants(mut listed: Vec<Grant>) -> Result<Vec<Grant>> {
    listed.sort_by_key(|grant| grant.as_str());
    listed.dedup();
    if listed.is_empty() {
        return Err(Problem::new(Code::ValidationFailed).at("/grants", "must name at least one grant"));
    }
    Ok(listed)
}

/// The words of a list, each once.
fn words(
    pointer: &str,
    listed: Option<Vec<String>>,
    read: impl Fn(&str) -> std::result::Result<String, WordError>,
) -> Result<Option<Vec<String>>> {
    let Some(listed) = listed else { return Ok(None) };
    short(pointer, listed.len())?;
    let mut words: Vec<String> = Vec::new();
    for (place, text) in listed.iter().enumerate() {
        let wrong = |error: WordError| {
            Problem::new(Code::ValidationFailed).at(format!("{pointer}/{place}"), error.to_string())
        };
        let word = read(text).map_err(wrong)?;
        if !words.contains(&word) {
            words.push(word);
        }
    }
    Ok(Some(words))
}

fn roles(listed: Option<&[String]>) -> Result<Option<Vec<RoleName>>> {
    let Some(listed) = listed else { return Ok(None) };
    short("/roles", listed.len())?;
    let read = |(place, name): (usize, &String)| field(&format!("/roles/{place}"), name);
    listed.iter().enumerate().map(read).collect::<Result<_>>().map(Some)
}

fn short(pointer: &str, length: usize) -> Result<()> {
    if length <= MAX_LISTED {
        return Ok(());
    }
    Err(Problem::new(Code::ValidationFailed).at(pointer, format!("must have at most {MAX_LISTED} entries")))
}

pub(super) fn client_sample(secret: bool) -> Value {
    let mut sample = json!({
        "id": "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "name": "Photo gateway", "auth_method": "client_secret_basic",
        "jwks": null, "grants": ["client_credentials"], "scopes": ["decisions"],
        "audiences": ["https://photos.example.com"], "roles": [], "status": "active", "previous_secret_until": null,
        "created_at": "2026-11-21T09:00:00.000Z", "created_by": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
    });
    if let Some(members) = sample.as_object_mut().filter(|_| secret) {
        members.insert("client_secret".to_owned(), json!("bwk_cs_mYcN6bVPyfXW…"));
    }
    sample
}
