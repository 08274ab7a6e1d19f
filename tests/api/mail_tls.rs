//! Mail over TLS: from the first byte and by STARTTLS, to whom the certificate is of, and to nobody else.
//!
//! Seen to fail: with certificates that are not looked at, what the strangers were told; with TLS only where it is
//! offered, what the server without it was told.

use std::sync::Arc;

use bailiwick::config::{Config, MailTls};
use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use secrecy::SecretString;
use tempfile::NamedTempFile;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

use crate::{
    app::{PASSWORD, TestApp},
    both,
    mailbox::{Mail, Mailbox, Protection},
    support::Backend,
};

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate in PEM.
    file: NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut about = CertificateParams::default();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = about.self_signed(&key).unwrap();
        let file = NamedTempFile::new().unwrap();
        let body = BASE64_STANDARD.encode(certificate.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        std::fs::write(file.path(), pem).unwrap();
        Self { issuer: Issuer::new(about, key), file }
    }

    /// The server's end of connections, with a certificate for `name`.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()))
    }
}

/// An application whose mail goes to `mailbox` with its user name and password.
async fn app(backend: Backend, mailbox: &Mailbox, change: impl FnOnce(&mut Config)) -> Option<TestApp> {
    let with_name = |config: &mut Config| {
        config.mail.smtp_username = Some("mailer".to_owned());
        config.mail.smtp_password = Some(SecretString::from("the password of the mailer"));
        change(config);
    };
    mailbox.app(backend, with_name).await
}

/// Has a mail written and sent; answers what the server took.
async fn sent(test: &TestApp, mailbox: &Mailbox) -> Vec<Mail> {
    let registration = serde_json::json!({"email": "ann@example.com", "password": PASSWORD});
    test.post_open("/v1/auth/register", registration).await.expect(202);
    mailbox.collect(test).await
}

both! {
    async fn mail_goes_over_tls(backend: Backend) {
        let authority = Authority::new();
        for tls in [MailTls::Tls, MailTls::Starttls] {
            let acceptor = authority.acceptor("127.0.0.1");
            let mailbox = Mailbox::behind(match tls {
                MailTls::Tls => Protection::Tls(acceptor),
                _ => Protection::Starttls(acceptor),
            }).await;
            let trust = |config: &mut Config| {
                config.mail.smtp_tls = tls;
                config.mail.smtp_ca_file = Some(authority.file.path().to_owned());
            };
            let Some(test) = app(backend, &mailbox, trust).await else { return };
            let mails = sent(&test, &mailbox).await;
            assert_eq!(Mailbox::one(&mails).to, "ann@example.com", "{tls:?}");
            let login = BASE64_STANDARD.encode("\0mailer\0the password of the mailer");
            assert_eq!(*mailbox.heard.logins.lock().unwrap(), [format!("AUTH PLAIN {login}")]);
            let plain = mailbox.heard.plain.lock().unwrap().clone();
            assert!(plain.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{plain:?}");
        }
    }

    /// Nobody is told anything who cannot prove to be the server, and the mail waits.
    async fn strangers_are_told_nothing(backend: Backend) {
        let (ours, other) = (Authority::new(), Authority::new());
        for tls in [MailTls::Tls, MailTls::Starttls] {
            for (what, acceptor, authority) in [
                ("of an authority that nobody knows", ours.acceptor("127.0.0.1"), None),
                ("of another authority", other.acceptor("127.0.0.1"), Some(&ours)),
                ("of another server", ours.acceptor("mail.example.com"), Some(&ours)),
            ] {
                let mailbox = Mailbox::behind(match tls {
                    MailTls::Tls => Protection::Tls(acceptor),
                    _ => Protection::Starttls(acceptor),
                }).await;
                let trust = |config: &mut Config| {
                    config.mail.smtp_tls = tls;
                    config.mail.smtp_ca_file = authority.map(|authority| authority.file.path().to_owned());
                };
                let Some(test) = app(backend, &mailbox, trust).await else { return };
                assert!(sent(&test, &mailbox).await.is_empty(), "{what} {tls:?}");
                assert!(mailbox.heard.logins.lock().unwrap().is_empty(), "{what} {tls:?}");
                let waiting: i64 = test.app.db.sql("SELECT COUNT(*) FROM mails").scalar().await.unwrap();
                assert_eq!(waiting, 1, "{what} {tls:?}");
            }
        }
    }

    /// A server, or somebody on the way to it, that offers no TLS gets no mail.
    async fn without_starttls_nothing_is_sent(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = app(backend, &mailbox, |config| config.mail.smtp_tls = MailTls::Starttls).await else { return };
        assert!(sent(&test, &mailbox).await.is_empty());
        assert!(mailbox.heard.logins.lock().unwrap().is_empty());
    }
}

#[test]
fn a_file_of_authorities_is_looked_at_when_the_server_starts() {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificate").unwrap();
    let with = |path: &std::path::Path| {
        let mut config = Config::default();
        config.mail.smtp_host = Some("127.0.0.1".to_owned());
        config.mail.smtp_ca_file = Some(path.to_owned());
        bailiwick::mail::Smtp::new(&config.mail).map(drop).unwrap_err().to_string()
    };
    assert_eq!(with(file.path()), "`mail.smtp_ca_file` is not a PEM file of certificates");
    assert_eq!(with(std::path::Path::new("/nowhere/ca.pem")), "`mail.smtp_ca_file` cannot be read");
}
