//! What the hot copy of pushed entities costs: building, one write, looking up, memory; at 10,000, 100,000 and
//! 1,000,000 entities, as a table with ratios to the first.
//!
//! `cargo bench --bench entities [-- <entities>…]`. Each size runs in a process of its own, for its memory. Then the
//! way through the service and SQLite, at up to 100,000: loading all, one write, starting anew.
#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!` written in place reads better than a reference to it"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a bench fails by panicking, and prints"
)]

use std::{
    hint::black_box,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bailiwick::{
    audit::Actor,
    base::{Clock, IfMatch, NodeId, SeededEntropy, SystemClock},
    bus::Bus,
    entities::{EntityParts, EntityService, LoadForm},
    policy::{
        Bundle, EntityKey, EntityRow, EntityTable, EntityUid, LivePolicies, Node, PolicyService, Revision,
        Snapshot, StoreName,
    },
    storage::{Db, SqliteOptions},
};
use cedar_policy::{EntityId, EntityTypeName, PolicySet, Schema};
use serde_json::{Value, json};

const SCHEMA: &str = "entity Folder in [Folder]; entity User; entity Shelf;
    entity Document in [Folder, Shelf] = { owner: User, title: String, version: Long, archived: Bool, visibility: String };
    action view appliesTo { principal: User, resource: Document };";
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
const CHILD: &str = "--one";
const WRITES: usize = 2_000;
const LOOKS: usize = 20_000;
const CHECKS: usize = 5_000;

/// What is measured, with its unit.
const ROWS: [(&str, &str); 16] = [
    ("build", "ms"),
    ("resident, table", "MiB"),
    ("resident, a row", "bytes"),
    ("resident, with 20,000 Cedar entities", "MiB"),
    ("one attribute, p50", "µs"),
    ("one attribute, p99", "µs"),
    ("one leaf moved, p50", "µs"),
    ("one leaf moved, p99", "µs"),
    ("a folder of some 90 moved, p50", "µs"),
    ("a folder of some 90 moved, p99", "µs"),
    ("look-up, first, p50", "ns"),
    ("look-up, again, p50", "ns"),
    ("look-up, again, p99", "ns"),
    ("look-up beside a busy writer, p50", "ns"),
    ("look-up beside a busy writer, p99", "ns"),
    ("checking one against the schema, mean", "µs"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if let [flag, size] = arguments.as_slice()
        && flag == CHILD
    {
        let measured: Vec<String> =
            measure(size.parse().unwrap()).iter().map(|value| format!("{value:.3}")).collect();
        println!("{}", measured.join(" "));
        return;
    }
    let chosen: Vec<usize> = arguments.iter().filter_map(|it| it.parse().ok()).collect();
    let sizes = if chosen.is_empty() { SIZES.to_vec() } else { chosen };
    let columns: Vec<Vec<f64>> = sizes.iter().map(|size| in_own_process(*size)).collect();
    print!("{:<40}{:>6}", "entities", "");
    for size in &sizes {
        print!("{size:>22}");
    }
    println!();
    for (row, (what, unit)) in ROWS.iter().enumerate() {
        print!("{what:<40}{unit:>6}");
        for column in &columns {
            print!("{:>12.1} (×{:>6.2})", column[row], column[row] / columns[0][row]);
        }
        println!();
    }
    println!("\nthrough the service, on SQLite");
    for size in sizes.into_iter().filter(|size| *size <= 100_000) {
        tokio::runtime::Runtime::new().unwrap().block_on(through_sql(size));
    }
}

/// Loads newline-delimited JSON, writes single entities, starts a second service on the same data.
async fn through_sql(size: usize) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::sqlite(&SqliteOptions { path: folder.path().join("bench.db"), readers: 2 }).await.unwrap();
    db.migrate().await.unwrap();
    let store: StoreName = "app".parse().unwrap();
    let service = service(&db, &store, 1).await;
    let lines: Vec<String> = (0..size).map(|number| format!("{}\n", document_json(number, 0))).collect();
    let actor = Actor::named("bench");
    let started = Instant::now();
    let load = service.begin_load(&store, LoadForm::Lines).await.unwrap();
    for some in lines.chunks(500) {
        assert!(load.send(some.concat().into_bytes()).await);
    }
    service.finish_load(load, actor).await.unwrap();
    let loaded = started.elapsed();
    let mut times = Vec::new();
    for turn in 0..300 {
        let Value::Object(mut members) = document_json(spread(turn, size), turn + 1) else { continue };
        members.remove("uid");
        let key = key("Document", spread(turn, size));
        let started = Instant::now();
        service.put(&store, key, &members, &IfMatch::Anything, actor).await.unwrap();
        times.push(nanos(started.elapsed()));
    }
    let started = Instant::now();
    let again = self::service(&db, &store, 2).await;
    let anew = started.elapsed();
    assert_eq!(again.table(&store).unwrap().len(), size);
    println!(
        "{size:>9} entities: load {:.2} s, one write p50 {:.2} ms, p99 {:.2} ms, start {:.2} s",
        loaded.as_secs_f64(),
        percentile(&times, 50) / 1e6,
        percentile(&times, 99) / 1e6,
        anew.as_secs_f64(),
    );
}

async fn service(db: &Db, store: &StoreName, seed: u64) -> EntityService {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SeededEntropy::new(seed)));
    let (bus, poll) = (Bus::local(), Duration::from_secs(5));
    let node = Node { id: NodeId::new(clock.now(), &*entropy).unwrap(), name: "bench".to_owned() };
    let live = LivePolicies::new(db.clone(), clock.clone(), bus.clone(), Arc::default(), node, poll);
    let policies =
        PolicyService::new(db.clone(), clock.clone(), entropy.clone(), bus.clone(), Arc::new(live));
    let view = "@id(\"view\")\npermit (principal, action == Action::\"view\", resource);\n";
    let files = [
        ("manifest.toml", "name = \"app\"\nsemver = \"1.0.0\"\n"),
        ("schema/app.cedarschema", SCHEMA),
        ("view.cedar", view),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())));
    policies.put_live(store, &Bundle::new(files.into()).unwrap(), "bench", "bench").await.unwrap();
    let parts = EntityParts { db: db.clone(), bus, policies: Arc::new(policies), clock, entropy, poll };
    let service = EntityService::new(parts);
    service.refresh().await.unwrap();
    service
}

fn in_own_process(size: usize) -> Vec<f64> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args([CHILD, &size.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(|value| value.parse().unwrap()).collect()
}

fn measure(size: usize) -> Vec<f64> {
    let started = Instant::now();
    rows(size).for_each(|row| drop(black_box(row)));
    let making = started.elapsed();
    let at_first = resident();
    let started = Instant::now();
    let table = EntityTable::from_rows(rows(size), Revision(1)).expect("no cycle");
    let build = started.elapsed().saturating_sub(making);
    let resident_table = resident() - at_first;
    let mut found =
        vec![build.as_secs_f64() * 1e3, resident_table / 1_048_576.0, resident_table / size as f64];
    let seen: Vec<EntityUid> =
        (0..LOOKS).map(|turn| uid("Document", spread(turn, documents(size)))).collect();
    let first = look_up(&table, &seen);
    found.push((resident() - at_first) / 1_048_576.0);
    let again = look_up(&table, &seen);

    let (table, attribute) = write(table, |turn, table| {
        let number = spread(turn, documents(size));
        document(number, turn, table_parents(table, number))
    });
    let (table, leaf) = write(table, |turn, _| {
        let number = spread(turn, documents(size));
        let folder = spread(turn + 7, folders(size));
        document(number, turn, vec![key("Folder", folder)])
    });
    let (table, folder) = write_some(table, WRITES / 10, |turn, _| {
        let number = folders(size) - 1 - spread(turn, folders(size) / 2);
        folder_row(number, Some(spread(turn + 3, folders(size) / 4)))
    });
    for times in [&attribute, &leaf, &folder] {
        found.extend([percentile(times, 50) / 1e3, percentile(times, 99) / 1e3]);
    }
    found.extend([percentile(&first, 50), percentile(&again, 50), percentile(&again, 99)]);
    let beside = beside_a_writer(table, &seen, size);
    found.extend([percentile(&beside, 50), percentile(&beside, 99)]);
    found.push(check());
    found
}

// The store: a hundredth of it folders in a tree ten wide, a tenth users in teams, the rest documents.

fn folders(size: usize) -> usize {
    size / 100
}

fn users(size: usize) -> usize {
    size / 10
}

fn documents(size: usize) -> usize {
    size - folders(size) - users(size)
}

fn rows(size: usize) -> impl Iterator<Item = EntityRow> {
    let folder = |number: usize| folder_row(number, (number > 0).then_some(number / 10));
    let user = |number: usize| {
        row(
            "User",
            number,
            json!({"name": format!("User number {number}"), "age": number % 90,
        "email": format!("user{number}@example.com"), "active": true}),
            vec![key("Team", number % 500)],
        )
    };
    let document = move |number: usize| {
        let mut parents = vec![key("Folder", spread(number, folders(size)))];
        if number.is_multiple_of(5) {
            parents.push(key("Shelf", number % 1_000)); // which does not exist
        }
        document(number, 0, parents)
    };
    (0..folders(size)).map(folder).chain((0..users(size)).map(user)).chain((0..documents(size)).map(document))
}

fn folder_row(number: usize, parent: Option<usize>) -> EntityRow {
    row("Folder", number, json!({}), parent.map(|parent| key("Folder", parent)).into_iter().collect())
}

fn document(number: usize, version: usize, parents: Vec<EntityKey>) -> EntityRow {
    let owner = json!({"__entity": {"type": "User", "id": format!("User-{}", number % 1_000)}});
    row(
        "Document",
        number,
        json!({"owner": owner, "title": format!("Document number {number}"), "version": version,
        "archived": false, "visibility": "internal"}),
        parents,
    )
}

fn row(kind: &str, number: usize, attrs: serde_json::Value, mut parents: Vec<EntityKey>) -> EntityRow {
    parents.sort();
    EntityRow {
        key: key(kind, number),
        attrs: attrs.to_string(),
        tags: "{}".to_owned(),
        parents,
        revision: Revision(1),
    }
}

fn key(kind: &str, number: usize) -> EntityKey {
    EntityKey::new(kind, format!("{kind}-{number}"))
}

fn uid(kind: &str, number: usize) -> EntityUid {
    let kind_name: EntityTypeName = kind.parse().unwrap();
    EntityUid::from_type_name_and_id(kind_name, EntityId::new(format!("{kind}-{number}")))
}

/// A number below `of`, spread over all of them.
fn spread(turn: usize, of: usize) -> usize {
    (turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % of.max(1)
}

fn table_parents(table: &EntityTable, number: usize) -> Vec<EntityKey> {
    table.row(&key("Document", number)).map(|row| row.parents).unwrap_or_default()
}

// Measuring.

fn write(table: EntityTable, row: impl Fn(usize, &EntityTable) -> EntityRow) -> (EntityTable, Vec<f64>) {
    write_some(table, WRITES, row)
}

/// Each write on top of the last, the older table dropped within its time.
fn write_some(
    mut table: EntityTable,
    writes: usize,
    row: impl Fn(usize, &EntityTable) -> EntityRow,
) -> (EntityTable, Vec<f64>) {
    let mut times = Vec::with_capacity(writes);
    for turn in 0..writes {
        let row = row(turn, &table);
        let at = table.revision().next();
        let started = Instant::now();
        table = table.upsert(row, at).expect("no cycle");
        times.push(nanos(started.elapsed()));
    }
    (table, times)
}

fn look_up(table: &EntityTable, seen: &[EntityUid]) -> Vec<f64> {
    let look = |uid: &EntityUid| {
        let started = Instant::now();
        let entity = black_box(table.entity(black_box(uid)));
        let took = nanos(started.elapsed());
        assert!(entity.is_some());
        took
    };
    seen.iter().map(look).collect()
}

/// Looks up while another thread writes as fast as it can; what it writes is what is read next.
fn beside_a_writer(table: EntityTable, seen: &[EntityUid], size: usize) -> Vec<f64> {
    // As the server does: readers clone a reference, a writer replaces it.
    let shared = Arc::new(Mutex::new(table));
    let done = Arc::new(AtomicBool::new(false));
    let (writing, stop) = (Arc::clone(&shared), Arc::clone(&done));
    let writer = std::thread::spawn(move || {
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let before = writing.lock().unwrap().clone();
            let number = spread(turn, documents(size));
            let row = document(number, turn, vec![key("Folder", spread(turn, folders(size)))]);
            let next = before.upsert(row, before.revision().next()).unwrap();
            *writing.lock().unwrap() = next;
            turn += 1;
        }
        turn
    });
    let mut times = Vec::with_capacity(LOOKS);
    for some in seen.chunks(100) {
        let table = shared.lock().unwrap().clone();
        times.extend(look_up(&table, some));
    }
    done.store(true, Ordering::Relaxed);
    assert!(writer.join().unwrap() > 10);
    times
}

/// A document as an application sends it.
fn document_json(number: usize, version: usize) -> Value {
    json!({
        "uid": {"type": "Document", "id": format!("Document-{number}")},
        "attrs": {"owner": {"type": "User", "id": "u"}, "title": format!("Document number {number}"),
            "version": version, "archived": false, "visibility": "internal"},
        "parents": [{"type": "Folder", "id": format!("Folder-{}", number / 90)}],
    })
}

/// Checking an entity against a schema, as a load does with each: mean in µs.
fn check() -> f64 {
    let schema: Schema = SCHEMA.parse().unwrap();
    let snapshot = Snapshot::from_policy_set("app".parse().unwrap(), &PolicySet::new(), schema).unwrap();
    let started = Instant::now();
    for number in 0..CHECKS {
        let entity = document_json(number, 0);
        black_box(snapshot.check_entity(&entity)).unwrap();
    }
    started.elapsed().as_secs_f64() * 1e6 / CHECKS as f64
}

fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Bytes of memory that this process holds.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: f64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096.0
}
