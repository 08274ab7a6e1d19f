//! Tables `oauth_clients`, `revoked_tokens` and `spent_assertions`; see the module's docs for the column of another
//! that is read.

use super::{AuthMethod, Client, ClientStatus, Grant};
use crate::{
    base::{ClientId, Digest32, Limit, Millis, TenantId},
    storage::{Result, Run},
};

/// A client, and what proves it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct ClientRow {
    id: ClientId,
    tenant_id: TenantId,
    name: String,
    auth_method: String,
    jwks: Option<String>,
    pub(super) secret_hash: Option<Vec<u8>>,
    pub(super) previous_secret_hash: Option<Vec<u8>>,
    previous_until_ms: Option<Millis>,
    grants: String,
    scopes: String,
    audiences: String,
    roles: String,
    status: String,
    epoch: i64,
    created_by: String,
    created_at_ms: Millis,
    tenant_status: String,
}

impl ClientRow {
    /// Whether it may do anything.
    pub(super) fn counts(&self) -> bool {
        self.status == ClientStatus::Active.as_str() && self.tenant_status == "active"
    }

    pub(super) fn client(self) -> Client {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let keys = self.auth_method == AuthMethod::PrivateKeyJwt.as_str();
        let active = self.status == ClientStatus::Active.as_str();
        Client {
            id: self.id,
            tenant_id: self.tenant_id,
            name: self.name,
            auth_method: if keys { AuthMethod::PrivateKeyJwt } else { AuthMethod::ClientSecretBasic },
            jwks: self.jwks,
            grants: self.grants.split_whitespace().filter_map(Grant::named).collect(),
            scopes: words(&self.scopes),
            audiences: words(&self.audiences),
            roles: words(&self.roles),
            status: if active { ClientStatus::Active } else { ClientStatus::Disabled },
            epoch: self.epoch,
            previous_until: self.previous_until_ms,
            created_by: self.created_by,
            created_at: self.created_at_ms,
        }
    }
}

fn grants_of(client: &Client) -> String {
    client.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(" ")
}

/// Adds a client.
pub(super) async fn insert(run: &mut dyn Run, client: &Client, secret: Option<&Digest32>) -> Result<()> {
    run.sql(
        "INSERT INTO oauth_clients (id, tenant_id, name, auth_method, jwks, secret_hash, grants, scopes, audiences,
             roles, status, epoch, created_by, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
    )
    .bind(client.id)
    .bind(client.tenant_id)
    .bind(client.name.as_str())
    .bind(client.auth_method.as_str())
    .bind(client.jwks.as_deref())
    .bind(secret.map(|digest| digest.as_bytes().to_vec()))
    .bind(grants_of(client))
    .bind(client.scopes.join(" "))
    .bind(client.audiences.join(" "))
    .bind(client.roles.join(" "))
    .bind(client.status.as_str())
    .bind(client.epoch)
    .bind(client.created_by.as_str())
    .bind(client.created_at)
    .run()
    .await?;
    Ok(())
}

/// Writes what of a client can change.
pub(super) async fn update(run: &mut dyn Run, tenant: TenantId, client: &Client, now: Millis) -> Result<()> {
    run.sql(
        "UPDATE oauth_clients SET name = $3, jwks = $4, grants = $5, scopes = $6, audiences = $7, roles = $8,
             status = $9, epoch = $10, updated_at_ms = $11
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant)
    .bind(client.id)
    .bind(client.name.as_str())
    .bind(client.jwks.as_deref())
    .bind(grants_of(client))
    .bind(client.scopes.join(" "))
    .bind(client.audiences.join(" "))
    .bind(client.roles.join(" "))
    .bind(client.status.as_str())
    .bind(client.epoch)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Puts every client of a tenant into its next epoch.
pub(super) async fn raise_epochs(run: &mut dyn Run, tenant: TenantId) -> Result<()> {
    run.sql("UPDATE oauth_clients SET epoch = epoch + 1 WHERE tenant_id = $1").bind(tenant).run().await?;
    Ok(())
}

/// Gives a client another secret, and keeps the one before it until `previous_until`, if so.
pub(super) async fn set_secret(
    run: &mut dyn Run,
    tenant: TenantId,
    id: ClientId,
    secret: &Digest32,
    previous_until: Option<Millis>,
    now: Millis,
) -> Result<()> {
    run.sql(
        "UPDATE oauth_clients
         SET previous_secret_hash = CASE WHEN CAST($4 AS BIGINT) IS NULL THEN NULL ELSE secret_hash END,
             previous_until_ms = $4, secret_hash = $3, updated_at_ms = $5,
             epoch = CASE WHEN CAST($4 AS BIGINT) IS NULL THEN epoch + 1 ELSE epoch END
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant)
    .bind(id)
    .bind(secret.as_bytes().to_vec())
    .bind(previous_until)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Removes a client with all that is kept of it; answers whether it was there.
pub(super) async fn remove(run: &mut dyn Run, tenant: TenantId, id: ClientId) -> Result<bool> {
    let removed = run
        .sql("DELETE FROM oauth_clients WHERE tenant_id = $1 AND id = $2")
        .bind(tenant)
        .bind(id)
        .run()
        .await?;
    Ok(removed == 1)
}

/// The client of this id, of whatever tenant: for clients that prove who they are.
pub(super) async fn by_id(run: &mut dyn Run, id: ClientId) -> Result<Option<ClientRow>> {
    run.sql(
        "SELECT c.id, c.tenant_id, c.name, c.auth_method, c.jwks, c.secret_hash, c.previous_secret_hash,
                c.previous_until_ms, c.grants, c.scopes, c.audiences, c.roles, c.status, c.epoch, c.created_by,
                c.created_at_ms, t.status AS tenant_status
         FROM oauth_clients c JOIN tenants t ON t.id = c.tenant_id WHERE c.id = $1",
    )
    .bind(id)
    .optional()
    .await
}

/// The clients of a tenant in the order of their ids, after `after`.
pub(super) async fn list(
    run: &mut dyn Run,
    tenant: TenantId,
    after: Option<&str>,
    limit: Limit,
) -> Result<Vec<ClientRow>> {
    run.sql(
        "SELECT c.id, c.tenant_id, c.name, c.auth_method, c.jwks, c.secret_hash, c.previous_secret_hash,
                c.previous_until_ms, c.grants, c.scopes, c.audiences, c.roles, c.status, c.epoch, c.created_by,
                c.created_at_ms, t.status AS tenant_status
         FROM oauth_clients c JOIN tenants t ON t.id = c.tenant_id
         WHERE c.tenant_id = $1 AND (CAST($2 AS TEXT) IS NULL OR c.id > $2)
         ORDER BY c.id LIMIT $3",
    )
    .bind(tenant)
    .bind(after)
    .bind(limit.rows() + 1)
    .all()
    .await
}

/// Revokes one token of a client.
pub(super) async fn revoke_token(
    run: &mut dyn Run,
    tenant: TenantId,
    id: ClientId,
    jti: &str,
    expires_at: Millis,
) -> Result<bool> {
    let added = run
        .sql(
            "INSERT INTO revoked_tokens (tenant_id, client_id, jti, expires_at_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT (client_id, jti) DO NOTHING",
        )
        .bind(tenant)
        .bind(id)
        .bind(jti)
        .bind(expires_at)
        .run()
        .await?;
    Ok(added == 1)
}

/// The tokens of a client that were revoked and have not ended by `now`.
pub(super) async fn revoked_tokens(
    run: &mut dyn Run,
    tenant: TenantId,
    id: ClientId,
    now: Millis,
) -> Result<Vec<(String,)>> {
    run.sql("SELECT jti FROM revoked_tokens WHERE tenant_id = $1 AND client_id = $2 AND expires_at_ms > $3")
        .bind(tenant)
        .bind(id)
        .bind(now)
        .all()
        .await
}

/// Spends an assertion; answers whether it was unspent.
pub(super) async fn spend(
    run: &mut dyn Run,
    tenant: TenantId,
    id: ClientId,
    jti: &str,
    expires_at: Millis,
) -> Result<bool> {
    let added = run
        .sql(
            "INSERT INTO spent_assertions (tenant_id, client_id, jti, expires_at_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT (client_id, jti) DO NOTHING",
        )
        .bind(tenant)
        .bind(id)
        .bind(jti)
        .bind(expires_at)
        .run()
        .await?;
    Ok(added == 1)
}

/// Forgets what has ended before a moment.
pub(super) async fn prune(run: &mut dyn Run, tenant: TenantId, id: ClientId, before: Millis) -> Result<()> {
    run.sql("DELETE FROM revoked_tokens WHERE tenant_id = $1 AND client_id = $2 AND expires_at_ms < $3")
        .bind(tenant)
        .bind(id)
        .bind(before)
        .run()
        .await?;
    run.sql("DELETE FROM spent_assertions WHERE tenant_id = $1 AND client_id = $2 AND expires_at_ms < $3")
        .bind(tenant)
        .bind(id)
        .bind(before)
        .run()
        .await?;
    Ok(())
}
