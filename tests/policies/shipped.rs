//! The stores that ship with the product: they compile without a finding and their tests pass.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bailiwick::policy::{Bundle, Compiled, compile};

/// The files of a shipped store.
pub(crate) fn files(store: &str) -> BTreeMap<String, Arc<[u8]>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(store);
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let path = entry.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(path, Arc::from(std::fs::read(entry).unwrap()));
            }
        }
    }
    files
}

/// A shipped store, compiled.
pub(crate) fn compiled(store: &str) -> Compiled {
    let bundle = Bundle::new(files(store)).unwrap();
    compile(&bundle, &store.parse().unwrap()).unwrap_or_else(|findings| panic!("{store}:\n{findings}"))
}

#[test]
fn every_store_compiles_without_a_finding_and_its_tests_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for folder in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap()) {
        let store = folder.file_name().into_string().unwrap();
        let compiled = compiled(&store);
        assert!(compiled.findings.is_empty(), "{store}:\n{}", compiled.findings);
        assert!(compiled.tests.passed >= 40, "{store}: {} cases", compiled.tests.passed);
        assert_eq!(compiled.tests.unexercised, [], "{store}: policies that no case exercises");
        assert_eq!(compiled.snapshot.unindexed(), 0, "{store}: policies that every request evaluates");
    }
}
