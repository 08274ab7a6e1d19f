//! Which users, API keys, services and roles a question speaks of.

use serde_json::Value;

use crate::{
    base::{ApiKeyId, ClientId, UserId},
    bus::Subject,
    policy::IdentityTypes,
};

/// Most users and keys that one question may name; what is over is unknown to it, as a stranger is.
const MAX_USERS: usize = 64;
/// Length of the prefix of an id.
const PREFIX_LENGTH: usize = 3;
/// Length of an id as text, after its prefix: underscore, 32 digits.
const REST_LENGTH: usize = 33;

/// Users and keys by id, and whether roles are spoken of by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::authorize) struct Named {
    /// Each once, in the order of their first mention, 64 at most.
    pub(super) users: Vec<Subject>,
    /// Whether a role may be spoken of, as when it is granted.
    pub(super) roles: bool,
}

impl Named {
    /// Looks through JSON texts, the parts of a question.
    ///
    /// Every user id counts, wherever it stands: one too many costs a look-up and changes no decision,
    /// since an entity that nothing refers to is not read.
    pub(in crate::authorize) fn in_texts<'a>(
        texts: impl Iterator<Item = &'a str>,
        types: &IdentityTypes,
    ) -> Self {
        let mut named = Self::default();
        for text in texts {
            // SECURITY: an escape can spell anything, and who is spelled so must not lose their attributes:
            // a forbid may hang on one.
            if text.contains('\\') {
                if let Ok(value) = serde_json::from_str(text) {
                    named.in_value(&value, types);
                }
            } else {
                named.in_plain(text, types);
            }
        }
        named
    }

    /// The users and roles among entities of our own naming, each a type and an id.
    pub(in crate::authorize) fn of<const N: usize>(
        entities: [(&str, &str); N],
        types: &IdentityTypes,
    ) -> Self {
        let mut named = Self::default();
        for (kind, id) in entities {
            if types.user.as_deref() == Some(kind) {
                named.add(id.parse().ok().map(Subject::User));
            }
            if types.api_key.as_deref() == Some(kind) {
                named.add(id.parse().ok().map(Subject::Key));
            }
            if types.service.as_deref() == Some(kind) {
                named.add(id.parse().ok().map(Subject::Client));
            }
            named.roles |= types.role.as_deref() == Some(kind);
        }
        named
    }

    /// Adds the users and roles of one text without escapes.
    fn in_plain(&mut self, text: &str, types: &IdentityTypes) {
        for (at, _) in text.match_indices('_') {
            let id = at.checked_sub(PREFIX_LENGTH).and_then(|start| text.get(start..at + REST_LENGTH));
            self.add(id.and_then(|id| subject(id, types)));
        }
        self.roles |= types.role.as_deref().is_some_and(|role| text.contains(role));
    }

    /// The users and keys, each once.
    pub(in crate::authorize) fn users(&self) -> impl Iterator<Item = Subject> {
        self.users.iter().copied()
    }

    /// Whether a role may be spoken of.
    pub(in crate::authorize) fn roles(&self) -> bool {
        self.roles
    }

    /// Adds users and keys that are not in it yet, however many, and perhaps the roles.
    pub(in crate::authorize) fn add_all(&mut self, users: impl Iterator<Item = Subject>, roles: bool) {
        self.users.extend(users);
        self.roles |= roles;
    }

    fn in_value(&mut self, value: &Value, types: &IdentityTypes) {
        match value {
            Value::String(text) => self.in_plain(text, types),
            Value::Array(items) => items.iter().for_each(|item| self.in_value(item, types)),
            Value::Object(members) => members.values().for_each(|member| self.in_value(member, types)),
            _ => {}
        }
    }

    fn add(&mut self, id: Option<Subject>) {
        if let Some(id) = id.filter(|id| self.users.len() < MAX_USERS && !self.users.contains(id)) {
            self.users.push(id);
        }
    }
}

/// Whose id this is, if it is one and its kind has a type.
fn subject(id: &str, types: &IdentityTypes) -> Option<Subject> {
    match id.get(..PREFIX_LENGTH)? {
        UserId::PREFIX if types.user.is_some() => id.parse().ok().map(Subject::User),
        ApiKeyId::PREFIX if types.api_key.is_some() => id.parse().ok().map(Subject::Key),
        ClientId::PREFIX if types.service.is_some() => id.parse().ok().map(Subject::Client),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47";
    const BOB: &str = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e48";

    fn types() -> IdentityTypes {
        IdentityTypes {
            user: Some("User".to_owned()),
            role: Some("Role".to_owned()),
            api_key: Some("ApiKey".to_owned()),
            ..IdentityTypes::default()
        }
    }

    fn named(texts: &[&str]) -> (Vec<String>, bool) {
        let named = Named::in_texts(texts.iter().copied(), &types());
        let text = |subject: &Subject| match subject {
            Subject::Tenant => "tenant".to_owned(),
            Subject::User(user) => user.to_string(),
            Subject::Key(key) => key.to_string(),
            Subject::Client(client) => client.to_string(),
        };
        (named.users.iter().map(text).collect(), named.roles)
    }

    #[test]
    fn users_are_found_wherever_they_stand() {
        let escaped = ANN.replacen("usr", "\\u0075s\\u0072", 1);
        for text in [
            format!(r#"{{"type":"User","id":"{ANN}"}}"#),
            format!(r#""User::\"{ANN}\"""#),
            format!(r#"{{"a":[{{"b":{{"__entity":{{"type":"User","id":"{ANN}"}}}}}}]}}"#),
            format!(r#""{escaped}""#),
            format!(r#"{{"type":"User","id":"{escaped}","usr_usr_":1}}"#),
            format!(r#""usr_{ANN}{ANN}""#),
        ] {
            assert_eq!(named(&[&text]).0, [ANN], "{text}");
        }
        assert_eq!(
            named(&[&format!("[\"{BOB}\",\"{ANN}\",\"{BOB}\"]"), &format!("\"{ANN}\"")]).0,
            [BOB, ANN]
        );
        let upper = ANN.to_uppercase();
        for text in ["", "usr_", "\"usr_0\"", "{\"usr_\u{e4}\":1}", &upper, &ANN[..ANN.len() - 1]] {
            assert!(named(&[text]).0.is_empty(), "{text}");
        }
    }

    #[test]
    fn keys_are_found_beside_users() {
        let key = ANN.replacen("usr", "key", 1);
        assert_eq!(named(&[&format!(r#"["{key}","{ANN}","{key}"]"#)]).0, [&*key, ANN]);
    }

    #[test]
    fn only_so_many_users_are_looked_up() {
        let ids: Vec<String> =
            (0..100).map(|n| format!("\"usr_019aa2c5b8f07d3c9f0b6f2f3c1d{n:04x}\"")).collect();
        assert_eq!(named(&[&format!("[{}]", ids.join(","))]).0.len(), MAX_USERS);
    }

    #[test]
    fn roles_are_noticed() {
        assert!(named(&[r#"{"type":"Role","id":"admin"}"#]).1);
        assert!(named(&[r#""Role::\"admin\"""#]).1);
        assert!(named(&[r#"{"type":"R\u006fle","id":"admin"}"#]).1);
        assert!(!named(&[r#"{"type":"Document","id":"admin"}"#]).1);
        let nothing = Named::in_texts([ANN, "Role"].into_iter(), &IdentityTypes::default());
        assert_eq!(nothing, Named::default(), "a store without identity asks nobody");
    }
}
