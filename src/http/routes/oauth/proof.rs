//! How a client proves who it is in a request (RFC 6749 §2.3, RFC 7523 §2.2).

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD},
};
use secrecy::SecretString;

use crate::{
    clients::{Client, Proof},
    http::{
        codes::Code,
        extract::Form,
        problem::{Problem, Result},
        state::AppState,
    },
};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client that sends a request.
///
/// Errors: `invalid_client`, the same for whoever is none; `invalid_request` when there is more than one proof.
pub(super) async fn client_of(app: &AppState, headers: &HeaderMap, form: &Form) -> Result<Client> {
    let proof = proof(headers, form)?;
    let client = app.clients.authenticate(&proof).await?;
    let named = form.get("client_id");
    if named.is_some_and(|named| named != client.id.to_string()) {
        return Err(Problem::new(Code::InvalidClient));
    }
    Ok(client)
}

fn proof(headers: &HeaderMap, form: &Form) -> Result<Proof> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (header, more) = (values.next(), values.next());
    let assertion = form.get("client_assertion");
    if more.is_some() || (header.is_some() && assertion.is_some()) {
        return Err(
            Problem::new(Code::InvalidRequest).detail("the client proves itself in more than one way")
        );
    }
    let unproven = || Problem::new(Code::InvalidClient);
    if let Some(assertion) = assertion {
        let fits = form.get("client_assertion_type") == Some(ASSERTION_TYPE);
        return fits.then(|| Proof::Assertion(SecretString::from(assertion))).ok_or_else(unproven);
    }
    let (client_id, secret) = header.and_then(|value| basic(value.to_str().ok()?)).ok_or_else(unproven)?;
    Ok(Proof::Secret { client_id, secret })
}

/// Id and secret of a `Basic` header; both are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(value: &str) -> Option<(String, SecretString)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let encoded = encoded.trim();
    let bytes = BASE64_STANDARD.decode(encoded).or_else(|_| BASE64_STANDARD_NO_PAD.decode(encoded)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pair = format!("_={text}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    // A `+` or `%` in what is joined was put there by the encoding, and an `&` by nobody.
    if id.contains('&') || secret.contains('&') {
        return None;
    }
    Some((decoded(id)?, SecretString::from(decoded(secret)?)))
}
