//! Taking over users from elsewhere, with the hashes of their passwords.
//!
//! A line is taken whole or not at all, and a line whose address is known changes nothing, so that an import can be
//! repeated after whatever went wrong. Lines are written some at a time: between two of these transactions others
//! write.

use std::collections::HashSet;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::{AuthnError, AuthnService, Passwords, service::FIRST_ROLE};
use crate::{
    audit::{self, Actor},
    base::{TenantId, UserId},
    storage::{Retryable, StorageError, Tx},
    users::{
        DisplayName, Email, NameError, NewUser, Phc, User, UserError, UserStatus, Username, UsernameError,
    },
    write_tx,
};

/// Lines that are written in one transaction.
pub const IMPORT_CHUNK: usize = 100;

/// A user as it is sent and written out: one JSON object a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserLine {
    /// Taken from an export and not looked at: a user gets an id of their own here.
    #[serde(default)]
    pub id: Option<String>,
    /// The same.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Unique in the tenant.
    pub email: String,
    /// Whether the address is known to be the user's.
    #[serde(default)]
    pub email_verified: bool,
    /// Unique in the tenant.
    #[serde(default)]
    pub username: Option<String>,
    /// A name to show.
    #[serde(default)]
    pub name: Option<String>,
    /// `pending`, `active`, `locked` or `disabled`; `active` where it is missing.
    #[serde(default)]
    pub status: Option<UserStatus>,
    /// What the password is verified with; without one the user chooses a password by a link.
    #[serde(default)]
    pub password_hash: Option<SecretString>,
    /// Names of roles; `user` where they are missing.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// There is a user now; or there would be, where nothing is written.
    Created(Option<UserId>),
    /// Somebody has this address already, and was left as they are.
    Exists,
    /// It cannot be taken.
    Refused(Refusal),
}

/// Why a line cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not the JSON object of a user.
    #[error("the line is not a user: {0}")]
    Malformed(String),
    /// A field is wrong.
    #[error("`{field}` {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What about it.
        problem: String,
    },
    /// Somebody else has the user name.
    #[error("the user name is taken")]
    UsernameTaken,
    /// The form is not known, or it costs too much to verify (threat T33).
    #[error("the password hash has a form that is not verified here, or costs more than is allowed")]
    HashRefused,
    /// There is no such role.
    #[error("there is no role `{0}`")]
    UnknownRole(String),
    /// Who imports may not grant it.
    #[error("the policies do not let you grant the role `{0}`")]
    RoleDenied(String),
}

impl Refusal {
    /// A fixed word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Field { .. } => "validation_failed",
            Self::UsernameTaken => "username_taken",
            Self::HashRefused => "password_hash_refused",
            Self::UnknownRole(_) => "unknown_role",
            Self::RoleDenied(_) => "role_denied",
        }
    }
}

/// A line that was read: a user to make, with their roles.
#[derive(Debug)]
pub struct ReadLine {
    new: NewUser,
    /// Names of the roles to grant.
    pub roles: Vec<String>,
    /// Whether they are those of everyone, without which a tenant may do.
    has_usual_role: bool,
}

/// A transaction that is not to be kept, or cannot be.
enum Undone {
    /// Nothing was to be written; this is what would have been.
    Tried(Vec<Imported>),
    Failed(AuthnError),
}

impl From<StorageError> for Undone {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AuthnError> for Undone {
    fn from(error: AuthnError) -> Self {
        Self::Failed(error)
    }
}

impl Retryable for Undone {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Failed(error) => error.storage(),
            Self::Tried(_) => None,
        }
    }
}

impl ReadLine {
    /// Reads a line of an import.
    ///
    /// Errors: the [`Refusal`] of the line.
    pub fn read(line: &[u8]) -> Result<Self, Refusal> {
        let line: UserLine =
            serde_json::from_slice(line).map_err(|error| Refusal::Malformed(error.to_string()))?;
        Self::of(&line)
    }

    fn of(line: &UserLine) -> Result<Self, Refusal> {
        let field = |field, problem: String| Refusal::Field { field, problem };
        let email: Email =
            line.email.parse().map_err(|error| field("email", format!("is wrong: {error}")))?;
        let username: Option<Username> = line
            .username
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error: UsernameError| field("username", format!("is wrong: {error}")))?;
        let name: Option<DisplayName> = line
            .name
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error: NameError| field("name", format!("is wrong: {error}")))?;
        let phc = line.password_hash.as_ref().map(|hash| Phc::new(hash.expose_secret().to_owned()));
        if phc.as_ref().is_some_and(|phc| !Passwords::accepts(phc)) {
            return Err(Refusal::HashRefused);
        }
        let new = NewUser {
            email,
            username,
            name,
            status: line.status.unwrap_or(UserStatus::Active),
            email_verified: line.email_verified,
            phc,
        };
        let has_usual_role = line.roles.is_none();
        let roles = line.roles.clone().unwrap_or_else(|| vec![FIRST_ROLE.to_owned()]);
        Ok(Self { new, roles, has_usual_role })
    }
}

/// A user as a line of an export, with its newline: what [`ReadLine::read`] takes.
#[must_use]
pub fn user_line(user: &User, roles: &[String], phc: Option<&Phc>) -> String {
    let mut line = json!({
        "id": user.id,
        "created_at": user.created_at_ms.to_string(),
        "email": user.email,
        "email_verified": user.email_verified,
        "username": user.username,
        "name": user.name,
        "status": user.status,
        "roles": roles,
    });
    if let (Some(phc), Some(members)) = (phc, line.as_object_mut()) {
        members.insert("password_hash".to_owned(), json!(phc.expose()));
    }
    format!("{line}\n")
}

impl AuthnService {
    /// Records that all users of a tenant are given away.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn note_export(&self, tenant: TenantId, actor: Actor<'_>) -> Result<(), AuthnError> {
        let parts = &self.parts;
        write_tx!(parts.db, "authn.note_export", |tx| -> Result<(), AuthnError> {
            let subject = tenant.to_string();
            let entry = actor.does(tenant, "users_exported", &subject, json!({}));
            Ok(audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?)
        })
    }

    /// Takes over users, a chunk at a time; answers what became of each line, in their order. With `is_trial`
    /// nothing is written. `seen` holds the addresses of earlier lines of the same import.
    ///
    /// Errors: `Storage`, `Entropy`: the lines of the chunk that failed were not taken, those before it were.
    pub async fn import(
        &self,
        tenant: TenantId,
        lines: Vec<Result<ReadLine, Refusal>>,
        seen: &mut HashSet<String>,
        is_trial: bool,
        actor: Actor<'_>,
    ) -> Result<Vec<Imported>, AuthnError> {
        let known: HashSet<String> =
            self.parts.roles.list(tenant).await?.into_iter().map(|role| role.name).collect();
        let lines: Vec<Result<ReadLine, Imported>> = lines
            .into_iter()
            .map(|line| {
                let mut line = line.map_err(Imported::Refused)?;
                if line.has_usual_role {
                    line.roles.retain(|role| known.contains(role));
                }
                if let Some(unknown) = line.roles.iter().find(|role| !known.contains(*role)) {
                    return Err(Imported::Refused(Refusal::UnknownRole(unknown.clone())));
                }
                if !seen.insert(line.new.email.norm().to_owned()) {
                    return Err(Imported::Exists);
                }
                Ok(line)
            })
            .collect();
        let mut all = Vec::with_capacity(lines.len());
        for chunk in lines.chunks(IMPORT_CHUNK) {
            let done = write_tx!(self.parts.db, "authn.import", |tx| -> Result<Vec<Imported>, Undone> {
                let mut done = Vec::with_capacity(chunk.len());
                for line in chunk {
                    done.push(match line {
                        Ok(line) => self.import_in(tx, tenant, line, actor).await?,
                        Err(outcome) => outcome.clone(),
                    });
                }
                if is_trial { Err(Undone::Tried(done)) } else { Ok(done) }
            });
            match done {
                Ok(done) => all.extend(done),
                Err(Undone::Tried(done)) => all.extend(done.into_iter().map(|outcome| match outcome {
                    Imported::Created(_) => Imported::Created(None),
                    other => other,
                })),
                Err(Undone::Failed(error)) => return Err(error),
            }
        }
        Ok(all)
    }

    async fn import_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        line: &ReadLine,
        actor: Actor<'_>,
    ) -> Result<Imported, AuthnError> {
        let user = match self.parts.users.create_in(tx, tenant, &line.new, actor).await {
            Ok(user) => user,
            Err(UserError::EmailTaken) => return Ok(Imported::Exists),
            Err(UserError::UsernameTaken) => return Ok(Imported::Refused(Refusal::UsernameTaken)),
            Err(error) => return Err(error.into()),
        };
        for role in &line.roles {
            self.parts.roles.grant_in(tx, tenant, user.id, role, actor).await?;
        }
        Ok(Imported::Created(Some(user.id)))
    }
}
