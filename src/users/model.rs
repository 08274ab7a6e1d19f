//! A user, and what one is made from.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::{Email, Username};
use crate::base::{Millis, TenantId, UserId};

/// Longest display name, code points.
const MAX_NAME: usize = 200;

/// Whether a user may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserStatus {
    /// Made, but not yet allowed in: the address is unproven or a step is missing.
    Pending,
    /// May sign in.
    Active,
    /// Kept out for a while.
    Locked,
    /// Kept out until an administrator decides otherwise.
    Disabled,
}

impl UserStatus {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Disabled => "disabled",
        }
    }
}

/// A stored word that is no status.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not a user status")]
pub struct StatusError(String);

impl TryFrom<String> for UserStatus {
    type Error = StatusError;

    fn try_from(word: String) -> Result<Self, StatusError> {
        [Self::Pending, Self::Active, Self::Locked, Self::Disabled]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(StatusError(word))
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The tenant that the user belongs to.
    pub tenant_id: TenantId,
    /// The address as given, in NFC; none for some whom their tenant's own server names.
    pub email: Option<String>,
    /// What the tenant's own server calls the user, if it named them.
    pub external_id: Option<String>,
    /// The user name as given, in NFC.
    pub username: Option<String>,
    /// A name to show, 1 to 200 code points.
    pub name: Option<String>,
    /// Whether the user may sign in.
    #[sqlx(try_from = "String")]
    pub status: UserStatus,
    /// Whether the address was proven to be the user's.
    pub email_verified: bool,
    /// How often everything issued to the user was withdrawn.
    pub token_epoch: i64,
    /// When the user was made.
    pub created_at_ms: Millis,
}

impl User {
    /// Texts about the user that make no password: address, user name, name.
    #[must_use]
    pub fn words(&self) -> [&str; 3] {
        [&self.email, &self.username, &self.name].map(|text| text.as_deref().unwrap_or(""))
    }

    /// What people would call the account.
    #[must_use]
    pub fn label(&self) -> &str {
        [&self.email, &self.username, &self.external_id].into_iter().find_map(Option::as_deref).unwrap_or("")
    }
}

/// What a user is made from.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Unique in the tenant by its norm.
    pub email: Email,
    /// Unique in the tenant by its norm.
    pub username: Option<Username>,
    /// A name to show.
    pub name: Option<DisplayName>,
    /// Whether the user may sign in.
    pub status: UserStatus,
    /// Whether the address is known to be the user's.
    pub email_verified: bool,
    /// The password hash; without one the user cannot sign in by password.
    pub phc: Option<Phc>,
}

/// What is changed of a user. What is `None` stays; an inner `None` takes the text away.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Another user name.
    pub username: Option<Option<Username>>,
    /// Another name to show.
    pub name: Option<Option<DisplayName>>,
}

/// A text that is no display name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 200 characters and no control characters")]
pub struct NameError;

/// A name to show: trimmed, NFC, 1 to 200 code points, no control characters. Never interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DisplayName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_NAME * 8 {
            return Err(NameError);
        }
        let name: String = text.trim().nfc().collect();
        let fits = (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        fits.then_some(Self(name)).ok_or(NameError)
    }
}

/// A password hash as a PHC string. Does not print.
#[derive(Clone)]
pub struct Phc(String);

impl Phc {
    /// Takes over a PHC string.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The PHC string.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phc(…)")
    }
}

/// A user and the hash of their password, read at one moment.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user; their `token_epoch` is the one to open a session with.
    pub user: User,
    /// The password hash, if the user has a password.
    pub phc: Option<Phc>,
}
