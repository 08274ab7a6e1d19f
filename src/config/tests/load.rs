use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::config::{BusKind, Config, ConfigError, Loaded, LogFormat, Origin, load::load_from};

fn load(file: Option<&Path>, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    // A named file, so that none of the working folder is read.
    let empty = TempDir::new().unwrap();
    let none = empty.path().join("none.toml");
    fs::write(&none, "").unwrap();
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    load_from(Some(file.unwrap_or(&none)), variables)
}

fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bailiwick.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// The problems, without the folder of the test.
fn problems(path: Option<&Path>, variables: &[(&str, &str)]) -> Vec<String> {
    let error = load(path, variables).unwrap_err();
    let folder = path.and_then(Path::parent).map(|folder| format!("{}/", folder.display()));
    let strip = |text: String| folder.as_ref().map_or(text.clone(), |folder| text.replace(folder, ""));
    error.0.iter().map(|problem| strip(problem.to_string())).collect()
}

#[test]
fn the_environment_is_over_the_file_and_the_file_over_the_defaults() {
    let (_folder, path) = written(
        "[server]\npublic_addr = \"0.0.0.0:80\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n[tokens]\naccess_ttl_secs = 60\n",
    );
    let loaded = load(
        Some(&path),
        &[
            ("BAILIWICK__TOKENS__ACCESS_TTL_SECS", "120"),
            ("BAILIWICK__SERVER__CORS_ORIGINS", "https://a.example, https://b.example"),
            ("BAILIWICK__LOG__FORMAT", "json"),
            ("BAILIWICK__DOCS__ENABLED", "false"),
            ("BAILIWICK__REDIS__URL", ""),
            ("BAILIWICK_TEST_POSTGRES_URL", "postgres://somewhere"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    let config = loaded.config;
    assert_eq!(config.server.public_addr.to_string(), "0.0.0.0:80");
    assert_eq!(config.server.trusted_proxies[0].to_string(), "10.0.0.0/8");
    assert_eq!(config.tokens.access_ttl_secs, 120);
    assert_eq!(config.server.cors_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(!config.docs.enabled && config.redis.url.is_none());
    assert_eq!(config.sessions.idle_ttl_secs, Config::default().sessions.idle_ttl_secs);
    assert_eq!(loaded.origins["server.public_addr"], Origin::File(path, 2));
    assert_eq!(config.public_url(), "http://localhost:80");
}

#[test]
fn lists_may_be_json() {
    let variables = [("BAILIWICK__SERVER__CORS_ORIGINS", r#"["https://a.example"]"#)];
    assert_eq!(load(None, &variables).unwrap().config.server.cors_origins, ["https://a.example"]);
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let (_folder, path) = written(
        "[server]\npublic_adr = \"x\"\nbody_limit_bytes = \"big\"\npublic_url = \"https://a/\"\n\
         [sesions]\nidle_ttl_secs = 5\n[sessions]\nrefresh_grace_secs = 601\n",
    );
    let variables = [
        ("BAILIWICK__TYPO", "1"),
        ("BAILIWICK__SERVER__PUBLIC_ADDR", "localhost"),
        ("BAILIWICK__SERVER__MAX_CONNECTIONS", "many"),
        ("BAILIWICK__SERVER__PUBLICURL", "x"),
        ("BAILIWICK__SERVER__PUBLIC_URL_FILE", "/x"),
    ];
    let expected = [
        "bailiwick.toml:2: `server.public_adr`: is not a setting; did you mean `server.public_addr`?",
        "bailiwick.toml:5: `sesions`: is not a section; did you mean `[sessions]`?",
        "BAILIWICK__SERVER__MAX_CONNECTIONS: `server.max_connections`: wants a whole number, found `many`",
        "BAILIWICK__SERVER__PUBLICURL: is not a setting; did you mean `BAILIWICK__SERVER__PUBLIC_URL`?",
        "BAILIWICK__SERVER__PUBLIC_URL_FILE: only a secret may come from a file; set `BAILIWICK__SERVER__PUBLIC_URL`",
        "BAILIWICK__TYPO: is not a setting",
        "bailiwick.toml:3: `server.body_limit_bytes`: wants a whole number, found `\"big\"`",
        "BAILIWICK__SERVER__PUBLIC_ADDR: `server.public_addr`: wants an IP address and port such as \
         `127.0.0.1:8080`, found `\"localhost\"`: invalid socket address syntax",
        "bailiwick.toml:4: `server.public_url`: `https://a/` is not a plain origin such as \
         `https://auth.example.com`: there is something after host and port, perhaps a trailing slash",
        "bailiwick.toml:8: `sessions.refresh_grace_secs`: 601 is not within 0 to 600",
    ];
    let found = problems(Some(&path), &variables);
    for line in expected {
        assert!(found.iter().any(|problem| problem == line), "no `{line}` in\n{}", found.join("\n"));
    }
    assert_eq!(found.len(), expected.len(), "{}", found.join("\n"));
}

#[test]
fn a_file_that_is_not_toml_names_the_line_and_not_its_text() {
    let (_folder, path) = written("[secrets]\nmaster_key = \"hunter2\n");
    let found = problems(Some(&path), &[]);
    assert!(found[0].starts_with("bailiwick.toml:2: ") && !found[0].contains("hunter2"), "{found:?}");
    assert!(problems(Some(&path.with_file_name("absent.toml")), &[])[0].contains("cannot be read"));
    let (_folder, path) = written("secrets = 5\n[[log]]\nformat = \"json\"\n");
    assert_eq!(problems(Some(&path), &[]).len(), 2);
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("salt");
    fs::write(&file, "a salt of at least thirty-two bytes\n").unwrap();
    let path = file.to_str().unwrap();
    let loaded = load(None, &[("BAILIWICK__SECRETS__REDIS_KEY_SALT_FILE", path)]).unwrap();
    let salt = loaded.config.secrets.redis_key_salt.clone().unwrap();
    assert_eq!(salt.expose_secret(), "a salt of at least thirty-two bytes");
    assert!(!format!("{:?}", loaded.config).contains("thirty"));
    assert!(!serde_json::to_string(&loaded.config).unwrap().contains("thirty"));

    let both = [
        ("BAILIWICK__SECRETS__REDIS_KEY_SALT_FILE", path),
        ("BAILIWICK__SECRETS__REDIS_KEY_SALT", "another salt of at least 32 bytes"),
    ];
    assert!(problems(None, &both)[0].contains("set twice: by `BAILIWICK__SECRETS__REDIS_KEY_SALT`"));
    let absent = [("BAILIWICK__STORAGE__POSTGRES_URL_FILE", "/absent/file")];
    assert!(problems(None, &absent)[0].contains("cannot be read"));

    for (name, value) in [
        ("BAILIWICK__SECRETS__MASTER_KEY", "hunter2"),
        ("BAILIWICK__SECRETS__REDIS_KEY_SALT", "hunter2"),
        ("BAILIWICK__STORAGE__POSTGRES_URL", "mysql://root:hunter2@db"),
        ("BAILIWICK__REDIS__URL", "http://hunter2"),
    ] {
        let found = problems(None, &[(name, value)]);
        assert!(found.len() == 1 && !found[0].contains("hunter2"), "{found:?}");
    }
    let (_folder, path) = written("[secrets]\nmaster_key = 20261121\n");
    assert!(!problems(Some(&path), &[])[0].contains("20261121"));
}

#[test]
fn weak_settings_are_warned_of() {
    let (_folder, path) = written(
        "[server]\npublic_addr = \"0.0.0.0:8080\"\n\
         [secrets]\nmaster_key = \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let variables = [("BAILIWICK_SERVER_PUBLIC_URL", "x"), ("BAILIWICK__PASSWORDS__MIN_LENGTH", "8")];
    let warnings = load(Some(&path), &variables).unwrap().warnings;
    for part in ["mode 0644", "BAILIWICK_SERVER_PUBLIC_URL", "public listener", "random", "NIST"] {
        assert!(warnings.iter().any(|warning| warning.to_string().contains(part)), "{part}: {warnings:?}");
    }
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    assert!(load(None, &[]).unwrap().warnings.is_empty());
}

#[test]
fn what_is_left_out_follows_from_the_rest() {
    let config = load(None, &[("BAILIWICK__SERVER__PUBLIC_URL", "https://auth.example.com")]).unwrap().config;
    assert_eq!(config.issuer(), "https://auth.example.com");
    assert_eq!(config.audience(), "https://auth.example.com");
    assert_eq!(config.bus_kind(), BusKind::Local);
    let shared = [("BAILIWICK__STORAGE__POSTGRES_URL", "postgres://db/bailiwick")];
    assert_eq!(load(None, &shared).unwrap().config.bus_kind(), BusKind::Postgres);
    let both = [shared[0], ("BAILIWICK__REDIS__URL", "redis://cache")];
    assert_eq!(load(None, &both).unwrap().config.bus_kind(), BusKind::Redis);
    assert_eq!(Config::default().public_url(), "http://127.0.0.1:8080");
    let alone = problems(None, &[("BAILIWICK__REDIS__BUS", "redis")]);
    assert_eq!(alone, ["BAILIWICK__REDIS__BUS: `redis.bus`: `redis` wants `redis.url`"]);
}

#[test]
fn limits_of_each_section_hold() {
    for (variable, value) in [
        ("SESSIONS__IDLE_TTL_SECS", "0"),
        ("SESSIONS__IDLE_TTL_SECS", "2592001"),
        ("TOKENS__ACCESS_TTL_SECS", "0"),
        ("TOKENS__ISSUER", "https://a/b"),
        ("TOKENS__AUDIENCE", " "),
        ("PASSWORDS__ARGON2_MEMORY_KIB", "7"),
        ("PASSWORDS__MIN_LENGTH", "129"),
        ("PASSWORDS__ARGON2_PASSES", "-1"),
        ("SERVER__BODY_LIMIT_BYTES", "2000000"),
        ("SERVER__ADMIN_ADDR", "127.0.0.1:8080"),
        ("SERVER__TRUSTED_PROXIES", "10.0.0.300/8"),
        ("SERVER__CORS_ORIGINS", "*"),
        ("STORAGE__CONNECTIONS", "0"),
        ("REDIS__BUS", "carrier_pigeon"),
        ("REDIS__PREFIX", "a b"),
        ("POLICY__DEFAULT_STORE", "No"),
        ("REGISTRATION__AUTO_LOGIN", "true"),
        ("LOG__FILTER", "a=b=c"),
    ] {
        let found = problems(None, &[(&format!("BAILIWICK__{variable}"), value)]);
        assert_eq!(found.len(), 1, "{variable}={value}: {found:?}");
    }
}
