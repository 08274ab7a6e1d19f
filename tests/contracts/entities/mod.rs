//! Pushed entities: the store through its service, and nodes that follow each other.

mod following;
mod loads;
mod writes;

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
    base::{Clock, Entropy, IfMatch, Limit, ManualClock, Millis, NodeId, SeededEntropy},
    bus::Bus,
    entities::{EntityError, EntityFilter, EntityParts, EntityService, Written},
    policy::{Bundle, EntityKey, EntityRow, LivePolicies, Node as PolicyNode, PolicyService, StoreName},
    storage::Db,
};
use serde_json::{Map, Value, json};

use crate::support::TestDb;

const ADA: Actor<'static> = Actor { name: "ada", request_id: None };
/// Seeds the randomness of a node: no two may make the same ids.
static STARTED: AtomicU64 = AtomicU64::new(1_000_000);

const SCHEMA: &str = r#"
    namespace App {
        entity Team;
        entity User in [Team] = { name?: String, age?: Long, boss?: User, nets?: Set<ipaddr> } tags String;
        entity Folder in [Folder];
        entity Document in [Folder] = { owner: User, size?: Long, meta?: { title: String, pages?: Long } };
        entity Colour enum ["red", "green"];
        action view appliesTo { principal: User, resource: Document };
    }"#;

/// One server's entities, on a database that others may share.
struct Node {
    db: Db,
    clock: Arc<ManualClock>,
    entities: Arc<EntityService>,
}

impl Node {
    /// A node that hears nothing and polls rarely, as it has just started.
    async fn start(db: Db) -> Self {
        Self::with(db, Bus::local(), Duration::from_hours(1)).await
    }

    async fn with(db: Db, bus: Bus, poll: Duration) -> Self {
        let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(STARTED.fetch_add(1, Ordering::Relaxed)));
        let timing: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let node = PolicyNode { id: NodeId::new(clock.now(), &*entropy).unwrap(), name: "node".to_owned() };
        let live =
            LivePolicies::new(db.clone(), Arc::clone(&timing), bus.clone(), Arc::default(), node, poll);
        let policies = Arc::new(PolicyService::new(
            db.clone(),
            Arc::clone(&timing),
            Arc::clone(&entropy),
            bus.clone(),
            Arc::new(live),
        ));
        let manifest = "name = \"app\"\nsemver = \"1.0.0\"\n";
        let policy = "@id(\"view\")\npermit (principal, action == App::Action::\"view\", resource);\n";
        let files: BTreeMap<String, Arc<[u8]>> =
            [("manifest.toml", manifest), ("schema/app.cedarschema", SCHEMA), ("view.cedar", policy)]
                .map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())))
                .into();
        policies.put_live(&app(), &Bundle::new(files).unwrap(), "ada", "test").await.unwrap();
        let parts = EntityParts { db: db.clone(), bus, policies, clock: timing, entropy, poll };
        let entities = Arc::new(EntityService::new(parts));
        entities.refresh().await.unwrap();
        Self { db, clock, entities }
    }

    async fn put(&self, name: &str, members: Value) -> Result<Written, EntityError> {
        self.entities.put(&app(), key(name), &object(members), &IfMatch::Anything, ADA).await
    }

    /// Makes an entity with these parents.
    async fn place(&self, name: &str, parents: &[&str]) -> Written {
        self.put(name, json!({ "parents": parents.iter().map(|it| json!(key(it))).collect::<Vec<_>>() }))
            .await
            .unwrap()
    }

    async fn remove(&self, name: &str) -> Result<Written, EntityError> {
        self.entities.delete(&app(), key(name), &IfMatch::Anything, ADA).await
    }

    fn revision(&self) -> i64 {
        self.entities.table(&app()).map_or(0, |table| table.revision().0)
    }

    /// The names of everything that an entity is in, by this node's hot copy, sorted.
    fn above(&self, name: &str) -> Vec<String> {
        let table = self.entities.table(&app()).unwrap_or_default();
        let mut names: Vec<_> = table.ancestors(&key(name)).into_iter().map(|it| it.id.to_string()).collect();
        names.sort();
        names
    }

    /// The hot copy as sorted rows.
    fn hot(&self) -> Vec<EntityRow> {
        let mut rows: Vec<_> = self.entities.table(&app()).unwrap_or_default().iter().collect();
        rows.sort_by(|left, right| left.key.cmp(&right.key));
        rows
    }

    /// What the database holds, sorted.
    async fn stored(&self) -> Vec<EntityRow> {
        let (mut rows, mut cursor) = (Vec::new(), None);
        loop {
            let page = self
                .entities
                .list(&app(), EntityFilter::default(), Limit::default(), cursor.as_ref())
                .await
                .unwrap();
            rows.extend(page.data);
            cursor = page.next;
            if cursor.is_none() {
                return rows;
            }
        }
    }

    async fn rows(&self, table: &'static str) -> i64 {
        self.db.sql("SELECT COUNT(*) FROM ").push(table).scalar().await.unwrap()
    }
}

/// Two nodes on one database that do not hear each other.
async fn two(test: &TestDb) -> (Node, Node) {
    (Node::start(test.db.clone()).await, Node::start(test.second().await).await)
}

fn app() -> StoreName {
    "app".parse().unwrap()
}

/// `User/ada`, or `User/x` of the namespace `App`.
fn key(name: &str) -> EntityKey {
    let (kind, id) = name.split_once('/').unwrap();
    EntityKey::new(format!("App::{kind}"), id)
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("`{value}` is no object") };
    members
}

fn revisions(numbers: &[i64]) -> IfMatch {
    IfMatch::OneOf(numbers.to_vec())
}
