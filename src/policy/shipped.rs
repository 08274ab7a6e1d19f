//! The stores that this program was built with: the folder `policies/` of its source, embedded.

use std::{collections::BTreeMap, sync::Arc};

use super::{Bundle, StoreName};

// `SHIPPED: &[(store, path within the store, bytes)]`, written by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The names of the shipped stores, sorted.
#[must_use]
pub fn shipped_stores() -> Vec<StoreName> {
    let mut names: Vec<StoreName> = SHIPPED.iter().filter_map(|(store, ..)| store.parse().ok()).collect();
    names.sort();
    names.dedup();
    names
}

/// The shipped files of a store; none when it is not one of ours.
#[must_use]
pub fn shipped(store: &StoreName) -> Option<Bundle> {
    let of_store = SHIPPED.iter().filter(|(of, ..)| *of == store.as_str());
    let files: BTreeMap<String, Arc<[u8]>> =
        of_store.map(|(_, path, bytes)| ((*path).to_owned(), Arc::from(*bytes))).collect();
    Bundle::new(files).ok()
}
