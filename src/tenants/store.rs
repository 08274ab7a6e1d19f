//! Table `tenants`.

use super::{NewTenant, Tenant, TenantSettings, TenantStatus};
use crate::{
    base::{Limit, Millis, TenantId, parse_network},
    storage::{Result, Run},
};

#[derive(sqlx::FromRow)]
struct Row {
    id: TenantId,
    name: String,
    status: String,
    plan: String,
    open_registration: bool,
    allowed_origins: String,
    ip_allowlist: String,
    socket_urls: String,
    created_at_ms: Millis,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        // One that cannot be read must not leave an empty list, which lets in everyone.
        let network =
            |text: &str| parse_network(text).unwrap_or_else(|_| std::net::IpAddr::from([255; 4]).into());
        Self {
            id: row.id,
            name: row.name,
            status: TenantStatus::stored(&row.status),
            plan: row.plan,
            settings: TenantSettings {
                open_registration: row.open_registration,
                allowed_origins: row
                    .allowed_origins
                    .split_whitespace()
                    .filter_map(|it| it.parse().ok())
                    .collect(),
                ip_allowlist: row.ip_allowlist.split_whitespace().map(network).collect(),
                socket_urls: row.socket_urls.split_whitespace().map(str::to_owned).collect(),
            },
            created_at: row.created_at_ms,
        }
    }
}

/// Adds a tenant.
pub(super) async fn insert(run: &mut dyn Run, id: TenantId, new: &NewTenant, now: Millis) -> Result<()> {
    run.sql(
        "INSERT INTO tenants (id, name, status, token_epoch, plan, created_at_ms)
         VALUES ($1, $2, 'active', 0, $3, $4)",
    )
    .bind(id)
    .bind(new.name.as_str())
    .bind(new.plan.as_str())
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// The tenant with this id.
pub(super) async fn by_id(run: &mut dyn Run, id: TenantId) -> Result<Option<Tenant>> {
    let row: Option<Row> = run
        .sql(
            "SELECT id, name, status, plan, open_registration, allowed_origins, ip_allowlist, socket_urls,
                    created_at_ms
             FROM tenants WHERE id = $1",
        )
        .bind(id)
        .optional()
        .await?;
    Ok(row.map(Tenant::from))
}

/// All tenants in the order of their ids, after `after`.
pub(super) async fn list(run: &mut dyn Run, after: Option<&str>, limit: Limit) -> Result<Vec<Tenant>> {
    let rows: Vec<Row> = run
        .sql(
            "SELECT id, name, status, plan, open_registration, allowed_origins, ip_allowlist, socket_urls,
                    created_at_ms
             FROM tenants WHERE CAST($1 AS TEXT) IS NULL OR id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(limit.rows() + 1)
        .all()
        .await?;
    Ok(rows.into_iter().map(Tenant::from).collect())
}

/// The lists of origins of all active tenants that have one.
pub(super) async fn listed_origins(run: &mut dyn Run) -> Result<Vec<(String,)>> {
    run.sql("SELECT allowed_origins FROM tenants WHERE status = 'active' AND allowed_origins <> ''")
        .all()
        .await
}

/// Writes name, plan and settings.
pub(super) async fn update(run: &mut dyn Run, tenant: &Tenant) -> Result<()> {
    let joined = |texts: Vec<String>| texts.join(" ");
    let settings = &tenant.settings;
    run.sql(
        "UPDATE tenants SET name = $2, plan = $3, open_registration = $4, allowed_origins = $5, ip_allowlist = $6,
             socket_urls = $7
         WHERE id = $1",
    )
    .bind(tenant.id)
    .bind(tenant.name.as_str())
    .bind(tenant.plan.as_str())
    .bind(settings.open_registration)
    .bind(joined(settings.allowed_origins.iter().map(ToString::to_string).collect()))
    .bind(joined(settings.ip_allowlist.iter().map(ToString::to_string).collect()))
    .bind(joined(settings.socket_urls.clone()))
    .run()
    .await?;
    Ok(())
}

/// Sets the status; a suspension raises the epoch. Answers whether there is such a tenant.
pub(super) async fn set_status(run: &mut dyn Run, id: TenantId, status: TenantStatus) -> Result<bool> {
    let raise = i64::from(status == TenantStatus::Suspended);
    let set = run
        .sql("UPDATE tenants SET status = $2, token_epoch = token_epoch + $3 WHERE id = $1")
        .bind(id)
        .bind(status.as_str())
        .bind(raise)
        .run()
        .await?;
    Ok(set == 1)
}
