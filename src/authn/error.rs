//! Why somebody is not signed in, up or out.

use std::time::Duration;

use super::{PasswordError, PasswordProblem, Reached};
use crate::{
    api_keys::ApiKeyError,
    audit::AuditError,
    base::{DecisionId, EntropyError, Millis, PlainToken},
    clients::ClientError,
    mail::MailError,
    roles::RoleError,
    sessions::SessionError,
    storage::{Retryable, StorageError},
    tenants::TenantError,
    tokens::TokenError,
    users::UserError,
};

/// An authentication that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum AuthnError {
    /// No such user and password. Says nothing else, on purpose.
    #[error("the user name or the password is wrong")]
    InvalidCredentials,
    /// Tried too often; says nothing of whether the user exists.
    #[error("too many attempts")]
    TooManyAttempts(Reached),
    /// The password is right, but wrong ones before it keep devices out that are not known.
    #[error("the account is locked until {until}")]
    LoginLocked {
        /// When it is not any more.
        until: Millis,
    },
    /// The password is right, but an administrator locked the account.
    #[error("the account is locked")]
    AccountLocked,
    /// The password is right, but an administrator keeps the user out.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The password is right, but the account waits for its address to be proven.
    #[error("the e-mail address is not verified yet")]
    EmailUnverified,
    /// Too many passwords are being hashed; come back in a moment.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// Strangers may not sign up here.
    #[error("sign-up is closed")]
    RegistrationClosed,
    /// The address is taken, and the configuration lets that be said.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The user name is taken, and the configuration lets that be said.
    #[error("the user name is taken")]
    UsernameTaken,
    /// The new password does not follow the rules.
    #[error(transparent)]
    Password(#[from] PasswordProblem),
    /// The setup token is not the one that was printed, or was used.
    #[error("the setup token is not valid")]
    SetupTokenInvalid,
    /// There is an administrator already.
    #[error("the installation is set up already")]
    AlreadySetUp,
    /// The password is right, and the user has a second factor: go on with this token.
    #[error("a second factor is needed")]
    MfaRequired {
        /// Good for the second step alone, for five minutes and five tries.
        token: PlainToken,
    },
    /// The token of the second step, or what should prove the second factor, is not valid.
    #[error("the second factor is not proven")]
    MfaInvalid,
    /// The user has a second factor already.
    #[error("there is a second factor already")]
    MfaEnrolled,
    /// The user has no second factor.
    #[error("there is no second factor")]
    MfaMissing,
    /// The link is not one of ours, was used, is too old, or its user changed since.
    #[error("the link is not valid any more")]
    LinkInvalid,
    /// The user has no address that a link could be about.
    #[error("the user has no e-mail address")]
    NoAddress,
    /// The caller proved too long ago who they are.
    #[error("prove again who you are")]
    StepUpRequired {
        /// How long ago it may have been.
        max_age: Duration,
    },
    /// The credentials are good, and the policies keep the user out. Nothing that the user has is ended by it.
    #[error("the policies do not allow `{action}` here")]
    Denied {
        /// What they do not allow.
        action: &'static str,
        /// The decision.
        decision: DecisionId,
    },
    /// The same until the user proves more of who they are (RFC 9470).
    #[error("the policies want another proof of who you are")]
    ProofDemanded {
        /// The decision.
        decision: DecisionId,
        /// The authentication context class that is wanted.
        acr: Option<String>,
        /// How old the proof may be at most, seconds.
        max_age_secs: Option<u64>,
    },
    /// Nobody can decide: never a yes.
    #[error("there is no decision: {0}")]
    Undecided(String),
    /// The caller's user is no more.
    #[error("the user does not exist any more")]
    UserGone,
    /// The access token is not accepted.
    #[error(transparent)]
    Token(TokenError),
    /// The session or refresh token is not accepted.
    #[error(transparent)]
    Session(SessionError),
    /// A tenant could not be made or changed.
    #[error(transparent)]
    Tenant(TenantError),
    /// An API key could not be made.
    #[error(transparent)]
    ApiKey(ApiKeyError),
    /// The token of a client is not accepted.
    #[error(transparent)]
    Client(ClientError),
    /// A role could not be granted.
    #[error(transparent)]
    Role(RoleError),
    /// The database failed: neither an allow nor a 401.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for an id or a secret.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl Retryable for AuthnError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}

/// Infrastructure keeps its own variant, whichever domain it came through.
macro_rules! lift {
    ($error:ident, $variant:ident) => {
        impl From<$error> for AuthnError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Storage(error) => Self::Storage(error),
                    $error::Entropy(error) => Self::Entropy(error),
                    error => Self::$variant(error),
                }
            }
        }
    };
}
lift!(TokenError, Token);
lift!(SessionError, Session);
lift!(RoleError, Role);
lift!(TenantError, Tenant);
lift!(ApiKeyError, ApiKey);
lift!(ClientError, Client);

impl From<AuditError> for AuthnError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => Self::Storage(error),
            AuditError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl From<MailError> for AuthnError {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Storage(error) => Self::Storage(error),
            MailError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl From<UserError> for AuthnError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::EmailTaken => Self::EmailTaken,
            UserError::UsernameTaken => Self::UsernameTaken,
            UserError::NotFound => Self::UserGone,
            UserError::Storage(error) => Self::Storage(error),
            UserError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl From<PasswordError> for AuthnError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Overloaded => Self::Overloaded,
            PasswordError::Entropy(error) => Self::Entropy(error),
        }
    }
}
