//! A mail server on loopback that takes everything, and what it was given.

use std::sync::{Arc, Mutex};

use bailiwick::config::{Config, MailTls};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, split},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::task::TaskTracker;

use crate::{app::TestApp, support::Backend};

/// A mail as it was handed over.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Mail {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.text.lines().take_while(|line| !line.is_empty());
        let found =
            lines.filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("no `{name}` in {}", self.text)).1
    }

    /// The link in it.
    pub(crate) fn link(&self) -> &str {
        let line = self.text.lines().find(|line| line.contains("#token="));
        line.unwrap_or_else(|| panic!("no link in {}", self.text)).trim()
    }

    /// The token of that link.
    pub(crate) fn token(&self) -> &str {
        self.link().split_once("#token=").unwrap().1
    }
}

/// How a server protects its connections.
#[derive(Clone)]
pub(crate) enum Protection {
    /// Not at all.
    None,
    /// From the first byte (RFC 8314).
    Tls(TlsAcceptor),
    /// From when it is asked to, and it takes nothing before (RFC 3207).
    Starttls(TlsAcceptor),
}

/// What a server was told.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The mail that it took.
    mails: Mutex<Vec<Mail>>,
    /// What it answers the next recipients with instead, in this order.
    refusals: Mutex<Vec<&'static str>>,
    /// What came before the connection was protected.
    pub(crate) plain: Mutex<Vec<String>>,
    /// What clients proved themselves by.
    pub(crate) logins: Mutex<Vec<String>>,
}

/// The server.
pub(crate) struct Mailbox {
    pub(crate) port: u16,
    pub(crate) heard: Arc<Heard>,
}

impl Mailbox {
    pub(crate) async fn open() -> Self {
        Self::behind(Protection::None).await
    }

    pub(crate) async fn behind(protection: Protection) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Heard>::default();
        let told = Arc::clone(&heard);
        let (tracker, tasks) = (TaskTracker::new(), TaskTracker::new());
        tracker.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (told, protection) = (Arc::clone(&told), protection.clone());
                tasks.spawn(async move {
                    match protection {
                        Protection::None => converse(stream, true, &told).await,
                        Protection::Tls(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, true, &told).await;
                            }
                        }
                        Protection::Starttls(acceptor) => {
                            if let Some(stream) = upgraded(stream, &acceptor, &told).await {
                                converse(stream, false, &told).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, heard }
    }

    /// An application that sends its mail here.
    pub(crate) async fn app(&self, backend: Backend, change: impl FnOnce(&mut Config)) -> Option<TestApp> {
        TestApp::spawn_with(backend, |config| {
            config.mail.smtp_host = Some("127.0.0.1".to_owned());
            config.mail.smtp_port = u32::from(self.port);
            config.mail.smtp_tls = MailTls::None;
            "Auth <auth@example.com>".clone_into(&mut config.mail.from);
            config.server.public_url = Some("https://auth.example.com".to_owned());
            change(config);
        })
        .await
    }

    /// What the next recipients are answered with instead, in this order.
    pub(crate) fn refuse(&self, answers: &[&'static str]) {
        self.heard.refusals.lock().unwrap().extend(answers);
    }

    /// Has `test` send what is due; takes out what came.
    pub(crate) async fn collect(&self, test: &TestApp) -> Vec<Mail> {
        test.app.authn.send_due_mail().await.unwrap();
        std::mem::take(&mut self.heard.mails.lock().unwrap())
    }

    /// The same where one mail must have come.
    #[track_caller]
    pub(crate) fn one(mails: &[Mail]) -> &Mail {
        assert_eq!(mails.len(), 1, "{mails:?}");
        &mails[0]
    }
}

/// What a client says until it asks for protection.
async fn upgraded(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
    heard: &Heard,
) -> Option<TlsStream<TcpStream>> {
    stream.write_all(b"220 test ESMTP\r\n").await.ok()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        heard.plain.lock().unwrap().push(line.trim_end().to_owned());
        let answer = if line.starts_with("EHLO") {
            "250-test\r\n250 STARTTLS\r\n"
        } else if line.starts_with("STARTTLS") {
            lines.write_all(b"220 go on\r\n").await.ok()?;
            return acceptor.accept(lines.into_inner()).await.ok();
        } else {
            "530 first ask for protection\r\n"
        };
        lines.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// One conversation (RFC 5321 §3).
async fn converse(stream: impl AsyncRead + AsyncWrite, greets: bool, heard: &Heard) {
    let (reader, mut writer) = split(stream);
    let mut lines = BufReader::new(reader).lines();
    let (mut from, mut to) = (String::new(), String::new());
    if greets && writer.write_all(b"220 test ESMTP\r\n").await.is_err() {
        return;
    }
    while let Ok(Some(line)) = lines.next_line().await {
        let upper = line.to_uppercase();
        let inside = || line[line.find('<').unwrap() + 1..line.find('>').unwrap()].to_owned();
        let answer = if upper.starts_with("EHLO") {
            "250-test\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250 SMTPUTF8"
        } else if upper.starts_with("AUTH") {
            heard.logins.lock().unwrap().push(line.clone());
            "235 known"
        } else if upper.starts_with("MAIL FROM") {
            from = inside();
            "250 ok"
        } else if upper.starts_with("RCPT TO") {
            to = inside();
            let mut refused = heard.refusals.lock().unwrap();
            if refused.is_empty() { "250 ok" } else { refused.remove(0) }
        } else if upper == "DATA" {
            writer.write_all(b"354 go on\r\n").await.unwrap();
            let mut text = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                if line == "." {
                    break;
                }
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push('\n');
            }
            heard.mails.lock().unwrap().push(Mail {
                from: from.clone(),
                to: to.clone(),
                text: readable(&text),
            });
            "250 taken"
        } else if upper == "QUIT" {
            let _ = writer.write_all(b"221 bye\r\n").await;
            return;
        } else {
            "250 ok"
        };
        if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A mail as a reader shows it: without the encoding of its body (RFC 2045 §6.7), which is ASCII here.
fn readable(mail: &str) -> String {
    if !mail.contains("quoted-printable") {
        return mail.to_owned();
    }
    let (headers, body) = mail.split_once("\n\n").unwrap();
    let joined = body.replace("=\n", "");
    let mut parts = joined.split('=');
    let mut text = format!("{headers}\n\n{}", parts.next().unwrap());
    for part in parts {
        text.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        text.push_str(&part[2..]);
    }
    text
}
