//! The mail server (RFC 5321).

use std::{fmt, path::Path, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use secrecy::ExposeSecret;

use super::{DeliveryError, Letter};
use crate::config::{MailConfig, MailTls};

/// How long one step of the conversation may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How a certificate begins in PEM (RFC 7468 §5).
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// A configuration by which no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// Nobody can be written to from there.
    #[error("`mail.from` is not an address")]
    From(#[source] lettre::address::AddressError),
    /// The name of the server is none.
    #[error("`mail.smtp_host` cannot be used")]
    Host(#[source] lettre::transport::smtp::Error),
    /// No port has this number.
    #[error("`mail.smtp_port` is not a port")]
    Port,
    /// The authorities cannot be read.
    #[error("`mail.smtp_ca_file` cannot be read")]
    Authorities(#[source] std::io::Error),
    /// There is no authority in the file, or what is there is none.
    #[error("`mail.smtp_ca_file` is not a PEM file of certificates")]
    NoAuthority,
}

/// A server that takes mail.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("from", &self.from.to_string()).finish_non_exhaustive()
    }
}

impl Smtp {
    /// The server of the configuration; none where none is named. Connects when there is a mail.
    ///
    /// Errors: `From`, `Host`, `Port`, `Authorities`, `NoAuthority`.
    pub fn new(config: &MailConfig) -> Result<Option<Self>, SmtpError> {
        let Some(host) = config.smtp_host.as_deref() else { return Ok(None) };
        let from = config.from.parse().map_err(SmtpError::From)?;
        let tls = match config.smtp_tls {
            MailTls::Starttls => Tls::Required(trust(host, config.smtp_ca_file.as_deref())?),
            MailTls::Tls => Tls::Wrapper(trust(host, config.smtp_ca_file.as_deref())?),
            MailTls::None => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).tls(tls);
        let port = u16::try_from(config.smtp_port).map_err(|_| SmtpError::Port)?;
        let mut builder = builder.port(port).timeout(Some(TIMEOUT));
        if let (Some(name), Some(password)) = (&config.smtp_username, &config.smtp_password) {
            builder =
                builder.credentials(Credentials::new(name.clone(), password.expose_secret().to_owned()));
        }
        Ok(Some(Self { transport: builder.build(), from }))
    }

    /// Hands a mail over.
    ///
    /// Errors: `Unwritable`, `Refused`, `Later`.
    pub(super) async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        let to: Mailbox = letter.to.parse().map_err(|error| DeliveryError::Unwritable(Box::new(error)))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|error| DeliveryError::Unwritable(Box::new(error)))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(DeliveryError::Refused(error)),
            Err(error) => Err(DeliveryError::Later(error)),
        }
    }
}

/// Whom the server of this name may be vouched for by: the public authorities, or those of a file.
///
/// Errors: `Host`, `Authorities`, `NoAuthority`.
fn trust(host: &str, authorities: Option<&Path>) -> Result<TlsParameters, SmtpError> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(path) = authorities {
        let pem = std::fs::read(path).map_err(SmtpError::Authorities)?;
        let known = Certificate::from_pem(&pem).map_err(|_| SmtpError::NoAuthority)?;
        if !pem.windows(CERTIFICATE.len()).any(|part| part == CERTIFICATE) {
            return Err(SmtpError::NoAuthority);
        }
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(known);
    }
    parameters.build().map_err(SmtpError::Host)
}
