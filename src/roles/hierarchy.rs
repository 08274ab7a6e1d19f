//! Who inherits from whom, in memory.

use std::collections::HashMap;

use super::Role;

/// Longest chain of roles, the role itself included.
pub(super) const MAX_DEPTH: usize = 16;

/// All roles of a tenant at one moment, by name.
#[derive(Debug, Clone, Default)]
pub struct Hierarchy(HashMap<String, Role>);

impl Hierarchy {
    /// The hierarchy that these roles, all of one tenant, form.
    #[must_use]
    pub fn of(roles: Vec<Role>) -> Self {
        Self(roles.into_iter().map(|role| (role.name.clone(), role)).collect())
    }

    /// The role of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Role> {
        self.0.get(name)
    }

    /// Every role, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.0.values()
    }

    /// The role `name` and what it inherits, nearest first. Ends even where the stored chain does not.
    pub fn chain<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Role> {
        std::iter::successors(self.0.get(name), |role| self.0.get(role.inherits.as_deref()?)).take(MAX_DEPTH)
    }

    /// The roles of these names and all that they inherit, each once, by name.
    #[must_use]
    pub fn closure(&self, granted: &[String]) -> Vec<&Role> {
        let mut closure: Vec<&Role> = granted.iter().flat_map(|name| self.chain(name)).collect();
        closure.sort_by(|left, right| left.name.cmp(&right.name));
        closure.dedup_by(|left, right| left.name == right.name);
        closure
    }
}
