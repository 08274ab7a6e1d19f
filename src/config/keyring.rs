//! The root secrets: from the configuration, or generated once into the data folder.
//!
//! | database | Redis | `master_key` absent | `redis_key_salt` absent |
//! |---|---|---|---|
//! | embedded | any | made in the data folder | made in the data folder |
//! | Postgres | no | refused, unless the data folder has one | made in the data folder |
//! | Postgres | yes | refused, unless the data folder has one | refused, unless the data folder has one |
//!
//! A server on Postgres may be one of several, and nodes with secrets of their own would refuse each
//! other's tokens and keep hot copies that the others cannot revoke; so nothing is made up there.
//!
//! INVARIANT: a generated file has mode 0600 and appears whole or not at all, so processes that start at
//! once read the same bytes. A file that others can read, or that is malformed, stops the start.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{
    Config,
    secrets::{SALT_BYTES, parse_master_key},
};
use crate::base::{Entropy, EntropyError, MasterKey, PlainToken};

/// Name of the generated master key within the data folder.
const MASTER_FILE: &str = "master.key";
/// Name of the generated salt within the data folder.
const SALT_FILE: &str = "redis.salt";

/// Why there are no root secrets.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Several nodes may share the database or Redis, so they must be given the secret.
    #[error("`{key}` is not set, and a secret that nodes share is not made up by one of them")]
    Missing {
        /// The setting.
        key: &'static str,
    },
    /// The group or others can read it.
    #[error("`{}` can be read by others: its mode is {mode:04o}, not 0600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Everybody can replace what is in it.
    #[error("`{}` can be written by everybody: its mode is {mode:04o}", path.display())]
    OpenFolder {
        /// The data folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("`{}` does not hold a {what}", path.display())]
    Malformed {
        /// The file or the setting.
        path: PathBuf,
        /// What is expected there.
        what: &'static str,
    },
    /// It cannot be read or made.
    #[error("`{}` cannot be used", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no randomness to make it of.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl KeyringError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { key } => Some(format!(
                "give every node the same `{key}`: make one with `openssl rand -hex 32`, and set \
                 BAILIWICK__{}, or the same with _FILE and the name of a file",
                key.to_ascii_uppercase().replace('.', "__")
            )),
            Self::Exposed { path, .. } => Some(format!(
                "if nobody else can have read it, run `chmod 600 {}`; else replace the secret",
                path.display()
            )),
            Self::OpenFolder { path, .. } => Some(format!("run `chmod 700 {}`", path.display())),
            _ => None,
        }
    }
}

/// The root secrets of an installation.
#[derive(Debug, Clone)]
pub struct RootSecrets {
    /// Seals private keys, keys every tag.
    pub master: MasterKey,
    /// Salt of the session keys in Redis (R106).
    pub redis_salt: SecretString,
}

/// Makes the data folder, with mode 0700, when it is missing. It need not exist on Postgres.
///
/// Errors: [`KeyringError`]: it cannot be made, or everybody may write into it.
pub fn make_data_folder(config: &Config) -> Result<(), KeyringError> {
    make_folder(&config.data.dir)?;
    check_folder(&config.data.dir)
}

impl RootSecrets {
    /// The secrets of the configuration; what is absent there comes from the data folder, where it is
    /// generated once if the table above allows it. Makes the data folder (mode 0700) when it is needed.
    ///
    /// Shape: the salt is the configured text, or 43 base64url characters.
    /// Errors: [`KeyringError`]; nothing secret is part of it.
    pub fn open(config: &Config, entropy: &dyn Entropy) -> Result<Self, KeyringError> {
        let shared = config.storage.postgres_url.is_some();
        let folder = &config.data.dir;
        if !shared {
            make_data_folder(config)?; // the database is in there too
        }
        let (place, text) = if let Some(text) = &config.secrets.master_key {
            (PathBuf::from("secrets.master_key"), Zeroizing::new(text.expose_secret().to_owned()))
        } else {
            let text = stored(folder, MASTER_FILE, (!shared).then_some(entropy))?;
            (folder.join(MASTER_FILE), text.ok_or(KeyringError::Missing { key: "secrets.master_key" })?)
        };
        let malformed = |path| KeyringError::Malformed { path, what: "master key of 32 bytes" };
        let master = parse_master_key(&text).ok_or_else(|| malformed(place))?;
        let master = match &config.secrets.previous_master_key {
            Some(text) => {
                let previous = parse_master_key(text.expose_secret());
                let place = || malformed(PathBuf::from("secrets.previous_master_key"));
                master.replacing(&previous.ok_or_else(place)?)
            }
            None => master,
        };

        let (place, redis_salt) = if let Some(salt) = &config.secrets.redis_key_salt {
            (PathBuf::from("secrets.redis_key_salt"), salt.clone())
        } else {
            let may_make = !(shared && config.redis.url.is_some());
            let text = stored(folder, SALT_FILE, may_make.then_some(entropy))?
                .ok_or(KeyringError::Missing { key: "secrets.redis_key_salt" })?;
            (folder.join(SALT_FILE), SecretString::from(text.as_str()))
        };
        if redis_salt.expose_secret().len() < SALT_BYTES {
            return Err(KeyringError::Malformed { path: place, what: "salt of at least 32 bytes" });
        }
        Ok(Self { master, redis_salt })
    }
}

/// The text of the secret `name` in `folder`. When there is none: made of `entropy`, or `None` without it.
fn stored(
    folder: &Path,
    name: &str,
    entropy: Option<&dyn Entropy>,
) -> Result<Option<Zeroizing<String>>, KeyringError> {
    let path = folder.join(name);
    check_folder(folder)?;
    match read(&path) {
        Err(KeyringError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
        read => return read.map(Some),
    }
    let Some(entropy) = entropy else { return Ok(None) };
    make_folder(folder)?;
    create(folder, &path, entropy)?;
    read(&path).map(Some) // what is there now, which another process may have made
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    let wrap = |source| KeyringError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(wrap)?;
    // SECURITY: asked of the open file, not of the path, which may change in between.
    let mode = file.metadata().map_err(wrap)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyringError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(wrap)?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn make_folder(folder: &Path) -> Result<(), KeyringError> {
    let wrap = |source| KeyringError::Io { path: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrap)
}

/// Refuses a folder whose files everybody can replace. That the group may is left to whoever mounts it.
fn check_folder(folder: &Path) -> Result<(), KeyringError> {
    let mode = match fs::metadata(folder) {
        Ok(metadata) => metadata.permissions().mode() & 0o7777,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(KeyringError::Io { path: folder.to_owned(), source }),
    };
    if mode & 0o002 != 0 {
        return Err(KeyringError::OpenFolder { path: folder.to_owned(), mode });
    }
    Ok(())
}

/// Makes `path` hold a new secret unless it exists: written whole under a name of its own, then linked.
fn create(folder: &Path, path: &Path, entropy: &dyn Entropy) -> Result<(), KeyringError> {
    let secret = PlainToken::random(entropy)?;
    let mark = u64::from_be_bytes(entropy.bytes()?);
    let draft = folder.join(format!(".draft-{}-{mark:016x}", std::process::id()));
    let linked = write_draft(&draft, secret.expose()).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()), // another process was first
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    linked
        .and(removed)
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|source| KeyringError::Io { path: path.to_owned(), source })
}

fn write_draft(draft: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(secret.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}
