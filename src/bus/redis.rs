//! Messages over Redis pub/sub.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use redis::{
    Client, Cmd, Msg, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig, PubSubSink, PubSubStream},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    BusError, Topic,
    link::{Carrier, Link, Listener},
};
use crate::base::{Clock, Entropy};

/// Where the server is and how long it may take.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://user:password@host:port/database`, or `rediss://` for TLS.
    pub url: SecretString,
    /// What every channel begins with. Pub/sub knows no databases: the prefix alone keeps apart.
    pub prefix: String,
    /// Time to send one message.
    pub timeout: Duration,
}

/// The two connections: one that publishes, one that listens.
pub struct Redis {
    client: Client,
    prefix: String,
    timeout: Duration,
    /// Held to clone or replace the connection, never while waiting.
    publisher: Mutex<ConnectionManager>,
    link: Link,
}

/// A subscribed connection.
pub(super) struct Subscribed {
    prefix: String,
    sink: PubSubSink,
    messages: PubSubStream,
}

impl Redis {
    /// Handles that connect when used.
    ///
    /// Errors: `BadAddress`.
    pub(super) fn new(
        options: &RedisOptions,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, BusError> {
        let client = Client::open(options.url.expose_secret()).map_err(BusError::BadAddress)?;
        let publisher = lazy(&client, options.timeout).map_err(BusError::BadAddress)?;
        Ok(Self {
            client,
            prefix: options.prefix.clone(),
            timeout: options.timeout,
            publisher: Mutex::new(publisher),
            link: Link::new(clock, entropy),
        })
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Sends one message within the time limit.
    pub(super) async fn publish(&self, topic: Topic, payload: &str) -> Result<(), BusError> {
        let command = Cmd::publish(self.channel(topic), payload);
        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sending = async {
            match command.exec_async(&mut publisher).await {
                // The connection died since the last message, and only now is that known. A message that
                // comes twice harms nobody.
                Err(error) if error.is_io_error() => command.exec_async(&mut publisher).await,
                sent => sent,
            }
        };
        if let Ok(sent) = tokio::time::timeout(self.timeout, sending).await {
            return sent.map_err(BusError::Redis);
        }
        // The manager would keep a silent connection until TCP gives up.
        if let Ok(fresh) = lazy(&self.client, self.timeout) {
            *self.publisher.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        Err(BusError::Silent(self.timeout))
    }

    fn channel(&self, topic: Topic) -> String {
        [self.prefix.as_str(), topic.name()].concat()
    }
}

impl Carrier for Redis {
    type Listener = Subscribed;

    async fn connect(&self) -> Result<Subscribed, BusError> {
        let pubsub = self.client.get_async_pubsub().await.map_err(BusError::Redis)?;
        let (mut sink, messages) = pubsub.split();
        let channels = Topic::ALL.map(|topic| self.channel(topic));
        sink.subscribe(channels.as_slice()).await.map_err(BusError::Redis)?;
        Ok(Subscribed { prefix: self.prefix.clone(), sink, messages })
    }
}

impl Listener for Subscribed {
    async fn next(&mut self) -> Result<Option<(Topic, String)>, BusError> {
        let message = self.messages.next().await.ok_or(BusError::Ended)?;
        let ours = read(&self.prefix, &message);
        if ours.is_none() {
            tracing::debug!(bytes = message.get_payload_bytes().len(), "ignored a message that is not ours");
        }
        Ok(ours)
    }

    async fn ping(&mut self) -> Result<(), BusError> {
        self.sink.ping::<redis::Value>().await.map(|_| ()).map_err(BusError::Redis)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("prefix", &self.prefix)
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

fn read(prefix: &str, message: &Msg) -> Option<(Topic, String)> {
    let name = message.get_channel_name().strip_prefix(prefix)?;
    let topic = Topic::ALL.into_iter().find(|topic| topic.name() == name)?;
    let payload = std::str::from_utf8(message.get_payload_bytes()).ok()?;
    Some((topic, payload.to_owned()))
}

/// A connection that is made at its first use, and again whenever it broke.
fn lazy(client: &Client, timeout: Duration) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout))
        .set_number_of_retries(0);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}
