//! URLs that are only scheme, host and port.

use std::net::Ipv6Addr;

use super::Problems;

/// Adds a problem unless `text` is `http://` or `https://`, a host and at most a port, in the form in
/// which a browser writes an origin (RFC 6454 §6.2): lower case, no default port, nothing after it.
pub(super) fn check_origin(found: &mut Problems, key: &'static str, text: &str) {
    if let Err(why) = parse(text) {
        found.add(key, format!("`{text}` is not a plain origin such as `https://auth.example.com`: {why}"));
    }
}

fn parse(text: &str) -> Result<(), &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("there is no scheme")?;
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err("the scheme is neither `http` nor `https`"),
    };
    if rest.contains(['/', '?', '#']) {
        return Err("there is something after host and port, perhaps a trailing slash");
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
            address.parse::<Ipv6Addr>().map_err(|_| "the host is not an IPv6 address")?;
            (None, if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or("")) })
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(rest), None),
        },
    };
    if host.is_some_and(|host| !is_host(host)) {
        return Err("the host is not one, in lower case");
    }
    match port.map(|port| port.parse::<u16>().map_err(|_| port)) {
        Some(Ok(port)) if port == default_port => Err("the default port is left out"),
        Some(Err(_) | Ok(0)) => Err("the port is not one"),
        _ => Ok(()),
    }
}

fn is_host(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn takes_what_a_browser_sends_and_nothing_else() {
        for good in [
            "http://localhost:8080",
            "https://auth.example.com",
            "https://xn--bcher-kva.example:8443",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "https://[2001:db8::1]",
        ] {
            assert_eq!(parse(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "localhost:8080",
            "ftp://a",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://user@a",
            "https://A.example",
            "https://a..b",
            "https://a:",
            "https://a:0",
            "https://a:443",
            "http://a:80",
            "https://a:99999",
            "https://*.example.com",
            "https://[::1",
            "https://[::1]8080",
            "https://-a",
            "https://a b",
        ] {
            assert!(parse(bad).is_err(), "`{bad}` was taken");
        }
    }
}
