//! A role, and its grant to a user.

use std::{fmt, str::FromStr};

use crate::base::{Millis, RoleBindingId, TenantId, UserId};

/// The role that may do everything, and grant it.
pub const SUPER_ADMIN: &str = "super_admin";

/// The role that manages a tenant other than the installation's own.
pub const TENANT_ADMIN: &str = "tenant_admin";

/// Names of roles that come with the program. Policies of the system store name them, so in no tenant can anyone make
/// another role of such a name.
pub const RESERVED: [&str; 5] = ["user", "manager", "admin", SUPER_ADMIN, TENANT_ADMIN];

/// A text that is no role name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role name has 1 to 64 characters: a lower-case letter, then those, digits, `_` and `-`")]
pub struct RoleNameError;

/// A role's name: a lower-case letter, then up to 63 lower-case letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);

impl RoleName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RoleName {
    type Err = RoleNameError;

    fn from_str(text: &str) -> Result<Self, RoleNameError> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-');
        let fits =
            text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(inner);
        fits.then(|| Self(text.to_owned())).ok_or(RoleNameError)
    }
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Role {
    /// Whose role it is.
    pub tenant_id: TenantId,
    /// Unique in the tenant.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The role whose permissions it has too.
    pub inherits: Option<String>,
    /// Whether it came with the program.
    pub builtin: bool,
    /// When it was made; zero for built-in roles.
    pub created_at_ms: Millis,
}

/// What a role is made from.
#[derive(Debug, Clone)]
pub struct NewRole {
    /// Unique in the tenant.
    pub name: RoleName,
    /// What it is for; at most 500 characters by the caller's check.
    pub description: String,
    /// The role whose permissions it has too.
    pub inherits: Option<RoleName>,
}

/// The grant of a role to a user.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Binding {
    /// The grant's id.
    pub id: RoleBindingId,
    /// In which tenant.
    pub tenant_id: TenantId,
    /// Who has the role.
    pub user_id: UserId,
    /// Which role.
    pub role: String,
    /// Who granted it: a user id or a fixed word.
    pub created_by: String,
    /// When it was granted.
    pub created_at_ms: Millis,
}

/// What a grant came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The grant, new or old.
    pub binding: Binding,
    /// Whether it is new.
    pub created: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for (text, good) in [
            ("a", true),
            ("super_admin", true),
            ("team-7", true),
            ("", false),
            ("A", false),
            ("7up", false),
            ("a b", false),
            ("\u{430}", false),
            (&*"a".repeat(65), false),
        ] {
            assert_eq!(text.parse::<RoleName>().is_ok(), good, "{text}");
        }
    }
}
