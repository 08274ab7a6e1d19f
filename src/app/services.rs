//! Making the services out of the configuration and the devices.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::sync::Semaphore;

use super::{
    Overrides,
    devices::{open_bus, open_database, open_kv},
};
use crate::{
    api_keys::{ApiKeyParts, ApiKeyService},
    authorize::{AuthorizeService, GuardMemo, IdentityCache, Sampling},
    base::{Clock, Entropy, NodeId},
    bus::{Bus, IdentityNews},
    clients::{ClientParts, ClientService},
    config::{Config, RootSecrets},
    entities::{EntityParts, EntityService},
    idempotency::{IdempotencyParts, IdempotencyService},
    kv::Kv,
    mail::{MailService, Smtp},
    policy::{LivePolicies, Node, PolicyService, StoreName},
    profiles::{ProfileParts, ProfileService},
    revocations::{RevocationParts, RevocationService},
    roles::RoleService,
    sessions::{KeySalt, SessionParts, SessionService, SessionSettings},
    storage::Db,
    telemetry::metrics::Metrics,
    tenants::{Plans, TenantParts, TenantService},
    tokens::{TokenParts, TokenService, TokenSettings},
    users::UserService,
};

/// What every service stands on: the configuration, the devices, time and randomness.
pub(super) struct Ground {
    pub(super) config: Config,
    pub(super) secrets: RootSecrets,
    pub(super) db: Db,
    pub(super) kv: Kv,
    pub(super) bus: Bus,
    pub(super) news: Arc<IdentityNews>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl Ground {
    /// Opens the secrets and the devices.
    ///
    /// Errors: whatever cannot be opened, for the operator.
    pub(super) async fn open(config: Config, overrides: Overrides) -> Result<Self> {
        let (clock, entropy) = overrides.or_real();
        let secrets = RootSecrets::open(&config, &*entropy)?;
        let db = open_database(&config).await?;
        let kv = open_kv(&config, &clock).await?;
        let bus = open_bus(&config, &db, &clock, &entropy)?;
        let (news, metrics) = (Arc::new(IdentityNews::new(bus.clone())), Arc::new(Metrics::new()));
        Ok(Self { config, secrets, db, kv, bus, news, metrics, clock, entropy })
    }

    pub(super) async fn tokens(&self) -> Result<Arc<TokenService>> {
        let parts = TokenParts {
            db: self.db.clone(),
            bus: self.bus.clone(),
            settings: TokenSettings::new(&self.config.tokens, &self.config.public_url()),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        };
        let tokens = TokenService::start(parts, &self.secrets.master).await;
        Ok(Arc::new(tokens.context("the signing keys cannot be opened")?))
    }

    pub(super) fn users(&self) -> UserService {
        UserService::new(self.db.clone(), self.news.clone(), self.clock.clone(), self.entropy.clone())
    }

    pub(super) fn roles(&self) -> RoleService {
        RoleService::new(self.db.clone(), self.news.clone(), self.clock.clone(), self.entropy.clone())
    }

    pub(super) fn clients(&self, roles: &RoleService) -> Arc<ClientService> {
        let token_endpoint = format!("{}/v1/oauth/token", self.config.public_url());
        Arc::new(ClientService::new(ClientParts {
            db: self.db.clone(),
            roles: roles.clone(),
            news: self.news.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            audiences: vec![self.config.issuer(), token_endpoint],
            leeway: Duration::from_secs(self.config.tokens.leeway_secs),
        }))
    }

    /// The policy stores, live.
    ///
    /// Errors: the database failed; or nothing could guard our own API.
    pub(super) async fn policies(&self) -> Result<Arc<PolicyService>> {
        let Self { config, db, bus, metrics, clock, entropy, .. } = self;
        let policies = policy_service(config, db, bus, metrics, clock, entropy)?;
        policies.live().refresh().await.context("the active policies cannot be read")?;
        let first = policies.first_start(&config.policy.dir).await;
        first.context("the first policy versions cannot be stored")?;
        if policies.live().snapshot(&StoreName::system()).is_none() {
            bail!(
                "the policy store `system` has no version that can be used; `bailiwick policy restore-system` brings back the shipped one"
            );
        }
        Ok(policies)
    }

    pub(super) fn sessions(&self) -> Result<Arc<SessionService>> {
        let salt = KeySalt::new(self.secrets.redis_salt.clone());
        let parts = SessionParts {
            db: self.db.clone(),
            kv: self.kv.clone(),
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            settings: SessionSettings::new(&self.config.sessions, &self.config.tokens),
            salt: salt.context("`secrets.redis_key_salt` is wrong")?,
        };
        Ok(Arc::new(SessionService::new(parts, &self.secrets.master)))
    }

    pub(super) fn revocations(&self) -> Arc<RevocationService> {
        Arc::new(RevocationService::new(RevocationParts {
            db: self.db.clone(),
            bus: self.bus.clone(),
            matters_for: SessionSettings::new(&self.config.sessions, &self.config.tokens).news_ttl,
            max_followers: self.config.server.max_streams,
        }))
    }

    pub(super) fn profiles(&self, users: &UserService) -> Arc<ProfileService> {
        let parts = ProfileParts {
            db: self.db.clone(),
            users: users.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        };
        Arc::new(ProfileService::new(parts, &self.secrets.master))
    }

    pub(super) fn tenants(&self) -> Arc<TenantService> {
        Arc::new(TenantService::new(TenantParts {
            db: self.db.clone(),
            news: self.news.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            plans: Plans::new(&self.config.tenants.plans),
        }))
    }

    pub(super) fn api_keys(&self, roles: &RoleService) -> Arc<ApiKeyService> {
        Arc::new(ApiKeyService::new(ApiKeyParts {
            db: self.db.clone(),
            roles: roles.clone(),
            news: self.news.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            config: self.config.api_keys.clone(),
        }))
    }

    pub(super) fn entities(&self, policies: &Arc<PolicyService>) -> Arc<EntityService> {
        Arc::new(EntityService::new(EntityParts {
            db: self.db.clone(),
            bus: self.bus.clone(),
            policies: policies.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            poll: Duration::from_secs(self.config.policy.poll_secs),
        }))
    }

    pub(super) fn idempotency(&self) -> Arc<IdempotencyService> {
        let parts = IdempotencyParts {
            db: self.db.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            request_limit: Duration::from_secs(self.config.server.request_timeout_secs),
        };
        Arc::new(IdempotencyService::new(parts, &self.secrets.master))
    }

    pub(super) fn mail(&self) -> Result<Arc<MailService>> {
        let smtp = Smtp::new(&self.config.mail).context("the mail server cannot be used")?;
        Ok(Arc::new(MailService::new(self.db.clone(), smtp, self.clock.clone(), self.entropy.clone())))
    }

    pub(super) fn authorize(
        &self,
        policies: &Arc<PolicyService>,
        entities: &Arc<EntityService>,
        identity: IdentityCache,
    ) -> Result<Arc<AuthorizeService>> {
        let store = self.config.policy.default_store.parse();
        Ok(Arc::new(AuthorizeService {
            policies: policies.clone(),
            entities: entities.clone(),
            identity: Arc::new(identity),
            metrics: self.metrics.clone(),
            sampling: Sampling::new(self.config.policy.verify_index),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            guards: GuardMemo::default(),
            aside: Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)),
            default_store: store.context("`policy.default_store` is wrong")?,
        }))
    }
}

/// The policy stores, not read yet.
pub(super) fn policy_service(
    config: &Config,
    db: &Db,
    bus: &Bus,
    metrics: &Arc<Metrics>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<PolicyService>> {
    let node = Node { id: NodeId::new(clock.now(), &**entropy)?, name: host_name() };
    let poll = Duration::from_secs(config.policy.poll_secs);
    let live = LivePolicies::new(db.clone(), clock.clone(), bus.clone(), metrics.clone(), node, poll);
    Ok(Arc::new(PolicyService::new(db.clone(), clock.clone(), entropy.clone(), bus.clone(), Arc::new(live))))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
