//! What is queued.

use crate::base::{MailId, Millis, TenantId, UserId};

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Prove that the address of the account is yours.
    VerifyEmail,
    /// Somebody signed up with an address that has an account.
    AlreadyRegistered,
    /// Choose a new password.
    ResetPassword,
    /// Prove that the new address is yours.
    ChangeEmail,
    /// The address of the account was changed; goes to the old one.
    EmailChanged,
    /// The password was changed.
    PasswordChanged,
    /// The second factor was turned on or off, or has new recovery codes.
    SecondFactorChanged,
    /// Somebody signed in from a device that was not seen before.
    NewDevice,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::VerifyEmail,
        Self::AlreadyRegistered,
        Self::ResetPassword,
        Self::ChangeEmail,
        Self::EmailChanged,
        Self::PasswordChanged,
        Self::SecondFactorChanged,
        Self::NewDevice,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AlreadyRegistered => "already_registered",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::EmailChanged => "email_changed",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorChanged => "second_factor_changed",
            Self::NewDevice => "new_device",
        }
    }
}

/// A stored word that is no kind.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not a kind of mail")]
pub struct KindError(String);

impl TryFrom<String> for Kind {
    type Error = KindError;

    fn try_from(word: String) -> Result<Self, KindError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(KindError(word))
    }
}

/// A mail that waits, or was claimed to be written.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Notice {
    /// Its id.
    pub id: MailId,
    /// The tenant of whom it is to.
    pub tenant_id: TenantId,
    /// What it is about.
    #[sqlx(try_from = "String")]
    pub kind: Kind,
    /// To whom, where that is known.
    pub user_id: Option<UserId>,
    /// The address that was asked for, which may be nobody's; or a former or future one of the user.
    pub address: Option<String>,
    /// How often it was claimed.
    pub tries: i64,
    /// When it was queued.
    pub created_at_ms: Millis,
}
