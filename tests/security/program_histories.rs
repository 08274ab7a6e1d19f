//! T14 and T29 for companies and their programs: random histories of tenants, owners, API keys, the sessions that their
//! servers open and clients of OAuth 2.0, against a model of what may still be used. (Of people: `histories`.)

use axum::http::Method;
use serde_json::{Value, json};

use super::histories::Dice;
use crate::{
    api_keys::{self, question},
    app::{Actor, Service, TestApp},
    both,
    client::{open_to_companies_with, register, sign_in},
    sdk,
    support::Backend,
};

/// Steps of one history.
const STEPS: usize = 40;
const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];
/// How many ends of each kind the audit log has.
const ENDS: &str =
    "SELECT COUNT(*) FROM audit_log WHERE action IN ('api_key_revoked', 'oauth_client_deleted',
    'oauth_client_secret_rotated', 'oauth_token_revoked', 'oauth_client_changed')";

struct Company {
    tenant: String,
    mail: String,
    is_active: bool,
    /// The key by which its server opens sessions: its id and its text.
    key: (String, String),
}

/// What somebody was given, in a company, and whether it is over for good.
struct Given<T> {
    company: usize,
    it: T,
    is_over: bool,
}

/// A client with everything that was ever given out for it.
struct Program {
    now: Service,
    is_disabled: bool,
    old_secrets: Vec<String>,
    /// Tokens, and whether each is over.
    tokens: Vec<(String, bool)>,
}

/// The server, and what ought to be so.
struct World {
    test: TestApp,
    root: Actor,
    companies: Vec<Company>,
    sessions: Vec<Given<Actor>>,
    keys: Vec<Given<(String, String)>>,
    /// Access and refresh tokens that a company's server got for its users.
    opened: Vec<Given<(String, String)>>,
    programs: Vec<Given<Program>>,
    /// Ends that were recorded so far.
    ends: i64,
}

impl World {
    async fn new(test: TestApp) -> Self {
        let root = test.administrator().await;
        let (mut companies, mut sessions) = (Vec::new(), Vec::new());
        for (at, name) in ["acme", "bolt", "core"].into_iter().enumerate() {
            let made = register(&test, name).await;
            let mail = format!("owner@{name}.example");
            let key = (sdk::key_id(&test, &made).await, made.key);
            companies.push(Company { tenant: made.tenant, mail, is_active: true, key });
            sessions.push(Given { company: at, it: made.owner, is_over: false });
        }
        let (keys, opened, programs) = (Vec::new(), Vec::new(), Vec::new());
        Self { test, root, companies, sessions, keys, opened, programs, ends: 0 }
    }

    /// Somebody who is signed in to a company and may manage it; signs in where nobody is.
    async fn owner(&mut self, company: usize) -> Actor {
        let of = |session: &&Given<Actor>| session.company == company && !session.is_over;
        if let Some(session) = self.sessions.iter().find(of) {
            return session.it.clone();
        }
        let Company { tenant, mail, .. } = &self.companies[company];
        let owner = Actor::from(sign_in(&self.test, mail, tenant).await.expect(200));
        self.sessions.push(Given { company, it: owner.clone(), is_over: false });
        owner
    }

    /// Changes the client of a program, as the owner.
    async fn manage(&mut self, at: usize, method: Method, what: &str, body: Option<Value>) -> Value {
        let owner = self.owner(self.programs[at].company).await;
        let path = format!("/v1/admin/oauth-clients/{}{what}", self.programs[at].it.now.id);
        let reply = self.test.send(method, &path, Some(&owner.token), body).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
        self.ends += 1;
        self.programs[at].it.tokens.iter_mut().for_each(|(_, is_over)| *is_over = true);
        reply.body
    }

    /// Revokes the key by which a company's server opens sessions, and with it those, and makes the next one.
    async fn replace_key(&mut self, company: usize) {
        let owner = self.owner(company).await;
        let path = format!("{}/{}", api_keys::KEYS, self.companies[company].key.0);
        assert_eq!(self.test.delete(&path, &owner.token).await.status, 204);
        self.ends += 1;
        self.opened.iter_mut().filter(|it| it.company == company).for_each(|it| it.is_over = true);
        let made = self.test.post("/v1/client/api-keys/rotate", &owner.token, json!({})).await.expect(200);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        self.companies[company].key = (text("key_id"), text("secondary_key"));
    }

    async fn set_active(&mut self, company: usize, is_active: bool) {
        let status = if is_active { "active" } else { "suspended" };
        let path = format!("/v1/admin/tenants/{}", self.companies[company].tenant);
        let body = json!({"status": status});
        self.test.send(Method::PATCH, &path, Some(&self.root.token), Some(body)).await.expect(200);
        self.companies[company].is_active = is_active;
        if is_active {
            return;
        }
        self.sessions.iter_mut().filter(|it| it.company == company).for_each(|it| it.is_over = true);
        self.opened.iter_mut().filter(|it| it.company == company).for_each(|it| it.is_over = true);
        let programs = self.programs.iter_mut().filter(|it| it.company == company);
        programs.flat_map(|it| &mut it.it.tokens).for_each(|(_, is_over)| *is_over = true);
    }

    /// One random step; answers what it was.
    async fn step(&mut self, dice: &mut Dice) -> &'static str {
        self.test.advance(std::time::Duration::from_secs(1));
        let company = dice.below(self.companies.len());
        if !self.companies[company].is_active {
            let Company { tenant, mail, .. } = &self.companies[company];
            sign_in(&self.test, mail, tenant).await.expect_problem(401, "invalid_credentials");
            self.set_active(company, true).await;
            return "resume a tenant";
        }
        let works = |it: &Given<Program>| it.company == company && !it.is_over;
        let program = dice.one_of(&self.programs, works);
        match (dice.below(15), program) {
            (0, _) => {
                self.set_active(company, false).await;
                "suspend a tenant"
            }
            (1, _) => {
                let owner = self.owner(company).await;
                assert_eq!(self.test.post("/v1/auth/logout", &owner.token, json!({})).await.status, 204);
                let mut sessions = self.sessions.iter_mut();
                sessions.find(|it| it.it.session == owner.session).unwrap().is_over = true;
                "sign out"
            }
            (2, _) => {
                let owner = self.owner(company).await;
                let key = api_keys::make(&self.test, &owner, json!({"name": "k"})).await;
                self.keys.push(Given { company, it: key, is_over: false });
                "make a key"
            }
            (3, _) => {
                let Some(at) = dice.one_of(&self.keys, |it| it.company == company && !it.is_over) else {
                    return "no key to revoke";
                };
                let owner = self.owner(company).await;
                let path = format!("{}/{}", api_keys::KEYS, self.keys[at].it.0);
                assert_eq!(self.test.delete(&path, &owner.token).await.status, 204);
                self.keys[at].is_over = true;
                self.ends += 1;
                "revoke a key"
            }
            (12, _) => {
                let body = json!({"user_external_id": format!("user-{}", dice.below(3))});
                let opened = sdk::open(&self.test, &self.companies[company].key.1, body).await.expect(200);
                let text = |name: &str| opened[name].as_str().unwrap().to_owned();
                let it = (text("access_token"), text("refresh_token"));
                self.opened.push(Given { company, it, is_over: false });
                "open a session by a key"
            }
            (13, _) => {
                self.replace_key(company).await;
                "revoke the key that opens sessions"
            }
            (4, _) | (_, None) => {
                let owner = self.owner(company).await;
                let about = json!({"name": "p", "scopes": ["decisions"]});
                let now = self.test.service(&owner, about).await;
                let it = Program { now, is_disabled: false, old_secrets: Vec::new(), tokens: Vec::new() };
                self.programs.push(Given { company, it, is_over: false });
                "make a client"
            }
            (5, Some(at)) => {
                self.manage(at, Method::DELETE, "", None).await;
                self.programs[at].is_over = true;
                "delete a client"
            }
            (6, Some(at)) => {
                let made = self.manage(at, Method::POST, "/secret", Some(json!({"keep_secs": 0}))).await;
                let old = std::mem::replace(&mut self.programs[at].it.now, Service::from(made));
                self.programs[at].it.old_secrets.push(old.secret);
                "rotate a secret"
            }
            (7, Some(at)) => {
                let is_disabled = !self.programs[at].it.is_disabled;
                let status = if is_disabled { "disabled" } else { "active" };
                self.manage(at, Method::PATCH, "", Some(json!({"status": status}))).await;
                self.programs[at].it.is_disabled = is_disabled;
                "disable a client, or enable it"
            }
            (8, Some(at)) if !self.programs[at].it.is_disabled => {
                let Program { now, tokens, .. } = &mut self.programs[at].it;
                let Some((token, is_over)) = tokens.iter_mut().find(|(_, is_over)| !is_over) else {
                    return "no token to revoke";
                };
                self.test.form("/v1/oauth/revoke", Some(now), &[("token", token)]).await.expect(200);
                *is_over = true;
                self.ends += 1;
                "revoke a token"
            }
            (_, Some(at)) => {
                let Program { now, is_disabled, tokens, .. } = &mut self.programs[at].it;
                let reply = self.test.token(now, &OWN).await;
                if *is_disabled {
                    reply.expect_oauth(401, "invalid_client");
                    return "no token for who is disabled";
                }
                tokens.push((reply.expect(200)["access_token"].as_str().unwrap().to_owned(), false));
                "issue a token"
            }
        }
    }

    /// Compares every credential that was ever given out with the model.
    async fn check(&self, after: &str) {
        for Given { it, is_over, .. } in &self.sessions {
            let status = self.test.whoami(&it.token).await.status.as_u16();
            assert_eq!(status, if *is_over { 401 } else { 200 }, "an access token after: {after}");
            if *is_over {
                assert_eq!(
                    self.test.refresh(&it.refresh).await.status,
                    401,
                    "a refresh token after: {after}"
                );
            }
        }
        for Given { it: (access, refresh), is_over, .. } in &self.opened {
            let status = self.test.whoami(access).await.status.as_u16();
            assert_eq!(status, if *is_over { 401 } else { 200 }, "a token of a key's session after: {after}");
            if *is_over {
                let body = json!({ "refresh_token": refresh });
                let status = self.test.post_open(sdk::REFRESH, body).await.status;
                assert_eq!(status, 401, "a refresh token of a key's session after: {after}");
            }
        }
        for Given { company, it: (_, text), is_over } in &self.keys {
            let wanted = !is_over && self.companies[*company].is_active;
            let status = api_keys::ask(&self.test, text).await.status.as_u16();
            assert_eq!(status, if wanted { 200 } else { 401 }, "an API key after: {after}");
        }
        for Given { company, it, is_over } in &self.programs {
            let stands = !is_over && !it.is_disabled && self.companies[*company].is_active;
            for (token, is_over) in &it.tokens {
                let status = self.test.ask(token, question()).await.status.as_u16();
                assert_eq!(status, if stands && !is_over { 200 } else { 401 }, "a token after: {after}");
            }
            let proves = async |secret: &str| {
                let client = Service { id: it.now.id.clone(), secret: secret.to_owned() };
                let reply = self.test.form("/v1/oauth/introspect", Some(&client), &[("token", "x")]).await;
                reply.status.as_u16() == 200
            };
            assert_eq!(proves(&it.now.secret).await, stands, "a secret after: {after}");
            for old in &it.old_secrets {
                assert!(!proves(old).await, "a secret that was replaced, after: {after}");
            }
        }
        let ends: i64 = self.test.app.db.sql(ENDS).scalar().await.unwrap();
        assert_eq!(ends, self.ends, "records of ends after: {after}");
    }
}

async fn live(backend: Backend) {
    let histories = crate::support::setting("BAILIWICK_TEST_HISTORIES");
    let histories: u64 = histories.map_or(3, |text| text.parse().unwrap());
    for seed in 1..=histories {
        let long = |config: &mut bailiwick::config::Config| config.tokens.access_ttl_secs = 86_400;
        let Some(test) = open_to_companies_with(backend, long).await else { return };
        let mut world = World::new(test).await;
        let mut dice = Dice::new(seed);
        let mut so_far = Vec::new();
        for _ in 0..STEPS {
            so_far.push(world.step(&mut dice).await);
            world.check(&format!("seed {seed}: {so_far:?}")).await;
        }
        assert!(world.ends > 1 && world.programs.len() > 1, "the history is too short of events: {so_far:?}");
    }
}

both! {
    async fn t14_nothing_of_a_company_that_was_ended_works_again(backend: Backend) {
        live(backend).await;
    }
}
