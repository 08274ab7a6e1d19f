//! The lifecycle of policy versions: publish, activate, follow, watch.

mod following;
mod versions;
mod watch;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bailiwick::{
    audit::Actor,
    base::{Clock, Entropy, ManualClock, Millis, NodeId, SeededEntropy},
    bus::Bus,
    policy::{
        Activation, Bundle, LivePolicies, Node, PolicyService, PolicyServiceError, Provenance, Published,
        StoreName, VersionNumber,
    },
    storage::Db,
};

/// Seeds the randomness of a server: no two may make the same ids.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// One server: its services on a database that others may share.
#[derive(Debug)]
struct Server {
    clock: Arc<ManualClock>,
    db: Db,
    live: Arc<LivePolicies>,
    service: Arc<PolicyService>,
}

impl Server {
    /// A server that has just started.
    fn start(db: Db, name: u8) -> Self {
        Self::with_bus(db, name, Bus::local(), Duration::from_secs(5))
    }

    fn with_bus(db: Db, name: u8, bus: Bus, poll: Duration) -> Self {
        let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(STARTED.fetch_add(1, Ordering::Relaxed)));
        let node = Node { id: NodeId::new(clock.now(), &*entropy).unwrap(), name: format!("node-{name}") };
        let timing: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let live = Arc::new(LivePolicies::new(
            db.clone(),
            Arc::clone(&timing),
            bus.clone(),
            Arc::default(),
            node,
            poll,
        ));
        let service = Arc::new(PolicyService::new(db.clone(), timing, entropy, bus, Arc::clone(&live)));
        Self { clock, db, live, service }
    }

    async fn publish(&self, bundle: &Bundle) -> Result<Published, PolicyServiceError> {
        let provenance = Provenance { author: "ada".to_owned(), message: "a change".to_owned(), git: None };
        self.service.publish(&app(), bundle, provenance).await
    }

    async fn activate(&self, number: i64, expected: Option<i64>) -> Result<Activation, PolicyServiceError> {
        let expected = expected.map(VersionNumber);
        self.service.activate(&app(), VersionNumber(number), expected, Actor::named("ada"), "because").await
    }

    async fn roll_back(&self, to: Option<i64>) -> Result<Activation, PolicyServiceError> {
        self.service.roll_back(&app(), to.map(VersionNumber), None, Actor::named("ada"), "it broke").await
    }

    /// The number of the version that this server answers from; 0 before there is one.
    fn answers_from(&self) -> i64 {
        self.live.snapshot(&app()).map_or(0, |snapshot| snapshot.version().0)
    }

    async fn rows(&self, table: &'static str) -> i64 {
        self.db.sql("SELECT COUNT(*) FROM ").push(table).scalar().await.unwrap()
    }
}

fn app() -> StoreName {
    "app".parse().unwrap()
}

/// The files of a small store; `tag` makes them another content.
fn files(tag: &str) -> BTreeMap<String, Arc<[u8]>> {
    let policy = format!("@id(\"view-{tag}\")\npermit (principal, action == Action::\"view\", resource);\n");
    let schema = "entity User;\nentity Document;\n\
                  action view appliesTo { principal: User, resource: Document };\n";
    let manifest = "name = \"app\"\nsemver = \"1.2.3\"\n";
    [("manifest.toml", manifest), ("schema/app.cedarschema", schema), ("view.cedar", policy.as_str())]
        .map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())))
        .into()
}

fn bundle(tag: &str) -> Bundle {
    Bundle::new(files(tag)).unwrap()
}

/// A bundle whose policy does not parse, from its second line on.
fn broken() -> Bundle {
    let mut files = files("broken");
    files.insert("view.cedar".to_owned(), Arc::from(&b"// a comment\npermit (principal, action"[..]));
    Bundle::new(files).unwrap()
}
