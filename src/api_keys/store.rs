//! Table `api_keys`; see the module's docs for the columns of others that are read.

use ipnet::IpNet;

use super::{ApiKey, KeyLimits, Rate, Scopes, Slot};
use crate::{
    base::{ApiKeyId, Digest32, Limit, Millis, TenantId, UserId},
    storage::{Result, Run},
};

#[derive(sqlx::FromRow)]
struct Row {
    id: ApiKeyId,
    tenant_id: TenantId,
    owner_user_id: Option<UserId>,
    slot: String,
    name: String,
    env: String,
    scopes: String,
    roles: String,
    ip_allowlist: String,
    rate_rps: Option<i64>,
    rate_burst: Option<i64>,
    created_by: String,
    created_at_ms: Millis,
    expires_at_ms: Option<Millis>,
    last_used_at_ms: Option<Millis>,
    last_used_ip: Option<String>,
    revoked_at_ms: Option<Millis>,
}

/// A key and all that decides whether it counts.
#[derive(sqlx::FromRow)]
struct SecretRow {
    #[sqlx(flatten)]
    row: Row,
    secret_hash: Vec<u8>,
    owner_status: Option<String>,
    tenant_status: String,
}

/// A key with the digest of its secret.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) key: ApiKey,
    pub(super) secret_hash: Vec<u8>,
    /// Whether its owner and its tenant are kept out.
    pub(super) is_kept_out: bool,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        let number = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
        let rate = number(row.rate_rps)
            .map(|per_second| Rate { per_second, burst: number(row.rate_burst).unwrap_or(per_second) });
        let networks = row.ip_allowlist.split_whitespace().map(str::parse::<IpNet>);
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            owner: row.owner_user_id,
            slot: Slot::stored(&row.slot),
            name: row.name,
            env: row.env,
            roles: row.roles.split_whitespace().map(str::to_owned).collect(),
            limits: KeyLimits {
                scopes: Scopes::read(&row.scopes),
                // One that cannot be read must not leave an empty list, which allows everyone.
                ip_allowlist: networks.map(|network| network.unwrap_or_else(|_| nowhere())).collect(),
                rate,
                expires_at: row.expires_at_ms,
            },
            created_by: row.created_by,
            created_at: row.created_at_ms,
            last_used_at: row.last_used_at_ms,
            last_used_ip: row.last_used_ip,
            revoked_at: row.revoked_at_ms,
        }
    }
}

/// Adds a key; answers whether its slot was free.
pub(super) async fn insert(
    run: &mut dyn Run,
    tenant: TenantId,
    key: &ApiKey,
    secret: &Digest32,
) -> Result<bool> {
    let rate = key.limits.rate;
    let added = run
        .sql(
            "INSERT INTO api_keys (id, tenant_id, owner_user_id, slot, name, env, secret_hash, scopes, roles,
                 ip_allowlist, rate_rps, rate_burst, created_by, created_at_ms, expires_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT DO NOTHING",
        )
        .bind(key.id)
        .bind(tenant)
        .bind(key.owner)
        .bind(key.slot.as_str())
        .bind(key.name.as_str())
        .bind(key.env.as_str())
        .bind(&secret.as_bytes()[..])
        .bind(key.limits.scopes.to_string())
        .bind(key.roles.join(" "))
        .bind(joined(&key.limits.ip_allowlist))
        .bind(rate.map(|rate| i64::from(rate.per_second)))
        .bind(rate.map(|rate| i64::from(rate.burst)))
        .bind(key.created_by.as_str())
        .bind(key.created_at)
        .bind(key.limits.expires_at)
        .run()
        .await?;
    Ok(added == 1)
}

/// The key of this id.
pub(super) async fn by_id(run: &mut dyn Run, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let row: Option<Row> = run
        .sql(
            "SELECT id, tenant_id, owner_user_id, slot, name, env, scopes, roles, ip_allowlist, rate_rps,
                    rate_burst, created_by, created_at_ms, expires_at_ms, last_used_at_ms, last_used_ip,
                    revoked_at_ms
             FROM api_keys WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant)
        .bind(id)
        .optional()
        .await?;
    Ok(row.map(ApiKey::from))
}

/// The key of this id, of whatever tenant: for who presents its secret, which proves whose it is.
pub(super) async fn presented(run: &mut dyn Run, id: ApiKeyId) -> Result<Option<Stored>> {
    let row: Option<SecretRow> = run
        .sql(
            "SELECT k.id, k.tenant_id, k.owner_user_id, k.slot, k.name, k.env, k.secret_hash, k.scopes, k.roles,
                    k.ip_allowlist, k.rate_rps, k.rate_burst, k.created_by, k.created_at_ms, k.expires_at_ms,
                    k.last_used_at_ms, k.last_used_ip, k.revoked_at_ms, u.status AS owner_status,
                    t.status AS tenant_status
             FROM api_keys k
             JOIN tenants t ON t.id = k.tenant_id
             LEFT JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.owner_user_id
             WHERE k.id = $1",
        )
        .bind(id)
        .optional()
        .await?;
    Ok(row.map(|found| Stored {
        is_kept_out: found.tenant_status != "active"
            || found.row.owner_user_id.is_some() && found.owner_status.as_deref() != Some("active"),
        key: found.row.into(),
        secret_hash: found.secret_hash,
    }))
}

/// Keys of a tenant, or of one owner, that were not revoked, in the order of their ids, after `after`.
pub(super) async fn list(
    run: &mut dyn Run,
    tenant: TenantId,
    owner: Option<UserId>,
    after: Option<&str>,
    limit: Limit,
) -> Result<Vec<ApiKey>> {
    let rows: Vec<Row> = run
        .sql(
            "SELECT id, tenant_id, owner_user_id, slot, name, env, scopes, roles, ip_allowlist, rate_rps,
                    rate_burst, created_by, created_at_ms, expires_at_ms, last_used_at_ms, last_used_ip,
                    revoked_at_ms
             FROM api_keys
             WHERE tenant_id = $1 AND (CAST($2 AS TEXT) IS NULL OR owner_user_id = $2)
               AND (CAST($3 AS TEXT) IS NULL OR id > $3) AND revoked_at_ms IS NULL
             ORDER BY id LIMIT $4",
        )
        .bind(tenant)
        .bind(owner)
        .bind(after)
        .bind(limit.rows() + 1)
        .all()
        .await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// All keys of an owner, those that were revoked too.
pub(super) async fn of_owner(run: &mut dyn Run, tenant: TenantId, owner: UserId) -> Result<Vec<ApiKey>> {
    let rows: Vec<Row> = run
        .sql(
            "SELECT id, tenant_id, owner_user_id, slot, name, env, scopes, roles, ip_allowlist, rate_rps,
                    rate_burst, created_by, created_at_ms, expires_at_ms, last_used_at_ms, last_used_ip,
                    revoked_at_ms
             FROM api_keys WHERE tenant_id = $1 AND owner_user_id = $2 ORDER BY id",
        )
        .bind(tenant)
        .bind(owner)
        .all()
        .await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// How many keys an owner has that were not revoked.
pub(super) async fn count(run: &mut dyn Run, tenant: TenantId, owner: UserId) -> Result<i64> {
    run.sql(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM api_keys
         WHERE tenant_id = $1 AND owner_user_id = $2 AND revoked_at_ms IS NULL",
    )
    .bind(tenant)
    .bind(owner)
    .scalar()
    .await
}

/// Writes the name and the limits of a key that was not revoked; answers whether there is one.
pub(super) async fn update(run: &mut dyn Run, tenant: TenantId, key: &ApiKey) -> Result<bool> {
    let rate = key.limits.rate;
    let updated = run
        .sql(
            "UPDATE api_keys SET name = $3, scopes = $4, ip_allowlist = $5, rate_rps = $6, rate_burst = $7,
                 expires_at_ms = $8
             WHERE tenant_id = $1 AND id = $2 AND revoked_at_ms IS NULL",
        )
        .bind(tenant)
        .bind(key.id)
        .bind(key.name.as_str())
        .bind(key.limits.scopes.to_string())
        .bind(joined(&key.limits.ip_allowlist))
        .bind(rate.map(|rate| i64::from(rate.per_second)))
        .bind(rate.map(|rate| i64::from(rate.burst)))
        .bind(key.limits.expires_at)
        .run()
        .await?;
    Ok(updated == 1)
}

/// Revokes a key that was not revoked yet; answers whether there was one.
pub(super) async fn revoke(
    run: &mut dyn Run,
    tenant: TenantId,
    id: ApiKeyId,
    reason: &str,
    now: Millis,
) -> Result<bool> {
    let revoked = run
        .sql(
            "UPDATE api_keys SET revoked_at_ms = $3, revoke_reason = $4
             WHERE tenant_id = $1 AND id = $2 AND revoked_at_ms IS NULL",
        )
        .bind(tenant)
        .bind(id)
        .bind(now)
        .bind(reason)
        .run()
        .await?;
    Ok(revoked == 1)
}

/// The key in a slot of the tenant's own.
pub(super) async fn in_slot(run: &mut dyn Run, tenant: TenantId, slot: Slot) -> Result<Option<ApiKeyId>> {
    let row: Option<(ApiKeyId,)> = run
        .sql("SELECT id FROM api_keys WHERE tenant_id = $1 AND slot = $2 AND revoked_at_ms IS NULL")
        .bind(tenant)
        .bind(slot.as_str())
        .optional()
        .await?;
    Ok(row.map(|(id,)| id))
}

/// Puts a key into a slot.
pub(super) async fn set_slot(run: &mut dyn Run, tenant: TenantId, id: ApiKeyId, slot: Slot) -> Result<()> {
    run.sql("UPDATE api_keys SET slot = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant)
        .bind(id)
        .bind(slot.as_str())
        .run()
        .await?;
    Ok(())
}

/// Takes a key out of its slot and lets it end at `at`, if it does not end before.
pub(super) async fn retire(run: &mut dyn Run, tenant: TenantId, id: ApiKeyId, at: Millis) -> Result<()> {
    run.sql(
        "UPDATE api_keys SET slot = 'none',
             expires_at_ms = CASE WHEN expires_at_ms < $3 THEN expires_at_ms ELSE $3 END
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant)
    .bind(id)
    .bind(at)
    .run()
    .await?;
    Ok(())
}

/// Notes when and from where a key was used, unless a later use is noted.
pub(super) async fn used(
    run: &mut dyn Run,
    tenant: TenantId,
    id: ApiKeyId,
    at: Millis,
    ip: Option<&str>,
) -> Result<()> {
    run.sql(
        "UPDATE api_keys SET last_used_at_ms = $3, last_used_ip = $4
         WHERE tenant_id = $1 AND id = $2 AND (last_used_at_ms IS NULL OR last_used_at_ms < $3)",
    )
    .bind(tenant)
    .bind(id)
    .bind(at)
    .bind(ip)
    .run()
    .await?;
    Ok(())
}

fn joined(networks: &[IpNet]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A network that nobody calls from.
fn nowhere() -> IpNet {
    IpNet::from(std::net::IpAddr::V4(std::net::Ipv4Addr::BROADCAST))
}
