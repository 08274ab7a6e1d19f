//! Opening everything that a request needs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::sync::Semaphore;

use super::devices::{open_bus, open_database, open_kv};
use crate::{
    api_keys::{ApiKeyParts, ApiKeyService},
    authn::{AuthnParts, AuthnService, PasswordRules, Passwords},
    authorize::{AuthorizeService, GuardMemo, IdentityCache, Sampling},
    base::{Clock, Entropy, MasterKey, NodeId, OsEntropy, PlainToken, SystemClock},
    bus::{Bus, IdentityNews},
    clients::{ClientParts, ClientService},
    config::{Config, RootSecrets},
    entities::{EntityParts, EntityService},
    kv::Kv,
    mail::{MailService, Pages, Smtp},
    oauth::{OAuthParts, OAuthService},
    policy::{FolderWatch, LivePolicies, Node, PolicyService, StoreName},
    roles::RoleService,
    sessions::{KeySalt, SessionParts, SessionService, SessionSettings},
    storage::Db,
    telemetry::metrics::Metrics,
    tokens::{TokenParts, TokenService, TokenSettings},
    users::UserService,
    worker::Worker,
};

/// How long a readiness check waits for the database.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// What a test, or a tool, puts in the place of the real thing.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Instead of the machine's clock.
    pub clock: Option<Arc<dyn Clock>>,
    /// Instead of the operating system's randomness.
    pub entropy: Option<Arc<dyn Entropy>>,
}

/// Every service and device of one server process.
#[derive(Debug)]
pub struct App {
    /// The configuration it was started with.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The database.
    pub db: Db,
    /// Short-lived state.
    pub kv: Kv,
    /// Messages between nodes.
    pub bus: Bus,
    /// News of users and roles.
    pub identity_news: Arc<IdentityNews>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Policy stores and their versions.
    pub policies: Arc<PolicyService>,
    /// Entities that applications pushed.
    pub entities: Arc<EntityService>,
    /// Decisions.
    pub authorize: Arc<AuthorizeService>,
    /// Users.
    pub users: UserService,
    /// Roles and bindings.
    pub roles: RoleService,
    /// API keys.
    pub api_keys: Arc<ApiKeyService>,
    /// Clients of OAuth 2.0.
    pub clients: Arc<ClientService>,
    /// Tokens for clients, and about tokens.
    pub oauth: OAuthService,
    /// Access tokens and signing keys.
    pub tokens: Arc<TokenService>,
    /// Sessions and refresh.
    pub sessions: Arc<SessionService>,
    /// Mail to users.
    pub mail: Arc<MailService>,
    /// Sign-up, sign-in, callers.
    pub authn: Arc<AuthnService>,
    /// The one-time token for the first administrator, where this start made one.
    pub setup_token: Option<PlainToken>,
    draining: AtomicBool,
}

/// What a node needs in order to serve, and whether it has it.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for itself")]
pub struct ReadinessReport {
    /// The database answers.
    pub database: bool,
    /// A key signs access tokens.
    pub signing_key: bool,
    /// The policies that guard our own API are live.
    pub system_policies: bool,
    /// Messages between nodes arrive; without them the poll floor carries on alone.
    pub bus: bool,
    /// No store is decided without its index; for information.
    pub policy_index: bool,
    /// The server is not about to stop.
    pub serving: bool,
}

impl ReadinessReport {
    /// Whether the node should get requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.database && self.signing_key && self.system_policies && self.serving
    }
}

impl App {
    /// Opens everything and brings it to where requests can be answered: schema migrated, keys there,
    /// policy stores live. Starts no loop and opens no port.
    ///
    /// Errors: whatever keeps the server from starting, as a chain for the operator.
    pub async fn start(config: Config, overrides: Overrides) -> Result<Self> {
        let clock = overrides.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let entropy = overrides.entropy.unwrap_or_else(|| Arc::new(OsEntropy));
        let secrets = RootSecrets::open(&config, &*entropy)?;
        let db = open_database(&config).await?;
        let kv = open_kv(&config, &clock).await?;
        let bus = open_bus(&config, &db, &clock, &entropy)?;
        let metrics = Arc::new(Metrics::new());

        let identity_news = Arc::new(IdentityNews::new(bus.clone()));
        let news = || identity_news.clone();
        let users = UserService::new(db.clone(), news(), clock.clone(), entropy.clone());
        let roles = RoleService::new(db.clone(), news(), clock.clone(), entropy.clone());
        let tokens = start_tokens(&config, &secrets.master, &db, &bus, &clock, &entropy).await?;
        let sessions = Arc::new(session_service(&config, &secrets, &db, &kv, &bus, &clock, &entropy)?);
        sessions.pull().await.context("revocations cannot be read")?;
        let clients = Arc::new(client_service(&config, &db, &roles, &identity_news, &clock, &entropy));
        let smtp = Smtp::new(&config.mail).context("the mail server cannot be used")?;
        let mail = Arc::new(MailService::new(db.clone(), smtp, clock.clone(), entropy.clone()));
        let authn = AuthnParts {
            db: db.clone(),
            kv: kv.clone(),
            users: users.clone(),
            roles: roles.clone(),
            sessions: sessions.clone(),
            tokens: tokens.clone(),
            passwords: Arc::new(Passwords::start(&config.passwords, entropy.clone())?),
            rules: PasswordRules::new(&config.passwords),
            metrics: metrics.clone(),
            mail: mail.clone(),
            pages: Pages::new(&config.mail, &config.public_url()),
            registration: config.registration.clone(),
            limits: config.limits.clone(),
            clients: clients.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let authn = Arc::new(AuthnService::new(authn, &secrets.master));

        let api_keys = Arc::new(ApiKeyService::new(ApiKeyParts {
            db: db.clone(),
            roles: roles.clone(),
            news: news(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            config: config.api_keys.clone(),
        }));

        let policies = start_policies(&config, &db, &bus, &metrics, &clock, &entropy).await?;
        let entities = Arc::new(entity_service(&config, &db, &bus, &policies, &clock, &entropy));
        entities.refresh().await.context("the pushed entities cannot be read")?;
        let from = (users.clone(), roles.clone(), api_keys.clone(), clients.clone());
        let identity = IdentityCache::new(from, news(), clock.clone());
        let authorize = Arc::new(AuthorizeService {
            policies: policies.clone(),
            entities: entities.clone(),
            identity: Arc::new(identity),
            metrics: metrics.clone(),
            sampling: Sampling::new(config.policy.verify_index),
            clock: clock.clone(),
            entropy: entropy.clone(),
            guards: GuardMemo::default(),
            aside: Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)),
            default_store: config.policy.default_store.parse().context("`policy.default_store` is wrong")?,
        });
        let oauth = OAuthService::new(OAuthParts {
            clients: clients.clone(),
            authn: authn.clone(),
            sessions: sessions.clone(),
            tokens: tokens.clone(),
            roles: roles.clone(),
            authorize: authorize.clone(),
            clock: clock.clone(),
        });
        let setup_token = authn.ensure_setup_token().await.context("the set-up token cannot be made")?;
        let draining = AtomicBool::new(false);
        Ok(Self {
            config,
            clock,
            entropy,
            db,
            kv,
            bus,
            identity_news,
            metrics,
            policies,
            entities,
            authorize,
            users,
            roles,
            api_keys,
            clients,
            oauth,
            tokens,
            sessions,
            mail,
            authn,
            setup_token,
            draining,
        })
    }

    /// Opens only the policy stores, even where no version of `system` can be used: for the break-glass.
    ///
    /// Errors: as [`App::start`].
    pub async fn open_policies(config: &Config, overrides: Overrides) -> Result<Arc<PolicyService>> {
        let clock = overrides.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let entropy = overrides.entropy.unwrap_or_else(|| Arc::new(OsEntropy));
        let db = open_database(config).await?;
        let bus = open_bus(config, &db, &clock, &entropy)?;
        let metrics = Arc::new(Metrics::new()); // of a command, which nobody scrapes
        let policies = policy_service(config, &db, &bus, &metrics, &clock, &entropy)?;
        policies.live().refresh().await.context("the active policies cannot be read")?;
        Ok(policies)
    }

    /// Starts the loops that keep this node up to date.
    pub fn spawn_loops(self: &Arc<Self>, worker: &Worker) {
        let (bus, shutdown) = (self.bus.clone(), worker.shutdown_token());
        worker.spawn("bus", async move { bus.run(shutdown).await });
        worker.spawn("policies", self.policies.live().clone().run(worker.shutdown_token()));
        worker.spawn("identity", self.identity_news.clone().run(worker.shutdown_token()));
        worker.spawn("entities", self.entities.clone().run(worker.shutdown_token()));
        worker.spawn("api keys", self.api_keys.clone().run(worker.shutdown_token()));
        worker.spawn("sessions", self.sessions.clone().run(worker.shutdown_token()));
        if self.mail.is_on() {
            worker.spawn("mail", self.authn.clone().run_mail(worker.shutdown_token()));
        }
        worker.spawn("signing keys", self.tokens.clone().run(worker.shutdown_token()));
        if self.config.policy.watch && self.config.policy.dir.is_dir() {
            let interval = Duration::from_millis(self.config.policy.watch_interval_ms);
            let watch = FolderWatch::new(self.policies.clone(), self.config.policy.dir.clone(), interval);
            worker.spawn("folder watch", watch.run(worker.shutdown_token()));
        }
    }

    /// Looks whether this node can serve.
    pub async fn readiness(&self) -> ReadinessReport {
        let ping = tokio::time::timeout(READY_TIMEOUT, self.db.sql("SELECT 1").run());
        ReadinessReport {
            database: matches!(ping.await, Ok(Ok(_))),
            signing_key: self.tokens.can_sign(),
            system_policies: self.policies.live().snapshot(&StoreName::system()).is_some(),
            bus: !self.bus.is_degraded(),
            policy_index: !self.policies.live().any_distrusted(),
            serving: !self.draining.load(Ordering::Relaxed),
        }
    }

    /// Says that the server is about to stop: readiness fails from now on.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

async fn start_tokens(
    config: &Config,
    master: &MasterKey,
    db: &Db,
    bus: &Bus,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<TokenService>> {
    let parts = TokenParts {
        db: db.clone(),
        bus: bus.clone(),
        settings: TokenSettings::new(&config.tokens, &config.public_url()),
        clock: clock.clone(),
        entropy: entropy.clone(),
    };
    let tokens = TokenService::start(parts, master).await.context("the signing keys cannot be opened")?;
    Ok(Arc::new(tokens))
}

fn client_service(
    config: &Config,
    db: &Db,
    roles: &RoleService,
    news: &Arc<IdentityNews>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> ClientService {
    let token_endpoint = format!("{}/v1/oauth/token", config.public_url());
    ClientService::new(ClientParts {
        db: db.clone(),
        roles: roles.clone(),
        news: news.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        audiences: vec![config.issuer(), token_endpoint],
        leeway: Duration::from_secs(config.tokens.leeway_secs),
    })
}

async fn start_policies(
    config: &Config,
    db: &Db,
    bus: &Bus,
    metrics: &Arc<Metrics>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<PolicyService>> {
    let policies = policy_service(config, db, bus, metrics, clock, entropy)?;
    policies.live().refresh().await.context("the active policies cannot be read")?;
    policies.first_start(&config.policy.dir).await.context("the first policy versions cannot be stored")?;
    if policies.live().snapshot(&StoreName::system()).is_none() {
        bail!(
            "the policy store `system` has no version that can be used; `bailiwick policy restore-system` brings back the shipped one"
        );
    }
    Ok(policies)
}

fn policy_service(
    config: &Config,
    db: &Db,
    bus: &Bus,
    metrics: &Arc<Metrics>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<PolicyService>> {
    let node = Node { id: NodeId::new(clock.now(), &**entropy)?, name: host_name() };
    let poll = Duration::from_secs(config.policy.poll_secs);
    let live =
        Arc::new(LivePolicies::new(db.clone(), clock.clone(), bus.clone(), metrics.clone(), node, poll));
    Ok(Arc::new(PolicyService::new(db.clone(), clock.clone(), entropy.clone(), bus.clone(), live)))
}

fn session_service(
    config: &Config,
    secrets: &RootSecrets,
    db: &Db,
    kv: &Kv,
    bus: &Bus,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<SessionService> {
    let parts = SessionParts {
        db: db.clone(),
        kv: kv.clone(),
        bus: bus.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        settings: SessionSettings::new(&config.sessions, &config.tokens),
        salt: KeySalt::new(secrets.redis_salt.clone()).context("`secrets.redis_key_salt` is wrong")?,
    };
    Ok(SessionService::new(parts, &secrets.master))
}

fn entity_service(
    config: &Config,
    db: &Db,
    bus: &Bus,
    policies: &Arc<PolicyService>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> EntityService {
    EntityService::new(EntityParts {
        db: db.clone(),
        bus: bus.clone(),
        policies: policies.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        poll: Duration::from_secs(config.policy.poll_secs),
    })
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
