//! Form bodies, as OAuth 2.0 sends them (RFC 6749 appendix B).

use std::{collections::BTreeMap, fmt};

use axum::{
    extract::{FromRequest, Request},
    http::header::CONTENT_TYPE,
};

use super::json::read_bytes;
use crate::http::{
    codes::Code,
    problem::{Problem, Result},
    state::AppState,
};

/// The fields of a form, each given once and with a value.
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// A field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A field that must be there.
    ///
    /// Errors: `invalid_request`.
    pub fn needed(&self, name: &str) -> Result<&str> {
        self.get(name)
            .ok_or_else(|| Problem::new(Code::InvalidRequest).detail(format!("`{name}` is missing")))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let refuse = |what: String| Err(Problem::new(Code::InvalidRequest).detail(what));
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if value.contains('\0') {
                return refuse("a field contains the character U+0000".to_owned());
            }
            // A field without a value is treated as if it were not there (RFC 6749 §3.2).
            if !value.is_empty() && fields.insert(name.into_owned(), value.into_owned()).is_some() {
                return refuse("a field is given twice".to_owned());
            }
        }
        Ok(Self(fields))
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish() // there may be a secret among the values
    }
}

impl FromRequest<AppState> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let said = "the body must be application/x-www-form-urlencoded";
            return Err(Problem::new(Code::UnsupportedMediaType).detail(said));
        }
        Self::parse(&read_bytes(request, app, app.config.server.body_limit_bytes).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_one_value() {
        let form = Form::parse(b"grant_type=client_credentials&scope=a+b%20c&empty=&x").unwrap();
        assert_eq!((form.get("scope"), form.get("empty"), form.get("x")), (Some("a b c"), None, None));
        assert_eq!(form.needed("grant_type").unwrap(), "client_credentials");
        assert_eq!(form.needed("empty").unwrap_err().code(), Code::InvalidRequest);
        for wrong in ["a=1&a=1", "a=1&b=2&a=", "a=1&%61=2", "a=%00"] {
            let parsed = Form::parse(wrong.as_bytes());
            assert_eq!(parsed.is_err(), wrong != "a=1&b=2&a=", "{wrong}");
        }
        assert_eq!(format!("{form:?}"), r#"{"grant_type", "scope"}"#);
    }
}
