use std::{collections::BTreeSet, fs};

use crate::config::{
    Config, Kind, default_toml, load::load_from, markdown_table, reference, reference::nearest,
};

#[test]
fn every_setting_is_documented_and_nothing_else_is() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let kept: BTreeSet<String> = defaults
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(section, keys)| {
            keys.as_object().unwrap().keys().map(move |key| format!("{section}.{key}"))
        })
        .collect();
    let told: BTreeSet<String> = reference::reference().into_iter().map(|setting| setting.key).collect();
    assert_eq!(kept, told);
    let is_told = |doc: &str| doc.ends_with('.') && doc.len() > 10;
    let untold: Vec<_> =
        reference::reference().into_iter().filter(|setting| !is_told(&setting.doc)).collect();
    assert!(untold.is_empty(), "{untold:?}");
    assert_eq!(markdown_table().lines().count(), told.len() + 2);
}

#[test]
fn kinds_are_those_of_the_defaults() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    for (section, key) in reference::keys() {
        let value = &defaults[section.name][key.name];
        let fits = match key.kind {
            Kind::Number => value.is_u64() || value.is_null(),
            Kind::Share => value.is_f64(),
            Kind::Boolean => value.is_boolean(),
            Kind::List => value.is_array(),
            Kind::Secret => value.is_null(),
            Kind::Choice(words) => value.as_str().is_none_or(|word| words.contains(&word)),
            Kind::Text | Kind::Address | Kind::Path => value.is_string() || value.is_null(),
        };
        assert!(fits, "{}.{} is not {:?}", section.name, key.name, key.kind);
    }
}

#[test]
fn the_printed_defaults_read_back_as_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bailiwick.toml");
    fs::write(&path, default_toml()).unwrap();
    let loaded = load_from(Some(&path), []).unwrap();
    assert_eq!(
        serde_json::to_value(loaded.config).unwrap(),
        serde_json::to_value(Config::default()).unwrap()
    );
    assert!(default_toml().lines().all(|line| line.len() <= 110));
}

#[test]
fn a_mistyped_name_finds_its_setting() {
    for (wrong, right) in [
        ("server.public_adr", Some("server.public_addr")),
        ("sever.public_url", Some("server.public_url")),
        ("public_url", Some("server.public_url")),
        ("tokens.refresh_grace_secs", Some("sessions.refresh_grace_secs")),
        ("typo", None),
        ("server.colour", None),
    ] {
        let found = nearest(wrong).map(|(section, key)| reference::dotted(section, key));
        assert_eq!(found.as_deref(), right, "{wrong}");
    }
}
