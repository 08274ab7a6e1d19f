//! Roles of a tenant, which one inherits which, and who has them.
//!
//! A role inherits everything that its one parent may do: `super_admin → admin → manager → user`
//! (R119). What a role *may do* is not said here but in the policies, which see roles as Cedar entities
//! whose parents are the inherited ones.
//!
//! INVARIANT: the chain of parents ends, after at most 16 roles.
//! INVARIANT: an active user has `super_admin`; the last such binding cannot be removed, not even by two
//! removals at once (threat T50: both run in serializable transactions, so one of them sees the other).
//! INVARIANT: built-in roles stay, and so does a role that is bound or inherited.

mod error;
mod hierarchy;
mod model;
mod service;
mod store;

pub use error::RoleError;
pub use hierarchy::Hierarchy;
pub use model::{
    Binding, Granted, NewRole, RESERVED, Role, RoleName, RoleNameError, SUPER_ADMIN, TENANT_ADMIN,
};
pub use service::RoleService;
