//! `[mail]`.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Problems, secrets::masked, section::section};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// TLS from a plain beginning, required (RFC 3207).
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// None: for a relay on this host.
    None,
}

section! {
    /// Mail to users. Without a server nothing is sent; links are then fetched by an administrator
    /// (`POST /v1/admin/users/{user_id}/reset-link`, `bailiwick user reset-link`).
    struct MailConfig in "mail" {
        /// Host name of the SMTP server; absent: nothing is sent.
        smtp_host: Option<String> = None,
        /// The port of `smtp_host`.
        smtp_port: u32 = 587,
        /// How the connection is protected.
        smtp_tls: MailTls = MailTls::Starttls,
        /// PEM file of the authorities whose certificate the server may show, instead of the public ones: for a
        /// server with a certificate of your own.
        smtp_ca_file: Option<PathBuf> = None,
        /// User name, where the server wants one.
        smtp_username: Option<String> = None,
        /// Password, where the server wants one.
        #[serde(serialize_with = "masked")]
        smtp_password: Option<SecretString> = None,
        /// Whom mail is from.
        from: String = "Bailiwick <no-reply@localhost>".to_owned(),
        /// Page below `server.public_url` that takes `#token=…` and calls `POST /v1/auth/verify-email`.
        verify_page: String = "/verify-email".to_owned(),
        /// Page below `server.public_url` that takes `#token=…` and calls `POST /v1/auth/password/reset`.
        reset_page: String = "/reset-password".to_owned(),
    }
}

impl MailConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        found.within("mail.smtp_port", u64::from(self.smtp_port), 1..=65_535);
        if self.smtp_host.as_ref().is_some_and(|host| host.trim().is_empty()) {
            found.add("mail.smtp_host", "must not be empty");
        }
        if self.smtp_ca_file.is_some() && self.smtp_tls == MailTls::None {
            found.add("mail.smtp_ca_file", "is of no use with `mail.smtp_tls = \"none\"`");
        }
        if self.smtp_username.is_some() != self.smtp_password.is_some() {
            found.add("mail.smtp_username", "goes with `mail.smtp_password`");
        }
        for (key, page) in [("mail.verify_page", &self.verify_page), ("mail.reset_page", &self.reset_page)] {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
            if !page.starts_with('/') || page.starts_with("//") || !page.bytes().all(plain) {
                found.add(key, "must be a path such as `/reset-password`");
            }
        }
    }

    pub(super) fn weaknesses(&self, found: &mut Problems) {
        if self.smtp_host.is_some() && self.smtp_tls == MailTls::None {
            found.add("mail.smtp_tls", "links that open accounts are sent in the clear");
        }
    }
}
