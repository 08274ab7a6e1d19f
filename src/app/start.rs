//! Opening everything that a request needs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};

use super::{
    devices::{open_bus, open_database},
    services::{Ground, policy_service},
};
use crate::{
    api_keys::ApiKeyService,
    authn::{AuthnParts, AuthnService, PasswordRules, Passwords},
    authorize::{AuthorizeService, IdentityCache, PolicyGate},
    base::{Clock, Entropy, OsEntropy, PlainToken, SystemClock},
    bus::{Bus, IdentityNews},
    clients::ClientService,
    config::Config,
    entities::EntityService,
    events::EventService,
    idempotency::IdempotencyService,
    kv::Kv,
    mail::{MailService, Pages},
    oauth::{OAuthParts, OAuthService},
    policy::{FolderWatch, PolicyService, StoreName},
    profiles::ProfileService,
    revocations::RevocationService,
    roles::RoleService,
    sessions::SessionService,
    storage::Db,
    telemetry::metrics::Metrics,
    tenants::TenantService,
    tokens::TokenService,
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

impl Overrides {
    /// The clock and the randomness that count.
    pub(super) fn or_real(self) -> (Arc<dyn Clock>, Arc<dyn Entropy>) {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        (clock, self.entropy.unwrap_or_else(|| Arc::new(OsEntropy)))
    }
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
    /// What users say of themselves.
    pub profiles: Arc<ProfileService>,
    /// Roles and bindings.
    pub roles: RoleService,
    /// Tenants.
    pub tenants: Arc<TenantService>,
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
    /// What ended, told to services.
    pub revocations: Arc<RevocationService>,
    /// Mail to users.
    pub mail: Arc<MailService>,
    /// Sign-up, sign-in, callers.
    pub authn: Arc<AuthnService>,
    /// Requests that may be sent again.
    pub idempotency: Arc<IdempotencyService>,
    /// What is done because of what happened.
    pub events: Arc<EventService>,
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
        let ground = Ground::open(config, overrides).await?;
        let (users, roles) = (ground.users(), ground.roles());
        let (profiles, tenants) = (ground.profiles(&users), ground.tenants());
        let (api_keys, clients) = (ground.api_keys(&roles), ground.clients(&roles));
        let tokens = ground.tokens().await?;
        let (sessions, revocations) = (ground.sessions()?, ground.revocations());
        sessions.pull().await.context("revocations cannot be read")?;
        let mail = ground.mail()?;
        let policies = ground.policies().await?;
        let entities = ground.entities(&policies);
        entities.refresh().await.context("the pushed entities cannot be read")?;
        let from = (users.clone(), roles.clone(), api_keys.clone(), tenants.clone(), clients.clone());
        let identity = IdentityCache::new(from, ground.news.clone(), ground.clock.clone());
        let authorize = ground.authorize(&policies, &entities, identity)?;
        let idempotency = ground.idempotency();
        let Ground { config, secrets, db, kv, bus, news: identity_news, metrics, clock, entropy } = ground;
        let (asked, lists, time) = (authorize.clone(), tenants.clone(), clock.clone());
        let gate = Arc::new(PolicyGate { authorize: asked, tenants: lists, clock: time });
        let authn = AuthnParts {
            db: db.clone(),
            kv: kv.clone(),
            users: users.clone(),
            roles: roles.clone(),
            sessions: sessions.clone(),
            tenants: tenants.clone(),
            api_keys: api_keys.clone(),
            tokens: tokens.clone(),
            passwords: Arc::new(Passwords::start(&config.passwords, entropy.clone())?),
            rules: PasswordRules::new(&config.passwords),
            metrics: metrics.clone(),
            mail: mail.clone(),
            pages: Pages::new(&config.mail, &config.public_url()),
            registration: config.registration.clone(),
            sudo_secs: config.sessions.sudo_secs,
            limits: config.limits.clone(),
            gate,
            clients: clients.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let authn = Arc::new(AuthnService::new(authn, &secrets.master));
        let oauth = OAuthService::new(OAuthParts {
            clients: clients.clone(),
            authn: authn.clone(),
            sessions: sessions.clone(),
            tokens: tokens.clone(),
            roles: roles.clone(),
            authorize: authorize.clone(),
            clock: clock.clone(),
        });
        let events = Arc::new(EventService::new(db.clone(), clock.clone(), vec![profiles.clone()]));
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
            profiles,
            roles,
            tenants,
            api_keys,
            clients,
            oauth,
            tokens,
            sessions,
            revocations,
            mail,
            authn,
            idempotency,
            events,
            setup_token,
            draining,
        })
    }

    /// Opens only the policy stores, even where no version of `system` can be used: for the break-glass.
    ///
    /// Errors: as [`App::start`].
    pub async fn open_policies(config: &Config, overrides: Overrides) -> Result<Arc<PolicyService>> {
        let (clock, entropy) = overrides.or_real();
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
        worker.spawn("session uses", self.sessions.clone().run_usage(worker.shutdown_token()));
        worker.spawn("session retention", self.sessions.clone().run_retention(worker.shutdown_token()));
        worker.spawn("revocations", self.revocations.clone().run(worker.shutdown_token()));
        if self.mail.is_on() {
            worker.spawn("mail", self.authn.clone().run_mail(worker.shutdown_token()));
        }
        worker.spawn("idempotency", self.idempotency.clone().run(worker.shutdown_token()));
        worker.spawn("events", self.events.clone().run(worker.shutdown_token()));
        worker.spawn("signing keys", self.tokens.clone().run(worker.shutdown_token()));
        if self.config.policy.watch && self.config.policy.dir.is_dir() {
            let interval = Duration::from_millis(self.config.policy.watch_interval_ms);
            let watch = FolderWatch::new(self.policies.clone(), self.config.policy.dir.clone(), interval);
            worker.spawn("folder watch", watch.run(worker.shutdown_token()));
        }
    }

    /// Writes the uses of sessions and keys that wait: those of requests that were answered while the loops ended.
    pub async fn write_usage(&self) {
        if let Err(error) = self.sessions.write_usage().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "uses of sessions were not written");
        }
        if let Err(error) = self.api_keys.write_usage().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "uses of API keys were not written");
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
