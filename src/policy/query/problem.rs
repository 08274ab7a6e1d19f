//! What is wrong with a request, and where.

use serde::Serialize;
use serde_json::{Value, value::RawValue};

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueryProblemKind {
    /// The value has not the form of an entity, an action or a context.
    Malformed,
    /// The schema declares no such action.
    UnknownAction,
    /// The schema declares no such entity type, or no such member of an enumerated type.
    UnknownType,
    /// The action is not one for principals or resources of this type.
    NotApplicable,
    /// The context does not fit what the schema declares for the action.
    Context,
    /// The context has the attribute that belongs to the server.
    ReservedContext,
    /// An entity of the request does not fit the schema.
    Entity,
    /// More entities, or more ancestors, than a request may have.
    TooLarge,
}

/// A request that cannot be asked, and where it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct QueryProblem {
    /// JSON pointer into the request (RFC 6901), such as `/context/mfa`.
    pub pointer: String,
    /// What kind of problem it is.
    pub kind: QueryProblemKind,
    /// What is wrong, for the caller.
    pub message: String,
}

impl QueryProblem {
    pub(in crate::policy) fn new(
        pointer: impl Into<String>,
        kind: QueryProblemKind,
        message: impl Into<String>,
    ) -> Self {
        Self { pointer: pointer.into(), kind, message: message.into() }
    }
}

/// A name as a token of a JSON pointer (RFC 6901 §4).
pub(in crate::policy) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// An error with its causes, as one line.
pub(in crate::policy) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

/// Reads a part of a request whole.
///
/// Errors: [`QueryProblem`] at `pointer` for what well-formed text can still have wrong: nesting deeper than
/// `serde_json` follows (127 levels), a number that no type holds, half of a surrogate pair.
pub(in crate::policy) fn parse(raw: &RawValue, pointer: &str) -> Result<Value, QueryProblem> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let text = error.to_string();
        let message = if text.starts_with("recursion limit exceeded") {
            "the value is nested too deeply".to_owned()
        } else {
            format!("the value cannot be read: {text}")
        };
        QueryProblem::new(pointer, QueryProblemKind::Malformed, message)
    })
}
