//! A tenant, and what is said and changed of one.

use std::str::FromStr;

use ipnet::IpNet;

use super::Origin;
use crate::base::{Millis, TenantId};

/// Longest name, characters.
const MAX_NAME: usize = 200;

/// A text that is no company's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 200 characters, none of them a control character")]
pub struct CompanyNameError;

/// What people call a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanyName(String);

impl CompanyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CompanyName {
    type Err = CompanyNameError;

    fn from_str(text: &str) -> Result<Self, CompanyNameError> {
        let text = text.trim();
        let fits = (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned())).ok_or(CompanyNameError)
    }
}

/// Whether a tenant's people and programs may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantStatus {
    /// They may.
    Active,
    /// They may not.
    Suspended,
}

impl TenantStatus {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    /// What is not known to be active is not.
    pub(super) fn stored(text: &str) -> Self {
        if text == Self::Active.as_str() { Self::Active } else { Self::Suspended }
    }
}

/// From where a tenant may be reached, and who may join it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenantSettings {
    /// Whether strangers may sign up into it.
    pub open_registration: bool,
    /// Web origins whose pages may use it; empty for any.
    pub allowed_origins: Vec<Origin>,
    /// Networks that it may be used from; empty for any.
    pub ip_allowlist: Vec<IpNet>,
    /// Where its applications listen for socket connections.
    pub socket_urls: Vec<String>,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Whether its people and programs may do anything.
    pub status: TenantStatus,
    /// What it has booked.
    pub plan: String,
    /// Its settings.
    pub settings: TenantSettings,
    /// When it was made.
    pub created_at: Millis,
}

impl Tenant {
    /// The id by which applications name it: the tenant's, with another prefix.
    #[must_use]
    pub fn client_id(&self) -> String {
        Self::client_id_of(self.id)
    }

    /// The id by which applications name the tenant with this one.
    #[must_use]
    pub fn client_id_of(id: TenantId) -> String {
        format!("cli_{}", id.as_uuid().as_simple())
    }

    /// The tenant that an application names, by its own id or as a client.
    #[must_use]
    pub fn named(text: &str) -> Option<TenantId> {
        let as_client = || format!("{}_{}", TenantId::PREFIX, text.strip_prefix("cli_")?).parse().ok();
        text.parse().ok().or_else(as_client)
    }
}

/// What a tenant is made from.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// What people call it.
    pub name: CompanyName,
    /// What it has booked.
    pub plan: String,
}

/// What of a tenant is to change; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct TenantChange {
    /// What people call it.
    pub name: Option<CompanyName>,
    /// What it has booked.
    pub plan: Option<String>,
    /// Its settings.
    pub settings: Option<TenantSettings>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_named_by_either_id() {
        let id = TenantId::DEFAULT;
        let hex = id.as_uuid().as_simple().to_string();
        assert_eq!(
            (Tenant::named(&format!("ten_{hex}")), Tenant::named(&format!("cli_{hex}"))),
            (Some(id), Some(id))
        );
        for wrong in ["", "cli_", &hex, &format!("usr_{hex}"), &format!("cli_cli_{hex}")] {
            assert_eq!(Tenant::named(wrong), None, "{wrong}");
        }
    }
}
