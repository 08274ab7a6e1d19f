//! `bailiwick health`: the health check of a container.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use clap::Args;

use super::{args::Global, run::Outcome};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to ask [default: `/readyz` of the configured admin listener]
    #[arg(long)]
    url: Option<String>,
    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// Good when the answer is 200; a failure, never a finding, otherwise: its text says why.
pub(super) fn run(global: &Global, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => format!("http://{}/readyz", reachable(global.load()?.config.server.admin_addr)),
    };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(arguments.timeout)))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None) // the server is on this machine, whatever the environment says of others
        .build()
        .into();
    let answer = agent.get(&url).call().with_context(|| format!("`{url}` does not answer"))?;
    anyhow::ensure!(answer.status().as_u16() == 200, "`{url}` answers {}", answer.status());
    Ok(Outcome::Good)
}

/// Where a listener on `address` is reached from the same machine.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}
