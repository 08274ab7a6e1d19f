use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Barrier},
};

use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use crate::{
    base::OsEntropy,
    config::{Config, KeyringError, RootSecrets},
};

fn embedded(folder: &TempDir) -> Config {
    let mut config = Config::default();
    config.data.dir = folder.path().join("data");
    config
}

/// What tells one master key from another.
fn mark(secrets: &RootSecrets) -> [u8; 32] {
    secrets.master.mac_key("test").tag(&[b"x"])
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn made_once_for_the_owner_alone() {
    let folder = TempDir::new().unwrap();
    let config = embedded(&folder);
    let first = RootSecrets::open(&config, &OsEntropy).unwrap();
    let again = RootSecrets::open(&config, &OsEntropy).unwrap();
    assert_eq!(mark(&first), mark(&again));
    assert_eq!(first.redis_salt.expose_secret(), again.redis_salt.expose_secret());
    assert_eq!(first.redis_salt.expose_secret().len(), 43);
    assert_eq!(mode(&config.data.dir), 0o700);
    let mut names: Vec<_> =
        fs::read_dir(&config.data.dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names, [config.data.dir.join("master.key"), config.data.dir.join("redis.salt")]);
    assert!(names.iter().all(|path| mode(path) == 0o600));
}

#[test]
fn processes_that_start_at_once_agree() {
    let folder = TempDir::new().unwrap();
    let config = Arc::new(embedded(&folder));
    let barrier = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (config, barrier) = (Arc::clone(&config), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                mark(&RootSecrets::open(&config, &OsEntropy).unwrap())
            })
        })
        .collect();
    let marks: std::collections::BTreeSet<_> =
        threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(marks.len(), 1);
}

#[test]
fn exposed_or_damaged_files_stop_the_start() {
    let folder = TempDir::new().unwrap();
    let config = embedded(&folder);
    RootSecrets::open(&config, &OsEntropy).unwrap();
    let path = config.data.dir.join("master.key");
    for open in [0o640, 0o604, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
        let error = RootSecrets::open(&config, &OsEntropy).unwrap_err();
        assert!(matches!(error, KeyringError::Exposed { mode, .. } if mode == open));
        assert!(error.hint().unwrap().contains("chmod 600"));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for damaged in ["", "short\n", "not base64url at all, but 43 characters long\n"] {
        fs::write(&path, damaged).unwrap();
        let error = RootSecrets::open(&config, &OsEntropy).unwrap_err();
        assert!(matches!(error, KeyringError::Malformed { .. }), "{error}");
    }
    fs::remove_file(&path).unwrap();
    fs::set_permissions(&config.data.dir, fs::Permissions::from_mode(0o777)).unwrap();
    let error = RootSecrets::open(&config, &OsEntropy).unwrap_err();
    assert!(matches!(error, KeyringError::OpenFolder { .. }), "{error}");
}

#[test]
fn nodes_that_share_a_database_are_given_their_secrets() {
    let folder = TempDir::new().unwrap();
    let mut config = embedded(&folder);
    RootSecrets::open(&config, &OsEntropy).unwrap();
    config.storage.postgres_url = Some(SecretString::from("postgres://db/bailiwick"));
    config.redis.url = Some(SecretString::from("redis://cache"));
    RootSecrets::open(&config, &OsEntropy).expect("the data folder has them already");

    config.data.dir = folder.path().join("other");
    let refused = |config: &Config| match RootSecrets::open(config, &OsEntropy).unwrap_err() {
        KeyringError::Missing { key } => key,
        other => panic!("{other}"),
    };
    assert_eq!(refused(&config), "secrets.master_key");
    assert!(!config.data.dir.exists(), "nothing is made where nothing may be");
    config.secrets.master_key = Some(SecretString::from("0123456789abcdef".repeat(4)));
    assert_eq!(refused(&config), "secrets.redis_key_salt");
    config.secrets.redis_key_salt = Some(SecretString::from("a salt of at least thirty-two bytes"));
    RootSecrets::open(&config, &OsEntropy).unwrap();
    assert!(!config.data.dir.exists());
}
