//! `[server]` and `[docs]`.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::{Problems, origin::check_origin, section::section};

section! {
    /// Listeners, limits and what is trusted in front of us.
    struct ServerConfig in "server" {
        /// Listener of the public API.
        public_addr: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        /// Listener for services inside the trusted network: the public API and the internal routes.
        internal_addr: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8081)),
        /// Listener for health checks and metrics.
        admin_addr: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8082)),
        /// How callers reach the public listener, without a trailing slash. Default: `http://` and
        /// `public_addr`, or `localhost` where that is every address.
        public_url: Option<String> = None,
        /// Networks whose `X-Forwarded-For` and `X-Request-Id` are believed. Default: nobody.
        trusted_proxies: Vec<IpNet> = Vec::new(),
        /// Whether the paths of older clients, such as `/signup` and `/auth/post-refresh`, are served too.
        compat_routes: bool = false,
        /// Origins whose pages may call, with cookies too. Pages of the origins that a tenant lists may call the public
        /// listener besides, with tokens of their own.
        cors_origins: Vec<String> = Vec::new(),
        /// Largest request body, bytes.
        body_limit_bytes: usize = 64 * 1024,
        /// Largest body of `/v1/authorize`, bytes.
        large_body_limit_bytes: usize = 1024 * 1024,
        /// Questions of one `/v1/authorize/batch`, at most.
        batch_limit: usize = 1000,
        /// Largest body that publishes a policy version, bytes.
        bundle_limit_bytes: usize = 32 * 1024 * 1024,
        /// Largest body that replaces all entities of a store, bytes.
        entities_limit_bytes: usize = 256 * 1024 * 1024,
        /// Time to send such a body and to have it stored, seconds.
        entities_timeout_secs: u64 = 300,
        /// Time to send a request's headers, seconds.
        header_timeout_secs: u64 = 5,
        /// Time that a connection may rest between requests, seconds: longer than clients and proxies keep theirs.
        idle_timeout_secs: u64 = 120,
        /// Time to send a request's body, seconds.
        body_timeout_secs: u64 = 10,
        /// Time to answer, seconds.
        request_timeout_secs: u64 = 15,
        /// Open connections a listener accepts at once.
        max_connections: usize = 10_000,
        /// Streams of revocations that services may have open at once; those of one tenant a tenth of them.
        max_streams: usize = 100,
        /// Time that requests under way are given at shutdown, seconds.
        drain_timeout_secs: u64 = 20,
    }
}

section! {
    /// Swagger UI.
    struct DocsConfig in "docs" {
        /// Whether `/docs` and `/openapi.json` are served.
        enabled: bool = true,
    }
}

impl ServerConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        if let Some(url) = &self.public_url {
            check_origin(found, "server.public_url", url);
        }
        for origin in &self.cors_origins {
            check_origin(found, "server.cors_origins", origin);
        }
        let addresses = [
            ("server.internal_addr", self.internal_addr, [self.public_addr, self.admin_addr]),
            ("server.admin_addr", self.admin_addr, [self.public_addr, self.internal_addr]),
        ];
        for (key, address, others) in addresses {
            if address.port() != 0 && others.contains(&address) {
                found.add(key, format!("`{address}` is the address of another listener too"));
            }
        }
        found.within("server.body_limit_bytes", self.body_limit_bytes as u64, 1..=1 << 30);
        let (small, large) = (self.body_limit_bytes, self.large_body_limit_bytes);
        found.within("server.large_body_limit_bytes", large as u64, small as u64..=1 << 30);
        found.within("server.bundle_limit_bytes", self.bundle_limit_bytes as u64, small as u64..=1 << 30);
        found.within("server.entities_limit_bytes", self.entities_limit_bytes as u64, small as u64..=1 << 34);
        for (key, seconds) in [
            ("server.entities_timeout_secs", self.entities_timeout_secs),
            ("server.header_timeout_secs", self.header_timeout_secs),
            ("server.idle_timeout_secs", self.idle_timeout_secs),
            ("server.body_timeout_secs", self.body_timeout_secs),
            ("server.request_timeout_secs", self.request_timeout_secs),
        ] {
            found.within(key, seconds, 1..=3600);
        }
        found.within("server.drain_timeout_secs", self.drain_timeout_secs, 0..=3600);
        found.within("server.max_streams", self.max_streams as u64, 1..=10_000);
        found.within("server.max_connections", self.max_connections as u64, 1..=1_000_000);
    }

    pub(super) fn weaknesses(&self, found: &mut Problems) {
        if !self.public_addr.ip().is_loopback() {
            match &self.public_url {
                Some(url) if url.starts_with("https://") => {}
                Some(url) => found.add(
                    "server.public_url",
                    format!("`{url}` is not https while the public listener is open to the network"),
                ),
                None => found.add(
                    "server.public_url",
                    "not set while the public listener is open to the network: tokens would name an issuer \
                     that other machines cannot reach",
                ),
            }
        }
        if self.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
            found.add("server.trusted_proxies", "every caller is believed about its own address");
        }
    }
}
