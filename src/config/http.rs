//! `[server]` and `[docs]`.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Listeners, limits and what is trusted in front of us.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Listener of the public API.
    pub public_addr: SocketAddr,
    /// Listener for services inside the trusted network: the public API and the internal routes.
    pub internal_addr: SocketAddr,
    /// Listener for health checks.
    pub admin_addr: SocketAddr,
    /// How callers reach the public listener, without a trailing slash. Default: `http://` and `public_addr`.
    pub public_url: Option<String>,
    /// Networks whose `X-Forwarded-For` and `X-Request-Id` are believed. Default: nobody.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins that browsers may call from. Default: none, so no CORS headers at all.
    pub cors_origins: Vec<String>,
    /// Largest request body, bytes.
    pub body_limit_bytes: usize,
    /// Largest body of `/v1/authorize` and of a published bundle, bytes.
    pub large_body_limit_bytes: usize,
    /// Time to send a request's headers, seconds.
    pub header_timeout_secs: u64,
    /// Time to send a request's body, seconds.
    pub body_timeout_secs: u64,
    /// Time to answer, seconds.
    pub request_timeout_secs: u64,
    /// Open connections a listener accepts at once.
    pub max_connections: usize,
    /// Time that requests under way are given at shutdown, seconds.
    pub drain_timeout_secs: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            public_addr: SocketAddr::from(([127, 0, 0, 1], 8080)),
            internal_addr: SocketAddr::from(([127, 0, 0, 1], 8081)),
            admin_addr: SocketAddr::from(([127, 0, 0, 1], 8082)),
            public_url: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            body_limit_bytes: 64 * 1024,
            large_body_limit_bytes: 1024 * 1024,
            header_timeout_secs: 5,
            body_timeout_secs: 10,
            request_timeout_secs: 15,
            max_connections: 10_000,
            drain_timeout_secs: 20,
        }
    }
}

/// Swagger UI.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DocsConfig {
    /// Whether `/docs` and `/openapi.json` are served.
    pub enabled: bool,
}

impl Default for DocsConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}
