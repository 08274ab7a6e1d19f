//! The OpenAPI document as a contract: every answer that a test sees must be one that the document
//! promises for its operation: status, problem code, media type and shape of the body.

use std::sync::LazyLock;

use axum::http::Method;
use bailiwick::http::{ALIASES, POST_REFRESH, openapi};
use serde_json::{Map, Value};

use crate::app::Reply;

/// The document.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);

/// An operation of the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) about: &'static Map<String, Value>,
}

impl Operation {
    /// The action that guards it.
    pub(crate) fn action(&self) -> &'static str {
        self.about[openapi::ACTION].as_str().unwrap()
    }

    /// The schema of its body, references resolved at the top.
    pub(crate) fn body(&self) -> Option<&'static Value> {
        let schema = self.about.get("requestBody")?.pointer("/content/application~1json/schema")?;
        Some(resolve(schema))
    }

    /// Whether it refuses callers without a token.
    pub(crate) fn needs_token(&self) -> bool {
        let schemes = self.about.get("security").and_then(Value::as_array);
        let is_open = |scheme: &Value| scheme.as_object().is_none_or(serde_json::Map::is_empty);
        let takes_bearer = |scheme: &Value| scheme.get("bearer").is_some();
        schemes.is_some_and(|schemes| schemes.iter().any(takes_bearer) && !schemes.iter().any(is_open))
    }

    /// Whether it wants a client of OAuth 2.0 to prove itself.
    pub(crate) fn needs_client(&self) -> bool {
        let schemes = self.about.get("security").and_then(Value::as_array);
        schemes.is_some_and(|schemes| schemes.iter().any(|scheme| scheme.get("client_basic").is_some()))
    }

    /// Names of its parameters of a kind: `path` or `query`.
    pub(crate) fn parameters(&self, kind: &str) -> Vec<&'static str> {
        let listed = self.about.get("parameters").and_then(Value::as_array);
        let of_kind = listed.into_iter().flatten().filter(|parameter| parameter["in"] == kind);
        of_kind.filter_map(|parameter| parameter["name"].as_str()).collect()
    }

    /// Whether only services may ask, on the internal listener.
    pub(crate) fn is_internal(&self) -> bool {
        self.about["tags"][0] == "internal"
    }
}

/// Every operation, by path and method.
pub(crate) fn operations() -> Vec<Operation> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, about) in item.as_object().unwrap() {
            if let Some(about) = about.as_object().filter(|about| about.contains_key("operationId")) {
                operations.push(Operation { method, path, about });
            }
        }
    }
    operations.sort_by_key(|operation| (operation.path, operation.method));
    operations
}

/// Follows `$ref`.
pub(crate) fn resolve(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            resolve(DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("`{reference}` leads nowhere")))
        }
        None => schema,
    }
}

/// Checks an answer against the document.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, reply: &Reply) {
    assert_headers(reply);
    let status = reply.status.as_u16();
    let is_older_form = path == POST_REFRESH && status < 400;
    if *method == Method::OPTIONS || path.starts_with("/docs") || path == "/openapi.json" || is_older_form {
        return;
    }
    // The path of an older client is another name for one of the document.
    let older = ALIASES.iter().chain([&(POST_REFRESH, "/v1/auth/refresh")]).find(|(alias, _)| *alias == path);
    let path = older.filter(|_| status != 404).map_or(path, |(_, of)| of);
    let profile = path.starts_with("/users/").then(|| format!("/v1{path}"));
    let path = profile.as_deref().unwrap_or(path);
    let Some(operation) = operation_of(method, path) else {
        assert!(matches!(status, 404 | 405), "{method} {path} is not documented and answers {status}");
        return reply.assert_problem();
    };
    let name = format!("{method} {}", operation.path);
    let documented = operation.about["responses"].get(status.to_string());
    let documented =
        documented.unwrap_or_else(|| panic!("{name} answers an undocumented {status}: {}", reply.text));
    if *method == Method::HEAD {
        return assert_eq!(reply.text, "", "{name} has a body");
    }
    let media = reply.header("content-type");
    if media == "application/problem+json" {
        reply.assert_problem();
        let code = reply.body["code"].as_str().unwrap();
        let examples = &documented["content"]["application/problem+json"]["examples"];
        assert!(examples.get(code).is_some(), "{name} answers an undocumented `{code}`: {}", reply.text);
        return;
    }
    let is_oauth = path.starts_with("/v1/oauth/"); // errors there have the form of RFC 6749
    let may_fail = is_oauth || path == "/readyz";
    assert!(status < 400 || may_fail, "{name} answers {status} without a problem: {}", reply.text);
    let Some(content) = documented.get("content").and_then(|content| content.as_object()) else {
        assert_eq!(reply.text, "", "{name}: a {status} without a documented body has one");
        return;
    };
    let schema = content.get(media).unwrap_or_else(|| panic!("{name} answers an undocumented `{media}`"));
    let mut wrong = Vec::new();
    let text = Value::String(reply.text.clone()); // the body of what is no JSON
    let is_json = media.ends_with("/json") || media.ends_with("+json");
    let body = if is_json { &reply.body } else { &text };
    fit(&schema["schema"], body, "", &mut wrong);
    assert!(wrong.is_empty(), "{name}: the body is not as documented: {wrong:?}: {}", reply.text);
}

/// What every answer carries, problems and unknown paths included.
#[track_caller]
fn assert_headers(reply: &Reply) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(reply.header(name), value, "{name} of {} {}", reply.status, reply.text);
    }
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(reply.headers.contains_key("cache-control"));
    assert!(reply.header("x-request-id").len() >= 8);
}

/// The operation that a request reaches: of two paths that fit, the one with more literal segments.
fn operation_of(method: &Method, path: &str) -> Option<Operation> {
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let segments: Vec<&str> = template.split('/').collect();
        segments.len() == asked.len()
            && segments
                .iter()
                .zip(&asked)
                .all(|(wanted, given)| wanted == given || (wanted.starts_with('{') && !given.is_empty()))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let best = paths.keys().filter(|path| fits(path)).min_by_key(|path| path.matches('{').count())?;
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    operations().into_iter().find(|operation| operation.path == best && operation.method == method)
}

/// Collects where `value` does not fit `schema` (the part of JSON Schema that the document uses). A
/// member that the schema does not know is a misfit: it would be undocumented.
fn fit(schema: &'static Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let schema = resolve(schema);
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let misfits = choices.iter().map(|choice| {
            let mut found = Vec::new();
            fit(choice, value, at, &mut found);
            found
        });
        if let Some(best) = misfits.min_by_key(Vec::len) {
            wrong.extend(best);
        }
        return;
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    if !types.iter().any(|kind| is_of(kind, value)) {
        wrong.push(format!("{at}: {value} is none of {types:?}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        wrong.push(format!("{at}: {value} is none of {words:?}"));
    }
    match value {
        Value::Object(members) => fit_members(schema, members, at, wrong),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                fit(&schema["items"], item, &format!("{at}/{place}"), wrong);
            }
        }
        _ => {}
    }
}

fn fit_members(schema: &'static Value, members: &Map<String, Value>, at: &str, wrong: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            wrong.push(format!("{at}/{name} is missing"));
        }
    }
    for (name, member) in members {
        match properties.get(name) {
            Some(property) => fit(property, member, &format!("{at}/{name}"), wrong),
            None => wrong.push(format!("{at}/{name} is not documented")),
        }
    }
}

/// Whether a value is of a JSON Schema type.
pub(crate) fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("`{other}` is not a type"),
    }
}

/// Whether this is the answer to a batch that denies every item as a wrong one.
pub(crate) fn are_all_wrong(body: &Value) -> bool {
    let is_wrong =
        |answer: &Value| answer["decision"] == "deny" && answer["errors"][0]["pointer"].is_string();
    body["answers"].as_array().is_some_and(|answers| answers.iter().all(is_wrong))
}
