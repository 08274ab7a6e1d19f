//! Requests and answers of the tag.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{authn::Purpose, http::routes::users::UserBody};

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserPage {
    /// In the order in which they were made.
    pub data: Vec<UserBody>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// `?search=` of the list of users.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UserFilter {
    /// Only those whose address or user name begins with this, in whatever letter case.
    #[param(example = "alice")]
    pub(super) search: Option<String>,
    /// Rows at most, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<String>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// What a link is to be good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LinkPurpose {
    /// Choosing a new password.
    #[default]
    ResetPassword,
    /// Proving the address.
    VerifyEmail,
}

impl From<LinkPurpose> for Purpose {
    fn from(purpose: LinkPurpose) -> Self {
        match purpose {
            LinkPurpose::ResetPassword => Self::ResetPassword,
            LinkPurpose::VerifyEmail => Self::VerifyEmail,
        }
    }
}

/// A link to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "reset_password"}))]
pub(super) struct LinkRequest {
    /// What it is to be good for.
    #[serde(default)]
    #[schema(inline)]
    pub purpose: LinkPurpose,
}

/// A link, to be handed to the user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkBody {
    /// Works once. Whoever has it acts as the user would.
    #[schema(example = "https://auth.example.com/reset-password#token=mYcN6bVPyfXW…")]
    pub link: String,
    /// Until when, RFC 3339.
    #[schema(example = "2026-11-21T09:30:00.000Z")]
    pub expires_at: String,
}

/// How many sessions ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndedSessions {
    /// The number.
    #[schema(example = 2)]
    pub revoked: usize,
}
