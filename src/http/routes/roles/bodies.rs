//! Requests and answers of the tag.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::{
    base::UserId,
    roles::{Binding, Role},
};

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoleBody {
    /// Name; also the Cedar entity `Role::"<name>"`.
    #[schema(example = "auditor")]
    pub name: String,
    /// What it is for.
    #[schema(example = "reads everything, changes nothing")]
    pub description: String,
    /// The role whose permissions it has too.
    #[schema(example = "user")]
    pub inherits: Option<String>,
    /// Whether it came with the server.
    pub builtin: bool,
    /// When it was made, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
}

impl From<Role> for RoleBody {
    fn from(role: Role) -> Self {
        Self {
            name: role.name,
            description: role.description,
            inherits: role.inherits,
            builtin: role.builtin,
            created_at: role.created_at_ms.to_string(),
        }
    }
}

/// Every role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoleList {
    /// By name.
    pub data: Vec<RoleBody>,
}

/// A role to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleRequest {
    /// 1 to 64 of `a-z`, `0-9`, `_` and `-`, beginning with a letter.
    #[schema(example = "auditor")]
    pub name: String,
    /// What it is for.
    #[serde(default)]
    #[schema(example = "reads everything, changes nothing", max_length = 500)]
    pub description: String,
    /// The role whose permissions it has too.
    #[schema(example = "user")]
    pub inherits: Option<String>,
}

/// That a user has a role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoleBindingBody {
    /// Id.
    #[schema(example = "rbd_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// Who.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub user_id: String,
    /// Which role.
    #[schema(example = "auditor")]
    pub role: String,
    /// Who granted it.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub created_by: String,
    /// When, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
}

impl From<Binding> for RoleBindingBody {
    fn from(binding: Binding) -> Self {
        Self {
            id: binding.id.to_string(),
            user_id: binding.user_id.to_string(),
            role: binding.role,
            created_by: binding.created_by,
            created_at: binding.created_at_ms.to_string(),
        }
    }
}

/// A page of role bindings.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoleBindingPage {
    /// In the order in which they were made.
    pub data: Vec<RoleBindingBody>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// A role to grant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleBindingRequest {
    /// To whom.
    #[schema(value_type = String, example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub user_id: UserId,
    /// Which role.
    #[schema(example = "auditor")]
    pub role: String,
}

/// `?user_id=` of the list of bindings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BindingFilter {
    /// Only those of this user.
    #[param(value_type = Option<String>, example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub(super) user_id: Option<UserId>,
    /// Rows at most, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<String>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

pub(super) fn role_sample() -> Value {
    json!({
        "name": "auditor", "description": "reads everything, changes nothing", "inherits": "user",
        "builtin": false, "created_at": "2026-11-21T09:00:00.000Z",
    })
}

pub(super) fn binding_sample() -> Value {
    json!({
        "id": "rbd_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "user_id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        "role": "auditor", "created_by": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e48", "created_at": "2026-11-21T09:00:00.000Z",
    })
}
