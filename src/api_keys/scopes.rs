//! Scopes: what a key may be used for at most, whatever its roles permit.
//!
//! A scope is the name of an action of the system store, as the OpenAPI document gives it in
//! `x-bailiwick-action`, or of a group of them, or `*` for all that a key can do.

use std::fmt;

/// The groups, and what each consists of: all that a key can do.
pub const SCOPE_GROUPS: &[(&str, &[&str])] = &[
    ("decisions", &["authorize", "authorizeOthers", "explain"]),
    ("policies.read", &["listPolicyStores", "readPolicyStore"]),
    ("policies.write", &["publishPolicyVersion", "activatePolicyVersion", "rollbackPolicyVersion"]),
    ("entities.read", &["readEntities"]),
    ("entities.write", &["writeEntities"]),
    ("sessions", &["openSession"]),
    ("client.read", &["readClient", "readClientSettings"]),
    ("client.keys", &["rotateClientKey", "promoteClientKey"]),
    ("profiles.read", &["readProfile"]),
    ("profiles.write", &["updateProfile"]),
    ("users.lock", &["lockUser", "unlockUser"]),
    ("roles.read", &["listRoles", "listRoleBindings"]),
    (
        "internal",
        &["validateToken", "validateApiKey", "validateSocket", "readRevocations", "followRevocations"],
    ),
    ("roles.write", &["createRole", "deleteRole", "grantRole", "revokeRole"]),
];
/// What stands for all of them.
const EVERYTHING: &str = "*";
/// What a key may do unless its creator says otherwise.
const DEFAULT: &str = "decisions";

/// A text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope `{name}`")]
pub struct UnknownScope {
    /// Its place in the list.
    pub place: usize,
    /// The text.
    pub name: String,
}

/// The scopes of a key, each once, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Box<str>>);

impl Scopes {
    /// The scopes of these names.
    ///
    /// Errors: [`UnknownScope`], the first.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Self, UnknownScope> {
        let mut scopes: Vec<Box<str>> = Vec::new();
        for (place, name) in names.into_iter().enumerate() {
            let name = name.as_ref();
            if !is_known(name) {
                return Err(UnknownScope { place, name: name.to_owned() });
            }
            if !scopes.iter().any(|known| **known == *name) {
                scopes.push(name.into());
            }
        }
        Ok(Self(scopes))
    }

    /// Scopes as they stand in a token or were stored. What is unknown, as what another service means, permits nothing.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(text.split_whitespace().map(Box::from).collect())
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// Of these, those that are in `names`.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|name| names.contains(&&***name)).cloned().collect())
    }

    /// The scopes that have an action in common with the one of this name: itself, the groups that hold it, and what it
    /// holds.
    pub fn overlapping(name: &str) -> impl Iterator<Item = &str> {
        let holds = move |(group, actions): &(&str, &[&str])| {
            name == EVERYTHING || *group == name || actions.contains(&name)
        };
        let groups = SCOPE_GROUPS.iter().filter(move |group| holds(group));
        let held = groups.flat_map(move |(group, actions)| {
            let of_actions = actions.iter().filter(move |_| *group == name || name == EVERYTHING);
            std::iter::once(*group).chain(of_actions.copied())
        });
        std::iter::once(name).chain(held.filter(move |held| *held != name))
    }

    /// Whether one of them is, or holds, this action.
    #[must_use]
    pub fn allow(&self, action: &str) -> bool {
        let holds =
            |(group, actions): &(&str, &[&str]), name: &str| *group == name && actions.contains(&action);
        self.names().any(|name| {
            name == action || name == EVERYTHING || SCOPE_GROUPS.iter().any(|group| holds(group, name))
        })
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self(vec![DEFAULT.into()])
    }
}

impl fmt::Display for Scopes {
    /// The names, with a space between (RFC 6749 §3.3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

fn is_known(name: &str) -> bool {
    name == EVERYTHING
        || SCOPE_GROUPS.iter().any(|(group, actions)| *group == name || actions.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_an_action_a_group_or_all() {
        let scopes = |names: &[&str]| Scopes::new(names).unwrap();
        for (names, action, allowed) in [
            (&["authorize"][..], "authorize", true),
            (&["authorize"], "authorizeOthers", false),
            (&["decisions"], "authorizeOthers", true),
            (&["decisions"], "readEntities", false),
            (&["entities.read", "roles.read"], "listRoles", true),
            (&["*"], "grantRole", true),
            (&[], "authorize", false),
        ] {
            assert_eq!(scopes(names).allow(action), allowed, "{names:?} {action}");
        }
        assert_eq!(scopes(&["explain", "explain"]).to_string(), "explain");
        let overlapping = |name| Scopes::overlapping(name).collect::<Vec<_>>();
        assert_eq!(overlapping("writeEntities"), ["writeEntities", "entities.write"]);
        assert_eq!(overlapping("roles.read"), ["roles.read", "listRoles", "listRoleBindings"]);
        assert!(["*", "decisions", "grantRole"].iter().all(|name| overlapping("*").contains(name)));
        assert_eq!(Scopes::default().to_string(), "decisions");
        for name in ["", "admin", "login", "Authorize", "authorize "] {
            assert_eq!(
                Scopes::new(["*", name]).unwrap_err(),
                UnknownScope { place: 1, name: name.to_owned() }
            );
        }
        assert!(!Scopes::read("of-another-version").allow("authorize"));
    }
}
