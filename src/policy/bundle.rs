//! A bundle: the files of one policy store, as bytes. Pure; reading a folder is `live`'s work.

use std::{collections::BTreeMap, sync::Arc};

use crate::base::Digest32;

/// Largest bundle, bytes of all its files together.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Most files of a bundle.
const MAX_FILES: usize = 20_000;

/// Files that cannot be a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// There is no file, or no policy file among them: most likely a bad mount, never an intent.
    #[error("there is no policy file")]
    Empty,
    /// A path leaves the bundle or is not in plain form.
    #[error("`{0}` is not a plain relative path of a bundle")]
    Path(String),
    /// Too many files or bytes.
    #[error("a bundle has at most {MAX_FILES} files and {MAX_BYTES} bytes")]
    TooLarge,
    /// The stored form is damaged.
    #[error("the stored form of a bundle is damaged")]
    Damaged,
}

/// The files of a policy store, sorted by path. Two bundles are equal when their digests are.
#[derive(Debug, Clone)]
pub struct Bundle {
    files: BTreeMap<String, Arc<[u8]>>,
    digest: Digest32,
}

impl Bundle {
    /// The bundle of these files; a path is relative and `/`-separated, as in `schema/app.cedarschema`.
    ///
    /// Errors: [`BundleError`] when there is no `.cedar` file, a path is not plain, or it is too large.
    pub fn new(files: BTreeMap<String, Arc<[u8]>>) -> Result<Self, BundleError> {
        if let Some(path) = files.keys().find(|path| !is_plain(path)) {
            return Err(BundleError::Path(path.clone()));
        }
        if !files.keys().any(|path| is_policy(path)) {
            return Err(BundleError::Empty);
        }
        if files.len() > MAX_FILES || files.values().map(|bytes| bytes.len()).sum::<usize>() > MAX_BYTES {
            return Err(BundleError::TooLarge);
        }
        let digest = digest(&files);
        Ok(Self { files, digest })
    }

    /// What names this content: SHA-256 over the sorted (path, SHA-256 of the bytes) list
    /// (policy-lifecycle.md §2).
    #[must_use]
    pub fn digest(&self) -> Digest32 {
        self.digest
    }

    /// The files with their bytes, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), &**bytes))
    }

    /// The bytes of one file.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(|bytes| &**bytes)
    }
}

fn is_plain(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a bundle means the same on every system"
)]
fn is_policy(path: &str) -> bool {
    path.ends_with(".cedar")
}

fn digest(files: &BTreeMap<String, Arc<[u8]>>) -> Digest32 {
    let mut list = Vec::new();
    for (path, bytes) in files {
        list.extend((path.len() as u64).to_be_bytes());
        list.extend(path.as_bytes());
        list.extend(Digest32::of(bytes).as_bytes());
    }
    Digest32::of(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Result<Bundle, BundleError> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(text.as_bytes())));
        Bundle::new(files.collect())
    }

    #[test]
    fn is_named_by_its_content() {
        let digest = |path: &str, text: &str| bundle(&[(path, text)]).unwrap().digest();
        let one = digest("a.cedar", "permit(principal, action, resource);");
        assert_eq!(one, digest("a.cedar", "permit(principal, action, resource);"));
        assert_ne!(one, digest("b.cedar", "permit(principal, action, resource);"));
        assert_ne!(one, digest("a.cedar", "forbid(principal, action, resource);"));
    }

    #[test]
    fn refuses_what_is_not_a_bundle() {
        assert_eq!(bundle(&[("manifest.toml", "")]).unwrap_err(), BundleError::Empty);
        for path in ["/a.cedar", "../a.cedar", "a/../b.cedar", "a//b.cedar", "a\\b.cedar", "./a.cedar"] {
            assert_eq!(bundle(&[(path, "")]).unwrap_err(), BundleError::Path(path.to_owned()));
        }
    }
}
