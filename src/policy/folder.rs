//! Reading the folder of a store: which files belong to it, and whether it changed.
//!
//! What belongs: regular files with one of [`EXTENSIONS`], at any depth, under names that are not
//! hidden. So what editors, version control and mounts leave behind does not belong: `.git`, `..data`,
//! `view.cedar~`, `.view.cedar.swp`, `view.cedar.tmp`. A link is followed to a
//! file inside the folder and refused otherwise: a policy set must not depend on what lies elsewhere.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{Bundle, BundleError, Finding, Findings, Severity, StoreName, shipped, shipped_stores};

/// What belongs to a store; the same list as in `build.rs`.
const EXTENSIONS: [&str; 5] = ["cedar", "cedarschema", "json", "md", "toml"];
/// Folders within folders.
const MAX_DEPTH: usize = 16;

/// A folder that cannot be read as a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// The folder is not there.
    #[error("the folder `{0}` is not there")]
    Missing(String),
    /// A file or folder cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    Unreadable {
        /// Path of the file.
        path: String,
        /// What the system said.
        cause: String,
    },
    /// A name is not UTF-8, so it could not be written down.
    #[error("the name of `{0}` is not UTF-8")]
    Name(String),
    /// A link leads out of the folder, to a folder, or nowhere.
    #[error("the link `{0}` does not lead to a file inside the folder")]
    Link(String),
    /// Folders within folders without end.
    #[error("`{0}` is more than {MAX_DEPTH} folders deep")]
    Deep(String),
    /// The files are not a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl FolderError {
    /// The error as a finding, for a status. The file is `.` where the folder itself is meant.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (code, file, help) = match self {
            Self::Missing(_) => ("folder_missing", ".", Some("is it mounted?")),
            Self::Unreadable { path, .. } => ("unreadable", path.as_str(), None),
            Self::Name(path) => ("file_name", path.as_str(), Some("rename the file")),
            Self::Link(path) => ("link", path.as_str(), Some("put the file itself into the folder")),
            Self::Deep(path) => ("too_deep", path.as_str(), None),
            Self::Bundle(BundleError::Empty) => {
                ("empty", ".", Some("a store is never emptied by its folder; is it mounted?"))
            }
            Self::Bundle(_) => ("bundle", ".", None),
        };
        Finding {
            severity: Severity::Error,
            code: code.to_owned(),
            file: file.to_owned(),
            line: None,
            column: None,
            message: self.to_string(),
            help: help.map(str::to_owned),
        }
    }
}

/// What tells cheaply that a file is another than before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Inode and time of its last change, which a renamed file brings along.
    identity: [i64; 3],
}

/// The files of a folder with their stamps. Two equal scans: nothing was edited between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan(BTreeMap<String, Stamp>);

/// Reads the folder of a store.
///
/// Errors: [`FolderError`]; nothing is read in part.
pub fn read_folder(folder: &Path) -> Result<Bundle, FolderError> {
    let scan = scan(folder)?;
    let mut files = BTreeMap::new();
    for path in scan.0.into_keys() {
        let bytes = fs::read(folder.join(&path)).map_err(|error| unreadable(&path, &error))?;
        files.insert(path, Arc::from(bytes));
    }
    Ok(Bundle::new(files)?)
}

/// The stores in a folder of stores: each sub-folder whose name can name a store, sorted.
///
/// Errors: [`FolderError::Missing`], [`FolderError::Unreadable`].
pub fn stores_in(dir: &Path) -> Result<Vec<(StoreName, PathBuf)>, FolderError> {
    let mut stores: Vec<(StoreName, PathBuf)> = Vec::new();
    for path in entries(dir, &dir.display().to_string())? {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if let (Some(name), true) = (name, path.is_dir()) {
            stores.push((name, path));
        }
    }
    stores.sort();
    Ok(stores)
}

/// The bundles of a first start: the folders of `dir`, or the shipped stores where it does not exist.
/// The system store is there in any case: without it nothing at all is allowed.
pub(super) fn first_bundles(dir: &Path) -> Vec<(StoreName, Result<Bundle, Findings>)> {
    let (found, there) = match stores_in(dir) {
        Ok(found) => (found, true),
        Err(error) => {
            let there = !matches!(error, FolderError::Missing(_));
            if there {
                tracing::error!(%error, "the folder of the policy stores cannot be used");
            }
            (Vec::new(), there)
        }
    };
    let mut bundles = Vec::new();
    for name in shipped_stores() {
        let wanted = !there || (name == StoreName::system() && found.iter().all(|(store, _)| *store != name));
        if let (true, Some(bundle)) = (wanted, shipped(&name)) {
            bundles.push((name, Ok(bundle)));
        }
    }
    let read = |path: &Path| read_folder(path).map_err(|error| Findings::new(vec![error.finding()]));
    bundles.extend(found.into_iter().map(|(name, path)| (name, read(&path))));
    bundles
}

/// Lists the files of a store without reading them.
///
/// Errors: as [`read_folder`].
pub(super) fn scan(folder: &Path) -> Result<Scan, FolderError> {
    let shown = folder.display().to_string();
    let root = folder.canonicalize().map_err(|error| missing_or(&shown, &error))?;
    let mut files = BTreeMap::new();
    let mut open = vec![(root.clone(), String::new(), 0)];
    while let Some((at, inside, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err(FolderError::Deep(inside));
        }
        for path in entries(&at, if inside.is_empty() { &shown } else { &inside })? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                return Err(FolderError::Name(path.to_string_lossy().into_owned()));
            };
            let shown = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
            if name.starts_with('.') {
                continue;
            }
            let Some(kind) = look(&path, &shown)? else { continue };
            if kind.is_dir() {
                open.push((path, shown, depth + 1));
            } else if belongs(&path) {
                files.insert(shown.clone(), stamp(&path, kind.is_symlink(), &root, shown)?);
            }
        }
    }
    Ok(Scan(files))
}

/// The kind of a directory entry; none when it went away while we looked.
fn look(path: &Path, shown: &str) -> Result<Option<fs::FileType>, FolderError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() && path.is_dir() => Err(FolderError::Link(shown.to_owned())),
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(shown, &error)),
    }
}

fn stamp(path: &Path, linked: bool, root: &Path, shown: String) -> Result<Stamp, FolderError> {
    if linked && !path.canonicalize().is_ok_and(|target| target.starts_with(root)) {
        return Err(FolderError::Link(shown));
    }
    let metadata = fs::metadata(path).map_err(|error| unreadable(&shown, &error))?;
    if !metadata.is_file() {
        return Err(FolderError::Unreadable { path: shown, cause: "it is not a regular file".to_owned() });
    }
    Ok(Stamp { length: metadata.len(), modified: metadata.modified().ok(), identity: identity(&metadata) })
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> [i64; 3] {
    use std::os::unix::fs::MetadataExt;
    [metadata.ino().cast_signed(), metadata.ctime(), metadata.ctime_nsec()]
}

#[cfg(not(unix))]
fn identity(_metadata: &fs::Metadata) -> [i64; 3] {
    [0; 3]
}

fn belongs(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension))
}

fn entries(dir: &Path, shown: &str) -> Result<Vec<PathBuf>, FolderError> {
    let listed = fs::read_dir(dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    listed.map_err(|error| missing_or(shown, &error))
}

fn missing_or(path: &str, error: &io::Error) -> FolderError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FolderError::Missing(path.to_owned()),
        _ => unreadable(path, error),
    }
}

fn unreadable(path: &str, error: &io::Error) -> FolderError {
    FolderError::Unreadable { path: path.to_owned(), cause: error.to_string() }
}
