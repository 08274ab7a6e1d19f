//! Tables `roles` and `role_bindings`. [`count_super_admins`] also reads `users.status`, in the same
//! statement, because its answer must hold when the transaction commits.

use super::{Binding, NewRole, Role, RoleName, SUPER_ADMIN};
use crate::{
    base::{Limit, Millis, RoleBindingId, TenantId, UserId},
    storage::{Result, Run},
};

/// All roles of a tenant, by name.
pub(super) async fn list(run: &mut dyn Run, tenant: TenantId) -> Result<Vec<Role>> {
    run.sql(
        "SELECT tenant_id, name, description, inherits, builtin, created_at_ms
         FROM roles WHERE tenant_id = $1 ORDER BY name",
    )
    .bind(tenant)
    .all()
    .await
}

/// The role of this name.
pub(super) async fn by_name(run: &mut dyn Run, tenant: TenantId, name: &str) -> Result<Option<Role>> {
    run.sql(
        "SELECT tenant_id, name, description, inherits, builtin, created_at_ms
         FROM roles WHERE tenant_id = $1 AND name = $2",
    )
    .bind(tenant)
    .bind(name)
    .optional()
    .await
}

/// Adds a role, unless there is one of this name; answers whether it was added.
pub(super) async fn insert(run: &mut dyn Run, tenant: TenantId, new: &NewRole, now: Millis) -> Result<bool> {
    let added = run
        .sql(
            "INSERT INTO roles (tenant_id, name, description, inherits, builtin, created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, name) DO NOTHING",
        )
        .bind(tenant)
        .bind(new.name.as_str())
        .bind(new.description.as_str())
        .bind(new.inherits.as_ref().map(RoleName::as_str))
        .bind(false)
        .bind(now)
        .run()
        .await?;
    Ok(added == 1)
}

/// Adds a built-in role.
pub(super) async fn seed(
    run: &mut dyn Run,
    tenant: TenantId,
    name: &str,
    description: &str,
    inherits: Option<&str>,
    now: Millis,
) -> Result<()> {
    run.sql(
        "INSERT INTO roles (tenant_id, name, description, inherits, builtin, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant)
    .bind(name)
    .bind(description)
    .bind(inherits)
    .bind(true)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Removes a role that is not built in; answers whether it was there.
pub(super) async fn remove(run: &mut dyn Run, tenant: TenantId, name: &str) -> Result<bool> {
    let removed = run
        .sql("DELETE FROM roles WHERE tenant_id = $1 AND name = $2 AND builtin = $3")
        .bind(tenant)
        .bind(name)
        .bind(false)
        .run()
        .await?;
    Ok(removed == 1)
}

/// How many bindings and child roles a role has.
pub(super) async fn count_uses(run: &mut dyn Run, tenant: TenantId, name: &str) -> Result<i64> {
    run.sql(
        "SELECT CAST((SELECT COUNT(*) FROM role_bindings WHERE tenant_id = $1 AND role = $2)
                   + (SELECT COUNT(*) FROM roles WHERE tenant_id = $1 AND inherits = $2) AS BIGINT)",
    )
    .bind(tenant)
    .bind(name)
    .scalar()
    .await
}

/// Bindings of a tenant, or of one user, in the order of their ids, after `after`.
pub(super) async fn bindings(
    run: &mut dyn Run,
    tenant: TenantId,
    user: Option<UserId>,
    after: Option<&str>,
    limit: Limit,
) -> Result<Vec<Binding>> {
    run.sql(
        "SELECT id, tenant_id, user_id, role, created_by, created_at_ms FROM role_bindings
         WHERE tenant_id = $1 AND (CAST($2 AS TEXT) IS NULL OR user_id = $2)
           AND (CAST($3 AS TEXT) IS NULL OR id > $3)
         ORDER BY id LIMIT $4",
    )
    .bind(tenant)
    .bind(user)
    .bind(after)
    .bind(limit.rows() + 1)
    .all()
    .await
}

/// The bindings of some users.
pub(super) async fn bindings_of(
    run: &mut dyn Run,
    tenant: TenantId,
    users: &[UserId],
) -> Result<Vec<Binding>> {
    run.sql(
        "SELECT id, tenant_id, user_id, role, created_by, created_at_ms FROM role_bindings
         WHERE tenant_id = $1 AND user_id IN (",
    )
    .bind(tenant)
    .list(users.iter().copied())
    .push(") ORDER BY id")
    .all()
    .await
}

/// The names of the roles that were granted to a user, by name.
pub(super) async fn names_of(run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = run
        .sql("SELECT role FROM role_bindings WHERE tenant_id = $1 AND user_id = $2 ORDER BY role")
        .bind(tenant)
        .bind(user)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// The binding of a role to a user.
pub(super) async fn binding(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    role: &str,
) -> Result<Option<Binding>> {
    run.sql(
        "SELECT id, tenant_id, user_id, role, created_by, created_at_ms FROM role_bindings
         WHERE tenant_id = $1 AND user_id = $2 AND role = $3",
    )
    .bind(tenant)
    .bind(user)
    .bind(role)
    .optional()
    .await
}

/// The binding of this id.
pub(super) async fn binding_by_id(
    run: &mut dyn Run,
    tenant: TenantId,
    id: RoleBindingId,
) -> Result<Option<Binding>> {
    run.sql(
        "SELECT id, tenant_id, user_id, role, created_by, created_at_ms FROM role_bindings
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant)
    .bind(id)
    .optional()
    .await
}

/// Adds a binding, unless the user has the role; answers whether it was added.
///
/// Errors: [`Fault::ForeignKey`](crate::storage::Fault::ForeignKey) when the tenant lacks the user or role.
pub(super) async fn bind(run: &mut dyn Run, binding: &Binding) -> Result<bool> {
    let added = run
        .sql(
            "INSERT INTO role_bindings (id, tenant_id, user_id, role, created_by, created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, user_id, role) DO NOTHING",
        )
        .bind(binding.id)
        .bind(binding.tenant_id)
        .bind(binding.user_id)
        .bind(binding.role.as_str())
        .bind(binding.created_by.as_str())
        .bind(binding.created_at_ms)
        .run()
        .await?;
    Ok(added == 1)
}

/// Removes a binding; answers whether it was there.
pub(super) async fn unbind(run: &mut dyn Run, tenant: TenantId, user: UserId, role: &str) -> Result<bool> {
    let removed = run
        .sql("DELETE FROM role_bindings WHERE tenant_id = $1 AND user_id = $2 AND role = $3")
        .bind(tenant)
        .bind(user)
        .bind(role)
        .run()
        .await?;
    Ok(removed == 1)
}

/// How many active users of a tenant have `super_admin`.
pub(super) async fn count_super_admins(run: &mut dyn Run, tenant: TenantId) -> Result<i64> {
    run.sql(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM role_bindings b
         JOIN users u ON u.tenant_id = b.tenant_id AND u.id = b.user_id
         WHERE b.tenant_id = $1 AND b.role = $2 AND u.status = 'active'",
    )
    .bind(tenant)
    .bind(SUPER_ADMIN)
    .scalar()
    .await
}
