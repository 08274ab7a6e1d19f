//! The operations: one file a tag, and in `routers` the whole API on one page.

mod accounts;
mod api_keys;
mod auth;
mod authorize;
mod client;
mod compat;
mod devices;
mod docs;
mod entities;
mod health;
mod internal;
mod keys;
mod metrics;
mod oauth;
mod oauth_clients;
mod own_data;
mod policy_stores;
mod profiles;
mod roles;
mod routers;
mod sdk;
mod sessions;
mod setup;
mod tenants;
mod users;

pub use compat::{ALIASES, POST_REFRESH};
pub(super) use routers::described;
pub use routers::{Routers, routers};
