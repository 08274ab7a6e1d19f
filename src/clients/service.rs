//! Making, changing and removing clients.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    AuthMethod, Client, ClientChange, ClientError, ClientStatus, Made, NewClient,
    live::Facts,
    store::{self, ClientRow},
};
use crate::{
    audit::{self, Actor},
    base::{ClientId, Clock, Cursor, Entropy, Limit, Page, PlainToken, TenantId},
    bus::{IdentityNews, Subject},
    jws::VerifyingKey,
    revocations::{self, Ended},
    roles::{RoleName, RoleService},
    storage::{Db, StorageError, Tx},
    write_tx,
};

/// What a secret begins with, so that it is recognised where it should not be.
const SECRET_PREFIX: &str = "bwk_cs_";

/// What the service is made of.
#[derive(Debug)]
pub struct ClientParts {
    /// Where clients are.
    pub db: Db,
    /// The roles that they can have.
    pub roles: RoleService,
    /// News of clients to and from other nodes.
    pub news: Arc<IdentityNews>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How an assertion may name us: the issuer, and where tokens are asked for.
    pub audiences: Vec<String>,
    /// Clock difference that is forgiven.
    pub leeway: Duration,
}

/// Makes, changes, proves and removes clients.
#[derive(Debug)]
pub struct ClientService {
    pub(super) parts: ClientParts,
    pub(super) facts: Facts,
    /// A key of nobody's: verifying with it takes as long.
    pub(super) stranger: Option<VerifyingKey>,
}

impl ClientService {
    /// The service. Nothing was read yet.
    #[must_use]
    pub fn new(parts: ClientParts) -> Self {
        // The public key of RFC 8037 appendix A.2.
        let stranger = VerifyingKey::ed25519("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        Self { parts, facts: Facts::new(), stranger }
    }

    /// Makes a client, with its audit record.
    ///
    /// Shape: out is the client and, unless it has keys of its own, a secret: `bwk_cs_` and 43 base64url characters.
    /// Errors: `UnknownRole`, `Storage`, `Entropy`.
    pub async fn create(
        &self,
        tenant: TenantId,
        new: &NewClient,
        actor: Actor<'_>,
    ) -> Result<Made, ClientError> {
        let (now, entropy) = (self.parts.clock.now(), &*self.parts.entropy);
        self.check_roles(tenant, &new.roles).await?;
        let secret = if new.jwks.is_none() { Some(self.new_secret()?) } else { None };
        let client = Client {
            id: ClientId::new(now, entropy)?,
            tenant_id: tenant,
            name: new.name.as_str().to_owned(),
            auth_method: match secret {
                Some(_) => AuthMethod::ClientSecretBasic,
                None => AuthMethod::PrivateKeyJwt,
            },
            jwks: new.jwks.clone(),
            grants: new.grants.clone(),
            scopes: new.scopes.clone(),
            audiences: new.audiences.clone(),
            roles: names(&new.roles),
            status: ClientStatus::Active,
            epoch: 0,
            previous_until: None,
            created_by: actor.name.to_owned(),
            created_at: now,
        };
        write_tx!(self.parts.db, "clients.create", |tx| -> Result<(), ClientError> {
            store::insert(tx, &client, secret.as_ref().map(PlainToken::digest).as_ref()).await?;
            let (subject, detail) =
                (client.id.to_string(), json!({ "name": client.name, "roles": client.roles }));
            let entry = actor.does(tenant, "oauth_client_created", &subject, detail);
            Ok(audit::record(tx, now, entropy, entry).await?)
        })?;
        Ok(Made { client, secret })
    }

    /// A page of the clients of a tenant, in the order in which they were made.
    ///
    /// Errors: `Storage`.
    pub async fn list(
        &self,
        tenant: TenantId,
        after: Option<&Cursor>,
        limit: Limit,
    ) -> Result<Page<Client>, ClientError> {
        let rows = store::list(&mut &self.parts.db, tenant, after.map(Cursor::key), limit).await?;
        let clients = rows.into_iter().map(ClientRow::client).collect();
        Ok(Page::cut(clients, limit, |client: &Client| client.id.to_string()))
    }

    /// The client of this id, if it is the tenant's.
    ///
    /// Errors: `NotFound`, `Storage`.
    pub async fn get(&self, tenant: TenantId, id: ClientId) -> Result<Client, ClientError> {
        let row = store::by_id(&mut &self.parts.db, id).await?.map(ClientRow::client);
        row.filter(|client| client.tenant_id == tenant).ok_or(ClientError::NotFound)
    }

    /// Changes a client, with its audit record. What it loses, its tokens lose: a change of roles, scopes, grants,
    /// audiences, keys or status ends all that were issued before.
    ///
    /// Errors: `NotFound`, `UnknownRole`, `NoSecret` (keys for a client that has a secret), `Storage`, `Entropy`.
    pub async fn change(
        &self,
        tenant: TenantId,
        id: ClientId,
        change: &ClientChange,
        actor: Actor<'_>,
    ) -> Result<Client, ClientError> {
        if let Some(roles) = &change.roles {
            self.check_roles(tenant, roles).await?;
        }
        let changed = write_tx!(self.parts.db, "clients.change", |tx| -> Result<Client, ClientError> {
            let old = store::by_id(tx, id).await?.map(ClientRow::client);
            let old = old.filter(|client| client.tenant_id == tenant).ok_or(ClientError::NotFound)?;
            if change.jwks.is_some() && old.auth_method == AuthMethod::ClientSecretBasic {
                return Err(ClientError::NoSecret);
            }
            let mut new = Client {
                name: change.name.as_ref().map_or_else(|| old.name.clone(), |name| name.as_str().to_owned()),
                jwks: change.jwks.clone().or_else(|| old.jwks.clone()),
                grants: change.grants.clone().unwrap_or_else(|| old.grants.clone()),
                scopes: change.scopes.clone().unwrap_or_else(|| old.scopes.clone()),
                audiences: change.audiences.clone().unwrap_or_else(|| old.audiences.clone()),
                roles: change.roles.as_deref().map_or_else(|| old.roles.clone(), names),
                status: change.status.unwrap_or(old.status),
                ..old.clone()
            };
            let reaches = |client: &Client| Client { name: String::new(), ..client.clone() };
            if reaches(&new) != reaches(&old) {
                new.epoch += 1;
            }
            let now = self.parts.clock.now();
            store::update(tx, tenant, &new, now).await?;
            if new.epoch != old.epoch {
                self.tokens_ended_in(tx, &old).await?;
            }
            let detail = json!({ "roles": new.roles, "status": new.status, "epoch": new.epoch });
            let subject = id.to_string();
            let entry = actor.does(tenant, "oauth_client_changed", &subject, detail);
            audit::record(tx, now, &*self.parts.entropy, entry).await?;
            Ok(new)
        })?;
        self.parts.news.tell(tenant, Subject::Client(id)).await;
        Ok(changed)
    }

    /// Gives a client another secret, with its audit record. The present one stays good for `keep`; without it, it
    /// and every token that was issued to the client are good no more.
    ///
    /// Errors: `NotFound`, `NoSecret`, `Storage`, `Entropy`.
    pub async fn rotate_secret(
        &self,
        tenant: TenantId,
        id: ClientId,
        keep: Duration,
        actor: Actor<'_>,
    ) -> Result<Made, ClientError> {
        let secret = self.new_secret()?;
        let digest = secret.digest();
        let client =
            write_tx!(self.parts.db, "clients.rotate_secret", |tx| -> Result<Client, ClientError> {
                let client = store::by_id(tx, id).await?.map(ClientRow::client);
                let client =
                    client.filter(|client| client.tenant_id == tenant).ok_or(ClientError::NotFound)?;
                if client.auth_method == AuthMethod::PrivateKeyJwt {
                    return Err(ClientError::NoSecret);
                }
                let now = self.parts.clock.now();
                let previous_until = (!keep.is_zero()).then(|| now.plus(keep));
                store::set_secret(tx, tenant, id, &digest, previous_until, now).await?;
                if previous_until.is_none() {
                    self.tokens_ended_in(tx, &client).await?;
                }
                let detail = json!({ "previous_until": previous_until.map(|at| at.to_string()) });
                let subject = id.to_string();
                let entry = actor.does(tenant, "oauth_client_secret_rotated", &subject, detail);
                audit::record(tx, now, &*self.parts.entropy, entry).await?;
                Ok(Client { previous_until, ..client })
            })?;
        self.parts.news.tell(tenant, Subject::Client(id)).await;
        Ok(Made { client, secret: Some(secret) })
    }

    /// Removes a client, with its audit record. Its tokens are good no more.
    ///
    /// Errors: `NotFound`, `Storage`, `Entropy`.
    pub async fn delete(&self, tenant: TenantId, id: ClientId, actor: Actor<'_>) -> Result<(), ClientError> {
        write_tx!(self.parts.db, "clients.delete", |tx| -> Result<(), ClientError> {
            let client = store::by_id(tx, id).await?.map(ClientRow::client);
            let client = client.filter(|client| client.tenant_id == tenant).ok_or(ClientError::NotFound)?;
            if !store::remove(tx, tenant, id).await? {
                return Err(ClientError::NotFound);
            }
            self.tokens_ended_in(tx, &client).await?;
            let subject = id.to_string();
            let entry = actor.does(tenant, "oauth_client_deleted", &subject, json!({}));
            Ok(audit::record(tx, self.parts.clock.now(), &*self.parts.entropy, entry).await?)
        })?;
        self.parts.news.tell(tenant, Subject::Client(id)).await;
        Ok(())
    }

    /// Ends every token that was issued to the clients of a tenant, in a transaction of the caller's, who records why
    /// and makes it known.
    ///
    /// Errors: the database failed.
    pub async fn end_tokens_in(&self, tx: &mut Tx, tenant: TenantId) -> Result<(), StorageError> {
        store::raise_epochs(tx, tenant).await
    }

    /// Tells services that every token that was issued to a client so far has ended.
    async fn tokens_ended_in(&self, tx: &mut Tx, client: &Client) -> Result<(), StorageError> {
        let ended = Ended::OAuthClient { id: client.id, epoch: client.epoch + 1 };
        revocations::record(tx, self.parts.clock.now(), Some(client.tenant_id), &ended).await
    }

    fn new_secret(&self) -> Result<PlainToken, ClientError> {
        let random = PlainToken::random(&*self.parts.entropy)?;
        Ok(PlainToken::new(format!("{SECRET_PREFIX}{}", random.expose())))
    }

    async fn check_roles(&self, tenant: TenantId, roles: &[RoleName]) -> Result<(), ClientError> {
        for role in roles {
            if self.parts.roles.get(tenant, role).await?.is_none() {
                return Err(ClientError::UnknownRole(role.as_str().to_owned()));
            }
        }
        Ok(())
    }
}

fn names(roles: &[RoleName]) -> Vec<String> {
    roles.iter().map(|role| role.as_str().to_owned()).collect()
}
