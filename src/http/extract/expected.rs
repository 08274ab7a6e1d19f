//! `If-Match` (RFC 9110 §13.1.1): a write happens only to the thing that the caller has seen.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header::IF_MATCH, request::Parts},
};

use crate::{base::IfMatch, http::state::AppState};

/// What the request expects of the thing that it is about; without the header, nothing.
#[derive(Debug)]
pub struct Expected(pub IfMatch);

impl FromRequestParts<AppState> for Expected {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _app: &AppState) -> Result<Self, Infallible> {
        Ok(Self(read(&parts.headers)))
    }
}

/// The entity tag of a revision (RFC 9110 §8.8.3).
pub fn entity_tag(revision: i64) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{revision}\"")).ok()
}

fn read(headers: &HeaderMap) -> IfMatch {
    if !headers.contains_key(IF_MATCH) {
        return IfMatch::Anything;
    }
    let texts = headers.get_all(IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags: Vec<&str> = texts.flat_map(|text| text.split(',')).map(str::trim).collect();
    if tags == ["*"] {
        return IfMatch::Exists;
    }
    // A tag that nothing of ours ever had, a weak one included, matches none.
    let known = |tag: &&str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    IfMatch::OneOf(tags.iter().filter_map(known).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_revisions() {
        let read_one =
            |text: &'static str| read(&HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(text))]));
        let of = |numbers: &[i64]| IfMatch::OneOf(numbers.to_vec());
        assert_eq!(read(&HeaderMap::new()), IfMatch::Anything);
        assert_eq!(read_one("*"), IfMatch::Exists);
        for (text, expected) in [
            ("\"42\"", of(&[42])),
            ("\"1\", \"2\"", of(&[1, 2])),
            ("W/\"42\"", of(&[])),
            ("42", of(&[])),
            ("", of(&[])),
            ("\"x\", \"7\"", of(&[7])),
            ("*, \"7\"", of(&[7])),
            ("\"99999999999999999999\"", of(&[])),
        ] {
            assert_eq!(read_one(text), expected, "{text}");
        }
    }
}
