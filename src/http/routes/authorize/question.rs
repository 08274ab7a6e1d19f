//! Reading a question without copying it, and finding out whom it is about.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::bodies::AuthorizeRequest;
use crate::{
    authn::Caller,
    authorize::{AuthorizeError, Pinned},
    http::{
        codes::Code,
        extract::LargeBody,
        problem::{Problem, Result},
        state::AppState,
    },
    policy::{EntityUid, StoreName, entity_uid},
};

/// A text of the body, borrowed unless it has escapes. Not printed: it may be a token.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What may be asked, field by field as [`AuthorizeRequest`] says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question<'a> {
    #[serde(borrow)]
    pub(super) policy_store: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) principal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) token: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) action: &'a RawValue,
    #[serde(borrow)]
    pub(super) resource: &'a RawValue,
    #[serde(borrow)]
    pub(super) context: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) entities: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) explain: bool,
}

impl<'a> Question<'a> {
    /// Reads a body.
    ///
    /// Errors: a problem that names the field; found by reading the body a second time, as [`AuthorizeRequest`].
    pub(super) fn read(body: &'a LargeBody) -> Result<Self> {
        match body.text().and_then(|text| serde_json::from_str::<Self>(text).ok()) {
            Some(question) if is_array(question.entities) => Ok(question),
            _ => Err(body.problem::<AuthorizeRequest>()),
        }
    }
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The store of a name.
///
/// Errors: `unknown_policy_store`.
pub(super) fn store(app: &AppState, name: Option<&Text<'_>>) -> Result<StoreName> {
    store_named(app, name.map(Text::as_str))
}

/// The store of a name, or the default one.
///
/// Errors: `unknown_policy_store`.
pub(in crate::http::routes) fn store_named(app: &AppState, name: Option<&str>) -> Result<StoreName> {
    let Some(name) = name else { return Ok(app.authorize.default_store.clone()) };
    Ok(name.parse().map_err(|_| AuthorizeError::UnknownStore(name.to_owned()))?)
}

/// The holder of a token that came with the question: whom it is about when it names no principal.
pub(super) async fn holder(app: &AppState, token: &Text<'_>) -> Result<Caller> {
    match app.authn.identify(Some(token.as_str())).await {
        Ok(subject) if subject.user().is_some() => Ok(subject),
        Ok(_) => Err(Problem::new(Code::ValidationFailed).at("/token", "is not an access token")),
        Err(error) => {
            let problem = Problem::from(error);
            // The caller's own credentials are good: a bad token in the body is a bad value, not a 401.
            if problem.code().status_number() != 401 {
                return Err(problem);
            }
            Err(Problem::new(Code::ValidationFailed).at("/token", problem.code().title().to_lowercase()))
        }
    }
}

/// A caller as the principal of a question.
pub(in crate::http::routes) fn principal_of(pinned: &Pinned, caller: &Caller) -> Result<Box<RawValue>> {
    let (kind, id) = pinned.entity_of(caller);
    // Neither a type's name nor an id of ours has anything to escape.
    let text = format!(r#"{{"type":"{kind}","id":"{id}"}}"#);
    RawValue::from_string(text).map_err(|error| Problem::new(Code::InternalError).cause(error))
}

/// Whether a principal, as it was sent, is this caller.
pub(super) fn is_about(pinned: &Pinned, principal: &RawValue, caller: &Caller) -> bool {
    let text = principal.get();
    if !text.contains('\\') && !text.contains(caller.name()) {
        return false;
    }
    let uid = |text: &str| -> Option<EntityUid> { entity_uid(&serde_json::from_str(text).ok()?, "").ok() };
    let own = principal_of(pinned, caller).ok().and_then(|own| uid(own.get()));
    own.is_some() && uid(text) == own
}

/// Whether entities, where there are any, are a list.
pub(super) fn is_array(entities: Option<&RawValue>) -> bool {
    entities.is_none_or(|entities| entities.get().starts_with('['))
}

/// A field that is there, be it `null`: only an array will do.
pub(super) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}
