//! Asking for tokens.

use axum::{
    http::{HeaderMap, header::PRAGMA},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    bodies::{OAuthToken, OAuthTokenRequest, token_sample},
    proof::client_of,
};
use crate::{
    base::PlainToken,
    clients::Grant,
    http::{
        actions::{Action, IssueToken},
        codes::Code,
        extract::{Client as Peer, Form, Json},
        problem::{Problem, Result},
        state::AppState,
    },
    oauth::{Asked, ExchangeAsked},
    policy::ServerContext,
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(issue_token))
}

/// Get a token
///
/// For a client itself (`client_credentials`), for the holder of a refresh token (`refresh_token`), or for a user on
/// whose behalf the client acts (`urn:ietf:params:oauth:grant-type:token-exchange`, RFC 8693): that token is for one
/// of the client's audiences, has no more scopes than the exchanged one, names in `act` who acts, three at most, and
/// ends with the exchanged one at the latest.
///
/// The client proves itself by `Authorization: Basic` or by an assertion (RFC 7523). Whether a token is issued, and
/// with which scopes, is decided by the policies.
#[utoipa::path(
    post, path = "/v1/oauth/token", tag = "oauth",
    request_body(content = OAuthTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = OK, body = OAuthToken, example = json!(token_sample()))),
    security(("client_basic" = [])),
    extensions(
        ("x-bailiwick-action" = json!(IssueToken::NAME)),
        ("x-problem-codes" = json!(["invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target", "policy_violation", "no_active_version"])),
    ),
)]
async fn issue_token(app: AppState, peer: Peer, headers: HeaderMap, form: Form) -> Result<Response> {
    let client = client_of(&app, &headers, &form).await?;
    let name = client.id.to_string();
    let server = server_of(&app, &peer, &name);
    let grant = form.needed("grant_type")?;
    let grant = Grant::named(grant).ok_or_else(|| Problem::new(Code::UnsupportedGrantType))?;
    let asked = Asked {
        scopes: form.get("scope").map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect()),
        audience: form.get("audience").or_else(|| form.get("resource")).map(str::to_owned),
    };
    let (issued, kind) = match grant {
        Grant::ClientCredentials => (app.oauth.client_credentials(&client, asked, &server).await?, None),
        Grant::RefreshToken => {
            let about = (&peer.info((None, None)), Some(&*peer.request_id), &server);
            (app.oauth.refresh(&client, form.needed("refresh_token")?, &asked, about).await?, None)
        }
        Grant::TokenExchange => {
            let exchanged = ExchangeAsked { subject_token: subject_of(&form)?, asked };
            (app.oauth.exchange(&client, exchanged, &server).await?, Some(ACCESS_TOKEN))
        }
    };
    Ok(([(PRAGMA, "no-cache")], Json(OAuthToken::of(issued, kind))).into_response())
}

/// What the server knows of a request of a client's.
pub(super) fn server_of<'a>(app: &AppState, peer: &'a Peer, client: &'a str) -> ServerContext<'a> {
    ServerContext { client_id: Some(client), ..peer.server_context(None, app.clock.now()) }
}

fn subject_of(form: &Form) -> Result<PlainToken> {
    let refuse = |what: &str| Problem::new(Code::InvalidRequest).detail(what.to_owned());
    let token = form.needed("subject_token")?;
    if form.needed("subject_token_type")? != ACCESS_TOKEN {
        return Err(refuse("`subject_token_type` must be that of an access token"));
    }
    if form.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(refuse("`requested_token_type` must be that of an access token"));
    }
    if form.get("actor_token").is_some() {
        return Err(refuse("`actor_token` is not taken: the client is who acts"));
    }
    Ok(PlainToken::new(token.to_owned()))
}
