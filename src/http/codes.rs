//! Every error code of the API in one table: code, status, title (identity.md §2.9).
//!
//! Codes are stable: a caller may branch on them. `tests/repo` compares this table with README
//! and with the OpenAPI document.

use axum::http::StatusCode;

macro_rules! codes {
    ($($variant:ident $status:literal $code:literal $title:literal;)+) => {
        /// The stable name of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as it stands in a problem document.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status that goes with it, as a number.
            pub const fn status_number(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// What it means, for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    MalformedJson            400 "malformed_json"            "The body is not JSON";
    InvalidRequest           400 "invalid_request"           "The request lacks something, or says it twice";
    InvalidGrant             400 "invalid_grant"             "What was presented is not good for a token";
    UnauthorizedClient       400 "unauthorized_client"       "The client may not use this grant";
    UnsupportedGrantType     400 "unsupported_grant_type"    "There is no such grant";
    InvalidScope             400 "invalid_scope"             "The scope is beyond what is permitted";
    InvalidTarget            400 "invalid_target"            "The client may not ask for tokens for this audience";
    InvalidClient            401 "invalid_client"            "The client is unknown, or did not prove who it is";
    InvalidCredentials       401 "invalid_credentials"       "The identifier or the password is wrong";
    TokenMissing             401 "token_missing"             "This operation needs an access token";
    TokenInvalid             401 "token_invalid"             "The token is not one of ours";
    TokenExpired             401 "token_expired"             "The token has expired";
    TokenRevoked             401 "token_revoked"             "The token was revoked";
    WrongTokenType           401 "wrong_token_type"          "A token of another kind is needed here";
    SessionExpired           401 "session_expired"           "The session has ended";
    RefreshFailed            401 "refresh_failed"            "The refresh token is not valid";
    RefreshExpired           401 "refresh_expired"           "The refresh token has expired";
    RefreshReused            401 "refresh_reused"            "The refresh token was used before; the session is revoked";
    FingerprintMismatch      401 "fingerprint_mismatch"      "The refresh came from another kind of client; the session is revoked";
    SetupTokenInvalid        401 "setup_token_invalid"       "The set-up token is wrong";
    MfaRequired              401 "mfa_required"              "A second factor is needed";
    MfaInvalid               401 "mfa_invalid"               "The second factor is not proven";
    LinkInvalid              401 "link_invalid"              "The link is not valid any more";
    StepUpRequired           401 "step_up_required"          "Prove again who you are";
    ApiKeyInvalid            401 "api_key_invalid"           "The API key is not one of ours";
    ApiKeyRevoked            401 "api_key_revoked"           "The API key was revoked";
    ApiKeyExpired            401 "api_key_expired"           "The API key has expired";
    AccountLocked            403 "account_locked"            "The account is locked";
    AccountDisabled          403 "account_disabled"          "The account is disabled";
    EmailUnverified          403 "email_unverified"          "The address is not verified yet";
    InsufficientPermissions  403 "insufficient_permissions"  "The caller may not do this";
    PolicyViolation          403 "policy_violation"          "A policy forbids this";
    IpNotAllowed             403 "ip_not_allowed"            "This is not allowed from this address";
    OriginNotAllowed         403 "origin_not_allowed"        "The token is not for pages of this origin";
    CrossSite                403 "cross_site"                "A page of another site may not send this";
    RegistrationClosed       403 "registration_closed"       "Sign-up is closed";
    NotFound                 404 "not_found"                 "There is no such thing";
    RoleNotFound             404 "role_not_found"            "There is no such role";
    MethodNotAllowed         405 "method_not_allowed"        "The method does not fit this path";
    RequestTimeout           408 "request_timeout"           "The body did not arrive in time";
    EmailTaken               409 "email_taken"               "The address or user name is taken";
    Conflict                 409 "conflict"                  "The state does not allow this";
    VersionConflict          409 "version_conflict"          "Another version is active than expected";
    SetupCompleted           409 "setup_completed"           "The first administrator exists already";
    KeyLimitReached          409 "key_limit_reached"         "There are as many API keys as may be";
    PreconditionFailed       412 "precondition_failed"       "It is not as the caller has seen it";
    PayloadTooLarge          413 "payload_too_large"         "The body is too large";
    UnsupportedMediaType     415 "unsupported_media_type"    "The body must be application/json";
    ValidationFailed         422 "validation_failed"         "The request has wrong or missing fields";
    IdempotencyMismatch      422 "idempotency_mismatch"      "The Idempotency-Key was used for another request";
    PasswordTooWeak          422 "password_too_weak"         "The password does not meet the rules";
    UnknownPlan              422 "unknown_plan"              "There is no such plan";
    UnknownRole              422 "unknown_role"              "The role to assign does not exist";
    UnknownPolicyStore       422 "unknown_policy_store"      "There is no such policy store";
    UnknownAction            422 "unknown_action"            "The schema has no such action";
    UnknownType              422 "unknown_type"              "The schema has no such entity type here";
    ContextInvalid           422 "context_invalid"           "The context does not fit the schema";
    EntitiesInvalid          422 "entities_invalid"          "The entities do not fit the schema";
    PolicyRefused            422 "policy_refused"            "The policies have errors; nothing was stored";
    PasswordBreached         422 "password_breached"         "The password is one of the best known";
    TooManyAttempts          429 "too_many_attempts"         "Tried too often; come back later";
    RateLimitExceeded        429 "rate_limit_exceeded"       "Too many requests; come back later";
    InternalError            500 "internal_error"            "Something failed on our side";
    ApiKeyGenerationFailed   503 "api_key_generation_failed" "No API key could be made; come back later";
    HashingOverloaded        503 "hashing_overloaded"        "Too many sign-ins at once";
    TooManyStreams           503 "too_many_streams"          "As many streams are open as may be";
    StoreUnavailable         503 "store_unavailable"         "The database does not answer";
    NoActiveVersion          503 "no_active_version"         "The policy store has no active version";
    RequestDeadline          503 "request_deadline"          "The answer took too long";
}

impl Code {
    /// The HTTP status that goes with it.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.status_number()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Seconds after which another try makes sense, for the codes where one does.
    pub const fn retry_after_secs(self) -> Option<u32> {
        match self {
            Self::TooManyAttempts
            | Self::RateLimitExceeded
            | Self::ApiKeyGenerationFailed
            | Self::HashingOverloaded
            | Self::TooManyStreams
            | Self::StoreUnavailable
            | Self::NoActiveVersion
            | Self::RequestDeadline => Some(1),
            _ => None,
        }
    }

    /// The `error` attribute of the Bearer challenge (RFC 6750 §3.1), for the codes that challenge.
    pub const fn challenge(self) -> Option<&'static str> {
        match self {
            Self::TokenMissing => Some("Bearer"), // no error attribute when nothing was presented
            Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::WrongTokenType
            | Self::SessionExpired => Some("Bearer error=\"invalid_token\""),
            // RFC 9470 §3.
            Self::StepUpRequired => Some(
                "Bearer error=\"insufficient_user_authentication\", error_description=\"a more recent sign-in is needed\"",
            ),
            Self::ApiKeyInvalid | Self::ApiKeyRevoked | Self::ApiKeyExpired => Some("ApiKey"),
            Self::InsufficientPermissions => Some("Bearer error=\"insufficient_scope\""),
            Self::InvalidClient => Some("Basic realm=\"oauth\""),
            _ => None,
        }
    }
}
