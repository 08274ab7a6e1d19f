//! Embeds the policy stores, and rebuilds when a migration or a policy file is added: `sqlx::migrate!`
//! and `include_bytes!` alone notice only edits of files they know.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

/// What belongs to a store; the same list as in `src/policy/folder.rs`.
const EXTENSIONS: [&str; 5] = ["cedar", "cedarschema", "json", "md", "toml"];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=policies");
    #[expect(clippy::disallowed_methods, reason = "how Cargo tells a build script where to write")]
    let (source, out) = (std::env::var("CARGO_MANIFEST_DIR"), std::env::var("OUT_DIR"));
    let (Ok(source), Ok(out)) = (source, out) else { return Err(io::ErrorKind::NotFound.into()) };
    let root = Path::new(&source).join("policies");
    let mut files = Vec::new();
    if root.is_dir() {
        collect(&root, &mut files)?;
    }
    files.sort();
    let mut list = String::from("static SHIPPED: &[(&str, &str, &[u8])] = &[\n");
    for file in files {
        let file = file.to_str().ok_or(io::ErrorKind::InvalidData)?;
        let inside = Path::new(file).strip_prefix(&root).map_err(io::Error::other)?;
        let inside = inside.to_string_lossy().replace('\\', "/");
        if let Some((store, path)) = inside.split_once('/') {
            writeln!(list, "    ({store:?}, {path:?}, include_bytes!({file:?})),")
                .map_err(io::Error::other)?;
        }
    }
    list.push_str("];\n");
    fs::write(Path::new(&out).join("shipped.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if EXTENSIONS.contains(&extension) {
            files.push(path);
        }
    }
    Ok(())
}
