//! JSON bodies, read under a limit and a deadline.

use std::{fmt::Display, str::FromStr, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::http::{
    codes::Code,
    problem::{Problem, Result},
    state::AppState,
    timers::Timers,
};

/// Room for most answers, bytes.
const ANSWER_BYTES: usize = 512;

/// A body under the ordinary limit; also the form of JSON answers.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A body under the limit of decisions.
#[derive(Debug)]
pub struct LargeJson<T>(pub T);

/// A body under the limit of decisions, for who reads it without copying.
pub struct LargeBody(Bytes);

/// A JSON answer that was written from borrowed data.
#[derive(Debug)]
pub struct Written(Vec<u8>);

/// A body under the limit of published bundles.
#[derive(Debug)]
pub struct BundleJson<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Written::of(&self.0).into_response()
    }
}

impl Written {
    /// Writes `answer`.
    ///
    /// Errors: `internal_error` when it has no JSON form.
    pub fn of(answer: &impl Serialize) -> Result<Self> {
        let mut bytes = Vec::with_capacity(ANSWER_BYTES);
        match serde_json::to_writer(&mut bytes, answer) {
            Ok(()) => Ok(Self(bytes)),
            Err(error) => Err(Problem::new(Code::InternalError).cause(error)),
        }
    }

    /// The JSON text.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for Written {
    /// What was written before.
    fn from(json: Vec<u8>) -> Self {
        Self(json)
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.0));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self> {
        let bytes = read_json(request, app, app.config.server.body_limit_bytes).await?;
        parse_stored(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for LargeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self> {
        parse(LargeBody::from_request(request, app).await?.bytes()).map(Self)
    }
}

impl FromRequest<AppState> for LargeBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self> {
        read_json(request, app, app.config.server.large_body_limit_bytes).await.map(Self)
    }
}

impl LargeBody {
    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The body as text, unless it is none. To be read as JSON: of bytes, every value is looked at for being UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// What is wrong with the body, which is no `T`. Slow: it reads the body again, to name the field.
    pub fn problem<T: DeserializeOwned>(&self) -> Problem {
        problem_of::<T>(&self.0)
    }
}

/// What is wrong with a JSON text that is no `T`. Slow, as [`LargeBody::problem`].
pub fn problem_of<T: DeserializeOwned>(json: &[u8]) -> Problem {
    let unknown = || Problem::new(Code::MalformedJson).detail("the JSON text cannot be read");
    parse::<T>(json).err().unwrap_or_else(unknown)
}

impl std::fmt::Debug for LargeBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LargeBody({} bytes)", self.0.len()) // there may be a token in it
    }
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<AppState> for BundleJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self> {
        let bytes = read_json(request, app, app.config.server.bundle_limit_bytes).await?;
        // Megabytes take milliseconds, in which a thread that answers requests would answer none.
        let parsed = tokio::task::spawn_blocking(move || parse_stored(&bytes)).await;
        parsed.unwrap_or_else(|error| Err(Problem::new(Code::InternalError).cause(error))).map(Self)
    }
}

/// Reads a text of a body into the type that it must be.
///
/// Errors: `validation_failed` that points at the field and says what the type asks for.
pub fn field<T: FromStr<Err: Display>>(pointer: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error: T::Err| Problem::new(Code::ValidationFailed).at(pointer, error.to_string()))
}

/// The bytes of a JSON body.
///
/// Errors: `unsupported_media_type`, and those of [`read_bytes`].
pub(super) fn read_json(
    request: Request,
    app: &AppState,
    limit: usize,
) -> impl Future<Output = Result<Bytes>> + use<> {
    let read = is_json(request.headers()).then(|| read_bytes(request, app, limit));
    async {
        match read {
            Some(read) => read.await,
            None => Err(Problem::new(Code::UnsupportedMediaType)),
        }
    }
}

/// The bytes of a body, under a limit and the deadline. Only the body is kept while it is read.
///
/// Errors: `payload_too_large`, `request_timeout`, `malformed_json` when the connection broke.
pub(super) fn read_bytes(
    request: Request,
    app: &AppState,
    limit: usize,
) -> impl Future<Output = Result<Bytes>> + use<> {
    let deadline = Duration::from_secs(app.config.server.body_timeout_secs);
    let timers = Timers::of(request.extensions());
    let read = timers.within(deadline, collect(Limited::new(request.into_body(), limit), limit));
    read.map(|read| read.unwrap_or_else(|| Err(Problem::new(Code::RequestTimeout))))
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kinds = ["application/json", "application/merge-patch+json"]; // the second is RFC 7396's own
    essence.split(';').next().is_some_and(|kind| kinds.iter().any(|it| kind.trim().eq_ignore_ascii_case(it)))
}

async fn collect(mut body: Limited<Body>, limit: usize) -> Result<Bytes> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Problem::new(Code::PayloadTooLarge).detail(format!("at most {limit} bytes are read here"))
            } else {
                Problem::new(Code::MalformedJson).detail("the body broke off")
            }
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data); // most bodies come in one piece
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// Reads what may be stored: Postgres cannot keep U+0000 in a text, so no text may contain it.
pub(super) fn parse_stored<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let parsed = parse(bytes)?;
    if has_nul(bytes) {
        return Err(
            Problem::new(Code::ValidationFailed).at("", "texts must not contain the character U+0000")
        );
    }
    Ok(parsed)
}

/// Whether a JSON text has the escape of U+0000 in it; unescaped it is not JSON.
fn has_nul(json: &[u8]) -> bool {
    let mut rest = json.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'\\' && rest.next() == Some(&b'u') && rest.as_slice().starts_with(b"0000") {
            return true;
        }
    }
    false
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let reader = &mut serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut *reader).map_err(|error| {
        let pointer = pointer(error.path());
        refuse(error.inner(), pointer, bytes)
    })?;
    reader.end().map_err(|error| refuse(&error, String::new(), bytes))?;
    // serde reads an array as an object's members in turn, and an empty one as an object without any.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::new(Code::ValidationFailed).at(String::new(), "must be an object"));
    }
    Ok(parsed)
}

fn refuse(error: &serde_json::Error, mut pointer: String, bytes: &[u8]) -> Problem {
    let text = error.to_string();
    let (message, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
    // A null in the place of a word, a number out of range and deep nesting are syntax errors to serde_json.
    let is_json =
        || std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    if error.classify() != serde_json::error::Category::Data && !is_json() {
        let place = format!("{message} at line {}, column {}", error.line(), error.column());
        return Problem::new(Code::MalformedJson).detail(place);
    }
    // These two are reported at the object that holds, or lacks, the field.
    for (opening, known) in [("unknown field `", "is not a known field"), ("missing field `", "is missing")] {
        if let Some((field, _)) = message.strip_prefix(opening).and_then(|rest| rest.split_once('`')) {
            let segment = format!("/{}", escape(field));
            if !pointer.ends_with(&segment) {
                pointer.push_str(&segment);
            }
            return Problem::new(Code::ValidationFailed).at(pointer, known);
        }
    }
    Problem::new(Code::ValidationFailed).at(pointer, plain(message))
}

/// A JSON pointer (RFC 6901) out of a path such as `entities[0].uid`.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Says in the words of JSON what serde says in the words of Rust.
fn plain(message: &str) -> String {
    let mut words = Vec::new();
    let mut skip_name = false;
    for word in message.split(' ') {
        let bare = word.trim_end_matches(',');
        let translated = match bare {
            _ if skip_name => {
                skip_name = false;
                continue;
            }
            "struct" => {
                skip_name = true;
                "an object"
            }
            "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
            "f32" | "f64" => "a number",
            "bool" => "true or false",
            "map" => "object",
            "sequence" => "array",
            other => other,
        };
        words.push(format!("{translated}{}", if word.ends_with(',') { "," } else { "" }));
    }
    words
        .join(" ")
        .replace("a an object", "an object")
        .replace("a object", "an object")
        .replace("a array", "an array")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Body {
        name: String,
        age: Option<u32>,
        inner: Option<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Inner {
        flag: bool,
    }

    fn problem(body: &[u8]) -> serde_json::Value {
        let rendered = parse::<Body>(body).unwrap_err().render("/x", "r");
        let bytes = futures_util::FutureExt::now_or_never(rendered.into_body().collect())
            .unwrap()
            .unwrap()
            .to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn sees_an_escaped_nul_only() {
        assert!(has_nul(br#"{"a":"x\u0000"}"#) && has_nul(br#""\\\u0000""#));
        assert!(!has_nul(br#""\\u0000""#) && !has_nul(br#""\u0001 u0000""#) && !has_nul(b"\\"));
    }

    #[test]
    fn names_the_place_and_speaks_json() {
        for (body, code, pointer, detail) in [
            (r#"{"name":1}"#, "validation_failed", "/name", "invalid type: integer `1`, expected a string"),
            (
                r#"{"name":"a","age":-1}"#,
                "validation_failed",
                "/age",
                "invalid value: integer `-1`, expected a whole number",
            ),
            (r#"{"nam":"a"}"#, "validation_failed", "/nam", "is not a known field"),
            (r"{}", "validation_failed", "/name", "is missing"),
            (
                r#"{"name":"a","inner":[{"flag":1}]}"#,
                "validation_failed",
                "/inner/0/flag",
                "invalid type: integer `1`, expected a boolean",
            ),
            (
                r#"{"name":"a","inner":[{"~/":1}]}"#,
                "validation_failed",
                "/inner/0/~0~1",
                "is not a known field",
            ),
            (r"3", "validation_failed", "", "invalid type: integer `3`, expected an object"),
        ] {
            let problem = problem(body.as_bytes());
            assert_eq!(problem["code"], code, "{body}: {problem}");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
            assert_eq!(problem["errors"][0]["detail"], detail, "{body}");
        }
        for body in [&b"{"[..], b"", b"{\"name\":\"\xff\"}", br#"{"name":"a"} x"#, b"nul"] {
            assert_eq!(problem(body)["code"], "malformed_json", "{body:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(problem(deep.as_bytes())["code"], "validation_failed");
    }
}
