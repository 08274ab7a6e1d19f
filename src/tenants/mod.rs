//! Tenants: the boundary that no data crosses (R97), what they have booked, and from where they may be reached.
//!
//! ```text
//! active ◄──► suspended: nobody of it signs in, its sessions have ended, its keys are refused
//! ```
//! The first tenant is the installation's own. Another is made by an administrator, by `bailiwick tenant create`, or
//! by who registers (`tenants.self_registration`); it has roles of its own, of which `tenant_admin` manages it.
//!
//! - A tenant is read on every sign-in and use of a key. What is held in memory counts for seconds, and only while its
//!   [`IdentityNews`](crate::bus::IdentityNews) have not moved.
//! - Lists are data: the server says in `context.bailiwick.ip_allowed` and `origin_allowed` whether a request is on
//!   them, and the policies of the system store decide what follows (R98, authorize.md §4).
//! - INVARIANT: origins are compared whole, in the form in which a browser writes them (threat T46).
//!
//! This is a leaf: who makes a tenant with its first user and key is `authn`.

mod error;
mod model;
mod origin;
mod origins;
mod plan;
mod service;
mod store;

pub use error::TenantError;
pub use model::{CompanyName, NewTenant, Tenant, TenantChange, TenantSettings, TenantStatus};
pub use origin::{Origin, OriginError};
pub use plan::{Plan, Plans};
pub use service::{TenantParts, TenantService};
