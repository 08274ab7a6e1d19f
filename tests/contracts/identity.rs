//! A node with all identity services, for the suites of `sessions` and `authn`.

use std::sync::Arc;

use bailiwick::{
    api_keys::{ApiKeyParts, ApiKeyService},
    audit,
    authn::{
        AuthnError, AuthnParts, AuthnService, Caller, Entrant, Gate, Login, PasswordRules, Passwords,
        Registered, Registration, SignedIn, UserCaller,
    },
    base::{Clock, Entropy, Limit, ManualClock, MasterKey, OsEntropy, TenantId},
    bus::{Bus, IdentityNews},
    clients::{ClientParts, ClientService},
    config::{
        ApiKeysConfig, LimitsConfig, MailConfig, PasswordsConfig, RegistrationConfig, SessionsConfig,
        TokensConfig,
    },
    kv::Kv,
    mail::{MailService, Pages},
    roles::RoleService,
    sessions::{ClientInfo, KeySalt, SessionParts, SessionService, SessionSettings},
    storage::Db,
    tenants::{Plans, TenantParts, TenantService},
    tokens::{TokenParts, TokenService},
    users::{User, UserService},
};
use futures_util::future::BoxFuture;
use secrecy::SecretString;

use crate::{
    support::{Backend, TestDb},
    tokens::{START, settings},
};

pub(crate) const TENANT: TenantId = TenantId::DEFAULT;
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const SALT: &str = "a salt for tests, of 32 bytes or more";

/// These nodes have no policies: whoever proved who they are goes on.
#[derive(Debug)]
struct NoPolicies;

impl Gate for NoPolicies {
    fn ask<'a>(&'a self, _: Entrant<'a>) -> BoxFuture<'a, Result<(), AuthnError>> {
        Box::pin(async { Ok(()) })
    }
}

/// One node.
pub(crate) struct Node {
    pub(crate) db: Db,
    pub(crate) kv: Kv,
    pub(crate) bus: Bus,
    pub(crate) users: UserService,
    pub(crate) roles: RoleService,
    pub(crate) sessions: Arc<SessionService>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) authn: AuthnService,
}

/// Data, and the time that passes for all nodes on it.
pub(crate) struct World {
    pub(crate) test: TestDb,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    pub(crate) async fn new(backend: Backend) -> Option<Self> {
        Some(Self { test: TestDb::new(backend).await?, clock: Arc::new(ManualClock::at(START)) })
    }

    /// A node with memory of its own, as if it had no Redis.
    pub(crate) async fn node(&self) -> Node {
        self.node_with(RegistrationConfig::default(), Bus::local()).await
    }

    pub(crate) async fn node_with(&self, registration: RegistrationConfig, bus: Bus) -> Node {
        let kv = Kv::memory(Arc::clone(&self.clock) as Arc<dyn Clock>, 1 << 20);
        self.node_on(registration, bus, kv).await
    }

    pub(crate) async fn node_on(&self, registration: RegistrationConfig, bus: Bus, kv: Kv) -> Node {
        self.node_where(registration, bus, kv, |_| ()).await
    }

    /// A node whose sessions last otherwise.
    pub(crate) async fn node_where(
        &self,
        registration: RegistrationConfig,
        bus: Bus,
        kv: Kv,
        change: impl FnOnce(&mut SessionsConfig),
    ) -> Node {
        let mut lasting = SessionsConfig::default();
        change(&mut lasting);
        let (db, master) = (self.test.db.clone(), MasterKey::new([5; 32]));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let news = Arc::new(IdentityNews::new(bus.clone()));
        let users = UserService::new(db.clone(), Arc::clone(&news), Arc::clone(&clock), Arc::clone(&entropy));
        let roles = RoleService::new(db.clone(), Arc::clone(&news), Arc::clone(&clock), Arc::clone(&entropy));
        let tokens = TokenParts {
            db: db.clone(),
            bus: bus.clone(),
            settings: settings(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        let tokens = TokenService::start(tokens, &master).await;
        let parts = SessionParts {
            db: db.clone(),
            kv: kv.clone(),
            bus: bus.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            settings: SessionSettings::new(&lasting, &TokensConfig::default()),
            salt: KeySalt::new(SecretString::from(SALT)).unwrap(),
        };
        let sessions = Arc::new(SessionService::new(parts, &master));
        let passwords = tiny_passwords();
        let pool = Arc::new(Passwords::start(&passwords, Arc::clone(&entropy)).unwrap());
        let clients = Arc::new(ClientService::new(ClientParts {
            db: db.clone(),
            roles: roles.clone(),
            news: Arc::clone(&news),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            audiences: vec!["https://id.example".to_owned(), "https://id.example/v1/oauth/token".to_owned()],
            leeway: std::time::Duration::from_secs(5),
        }));
        let parts = AuthnParts {
            db: db.clone(),
            kv: kv.clone(),
            users: users.clone(),
            roles: roles.clone(),
            sessions: Arc::clone(&sessions),
            tenants: Arc::new(TenantService::new(TenantParts {
                db: db.clone(),
                news: Arc::clone(&news),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
                plans: Plans::default(),
            })),
            api_keys: Arc::new(ApiKeyService::new(ApiKeyParts {
                db: db.clone(),
                roles: roles.clone(),
                news: Arc::clone(&news),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
                config: ApiKeysConfig::default(),
            })),
            tokens: Arc::new(tokens.unwrap()),
            passwords: Arc::clone(&pool),
            rules: PasswordRules::new(&passwords),
            mail: Arc::new(MailService::new(db.clone(), None, Arc::clone(&clock), Arc::clone(&entropy))),
            pages: Pages::new(&MailConfig::default(), "https://auth.example.com"),
            metrics: Arc::default(),
            registration,
            sudo_secs: 300,
            limits: no_limits(),
            gate: Arc::new(NoPolicies),
            clients,
            clock,
            entropy,
        };
        let authn = AuthnService::new(parts, &master);
        Node { db, kv, bus, users, roles, sessions, passwords: pool, authn }
    }
}

pub(crate) fn tiny_passwords() -> PasswordsConfig {
    PasswordsConfig {
        argon2_memory_kib: 8,
        argon2_passes: 1,
        workers: Some(2),
        queue_per_worker: 64,
        ..PasswordsConfig::default()
    }
}

/// Limits that no test reaches that is not about them.
pub(crate) fn no_limits() -> LimitsConfig {
    LimitsConfig {
        login_per_address: 1_000_000,
        login_per_identifier: 1_000_000,
        register_per_address: 1_000_000,
        mail_per_address: 1_000_000,
        mail_per_recipient: 1_000_000,
        second_factor_per_user: 1_000_000,
        lock_after: 1_000_000,
        anomaly_failures: 1_000_000,
        ..LimitsConfig::default()
    }
}

pub(crate) fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

impl Node {
    pub(crate) async fn sign_up(&self, email: &str) -> User {
        let registration = Registration {
            email: email.parse().unwrap(),
            username: None,
            name: None,
            password: secret(PASSWORD),
            client: ClientInfo::default(),
        };
        let done = self.authn.register(TENANT, &registration, None).await.unwrap();
        if let Registered::Created(user) = done {
            return *user;
        }
        self.users.credentials_of(TENANT, email).await.unwrap().unwrap().user
    }

    pub(crate) async fn login_with(&self, identifier: &str, password: &str) -> Result<SignedIn, AuthnError> {
        let login = Login {
            identifier: identifier.to_owned(),
            password: secret(password),
            device_token: None,
            client: ClientInfo {
                ip: Some("192.0.2.7".parse().unwrap()),
                user_agent: Some("test/1".to_owned()),
                device_name: Some("Phone".to_owned()),
                device_platform: Some("ios".to_owned()),
                ..ClientInfo::default()
            },
        };
        self.authn.login(TENANT, &login, Some("req_login")).await
    }

    pub(crate) async fn login(&self, identifier: &str) -> SignedIn {
        self.login_with(identifier, PASSWORD).await.unwrap()
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<SignedIn, AuthnError> {
        self.authn.refresh(token, &ClientInfo::default(), None).await
    }

    pub(crate) async fn caller(&self, signed_in: &SignedIn) -> Result<Arc<UserCaller>, AuthnError> {
        match self.authn.identify(Some(signed_in.access.token.expose())).await? {
            Caller::User(caller) => Ok(caller),
            other => panic!("a token that names no user: {other:?}"),
        }
    }

    /// How often an action was recorded.
    pub(crate) async fn recorded(&self, action: &str) -> usize {
        let records = audit::list(&mut &self.db, TENANT, Limit::new(200).unwrap()).await.unwrap();
        records.iter().filter(|record| record.action == action).count()
    }
}
