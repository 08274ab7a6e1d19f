//! The engine against Cedar's plain `Authorizer` at 10 to 100,000 policies. `cargo bench --bench engine`.
//!
//! The policies are a mix of per-resource grants, linked templates, roles with conditions over attributes,
//! departments, and a few guards that every request evaluates. Both sides decide the same requests over the
//! same few entities. At the end a table tells the ratios of this run: trust those, not the absolutes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports to a person"
)]

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use bailiwick::policy::{Bundle, EntitySlice, Query, Snapshot, compile, decide, evaluate};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Policy, PolicyId, PolicySet, Request, Schema, SlotId, Template,
};
use criterion::Criterion;
use serde_json::{Value, json};

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Different requests asked one after the other.
const REQUESTS: usize = 256;
/// The size of the bundle whose compilation is timed.
const COMPILED: usize = 10_000;

const SCHEMA: &str = "
entity Role, Department, Team;
entity User in [Role, Department, Team] = { clearance: Long, department: String, suspended: Bool };
entity Folder in [Folder];
entity Document in [Folder] = { level: Long, department: String, archived: Bool, owner: User, tags_: Set<String> };
action read, write;
action view, export in [read] appliesTo { principal: User, resource: Document, context: { mfa: Bool, hour: Long } };
action edit, delete in [write] appliesTo { principal: User, resource: Document, context: { mfa: Bool, hour: Long } };
";
const GUARDS: [&str; 4] = [
    "forbid(principal is User, action, resource is Document) when { principal.suspended };",
    "forbid(principal is User, action in Action::\"write\", resource is Document) when { resource.archived };",
    "permit(principal is User, action, resource is Document) when { resource.owner == principal };",
    "forbid(principal is User, action == Action::\"export\", resource is Document)\n\
     when { resource.level > 3 } unless { context.mfa && context.hour >= 8 && context.hour < 18 };",
];
const TEMPLATE: &str = "permit(principal in ?principal, action in Action::\"read\", resource in ?resource);";

/// A policy by its number among `of`.
fn policy(number: usize, of: usize) -> Option<String> {
    let guards = if of < 100 { 1 } else { GUARDS.len() };
    if let Some(guard) = GUARDS.get(number).filter(|_| number < guards) {
        return Some((*guard).to_owned());
    }
    let half = number / 2;
    Some(match number % 10 {
        0..=3 => format!(
            "permit(principal == User::\"u{half}\", action == Action::\"edit\", resource == Document::\"d{half}\");"
        ),
        4..=6 => return None, // a link of the template
        7 | 8 => format!(
            "permit(principal in Role::\"r{}\", action in Action::\"read\", resource is Document in Folder::\"f{}\")\n\
             when {{ resource.level <= principal.clearance && !resource.archived }};",
            number / 10,
            number / 20
        ),
        _ => format!(
            "permit(principal in Department::\"p{}\", action in Action::\"write\", resource is Document)\n\
             when {{ resource.department == principal.department && resource.tags_.contains(\"open\") && context.mfa }};",
            number / 10
        ),
    })
}

fn policies(of: usize) -> PolicySet {
    let mut set = PolicySet::new();
    let template = PolicyId::new("grant");
    set.add_template(Template::parse(Some(template.clone()), TEMPLATE).unwrap()).unwrap();
    for number in 0..of {
        let id = PolicyId::new(format!("p{number}"));
        match policy(number, of) {
            Some(text) => set.add(Policy::parse(Some(id), text).unwrap()).unwrap(),
            None => {
                let team = format!("Team::\"t{}\"", number / 10).parse().unwrap();
                let folder = format!("Folder::\"f{}\"", number / 7).parse().unwrap();
                let values = HashMap::from([(SlotId::principal(), team), (SlotId::resource(), folder)]);
                set.link(template.clone(), id, values).unwrap();
            }
        }
    }
    set
}

/// A request with the entities that it needs.
struct Case {
    request: Request,
    entities: Entities,
    query: Query,
    slice: EntitySlice<'static>,
}

fn cases(of: usize, schema: &Schema) -> Vec<Case> {
    let case = |number: usize| {
        // Spread over the policies, some beside them.
        let one = number * 7919 % (of / 2).max(3);
        let named = |kind: &str, id: String| json!({"type": kind, "id": id});
        let user = named("User", format!("u{one}"));
        let document = named("Document", format!("d{}", if number % 3 == 0 { one + 1 } else { one }));
        let ten = one / 5;
        let entities: Value = json!([
            {"uid": user, "attrs": {"clearance": number % 5, "department": "law", "suspended": number % 50 == 0},
             "parents": [named("Role", format!("r{ten}")), named("Role", format!("r{}", ten + 1)),
                         named("Department", format!("p{ten}")), named("Team", format!("t{ten}"))]},
            {"uid": document,
             "attrs": {"level": number % 4, "department": "law", "archived": number % 9 == 0, "owner": {"__entity": user},
                       "tags_": if number % 2 == 0 { json!(["open"]) } else { json!([]) }},
             "parents": [named("Folder", format!("f{}", ten / 2))]},
            {"uid": named("Folder", format!("f{}", ten / 2)), "attrs": {},
             "parents": [named("Folder", format!("f{}", one * 2 / 7 + 1_000_000))]},
        ]);
        let mut entities = entities;
        if number % 4 != 0 {
            entities[1]["attrs"]["owner"] = json!({"__entity": named("User", "somebody".to_owned())});
        }
        let entities = Entities::from_json_value(entities, Some(schema)).unwrap();
        let uid = |of: &Value| cedar_policy::EntityUid::from_json(of.clone()).unwrap();
        let action = ["view", "export", "edit", "delete"][number % 4];
        let action = format!("Action::\"{action}\"").parse().unwrap();
        let context =
            Context::from_json_value(json!({"mfa": number % 3 > 0, "hour": number % 24}), None).unwrap();
        let parts = (uid(&user), action, uid(&document), context);
        let (principal, action, resource, context) = parts.clone();
        let query = Query::new(principal, action, resource, context, Some(schema)).unwrap();
        let (principal, action, resource, context) = parts;
        let request = Request::new(principal, action, resource, context, Some(schema)).unwrap();
        Case { request, slice: EntitySlice::whole(entities.clone()), entities, query }
    };
    (0..REQUESTS).map(case).collect()
}

/// Measures `work`, done for one case after the other; answers the best mean of a sample, in nanoseconds.
fn measure<'a>(
    criterion: &mut Criterion,
    name: &str,
    size: usize,
    cases: &'a [Case],
    work: impl Fn(&'a Case),
) -> f64 {
    let best = Cell::new(f64::INFINITY);
    let mut group = criterion.benchmark_group(name);
    let slow = name == "plain" && size >= 10_000;
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(if slow { 1 } else { 300 }));
    group.measurement_time(Duration::from_millis(if slow { 1 } else { 1_000 }));
    group.bench_function(size.to_string(), |bencher| {
        bencher.iter_custom(|times| {
            let start = Instant::now();
            let turns = usize::try_from(times).unwrap_or(usize::MAX);
            cases.iter().cycle().take(turns).for_each(&work);
            let took = start.elapsed();
            #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a mean")]
            best.set(best.get().min(took.as_nanos() as f64 / times as f64));
            took
        });
    });
    group.finish();
    best.get()
}

/// Files of a store with `COMPILED` policies.
fn bundle() -> Bundle {
    let mut texts = String::new();
    let mut links = Vec::new();
    for number in 0..COMPILED {
        match policy(number, COMPILED) {
            Some(text) => writeln!(texts, "@id(\"p{number}\")\n{text}").unwrap(),
            None => links.push(json!({"template": "grant", "id": format!("p{number}"), "slots": {
                "?principal": format!("Team::\"t{}\"", number / 10), "?resource": format!("Folder::\"f{}\"", number / 7)}})),
        }
    }
    let files: [(&str, Vec<u8>); 4] = [
        ("schema/s.cedarschema", SCHEMA.into()),
        ("p.cedar", texts.into()),
        ("templates/t.cedar", format!("@id(\"grant\")\n{TEMPLATE}").into()),
        ("links/l.json", serde_json::to_vec(&links).unwrap()),
    ];
    let files: BTreeMap<String, Arc<[u8]>> =
        files.into_iter().map(|(path, bytes)| (path.to_owned(), Arc::from(bytes))).collect();
    Bundle::new(files).unwrap()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let mut rows = Vec::new();
    for size in SIZES {
        let set = policies(size);
        let snapshot = Snapshot::from_policy_set("bench".parse().unwrap(), &set, schema.clone()).unwrap();
        let cases = cases(size, &schema);
        let authorizer = Authorizer::new();
        let mut allowed = 0;
        let mut candidates = 0;
        for case in cases.iter().take(if size > 10_000 { 16 } else { REQUESTS }) {
            let verdict = evaluate(&snapshot, &case.query, &case.slice);
            let plain = authorizer.is_authorized(&case.request, &set, &case.entities);
            assert_eq!(verdict.allow, plain.decision() == Decision::Allow, "{}", case.request);
            assert_eq!(verdict.determining.len(), plain.diagnostics().reason().count(), "{}", case.request);
            allowed += usize::from(verdict.allow);
            candidates += verdict.candidates;
        }
        let ours = measure(&mut criterion, "engine", size, &cases, |case| {
            std::hint::black_box(decide(&snapshot, &case.query, &case.slice));
        });
        let plain = measure(&mut criterion, "plain", size, &cases, |case| {
            std::hint::black_box(authorizer.is_authorized(&case.request, &set, &case.entities));
        });
        rows.push((size, ours, plain, allowed, candidates));
    }
    println!("\n{:>8} {:>12} {:>14} {:>14}", "policies", "engine ns", "plain ns", "plain/engine");
    for (size, ours, plain, allowed, candidates) in &rows {
        println!(
            "{size:>8} {ours:>12.0} {plain:>14.0} {:>14.1}   ({allowed} allowed, {candidates} candidates in the check)",
            plain / ours
        );
    }
    let at = |size: usize| rows.iter().find(|row| row.0 == size).expect("every size was measured");
    println!("\nengine at 100,000 / at 1,000: {:.2} (bar: at most 3)", at(100_000).1 / at(1_000).1);
    println!("plain / engine at 100,000: {:.0} (bar: at least 10,000)", at(100_000).2 / at(100_000).1);
    println!("plain / engine at 10: {:.1} (bar: at least 8)", at(10).2 / at(10).1);
    let bundle = bundle();
    let start = Instant::now();
    let compiled =
        compile(&bundle, &"bench".parse().unwrap()).unwrap_or_else(|findings| panic_with(&findings));
    println!("compiling a bundle of {COMPILED} policies: {:?}", start.elapsed());
    drop(compiled);
}

fn panic_with(findings: &bailiwick::policy::Findings) -> ! {
    println!("{findings}");
    std::process::exit(1)
}
