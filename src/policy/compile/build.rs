//! The stages in their order.

use cedar_policy::{Entities, Schema};

use super::{
    links,
    policies::{Ids, Kind, Read},
    rules::{self, Store},
    schema, statics,
    text::Text,
};
use crate::policy::{
    Bundle, Finding, Findings, Manifest, Severity, Snapshot, StoreName,
    manifest::MANIFEST,
    pace::Pace,
    snapshot::Parts,
    stack::on_large_stack,
    testing::{self, TestReport},
};

/// A store that compiled.
#[derive(Debug)]
pub struct Compiled {
    /// Ready to decide; its version is 0 until [`Snapshot::with_version`].
    pub snapshot: Snapshot,
    /// What the store says of itself.
    pub manifest: Manifest,
    /// Warnings: nothing that stops a publish.
    pub findings: Findings,
    /// What its tests said: all of them passed.
    pub tests: TestReport,
}

/// Compiles the files of a store and runs its tests.
///
/// CPU-bound (a second for some ten thousand policies): call it off the runtime.
/// Errors: all findings of the first stage in which one is an error, a failing test among them, with the warnings.
pub fn compile(bundle: &Bundle, store: &StoreName) -> Result<Compiled, Findings> {
    compile_at(Pace::full(), bundle, store)
}

/// The same at a pace.
pub(in crate::policy) fn compile_at(
    pace: Pace,
    bundle: &Bundle,
    store: &StoreName,
) -> Result<Compiled, Findings> {
    on_large_stack(move || compile_here(bundle, store, &pace))
        .unwrap_or_else(|reason| Err(internal(&format!("the store could not be compiled: {reason}"))))
}

fn internal(message: &str) -> Findings {
    Findings::new(vec![Text { path: MANIFEST, text: "" }.error("internal", None, message)])
}

/// The files of a store, by what they are for.
#[derive(Default)]
struct Files<'a> {
    manifest: Option<Text<'a>>,
    schemas: Vec<Text<'a>>,
    policies: Vec<Text<'a>>,
    templates: Vec<Text<'a>>,
    links: Vec<Text<'a>>,
    entities: Vec<Text<'a>>,
    tests: Vec<Text<'a>>,
}

impl<'a> Files<'a> {
    fn sort(bundle: &'a Bundle, found: &mut Vec<Finding>) -> Self {
        let mut files = Self::default();
        for (path, bytes) in bundle.files() {
            let mut manifest = Vec::new();
            let place = match path.split_once('/') {
                None if path == MANIFEST => &mut manifest,
                Some(("schema", name)) if ends(name, ".cedarschema") => &mut files.schemas,
                Some(("templates", name)) if ends(name, ".cedar") => &mut files.templates,
                Some(("links", name)) if ends(name, ".json") => &mut files.links,
                Some(("entities", name)) if ends(name, ".json") => &mut files.entities,
                Some(("tests", name)) if ends(name, ".json") => &mut files.tests,
                Some(("schema", _)) => continue,
                _ if ends(path, ".cedar") => &mut files.policies,
                _ => continue, // a README, say
            };
            match Text::decode(path, bytes) {
                Ok(text) => place.push(text),
                Err(error) => found.push(error),
            }
            files.manifest = manifest.pop().or(files.manifest);
        }
        files
    }

    fn all(&self) -> Vec<Text<'a>> {
        let lists = [&self.schemas, &self.policies, &self.templates, &self.links];
        lists.into_iter().flatten().copied().chain(self.manifest).collect()
    }
}

fn ends(name: &str, suffix: &str) -> bool {
    name.len() > suffix.len() && name.ends_with(suffix)
}

fn compile_here(bundle: &Bundle, store: &StoreName, pace: &Pace) -> Result<Compiled, Findings> {
    let mut found = Vec::new();
    let files = Files::sort(bundle, &mut found);
    let manifest_text = files.manifest.unwrap_or(Text { path: MANIFEST, text: "" });
    let manifest = read_manifest(manifest_text, &mut found);
    let schema = schema::read(&files.schemas, &mut found);
    let mut ids = Ids::default();
    let mut read = Read::default();
    for (texts, kind) in [(&files.policies, Kind::Policies), (&files.templates, Kind::Templates)] {
        for text in texts {
            read.file(*text, kind, &mut ids, pace, &mut found);
        }
    }
    for text in &files.links {
        read.policies.extend(links::read(*text, &read.templates, &mut ids, pace, &mut found));
    }
    let (Some(manifest), Some(schema)) = (manifest, schema) else { return Err(Findings::new(found)) };
    stop_at_error(&mut found)?;

    let all = files.all();
    let rules = Store {
        manifest: &manifest,
        manifest_text,
        schema: &schema,
        policies: &read.policies,
        templates: &read.templates,
        ids: &ids,
        texts: &all,
    };
    rules.check(pace, &mut found);
    let statics = statics::read(&files.entities, &schema, pace, &mut found);
    let actions = actions(&schema, &mut found);
    stop_at_error(&mut found)?;
    rules.unindexed(pace, &mut found);

    let parts = Parts {
        store: store.clone(),
        digest: bundle.digest(),
        level: manifest.level,
        identity: manifest.identity.clone(),
        aliases: rules::aliases(&manifest),
        schema,
        actions,
        statics,
        policies: read.policies,
    };
    let snapshot = Snapshot::new(parts, pace);
    let tests = testing::run(&snapshot, files.tests.iter().map(|text| (text.path, text.text)), pace);
    found.extend(tests.findings());
    stop_at_error(&mut found)?;
    Ok(Compiled { snapshot, manifest, findings: Findings::new(found), tests })
}

fn stop_at_error(found: &mut Vec<Finding>) -> Result<(), Findings> {
    let error = found.iter().any(|finding| finding.severity == Severity::Error);
    if error { Err(Findings::new(std::mem::take(found))) } else { Ok(()) }
}

fn read_manifest(text: Text<'_>, found: &mut Vec<Finding>) -> Option<Manifest> {
    toml::from_str(text.text)
        .map_err(|error: toml::de::Error| {
            let offset = error.span().map(|span| span.start);
            found.push(text.error("manifest", offset, error.message().replace('\n', " ")));
        })
        .ok()
}

fn actions(schema: &Schema, found: &mut Vec<Finding>) -> Entities {
    schema.action_entities().unwrap_or_else(|error| {
        found.push(Text { path: "schema", text: "" }.error("schema", None, error.to_string()));
        Entities::empty()
    })
}
