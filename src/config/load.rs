//! The layers put together: defaults, file, environment.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Value;

use super::{
    Config, ConfigError, Key, Kind, Origin, Problem, Problems, Section, environment, file, reference,
};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "bailiwick.toml";

/// One value that someone set.
pub(super) struct Given {
    pub(super) section: &'static Section,
    pub(super) key: &'static Key,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A configuration that can be used, and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Where each setting that is not a default came from, by key.
    pub origins: BTreeMap<String, Origin>,
    /// What may be used but should not be in production.
    pub warnings: Vec<Problem>,
}

/// Reads the configuration: defaults, then `file` (else `bailiwick.toml` in the working folder, if
/// there is one), then this process's environment.
///
/// Errors: [`ConfigError`] with every problem of all layers.
pub fn load(file: Option<&Path>) -> Result<Loaded, ConfigError> {
    load_from(file, std::env::vars_os())
}

pub(super) fn load_from(
    named: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    let (mut found, mut weak) = (Problems::default(), Problems::default());
    let file = match named {
        Some(path) => Some(path),
        None => Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()),
    };
    let mut given = file.map(|path| file::read(path, &mut found, &mut weak)).unwrap_or_default();
    given.extend(environment::read(variables, &mut found, &mut weak));

    let (mut table, mut origins) = (toml::Table::new(), BTreeMap::new());
    for Given { section, key, value, origin } in given {
        if let Err(message) = check_type(section, key, &value) {
            found.add_at(&origin, reference::dotted(section, key), message);
            continue;
        }
        let entry = table.entry(section.name).or_insert_with(|| Value::Table(toml::Table::new()));
        if let Value::Table(settings) = entry {
            settings.insert(key.name.to_owned(), value);
        }
        origins.insert(reference::dotted(section, key), origin);
    }
    // Each value was read alone above, so this does not fail; were it to, it says so.
    let config = Config::deserialize(table).unwrap_or_else(|error| {
        found.add("", error.message());
        Config::default()
    });

    let mut problems = found.located(&origins);
    problems.extend(config.problems().located(&origins));
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    let mut warnings = weak.located(&origins);
    warnings.extend(config.weaknesses().located(&origins));
    Ok(Loaded { config, file: file.map(Path::to_owned), origins, warnings })
}

/// Reads `value` as the type of its setting, alone. The message says what is wanted, and shows the value
/// unless it is a secret.
fn check_type(section: &Section, key: &Key, value: &Value) -> Result<(), String> {
    let alone = toml::Table::from_iter([(key.name.to_owned(), value.clone())]);
    let whole = toml::Table::from_iter([(section.name.to_owned(), Value::Table(alone))]);
    let Err(error) = Config::deserialize(whole) else { return Ok(()) };
    let wanted = wanted(key.kind);
    let fits = match key.kind {
        Kind::Number => value.is_integer(),
        Kind::Share => value.is_float() || value.is_integer(),
        Kind::Boolean => value.is_bool(),
        Kind::List => value.is_array(),
        _ => value.is_str(),
    };
    Err(match key.kind {
        Kind::Secret => format!("wants {wanted}, found a value of another type"),
        _ if fits => format!("wants {wanted}, found `{value}`: {}", error.message()),
        _ => format!("wants {wanted}, found `{value}`"),
    })
}

/// What to write for a setting of this kind.
pub(super) fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret => "a text".to_owned(),
        Kind::Number => "a whole number".to_owned(),
        Kind::Share => "a number from 0 to 1 such as `0.01`".to_owned(),
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::List => "a list of texts".to_owned(),
        Kind::Address => "an IP address and port such as `127.0.0.1:8080`".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Choice(words) => {
            format!("one of {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
        }
    }
}
