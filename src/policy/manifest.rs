//! `manifest.toml`: what a store says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::IdentityTypes;

/// Path of the manifest within a bundle.
pub(super) const MANIFEST: &str = "manifest.toml";

/// What a store says of itself. Unknown keys are refused, so that a mistyped one is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// Name for people; empty means the name of the store.
    pub name: String,
    /// What the store guards.
    pub description: String,
    /// The author's own version of the content, such as `1.4.0`.
    pub semver: String,
    /// How many steps from principal, action, resource and context a policy may look (Cedar RFC 76).
    pub level: u32,
    /// Annotations that every policy must have, besides `@id`.
    pub required_annotations: Vec<String>,
    /// The entity types that identity maps to.
    pub identity: IdentityTypes,
    /// Short names for the types of principal and resource in requests, short name to type.
    pub aliases: BTreeMap<String, String>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            semver: "0.0.0".to_owned(),
            level: 2,
            required_annotations: Vec::new(),
            identity: IdentityTypes::default(),
            aliases: BTreeMap::new(),
        }
    }
}
