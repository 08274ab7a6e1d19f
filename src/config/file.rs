//! The configuration file, with the line of every setting.

use std::{fs, io, ops::Range, os::unix::fs::PermissionsExt, path::Path};

use toml::{Spanned, de::DeTable, de::DeValue};

use super::{Config, Kind, Origin, Problems, load::Given, reference};

/// The settings of the file at `path`.
pub(super) fn read(path: &Path, found: &mut Problems, weak: &mut Problems) -> Vec<Given> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            found.add("", format!("`{}` cannot be read: {error}", path.display()));
            return Vec::new();
        }
    };
    let place = |span: Range<usize>| {
        let before = text.get(..span.start).unwrap_or(&text);
        Origin::File(path.to_owned(), 1 + before.matches('\n').count())
    };
    let (lines, values) = match (DeTable::parse(&text), text.parse::<toml::Table>()) {
        (Ok(lines), Ok(values)) => (lines, values),
        (Err(error), _) | (_, Err(error)) => {
            // Not the whole error: it would quote the line, which may hold a secret.
            found.add_at(&place(error.span().unwrap_or_default()), "", error.message());
            return Vec::new();
        }
    };
    let mut given = Vec::new();
    for (name, entry) in lines.get_ref() {
        let origin = place(name.span());
        let Some(section) = Config::SECTIONS.iter().find(|section| section.name == &**name.get_ref()) else {
            unknown_section(name.get_ref(), entry, &origin, found);
            continue;
        };
        let Some((keys, settings)) =
            entry.get_ref().as_table().zip(values.get(section.name).and_then(toml::Value::as_table))
        else {
            found.add_at(&origin, section.name, format!("is a section: write `[{}]`", section.name));
            continue;
        };
        for (name, value) in keys.keys().map(|name| (name, settings.get(&**name.get_ref()))) {
            let origin = place(name.span());
            match section.keys.iter().find(|key| key.name == &**name.get_ref()).zip(value) {
                Some((key, value)) => given.push(Given { section, key, value: value.clone(), origin }),
                None => unknown(&format!("{}.{}", section.name, name.get_ref()), &origin, found),
            }
        }
    }
    warn_if_open(path, &given, weak);
    given
}

fn unknown_section(name: &str, entry: &Spanned<DeValue<'_>>, origin: &Origin, found: &mut Problems) {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    match Config::SECTIONS.iter().min_by_key(|section| distance(section.name)) {
        Some(section) if entry.get_ref().is_table() && distance(section.name) <= 2 => {
            found.add_at(origin, name, format!("is not a section; did you mean `[{}]`?", section.name));
        }
        _ if entry.get_ref().is_table() => found.add_at(origin, name, "is not a section"),
        _ => unknown(name, origin, found),
    }
}

fn unknown(name: &str, origin: &Origin, found: &mut Problems) {
    found.add_at(
        origin,
        name,
        match reference::nearest(name) {
            Some((section, key)) => {
                format!("is not a setting; did you mean `{}`?", reference::dotted(section, key))
            }
            None => "is not a setting".to_owned(),
        },
    );
}

/// A file with secrets is for its owner alone (R146).
fn warn_if_open(path: &Path, given: &[Given], weak: &mut Problems) {
    let mode = |metadata: io::Result<fs::Metadata>| metadata.map_or(0, |it| it.permissions().mode() & 0o777);
    let (mode, secret) = (mode(fs::metadata(path)), given.iter().find(|one| one.key.kind == Kind::Secret));
    if let Some(secret) = secret.filter(|_| mode & 0o077 != 0) {
        let text = format!("the file holds a secret and has mode {mode:04o}; 0600 is better");
        weak.add_at(&secret.origin, reference::dotted(secret.section, secret.key), text);
    }
}
