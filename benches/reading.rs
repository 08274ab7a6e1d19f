//! Reading requests and their entities, beside Cedar's public API doing the same. Prints ratios of one run.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench fails by panicking and prints its ratios"
)]

use std::{
    collections::BTreeMap,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use bailiwick::{
    base::Millis,
    policy::{
        Bundle, EntityKey, EntityRow, EntitySlice, EntityTable, Layers, RequestParts, Revision,
        ServerContext, Snapshot, compile, decide,
    },
};
use cedar_policy::{Context, Entities, EntityId, EntityUid, Request, RestrictedExpression, Schema};
use criterion::Criterion;
use serde_json::{Value, json, value::RawValue};

const SCHEMA: &str = "
entity Role in [Role];
entity Tenant;
entity User in [Role, Tenant] = { email?: String, email_verified: Bool, status: String, tenant: Tenant, created_at: datetime };
entity Folder in [Folder] = { owner: User };
entity Document in [Folder] = { owner: User, public: Bool, level: Long, labels: Set<String>, seen?: datetime };
action view, edit appliesTo { principal: [User], resource: [Document],
  context: { mfa?: Bool, from?: ipaddr, labels?: Set<String>, bailiwick?: { now: datetime, ip?: ipaddr } } };
";
const POLICY: &str = "
@id(\"owner\") permit(principal, action, resource is Document) when { resource.owner == principal };
@id(\"role\") permit(principal in Role::\"editor\", action, resource in Folder::\"f3\") when { principal.status == \"active\" };
";

fn snapshot() -> Snapshot {
    let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
    files.insert("schema/s.cedarschema".to_owned(), Arc::from(SCHEMA.as_bytes()));
    files.insert("p.cedar".to_owned(), Arc::from(POLICY.as_bytes()));
    files.insert("manifest.toml".to_owned(), Arc::from(&b"level = 2"[..]));
    compile(&Bundle::new(files).unwrap(), &"bench".parse().unwrap()).unwrap().snapshot
}

fn uid(type_name: &str, id: &str) -> Value {
    json!({"type": type_name, "id": id})
}

/// A user in two roles and a tenant, a document three folders deep, and as many others as make `count`.
fn entities(count: usize) -> Vec<Value> {
    let folder = |n: usize, parents: Value| json!({"uid": uid("Folder", &format!("f{n}")), "attrs": {"owner": uid("User", "usr_1")}, "parents": parents});
    let document = |id: String| {
        json!({"uid": uid("Document", &id), "parents": [uid("Folder", "f1")],
            "attrs": {"owner": uid("User", "usr_1"), "public": false, "level": 3, "labels": ["a", "b"], "seen": "2026-01-01T00:00:00Z"}})
    };
    let user = |id: &str| {
        json!({"uid": uid("User", id), "parents": [uid("Role", "editor"), uid("Role", "user"), uid("Tenant", "ten_1")],
            "attrs": {"email": "ada@example.com", "email_verified": true, "status": "active", "tenant": uid("Tenant", "ten_1"),
                "created_at": "2026-01-01T00:00:00Z"}})
    };
    let mut listed = vec![
        user("usr_1"),
        user("usr_2"),
        document("d1".to_owned()),
        folder(1, json!([uid("Folder", "f2")])),
        folder(2, json!([uid("Folder", "f3")])),
        folder(3, json!([])),
        json!({"uid": uid("Role", "editor"), "attrs": {}, "parents": [uid("Role", "user")]}),
        json!({"uid": uid("Role", "user"), "attrs": {}, "parents": []}),
        json!({"uid": uid("Tenant", "ten_1"), "attrs": {}, "parents": []}),
    ];
    let first = listed.len();
    listed.extend((first..count).map(|n| document(format!("d{n}"))));
    listed
}

/// Entities in Cedar's form with every escape, as they are stored.
fn table(schema: &Schema) -> EntityTable {
    let read = Entities::from_json_value(Value::Array(entities(0)), Some(schema)).unwrap();
    let rows = entities(0).into_iter().map(|entity| {
        let part = |name: &str| entity["uid"][name].as_str().unwrap().to_owned();
        let uid = EntityUid::from_json(entity["uid"].clone()).unwrap();
        let key =
            |value: &Value| EntityKey::new(value["type"].as_str().unwrap(), value["id"].as_str().unwrap());
        EntityRow {
            key: EntityKey::new(part("type"), part("id")),
            attrs: read.get(&uid).unwrap().to_json_value().unwrap()["attrs"].to_string(),
            tags: "{}".to_owned(),
            parents: entity["parents"].as_array().unwrap().iter().map(key).collect(),
            revision: Revision(1),
        }
    });
    EntityTable::from_rows(rows, Revision(1)).unwrap()
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

/// The lower decile of many short runs: what it takes when nothing else has the processor.
fn undisturbed(mut work: impl FnMut()) -> Duration {
    let mut runs: Vec<Duration> = (0..500)
        .map(|_| {
            let start = Instant::now();
            (0..5).for_each(|_| work());
            start.elapsed() / 5
        })
        .collect();
    runs.sort();
    runs[50]
}

/// Ours and Cedar's of one thing, as criterion measures them and as a ratio of one run.
fn pair(criterion: &mut Criterion, name: &str, mut ours: impl FnMut(), mut cedar: impl FnMut()) {
    let mut group = criterion.benchmark_group(name);
    group.bench_function("ours", |bench| bench.iter(&mut ours));
    group.bench_function("cedar", |bench| bench.iter(&mut cedar));
    group.finish();
    let (mine, theirs) = (undisturbed(&mut ours), undisturbed(&mut cedar));
    let ratio = theirs.as_secs_f64() / mine.as_secs_f64();
    println!("{name}: ours {mine:?}, cedar {theirs:?}, {ratio:.1} times\n");
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900))
        .configure_from_args();
    let snapshot = snapshot();
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let (user, document) = (uid("User", "usr_1"), uid("Document", "d1"));
    let context = json!({"mfa": true, "from": "10.0.0.1", "labels": ["a", "b"]});
    let [principal, resource, action, given] = [&user, &document, &json!("view"), &context].map(raw);
    let mut now = 1_700_000_000_000;
    let mut server = || {
        now += 1;
        // A new moment for one request in ten.
        ServerContext {
            now: Some(Millis(now / 10)),
            ip: Some([10, 1, 2, 3].into()),
            ..ServerContext::default()
        }
    };
    let parts =
        RequestParts { principal: &principal, action: &action, resource: &resource, context: Some(&given) };
    let view: EntityUid = "Action::\"view\"".parse().unwrap();
    let whole = {
        let mut whole = context.clone();
        whole["bailiwick"] = json!({"now": "2026-01-01T00:00:00Z", "ip": "10.1.2.3"});
        whole.to_string()
    };
    let read = |json: &str| EntityUid::from_json(serde_json::from_str(json).unwrap()).unwrap();
    pair(
        &mut criterion,
        "query from JSON",
        || drop(black_box(snapshot.query(black_box(parts), &server()).unwrap())),
        || {
            let context = Context::from_json_str(black_box(&whole), Some((&schema, &view))).unwrap();
            let (principal, resource) = (read(principal.get()), read(resource.get()));
            drop(black_box(Request::new(principal, view.clone(), resource, context, Some(&schema)).unwrap()));
        },
    );
    let mut server = || {
        now += 1;
        ServerContext { now: Some(Millis(now / 10)), ..ServerContext::default() }
    };
    pair(
        &mut criterion,
        "query named",
        || {
            let query = snapshot.query_named(("User", "usr_1"), "view", ("Document", "d1"), &server());
            drop(black_box(query.unwrap()));
        },
        || {
            let moment = RestrictedExpression::new_datetime("2026-01-01T00:00:00Z");
            let record = RestrictedExpression::new_record([("now".to_owned(), moment)]).unwrap();
            let context = Context::from_pairs([("bailiwick".to_owned(), record)]).unwrap();
            let named =
                |of: &str, id: &str| EntityUid::from_type_name_and_id(of.parse().unwrap(), EntityId::new(id));
            let (principal, resource) = (named("User", "usr_1"), named("Document", "d1"));
            drop(black_box(Request::new(principal, view.clone(), resource, context, Some(&schema)).unwrap()));
        },
    );
    let query = snapshot.query(parts, &server()).unwrap();
    let stored = table(&schema);
    let listed: Vec<_> = Entities::from_json_value(Value::Array(entities(0)), Some(&schema))
        .unwrap()
        .iter()
        .filter(|entity| entity.uid().type_name().basename() != "Action")
        .cloned()
        .collect();
    pair(
        &mut criterion,
        "slice of stored entities, with the decision",
        || {
            let slice =
                EntitySlice::new(&snapshot, Layers { stored: Some(&stored), ..Layers::default() }).unwrap();
            assert!(black_box(decide(&snapshot, &query, &slice)).allow);
        },
        || drop(black_box(Entities::from_entities(listed.iter().cloned(), Some(&schema)).unwrap())),
    );
    for count in [14, 100] {
        let json = Value::Array(entities(count));
        let (inline, text) = (raw(&json), json.to_string());
        pair(
            &mut criterion,
            &format!("slice with {count} inline entities"),
            || {
                let layers = Layers { stored: Some(&stored), inline: Some(&inline), ..Layers::default() };
                drop(black_box(EntitySlice::new(&snapshot, layers).unwrap()));
            },
            || drop(black_box(Entities::from_json_str(black_box(&text), Some(&schema)).unwrap())),
        );
        let slice = || {
            let layers = Layers { stored: Some(&stored), inline: Some(&inline), ..Layers::default() };
            EntitySlice::new(&snapshot, layers).unwrap()
        };
        let (new, both) = (
            undisturbed(|| drop(black_box(slice()))),
            undisturbed(|| assert!(decide(&snapshot, &query, &slice()).allow)),
        );
        println!("slice with {count} inline entities: {new:?}, with the decision {both:?}\n");
    }
}
