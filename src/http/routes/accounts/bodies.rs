//! Requests and answers of the tag.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    authn::{Imported, Purpose},
    http::routes::users::UserBody,
};

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

/// How an import is done.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Whether nothing is written.
    #[param(example = false)]
    pub(super) dry_run: Option<bool>,
}

/// What became of an import.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(example = json!({
    "dry_run": false, "created": 1, "exists": 0, "refused": 1, "lines": [
        {"line": 1, "result": "created", "user_id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"},
        {"line": 2, "result": "refused", "code": "username_taken", "detail": "the user name is taken"},
    ],
}))]
pub(super) struct ImportBody {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Lines that made a user.
    #[schema(example = 1)]
    pub created: usize,
    /// Lines whose address was known.
    #[schema(example = 0)]
    pub exists: usize,
    /// Lines that were not taken.
    #[schema(example = 1)]
    pub refused: usize,
    /// Each line, in its order.
    pub lines: Vec<ImportedLine>,
}

/// What became of a line.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct ImportedLine {
    /// Its number, from 1 on.
    #[schema(example = 1)]
    pub line: usize,
    /// `created`, `exists` or `refused`.
    #[schema(example = "created")]
    pub result: &'static str,
    /// The user who was made.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Why it was refused: `malformed`, `validation_failed`, `username_taken`, `password_hash_refused`, `unknown_role`
    /// or `role_denied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl ImportBody {
    /// Adds what became of a line.
    pub(super) fn add(&mut self, line: usize, outcome: Imported) {
        let mut shown = ImportedLine { line, ..ImportedLine::default() };
        match outcome {
            Imported::Created(user) => {
                self.created += 1;
                (shown.result, shown.user_id) = ("created", user.map(|id| id.to_string()));
            }
            Imported::Exists => {
                self.exists += 1;
                shown.result = "exists";
            }
            Imported::Refused(refusal) => {
                self.refused += 1;
                (shown.result, shown.code) = ("refused", Some(refusal.code()));
                shown.detail = Some(refusal.to_string());
            }
        }
        self.lines.push(shown);
    }
}

/// A line of an import.
pub(super) fn line_sample() -> String {
    serde_json::json!({
        "email": "alice@example.com", "email_verified": true, "name": "Alice", "roles": ["user"],
        "password_hash": "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
    })
    .to_string()
}
