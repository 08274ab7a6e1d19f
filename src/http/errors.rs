//! Which problem each domain error is. Every match is exhaustive: a new variant does not compile until
//! someone has chosen its code. An outage is a 503, never a 401.

use std::time::Duration;

use super::{codes::Code, problem::Problem, rate_limit::RateLimit};
use crate::{
    api_keys::ApiKeyError,
    authn::{AuthnError, PasswordProblem},
    authorize::AuthorizeError,
    base::EntropyError,
    clients::ClientError,
    entities::{EntityError, LoadPlace},
    idempotency::IdempotencyError,
    oauth::OAuthError,
    policy::{PolicyServiceError, QueryProblem, QueryProblemKind, TableError},
    profiles::ProfileError,
    roles::RoleError,
    sessions::SessionError,
    storage::{Fault, StorageError},
    tenants::TenantError,
    tokens::TokenError,
    users::UserError,
};

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        let code = match error.fault() {
            // A conflict that outlived its retries, an overloaded pool, a database that is gone.
            Fault::Retry | Fault::Busy | Fault::Other => Code::StoreUnavailable,
            Fault::NoRow | Fault::Unique | Fault::ForeignKey | Fault::NotNull | Fault::Check => {
                Code::InternalError
            }
        };
        Self::new(code).cause(error)
    }
}

impl From<EntropyError> for Problem {
    fn from(error: EntropyError) -> Self {
        Self::new(Code::InternalError).cause(error)
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid(_) => Self::new(Code::TokenInvalid).cause(error),
            TokenError::Expired => Self::new(Code::TokenExpired),
            TokenError::WrongType => Self::new(Code::WrongTokenType),
            TokenError::KeyNotFound => Self::new(Code::NotFound),
            TokenError::KeyUnusable { .. } | TokenError::NoKey => Self::new(Code::InternalError).cause(error),
            TokenError::Storage(error) => error.into(),
            TokenError::Entropy(error) => error.into(),
        }
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unproven => Self::new(Code::InvalidClient),
            ClientError::Revoked => Self::new(Code::TokenRevoked),
            ClientError::NotFound => Self::new(Code::NotFound),
            ClientError::UnknownRole(_) => Self::new(Code::UnknownRole).at("/roles", error.to_string()),
            ClientError::NoSecret => Self::new(Code::Conflict).detail(error.to_string()),
            ClientError::Storage(error) => error.into(),
            ClientError::Entropy(error) => error.into(),
        }
    }
}

impl From<OAuthError> for Problem {
    fn from(error: OAuthError) -> Self {
        match error {
            OAuthError::Denied { decision }
            | OAuthError::Authn(AuthnError::ProofDemanded { decision, .. }) => {
                Self::new(Code::PolicyViolation).decided_by(decision)
            }
            // What the policies say of the user of a session, and an outage, are no fault of its token.
            OAuthError::Authn(
                error @ (AuthnError::Denied { .. }
                | AuthnError::Undecided(_)
                | AuthnError::Storage(_)
                | AuthnError::Entropy(_)),
            ) => error.into(),
            OAuthError::GrantNotAllowed => Self::new(Code::UnauthorizedClient),
            OAuthError::InvalidGrant(why) => Self::new(Code::InvalidGrant).detail(why),
            OAuthError::InvalidScope => Self::new(Code::InvalidScope),
            OAuthError::InvalidTarget => Self::new(Code::InvalidTarget),
            OAuthError::Authn(AuthnError::Overloaded) => Self::new(Code::HashingOverloaded),
            // Whatever is the matter with a refresh token, a client of OAuth 2.0 is told in its words.
            OAuthError::Authn(error) => Self::new(Code::InvalidGrant).detail(error.to_string()),
            OAuthError::Client(error) => error.into(),
            OAuthError::Authorize(error) => error.into(),
            OAuthError::Token(error) => error.into(),
            OAuthError::Storage(error) => error.into(),
            OAuthError::Entropy(error) => error.into(),
        }
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::RefreshInvalid => Self::new(Code::RefreshFailed),
            SessionError::RefreshExpired => Self::new(Code::RefreshExpired),
            SessionError::RefreshReused => Self::new(Code::RefreshReused),
            SessionError::FingerprintMismatch => Self::new(Code::FingerprintMismatch),
            SessionError::StepUpRequired => Self::new(Code::StepUpRequired),
            SessionError::OtherOrigin => Self::new(Code::OriginNotAllowed),
            SessionError::Revoked => Self::new(Code::TokenRevoked),
            SessionError::Expired => Self::new(Code::SessionExpired),
            SessionError::Outdated => Self::new(Code::InvalidCredentials),
            SessionError::NotFound => Self::new(Code::NotFound),
            SessionError::Storage(error) => error.into(),
            SessionError::Entropy(error) => error.into(),
        }
    }
}

impl From<AuthnError> for Problem {
    fn from(error: AuthnError) -> Self {
        match error {
            AuthnError::InvalidCredentials => Self::new(Code::InvalidCredentials),
            AuthnError::TooManyAttempts(reached) => {
                Self::new(Code::TooManyAttempts).limited(RateLimit::from(&reached))
            }
            AuthnError::LoginLocked { until } => {
                Self::new(Code::AccountLocked).extension("unlock_at", until.to_string())
            }
            AuthnError::AccountLocked => Self::new(Code::AccountLocked),
            AuthnError::AccountDisabled => Self::new(Code::AccountDisabled),
            AuthnError::EmailUnverified => Self::new(Code::EmailUnverified),
            AuthnError::Overloaded => Self::new(Code::HashingOverloaded),
            AuthnError::RegistrationClosed => Self::new(Code::RegistrationClosed),
            AuthnError::EmailTaken | AuthnError::UsernameTaken => {
                Self::new(Code::EmailTaken).detail(error.to_string())
            }
            AuthnError::Password(problem) => password_problem(problem),
            AuthnError::SetupTokenInvalid => Self::new(Code::SetupTokenInvalid),
            AuthnError::AlreadySetUp => Self::new(Code::SetupCompleted),
            AuthnError::MfaRequired { token } => Self::new(Code::MfaRequired)
                .extension("mfa_token", token.expose())
                .extension("methods", vec!["totp", "recovery_code"]),
            AuthnError::MfaInvalid => Self::new(Code::MfaInvalid),
            AuthnError::MfaEnrolled | AuthnError::MfaMissing | AuthnError::NoAddress => {
                Self::new(Code::Conflict).detail(error.to_string())
            }
            AuthnError::LinkInvalid => Self::new(Code::LinkInvalid),
            AuthnError::StepUpRequired { max_age } => Self::step_up(None, Some(max_age.as_secs())),
            AuthnError::Denied { decision, .. } => {
                Self::new(Code::PolicyViolation).detail(error.to_string()).decided_by(decision)
            }
            AuthnError::ProofDemanded { decision, acr, max_age_secs } => {
                Self::step_up(acr.as_deref(), max_age_secs).decided_by(decision)
            }
            AuthnError::Undecided(_) => Self::new(Code::NoActiveVersion).detail(error.to_string()),
            AuthnError::UserGone => Self::new(Code::TokenRevoked),
            AuthnError::Token(error) => error.into(),
            AuthnError::Session(error) => error.into(),
            AuthnError::Tenant(error) => error.into(),
            AuthnError::ApiKey(error) => error.into(),
            AuthnError::Client(error) => error.into(),
            AuthnError::Role(error) => error.into(),
            AuthnError::Storage(error) => error.into(),
            AuthnError::Entropy(error) => error.into(),
        }
    }
}

/// A password that the rules refuse.
pub(super) fn password_problem(problem: PasswordProblem) -> Problem {
    let code = match problem {
        PasswordProblem::Known => Code::PasswordBreached,
        PasswordProblem::TooShort { .. }
        | PasswordProblem::TooLong { .. }
        | PasswordProblem::ControlCharacter
        | PasswordProblem::TooWeak => Code::PasswordTooWeak,
    };
    Problem::new(code).detail(problem.to_string())
}

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::NotFound => Self::new(Code::NotFound),
            TenantError::UnknownPlan(_) => Self::new(Code::UnknownPlan).at("/plan", error.to_string()),
            TenantError::OwnTenant => Self::new(Code::Conflict).detail(error.to_string()),
            TenantError::Storage(error) => error.into(),
            TenantError::Entropy(error) => error.into(),
        }
    }
}

impl From<ApiKeyError> for Problem {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::Invalid => Self::new(Code::ApiKeyInvalid),
            // Whether somebody else is kept out is not the holder's to know.
            ApiKeyError::Revoked | ApiKeyError::Disabled => Self::new(Code::ApiKeyRevoked),
            ApiKeyError::Expired => Self::new(Code::ApiKeyExpired),
            ApiKeyError::IpNotAllowed => Self::new(Code::IpNotAllowed),
            ApiKeyError::TooFast(metered) => Self::new(Code::RateLimitExceeded).limited(metered.into()),
            ApiKeyError::TooManyFailures(metered) => Self::new(Code::TooManyAttempts).limited(metered.into()),
            ApiKeyError::NotFound => Self::new(Code::NotFound),
            ApiKeyError::SlotTaken | ApiKeyError::NoSecondary => {
                Self::new(Code::Conflict).detail(error.to_string())
            }
            ApiKeyError::LimitReached { .. } => Self::new(Code::KeyLimitReached).detail(error.to_string()),
            ApiKeyError::OwnerNotFound => Self::new(Code::NotFound).detail(error.to_string()),
            ApiKeyError::UnknownRole(_) => Self::new(Code::UnknownRole).at("/roles", error.to_string()),
            ApiKeyError::RoleNotHeld(_) => {
                Self::new(Code::InsufficientPermissions).at("/roles", error.to_string())
            }
            ApiKeyError::Storage(error) => error.into(),
            ApiKeyError::Entropy(error) => Self::new(Code::ApiKeyGenerationFailed).cause(error),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::EmailTaken | UserError::UsernameTaken => {
                Self::new(Code::EmailTaken).detail(error.to_string())
            }
            UserError::NotFound => Self::new(Code::NotFound),
            UserError::Storage(error) => error.into(),
            UserError::Entropy(error) => error.into(),
        }
    }
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::NotFound => Self::new(Code::NotFound),
            ProfileError::Changed { revision } => {
                Self::new(Code::PreconditionFailed).extension("revision", revision)
            }
            ProfileError::Invalid(wrong) => wrong
                .into_iter()
                .fold(Self::new(Code::ValidationFailed), |problem, it| problem.at(it.pointer, it.why)),
            ProfileError::Unreadable { .. } => Self::new(Code::InternalError).cause(error),
            ProfileError::Storage(error) => error.into(),
            ProfileError::Entropy(error) => error.into(),
        }
    }
}

impl From<RoleError> for Problem {
    fn from(error: RoleError) -> Self {
        match error {
            RoleError::NotFound => Self::new(Code::RoleNotFound),
            RoleError::UserNotFound => Self::new(Code::ValidationFailed).at("/user_id", error.to_string()),
            RoleError::BindingNotFound => Self::new(Code::NotFound),
            RoleError::Cycle | RoleError::TooDeep => {
                Self::new(Code::ValidationFailed).at("/inherits", error.to_string())
            }
            RoleError::Exists | RoleError::Builtin | RoleError::InUse | RoleError::LastAdministrator => {
                Self::new(Code::Conflict).detail(error.to_string())
            }
            RoleError::Storage(error) => error.into(),
            RoleError::Entropy(error) => error.into(),
        }
    }
}

impl From<QueryProblem> for Problem {
    fn from(problem: QueryProblem) -> Self {
        let code = match problem.kind {
            QueryProblemKind::Malformed => Code::ValidationFailed,
            QueryProblemKind::UnknownAction => Code::UnknownAction,
            QueryProblemKind::UnknownType | QueryProblemKind::NotApplicable => Code::UnknownType,
            QueryProblemKind::Context | QueryProblemKind::ReservedContext => Code::ContextInvalid,
            QueryProblemKind::Entity | QueryProblemKind::TooLarge => Code::EntitiesInvalid,
        };
        Self::new(code).at(problem.pointer, problem.message)
    }
}

impl From<AuthorizeError> for Problem {
    fn from(error: AuthorizeError) -> Self {
        match error {
            AuthorizeError::UnknownStore(_) => {
                Self::new(Code::UnknownPolicyStore).at("/policy_store", error.to_string())
            }
            AuthorizeError::NoActiveVersion(_) => Self::new(Code::NoActiveVersion).detail(error.to_string()),
            AuthorizeError::Query(problem) => problem.into(),
            AuthorizeError::Storage(error) => error.into(),
            AuthorizeError::Entropy(error) => error.into(),
        }
    }
}

impl From<EntityError> for Problem {
    fn from(error: EntityError) -> Self {
        match error {
            EntityError::UnknownStore(_) | EntityError::NotFound(_) => {
                Self::new(Code::NotFound).detail(error.to_string())
            }
            EntityError::NoActiveVersion(_) => Self::new(Code::NoActiveVersion).detail(error.to_string()),
            EntityError::Changed { revision } => {
                Self::new(Code::PreconditionFailed).extension("revision", revision.map(|revision| revision.0))
            }
            EntityError::Invalid(problem) => problem.into(),
            EntityError::Refused(refused) => {
                let pointer =
                    if matches!(refused, TableError::NotAType(_)) { "/uid/type" } else { "/parents" };
                Self::new(Code::EntitiesInvalid).at(pointer, refused.to_string())
            }
            EntityError::Twice(_) => Self::new(Code::EntitiesInvalid).at("/uid", error.to_string()),
            EntityError::At { place: LoadPlace::Line(line), source } => {
                Self::from(*source).extension("line", line)
            }
            EntityError::At { place: LoadPlace::Element(place), source } => {
                Self::from(*source).below(&format!("/{place}"))
            }
            EntityError::NotJson(_) | EntityError::BrokenOff => {
                Self::new(Code::MalformedJson).detail(error.to_string())
            }
            EntityError::Cursor(error) => Self::new(Code::ValidationFailed).at("?cursor", error.to_string()),
            EntityError::Contended => Self::new(Code::Conflict).detail(error.to_string()),
            EntityError::Stopped => Self::new(Code::InternalError).cause(error),
            EntityError::Audit(error) => error.into(),
            EntityError::Storage(error) => error.into(),
        }
    }
}

impl From<PolicyServiceError> for Problem {
    fn from(error: PolicyServiceError) -> Self {
        match error {
            PolicyServiceError::Refused(findings) => {
                let listed = serde_json::to_value(&findings).unwrap_or_default();
                Self::new(Code::PolicyRefused).extension("findings", listed)
            }
            PolicyServiceError::UnknownStore(_) | PolicyServiceError::UnknownVersion { .. } => {
                Self::new(Code::NotFound).detail(error.to_string())
            }
            PolicyServiceError::Conflict { active } => Self::new(Code::VersionConflict)
                .detail(error.to_string())
                .extension("active_version", active.map(|number| number.0)),
            PolicyServiceError::NothingBefore(_) => Self::new(Code::Conflict).detail(error.to_string()),
            PolicyServiceError::Cursor(error) => {
                Self::new(Code::ValidationFailed).at("?cursor", error.to_string())
            }
            PolicyServiceError::Audit(error) => error.into(),
            PolicyServiceError::Storage(error) => error.into(),
        }
    }
}

impl From<crate::audit::AuditError> for Problem {
    fn from(error: crate::audit::AuditError) -> Self {
        match error {
            crate::audit::AuditError::Storage(error) => error.into(),
            crate::audit::AuditError::Entropy(error) => error.into(),
        }
    }
}

impl From<IdempotencyError> for Problem {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Mismatch => Self::new(Code::IdempotencyMismatch),
            IdempotencyError::InProgress => {
                Self::new(Code::Conflict).detail(error.to_string()).retry_after(Duration::from_secs(1))
            }
            IdempotencyError::AnswerLost => Self::new(Code::Conflict).detail(error.to_string()),
            IdempotencyError::Storage(error) => error.into(),
            IdempotencyError::Entropy(error) => error.into(),
        }
    }
}
