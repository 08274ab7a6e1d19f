//! E-mail addresses (RFC 5321, RFC 6531) and the norm they are compared by.

use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use unicode_security::GeneralSecurityProfile;

/// Longest address, bytes (RFC 5321 §4.5.3.1.3 leaves 254 between the brackets).
const MAX_BYTES: usize = 254;
/// Longest part before the `@`, bytes (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// A text that is not an address we send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Over 254 bytes, or over 64 before the `@`.
    #[error("an e-mail address has at most 254 bytes, 64 of them before the `@`")]
    TooLong,
    /// Not of the form `local@domain`.
    #[error("an e-mail address has the form `name@example.com`")]
    Form,
    /// A space, a control character or a character that does not show.
    #[error("the part before the `@` has a character that an address may not have")]
    Character,
    /// The part after the `@` is not a domain name (UTS 46).
    #[error("the part after the `@` is not a domain name")]
    Domain,
}

/// An e-mail address: as given, in NFC, and its norm.
///
/// Two addresses with one norm are one mailbox for us: letter case, composition of accents and the two
/// spellings of an international domain do not make another user (threat T22).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    address: String,
    norm: String,
}

impl Email {
    /// The address as given, in NFC; mail goes here.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What addresses are compared by: local part in lower case, domain in ASCII.
    #[must_use]
    pub fn norm(&self) -> &str {
        &self.norm
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        // Before any work on it; NFC never makes a text more than three times longer.
        if text.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let address: String = text.nfc().collect();
        let (local, domain) = address.rsplit_once('@').ok_or(EmailError::Form)?;
        if local.is_empty() || domain.is_empty() {
            return Err(EmailError::Form);
        }
        if local.len() > MAX_LOCAL_BYTES || address.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        if !local.chars().all(is_local) {
            return Err(EmailError::Character);
        }
        if local.split('.').any(str::is_empty) {
            return Err(EmailError::Form);
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError::Domain)?;
        let lower: String = local.chars().flat_map(char::to_lowercase).nfc().collect();
        let norm = format!("{lower}@{domain}");
        if domain.is_empty() || norm.len() > MAX_BYTES {
            return Err(EmailError::Domain);
        }
        Ok(Self { address, norm })
    }
}

/// Whether a local part may hold `c`: an atom's characters and the dot (RFC 5322 §3.2.3), and the
/// characters that UTS 39 allows in identifiers.
fn is_local(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
    } else {
        GeneralSecurityProfile::identifier_allowed(c)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn look_alikes_share_a_norm() {
        for (left, right) in [
            ("Admin@Example.COM", "admin@example.com"),
            ("jose\u{301}@example.com", "jos\u{e9}@example.com"),
            ("a@b\u{fc}cher.example", "a@xn--bcher-kva.example"),
            ("a@\u{ff45}xample.com", "a@example.com"),
            ("a@ex\u{e4}mple.com", "a@EX\u{c4}MPLE.com"),
        ] {
            let (left, right): (Email, Email) = (left.parse().unwrap(), right.parse().unwrap());
            assert_eq!(left.norm(), right.norm());
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "@",
            "a@",
            "@example.com",
            "example.com",
            "a b@example.com",
            "a\u{200b}b@example.com",
            "a\u{0}@example.com",
            ".a@example.com",
            "a..b@example.com",
            "\u{ff41}@example.com",
            "a@exa mple.com",
            "a@example..com",
            "a@-example.com",
            "a@exa_mple.com",
            "a@[127.0.0.1]",
            "a@b@example.com",
            &format!("{}@example.com", "a".repeat(65)),
            &format!("a@{}.com", "b".repeat(64)),
            &"a".repeat(100_000),
        ] {
            assert!(wrong.parse::<Email>().is_err(), "`{wrong:.40}` was taken");
        }
        assert_eq!("admin@localhost".parse::<Email>().unwrap().norm(), "admin@localhost");
    }

    proptest! {
        #[test]
        fn any_text_is_judged_and_a_norm_is_its_own_norm(text in "\\PC{0,80}|[a-zA-Z.é@]{1,20}@[a-z.ü]{1,20}") {
            if let Ok(email) = text.parse::<Email>() {
                let again: Email = email.norm().parse().unwrap();
                prop_assert_eq!(again.norm(), email.norm());
            }
        }
    }
}
