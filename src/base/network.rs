//! Networks as people write them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Reads a network, or one address. A v4 network that is spelled in v6 is the v4 network; what lies beyond its
/// length is cut off.
///
/// Errors: what is wrong.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let wrong = || format!("`{text}` is not a network such as `203.0.113.0/24` or an address");
    let network =
        text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| wrong())?;
    match network {
        IpNet::V6(v6) => match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
            (Some(v4), Some(length)) => {
                IpNet::new(IpAddr::V4(v4), length).map(|it| it.trunc()).map_err(|_| wrong())
            }
            _ => Ok(network.trunc()),
        },
        IpNet::V4(_) => Ok(network.trunc()),
    }
}

/// Whether a list of networks lets an address in. An empty one lets in everyone; an address that is not known is on
/// no other.
#[must_use]
pub fn lets_in(networks: &[IpNet], ip: Option<IpAddr>) -> bool {
    let listed = |ip: IpAddr| networks.iter().any(|network| network.contains(&ip.to_canonical()));
    networks.is_empty() || ip.is_some_and(listed)
}
