//! Settings in the environment: `BAILIWICK__SECTION__KEY`, and `…_FILE` for secrets.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::PathBuf,
};

use toml::Value;

use super::{
    Key, Kind, Origin, Problems, Section,
    load::{Given, wanted},
    reference::{self, PREFIX},
};

/// What the name of a variable that names a file of a secret ends with.
const FILE_SUFFIX: &str = "_FILE";

type Known = BTreeMap<String, (&'static Section, &'static Key)>;

/// The settings in these variables; an empty one is as good as none.
pub(super) fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    found: &mut Problems,
    weak: &mut Problems,
) -> Vec<Given> {
    let known: Known = reference::keys().map(|(s, k)| (reference::variable(s, k), (s, k))).collect();
    let mut given = Vec::new();
    let mut set = BTreeSet::new();
    let mut ours: Vec<_> =
        variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
    ours.sort();
    for (name, value) in ours {
        if !name.starts_with(PREFIX) {
            warn_of_single_underscores(&name, &known, weak);
            continue;
        }
        let origin = Origin::Variable(name.clone());
        let Ok(value) = value.into_string() else {
            found.add_at(&origin, "", "is not UTF-8");
            continue;
        };
        if value.is_empty() && (known.contains_key(&name) || secret_of(&name, &known).is_some()) {
            continue;
        }
        let one = match (known.get(&name), secret_of(&name, &known)) {
            (Some((section, key)), _) => match parse(key.kind, &value) {
                Ok(value) => Given { section, key, value, origin },
                Err(message) => {
                    found.add_at(&origin, reference::dotted(section, key), message);
                    continue;
                }
            },
            (None, Some((section, key))) => match secret_file(&name, &value) {
                Ok((value, origin)) => Given { section, key, value, origin },
                Err(message) => {
                    found.add_at(&origin, reference::dotted(section, key), message);
                    continue;
                }
            },
            (None, None) => {
                found.add_at(&origin, "", unknown(&name, &known));
                continue;
            }
        };
        if !set.insert((one.section.name, one.key.name)) {
            let text = format!("set twice: by `{}` and by a file", name.trim_end_matches(FILE_SUFFIX));
            found.add_at(&one.origin, reference::dotted(one.section, one.key), text);
        }
        given.push(one);
    }
    given
}

/// The secret whose file `name` names.
fn secret_of(name: &str, known: &Known) -> Option<(&'static Section, &'static Key)> {
    let (section, key) = known.get(name.strip_suffix(FILE_SUFFIX)?)?;
    (key.kind == Kind::Secret).then_some((section, key))
}

fn secret_file(name: &str, path: &str) -> Result<(Value, Origin), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("`{path}` cannot be read: {error}"))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(format!("`{path}` is empty"));
    }
    Ok((Value::String(secret.to_owned()), Origin::FileOf(name.to_owned(), PathBuf::from(path))))
}

/// Reads the text of a variable as `kind` asks. A secret is never part of the message.
fn parse(kind: Kind, text: &str) -> Result<Value, String> {
    let refuse = || format!("wants {}, found `{text}`", wanted(kind));
    match kind {
        Kind::Number => text.trim().parse().map(Value::Integer).map_err(|_| refuse()),
        Kind::Share => text.trim().parse().map(Value::Float).map_err(|_| refuse()),
        Kind::Boolean => text.trim().parse().map(Value::Boolean).map_err(|_| refuse()),
        Kind::List if text.trim_start().starts_with('[') => {
            let texts: Vec<String> = serde_json::from_str(text).map_err(|_| refuse())?;
            Ok(Value::Array(texts.into_iter().map(Value::String).collect()))
        }
        Kind::List => {
            let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
            Ok(Value::Array(texts.map(|text| Value::String(text.to_owned())).collect()))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn unknown(name: &str, known: &Known) -> String {
    if let Some(plain) = name.strip_suffix(FILE_SUFFIX).filter(|plain| known.contains_key(*plain)) {
        return format!("only a secret may come from a file; set `{plain}`");
    }
    let wrong = name.trim_start_matches(PREFIX).replace("__", ".");
    match reference::nearest(&wrong) {
        Some((section, key)) => {
            format!("is not a setting; did you mean `{}`?", reference::variable(section, key))
        }
        None => "is not a setting".to_owned(),
    }
}

/// `BAILIWICK_SERVER_PUBLIC_ADDR` is not ours, but whoever wrote it thinks that it is.
fn warn_of_single_underscores(name: &str, known: &Known, weak: &mut Problems) {
    let alike = |variable: &&String| variable.replace("__", "_") == name;
    if let Some(variable) = known.keys().find(alike) {
        let text = format!("is not read; did you mean `{variable}`?");
        weak.add_at(&Origin::Variable(name.to_owned()), "", text);
    }
}
