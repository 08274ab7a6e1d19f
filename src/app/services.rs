//! Making the services out of the configuration and the devices.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::sync::Semaphore;

use crate::{
    api_keys::{ApiKeyParts, ApiKeyService},
    authorize::{AuthorizeService, GuardMemo, IdentityCache, Sampling},
    base::{Clock, Entropy, MasterKey, NodeId},
    bus::{Bus, IdentityNews},
    clients::{ClientParts, ClientService},
    config::{Config, RootSecrets},
    entities::{EntityParts, EntityService},
    idempotency::{IdempotencyParts, IdempotencyService},
    kv::Kv,
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

pub(super) async fn start_tokens(
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

pub(super) fn client_service(
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

pub(super) async fn start_policies(
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
    let live =
        Arc::new(LivePolicies::new(db.clone(), clock.clone(), bus.clone(), metrics.clone(), node, poll));
    Ok(Arc::new(PolicyService::new(db.clone(), clock.clone(), entropy.clone(), bus.clone(), live)))
}

pub(super) fn session_service(
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

pub(super) fn revocation_service(config: &Config, db: &Db, bus: &Bus) -> RevocationService {
    RevocationService::new(RevocationParts {
        db: db.clone(),
        bus: bus.clone(),
        matters_for: SessionSettings::new(&config.sessions, &config.tokens).news_ttl,
        max_followers: config.server.max_streams,
    })
}

pub(super) fn profile_service(
    master: &MasterKey,
    db: &Db,
    users: &UserService,
    metrics: &Arc<Metrics>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> ProfileService {
    let parts = ProfileParts {
        db: db.clone(),
        users: users.clone(),
        metrics: metrics.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
    };
    ProfileService::new(parts, master)
}

pub(super) fn tenant_service(
    config: &Config,
    db: &Db,
    news: Arc<IdentityNews>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> TenantService {
    TenantService::new(TenantParts {
        db: db.clone(),
        news,
        clock: clock.clone(),
        entropy: entropy.clone(),
        plans: Plans::new(&config.tenants.plans),
    })
}

pub(super) fn api_key_service(
    config: &Config,
    db: &Db,
    roles: &RoleService,
    news: Arc<IdentityNews>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> ApiKeyService {
    ApiKeyService::new(ApiKeyParts {
        db: db.clone(),
        roles: roles.clone(),
        news,
        clock: clock.clone(),
        entropy: entropy.clone(),
        config: config.api_keys.clone(),
    })
}

pub(super) fn entity_service(
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

pub(super) fn idempotency_service(
    config: &Config,
    secrets: &RootSecrets,
    db: &Db,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> IdempotencyService {
    let parts = IdempotencyParts {
        db: db.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        request_limit: Duration::from_secs(config.server.request_timeout_secs),
    };
    IdempotencyService::new(parts, &secrets.master)
}

pub(super) fn authorize_service(
    config: &Config,
    policies: &Arc<PolicyService>,
    entities: &Arc<EntityService>,
    identity: IdentityCache,
    metrics: &Arc<Metrics>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<AuthorizeService>> {
    Ok(Arc::new(AuthorizeService {
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
    }))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
