//! Web origins (RFC 6454): compared whole, never by prefix, suffix or pattern.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// A text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a plain origin such as `https://app.example.com`, in lower case and without a default port")]
pub struct OriginError;

/// Scheme, host and port, as a browser writes them in the `Origin` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Takes the one form that a browser sends; another spelling of it would never be equal to one.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError)?;
        let default_port = match scheme {
            "https" => "443",
            "http" => "80",
            _ => return Err(OriginError),
        };
        let (host, port) = match rest.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((address, after))) => {
                let address = address.parse::<Ipv6Addr>().map_err(|_| OriginError)?;
                (format!("[{address}]"), after.strip_prefix(':'))
            }
            Some(None) => return Err(OriginError),
            None => match rest.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (rest.to_owned(), None),
            },
        };
        let is_host = host.starts_with('[') || is_name(&host);
        let is_port = port.is_none_or(|port| {
            port != default_port
                && port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port)
        });
        let whole = match port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        if is_host && is_port && whole == text { Ok(Self(whole)) } else { Err(OriginError) }
    }
}

fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t46_only_what_a_browser_sends_is_an_origin() {
        for (text, good) in [
            ("https://app.example.com", true),
            ("https://app.example.com:8443", true),
            ("http://localhost:3000", true),
            ("http://127.0.0.1:3000", true),
            ("https://[2001:db8::1]:8443", true),
            ("https://xn--bcher-kva.example", true),
            ("null", false),
            ("", false),
            ("*", false),
            ("https://*", false),
            ("https://*.example.com", false),
            ("https://app.example.com/", false),
            ("https://app.example.com:443", false),
            ("http://app.example.com:80", false),
            ("https://app.example.com:0", false),
            ("https://app.example.com:08443", false),
            ("https://app.example.com:99999", false),
            ("https://app.example.com:", false),
            ("HTTPS://app.example.com", false),
            ("https://App.example.com", false),
            ("https://app.example.com.", false),
            ("https://user@app.example.com", false),
            ("https://app.example.com?x", false),
            ("https://app.example.com#x", false),
            ("https://app example.com", false),
            ("https://b\u{fc}cher.example", false),
            ("https://[2001:DB8::1]", false),
            ("ftp://app.example.com", false),
            ("javascript://app.example.com", false),
            ("//app.example.com", false),
            ("app.example.com", false),
        ] {
            assert_eq!(text.parse::<Origin>().is_ok(), good, "{text}");
        }
    }
}
