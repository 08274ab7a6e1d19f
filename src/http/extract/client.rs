//! Who is at the other end of the connection, as far as the network can tell.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{ORIGIN, USER_AGENT},
        request::Parts,
    },
};
use ipnet::IpNet;

use crate::{
    authn::{UserCaller, proves_second_factor},
    base::Millis,
    http::{
        arrival::Arrival,
        codes::Code,
        problem::{Problem, Result},
        state::AppState,
    },
    policy::ServerContext,
    sessions::ClientInfo,
    tenants::{Origin, Tenant},
};

/// Most addresses of `X-Forwarded-For` that are looked at.
const MAX_HOPS: usize = 16;

/// What browsers call themselves, and what they run on (User-Agent Client Hints).
const BRANDS: HeaderName = HeaderName::from_static("sec-ch-ua");
const PLATFORM_HINT: HeaderName = HeaderName::from_static("sec-ch-ua-platform");

/// The client of this request.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Its address: the peer, or behind trusted proxies the first address that is not one of them.
    pub ip: Option<IpAddr>,
    /// The id of the request.
    pub request_id: Arc<str>,
    user_agent: Option<HeaderValue>,
    brands: Option<HeaderValue>,
    platform_hint: Option<HeaderValue>,
    origin: Option<HeaderValue>,
}

impl Client {
    /// What a session keeps of its client; `device` is the name and platform that it gave.
    pub fn info(&self, device: (Option<String>, Option<String>)) -> ClientInfo {
        let cut = |text: String, most: usize| text.chars().take(most).collect();
        ClientInfo {
            ip: self.ip,
            user_agent: text(self.user_agent.as_ref()).map(|agent| agent.chars().take(512).collect()),
            device_name: device.0.map(|name| cut(name, 100)),
            device_platform: device.1.map(|platform| cut(platform, 32)),
            device_key: None,
            brands: text(self.brands.as_ref()).map(ToOwned::to_owned),
            platform_hint: text(self.platform_hint.as_ref()).map(ToOwned::to_owned),
            origin: self.origin().map(ToOwned::to_owned),
        }
    }

    /// What the server knows of a request at `now`, for `context.bailiwick` (authorize.md §3).
    pub fn server_context<'a>(&'a self, user: Option<&'a UserCaller>, now: Millis) -> ServerContext<'a> {
        ServerContext {
            now: Some(now),
            ip: self.ip,
            amr: user.map(|user| &*user.amr),
            auth_time: user.map(|user| user.auth_time),
            session_id: user.map(|user| &*user.session),
            client_id: user.map(|user| &*user.claims.client_id),
            origin: self.origin(),
            mfa: user.map(|user| proves_second_factor(&user.amr)),
            ..ServerContext::default()
        }
    }

    /// The same for what is done to a tenant, with what its lists say of the request (R98).
    pub fn server_context_in(&self, tenant: &Tenant, now: Millis) -> ServerContext<'_> {
        self.listed(self.server_context(None, now), tenant)
    }

    /// What is known of this request, with what the lists of `tenant` say of it. An origin that cannot be read is one
    /// too: it is on no list.
    pub fn listed<'a>(&self, server: ServerContext<'a>, tenant: &Tenant) -> ServerContext<'a> {
        let settings = &tenant.settings;
        ServerContext {
            ip_allowed: settings.lists_address(self.ip),
            origin_allowed: settings.lists_origin(server.origin),
            ..server
        }
    }

    /// The client that this one, a service, speaks for: of whom it says the address and the origin of the page.
    #[must_use]
    pub fn of_service(&self, ip: Option<IpAddr>, origin: Option<&str>) -> Self {
        let request_id = Arc::clone(&self.request_id);
        // What cannot stand in a header is an origin all the same, and on no list.
        let opaque = || HeaderValue::from_static("null");
        let origin = origin.map(|origin| origin.parse().unwrap_or_else(|_| opaque()));
        Self { ip, request_id, origin, ..Self::default() }
    }

    /// Whether a page of some origin sent the request.
    pub fn has_origin(&self) -> bool {
        self.origin.is_some()
    }

    /// The origin whose page sent the request; empty when it cannot be read.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_ref().map(|origin| origin.to_str().unwrap_or_default())
    }

    /// The same client, as if a page of `origin` had sent the request.
    #[must_use]
    pub fn on_behalf_of(self, origin: &Origin) -> Self {
        Self { origin: HeaderValue::from_str(origin.as_str()).ok(), ..self }
    }
}

impl FromRequestParts<AppState> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> std::result::Result<Self, Infallible> {
        let arrival = parts.extensions.get::<Arrival>();
        let peer = arrival.and_then(Arrival::peer).map(|peer| peer.ip());
        Ok(Self {
            ip: peer.map(|peer| client_ip(peer, &parts.headers, &app.config.server.trusted_proxies)),
            request_id: arrival.map(|arrival| Arc::clone(&arrival.id)).unwrap_or_default(),
            user_agent: parts.headers.get(USER_AGENT).cloned(),
            brands: parts.headers.get(BRANDS).cloned(),
            platform_hint: parts.headers.get(PLATFORM_HINT).cloned(),
            origin: parts.headers.get(ORIGIN).cloned(),
        })
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}

/// An address in a body.
///
/// Errors: `validation_failed` that points at it.
pub fn address(pointer: &str, text: &str) -> Result<IpAddr> {
    let wrong =
        |_| Problem::new(Code::ValidationFailed).at(pointer, "is not an address such as `203.0.113.9`");
    text.parse::<IpAddr>().map(|ip| ip.to_canonical()).map_err(wrong)
}

/// Whether `peer` is one of the trusted proxies.
pub(in crate::http) fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&peer.to_canonical()))
}

/// Walks `X-Forwarded-For` from the right, over trusted proxies only (T23). Anything that is not a
/// plain address ends the walk at the last address that was believed.
fn client_ip(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    let mut lines = Vec::new();
    for line in headers.get_all("x-forwarded-for") {
        lines.push(line.to_str().unwrap_or("?"));
    }
    let joined = lines.join(",");
    for hop in joined.rsplit(',').take(MAX_HOPS) {
        if !is_trusted(client, trusted) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        client = address.to_canonical();
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leftmost_address_never_wins() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, forwarded, client) in [
            ("192.0.2.1", vec!["203.0.113.9"], "192.0.2.1"),
            ("10.0.0.1", vec!["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", vec!["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", vec!["1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", vec!["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["garbage"], "10.0.0.1"),
            ("10.0.0.1", vec!["1.1.1.1, garbage, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec!["203.0.113.9:443"], "10.0.0.1"),
            ("::ffff:10.0.0.1", vec!["::ffff:203.0.113.9"], "203.0.113.9"),
            ("::1", vec!["2001:db8::7"], "2001:db8::7"),
            ("::1", vec!["fe80::1%eth0"], "::1"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in &forwarded {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let found = client_ip(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_long_chain_ends() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", vec!["10.0.0.1"; 200].join(",").parse().unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(
            client_ip("10.0.0.1".parse().unwrap(), &headers, &trusted),
            "10.0.0.1".parse::<IpAddr>().unwrap()
        );
    }
}
