//! The settings as data: for the command line, for README, and for telling a mistyped name.

use std::fmt::Write;

use serde_json::Value;

use super::{Config, Key, Kind, Section};

/// What the name of every variable of ours begins with.
pub(super) const PREFIX: &str = "BAILIWICK__";

/// One setting, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its name in the file: `section.key`.
    pub key: String,
    /// The variable that sets it.
    pub variable: String,
    /// Its default as TOML; empty when it is absent by default.
    pub default: String,
    /// What it means, and its unit.
    pub doc: String,
    /// Whether it may also come from the file that `<variable>_FILE` names.
    pub secret: bool,
}

/// Every setting, in the order of the sections.
pub fn reference() -> Vec<Reference> {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    keys()
        .map(|(section, key)| Reference {
            key: dotted(section, key),
            variable: variable(section, key),
            default: match defaults.get(section.name).and_then(|section| section.get(key.name)) {
                None | Some(Value::Null) => String::new(),
                Some(value) => value.to_string(), // of a text, number, boolean or list: JSON is TOML
            },
            doc: sentence(key.doc),
            secret: key.kind == Kind::Secret,
        })
        .collect()
}

/// A configuration file with every default, that reads back as the defaults.
pub fn default_toml() -> String {
    let mut out = String::from(
        "# Every setting of Bailiwick with its default. A value that is absent by default is commented out.\n\
         # The environment overrides the file: BAILIWICK__SECTION__KEY; a secret may also be given as\n\
         # BAILIWICK__SECTION__KEY_FILE, which names a file that holds it.\n",
    );
    let mut settings = reference().into_iter();
    for section in Config::SECTIONS {
        out.push('\n');
        comment(&mut out, &sentence(section.doc));
        let _ = writeln!(out, "[{}]", section.name); // writing to a text cannot fail
        for (key, setting) in section.keys.iter().zip(settings.by_ref()) {
            comment(&mut out, &setting.doc);
            let _ = match setting.default.as_str() {
                "" => writeln!(out, "# {} =", key.name),
                default => writeln!(out, "{} = {default}", key.name),
            };
        }
    }
    out
}

/// README's table of settings.
pub fn markdown_table() -> String {
    let mut out = String::from("| Setting | Variable | Default | Meaning |\n|---|---|---|---|\n");
    for setting in reference() {
        let file = if setting.secret { "[`_FILE`]" } else { "" };
        let default =
            if setting.default.is_empty() { "–".to_owned() } else { format!("`{}`", setting.default) };
        let _ = writeln!(
            out,
            "| `{}` | `{}`{file} | {default} | {} |",
            setting.key,
            setting.variable,
            setting.doc.replace('|', "\\|")
        );
    }
    out
}

/// Every setting with its section.
pub(super) fn keys() -> impl Iterator<Item = (&'static Section, &'static Key)> {
    Config::SECTIONS.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key)))
}

/// `section.key`.
pub(super) fn dotted(section: &Section, key: &Key) -> String {
    format!("{}.{}", section.name, key.name)
}

/// The variable that sets `key`.
pub(super) fn variable(section: &Section, key: &Key) -> String {
    format!("{PREFIX}{}__{}", section.name.to_ascii_uppercase(), key.name.to_ascii_uppercase())
}

/// The setting that someone who wrote `wrong`, a `section.key` or less, most likely meant.
pub(super) fn nearest(wrong: &str) -> Option<(&'static Section, &'static Key)> {
    let wrong = wrong.to_ascii_lowercase();
    let last = wrong.rsplit('.').next().unwrap_or(&wrong);
    let distance = |section: &Section, key: &Key| {
        let whole = strsim::damerau_levenshtein(&wrong, &dotted(section, key));
        // The right name in a wrong section, or in none, is one step off.
        whole.min(1 + strsim::damerau_levenshtein(last, key.name))
    };
    let (section, key, steps) = keys()
        .map(|(section, key)| (section, key, distance(section, key)))
        .min_by_key(|(_, _, steps)| *steps)?;
    (steps <= 1 + last.len() / 4).then_some((section, key))
}

/// The lines of a doc comment as one text.
fn sentence(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn comment(out: &mut String, text: &str) {
    let mut width = 0;
    out.push('#');
    for word in text.split(' ') {
        if width + word.len() > 100 {
            out.push_str("\n#");
            width = 0;
        }
        out.push(' ');
        out.push_str(word);
        width += 1 + word.len();
    }
    out.push('\n');
}
